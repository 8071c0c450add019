//! Threads of the engine's own: the work of a statement never holds up a task of the program around it, or another statement.
//!
//! A sort, a join's table or one call of a function may take seconds in which nobody is asked whether to stop. So each statement
//! that runs a plan has a *lane*, a few threads by themselves; who waits for its rows waits elsewhere and goes on when the time has
//! come, whatever the lane is doing. A lane whose statement was given up is free again when its work has ended, and until then
//! the others share the processors with it, as the operating system has it.

use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{FutureExt, StreamExt, stream};
use parking_lot::Mutex;
#[cfg(feature = "cloud-storage")]
use tokio::runtime::Handle;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::{DfOlapError, panicked};

/// The most threads of all lanes together, so far as [`FEWEST`] lets them.
const THREADS: usize = 64;
/// Of lanes there are up to this many on any machine, and not more than [`MOST`]; with more statements at once, several share one.
const FEWEST: usize = 4;
const MOST: usize = 16;
/// The batches that are made before they are asked for.
const AHEAD: usize = 1;

static LANES: LazyLock<Mutex<Vec<Runtime>>> = LazyLock::new(Mutex::default);

/// Where connections live, which statements of several lanes share: no work holds it up.
#[cfg(feature = "cloud-storage")]
pub(crate) fn connections() -> std::io::Result<Handle> {
    static CONNECTIONS: LazyLock<Mutex<Option<Runtime>>> = LazyLock::new(Mutex::default);
    let mut connections = CONNECTIONS.lock();
    if let Some(known) = connections.as_ref() {
        return Ok(known.handle().clone());
    }
    let new = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("rhei-connections")
        .enable_all()
        .build()?;
    Ok(connections.insert(new).handle().clone())
}

/// Starts a task on a lane on which nothing runs, or on the one on which least does.
#[allow(clippy::disallowed_methods, reason = "a lane has tasks of its own")]
fn start(work: impl Future<Output = ()> + Send + 'static) -> std::io::Result<Task> {
    // Locked until the task is there, so that the next one sees it.
    let mut lanes = LANES.lock();
    let tasks = |lane: &Runtime| lane.metrics().num_alive_tasks();
    let least = lanes.iter().min_by_key(|lane| tasks(lane));
    let processors = available_parallelism().map_or(1, usize::from);
    if let Some(lane) = least
        && (tasks(lane) == 0 || lanes.len() >= (THREADS / processors).clamp(FEWEST, MOST))
    {
        return Ok(Task(lane.spawn(work)));
    }
    let new = Builder::new_multi_thread()
        .worker_threads(processors)
        .thread_name("rhei-query")
        .enable_all()
        .build();
    match (new, least) {
        (Ok(lane), _) => {
            let task = Task(lane.spawn(work));
            lanes.push(lane);
            Ok(task)
        }
        // Where the system gives no more threads, those that are there have to do.
        (Err(_), Some(lane)) => Ok(Task(lane.spawn(work))),
        (Err(error), None) => Err(error),
    }
}

/// A task that ends with who waits for it.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens and reads a stream on a lane; here its batches only pass.
pub(crate) async fn elsewhere(
    open: impl Future<Output = Result<SendableRecordBatchStream, DfOlapError>> + Send + 'static,
) -> Result<SendableRecordBatchStream, DfOlapError> {
    let (opened, schema) = oneshot::channel();
    let (made, mut rows) = mpsc::channel(AHEAD);
    let work = async move {
        let mut rows = match open.await {
            Ok(rows) => rows,
            Err(error) => {
                let _ = opened.send(Err(error));
                return;
            }
        };
        if opened.send(Ok(rows.schema())).is_err() {
            return;
        }
        while let Some(batch) = rows.next().await {
            if made.send(batch).await.is_err() {
                return;
            }
        }
    };
    let work = AssertUnwindSafe(work).catch_unwind();
    let (ended, end) = oneshot::channel();
    let task = start(async move {
        if let Err(panic) = work.await {
            let _ = ended.send(panicked(panic.as_ref()));
        }
    })?;
    let Ok(schema) = schema.await else {
        return Err(end.await.unwrap_or_else(|_| abandoned()));
    };
    let schema = schema?;
    let rows = stream::poll_fn(move |cx| {
        let _ = &task;
        rows.poll_recv(cx)
    });
    // A panic ends the rows without a word; its word comes after.
    let end = end
        .into_stream()
        .filter_map(|end| async move { Some(Err(end.ok()?.into())) });
    Ok(Box::pin(RecordBatchStreamAdapter::new(
        schema,
        rows.chain(end).boxed(),
    )))
}

fn abandoned() -> DfOlapError {
    DfOlapError::Other("the thread of a statement ended before it".to_string())
}
