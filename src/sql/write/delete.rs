//! DELETE and TRUNCATE.

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt64Type;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast;

use super::target::{Target, select};
use super::target_by_key::with_rows_found;
use super::{RowChanges, WritePlan, fast_path, for_each_batch, returning};
use crate::change::{Action, deletions};
use crate::error::{DfOlapError, refuse, unsupported};
use crate::sql::execution::{Effect, Run};
use crate::sql::planner::Planner;
use crate::sql::scan::ROW_ADDRESS;

/// The index of the table's first column in the plan's output, after the row address.
const COLUMNS: usize = 1;

pub(crate) async fn effect(
    run: &Run,
    with: &Option<ast::With>,
    statement: &ast::Delete,
) -> Result<Effect, DfOlapError> {
    if with.is_none()
        && let Some((target, changes)) = fast_path::update_delete::delete(run, statement).await
    {
        return Ok(Effect::of(
            deletions(&target.table, &changes.dead),
            changes.dead.len(),
        ));
    }
    let WritePlan { plan, target } = plan(&run.planner(), with, statement)?;
    let (plan, _held) = with_rows_found(run, &target, plan).await?;
    // `new` holds the deleted rows, for RETURNING.
    let RowChanges {
        mut dead,
        new: mut old,
    } = RowChanges::new(run);
    for_each_batch(run, plan, |batch| {
        let addresses = batch.column(0).as_primitive::<UInt64Type>();
        // USING may match a row more than once; the row is deleted and returned once.
        let first: BooleanArray = addresses
            .values()
            .iter()
            .map(|address| Some(dead.insert(*address)))
            .collect();
        match statement.returning {
            Some(_) => old.push(target.rows(&filter_record_batch(&batch, &first)?, COLUMNS)?),
            None => Ok(()),
        }
    })
    .await?;
    let returning = returning(run, &target, &old, &statement.returning).await?;
    Ok(Effect {
        returning,
        ..Effect::of(deletions(&target.table, &dead), dead.len())
    })
}

fn delete_target(planner: &Planner, statement: &ast::Delete) -> Result<Target> {
    if !statement.tables.is_empty() {
        return Err(unsupported("DELETE of several tables").into());
    }
    let (ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from)) =
        &statement.from;
    match from.as_slice() {
        [table] if table.joins.is_empty() => Target::new(planner, &table.relation),
        _ => Err(unsupported("DELETE from several tables; use USING").into()),
    }
}

/// `SELECT address[, columns] FROM target, using WHERE …`.
pub(crate) fn plan(
    planner: &Planner,
    with: &Option<ast::With>,
    statement: &ast::Delete,
) -> Result<WritePlan> {
    refuse("DELETE with ORDER BY", !statement.order_by.is_empty())?;
    refuse("DELETE with LIMIT", statement.limit.is_some())?;
    refuse("DELETE with OUTPUT", statement.output.is_some())?;
    let target = delete_target(planner, statement)?;
    let mut projection = vec![target.item(ROW_ADDRESS)];
    if statement.returning.is_some() {
        projection.extend(target.columns());
    }
    let mut from = vec![target.from()];
    from.extend(statement.using.iter().flatten().cloned());
    let query = select(with, projection, from, statement.selection.clone())?;
    Ok(WritePlan {
        plan: planner.query(query)?,
        target,
    })
}

pub(crate) fn truncate(run: &Run, statement: &ast::Truncate) -> Result<Effect, DfOlapError> {
    refuse("TRUNCATE with PARTITION", statement.partitions.is_some())?;
    refuse("TRUNCATE with IDENTITY", statement.identity.is_some())?;
    refuse(
        "TRUNCATE with CASCADE or RESTRICT",
        statement.cascade.is_some(),
    )?;
    refuse("TRUNCATE ON CLUSTER", statement.on_cluster.is_some())?;
    let [target] = statement.table_names.as_slice() else {
        return Err(unsupported("TRUNCATE of several tables"));
    };
    refuse("TRUNCATE ONLY", target.only)?;
    let table = match run.planner().table(&target.name).map_err(DfOlapError::from) {
        Ok((_, table)) => table,
        Err(DfOlapError::TableNotFound(_)) if statement.if_exists => return Ok(Effect::default()),
        Err(error) => return Err(error),
    };
    Ok(Effect::of(
        vec![Action::Truncate { id: table.id }],
        table.rows,
    ))
}
