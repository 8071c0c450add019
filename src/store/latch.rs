//! [`CommitLatch`]: decides between a statement's commit and its timeout or cancellation.

use std::sync::atomic::{AtomicU8, Ordering};

const RUNNING: u8 = 0;
const COMMITTING: u8 = 1;
const STOPPED: u8 = 2;
/// Committing, and stopped as soon as the commit turns out to change nothing.
const STOP_WANTED: u8 = 3;

/// Whichever comes first wins, the begin of the commit or the stop: a statement that ends with a timeout or a
/// cancellation has changed nothing, and a commit that has begun is waited for.
#[derive(Debug, Default)]
pub(crate) struct CommitLatch(AtomicU8);

impl CommitLatch {
    /// Begins the commit; false if the statement was stopped before.
    pub fn begin_commit(&self) -> bool {
        self.replace(RUNNING, COMMITTING)
    }

    /// Ends a commit that changed nothing, so that the statement can be stopped; it is stopped if that was asked for
    /// meanwhile.
    pub fn end_commit(&self) {
        if !self.replace(COMMITTING, RUNNING) {
            self.replace(STOP_WANTED, STOPPED);
        }
    }

    /// Stops the statement; false if its commit has begun, which may still change nothing.
    pub fn stop(&self) -> bool {
        self.replace(RUNNING, STOPPED)
            || !self.replace(COMMITTING, STOP_WANTED) && self.0.load(Ordering::Acquire) == STOPPED
    }

    fn replace(&self, old: u8, new: u8) -> bool {
        let replaced = self
            .0
            .compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire);
        replaced.is_ok()
    }
}
