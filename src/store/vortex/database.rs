//! [`Database`]: the state of a durable database, replayed from the log, and the only code that appends to the log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Weak};

use std::time::Duration;

use arc_swap::ArcSwap;
use futures::FutureExt;
use futures::channel::oneshot;
use parking_lot::Mutex;
use uuid::Uuid;

use super::checkpoints::Checkpoints;
use super::format::blobs::Damage;
use super::format::ipc::Ipc;
use super::format::{checkpoint, entry};
use super::scan::Scans;
use crate::change::ChangeSet;
use crate::error::DfOlapError;
use crate::options::CompactionPolicy;
use crate::runtime::{self, Instant};
use crate::snapshot::{Snapshot, Version};
use crate::store::log::{Appended, CommitId, Entry, Kind, Log};
use crate::store::tidy::tidy;
use crate::store::{CommitLatch, CommitOutcome};

pub(super) struct Database {
    /// The name of the database in messages.
    pub name: String,
    pub log: Log,
    pub scans: Scans,
    pub policy: CompactionPolicy,
    ipc: Ipc,
    current: ArcSwap<State>,
    /// Guards appending to the log and replaying the entries of others.
    commit_lock: tokio::sync::Mutex<CommitState>,
    waiting: Mutex<Vec<Waiting>>,
    checkpoints: Checkpoints,
    /// True while a task compacts in the background.
    pub compacting: AtomicBool,
    /// The calls that compact: the background leaves it to them, because one of two would write its files in vain.
    pub compaction_calls: AtomicUsize,
    /// Snapshots that readers may hold.
    live: Mutex<Vec<Weak<Snapshot>>>,
    /// When the log was last read for commits of other processes.
    last_refresh: Mutex<Instant>,
}

/// The state of the database at one version.
pub(super) struct State {
    pub database: Uuid,
    pub snapshot: Arc<Snapshot>,
    /// When the version was committed, in microseconds since 1970.
    pub time_us: i64,
}

#[derive(Default)]
struct CommitState {
    /// The version and the id of a commit whose outcome is unknown.
    unsettled: Option<(u64, CommitId)>,
    /// The outcomes of settled commits.
    settled: HashMap<CommitId, Option<Version>>,
}

/// A change that waits to be committed.
struct Waiting {
    base: Arc<Snapshot>,
    change: ChangeSet,
    latch: Arc<CommitLatch>,
    answer: oneshot::Sender<Result<CommitOutcome, DfOlapError>>,
}

/// The most bytes of several writers' changes that share one entry.
const MAX_TOGETHER_BYTES: u64 = 8 << 20;

/// How many of the waiting changes fit into one entry; at least the first, whatever its size.
fn group_commit_len(waiting: &[Waiting]) -> usize {
    let mut bytes = 0;
    let fit = waiting.iter().take_while(|waiting| {
        bytes += waiting.change.memory_bytes();
        bytes <= MAX_TOGETHER_BYTES
    });
    fit.count().max(1).min(waiting.len())
}

impl Database {
    pub fn new(name: String, log: Log, scans: Scans, policy: CompactionPolicy) -> Self {
        let state = State {
            database: Uuid::nil(),
            snapshot: Arc::default(),
            time_us: 0,
        };
        let checkpoints = Checkpoints::new(scans.files.is_local());
        Self {
            name,
            log,
            scans,
            policy,
            ipc: Ipc::default(),
            current: ArcSwap::from_pointee(state),
            commit_lock: tokio::sync::Mutex::default(),
            waiting: Mutex::default(),
            checkpoints,
            compacting: AtomicBool::new(false),
            compaction_calls: AtomicUsize::new(0),
            live: Mutex::default(),
            last_refresh: Mutex::new(runtime::now()),
        }
    }

    pub fn damaged(&self, kind: Kind, version: u64, Damage(how): Damage) -> DfOlapError {
        DfOlapError::Corrupt(format!(
            "{} is damaged: {how}",
            self.log.name_of(kind, version)
        ))
    }

