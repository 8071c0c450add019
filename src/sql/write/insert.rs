//! INSERT: rows planned to the table's columns, defaults filled in; and what happens where their key is taken.
//!
//! The primary key is the identity that ON CONFLICT, INSERT OR REPLACE and INSERT OR IGNORE go by. A plain INSERT does
//! not look at it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::{ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;

use super::fast_path;
use super::fast_path::insert::Literals;
use super::rows::shape;
use super::target::{Target, default_expr, default_keyword, known_column, quoted, refuse};
use super::update_delete::{append, returning, worked_out};
use super::upsert::{OnConflict, on_conflict, resolve};
use crate::change::{Action, ChangeSet, deletions};
use crate::error::DfOlapError;
use crate::sql::execution::{Effect, Run, unsupported};
use crate::sql::planner::Planner;
use crate::sql::planner::literals::meet_decimals;
use crate::sql::resources::buffered_rows::BufferedRows;
use crate::sql::syntax::selects::all_selects;

/// The effect of an INSERT of literals; `None` where it takes a plan.
pub(crate) async fn effect_of_literals(
    run: &Run,
    literals: &Literals,
) -> Result<Option<Effect>, DfOlapError> {
    let Some((table, batch)) = fast_path::insert::rows(run, literals) else {
        return Ok(None);
    };
    let rows = batch.num_rows() as u64;
    let mut new = BufferedRows::new(run.runtime());
    new.push(batch)?;
    Ok(Some(Effect {
        change: ChangeSet {
            actions: append(run, &table, new).await?.into_iter().collect(),
        },
        rows,
        returning: None,
    }))
}

pub(crate) async fn effect(
    run: &Run,
    with: &Option<ast::With>,
    insert: &ast::Insert,
) -> Result<Effect, DfOlapError> {
    if with.is_none()
        && let Some(literals) = fast_path::insert::literals(run, insert)
        && let Some(effect) = effect_of_literals(run, &literals).await?
    {
        return Ok(effect);
    }
    let (plan, target, on_conflict) = {
        let planner = run.planner();
        let target = insert_target(&planner, insert)?;
        let on_conflict = on_conflict(&planner, &target, insert)?;
        (plan(&planner, with, insert)?, target, on_conflict)
    };
    let mut new = BufferedRows::new(run.runtime());
    let mut rows = run.stream(plan).await?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let definition = &target.table.definition;
        new.push(shape(
            &target.name,
            definition,
            batch.columns(),
            batch.num_rows(),
        )?)?;
    }
    drop(rows);
    let mut actions = Vec::new();
    let count;
    match on_conflict {
        OnConflict::Append => {
            if insert.overwrite {
                actions.push(Action::Truncate {
                    id: target.table.id,
                });
            }
            count = new.rows();
        }
        _ if new.batches.is_empty() => count = 0,
        on_conflict => {
            let resolved = resolve(run, &target, new, on_conflict).await?;
            actions.extend(deletions(&target.table, &resolved.dead));
            count = resolved.rows;
            new = resolved.new;
            if count > 0 {
                actions.insert(
                    0,
                    Action::NoNewRows {
                        id: target.table.id,
                    },
                );
            }
        }
    }
    let returning = match &insert.returning {
        Some(items) => Some(returning(run, &target, new.batches.clone(), items).await?),
        None => None,
    };
    actions.extend(append(run, &target.table, new).await?);
    Ok(Effect {
        change: ChangeSet { actions },
        rows: count,
        returning,
    })
}

fn insert_target(planner: &Planner, insert: &ast::Insert) -> Result<Target> {
    let ast::TableObject::TableName(name) = &insert.table else {
        return Err(unsupported("INSERT INTO a function or query").into());
    };
    let (name, table) = planner.table(name)?;
    let alias = match &insert.table_alias {
        Some(alias) => planner.normalize(&alias.alias),
        None => name.clone(),
    };
    Ok(Target { name, table, alias })
}

