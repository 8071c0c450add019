//! A parsed statement, recognised by what the parser made of it and never by its first word.

mod setting;
pub(crate) mod sources;
mod table_at;

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::ToDFSchema;
use datafusion::common::format::{ExplainFormat, ExplainStatementOptions};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::{Analyze, Explain, LogicalPlan, PlanType, ToStringifiedPlan};
use datafusion::sql::parser::{ExplainStatement, Statement as DFStatement};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::ast::helpers::stmt_create_table::CreateTableBuilder;

use crate::error::DfOlapError;
use crate::sql::ddl;
use crate::sql::execution::session::{Limits, Session};
use crate::sql::execution::{Effect, Run, unsupported};
use crate::sql::planner::{Planner, hide_row_address};
use crate::sql::syntax::parse::{TextLimits, parse_statements};
use crate::sql::write::fast_path::insert::Literals;
use crate::sql::write::fast_path::insert_text;
use crate::sql::write::{insert, merge, update_delete};

/// One statement.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    /// Whatever only reads.
    Query(Box<DFStatement>),
    Explain(ExplainStatementOptions, Box<Statement>),
    Write(Write),
    Prepare {
        name: String,
        types: Vec<ast::DataType>,
        statement: Box<Statement>,
    },
    Execute {
        name: String,
        args: Vec<ast::Expr>,
    },
    Deallocate {
        name: String,
    },
    /// CREATE EXTERNAL TABLE.
    External(Box<DFStatement>),
    /// `SET` and `RESET`.
    Setting(Box<DFStatement>),
}

/// A statement that makes a change set. `with` are the CTEs that stood before it.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Insert(Option<ast::With>, Box<ast::Insert>),
    /// An INSERT of literals that needed no parser, and its text, should it turn out to need one.
    Literals(Box<Literals>, String),
    Update(Option<ast::With>, Box<ast::Update>),
    Delete(Option<ast::With>, Box<ast::Delete>),
    Merge(Option<ast::With>, Box<ast::Merge>),
    Truncate(Box<ast::Truncate>),
    Ddl(Box<ast::Statement>),
}

/// A statement kept under a name.
#[derive(Debug)]
pub(crate) struct Prepared {
    types: Vec<FieldRef>,
    pub statement: Statement,
    /// Whether its text is not a short one.
    pub is_long: bool,
}

/// Reads a text of one statement.
pub(crate) fn parse_one(sql: &str, session: &Session) -> Result<Statement, DfOlapError> {
    let options = &session.state.config_options().sql_parser;
    if sql.len() <= session.limits.text.text_bytes
        && let Some(literals) = insert_text::read(sql, options.enable_ident_normalization)
    {
        let write = Write::Literals(Box::new(literals), sql.to_string());
        return Ok(Statement::Write(write));
    }
    let mut statements = parse(sql, &session.limits)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (None, _) => Err(DfOlapError::Invalid("the SQL text has no statement".into())),
        (Some(_), false) => Err(DfOlapError::Invalid(
            "the SQL text has more than one statement; pass it to execute_batch".into(),
        )),
    }
}

/// Reads a text of any number of statements.
pub(crate) fn parse(sql: &str, limits: &Limits) -> Result<Vec<Statement>, DfOlapError> {
    parse_statements(sql, &limits.text)?
        .into_iter()
        .map(|statement| classify(statement, limits))
        .collect()
}

fn classify(statement: DFStatement, limits: &Limits) -> Result<Statement, DfOlapError> {
    match statement {
        DFStatement::Statement(statement) => classify_sql(*statement),
        DFStatement::Explain(ExplainStatement { options, statement }) => {
            match classify(*statement, limits)? {
                Statement::Explain(..) => Err(unsupported("EXPLAIN of an EXPLAIN")),
                inner => Ok(Statement::Explain(options, Box::new(inner))),
            }
        }
        DFStatement::Reset(_) => Ok(Statement::Setting(Box::new(statement))),
        DFStatement::CreateExternalTable(_) if limits.reads => {
            Ok(Statement::External(Box::new(statement)))
        }
        DFStatement::CopyTo(_) if limits.writes => Ok(Statement::Query(Box::new(statement))),
        DFStatement::CreateExternalTable(_) => Err(DfOlapError::Denied(
            "CREATE EXTERNAL TABLE reads outside the database and is not allowed here".to_string(),
        )),
        DFStatement::CopyTo(_) => Err(DfOlapError::Denied(
            "COPY TO writes outside the database and is not allowed here".to_string(),
        )),
    }
}

