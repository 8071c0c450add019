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
        self.change(|state| if state == RUNNING { COMMITTING } else { state }) == RUNNING
    }

    /// Ends a commit that changed nothing, so that the statement can be stopped; it is stopped if that was asked for
    /// meanwhile.
    pub fn end_commit(&self) {
        self.change(|state| match state {
            COMMITTING => RUNNING,
            STOP_WANTED => STOPPED,
            other => other,
        });
    }

    /// Stops the statement; false if its commit has begun, which may still change nothing.
    pub fn stop(&self) -> bool {
        let before = self.change(|state| match state {
            RUNNING => STOPPED,
            COMMITTING => STOP_WANTED,
            other => other,
        });
        matches!(before, RUNNING | STOPPED)
    }

    /// Replaces the state in one step, and returns the state before.
    fn change(&self, next: impl Fn(u8) -> u8) -> u8 {
        let changed = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
                Some(next(state))
            });
        changed.unwrap_or_else(|state| state)
    }
}
