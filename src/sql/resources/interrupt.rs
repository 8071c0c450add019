//! Timeout and cancellation of running plans: [`Stop`] is the condition, [`interruptible`] adds checks of it to a
//! plan.
//!
//! DataFusion's sources yield after some batches, and [`PacedExec`] after some milliseconds. A join may not poll its
//! sources for a long time, so each operator that multiplies rows is wrapped in an operator that yields, and the
//! condition of a nested loop join checks by itself whether to stop.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder,
    PiecewiseMergeJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use futures::future;
use tokio_util::sync::CancellationToken;

use super::cooperative::PacedExec;
use crate::error::DfOlapError;
use crate::runtime::{self, Instant};
use crate::store::CommitLatch;

/// The timeout and cancellation of a statement.
#[derive(Debug)]
pub(crate) struct Stop {
    deadline: Option<(Instant, Duration)>,
    cancel: Option<CancellationToken>,
    latch: Arc<CommitLatch>,
}

impl Stop {
    pub fn new(timeout: Option<Duration>, cancel: Option<CancellationToken>) -> Self {
        Self {
            deadline: timeout.map(|timeout| (runtime::now(), timeout)),
            cancel,
            latch: Arc::default(),
        }
    }

    /// Fails if the statement has timed out or is cancelled.
    pub fn check(&self) -> Result<(), DfOlapError> {
        if let Some((begun, timeout)) = self.deadline
            && runtime::now().duration_since(begun) >= timeout
        {
            return Err(DfOlapError::Timeout(timeout));
        }
        match &self.cancel {
            Some(cancel) if cancel.is_cancelled() => Err(DfOlapError::Cancelled),
            _ => Ok(()),
        }
    }

    /// Decides between the statement's commit and its stop.
    pub fn latch(&self) -> &Arc<CommitLatch> {
        &self.latch
    }

    /// True if the statement has neither a timeout nor a cancellation token.
    pub fn is_never(&self) -> bool {
        self.deadline.is_none() && self.cancel.is_none()
    }

    /// Completes with the error at timeout or cancellation.
    pub async fn wait(self: Arc<Self>) -> DfOlapError {
        let late = async {
            match self.deadline {
                Some((_, timeout)) => {
                    runtime::sleep(timeout).await;
                    DfOlapError::Timeout(timeout)
                }
                None => future::pending().await,
            }
        };
        let cancelled = async {
            match &self.cancel {
                Some(cancel) => {
                    cancel.cancelled().await;
                    DfOlapError::Cancelled
                }
                None => future::pending().await,
            }
        };
        futures::pin_mut!(late, cancelled);
        future::select(late, cancelled).await.factor_first().0
    }
}

/// The plan with added yields and checks, so that it stops soon after its timeout or cancellation.
pub(crate) fn interruptible(
    plan: Arc<dyn ExecutionPlan>,
    stop: &Arc<Stop>,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|plan| {
        if plan.children().is_empty() || holds_rows(&plan) {
            return Ok(Transformed::yes(Arc::new(PacedExec::new(plan, None)) as _));
        }
        if !multiplies_rows(&plan) {
            return Ok(Transformed::no(plan));
        }
        let plan = match plan.downcast_ref::<NestedLoopJoinExec>() {
            Some(join) if !stop.is_never() => with_stop_check(join, stop)?.unwrap_or(plan),
            _ => plan,
        };
        let plan = paced(plan)?;
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan)) as _))
    })
    .map(|transformed| transformed.data)
}

/// Whether an operator may return many batches of buffered rows without polling its input.
fn holds_rows(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.downcast_ref::<SortExec>().is_some()
        || plan.downcast_ref::<SortPreservingMergeExec>().is_some()
        || plan.downcast_ref::<AggregateExec>().is_some()
        || plan.downcast_ref::<WindowAggExec>().is_some()
        || plan.downcast_ref::<BoundedWindowAggExec>().is_some()
}

/// Whether an operator may return many rows for one input row.
fn multiplies_rows(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.downcast_ref::<CrossJoinExec>().is_some()
        || plan.downcast_ref::<NestedLoopJoinExec>().is_some()
        || plan.downcast_ref::<HashJoinExec>().is_some()
        || plan.downcast_ref::<SortMergeJoinExec>().is_some()
        || plan.downcast_ref::<PiecewiseMergeJoinExec>().is_some()
        || plan.downcast_ref::<UnnestExec>().is_some()
}

/// On targets with one thread: splits the probe side of a nested loop join into small batches and yields between them.
fn paced(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    const PROBE_ROWS: usize = 32;
    let join = plan.downcast_ref::<NestedLoopJoinExec>();
    let Some(join) = join.filter(|_| runtime::SINGLE_THREADED) else {
        return Ok(plan);
    };
    let probe = PacedExec::new(Arc::clone(join.right()), Some(PROBE_ROWS));
    let children = vec![Arc::clone(join.left()), Arc::new(probe) as _];
    replace_children_if_necessary(plan, children)
}

fn with_stop_check(
    join: &NestedLoopJoinExec,
    stop: &Arc<Stop>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(filter) = join.filter() else {
        return Ok(None);
    };
    let asked = JoinFilter::new(
        Arc::new(StopCheck {
            inner: Arc::clone(filter.expression()),
            stop: Arc::clone(stop),
        }),
        filter.column_indices().to_vec(),
        Arc::clone(filter.schema()),
    );
    let join = NestedLoopJoinExecBuilder::from(join)
        .with_filter(Some(asked))
        .build()?;
    Ok(Some(Arc::new(join)))
}

/// A join condition that first checks for timeout and cancellation.
#[derive(Debug)]
struct StopCheck {
    inner: Arc<dyn PhysicalExpr>,
    stop: Arc<Stop>,
}

impl PartialEq for StopCheck {
    fn eq(&self, other: &Self) -> bool {
        self.inner.as_ref() == other.inner.as_ref()
    }
}

impl Eq for StopCheck {}

impl Hash for StopCheck {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.as_ref().hash(state);
    }
}

impl fmt::Display for StopCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for StopCheck {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.inner.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.stop.check()?;
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Self {
            inner: children.pop().unwrap_or_else(|| Arc::clone(&self.inner)),
            stop: Arc::clone(&self.stop),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
