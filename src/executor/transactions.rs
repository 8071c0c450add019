//! The open transactions of an engine, each of the task that began it.

use std::collections::{HashMap, VecDeque};
use std::thread::{self, ThreadId};

use parking_lot::Mutex;
use tokio::sync::MutexGuard;
use tokio::task;

use super::transaction::Transaction;
use crate::error::DfOlapError;

/// How many transactions are open at once. One that is silent for longest is rolled back for another: its task may be
/// gone.
const MOST_OPEN: usize = 8;
/// How many owners are known whose transactions were rolled back without their word.
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
pub(crate) struct Transactions {
    all: Mutex<All>,
    /// For each table the number of the last commit of a transaction that wrote it. Locked during a commit.
    commits: tokio::sync::Mutex<HashMap<String, u64>>,
}

#[derive(Debug, Default)]
struct All {
    /// The one that was used last is at the end.
    open: VecDeque<Open>,
    /// Owners whose transaction was rolled back without their word, and who do not know yet.
    lost: VecDeque<Owner>,
    /// Counts transactions that begin, and their commits.
    clock: u64,
}

#[derive(Debug)]
struct Open {
    owner: Owner,
    /// When it began.
    begun: u64,
    /// `None` while a call has taken it.
    transaction: Option<Transaction>,
}

impl All {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn lose(&mut self, owner: Owner) {
        if self.lost.len() >= MOST_LOST {
            self.lost.pop_front();
        }
        self.lost.push_back(owner);
    }
}

impl Transactions {
    /// The number of a transaction that the caller begins next. It must have none that is open.
    pub fn number(&self) -> Result<u64, DfOlapError> {
        let owner = Owner::current();
        let mut all = self.all.lock();
        all.lost.retain(|of| *of != owner);
        let before = all.open.len();
        all.open.retain(|open| open.owner != owner);
        if all.open.len() < before {
            // It was cut off in the middle, or two are interleaved.
            all.lose(owner);
            return Err(DfOlapError::Conflict(
                "BEGIN within a transaction of the same task, which is rolled back; begin again"
                    .into(),
            ));
        }
        Ok(all.tick())
    }

    /// Makes a transaction the caller's.
    pub fn begin(&self, begun: u64, transaction: Transaction) {
        let mut all = self.all.lock();
        if all.open.len() >= MOST_OPEN {
            let silent = all.open.iter().position(|open| open.transaction.is_some());
            if let Some(silent) = all.open.remove(silent.unwrap_or(0)) {
                all.lose(silent.owner);
            }
        }
        all.open.push_back(Open {
            owner: Owner::current(),
            begun,
            transaction: Some(transaction),
        });
    }

    /// Takes the caller's transaction for a call; `None` if it has none.
    pub fn take(&self) -> Result<Option<(Claim<'_>, Transaction)>, DfOlapError> {
        let owner = Owner::current();
        let mut all = self.all.lock();
        if all.lost.contains(&owner) {
            return Err(DfOlapError::Conflict(format!(
                "the transaction was rolled back, because a call of it was cut off, another BEGIN came, or it was silent \
                 while {MOST_OPEN} others began; send ROLLBACK and begin again"
            )));
        }
        let Some(at) = all.open.iter().position(|open| open.owner == owner) else {
            return Ok(None);
        };
        let taken = all.open.remove(at).and_then(|mut open| {
            let transaction = open.transaction.take();
            let begun = open.begun;
            all.open.push_back(open);
            transaction.map(|transaction| (begun, transaction))
        });
        match taken {
            Some((begun, transaction)) => {
                let claim = Claim {
                    of: self,
                    owner,
                    begun,
                    is_done: false,
                };
                Ok(Some((claim, transaction)))
            }
            None => Err(DfOlapError::Invalid(
                "another call of this transaction has not ended; wait for it".into(),
            )),
        }
    }

    /// Ends what the caller began.
    pub fn roll_back(&self) {
        let owner = Owner::current();
        let mut all = self.all.lock();
        all.open.retain(|open| open.owner != owner);
        all.lost.retain(|of| *of != owner);
    }
}

/// The place of a transaction that a call has taken. If the call is dropped, the transaction is rolled back, for nobody
/// knows how far the call came, and the caller's next statement is an error.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    of: &'a Transactions,
    owner: Owner,
    begun: u64,
    is_done: bool,
}

impl<'a> Claim<'a> {
    /// Gives the transaction back, unless it was rolled back in between.
    pub fn put_back(mut self, transaction: Transaction) {
        self.is_done = true;
        let mut all = self.of.all.lock();
        let place = all.open.iter_mut().find(|open| open.begun == self.begun);
        if let Some(place) = place {
            place.transaction = Some(transaction);
        }
    }

    /// The right to commit the transaction. It is refused if another transaction that wrote one of its tables was
    /// committed since it began: that may have newer rows.
    pub async fn commit(mut self, transaction: &Transaction) -> Result<Commit<'a>, DfOlapError> {
        let commits = self.of.commits.lock().await;
        self.is_done = true;
        if !self.forget() {
            return Err(DfOlapError::Conflict(
                "the transaction was rolled back for others before its commit began; begin again"
                    .into(),
            ));
        }
        let tables = transaction.tables();
        let newer = |table: &&String| commits.get(*table).is_some_and(|at| *at > self.begun);
        if let Some(table) = tables.iter().find(newer) {
            return Err(DfOlapError::Conflict(format!(
                "another transaction committed changes of table {table} since this one began; begin again"
            )));
        }
        let mut commit = Commit {
            of: self.of,
            tables: tables.iter().cloned().collect(),
            commits,
        };
        // It counts if nobody waits for its end.
        commit.count();
        Ok(commit)
    }

    /// Says whether it was there.
    fn forget(&self) -> bool {
        let mut all = self.of.all.lock();
        let before = all.open.len();
        all.open.retain(|open| open.begun != self.begun);
        all.open.len() < before
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.forget();
            self.of.all.lock().lose(self.owner);
        }
    }
}

/// The commit of a transaction; others wait for its end.
#[derive(Debug)]
pub(crate) struct Commit<'a> {
    of: &'a Transactions,
    tables: Vec<String>,
    commits: MutexGuard<'a, HashMap<String, u64>>,
}

impl Commit<'_> {
    fn count(&mut self) {
        let now = self.of.all.lock().tick();
        let tables = self.tables.iter().cloned();
        self.commits.extend(tables.map(|table| (table, now)));
    }
}

impl Drop for Commit<'_> {
    fn drop(&mut self) {
        // Also for transactions that began during the commit.
        self.count();
    }
}