fn classify_sql(statement: ast::Statement) -> Result<Statement, DfOlapError> {
    use ast::Statement as S;
    Ok(match statement {
        S::Query(query) => return classify_query(query),
        S::Insert(insert) => Statement::Write(Write::Insert(None, Box::new(insert))),
        S::Update(update) => Statement::Write(Write::Update(None, Box::new(update))),
        S::Delete(delete) => Statement::Write(Write::Delete(None, Box::new(delete))),
        S::Merge(merge) => Statement::Write(Write::Merge(None, Box::new(merge))),
        S::Truncate(truncate) => Statement::Write(Write::Truncate(Box::new(truncate))),
        S::CreateTable(_) | S::CreateView(_) | S::AlterTable(_) => {
            Statement::Write(Write::Ddl(Box::new(statement)))
        }
        S::Drop {
            object_type: ast::ObjectType::Table | ast::ObjectType::View,
            ..
        } => Statement::Write(Write::Ddl(Box::new(statement))),
        S::CreateIndex(_) => {
            return Err(DfOlapError::Unsupported(
                "CREATE INDEX is not supported and not needed: scans leave out the fragments that a condition rules out, by \
                 the smallest and largest values of each of their columns"
                    .to_string(),
            ));
        }
        S::CreateSchema { .. } | S::CreateDatabase { .. } => {
            return Err(DfOlapError::Unsupported(format!(
                "{} is not supported: an engine has one schema, public; open another engine for another database",
                first_words(&statement)
            )));
        }
        S::Drop { object_type, .. } => return Err(unsupported(&format!("DROP {object_type}"))),
        S::ShowTables { .. } if statement.to_string() == "SHOW TABLES" => {
            // The views of information_schema are not what is asked for.
            let text = "SELECT * FROM information_schema.tables WHERE table_schema <> 'information_schema'";
            let query = parse_statements(text, &TextLimits::default())?.pop_front();
            return query.map_or_else(
                || Err(unsupported("SHOW TABLES")),
                |query| Ok(Statement::Query(Box::new(query))),
            );
        }
        S::ShowTables { .. }
        | S::ShowColumns { .. }
        | S::ShowFunctions { .. }
        | S::ShowVariable { .. }
        | S::ShowCreate { .. }
        | S::ExplainTable { .. }
        | S::Explain { .. } => {
            Statement::Query(Box::new(DFStatement::Statement(Box::new(statement))))
        }
        S::Prepare {
            name,
            data_types,
            statement,
        } => match classify_sql(*statement)? {
            inner @ (Statement::Query(_) | Statement::Write(_)) => Statement::Prepare {
                name: name.value.to_ascii_lowercase(),
                types: data_types,
                statement: Box::new(inner),
            },
            _ => return Err(unsupported("PREPARE of this statement")),
        },
        S::Execute {
            name: Some(name),
            parameters,
            using,
            immediate: false,
            into,
            ..
        } if using.is_empty() && into.is_empty() => Statement::Execute {
            name: name.to_string().to_ascii_lowercase(),
            args: parameters,
        },
        S::Deallocate { name, .. } => Statement::Deallocate {
            name: name.value.to_ascii_lowercase(),
        },
        S::Set(_) => Statement::Setting(Box::new(DFStatement::Statement(Box::new(statement)))),
        S::StartTransaction { .. } | S::Commit { .. } | S::Rollback { .. } => {
            return Err(DfOlapError::Unsupported(
                "BEGIN, COMMIT and ROLLBACK are not supported; pass the statements to execute_batch, which makes them \
                 one atomic change"
                    .to_string(),
            ));
        }
        S::Copy { .. } | S::CopyIntoSnowflake { .. } | S::LoadData { .. } | S::Unload { .. } => {
            return Err(DfOlapError::Denied(format!(
                "{} reaches outside the database and is not allowed here",
                first_words(&statement)
            )));
        }
        other => return Err(unsupported(&first_words(&other))),
    })
}

/// A query is a write where its body is one: `WITH … INSERT`.
fn classify_query(mut query: Box<ast::Query>) -> Result<Statement, DfOlapError> {
    use ast::SetExpr;
    let body = match query.body.as_mut() {
        SetExpr::Insert(body)
        | SetExpr::Update(body)
        | SetExpr::Delete(body)
        | SetExpr::Merge(body) => body,
        SetExpr::Select(select) if select.into.is_some() => {
            let into = select.into.take();
            return into.map_or_else(|| Err(unsupported("INTO")), |into| select_into(into, query));
        }
        _ => {
            let statement = ast::Statement::Query(query);
            return Ok(Statement::Query(Box::new(DFStatement::Statement(
                Box::new(statement),
            ))));
        }
    };
    if query.order_by.is_some() {
        return Err(unsupported("ORDER BY on a statement that writes"));
    }
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return Err(unsupported("LIMIT on a statement that writes"));
    }
    let body = body.clone();
    let with = query.with.take();
    match classify_sql(body)? {
        Statement::Write(Write::Insert(_, s)) => Ok(Statement::Write(Write::Insert(with, s))),
        Statement::Write(Write::Update(_, s)) => Ok(Statement::Write(Write::Update(with, s))),
        Statement::Write(Write::Delete(_, s)) => Ok(Statement::Write(Write::Delete(with, s))),
        Statement::Write(Write::Merge(_, s)) => Ok(Statement::Write(Write::Merge(with, s))),
        _ => Err(unsupported("WITH before this statement")),
    }
}

