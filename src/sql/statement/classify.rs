//! Classifies parsed statements by their syntax tree, never by the first word of the text.

use datafusion::sql::parser::{ExplainStatement, Statement as DFStatement};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::ast::helpers::stmt_create_table::CreateTableBuilder;

use super::{Statement, Write};
use crate::error::{DfOlapError, unsupported};
use crate::sql::execution::session::Limits;
use crate::sql::syntax::parse::{TextLimits, parse_statements};

/// Parses a text of one statement.
pub(crate) fn parse_one(sql: &str, limits: &Limits) -> Result<Statement, DfOlapError> {
    let mut statements = parse(sql, limits)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (None, _) => Err(DfOlapError::Invalid("the SQL text has no statement".into())),
        (Some(_), false) => Err(DfOlapError::Invalid(
            "the SQL text has more than one statement; pass it to execute_batch".into(),
        )),
    }
}

/// Parses a text of any number of statements.
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
            // Leaves out the views of information_schema itself.
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

/// Classifies a query, which is a write if its body is a write: `WITH … INSERT`.
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
