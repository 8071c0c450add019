//! The open transactions of an engine, each of the task that began it.

use std::collections::VecDeque;
use std::thread::{self, ThreadId};

use parking_lot::Mutex;
use tokio::task;

use super::transaction::Transaction;
use crate::error::DfOlapError;

/// How many transactions are open at once. One that is silent for longest is rolled back for another: its task may be
/// gone.
const MOST_OPEN: usize = 8;
/// How many owners are known whose transactions were rolled back for others.
const MOST_LOST: usize = 64;

/// Who begins a transaction and goes on with it: a task, or a thread that runs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Task(task::Id),
    Thread(ThreadId),
}

impl Owner {
    fn current() -> Self {
        match task::try_id() {
            Some(id) => Self::Task(id),
            None => Self::Thread(thread::current().id()),
        }
    }
}

/// The open transactions of an engine.
#[derive(Debug, Default)]
pub(crate) struct Transactions(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    /// The one that was used last is at the end. `None` while a call has taken it.
    open: VecDeque<(Owner, Option<Transaction>)>,
    /// Owners whose transaction was rolled back for another, and who were not told yet.
    lost: VecDeque<Owner>,
}

impl Open {
    fn forget(&mut self, owner: Owner) {
        self.open.retain(|(of, _)| *of != owner);
        self.lost.retain(|of| *of != owner);
    }
}

impl Transactions {
    /// Makes a transaction the caller's. One that the caller had is rolled back: its work was cut off.
    pub fn begin(&self, transaction: Transaction) {
        let owner = Owner::current();
        let mut all = self.0.lock();
        all.forget(owner);
        if all.open.len() >= MOST_OPEN
            && let Some((silent, _)) = all.open.pop_front()
        {
            if all.lost.len() >= MOST_LOST {
                all.lost.pop_front();
            }
            all.lost.push_back(silent);
        }
        all.open.push_back((owner, Some(transaction)));
    }

    /// Takes the caller's transaction for a call; `None` if it has none.
    pub fn take(&self) -> Result<Option<(Claim<'_>, Transaction)>, DfOlapError> {
        let owner = Owner::current();
        let mut all = self.0.lock();
        if all.lost.contains(&owner) {
            return Err(DfOlapError::Conflict(format!(
                "the transaction was rolled back: it was silent while {MOST_OPEN} others began; send ROLLBACK and \
                 begin again"
            )));
        }
        let Some(at) = all.open.iter().position(|(of, _)| *of == owner) else {
            return Ok(None);
        };
        match all.open.remove(at) {
            Some((_, Some(transaction))) => {
                all.open.push_back((owner, None));
                Ok(Some((Claim { of: self, owner }, transaction)))
            }
            _ => {
                all.open.push_back((owner, None));
                Err(DfOlapError::Invalid(
                    "another call of this transaction has not ended; wait for it".into(),
                ))
            }
        }
    }

    /// Ends what the caller began.
    pub fn roll_back(&self) {
        self.0.lock().forget(Owner::current());
    }
}

/// The place of a transaction that a call has taken. If the call is dropped, the transaction is rolled back: nobody
/// knows how far the call came.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    of: &'a Transactions,
    owner: Owner,
}

impl Claim<'_> {
    /// Gives the transaction back, unless it was rolled back in between.
    pub fn put_back(self, transaction: Transaction) {
        let mut all = self.of.0.lock();
        let mut places = all.open.iter_mut();
        if let Some((_, place)) = places.find(|(of, _)| *of == self.owner) {
            *place = Some(transaction);
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut all = self.of.0.lock();
        all.open
            .retain(|(of, taken)| *of != self.owner || taken.is_some());
    }
}
