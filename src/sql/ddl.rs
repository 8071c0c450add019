//! CREATE, ALTER and DROP of tables and views.
//!
//! A table's shape is metadata: adding, dropping or renaming a column touches no row. What a column's DEFAULT was when it was
//! added is kept with the column and stands for the rows that were there before.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;

use super::dml::refuse;
use super::planner::Planner;
use super::rows::{Gathered, shape};
use super::statement::{Effect, Run, unsupported};
use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::snapshot::{
    Column, ColumnId, Relation, RelationId, Table, TableDefinition, Version, View,
};

/// Names longer than this are refused: stores make file names of them.
const MAX_NAME_BYTES: usize = 200;

pub(crate) async fn effect(
    run: &Run<'_>,
    statement: &ast::Statement,
) -> Result<Effect, DfOlapError> {
    match statement {
        ast::Statement::CreateTable(create) => create_table(run, create).await,
        ast::Statement::CreateView(create) => create_view(run, create),
        ast::Statement::AlterTable(alter) => alter_table(run, alter),
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

fn effect_of(actions: Vec<Action>, rows: u64) -> Effect {
    Effect {
        change: ChangeSet { actions },
        rows,
        returning: None,
    }
}

pub(crate) fn check_name(what: &str, name: &str) -> Result<(), DfOlapError> {
    let bad = if name.is_empty() {
        "is empty"
    } else if name.len() > MAX_NAME_BYTES {
        "is longer than 200 bytes"
    } else if name.chars().any(char::is_control) {
        "has a control character"
    } else if name.starts_with("__row_address") {
        "is taken by the engine"
    } else {
        return Ok(());
    };
    Err(DfOlapError::Invalid(format!(
        "the {what} name '{}' {bad}",
        name.escape_debug()
    )))
}

async fn create_table(run: &Run<'_>, create: &ast::CreateTable) -> Result<Effect, DfOlapError> {
    let (name, existing, definition, query) = {
        let planner = run.planner();
        let name = planner.table_name(&create.name)?;
        check_name("table", &name)?;
        let existing = run.snapshot.relation(&name);
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
        let mut rows = run.stream(query).await?;
        let mut gathered = Gathered::new(run.runtime());
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            gathered.push(shape(
                &name,
                &definition,
                batch.columns(),
                batch.num_rows(),
            )?)?;
        }
        count = gathered.rows();
        let table = Table::empty(id, definition, Version::default());
        actions.extend(super::dml::append(run, &table, gathered).await?);
    }
    Ok(effect_of(actions, count))
}

/// The definition of a table, and the query that fills it.
fn define(
    run: &Run<'_>,
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
            default: default.map(|expr| expr.to_string()),
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

/// The ids of the key's columns; one that is not there is an error.
pub(crate) fn key_of(columns: &[Column], key: &[String]) -> Result<Vec<ColumnId>, DfOlapError> {
    let mut ids = Vec::new();
    for name in key {
        match columns.iter().find(|c| c.field.name() == name) {
            Some(column) if ids.contains(&column.id) => {
                return Err(DfOlapError::Invalid(format!(
                    "PRIMARY KEY names '{name}' twice"
                )));
            }
            Some(column) => ids.push(column.id),
            None => {
                return Err(DfOlapError::Invalid(format!(
                    "No field named {name} for the PRIMARY KEY"
                )));
            }
        }
    }
    Ok(ids)
}

fn plain_field(name: &str, data_type: &DataType, nullable: bool) -> Field {
    Field::new(name, data_type.clone(), nullable)
}

/// Types that a table cannot hold.
pub(crate) fn check_type(name: &str, data_type: &DataType) -> Result<(), DfOlapError> {
    match data_type {
        DataType::Null => Err(DfOlapError::Invalid(format!(
            "column '{name}' has no type; cast its NULL to one"
        ))),
        _ => Ok(()),
    }
}

fn default_of(column: &ast::ColumnDef) -> Option<ast::Expr> {
    column
        .options
        .iter()
        .find_map(|option| match &option.option {
            ast::ColumnOption::Default(expr) => Some(expr.clone()),
            _ => None,
        })
}

fn not_null(column: &ast::ColumnDef) -> bool {
    column
        .options
        .iter()
        .any(|option| matches!(option.option, ast::ColumnOption::NotNull))
}

/// The value of a DEFAULT as a column holds it; one that does not fit is an error.
fn constant(
    run: &Run<'_>,
    default: &ast::Expr,
    column: &str,
    data_type: &DataType,
) -> Result<ScalarValue, DfOlapError> {
    run.constant(default)
        .and_then(|value| Ok(value.cast_to(data_type)?))
        .map_err(|error| {
            DfOlapError::Invalid(format!(
                "the DEFAULT of column '{column}' ({default}): {error}"
            ))
        })
}

fn create_view(run: &Run<'_>, create: &ast::CreateView) -> Result<Effect, DfOlapError> {
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
    match run.snapshot.relation(&name) {
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
        query: create.query.to_string(),
        columns,
    };
    planner.check_view(&name, &view, run.limits().plan_nodes)?;
    actions.push(Action::CreateView {
        name,
        view: Arc::new(view),
    });
    Ok(effect_of(actions, 0))
}

fn drop_relations(
    run: &Run<'_>,
    names: &[ast::ObjectName],
    if_exists: bool,
    views: bool,
) -> Result<Effect, DfOlapError> {
    let planner = run.planner();
    let mut actions = Vec::new();
    for name in names {
        let name = planner.table_name(name)?;
        let id = match run.snapshot.relation(&name) {
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
    Ok(effect_of(actions, 0))
}

fn alter_table(run: &Run<'_>, alter: &ast::AlterTable) -> Result<Effect, DfOlapError> {
    refuse("ALTER TABLE ONLY", alter.only)?;
    refuse("ALTER TABLE … ON CLUSTER", alter.on_cluster.is_some())?;
    refuse("ALTER TABLE … LOCATION", alter.location.is_some())?;
    let planner = run.planner();
    let (name, table) = match planner.table(&alter.name).map_err(DfOlapError::from) {
        Ok(found) => found,
        Err(DfOlapError::TableNotFound(_)) if alter.if_exists => return Ok(Effect::default()),
        Err(error) => return Err(error),
    };
    let mut shape = Shape::of(&name, &table);
    let mut rename = None;
    for operation in &alter.operations {
        match operation {
            ast::AlterTableOperation::AddColumn {
                if_not_exists,
                column_def,
                column_position: None,
                ..
            } => shape.add(run, &planner, column_def, *if_not_exists)?,
            ast::AlterTableOperation::DropColumn {
                column_names,
                if_exists,
                drop_behavior: None,
                ..
            } => {
                for column in column_names {
                    shape.drop(&planner.normalize(column), *if_exists)?;
                }
            }
            ast::AlterTableOperation::RenameColumn {
                old_column_name,
                new_column_name,
            } => shape.rename(
                &planner.normalize(old_column_name),
                &planner.normalize(new_column_name),
            )?,
            ast::AlterTableOperation::RenameTable {
                table_name: ast::RenameTableNameKind::To(to) | ast::RenameTableNameKind::As(to),
            } => {
                let to = planner.table_name(to)?;
                check_name("table", &to)?;
                if run.snapshot.relation(&to).is_some() {
                    return Err(DfOlapError::Invalid(format!("'{to}' already exists")));
                }
                rename = Some(to);
            }
            other => return Err(unsupported(&format!("ALTER TABLE … {other}"))),
        }
    }
    let mut actions = Vec::new();
    if let Some(definition) = shape.changed() {
        actions.push(Action::Define {
            id: table.id,
            definition: Arc::new(definition),
        });
    }
    if let Some(to) = rename {
        actions.push(Action::Rename { id: table.id, to });
    }
    Ok(effect_of(actions, 0))
}

/// A table's columns while they are being changed.
pub(crate) struct Shape<'a> {
    name: &'a str,
    table: &'a Table,
    columns: Vec<Column>,
    next: ColumnId,
}

impl<'a> Shape<'a> {
    pub fn of(name: &'a str, table: &'a Table) -> Self {
        Self {
            name,
            table,
            columns: table.definition.columns.clone(),
            next: table.definition.next_column,
        }
    }

    /// The new definition, where something changed.
    pub fn changed(self) -> Option<TableDefinition> {
        if self.columns == self.table.definition.columns {
            return None;
        }
        let key = self.table.definition.primary_key.clone();
        Some(TableDefinition::new(self.columns, key, self.next))
    }

    fn add(
        &mut self,
        run: &Run<'_>,
        planner: &Planner,
        column: &ast::ColumnDef,
        if_not_exists: bool,
    ) -> Result<(), DfOlapError> {
        for option in &column.options {
            match &option.option {
                ast::ColumnOption::Null
                | ast::ColumnOption::NotNull
                | ast::ColumnOption::Default(_) => {}
                other => return Err(unsupported(&format!("the column option {other}"))),
            }
        }
        let name = planner.normalize(&column.name);
        if if_not_exists && self.position(&name).is_some() {
            return Ok(());
        }
        let field = planner.field(&column.data_type)?;
        let default = default_of(column);
        let initial = match &default {
            Some(default) => Some(constant(run, default, &name, field.data_type())?),
            None => None,
        };
        let has_value = initial.as_ref().is_some_and(|value| !value.is_null());
        if not_null(column) && !has_value && self.table.rows > 0 {
            return Err(DfOlapError::Invalid(format!(
                "{}.{name} is NOT NULL and the table has rows; give it a DEFAULT",
                self.name
            )));
        }
        let field = plain_field(&name, field.data_type(), !not_null(column));
        self.add_field(Arc::new(field), default.map(|d| d.to_string()), initial)
    }

    pub fn add_field(
        &mut self,
        field: FieldRef,
        default: Option<String>,
        initial: Option<ScalarValue>,
    ) -> Result<(), DfOlapError> {
        check_name("column", field.name())?;
        check_type(field.name(), field.data_type())?;
        if self.position(field.name()).is_some() {
            return Err(DfOlapError::Invalid(format!(
                "{} already has a column '{}'",
                self.name,
                field.name()
            )));
        }
        self.columns.push(Column {
            id: self.next,
            field,
            default,
            initial,
        });
        self.next = ColumnId(self.next.0 + 1);
        Ok(())
    }

    pub fn drop(&mut self, name: &str, if_exists: bool) -> Result<(), DfOlapError> {
        let Some(index) = self.position(name) else {
            if if_exists {
                return Ok(());
            }
            return Err(self.no_field(name));
        };
        if self
            .table
            .definition
            .primary_key
            .contains(&self.columns[index].id)
        {
            return Err(DfOlapError::Invalid(format!(
                "{}.{name} is part of the PRIMARY KEY and cannot be dropped",
                self.name
            )));
        }
        if self.columns.len() == 1 {
            return Err(DfOlapError::Invalid(format!(
                "{name} is the last column of {}; drop the table instead",
                self.name
            )));
        }
        self.columns.remove(index);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DfOlapError> {
        check_name("column", to)?;
        let index = self.position(from).ok_or_else(|| self.no_field(from))?;
        if self.position(to).is_some() {
            return Err(DfOlapError::Invalid(format!(
                "{} already has a column '{to}'",
                self.name
            )));
        }
        let column = &mut self.columns[index];
        column.field = Arc::new(column.field.as_ref().clone().with_name(to));
        Ok(())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.field.name() == name)
    }

    fn no_field(&self, name: &str) -> DfOlapError {
        DfOlapError::Invalid(format!("No field named {name} in table {}", self.name))
    }
}
