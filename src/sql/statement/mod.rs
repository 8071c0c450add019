//! [`Statement`]: the kinds of parsed statements, and their dispatch to the modules that execute them.

mod classify;
mod explain;
mod prepared;
mod setting;
pub(crate) mod sources;
mod table_at;

use datafusion::common::format::ExplainStatementOptions;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast;

pub(crate) use self::classify::{parse, parse_one};
use self::explain::explain;
pub(crate) use self::prepared::Prepared;
use crate::error::{DfOlapError, unsupported};
use crate::sql::ddl;
use crate::sql::execution::{Effect, Run};
use crate::sql::planner::{Planner, hide_row_address};
use crate::sql::write::{delete, insert, merge, update};

/// One statement.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    /// A statement that changes no table of the engine: a SELECT, SHOW, COPY TO.
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

/// A statement that makes a change set. The [`ast::With`] has the CTEs before the statement.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Insert(Option<ast::With>, Box<ast::Insert>),
    Update(Option<ast::With>, Box<ast::Update>),
    Delete(Option<ast::With>, Box<ast::Delete>),
    Merge(Option<ast::With>, Box<ast::Merge>),
    Truncate(Box<ast::Truncate>),
    Ddl(Box<ast::Statement>),
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

    /// Computes the changes of a statement without committing them.
    pub async fn effect(&self, write: &Write) -> Result<Effect, DfOlapError> {
        let effect = match write {
            Write::Insert(with, insert) => insert::effect(self, with, insert).await,
            Write::Update(with, update) => update::effect(self, with, update).await,
            Write::Delete(with, delete) => delete::effect(self, with, delete).await,
            Write::Merge(with, merge) => merge::effect(self, with, merge).await,
            Write::Truncate(truncate) => delete::truncate(self, truncate),
            Write::Ddl(statement) => ddl::effect(self, statement).await,
        };
        effect.map_err(|error| match error {
            DfOlapError::DataFusion(inner) => DfOlapError::from(hide_row_address(inner)),
            other => other,
        })
    }
}

impl Write {
    /// The name of the written table or view, approximate: used to queue the writers of one table, and in messages.
    pub fn target(&self) -> String {
        let factor = |factor: &ast::TableFactor| match factor {
            ast::TableFactor::Table { name, .. } => name.to_string(),
            other => other.to_string(),
        };
        let name = match self {
            Self::Insert(_, insert) => insert.table.to_string(),
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

    /// True if the number of affected rows is meaningful.
    pub fn counts(&self) -> bool {
        !matches!(self, Self::Ddl(_))
    }

    /// The SELECT whose rows the statement writes, for EXPLAIN.
    fn plan(&self, planner: &Planner) -> Result<LogicalPlan, datafusion::error::DataFusionError> {
        let write = match self {
            Self::Insert(with, statement) => insert::plan(planner, with, statement),
            Self::Update(with, statement) => update::plan(planner, with, statement),
            Self::Delete(with, statement) => delete::plan(planner, with, statement),
            Self::Merge(with, statement) => merge::plan(planner, with, statement),
            Self::Truncate(statement) => {
                let statement = ast::Statement::Truncate(statement.as_ref().clone());
                return planner.statement(DFStatement::Statement(Box::new(statement)));
            }
            Self::Ddl(statement) => {
                return planner.statement(DFStatement::Statement(statement.clone()));
            }
        };
        Ok(write?.plan)
    }
}
