//! CREATE TABLE, with AS SELECT.

use std::sync::Arc;

use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast;

use super::column::{check_name, check_type, constant, default_of, key_of, not_null, plain_field};
use crate::change::Action;
use crate::error::{DfOlapError, refuse, unsupported};
use crate::fragment::ColumnId;
use crate::snapshot::{Column, Relation, RelationId, Table, TableDefinition, Version};
use crate::sql::execution::{Effect, Run};
use crate::sql::planner::Planner;
use crate::sql::resources::buffered_rows::BufferedRows;
use crate::sql::syntax::sql_text;
use crate::sql::write::enforce::{check_key_types, enforce_key};
use crate::sql::write::rows::shape;
use crate::sql::write::target::Target;
use crate::sql::write::{RowChanges, for_each_batch};

pub(super) async fn create_table(
    run: &Run,
    create: &ast::CreateTable,
) -> Result<Effect, DfOlapError> {
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
        if definition.enforces_key {
            check_key_types(&name, &definition)?;
        }
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
        let table = Arc::new(Table::empty(id, definition, Version::default()));
        let target = Target::named(&name, table);
        let changes = RowChanges {
            new,
            ..RowChanges::new(run)
        };
        enforce_key(run, &target, &changes).await?;
        actions.extend(changes.into_actions(run, &target.table).await?);
    }
    Ok(Effect::of(actions, count))
}

/// The definition of a table, and the query that fills it.
fn define(
    run: &Run,
    planner: &Planner,
    create: &ast::CreateTable,
) -> Result<(TableDefinition, Option<LogicalPlan>), DfOlapError> {
    let DeclaredKey { columns, enforced } = declared_key(create)?;
    // DataFusion's planner refuses every other option of CREATE TABLE with an error that names the option. It knows the
    // columns of constraints by their exact names alone.
    let create_without = ast::CreateTable {
        constraints: Vec::new(),
        ..create.clone()
    };
    let statement = Box::new(ast::Statement::CreateTable(create_without));
    let plan = planner.statement(DFStatement::Statement(statement))?;
    let LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(planned)) = plan else {
        return Err(unsupported("this form of CREATE TABLE"));
    };
    let names = planned.input.schema().fields().iter();
    let names = names.map(|field| field.name().as_str());
    let key = columns.iter();
    let key = key.map(|ident| planner.name_among(names.clone(), ident));
    let key = key.collect::<Result<Vec<String>, _>>()?;
    let mut columns: Vec<Column> = Vec::new();
    for (id, field) in (0u32..).zip(planned.input.schema().fields()) {
        check_name("column", field.name())?;
        check_type(field.name(), field.data_type())?;
        if columns.iter().any(|c| c.field.name() == field.name()) {
            return Err(DfOlapError::Invalid(format!(
                "column '{}' is named twice",
                field.name()
            )));
        }
        let mut declared = create.columns.iter();
        let declared = declared.find(|c| planner.normalize(&c.name) == *field.name());
        let default = declared.and_then(default_of);
        if let Some(default) = &default {
            constant(run, default, field.name(), field.data_type())?;
        }
        let nullable = !key.contains(field.name()) && !declared.is_some_and(not_null);
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
    let query = create.query.as_ref().map(|_| planned.input);
    let is_enforced = !key.is_empty() && enforced.unwrap_or(run.limits().enforced_keys);
    Ok((
        TableDefinition::new(columns, key, next).enforcing_key(is_enforced),
        query.map(Arc::unwrap_or_clone),
    ))
}

/// The PRIMARY KEY of a CREATE TABLE.
#[derive(Default)]
struct DeclaredKey {
    columns: Vec<ast::Ident>,
    /// Whether it says ENFORCED or NOT ENFORCED.
    enforced: Option<bool>,
}

impl DeclaredKey {
    fn characteristics(
        &mut self,
        declared: Option<&ast::ConstraintCharacteristics>,
    ) -> Result<(), DfOlapError> {
        let Some(declared) = declared else {
            return Ok(());
        };
        refuse("DEFERRABLE", declared.deferrable == Some(true))?;
        let is_late = declared.initially == Some(ast::DeferrableInitial::Deferred);
        refuse("INITIALLY DEFERRED", is_late)?;
        self.enforced = declared.enforced;
        Ok(())
    }
}

/// The primary key; any other constraint is refused.
fn declared_key(create: &ast::CreateTable) -> Result<DeclaredKey, DfOlapError> {
    let mut key = DeclaredKey::default();
    for column in &create.columns {
        for option in &column.options {
            match &option.option {
                ast::ColumnOption::Null
                | ast::ColumnOption::NotNull
                | ast::ColumnOption::Default(_) => {}
                ast::ColumnOption::PrimaryKey(primary) if key.columns.is_empty() => {
                    key.columns.push(column.name.clone());
                    key.characteristics(primary.characteristics.as_ref())?;
                }
                ast::ColumnOption::ForeignKey(_) => return Err(unsupported("FOREIGN KEY")),
                other => return Err(unsupported(&format!("the column option {other}"))),
            }
        }
    }
    for constraint in &create.constraints {
        match constraint {
            ast::TableConstraint::PrimaryKey(primary) if key.columns.is_empty() => {
                key.characteristics(primary.characteristics.as_ref())?;
                for column in &primary.columns {
                    match &column.column.expr {
                        ast::Expr::Identifier(ident) => key.columns.push(ident.clone()),
                        other => return Err(unsupported(&format!("{other} in PRIMARY KEY"))),
                    }
                }
            }
            other => return Err(unsupported(&format!("the constraint {other}"))),
        }
    }
    Ok(key)
}
