//! [`SnapshotStream`]: a result stream that keeps its snapshot alive and enforces timeout and cancellation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};

use crate::error::{DfOlapError, panicked};
use crate::runtime::on_own_stack;
use crate::snapshot::Snapshot;
use crate::sql::resources::interrupt::Stop;
use crate::store::CommitLatch;

/// Runs `work`. If the statement's text is long, each poll runs on a separate stack with room to recurse.
async fn with_room<T>(is_long: bool, work: impl Future<Output = T>) -> T {
    futures::pin_mut!(work);
    std::future::poll_fn(|cx| match is_long {
        true => on_own_stack(|| work.as_mut().poll(cx)),
        false => work.as_mut().poll(cx),
    })
    .await
}

/// Runs a statement until its end, timeout or cancellation.
pub(crate) struct Limited {
    /// Completes at timeout or cancellation; `None` if that has happened, or cannot.
    stop: Option<BoxFuture<'static, DfOlapError>>,
    /// The timeout or cancellation that came during a commit.
    stopped: Option<DfOlapError>,
    latch: Arc<CommitLatch>,
    /// Whether the statement's tree may be deep: cloning and dropping a deep tree needs a large stack.
    is_long: bool,
}

impl Limited {
    pub fn new(stop: &Arc<Stop>, is_long: bool) -> Self {
        Self {
            stop: (!stop.is_never()).then(|| Arc::clone(stop).wait().boxed()),
            stopped: None,
            latch: Arc::clone(stop.latch()),
            is_long,
        }
    }

    fn poll_stop(&mut self, cx: &mut Context<'_>) -> Poll<DfOlapError> {
        if let Some(stop) = &mut self.stop
            && let Poll::Ready(stopped) = stop.as_mut().poll(cx)
        {
            self.stop = None;
            self.stopped = Some(stopped);
        }
        match self.stopped.take_if(|_| self.latch.stop()) {
            Some(stopped) => Poll::Ready(stopped),
            None => Poll::Pending,
        }
    }

    /// Runs `work` to its end, or drops `work` at timeout or cancellation, but not during its commit.
    pub async fn run<T>(
        &mut self,
        work: impl Future<Output = Result<T, DfOlapError>>,
    ) -> Result<T, DfOlapError> {
        let work = with_room(self.is_long, work);
        futures::pin_mut!(work);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(stopped) = self.poll_stop(cx) {
                return Poll::Ready(Err(stopped));
            }
            catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)))
                .unwrap_or_else(|panic| Poll::Ready(Err(panicked(panic.as_ref()))))
        })
        .await
    }
}

/// The rows of one statement. The stream keeps its snapshot alive, and ends after the first error.
pub(crate) struct SnapshotStream {
    schema: SchemaRef,
    rows: Option<SendableRecordBatchStream>,
    limited: Limited,
    _snapshot: Arc<Snapshot>,
}

impl SnapshotStream {
    pub fn new(rows: SendableRecordBatchStream, snapshot: Arc<Snapshot>, limited: Limited) -> Self {
        Self {
            schema: rows.schema(),
            rows: Some(rows),
            limited,
            _snapshot: snapshot,
        }
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Stream for SnapshotStream {
    type Item = Result<RecordBatch, DfOlapError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(rows) = &mut this.rows else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(stopped) = this.limited.poll_stop(cx) {
            this.rows = None;
            return Poll::Ready(Some(Err(stopped)));
        }
        // A panic in an operator is an error of this statement, not the end of the caller's task.
        let polled = catch_unwind(AssertUnwindSafe(|| rows.poll_next_unpin(cx)));
        let polled =
            polled.unwrap_or_else(|panic| Poll::Ready(Some(Err(panicked(panic.as_ref()).into()))));
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(batch))) => Poll::Ready(Some(Ok(batch))),
            Poll::Ready(Some(Err(error))) => {
                this.rows = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                this.rows = None;
                Poll::Ready(None)
            }
        }
    }
}
