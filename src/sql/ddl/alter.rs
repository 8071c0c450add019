//! ALTER TABLE, as edits of a table's definition.

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;

use super::column::{check_name, check_type, constant, default_of, not_null, plain_field};
use crate::change::{Action, ChangeSet};
use crate::error::{DfOlapError, refuse, unsupported};
use crate::fragment::ColumnId;
use crate::snapshot::{self, Table, TableDefinition};
use crate::sql::execution::{Effect, Run};
use crate::sql::planner::Planner;
use crate::sql::syntax::sql_text;

pub(crate) async fn effect(run: &Run, alter: &ast::AlterTable) -> Result<Effect, DfOlapError> {
    let (change, filled) = change(run, alter)?;
    for plan in filled {
        let mut rows = run.stream(plan).await?;
        while let Some(rows) = rows.next().await.transpose()? {
            if rows.num_rows() > 0 {
                return Err(DfOlapError::Invalid(format!(
                    "{}.{} has rows in which it is NULL; give them a value first",
                    alter.name,
                    rows.schema().field(0).name()
                )));
            }
        }
    }
    Ok(Effect {
        change,
        ..Effect::default()
    })
}

/// The changes of an ALTER TABLE, and for each column that becomes NOT NULL a plan that finds a row with NULL in the
/// column.
fn change(
    run: &Run,
    alter: &ast::AlterTable,
) -> Result<(ChangeSet, Vec<LogicalPlan>), DfOlapError> {
    refuse("ALTER TABLE ONLY", alter.only)?;
    refuse("ALTER TABLE … ON CLUSTER", alter.on_cluster.is_some())?;
    refuse("ALTER TABLE … LOCATION", alter.location.is_some())?;
    let planner = run.planner();
    let (name, table) = match planner.table(&alter.name).map_err(DfOlapError::from) {
        Ok(found) => found,
        Err(DfOlapError::TableNotFound(_)) if alter.if_exists => return Ok(Default::default()),
        Err(error) => return Err(error),
    };
    let mut edit = TableEdit::of(&name, &table);
    let mut rename = None;
    let mut filled = Vec::new();
    for operation in &alter.operations {
        match operation {
            ast::AlterTableOperation::AddColumn {
                if_not_exists,
                column_def,
                column_position: None,
                ..
            } => edit.add(run, &planner, column_def, *if_not_exists)?,
            ast::AlterTableOperation::DropColumn {
                column_names,
                if_exists,
                drop_behavior: None,
                ..
            } => {
                for column in column_names {
                    let column = planner.column_name(&edit.columns, column)?;
                    edit.drop(&column, *if_exists)?;
                }
            }
            ast::AlterTableOperation::RenameColumn {
                old_column_name,
                new_column_name,
            } => edit.rename(
                &planner.column_name(&edit.columns, old_column_name)?,
                &planner.normalize(new_column_name),
            )?,
            ast::AlterTableOperation::AlterColumn { column_name, op } => {
                let column = planner.column_name(&edit.columns, column_name)?;
                if edit.alter(run, &column, op)? {
                    // The plan reads the table as it is before this statement, so it needs the column's old name.
                    let before = edit.name_before(&column);
                    filled.extend(
                        before
                            .map(|before| nulls(&planner, &name, before))
                            .transpose()?,
                    );
                }
            }
            ast::AlterTableOperation::RenameTable {
                table_name: ast::RenameTableNameKind::To(to) | ast::RenameTableNameKind::As(to),
            } => {
                let to = planner.table_name(to)?;
                check_name("table", &to)?;
                if run.context.snapshot.relation(&to).is_some() {
                    return Err(DfOlapError::Invalid(format!("'{to}' already exists")));
                }
                rename = Some(to);
            }
            other => return Err(unsupported(&format!("ALTER TABLE … {other}"))),
        }
    }
    let mut actions = Vec::new();
    if edit.needs_no_rows {
        actions.push(Action::NoNewRows { id: table.id });
    }
    if let Some(definition) = edit.changed() {
        actions.push(Action::Define {
            id: table.id,
            definition: Arc::new(definition),
        });
    }
    if let Some(to) = rename {
        actions.push(Action::Rename { id: table.id, to });
    }
    Ok((ChangeSet { actions }, filled))
}

