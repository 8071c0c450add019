//! INSERT, UPDATE, DELETE, MERGE and TRUNCATE: from rows to change sets. Nothing here commits.
//!
//! Each statement becomes a SELECT over its target with row addresses ([`WritePlan`]), whose rows give the deleted and
//! the new rows ([`RowChanges`]). DataFusion's own hooks pass on only the plain filters of a DELETE: `WHERE id IN
//! (SELECT …)` arrives as no filter at all, which means every row. So the engine rewrites the parsed statement.
//! Everything that a SELECT supports in FROM and WHERE then works, with DataFusion's semantics.

pub(crate) mod by_key;
pub(crate) mod delete;
pub(crate) mod enforce;
pub(crate) mod fast_path;
pub(crate) mod insert;
pub(crate) mod merge;
pub(crate) mod new_keys;
#[cfg(feature = "rhei")]
pub(crate) mod replace;
pub(crate) mod rows;
pub(crate) mod target;
mod target_by_key;
mod unique_keys;
pub(crate) mod update;
mod upsert;

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast;
use futures::{StreamExt, stream};
use roaring::RoaringTreemap;

use self::target::{Target, quoted, select};
use crate::change::{Action, deletions};
use crate::error::DfOlapError;
use crate::snapshot::Table;
use crate::sql::execution::Run;
use crate::sql::planner::ROWS;
use crate::sql::resources::buffered_rows::BufferedRows;

/// The SELECT that a statement becomes, and the table that its rows change.
pub(crate) struct WritePlan {
    pub plan: LogicalPlan,
    pub target: Target,
}

/// The deleted and new rows of a statement.
pub(crate) struct RowChanges {
    /// The addresses of the deleted rows.
    pub dead: RoaringTreemap,
    /// The new rows, in the table's schema.
    pub new: BufferedRows,
}

impl RowChanges {
    pub fn new(run: &Run) -> Self {
        Self {
            dead: RoaringTreemap::new(),
            new: BufferedRows::new(run.runtime()),
        }
    }

    /// Adds new rows.
    pub fn add_all(&mut self, rows: Vec<RecordBatch>) -> Result<(), DfOlapError> {
        rows.into_iter().try_for_each(|batch| self.new.push(batch))
    }

    /// Writes the new rows, and returns the actions of these changes.
    pub async fn into_actions(self, run: &Run, table: &Table) -> Result<Vec<Action>, DfOlapError> {
        let mut actions = deletions(table, &self.dead);
        actions.extend(append(run, table, self.new).await?);
        Ok(actions)
    }
}

/// Runs a plan and hands each batch of its rows to `take`.
pub(crate) async fn for_each_batch(
    run: &Run,
    plan: LogicalPlan,
    mut take: impl FnMut(RecordBatch) -> Result<(), DfOlapError> + Send,
) -> Result<(), DfOlapError> {
    let mut rows = run.stream(plan).await?;
    while let Some(batch) = rows.next().await {
        take(batch?)?;
    }
    Ok(())
}

/// Writes rows, and returns the action that appends them to a table; `None` if there are no rows.
pub(crate) async fn append(
    run: &Run,
    table: &Table,
    rows: BufferedRows,
) -> Result<Option<Action>, DfOlapError> {
    if rows.batches.is_empty() {
        return Ok(None);
    }
    let batches = stream::iter(rows.batches.into_iter().map(Ok)).boxed();
    let fragments = run.context.store.write(table, batches).await?;
    Ok(Some(Action::Append {
        id: table.id,
        definition: Arc::clone(&table.definition),
        fragments,
    }))
}

/// The rows of RETURNING, if the statement has it: its expressions over the rows that the statement wrote or deleted.
async fn returning(
    run: &Run,
    target: &Target,
    rows: &BufferedRows,
    items: &Option<Vec<ast::SelectItem>>,
) -> Result<Option<Vec<RecordBatch>>, DfOlapError> {
    let Some(items) = items else {
        return Ok(None);
    };
    let plan = {
        let schema = &target.table.definition.schema;
        let planner = run.planner().with_rows(schema, rows.batches.clone())?;
        let from = target.factor(vec![quoted(ROWS)]);
        planner.query(select(&None, items.clone(), vec![from], None)?)?
    };
    let mut stream = run.stream(plan).await?;
    let schema = stream.schema();
    let mut returned = BufferedRows::new(run.runtime());
    while let Some(batch) = stream.next().await {
        returned.push(batch?)?;
    }
    if returned.batches.is_empty() {
        return Ok(Some(vec![RecordBatch::new_empty(schema)]));
    }
    Ok(Some(returned.batches))
}

/// Splits a plan into its output expressions and the plan below them.
fn split_projection(plan: LogicalPlan) -> (Vec<Expr>, LogicalPlan) {
    match plan {
        LogicalPlan::Projection(projection) => {
            let exprs = projection.expr.into_iter().map(Expr::unalias);
            (exprs.collect(), Arc::unwrap_or_clone(projection.input))
        }
        plan => {
            let columns = plan.schema().columns();
            (columns.into_iter().map(Expr::Column).collect(), plan)
        }
    }
}
