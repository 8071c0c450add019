//! The optimistic loop of a write: compute, commit, and after a conflict compute again.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future;

use super::Executor;
use crate::change::{ChangeSet, Conflict};
use crate::error::DfOlapError;
use crate::snapshot::Snapshot;
use crate::store::{CommitLatch, CommitOutcome};

/// After this many conflicts a write takes the gates of its tables exclusively, so that other writers wait.
pub(super) const SHARED_ATTEMPTS: usize = 4;
/// After this many conflicts a write gives up. Other engines and compaction do not take the gates.
pub(super) const MAX_ATTEMPTS: usize = 256;

impl Executor {
    /// Computes a change and commits it; after a conflict the change is computed again on the newer snapshot. Appends
    /// of batches have a loop of their own ([`super::append`]), which starts without a refresh.
    pub(super) async fn commit<'a, T>(
        &'a self,
        tables: &BTreeSet<String>,
        latch: &Arc<CommitLatch>,
        work: impl Fn(Arc<Snapshot>) -> future::BoxFuture<'a, Result<(ChangeSet, T), DfOlapError>>,
    ) -> Result<(Arc<Snapshot>, T), DfOlapError>
    where
        T: 'a,
    {
        let gates: Vec<_> = tables.iter().map(|name| self.gates.of(name)).collect();
        let mut lost = Conflict("");
        for attempt in 0..MAX_ATTEMPTS {
            // Gates are taken in the order of their names, so that two writers cannot deadlock.
            let (mut shared, mut alone) = (Vec::new(), Vec::new());
            for gate in &gates {
                if attempt < SHARED_ATTEMPTS {
                    shared.push(gate.read().await);
                } else {
                    alone.push(gate.write().await);
                }
            }
            // A commit that lost has already replayed the newer entries; refreshing again would only lose the next
            // race.
            let base = match self.store.known().filter(|_| attempt > 0) {
                Some(known) => known,
                None => self.store.snapshot().await?,
            };
            let (change, result) = work(Arc::clone(&base)).await?;
            if change.is_empty() {
                return Ok((base, result));
            }
            match self.store.commit(&base, change, latch).await? {
                CommitOutcome::Committed(snapshot) => return Ok((snapshot, result)),
                CommitOutcome::Conflict(conflict) => lost = conflict,
            }
        }
        Err(retries_exhausted(&lost))
    }
}

pub(super) fn retries_exhausted(lost: &Conflict) -> DfOlapError {
    DfOlapError::Conflict(format!(
        "the statement lost {MAX_ATTEMPTS} races against other writers ({}); run it again",
        lost.0
    ))
}
