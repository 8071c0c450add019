//! Thread pools of the engine, one for each running statement, so that CPU-bound plans never block the tokio runtime of
//! the program, or another statement.
//!
//! A sort, the build side of a join or one function call may run for seconds without a check for cancellation. So each
//! statement that runs a plan has a *lane*, a small thread pool of its own; the caller waits for the rows outside the
//! lane and returns at the deadline, whatever the lane is doing. The lane of an abandoned statement is free again when
//! its current work has ended; until then other lanes share the processors with it, by the priorities of [`Threads`].

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{FutureExt, StreamExt, stream};
use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::native::{CALLERS, STACK_BYTES};
use super::turns::{HAVE_PRIORITIES, Threads};
use crate::error::{DfOlapError, panicked};

/// The maximum number of threads of all lanes together, unless [`FEWEST`] lanes need more.
const THREADS: usize = 64;
/// The maximum number of lanes is at least this on any machine, and at most [`MOST`]; with more concurrent statements,
/// several share a lane.
const FEWEST: usize = 4;
const MOST: usize = 16;
/// The number of batches that a lane produces ahead of the reader.
const AHEAD: usize = 1;
/// The interval at which the watcher checks busy lanes, and the number of checks without a busy lane after which it
/// blocks until a statement starts.
const CHECK_INTERVAL: Duration = Duration::from_millis(25);
const IDLE_CHECKS: usize = 40;

static LANES: Mutex<Lanes> = Mutex::new(Lanes {
    all: Vec::new(),
    watcher: Watcher::NotStarted,
});
/// Notified when a statement starts.
static BUSY: Condvar = Condvar::new();

struct Lanes {
    all: Vec<Lane>,
    watcher: Watcher,
}

/// The state of the thread that looks for lanes with long computations.
#[derive(PartialEq)]
enum Watcher {
    NotStarted,
    Checking,
    Blocked,
}

struct Lane {
    runtime: Runtime,
    threads: Arc<Threads>,
}

/// The runtime of network connections, which statements of several lanes share. No computation runs on it.
#[cfg(feature = "cloud-storage")]
pub(crate) fn connections() -> std::io::Result<Handle> {
    static CONNECTIONS: Mutex<Option<Runtime>> = Mutex::new(None);
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

impl Lane {
    fn new(processors: usize) -> std::io::Result<Self> {
        let threads = Arc::new(Threads::default());
        let (entered, left) = (Arc::clone(&threads), Arc::clone(&threads));
        let runtime = Builder::new_multi_thread()
            .worker_threads(processors)
            .thread_name("rhei-query")
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(move || entered.enter())
            .on_thread_stop(move || left.leave())
            .enable_all()
            .build()?;
        Ok(Self { runtime, threads })
    }

    fn tasks(&self) -> usize {
        self.runtime.metrics().num_alive_tasks()
    }

    #[allow(clippy::disallowed_methods, reason = "a lane has tasks of its own")]
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> Task {
        if self.tasks() == 0 {
            self.threads.begin();
        }
        Task(self.runtime.spawn(work))
    }
}

/// Starts a task on an idle or a new lane, or else on the lane with the fewest tasks.
fn start(work: impl Future<Output = ()> + Send + 'static) -> std::io::Result<Task> {
    // Locked until the task is spawned, so that the next call counts it.
    let mut lanes = LANES.lock();
    // A thread cannot raise its priority again, so idle lanes with lowered threads are shut down.
    let ended = lanes
        .all
        .extract_if(.., |lane| lane.threads.are_low() && lane.tasks() == 0);
    ended.for_each(|lane| lane.runtime.shutdown_background());
    lanes.ensure_watcher();
    let least = lanes
        .all
        .iter()
        .min_by_key(|lane| (lane.threads.are_low(), lane.tasks()));
    let processors = available_parallelism().map_or(1, usize::from);
    if let Some(lane) = least
        && (lane.tasks() == 0 || lanes.all.len() >= (THREADS / processors).clamp(FEWEST, MOST))
    {
        return Ok(lane.spawn(work));
    }
    match (Lane::new(processors), least) {
        (Ok(lane), _) => {
            let task = lane.spawn(work);
            lanes.all.push(lane);
            Ok(task)
        }
        // If the system gives no more threads, an existing lane takes the task.
        (Err(_), Some(lane)) => Ok(lane.spawn(work)),
        (Err(error), None) => Err(error),
    }
}

impl Lanes {
    fn ensure_watcher(&mut self) {
        match self.watcher {
            _ if !HAVE_PRIORITIES => return,
            Watcher::Checking => return,
            Watcher::Blocked => {
                BUSY.notify_one();
            }
            Watcher::NotStarted => {
                let watcher = std::thread::Builder::new().name("rhei-turns".to_string());
                if watcher.spawn(watch).is_err() {
                    return;
                }
            }
        }
        self.watcher = Watcher::Checking;
    }
}

/// Checks the threads of busy lanes at intervals, and blocks after some time without a busy lane.
fn watch() {
    let mut idle = 0;
    loop {
        let threads: Vec<_> = {
            let lanes = LANES.lock();
            let busy = lanes.all.iter().filter(|lane| lane.tasks() > 0);
            busy.map(|lane| Arc::clone(&lane.threads)).collect()
        };
        threads.iter().for_each(|threads| threads.lower_if_long());
        idle = if threads.is_empty() { idle + 1 } else { 0 };
        let mut lanes = LANES.lock();
        if idle < IDLE_CHECKS {
            BUSY.wait_for(&mut lanes, CHECK_INTERVAL);
            continue;
        }
        lanes.watcher = Watcher::Blocked;
        while lanes.watcher == Watcher::Blocked {
            BUSY.wait(&mut lanes);
        }
        idle = 0;
    }
}

/// A task that is aborted when this handle is dropped.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens and reads a stream on a lane; the returned stream only receives the batches.
pub(crate) async fn on_worker(
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
    // After a panic the channel of rows just ends, so the panic's error is appended.
    let end = end
        .into_stream()
        .filter_map(|end| async move { Some(Err(end.ok()?.into())) });
    Ok(Box::pin(RecordBatchStreamAdapter::new(
        schema,
        rows.chain(end).boxed(),
    )))
}

/// Runs `work` on a lane. `work` stops at its next pause after the returned future is dropped.
pub(crate) async fn on_lane<T: Send + 'static>(
    work: impl Future<Output = Result<T, DfOlapError>> + Send + 'static,
) -> Result<T, DfOlapError> {
    let (answer, answered) = oneshot::channel();
    let outer = CALLERS.try_with(Option::clone).ok().flatten();
    let callers = outer.or_else(|| Handle::try_current().ok());
    let work = CALLERS.scope(callers, work);
    let work = AssertUnwindSafe(work).catch_unwind();
    let task = start(async move {
        let done = work.await;
        let _ = answer.send(done.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))));
    })?;
    let answer = answered.await;
    drop(task);
    answer.unwrap_or_else(|_| Err(abandoned()))
}

fn abandoned() -> DfOlapError {
    DfOlapError::Other("the thread of a statement ended before it".to_string())
}
