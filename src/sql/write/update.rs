//! UPDATE.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast;

use super::enforce::{assigns_key, enforce_key};
use super::target::{Target, assignments, quoted, select};
use super::target_by_key::with_rows_found;
use super::{RowChanges, WritePlan, fast_path, for_each_batch, returning, split_projection};
use crate::change::Action;
use crate::error::{DfOlapError, refuse, unsupported};
use crate::snapshot::TableDefinition;
use crate::sql::execution::{Effect, Run};
use crate::sql::planner::Planner;
use crate::sql::planner::literals::meet_decimals;
use crate::sql::scan::ROW_ADDRESS;

/// The index of the table's first column in the plan's output, after the row address.
const COLUMNS: usize = 1;

pub(crate) async fn effect(
    run: &Run,
    with: &Option<ast::With>,
    statement: &ast::Update,
) -> Result<Effect, DfOlapError> {
    if with.is_none()
        && let Some((target, changes)) = fast_path::update_delete::update(run, statement).await
    {
        let rows = changes.dead.len();
        let actions = actions(run, &target, statement, changes).await?;
        return Ok(Effect::of(actions, rows));
    }
    let WritePlan { plan, target } = plan(&run.planner(), with, statement)?;
    let (plan, _held) = with_rows_found(run, &target, plan).await?;
    let mut changes = RowChanges::new(run);
    for_each_batch(run, plan, |batch| {
        target.claim(&mut changes.dead, &batch, "UPDATE")?;
        changes.new.push(target.rows(&batch, COLUMNS)?)
    })
    .await?;
    let rows = changes.dead.len();
    let returning = returning(run, &target, &changes.new, &statement.returning).await?;
    let actions = actions(run, &target, statement, changes).await?;
    Ok(Effect {
        returning,
        ..Effect::of(actions, rows)
    })
}

async fn actions(
    run: &Run,
    target: &Target,
    statement: &ast::Update,
    changes: RowChanges,
) -> Result<Vec<Action>, DfOlapError> {
    let mut actions = Vec::new();
    if assigns_key(&run.planner(), target, &statement.assignments)? {
        actions.extend(enforce_key(run, target, &changes).await?);
    }
    actions.extend(changes.into_actions(run, &target.table).await?);
    Ok(actions)
}

fn update_target(planner: &Planner, statement: &ast::Update) -> Result<Target> {
    if !statement.table.joins.is_empty() {
        return Err(unsupported("UPDATE of a join; use FROM").into());
    }
    Target::new(planner, &statement.table.relation)
}

/// `SELECT address, new values FROM target, from WHERE …`.
pub(crate) fn plan(
    planner: &Planner,
    with: &Option<ast::With>,
    statement: &ast::Update,
) -> Result<WritePlan> {
    refuse("UPDATE with ORDER BY", !statement.order_by.is_empty())?;
    refuse("UPDATE with LIMIT", statement.limit.is_some())?;
    refuse("UPDATE with OUTPUT", statement.output.is_some())?;
    refuse("UPDATE OR", statement.or.is_some())?;
    let target = update_target(planner, statement)?;
    let mut new = assignments(planner, &target, &statement.assignments)?;
    let mut projection = vec![target.item(ROW_ADDRESS)];
    for column in &target.table.definition.columns {
        let name = column.field.name();
        projection.push(match new.remove(name) {
            Some(expr) => ast::SelectItem::ExprWithAlias {
                expr,
                alias: quoted(name),
            },
            None => target.item(name),
        });
    }
    let mut from = vec![target.from()];
    match &statement.from {
        Some(
            ast::UpdateTableFromKind::BeforeSet(tables)
            | ast::UpdateTableFromKind::AfterSet(tables),
        ) => from.extend(tables.iter().cloned()),
        None => {}
    }
    let query = select(with, projection, from, statement.selection.clone())?;
    Ok(WritePlan {
        plan: cast_to_columns(planner.query(query)?, &target.table.definition)?,
        target,
    })
}

/// Casts the columns of `plan` after the row address to the table's types; a value that cannot be cast is an error at
/// run time. The expressions of the plan's own projection are cast in place, so that a literal is cast from the type
/// in which it is written.
fn cast_to_columns(plan: LogicalPlan, definition: &TableDefinition) -> Result<LogicalPlan> {
    let names = plan.schema().columns();
    let (exprs, input) = split_projection(plan);
    let schema = Arc::clone(input.schema());
    let exprs = exprs
        .into_iter()
        .zip(names)
        .enumerate()
        .map(|(index, (expr, name))| match index.checked_sub(COLUMNS) {
            None => Ok(expr.alias(name.name)),
            Some(index) => {
                let data_type = definition.columns[index].field.data_type();
                Ok(expr.cast_to(data_type, &schema)?.alias(name.name))
            }
        })
        .collect::<Result<Vec<_>>>()?;
    meet_decimals(LogicalPlanBuilder::from(input).project(exprs)?.build()?)
}
