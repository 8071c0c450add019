//! Thread priorities: the threads of a statement that has computed for long are lowered below those of others.
//!
//! The operating system gives threads of equal priority equal shares of the processors: beside two or three statements
//! that run for minutes, a small statement and the program itself would mostly wait. So the threads of a lane whose
//! statement has computed for long continue at a lower priority, on systems with a priority per thread (Linux). A
//! thread cannot raise its priority again: when the statement has ended, its lane ends too, and the next statement gets
//! another lane.

#[cfg(target_os = "linux")]
use std::fs::read_to_string;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
#[cfg(target_os = "linux")]
use rustix::process::{Pid, getpriority_process, setpriority_process};

/// The CPU time of all threads of a lane after which their statement counts as long.
const LONG: Duration = Duration::from_millis(100);
/// The amount by which their nice value (at most 19) is raised then: such a thread gets about a tenth of the processor
/// time of another thread.
#[cfg(target_os = "linux")]
const STEPS: i32 = 10;

/// Whether threads have priorities of their own.
pub(super) const HAVE_PRIORITIES: bool = cfg!(target_os = "linux");

/// The threads of a lane.
#[derive(Debug, Default)]
pub(super) struct Threads {
    #[cfg(target_os = "linux")]
    all: Mutex<Vec<Pid>>,
    /// The number of statements that started while the lane was idle.
    begun: AtomicU64,
    /// The value of `begun` when [`lower_if_long`](Self::lower_if_long) first saw the current statement, and the
    /// threads' CPU time then.
    seen: Mutex<(u64, Duration)>,
    are_low: AtomicBool,
}

impl Threads {
    /// Called by each thread when it starts.
    pub fn enter(&self) {
        #[cfg(target_os = "linux")]
        self.all.lock().push(rustix::thread::gettid());
    }

    /// Called by each thread when it ends.
    pub fn leave(&self) {
        #[cfg(target_os = "linux")]
        self.all
            .lock()
            .retain(|thread| *thread != rustix::thread::gettid());
    }

    /// Called when a statement starts while the lane is idle.
    pub fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the threads' priority was lowered.
    pub fn are_low(&self) -> bool {
        self.are_low.load(Ordering::Relaxed)
    }

    /// Lowers the threads' priority if they have computed for more than [`LONG`] since their statement was first seen.
    pub fn lower_if_long(&self) {
        if self.are_low() {
            return;
        }
        let (begun, computed) = (self.begun.load(Ordering::Relaxed), self.computed());
        let mut seen = self.seen.lock();
        if seen.0 != begun {
            *seen = (begun, computed);
        } else if computed.saturating_sub(seen.1) > LONG {
            self.are_low.store(true, Ordering::Relaxed);
            self.lower();
        }
    }

    /// The CPU time of all threads, as far as the system reports it.
    #[cfg(target_os = "linux")]
    fn computed(&self) -> Duration {
        let of = |thread: &Pid| -> Option<u64> {
            let path = format!("/proc/self/task/{}/schedstat", thread.as_raw_nonzero());
            let times = read_to_string(path).ok()?;
            times.split_ascii_whitespace().next()?.parse().ok()
        };
        Duration::from_nanos(self.all.lock().iter().filter_map(of).sum())
    }

    #[cfg(target_os = "linux")]
    fn lower(&self) {
        for thread in self.all.lock().iter() {
            // If lowering fails, the thread keeps its priority.
            let known = getpriority_process(Some(*thread));
            let _ = known.and_then(|known| setpriority_process(Some(*thread), known + STEPS));
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn computed(&self) -> Duration {
        Duration::ZERO
    }

    #[cfg(not(target_os = "linux"))]
    fn lower(&self) {}
}
