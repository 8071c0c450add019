//! Browser platform shims: one thread, shared with the event loop, on which statements run in time slices.
//!
//! DataFusion spawns tasks into the tokio runtime that it is polled in. There is one such runtime here, and it never
//! parks: it is entered for a slice of time, in which a call and all spawned tasks are polled ([`drive`]), and left
//! again, so that the event loop has its turn: messages, timers, promises.

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

/// How long a slice lasts before the event loop has a turn.
const SLICE: Duration = Duration::from_millis(8);
/// How often a spawned task is polled before a call that waits is taken to wait for the event loop.
const TURNS: usize = 64;
/// How long a call that waits is left alone before its tasks are looked at again.
const REST: Duration = Duration::from_millis(4);

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
        // After each poll of a task it is seen whether the slice is over.
        .event_interval(1)
        .build()
        .expect("a runtime without timers and I/O needs nothing of the system");
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// Drives `work` to its end, in slices, with a turn of the event loop between them. In the browser every call of an
/// engine, and all that reads its streams, has to be driven.
///
/// ```ignore
/// let rows = rhei_datafusion::drive(engine.query("SELECT 1 UNION ALL SELECT 2")).await?;
/// ```
pub async fn drive<F: Future>(work: F) -> F::Output {
    let mut work = std::pin::pin!(work);
    let slices = Slices::default();
    loop {
        // First of all, so never inside of a slice of another: a function in JavaScript that a query calls may call an
        // engine.
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
    /// There is more to do at once.
    Busy,
    /// For a promise, a timer or another call.
    Waits,
}

/// Slices of time for one piece of work.
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
                        // What yielded in that poll is woken here, and forgotten where the runtime is left before:
                        // another call may have, where several are polled together.
                        tokio::task::yield_now().await;
                        return Slice::Done(output);
                    }
                    // Always once, for the same reason.
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

/// A channel to ourselves: its messages come after what else waits in the event loop, and, unlike timers, without
/// delay.
struct Turn {
    sender: JsValue,
    post: Function,
    /// In Node.js an open port keeps the process alive, so it counts only while someone waits.
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

/// Completes when the event loop has done what waited for it.
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

/// A timer of the event loop; it goes with whoever waits for it.
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
        // In Node.js it is an object with a number.
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
    // Longer than a timer can be.
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

/// What tables and statements use together, the most that they did, and what they may use, in bytes.
///
/// wasm32 has four gigabytes at most, and an allocation that fails ends the instance: so what would go beyond the limit
/// is refused before it is asked for.
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

    /// Nothing counts what is allocated.
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

    /// Says why, where there is no room for so many bytes more.
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

/// Fails where there is no room for so many bytes more.
pub(crate) fn check_room(bytes: usize) -> Result<(), DfOlapError> {
    HEAP.check_room(bytes)
        .map_err(DfOlapError::ResourcesExhausted)
}

/// The time, for measuring.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Runs `work`: the stack does not grow here, and limits on statements are lower.
pub(crate) fn with_deep_stack<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// How deep a plan may be, on the megabyte or less of stack that a browser gives: half of it is enough for what the
/// browser's first compiler makes of an optimized module. Modules that are not optimized take several times as much.
pub(crate) const PLAN_LEVELS: usize = if cfg!(debug_assertions) { 200 } else { 500 };
/// How deep queries may stand in one another, which have some levels each.
pub(crate) const QUERY_LEVELS: usize = 64;

/// Runs `work`: there is one stack.
pub(crate) fn on_own_stack<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// What queries may use together when the builder says nothing: half of the four gigabytes that there can be at most.
pub(crate) fn default_memory_limit_bytes() -> usize {
    2 << 30
}

/// Whether statements can spill to a disk.
pub(crate) const HAS_DISK: bool = false;

/// Opens a stream; there is one thread for all.
pub(crate) async fn elsewhere(
    open: impl Future<Output = Result<SendableRecordBatchStream, DfOlapError>>,
) -> Result<SendableRecordBatchStream, DfOlapError> {
    open.await
}
