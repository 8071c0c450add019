//! Thread pools of the engine, one for each running statement, so that CPU-bound plans never block the tokio runtime of
//! the program, or another statement.
//!
//! A sort, a join's table or one call of a function may take seconds in which nobody is asked whether to stop. So each
//! statement that runs a plan has a *lane*, a few threads by themselves; who waits for its rows waits elsewhere and
//! goes on when the time has come, whatever the lane is doing. A lane whose statement was given up is free again when
//! its work has ended, and until then the others share the processors with it, in the turns that [`Threads`] are given.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{FutureExt, StreamExt, stream};
use parking_lot::{Condvar, Mutex};
#[cfg(feature = "cloud-storage")]
use tokio::runtime::Handle;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::native::STACK_BYTES;
use super::turns::{HAVE_PRIORITIES, Threads};
use crate::error::{DfOlapError, panicked};

/// The most threads of all lanes together, so far as [`FEWEST`] lets them.
const THREADS: usize = 64;
/// Of lanes there are up to this many on any machine, and not more than [`MOST`]; with more statements at once, several
/// share one.
const FEWEST: usize = 4;
const MOST: usize = 16;
/// The batches that are made before they are asked for.
const AHEAD: usize = 1;
/// How often it is looked at lanes, and after how many looks at none it is waited for one.
const LOOK: Duration = Duration::from_millis(25);
const LOOKS: usize = 40;

static LANES: Mutex<Lanes> = Mutex::new(Lanes {
    all: Vec::new(),
    watcher: Watcher::Nobody,
});
/// Notified when a statement starts.
static BUSY: Condvar = Condvar::new();

struct Lanes {
    all: Vec<Lane>,
    watcher: Watcher,
}

/// The thread that looks for lanes which compute for long.
#[derive(PartialEq)]
enum Watcher {
    Nobody,
    Looks,
    Waits,
}

struct Lane {
    runtime: Runtime,
    threads: Arc<Threads>,
}

/// Where connections live, which statements of several lanes share: no work holds it up.
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

/// Starts a task on a lane on which nothing runs, or on the one on which least does.
fn start(work: impl Future<Output = ()> + Send + 'static) -> std::io::Result<Task> {
    // Locked until the task is there, so that the next one sees it.
    let mut lanes = LANES.lock();
    // Threads that were given a lower priority have it for good.
    let ended = lanes
        .all
        .extract_if(.., |lane| lane.threads.are_low() && lane.tasks() == 0);
    ended.for_each(|lane| lane.runtime.shutdown_background());
    lanes.be_watched();
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
        // Where the system gives no more threads, those that are there have to do.
        (Err(_), Some(lane)) => Ok(lane.spawn(work)),
        (Err(error), None) => Err(error),
    }
}

impl Lanes {
    fn be_watched(&mut self) {
        match self.watcher {
            _ if !HAVE_PRIORITIES => return,
            Watcher::Looks => return,
            Watcher::Waits => {
                BUSY.notify_one();
            }
            Watcher::Nobody => {
                let watcher = std::thread::Builder::new().name("rhei-turns".to_string());
                if watcher.spawn(watch).is_err() {
                    return;
                }
            }
        }
        self.watcher = Watcher::Looks;
    }
}

/// Looks at the threads of lanes with something to do, time and again, and waits where for some time none had.
fn watch() {
    let mut idle = 0;
    loop {
        let threads: Vec<_> = {
            let lanes = LANES.lock();
            let busy = lanes.all.iter().filter(|lane| lane.tasks() > 0);
            busy.map(|lane| Arc::clone(&lane.threads)).collect()
        };
        threads.iter().for_each(|threads| threads.look());
        idle = if threads.is_empty() { idle + 1 } else { 0 };
        let mut lanes = LANES.lock();
        if idle < LOOKS {
            BUSY.wait_for(&mut lanes, LOOK);
            continue;
        }
        lanes.watcher = Watcher::Waits;
        while lanes.watcher == Watcher::Waits {
            BUSY.wait(&mut lanes);
        }
        idle = 0;
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
