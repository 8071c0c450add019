//! Browser platform shims: one thread, shared with the event loop, on which statements run in time slices.
//!
//! DataFusion spawns tasks into the tokio runtime that it is polled in. There is one such runtime here, and it never
//! parks: [`drive`] enters it for a slice of time, polls a call and all spawned tasks, and leaves it again, so that the
//! event loop can handle messages, timers and promises.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use datafusion::execution::SendableRecordBatchStream;
use futures::channel::oneshot;
use futures::task::AtomicWaker;
use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::*;
pub(crate) use web_time::Instant;

use crate::error::DfOlapError;

/// The length of a slice, after which the event loop runs.
const SLICE: Duration = Duration::from_millis(8);
/// The number of polls of spawned tasks without a wake-up after which a call is taken to wait for the event loop.
const TURNS: usize = 64;
/// The pause after which the tasks of a waiting call are polled again.
const REST: Duration = Duration::from_millis(4);

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
        // Returns to the loop of a slice after each poll of a task, to check whether the slice is over.
        .event_interval(1)
        .build()
        .expect("a runtime without timers and I/O needs nothing of the system");
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// Runs `work` to its end in slices, between which the event loop runs. In the browser every call of an engine, and all
/// code that reads the engine's streams, must run in this function.
///
/// ```ignore
/// let rows = rhei_datafusion::drive(engine.query("SELECT 1 UNION ALL SELECT 2")).await?;
/// ```
pub async fn drive<F: Future>(work: F) -> F::Output {
    let mut work = std::pin::pin!(work);
    let slices = Slices::default();
    loop {
        // Waits before each slice, so that no slice runs inside a slice of another call: a JavaScript function that a
        // query calls may call an engine.
        turn_of_the_event_loop().await;
        match slices.work(work.as_mut()) {
            Slice::Done(output) => return output,
            Slice::Busy => {}
            Slice::Waits => {
                let rest = std::pin::pin!(sleep(REST));
                futures::future::select(rest, std::pin::pin!(slices.0.wait())).await;
            }
        }
    }
}

/// The result of a time slice.
pub(crate) enum Slice<T> {
    Done(T),
    /// There is more work to do now.
    Busy,
    /// The work waits for a promise, a timer or another call.
    Waits,
}

/// The time slices of one piece of work.
#[derive(Default)]
pub(crate) struct Slices(Arc<Woken>);

impl Slices {
    /// Polls `work` and all spawned tasks for a slice of time.
    pub fn work<F: Future>(&self, mut work: Pin<&mut F>) -> Slice<F::Output> {
        let woken = &self.0;
        let waker = Waker::from(Arc::clone(woken));
        let begun = now();
        RUNTIME.with(|runtime| {
            runtime.block_on(async {
                loop {
                    woken.take();
                    let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
                    if let Poll::Ready(output) = polled {
                        // Tasks that yielded in that poll are woken here; their wake-ups are lost if the runtime is
                        // left before. With several calls polled together, another call may have yielded.
                        tokio::task::yield_now().await;
                        return Slice::Done(output);
                    }
                    // At least one yield, for the same reason.
                    let mut turns = 0;
                    let is_over = || now().duration_since(begun) >= SLICE;
                    loop {
                        tokio::task::yield_now().await;
                        turns += 1;
                        let has_tasks = runtime.metrics().num_alive_tasks() > 0;
                        if woken.is_set() || !has_tasks || turns == TURNS || is_over() {
                            break;
                        }
                    }
                    if is_over() {
                        return Slice::Busy;
                    }
                    if !woken.is_set() {
                        return Slice::Waits;
                    }
                }
            })
        })
    }
}

/// Whether a call was woken since it was last polled.
#[derive(Default)]
struct Woken {
    set: AtomicBool,
    waiting: AtomicWaker,
}

impl Woken {
    fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    fn take(&self) {
        self.set.store(false, Ordering::Release);
    }