    /// Replays the log, or creates the log if there is none.
    pub async fn open(&self) -> Result<(), DfOlapError> {
        let Some(opened) = self.log.open().await? else {
            return self.begin().await;
        };
        let mut state = match &opened.checkpoint {
            Some(checkpoint) => {
                let version = checkpoint.version;
                self.checkpoints.made(version, checkpoint.body.len());
                let decoded = checkpoint::decode(version, &checkpoint.body);
                let decoded = decoded.map_err(|e| self.damaged(Kind::Checkpoint, version, e));
                let (database, snapshot) = decoded?;
                Some(State {
                    database,
                    snapshot: Arc::new(snapshot),
                    time_us: checkpoint.time_us,
                })
            }
            None => None,
        };
        for entry in &opened.entries {
            state = Some(self.after(state.as_ref(), entry)?);
            self.checkpoints.add(entry);
        }
        if let Some(state) = state {
            self.publish(state);
        }
        Ok(())
    }

    async fn begin(&self) -> Result<(), DfOlapError> {
        let database = Uuid::new_v4();
        let body = entry::encode_birth(&self.ipc, database);
        let body = body.map_err(|Damage(error)| DfOlapError::Other(error))?;
        let first = Entry {
            kind: Kind::Entry,
            version: 0,
            id: CommitId::fresh(),
            time_us: chrono::Utc::now().timestamp_micros(),
            body,
        };
        let first = match self.log.append(&first).await? {
            Appended::Won => {
                self.log.check_creation(&first).await?;
                first
            }
            Appended::Lost(other) => other,
        };
        self.publish(self.after(None, &first)?);
        Ok(())
    }

    /// Publishes the state after the next entry, which another process wrote.
    fn replay(&self, state: &State, entry: &Entry) -> Result<(), DfOlapError> {
        self.publish(self.after(Some(state), entry)?);
        self.checkpoints.add(entry);
        Ok(())
    }

    /// The state after an entry is replayed on `state`; for the first entry `state` is `None`.
    pub fn after(&self, state: Option<&State>, entry: &Entry) -> Result<State, DfOlapError> {
        let damaged = |error| self.damaged(Kind::Entry, entry.version, error);
        match state {
            None => Ok(State {
                database: entry::database(&entry.body).map_err(damaged)?,
                snapshot: Arc::default(),
                time_us: entry.time_us,
            }),
            Some(state) => Ok(State {
                database: state.database,
                snapshot: Arc::new(entry::replay(&entry.body, &state.snapshot).map_err(damaged)?),
                time_us: entry.time_us,
            }),
        }
    }

    /// The version of a commit; `None` if the commit was never stored and never will be. The log is searched back to
    /// the oldest retained version only.
    pub async fn outcome(&self, id: CommitId) -> Result<Option<Version>, DfOlapError> {
        {
            let mut commit_state = self.commit_lock.lock().await;
            self.settle(&mut commit_state).await?;
            if let Some(known) = commit_state.settled.get(&id) {
                return Ok(*known);
            }
        }
        self.refresh().await?;
        let now = self.snapshot();
        for version in (now.oldest.0..=now.version.0).rev() {
            let entry = self.log.read_existing(version, Kind::Entry).await?;
            if entry.id == id {
                return Ok(Some(Version(version)));
            }
        }
        Ok(None)
    }

    /// True if the log was last read for commits of other processes at least `time` ago.
    pub fn is_refresh_older_than(&self, time: Duration) -> bool {
        runtime::now().duration_since(*self.last_refresh.lock()) >= time
    }

    /// Replays the commits of other processes.
    pub async fn refresh(&self) -> Result<(), DfOlapError> {
        *self.last_refresh.lock() = runtime::now();
        let next = self.current.load().snapshot.version.0 + 1;
        if self.log.entry(next).await?.is_none() {
            return Ok(());
        }
        let _guard = self.commit_lock.lock().await;
        self.catch_up().await
    }