/// Plans a query for one row of the table in which `column` is NULL.
fn nulls(planner: &Planner, table: &str, column: &str) -> Result<LogicalPlan, DfOlapError> {
    let Some(provider) = planner.provider(table)? else {
        return Err(DfOlapError::TableNotFound(table.to_string()));
    };
    let column = Expr::Column(Column::from_name(column));
    let plan = LogicalPlanBuilder::scan(table, provider_as_source(provider), None)?
        .filter(column.clone().is_null())?
        .limit(0, Some(1))?
        .project([column])?;
    Ok(plan.build()?)
}

/// A table's columns while they are being changed.
pub(crate) struct TableEdit<'a> {
    name: &'a str,
    table: &'a Table,
    columns: Vec<snapshot::Column>,
    next: ColumnId,
    /// True if the change is valid only while no other statement adds rows: a new row could be NULL in a column that
    /// becomes NOT NULL.
    needs_no_rows: bool,
}

impl<'a> TableEdit<'a> {
    pub fn of(name: &'a str, table: &'a Table) -> Self {
        Self {
            name,
            table,
            columns: table.definition.columns.clone(),
            next: table.definition.next_column,
            needs_no_rows: false,
        }
    }

    /// The new definition; `None` if nothing changed.
    pub fn changed(self) -> Option<TableDefinition> {
        if self.columns == self.table.definition.columns {
            return None;
        }
        let key = self.table.definition.primary_key.clone();
        let definition = TableDefinition::new(self.columns, key, self.next);
        Some(definition.enforcing_key(self.table.definition.enforces_key))
    }

    fn add(
        &mut self,
        run: &Run,
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
        self.needs_no_rows |= not_null(column) && !has_value;
        let field = plain_field(&name, field.data_type(), !not_null(column));
        self.add_field(
            Arc::new(field),
            default.as_ref().map(sql_text::text),
            initial,
        )
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
        self.columns.push(snapshot::Column {
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

    /// Changes one column. Returns true if the column becomes NOT NULL, so that its existing rows must be checked.
    fn alter(
        &mut self,
        run: &Run,
        name: &str,
        operation: &ast::AlterColumnOperation,
    ) -> Result<bool, DfOlapError> {
        use ast::AlterColumnOperation as Op;
        let index = self.position(name).ok_or_else(|| self.no_field(name))?;
        let column = &mut self.columns[index];
        let nullable = column.field.is_nullable();
        match operation {
            Op::SetDefault { value } => {
                constant(run, value, name, column.field.data_type())?;
                column.default = Some(sql_text::text(value));
            }
            Op::DropDefault => column.default = None,
            Op::DropNotNull => {
                if self.table.definition.primary_key.contains(&column.id) {
                    return Err(DfOlapError::Invalid(format!(
                        "{}.{name} is part of the PRIMARY KEY, which is never NULL",
                        self.name
                    )));
                }
                column.field = Arc::new(column.field.as_ref().clone().with_nullable(true));
            }
            Op::SetNotNull => {
                let is_new = column.id >= self.table.definition.next_column;
                let has_value = column
                    .initial
                    .as_ref()
                    .is_some_and(|value| !value.is_null());
                if is_new && !has_value && self.table.rows > 0 {
                    return Err(DfOlapError::Invalid(format!(
                        "{}.{name} is new and NULL in the rows that the table has; give it a DEFAULT",
                        self.name
                    )));
                }
                column.field = Arc::new(column.field.as_ref().clone().with_nullable(false));
                self.needs_no_rows |= nullable;
                return Ok(nullable);
            }
            Op::SetDataType { .. } => {
                return Err(DfOlapError::Unsupported(format!(
                    "ALTER COLUMN … TYPE is not supported; add a column of that type, UPDATE it from {name}, drop {name} and \
                     rename the new one"
                )));
            }
            other => return Err(unsupported(&format!("ALTER COLUMN … {other}"))),
        }
        Ok(false)
    }

    /// The name, before this statement, of the column that is now called `name`; `None` for a new column.
    fn name_before(&self, name: &str) -> Option<&str> {
        let id = self.columns[self.position(name)?].id;
        let before = self.table.definition.columns.iter();
        let mut before = before.filter(|column| column.id == id);
        before.next().map(|column| column.field.name().as_str())
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
        DfOlapError::ColumnNotFound(format!("{name} in table {}", self.name))
    }
}
