//! CREATE, ALTER and DROP of tables and views.
//!
//! A table's shape is metadata: adding, dropping or renaming a column touches no row. What a column's DEFAULT was when
//! it was added is kept with the column and stands for the rows that were there before.

pub(crate) mod alter;
pub(crate) mod column;

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;

use self::column::{check_name, check_type, constant, default_of, key_of, not_null, plain_field};
use crate::change::Action;
use crate::error::DfOlapError;
use crate::fragment::ColumnId;
use crate::snapshot::{Column, Relation, RelationId, Table, TableDefinition, Version, View};
use crate::sql::execution::{Effect, Run, unsupported};
use crate::sql::planner::Planner;
use crate::sql::resources::buffered_rows::BufferedRows;
use crate::sql::syntax::sql_text;
use crate::sql::write::rows::shape;
use crate::sql::write::target::refuse;
use crate::sql::write::{append, for_each_batch};

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

async fn create_table(run: &Run, create: &ast::CreateTable) -> Result<Effect, DfOlapError> {
    let (name, existing, definition, query) = {
        let planner = run.planner();
        let name = planner.table_name(&create.name)?;
        check_name("table", &name)?;
        let existing = run.context.snapshot.relation(&name);
        if existing.is_some() {
            if create.if_not_exists && !create.or_replace {
                return Ok(Effect::default());
            }
            if !create.or_replace {
                return Err(DfOlapError::Invalid(format!(
                    "table '{name}' already exists; use IF NOT EXISTS or OR REPLACE"
                )));
            }
        }
        if let Some(Relation::View(_)) = existing {
            return Err(DfOlapError::Invalid(format!(
                "'{name}' is a view; drop it first"
            )));
        }
        let (definition, query) = define(run, &planner, create)?;
        (name, existing, Arc::new(definition), query)
    };

    let mut actions = Vec::new();
    if let Some(Relation::Table(table)) = existing {
        actions.push(Action::Drop { id: table.id });
    }
    let id = RelationId::fresh();
    actions.push(Action::CreateTable {
        name: name.clone(),
        id,
        definition: Arc::clone(&definition),
    });
    let mut count = 0;
    if let Some(query) = query {
        let mut new = BufferedRows::new(run.runtime());
        for_each_batch(run, query, |batch| {
            new.push(shape(
                &name,
                &definition,
                batch.columns(),
                batch.num_rows(),
            )?)
        })
        .await?;
        count = new.rows();
        let table = Table::empty(id, definition, Version::default());
        actions.extend(append(run, &table, new).await?);
    }
    Ok(Effect::of(actions, count))
}

/// The definition of a table, and the query that fills it.
fn define(
    run: &Run,
    planner: &Planner,
    create: &ast::CreateTable,
) -> Result<
    (
        TableDefinition,
        Option<datafusion::logical_expr::LogicalPlan>,
    ),
    DfOlapError,
> {
    let mut key: Vec<String> = Vec::new();
    for column in &create.columns {
        for option in &column.options {
            match &option.option {
                ast::ColumnOption::Null
                | ast::ColumnOption::NotNull
                | ast::ColumnOption::Default(_) => {}
                ast::ColumnOption::PrimaryKey(_) if key.is_empty() => {
                    key.push(planner.normalize(&column.name));
                }
                ast::ColumnOption::ForeignKey(_) => return Err(unsupported("FOREIGN KEY")),
                other => {
                    return Err(unsupported(&format!("the column option {other}")));
                }
            }
        }
    }
    for constraint in &create.constraints {
        match constraint {
            ast::TableConstraint::PrimaryKey(primary) if key.is_empty() => {
                for column in &primary.columns {
                    match &column.column.expr {
                        ast::Expr::Identifier(ident) => key.push(planner.normalize(ident)),
                        other => return Err(unsupported(&format!("{other} in PRIMARY KEY"))),
                    }
                }
            }
            other => return Err(unsupported(&format!("the constraint {other}"))),
        }
    }

    // DataFusion's planner refuses, by name, every other option that CREATE TABLE can have.
    let statement = ast::Statement::CreateTable(create.clone());
    let plan = planner.statement(datafusion::sql::parser::Statement::Statement(Box::new(
        statement,
    )))?;
    let datafusion::logical_expr::LogicalPlan::Ddl(
        datafusion::logical_expr::DdlStatement::CreateMemoryTable(planned),
    ) = plan
    else {
        return Err(unsupported("this form of CREATE TABLE"));
    };
    let fields = planned.input.schema().fields();
    let mut columns = Vec::new();
    for (id, field) in (0u32..).zip(fields) {
        check_name("column", field.name())?;
        check_type(field.name(), field.data_type())?;
        if columns
            .iter()
            .any(|c: &Column| c.field.name() == field.name())
        {
            return Err(DfOlapError::Invalid(format!(
                "column '{}' is named twice",
                field.name()
            )));
        }
        let declared = create
            .columns
            .iter()
            .find(|c| planner.normalize(&c.name) == *field.name());
        let default = declared.and_then(default_of);
        let nullable = !key.contains(field.name())
            && match declared {
                Some(column) => !not_null(column),
                None => true,
            };
        if let Some(default) = &default {
            constant(run, default, field.name(), field.data_type())?;
        }
        columns.push(Column {
            id: ColumnId(id),
            field: Arc::new(plain_field(field.name(), field.data_type(), nullable)),
            default: default.as_ref().map(sql_text::text),
            initial: None,
        });
    }
    if columns.is_empty() {
        return Err(DfOlapError::Invalid(
            "a table needs at least one column".to_string(),
        ));
    }
    let key = key_of(&columns, &key)?;
    let next = ColumnId(columns.len() as u32);
    let query = create
        .query
        .as_ref()
        .map(|_| planned.input.as_ref().clone());
    Ok((TableDefinition::new(columns, key, next), query))
}

fn create_view(run: &Run, create: &ast::CreateView) -> Result<Effect, DfOlapError> {
    refuse("CREATE OR ALTER VIEW", create.or_alter)?;
    refuse("CREATE MATERIALIZED VIEW", create.materialized)?;
    refuse("CREATE TEMPORARY VIEW", create.temporary)?;
    refuse("CREATE SECURE VIEW", create.secure)?;
    refuse("CREATE VIEW … TO", create.to.is_some())?;
    refuse("CREATE VIEW … COMMENT", create.comment.is_some())?;
    let planner = run.planner();
    let name = planner.table_name(&create.name)?;
    check_name("view", &name)?;
    let mut actions = Vec::new();
    match run.context.snapshot.relation(&name) {
        Some(_) if create.if_not_exists => return Ok(Effect::default()),
        Some(Relation::View(view)) if create.or_replace => {
            actions.push(Action::Drop { id: view.id });
        }
        Some(_) => {
            return Err(DfOlapError::Invalid(format!("'{name}' already exists")));
        }
        None => {}
    }
    let mut columns = Vec::new();
    for column in &create.columns {
        refuse("an option on a view's column", column.options.is_some())?;
        columns.push(planner.normalize(&column.name));
    }
    let view = View {
        id: RelationId::fresh(),
        query: sql_text::text(create.query.as_ref()),
        columns,
    };
    planner.check_view(&name, &view, run.limits().plan_nodes)?;
    actions.push(Action::CreateView {
        name,
        view: Arc::new(view),
    });
    Ok(Effect::of(actions, 0))
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