    fn wait(&self) -> impl Future<Output = ()> + '_ {
        futures::future::poll_fn(|cx| {
            self.waiting.register(cx.waker());
            match self.is_set() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.set.store(true, Ordering::Release);
        self.waiting.wake();
    }
}

/// A message channel of this thread to itself: a message arrives after the events that already wait in the event loop
/// and, unlike a timer, without delay.
struct Turn {
    sender: JsValue,
    post: Function,
    /// In Node.js an open port keeps the process alive, so the port is held only while a call waits.
    hold: Option<Function>,
    release: Option<Function>,
    waiting: VecDeque<oneshot::Sender<()>>,
    _receiver: JsValue,
    _on_message: Closure<dyn FnMut()>,
}

impl Turn {
    fn new() -> Result<Self, JsValue> {
        let channel = Reflect::get(&js_sys::global(), &"MessageChannel".into())?;
        let channel: Function = channel.dyn_into()?;
        let channel = Reflect::construct(&channel, &js_sys::Array::new())?;
        let receiver = Reflect::get(&channel, &"port1".into())?;
        let sender = Reflect::get(&channel, &"port2".into())?;
        let on_message = Closure::<dyn FnMut()>::new(|| {
            let next = TURN.with_borrow_mut(|turn| turn.as_mut().and_then(Turn::next));
            if let Some(next) = next {
                let _ = next.send(());
            }
        });
        Reflect::set(&receiver, &"onmessage".into(), on_message.as_ref())?;
        let method = |name: &str| {
            let method = Reflect::get(&receiver, &name.into());
            method.ok().and_then(|method| method.dyn_into().ok())
        };
        let turn = Self {
            post: Reflect::get(&sender, &"postMessage".into())?.dyn_into()?,
            sender,
            hold: method("ref"),
            release: method("unref"),
            waiting: VecDeque::new(),
            _receiver: receiver,
            _on_message: on_message,
        };
        turn.call(turn.release.as_ref());
        Ok(turn)
    }

    fn call(&self, method: Option<&Function>) {
        if let Some(method) = method {
            let _ = method.call0(&self._receiver);
        }
    }

    fn wait(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if self.waiting.is_empty() {
            self.call(self.hold.as_ref());
        }
        self.waiting.push_back(sender);
        let _ = self.post.call1(&self.sender, &JsValue::NULL);
        receiver
    }

    fn next(&mut self) -> Option<oneshot::Sender<()>> {
        let next = self.waiting.pop_front();
        if self.waiting.is_empty() {
            self.call(self.release.as_ref());
        }
        next
    }
}

/// Completes when the event loop has handled the events that waited.
async fn turn_of_the_event_loop() {
    let turn = TURN.with_borrow_mut(|turn| {
        if turn.is_none() {
            *turn = Turn::new().ok();
        }
        turn.as_mut().map(Turn::wait)
    });
    match turn {
        Some(turn) => {
            let _ = turn.await;
        }
        None => sleep(Duration::ZERO).await,
    }
}

/// A timer of the event loop, cleared on drop.
struct Timer {
    id: f64,
    elapsed: oneshot::Receiver<()>,
}

impl Timer {
    fn new(duration: Duration) -> Result<Self, JsValue> {
        let (sender, elapsed) = oneshot::channel();
        let elapse = Closure::once_into_js(move || {
            let _ = sender.send(());
        });
        let milliseconds = duration.as_secs_f64() * 1000.0;
        // In Node.js the timer is an object, which `Number` converts to its id.
        let id =
            global_function("setTimeout")?.call2(&JsValue::NULL, &elapse, &milliseconds.into())?;
        let id = global_function("Number")?.call1(&JsValue::NULL, &id)?;
        let id = id.as_f64().unwrap_or(f64::NAN);
        Ok(Self { id, elapsed })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Ok(clear) = global_function("clearTimeout") {
            let _ = clear.call1(&JsValue::NULL, &self.id.into());
        }
    }
}

fn global_function(name: &str) -> Result<Function, JsValue> {
    Reflect::get(&js_sys::global(), &name.into())?.dyn_into()
}

/// Completes after `duration`.
pub(crate) async fn sleep(duration: Duration) {
    // The longest delay that `setTimeout` takes.
    const MOST: Duration = Duration::from_millis(i32::MAX as u64);
    let mut left = duration;
    while let Ok(mut timer) = Timer::new(left.min(MOST)) {
        let _ = (&mut timer.elapsed).await;
        left = left.saturating_sub(MOST);
        if left.is_zero() {
            return;
        }
    }
    futures::future::pending().await
}

/// The system's allocator, with every byte counted.
#[cfg(feature = "javascript")]
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

/// The memory that tables and statements use together, its peak and its limit, in bytes.
///
/// wasm32 has four gigabytes at most, and a failed allocation ends the instance. So a request beyond the limit is
/// refused before it is allocated.
pub(crate) struct Heap {
    limit: AtomicUsize,
}

pub(crate) static HEAP: Heap = Heap {
    limit: AtomicUsize::new(usize::MAX),
};

#[cfg_attr(
    not(feature = "javascript"),
    expect(dead_code, reason = "the face asks")
)]
impl Heap {
    #[cfg(feature = "javascript")]
    pub fn used(&self) -> usize {
        ALLOCATOR.allocated()
    }