    /// [`refresh`](Self::refresh) for a caller that holds `commit_lock`.
    async fn catch_up(&self) -> Result<(), DfOlapError> {
        loop {
            let state = self.current.load_full();
            let next = state.snapshot.version.0 + 1;
            let Some(entry) = self.log.entry(next).await? else {
                return Ok(());
            };
            self.replay(&state, &entry)?;
        }
    }

    /// Makes a state the current one.
    fn publish(&self, state: State) {
        self.note_live(&state.snapshot);
        self.current.store(Arc::new(state));
    }

    /// Registers a snapshot as one that readers may hold, until the last of its references is dropped.
    pub fn note_live(&self, snapshot: &Arc<Snapshot>) {
        let mut live = self.live.lock();
        live.retain(|other| other.strong_count() > 0);
        live.push(Arc::downgrade(snapshot));
    }

    /// The oldest version that a reader in this process may hold.
    pub fn oldest_live(&self) -> Version {
        let live = self.live.lock();
        let held = live.iter().filter_map(Weak::upgrade);
        let oldest = held.map(|snapshot| snapshot.version).min();
        oldest.unwrap_or_else(|| self.snapshot().version)
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.load().snapshot)
    }

    pub async fn commit(
        self: &Arc<Self>,
        base: &Arc<Snapshot>,
        change: ChangeSet,
        latch: &Arc<CommitLatch>,
    ) -> Result<CommitOutcome, DfOlapError> {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().push(Waiting {
            base: Arc::clone(base),
            change,
            latch: Arc::clone(latch),
            answer,
        });
        // A commit that need not wait is done inline; any other commit goes on in a task, even if the caller is
        // dropped.
        let mut task = Box::pin(Arc::clone(self).commit_waiting());
        if task.as_mut().now_or_never().is_none() {
            runtime::spawn(task);
        }
        if let Ok(outcome) = answered.await {
            self.checkpoints.give_way().await;
            return outcome;
        }
        // The task was dropped with its runtime. Its commit, if begun, has an unknown outcome until the commit is
        // settled.
        match self.commit_lock.lock().await.unsettled {
            Some((version, CommitId(id))) => Err(DfOlapError::CommitUnknown { id, version }),
            None => Err(DfOlapError::Join(format!(
                "{}: the task that commits ended without an answer; see whether the change is there before it is repeated",
                self.name
            ))),
        }
    }

    /// Commits as many waiting changes as fit into one entry; each change that is left has a task of its own. Does
    /// nothing if other tasks have already taken all changes.
    async fn commit_waiting(self: Arc<Self>) {
        let mut commit_state = self.commit_lock.lock().await;
        let mut waiting: Vec<Waiting> = {
            let mut all = self.waiting.lock();
            let len = group_commit_len(&all);
            all.drain(..len).collect()
        };
        if waiting.is_empty() {
            return;
        }
        let outcome = self.commit_together(&mut commit_state, &mut waiting).await;
        for change in waiting {
            let outcome = match &outcome {
                Ok(snapshot) => Ok(CommitOutcome::Committed(Arc::clone(snapshot))),
                Err(error) => Err(error.duplicate()),
            };
            let _ = change.answer.send(outcome);
        }
    }

    /// Commits `waiting`. Changes that conflict are answered and removed from `waiting`.
    async fn commit_together(
        self: &Arc<Self>,
        commit_state: &mut CommitState,
        waiting: &mut Vec<Waiting>,
    ) -> Result<Arc<Snapshot>, DfOlapError> {
        self.settle(commit_state).await?;
        let id = CommitId::fresh();
        let mut is_behind = false;
        loop {
            // Statements that were stopped or dropped meanwhile change nothing.
            waiting.retain(|w| !w.answer.is_canceled() && w.latch.begin_commit());
            let state = self.current.load_full();
            let mut next = state.snapshot.as_ref().clone();
            let version = Version(next.version.0 + 1);
            let mut merges = Vec::new();
            let mut refused = Vec::new();
            for (place, change) in waiting.iter().enumerate() {
                match change.change.apply_as(version, &change.base, &next) {
                    Ok(applied) => {
                        next = applied;
                    }
                    Err(conflict) => refused.push((place, conflict)),
                }
            }
            for (place, conflict) in refused.into_iter().rev() {
                let change = waiting.remove(place);
                change.latch.end_commit();
                let _ = change.answer.send(Ok(CommitOutcome::Conflict(conflict)));
            }
            if waiting.is_empty() {
                return Ok(Arc::clone(&state.snapshot));
            }
            for change in waiting.iter() {
                merges.extend(tidy(&mut next, &change.change)?);
            }
            let changes = waiting.iter().map(|change| &change.change);
            let body = entry::encode(&self.ipc, changes, &merges);
            let entry = Entry {
                kind: Kind::Entry,
                version: version.0,
                id,
                // Times increase with versions, even if the clock goes back.
                time_us: chrono::Utc::now().timestamp_micros().max(state.time_us + 1),
                body: body.map_err(|Damage(error)| DfOlapError::Other(error))?,
            };
            commit_state.unsettled = Some((version.0, id));
            match self.log.append(&entry).await {
                Ok(Appended::Won) => {
                    commit_state.unsettled = None;
                    let snapshot = Arc::new(next);
                    self.publish(State {
                        database: state.database,
                        snapshot: Arc::clone(&snapshot),
                        time_us: entry.time_us,
                    });
                    self.make_checkpoint_if_due(&entry);
                    return Ok(snapshot);
                }
                Ok(Appended::Lost(other)) => {
                    waiting.iter().for_each(|w| w.latch.end_commit());
                    commit_state.unsettled = None;
                    self.replay(&state, &other)?;
                    // Usually one entry was missed, so retry at once; after a second loss, read the log to its end
                    // first.
                    if is_behind {
                        self.catch_up().await?;
                    }
                    is_behind = true;
                }
                Err(error @ DfOlapError::CommitUnknown { .. }) => return Err(error),
                Err(error) => {
                    commit_state.unsettled = None;
                    return Err(error);
                }
            }
        }
    }

    /// Settles the commit of unknown outcome, if there is one, and replays the new entries of the log.
    async fn settle(&self, commit_state: &mut CommitState) -> Result<(), DfOlapError> {
        let Some((version, id)) = commit_state.unsettled else {
            return Ok(());
        };
        let Some(was_made) = self.log.settle(version, id).await else {
            return Err(DfOlapError::Unavailable(format!(
                "{}: an earlier commit is not settled yet, because storage cannot be reached",
                self.name
            )));
        };
        commit_state
            .settled
            .insert(id, was_made.then_some(Version(version)));
        commit_state.unsettled = None;
        self.catch_up().await
    }

    /// Makes a checkpoint of the version of `entry`, which this process wrote, in the background, if one is due.
    fn make_checkpoint_if_due(self: &Arc<Self>, entry: &Entry) {
        self.checkpoints.add(entry);
        if !self.checkpoints.begin(entry.version) {
            return;
        }
        let (shared, state) = (Arc::clone(self), self.current.load_full());
        let (version, id, time_us) = (entry.version, entry.id, entry.time_us);
        runtime::spawn(async move {
            let kept = async {
                let body = checkpoint::encode(&shared.ipc, state.database, &state.snapshot);
                let body = body.map_err(|Damage(error)| DfOlapError::Other(error))?;
                shared.checkpoints.made(version, body.len());
                let checkpoint = Entry {
                    kind: Kind::Checkpoint,
                    version,
                    id,
                    time_us,
                    body,
                };
                shared.log.write_checkpoint(&checkpoint).await
            };
            if let Err(error) = kept.await {
                // No entry is lost; without the checkpoint only opening takes longer.
                tracing::warn!(database = shared.name, version, %error, "no checkpoint was made");
            }
        });
    }
}
