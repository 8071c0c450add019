//! [`PacedExec`]: an operator that yields to other tasks after some milliseconds.
//!
//! DataFusion's sources yield after a number of batches, not after a time: a cancellation would be noticed late, and a
//! page in the browser would freeze. On a target with one thread, the probe side of a nested loop join also arrives in
//! small pieces, because the join compares a probe batch to all build rows without yielding.

use std::sync::Arc;
use std::task::Poll;

use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt, future, stream};

use crate::runtime::{self, Instant, TURN};

#[derive(Debug)]
pub(super) struct PacedExec {
    input: Arc<dyn ExecutionPlan>,
    /// The rows of a piece; `None` for whole batches.
    rows: Option<usize>,
}

impl PacedExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, rows: Option<usize>) -> Self {
        Self { input, rows }
    }
}

impl DisplayAs for PacedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rows {
            Some(rows) => write!(f, "PacedExec: rows={rows}"),
            None => write!(f, "PacedExec"),
        }
    }
}

impl ExecutionPlan for PacedExec {
    fn name(&self) -> &str {
        "PacedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(Self::new(input, self.rows)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let (schema, rows) = (input.schema(), self.rows);
        let pieces = input.map_ok(move |batch| {
            let all = batch.num_rows();
            let rows = rows.unwrap_or(all).max(1);
            let piece = move |from| batch.slice(from, rows.min(all - from));
            stream::iter((0..all).step_by(rows).map(piece).map(Ok))
        });
        let begun = runtime::now();
        let paced = pieces.try_flatten().scan(begun, |paused, piece| {
            let is_due = runtime::now().duration_since(*paused) >= TURN;
            if is_due {
                *paused = runtime::now();
            }
            async move {
                if is_due {
                    pause().await;
                }
                Some(piece)
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            schema,
            paced.boxed(),
        )))
    }
}

/// Like [`PacedExec`], for a loop outside of a plan.
pub(crate) struct Pace {
    paused: Instant,
}

impl Pace {
    pub fn new() -> Self {
        Self {
            paused: runtime::now(),
        }
    }

    /// Yields if [`TURN`] has passed, on targets with one thread.
    pub async fn keep(&mut self) {
        if runtime::SINGLE_THREADED && runtime::now().duration_since(self.paused) >= TURN {
            pause().await;
            self.paused = runtime::now();
        }
    }
}

/// Yields once to the executor.
async fn pause() {
    let mut is_over = false;
    future::poll_fn(|cx| {
        if is_over {
            return Poll::Ready(());
        }
        is_over = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
