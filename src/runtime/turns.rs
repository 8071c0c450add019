//! Thread priorities: the threads of a statement that has computed for long are lowered below those of others.
//!
//! The operating system gives threads of one priority equal parts of the processors; beside two or three statements
//! that run for minutes a small one, and the program around, would wait for most of theirs. So the threads of a lane
//! that has computed for long on its statement run on with a lower priority, where threads have one of their own, which
//! is on Linux. The system gives no higher one back: when the statement has ended its lane ends too, and the next one
//! has another.

#[cfg(target_os = "linux")]
use std::fs::read_to_string;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
#[cfg(target_os = "linux")]
use rustix::process::{Pid, getpriority_process, setpriority_process};

/// How long the threads of a lane compute for a statement, all together, before they are looked at as those of a long
/// one.
const LONG: Duration = Duration::from_millis(100);
/// How many steps lower they run then, of the twenty that there are: each gets about a tenth of what another thread
/// gets.
#[cfg(target_os = "linux")]
const STEPS: i32 = 10;

/// Whether threads have priorities of their own.
pub(super) const HAVE_PRIORITIES: bool = cfg!(target_os = "linux");

/// The threads of a lane.
#[derive(Debug, Default)]
pub(super) struct Threads {
    #[cfg(target_os = "linux")]
    all: Mutex<Vec<Pid>>,
    /// How many statements began when the lane had none.
    begun: AtomicU64,
    /// The number of the statement that was seen last, and how long the threads had computed then.
    seen: Mutex<(u64, Duration)>,
    are_low: AtomicBool,
}

impl Threads {
    /// For each thread as it begins.
    pub fn enter(&self) {
        #[cfg(target_os = "linux")]
        self.all.lock().push(rustix::thread::gettid());
    }

    /// For each thread as it ends.
    pub fn leave(&self) {
        #[cfg(target_os = "linux")]
        self.all
            .lock()
            .retain(|thread| *thread != rustix::thread::gettid());
    }

    /// A statement begins and is alone.
    pub fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether they have a lower priority than they began with.
    pub fn are_low(&self) -> bool {
        self.are_low.load(Ordering::Relaxed)
    }

    /// Lowers their priority where they have computed for long since their statement was seen first.
    pub fn look(&self) {
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

    /// How long they have computed, as far as the system says.
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
