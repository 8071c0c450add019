//! Dropping rows and fragments that nobody up in the plan wants.
//!
//! No operator counts on it; so a filter is used only where it drops enough to be worth its time.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::common::cast::as_boolean_array;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_expr::utils::conjunction;
use datafusion::physical_expr::{DynamicFilterTracking, PhysicalExpr};
use datafusion::physical_expr_common::physical_expr::snapshot_physical_expr;

use crate::snapshot::Table;
use crate::sql::prune::prune;

/// How many rows of a larger batch are tried first.
const TRIED_ROWS: usize = 1024;

/// The filters of one stream, all of which a row has to pass.
pub(in crate::sql) struct RuntimeFilter {
    predicate: Arc<dyn PhysicalExpr>,
    tracking: DynamicFilterTracking,
    is_first: bool,
}

impl RuntimeFilter {
    /// `None` without filters.
    pub fn new(filters: &[Arc<dyn PhysicalExpr>]) -> Option<Self> {
        if filters.is_empty() {
            return None;
        }
        let predicate = conjunction(filters.iter().cloned());
        Some(Self {
            tracking: DynamicFilterTracking::classify(&predicate),
            predicate,
            is_first: true,
        })
    }

    /// The places of the fragments that may still hold a row that is wanted, where that may have changed since the last call.
    pub fn changed_places(&mut self, table: &Table, schema: &SchemaRef) -> Option<Vec<usize>> {
        let has_changed = self
            .tracking
            .watcher()
            .is_some_and(|watcher| watcher.changed());
        if !std::mem::take(&mut self.is_first) && !has_changed {
            return None;
        }
        let current = snapshot_physical_expr(Arc::clone(&self.predicate)).ok()?;
        (!is_true(&current)).then(|| prune(table, schema, current))
    }

    /// The batch less the rows that nobody wants, or as it is where they are few.
    pub fn apply(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        if rows > 2 * TRIED_ROWS {
            let tried = batch.slice((rows - TRIED_ROWS) / 2, TRIED_ROWS);
            let Some(kept) = self.kept(&tried)? else {
                return Ok(batch);
            };
            if kept.true_count() * 2 > TRIED_ROWS {
                return Ok(batch);
            }
        }
        match self.kept(&batch)? {
            Some(kept) => Ok(filter_record_batch(&batch, &kept)?),
            None => Ok(batch),
        }
    }

    /// Which rows pass; `None` where all do.
    fn kept(&self, batch: &RecordBatch) -> Result<Option<BooleanArray>> {
        let kept = self.predicate.evaluate(batch)?;
        if let ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) = kept {
            return Ok(None);
        }
        let kept = kept.into_array(batch.num_rows())?;
        Ok(Some(as_boolean_array(&kept)?.clone()))
    }
}

fn is_true(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let literal = expr.downcast_ref::<Literal>();
    literal.is_some_and(|literal| literal.value() == &ScalarValue::Boolean(Some(true)))
}