/// The SELECT whose rows are inserted, in the order and types of the table's columns.
pub(crate) fn plan(
    planner: &Planner,
    with: &Option<ast::With>,
    insert: &ast::Insert,
) -> Result<LogicalPlan> {
    refuse("INSERT with PARTITION", insert.partitioned.is_some())?;
    refuse("INSERT … SET", !insert.assignments.is_empty())?;
    refuse("INSERT with PRIORITY", insert.priority.is_some())?;
    refuse("INSERT with a row alias", insert.insert_alias.is_some())?;
    refuse("INSERT with SETTINGS", insert.settings.is_some())?;
    refuse("INSERT with FORMAT", insert.format_clause.is_some())?;
    refuse("INSERT with OUTPUT", insert.output.is_some())?;
    refuse(
        "INSERT into several tables",
        insert.multi_table_insert_type.is_some(),
    )?;
    refuse("columns after PARTITION", !insert.after_columns.is_empty())?;
    let target = insert_target(planner, insert)?;
    let definition = &target.table.definition;

    // Which output column of the source goes to which column of the table.
    let mut sources = vec![None; definition.columns.len()];
    let mut fields = Vec::new();
    if insert.columns.is_empty() && insert.source.is_some() {
        fields.extend(definition.schema.fields().iter().cloned());
        sources = (0..definition.columns.len()).map(Some).collect();
    }
    for (place, name) in insert.columns.iter().enumerate() {
        let [part] = name.0.as_slice() else {
            return Err(unsupported(&format!("the qualified column '{name}' in INSERT")).into());
        };
        let Some(ident) = part.as_ident() else {
            return Err(unsupported(&format!("'{name}' as a column of INSERT")).into());
        };
        let name = planner.normalize(ident);
        known_column(definition, &name)?;
        let index = definition.schema.index_of(&name)?;
        if sources[index].replace(place).is_some() {
            return plan_err!(
                "column '{name}' is named twice in INSERT INTO {}",
                target.name
            );
        }
        fields.push(Arc::clone(&definition.columns[index].field));
    }

    let source = match &insert.source {
        Some(source) => {
            let mut source = source.as_ref().clone();
            fill_defaults(&mut source, &target, &fields)?;
            hoist(&mut source, with);
            tell_apart(&mut source.body);
            let mut context = planner.planner_context();
            if let ast::SetExpr::Values(values) = source.body.as_ref() {
                for row in &values.rows {
                    if row.content.len() != fields.len() {
                        return plan_err!(
                            "INSERT INTO {} has {} columns but {} values",
                            target.name,
                            fields.len(),
                            row.content.len()
                        );
                    }
                }
                // NULLs are looked for when the rows are there, in words that name the table's column.
                let nullable = fields
                    .iter()
                    .map(|f| f.as_ref().clone().with_nullable(true));
                let schema = DFSchema::from_unqualified_fields(nullable.collect(), HashMap::new())?;
                context.set_table_schema(Some(Arc::new(schema)));
            }
            planner.query_in(source, &mut context)?
        }
        None => LogicalPlanBuilder::empty(true).build()?,
    };
    if source.schema().fields().len() != fields.len() {
        return plan_err!(
            "INSERT INTO {} has {} columns but its query gives {}",
            target.name,
            fields.len(),
            source.schema().fields().len()
        );
    }
    let (given, source) = worked_out(source);
    let schema = Arc::clone(source.schema());
    let exprs = definition
        .columns
        .iter()
        .zip(sources)
        .map(|(column, source)| {
            let data_type = column.field.data_type();
            let name = column.field.name();
            let expr = match source {
                Some(place) => given[place].clone().cast_to(data_type, &schema)?,
                None => {
                    let empty = DFSchema::empty();
                    let default = default_expr(definition, name)?;
                    planner
                        .expr(default, &empty, &mut planner.planner_context())?
                        .cast_to(data_type, &empty)?
                }
            };
            Ok(expr.alias(name))
        })
        .collect::<Result<Vec<_>>>()?;
    meet_decimals(LogicalPlanBuilder::from(source).project(exprs)?.build()?)
}

/// CTEs that stood before INSERT come before those of its source.
fn hoist(source: &mut ast::Query, with: &Option<ast::With>) {
    let Some(outer) = with else { return };
    match &mut source.with {
        None => source.with = Some(outer.clone()),
        Some(inner) => {
            inner.recursive |= outer.recursive;
            inner
                .cte_tables
                .splice(0..0, outer.cte_tables.iter().cloned());
        }
    }
}

/// Names the literals of a SELECT, and the second of two equal expressions: DataFusion refuses `SELECT 1, 1`, whose
/// names no one asks for here.
fn tell_apart(body: &mut ast::SetExpr) {
    for select in all_selects(body) {
        let mut seen = HashSet::new();
        for (index, item) in select.projection.iter_mut().enumerate() {
            if let ast::SelectItem::UnnamedExpr(expr) = item
                && (matches!(expr, ast::Expr::Value(_)) || !seen.insert(expr.to_string()))
            {
                *item = ast::SelectItem::ExprWithAlias {
                    alias: quoted(&format!("{expr}:{index}")),
                    expr: expr.clone(),
                };
            }
        }
    }
}

/// Replaces the keyword DEFAULT in VALUES by the column's default.
fn fill_defaults(source: &mut ast::Query, target: &Target, fields: &[FieldRef]) -> Result<()> {
    let ast::SetExpr::Values(values) = source.body.as_mut() else {
        return Ok(());
    };
    for row in &mut values.rows {
        for (value, field) in row.content.iter_mut().zip(fields) {
            if default_keyword(value) {
                *value = default_expr(&target.table.definition, field.name())?;
            }
        }
    }
    Ok(())
}