/// `SELECT … INTO t` is `CREATE TABLE t AS SELECT …`.
fn select_into(into: ast::SelectInto, query: Box<ast::Query>) -> Result<Statement, DfOlapError> {
    if into.temporary || into.unlogged {
        return Err(unsupported("SELECT INTO a temporary or unlogged table"));
    }
    let create = CreateTableBuilder::new(into.name)
        .query(Some(query))
        .build();
    Ok(Statement::Write(Write::Ddl(Box::new(
        ast::Statement::CreateTable(create),
    ))))
}

/// The first words of a statement's text, for messages.
fn first_words(statement: &ast::Statement) -> String {
    let text = statement.to_string();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    words.join(" ")
}

impl Prepared {
    /// Keeps `statement`; names in it that do not exist are told now.
    pub fn new(
        run: &Run,
        types: Vec<ast::DataType>,
        statement: Statement,
        is_long: bool,
    ) -> Result<Self, DfOlapError> {
        let planner = run.planner();
        let types = types
            .iter()
            .map(|data_type| planner.field(data_type))
            .collect::<Result<Vec<_>, _>>()?;
        let planned = match &statement {
            Statement::Query(query) => run
                .planner()
                .with_param_types(&types)
                .statement(query.as_ref().clone())
                .map(|_| ()),
            Statement::Write(write) => write
                .plan(&run.planner().with_param_types(&types))
                .map(|_| ()),
            _ => Ok(()),
        };
        // Types that are not known before EXECUTE are no error yet; names are.
        match planned.map_err(DfOlapError::from) {
            Err(error @ DfOlapError::TableNotFound(_)) => return Err(error),
            Err(DfOlapError::DataFusion(error)) if error.to_string().contains("No field named") => {
                return Err(DfOlapError::DataFusion(hide_row_address(error)));
            }
            _ => {}
        }
        Ok(Self {
            types,
            statement,
            is_long,
        })
    }

    /// The values of EXECUTE's arguments.
    pub fn bind(&self, run: &Run, args: &[ast::Expr]) -> Result<ParamValues, DfOlapError> {
        if !self.types.is_empty() && self.types.len() != args.len() {
            return Err(DfOlapError::Invalid(format!(
                "the prepared statement takes {} parameters, {} were given",
                self.types.len(),
                args.len()
            )));
        }
        let values = args
            .iter()
            .enumerate()
            .map(|(index, arg)| {
                let value = run.constant(arg)?;
                match self.types.get(index) {
                    Some(field) => Ok(value.cast_to(field.data_type())?),
                    None => Ok(value),
                }
            })
            .collect::<Result<Vec<ScalarValue>, DfOlapError>>()?;
        Ok(ParamValues::from(values))
    }
}

impl Run {
    /// The rows of a statement that reads.
    pub async fn rows(
        &self,
        statement: &Statement,
    ) -> Result<SendableRecordBatchStream, DfOlapError> {
        let plan = self.plan(statement).map_err(hide_row_address)?;
        match statement {
            Statement::Query(_) => self.stream_query(plan).await,
            _ => self.stream(plan).await,
        }
    }

    fn plan(
        &self,
        statement: &Statement,
    ) -> Result<LogicalPlan, datafusion::error::DataFusionError> {
        match statement {
            Statement::Query(query) => self.planner().statement(query.as_ref().clone()),
            Statement::Explain(options, inner) => {
                let plan = match inner.as_ref() {
                    Statement::Write(write) => match self.external_insert(write)? {
                        Some(_) if options.analyze => {
                            let what = "EXPLAIN ANALYZE of an INSERT into an external table, which would add the rows,";
                            return Err(unsupported(what).into());
                        }
                        Some(plan) => plan,
                        None => write.plan(&self.planner())?,
                    },
                    other => self.plan(other)?,
                };
                explain(options, plan, self.state())
            }
            _ => Err(unsupported("this statement here").into()),
        }
    }