    /// Without the feature `javascript`, allocations are not counted.
    #[cfg(not(feature = "javascript"))]
    pub fn used(&self) -> usize {
        0
    }

    #[cfg(feature = "javascript")]
    pub fn peak(&self) -> usize {
        ALLOCATOR.max_allocated()
    }

    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Fails with a message if `bytes` more would exceed the limit.
    pub fn check_room(&self, bytes: usize) -> Result<(), String> {
        match self.used().checked_add(bytes) {
            Some(sum) if sum <= self.limit() => Ok(()),
            _ => Err(format!(
                "out of memory: {} MiB are in use, {} MiB more are asked for, and the limit is {} MiB; raise memoryLimitBytes, or ask for less",
                self.used() >> 20,
                bytes.div_ceil(1 << 20),
                self.limit() >> 20
            )),
        }
    }
}

/// Fails if `bytes` more would exceed the memory limit.
pub(crate) fn check_room(bytes: usize) -> Result<(), DfOlapError> {
    HEAP.check_room(bytes)
        .map_err(DfOlapError::ResourcesExhausted)
}

/// The time, for measuring.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Runs `work` directly: the stack cannot grow here, so the limits on statements are lower.
pub(crate) fn with_deep_stack<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// The maximum depth of a plan, for the megabyte or less of stack that a browser gives. An optimized module, compiled
/// by the browser's baseline compiler, takes half of that stack; modules that are not optimized take several times as
/// much.
pub(crate) const PLAN_LEVELS: usize = if cfg!(debug_assertions) { 200 } else { 500 };
/// The maximum nesting depth of queries; each query has several plan levels.
pub(crate) const QUERY_LEVELS: usize = 64;

/// Runs `work` directly: there is only one stack.
pub(crate) fn on_own_stack<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// The default memory limit of all queries together: half of the four gigabytes that wasm32 can have.
pub(crate) fn default_memory_limit_bytes() -> usize {
    2 << 30
}

/// Whether statements can spill to a disk.
pub(crate) const HAS_DISK: bool = false;

/// Runs `work` on the only thread.
pub(crate) async fn on_lane<T>(
    work: impl Future<Output = Result<T, DfOlapError>>,
) -> Result<T, DfOlapError> {
    work.await
}

/// Opens a stream on the only thread.
pub(crate) async fn on_worker(
    open: impl Future<Output = Result<SendableRecordBatchStream, DfOlapError>>,
) -> Result<SendableRecordBatchStream, DfOlapError> {
    open.await
}
