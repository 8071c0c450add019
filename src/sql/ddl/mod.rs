//! CREATE, ALTER and DROP of tables and views.
//!
//! Columns are metadata: adding, dropping or renaming a column rewrites no rows. A new column keeps the value that its
//! DEFAULT had when the column was added; scans return this value for older rows.

pub(crate) mod alter;
pub(crate) mod column;
mod create_table;
mod create_view;

use datafusion::sql::sqlparser::ast;

use self::create_table::create_table;
use self::create_view::create_view;
use crate::change::Action;
use crate::error::{DfOlapError, refuse, unsupported};
use crate::snapshot::Relation;
use crate::sql::execution::{Effect, Run};

pub(crate) async fn effect(run: &Run, statement: &ast::Statement) -> Result<Effect, DfOlapError> {
    match statement {
        ast::Statement::CreateTable(create) => create_table(run, create).await,
        ast::Statement::CreateView(create) => create_view(run, create),
        ast::Statement::AlterTable(alter) => alter::effect(run, alter).await,
        ast::Statement::Drop {
            object_type,
            if_exists,
            names,
            cascade,
            purge,
            temporary,
            table,
            ..
        } => {
            refuse("DROP … CASCADE", *cascade)?;
            refuse("DROP … PURGE", *purge)?;
            refuse("DROP TEMPORARY", *temporary)?;
            refuse("DROP … ON", table.is_some())?;
            drop_relations(
                run,
                names,
                *if_exists,
                *object_type == ast::ObjectType::View,
            )
        }
        other => Err(unsupported(&other.to_string())),
    }
}

fn drop_relations(
    run: &Run,
    names: &[ast::ObjectName],
    if_exists: bool,
    views: bool,
) -> Result<Effect, DfOlapError> {
    let planner = run.planner();
    let mut actions = Vec::new();
    for name in names {
        let name = planner.table_name(name)?;
        let id = match run.context.snapshot.relation(&name) {
            Some(Relation::View(view)) if views => view.id,
            Some(Relation::Table(table)) if !views => table.id,
            Some(Relation::Table(_)) => {
                return Err(DfOlapError::Invalid(format!(
                    "'{name}' is a table; use DROP TABLE"
                )));
            }
            Some(Relation::View(_)) => {
                return Err(DfOlapError::Invalid(format!(
                    "'{name}' is a view; use DROP VIEW"
                )));
            }
            None if if_exists => continue,
            None if views => {
                return Err(DfOlapError::Invalid(format!("view not found: {name}")));
            }
            None => return Err(DfOlapError::TableNotFound(name)),
        };
        actions.push(Action::Drop { id });
    }
    Ok(Effect::of(actions, 0))
}