    /// Works out what a statement changes, and changes nothing.
    pub async fn effect(&self, write: &Write) -> Result<Effect, DfOlapError> {
        let effect = match write {
            Write::Insert(with, insert) => insert::effect(self, with, insert).await,
            Write::Literals(literals, text) => {
                match insert::effect_of_literals(self, literals).await? {
                    Some(effect) => return Ok(effect),
                    None => match parse(text, self.limits())?.pop() {
                        Some(Statement::Write(Write::Insert(with, insert))) => {
                            insert::effect(self, &with, &insert).await
                        }
                        _ => Err(unsupported("this form of INSERT")),
                    },
                }
            }
            Write::Update(with, update) => update_delete::update(self, with, update).await,
            Write::Delete(with, delete) => update_delete::delete(self, with, delete).await,
            Write::Merge(with, merge) => merge::effect(self, with, merge).await,
            Write::Truncate(truncate) => update_delete::truncate(self, truncate),
            Write::Ddl(statement) => ddl::effect(self, statement).await,
        };
        effect.map_err(|error| match error {
            DfOlapError::DataFusion(inner) => DfOlapError::from(hide_row_address(inner)),
            other => other,
        })
    }
}

impl Write {
    /// The name of the table or view that is written, near enough to keep writers of one table apart from others.
    pub fn target(&self) -> String {
        let factor = |factor: &ast::TableFactor| match factor {
            ast::TableFactor::Table { name, .. } => name.to_string(),
            other => other.to_string(),
        };
        let name = match self {
            Self::Insert(_, insert) => insert.table.to_string(),
            Self::Literals(literals, _) => return literals.table.to_ascii_lowercase(),
            Self::Update(_, update) => factor(&update.table.relation),
            Self::Delete(_, delete) => match &delete.from {
                ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from) => {
                    from.first()
                        .map(|table| factor(&table.relation))
                        .unwrap_or_default()
                }
            },
            Self::Merge(_, merge) => factor(&merge.table),
            Self::Truncate(truncate) => {
                let first = truncate.table_names.first();
                first
                    .map(|table| table.name.to_string())
                    .unwrap_or_default()
            }
            Self::Ddl(statement) => match statement.as_ref() {
                ast::Statement::CreateTable(create) => create.name.to_string(),
                ast::Statement::CreateView(create) => create.name.to_string(),
                ast::Statement::AlterTable(alter) => alter.name.to_string(),
                ast::Statement::Drop { names, .. } => {
                    names.first().map(ToString::to_string).unwrap_or_default()
                }
                _ => String::new(),
            },
        };
        name.rsplit('.')
            .next()
            .unwrap_or_default()
            .trim_matches('"')
            .to_ascii_lowercase()
    }

    /// True where the rows affected are what the statement is about.
    pub fn counts(&self) -> bool {
        !matches!(self, Self::Ddl(_))
    }

    /// The SELECT whose rows the statement writes, for EXPLAIN.
    fn plan(&self, planner: &Planner) -> Result<LogicalPlan, datafusion::error::DataFusionError> {
        match self {
            Self::Insert(with, statement) => insert::plan(planner, with, statement),
            Self::Literals(..) => Err(unsupported("EXPLAIN of this form of INSERT").into()),
            Self::Update(with, statement) => update_delete::plan_update(planner, with, statement),
            Self::Delete(with, statement) => update_delete::plan_delete(planner, with, statement),
            Self::Merge(with, statement) => merge::plan(planner, with, statement),
            Self::Truncate(statement) => planner.statement(DFStatement::Statement(Box::new(
                ast::Statement::Truncate(statement.as_ref().clone()),
            ))),
            Self::Ddl(statement) => planner.statement(DFStatement::Statement(statement.clone())),
        }
    }
}

fn explain(
    options: &ExplainStatementOptions,
    plan: LogicalPlan,
    state: &SessionState,
) -> Result<LogicalPlan, datafusion::error::DataFusionError> {
    let configured = &state.config_options().explain;
    let format = match &options.format {
        Some(_) if options.verbose => {
            return Err(unsupported("EXPLAIN VERBOSE with FORMAT").into());
        }
        Some(format) => format.clone(),
        None if options.verbose || options.analyze => ExplainFormat::Indent,
        None => configured.format.clone(),
    };
    let schema = LogicalPlan::explain_schema().to_dfschema_ref()?;
    if options.analyze {
        if matches!(format, ExplainFormat::Tree | ExplainFormat::Graphviz) {
            return Err(unsupported(&format!("EXPLAIN ANALYZE with FORMAT {format}")).into());
        }
        return Ok(LogicalPlan::Analyze(Analyze {
            verbose: options.verbose,
            format,
            input: Arc::new(plan),
            schema,
            analyze_level: options.analyze_level,
            analyze_categories: options.analyze_categories.clone(),
        }));
    }
    Ok(LogicalPlan::Explain(Explain {
        verbose: options.verbose,
        explain_format: format,
        stringified_plans: vec![plan.to_stringified(PlanType::InitialLogicalPlan)],
        plan: Arc::new(plan),
        schema,
        logical_optimization_succeeded: false,
        show_statistics: options.show_statistics,
    }))
}
