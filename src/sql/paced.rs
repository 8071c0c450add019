//! [`PacedExec`]: an input in small pieces, with a pause for others between them.
//!
//! A nested loop join compares a batch of its probe side to all rows of the other without a pause. Where one thread does
//! everything, a call that wants to stop it would never be heard.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt, future, stream};

use crate::runtime;

/// The longest without a pause, if a piece does not take longer.
const PACE: Duration = Duration::from_millis(4);

#[derive(Debug)]
pub(super) struct PacedExec {
    input: Arc<dyn ExecutionPlan>,
    /// The rows of a piece.
    rows: usize,
}

impl PacedExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, rows: usize) -> Self {
        Self { input, rows }
    }
}

impl DisplayAs for PacedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PacedExec: rows={}", self.rows)
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
            let starts = (0..batch.num_rows()).step_by(rows);
            let piece = move |from| batch.slice(from, rows.min(batch.num_rows() - from));
            stream::iter(starts.map(piece).map(Ok))
        });
        let begun = runtime::now();
        let paced = pieces.try_flatten().scan(begun, |paused, piece| {
            let is_due = runtime::now().duration_since(*paused) >= PACE;
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

/// Lets whoever polls do something else first.
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
