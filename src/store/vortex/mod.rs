//! The durable store: immutable Vortex files and a commit log, in a folder or below a prefix of an object store.
//!
//! # What lies where
//! - `_log/`: the entries and checkpoints of [`crate::store::log`]. An entry is one commit of the whole database; what it says
//!   stands in [`entry`].
//! - `<table's id>/<fragment's id>.vortex`: rows that were too many to ride inside an entry.
//!
//! # What is guaranteed
//! - V1 A snapshot is what the entries up to its version say, and nothing else: no folder is listed to find data.
//! - V2 A commit is one entry. Changes that wait at the same time share one, and succeed or fail each for itself.
//! - V3 A commit that was begun is carried to its end in a task of its own, whatever becomes of who asked for it.
//! - V4 While a commit's outcome is unknown, nothing else is committed: it is settled first.

mod checkpoint;
mod codec;
mod entry;
mod expr;
mod files;
mod read;
mod scan;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::ExecutionPlan;
use futures::channel::oneshot;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use uuid::Uuid;
use vortex::VortexSessionDefault;
use vortex::io::session::RuntimeSessionExt;
use vortex::session::VortexSession;

use self::codec::Damage;
use self::files::{DataFiles, LocalFiles};
use self::read::Failures;
use self::scan::Scans;
use self::write::{Writer, check_types};
use super::disk::{Disk, Files};
use super::log::{Appended, CommitId, Entry, Kind, LocalMedium, Log, Patience};
use super::tidy::tidy;
use super::{CommitOutcome, FileScan, Store};
use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::fragment::Fragment;
use crate::runtime;
use crate::snapshot::{Snapshot, Table, Version};

const LOG_FOLDER: &str = "_log";

/// How a durable store behaves.
#[derive(Debug, Clone)]
pub(crate) struct VortexSettings {
    /// False trades durability away: a loss of power may take the last commits, or leave a database that cannot be opened.
    pub synced: bool,
}

impl Default for VortexSettings {
    fn default() -> Self {
        Self { synced: true }
    }
}

pub(crate) struct VortexStore {
    shared: Arc<Shared>,
    opened: tokio::sync::OnceCell<()>,
}

impl std::fmt::Debug for VortexStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VortexStore")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}

struct Shared {
    /// What the database is called in messages.
    name: String,
    log: Log,
    scans: Scans,
    current: ArcSwap<State>,
    /// Who holds this may put an entry into the log, or take over what others put there.
    turn: tokio::sync::Mutex<Turn>,
    waiting: Mutex<Vec<Waiting>>,
    /// The version at which the next checkpoint is due.
    next_checkpoint: AtomicU64,
}

/// What is known of the log.
struct State {
    database: Uuid,
    snapshot: Arc<Snapshot>,
}

#[derive(Default)]
struct Turn {
    /// A commit that may have taken a version or not.
    unsettled: Option<(u64, CommitId)>,
}

/// A change that wants to be committed.
struct Waiting {
    base: Arc<Snapshot>,
    change: ChangeSet,
    answer: oneshot::Sender<Result<CommitOutcome, DfOlapError>>,
}

impl VortexStore {
    /// A store in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// Where the folder cannot be made or written to.
    pub fn local(
        folder: &Path,
        settings: &VortexSettings,
        runtime: &RuntimeEnv,
    ) -> Result<Self, DfOlapError> {
        let files: Arc<dyn Files> = Arc::new(Disk);
        prepare_folder(folder, settings.synced)?;
        let log_folder = folder.join(LOG_FOLDER);
        let name = log_folder.display().to_string();
        let medium = LocalMedium::new(Arc::clone(&files), log_folder, settings.synced);
        let log = Log::new(Arc::new(medium), name, Patience::default());
        let local = LocalFiles::new(files, folder.to_path_buf(), settings.synced);
        let files = DataFiles::Local(Arc::new(local));
        Ok(Self::new(folder.display().to_string(), log, files, runtime))
    }

    fn new(name: String, log: Log, files: DataFiles, runtime: &RuntimeEnv) -> Self {
        let session = VortexSession::default().with_tokio();
        // DataFusion asks for a store by the URL of a scan; the reader of its files asks no one but us.
        let url = ObjectStoreUrl::parse(format!("rhei-files://{}", Uuid::new_v4()))
            .unwrap_or_else(|_| ObjectStoreUrl::local_filesystem());
        let nothing = Arc::new(object_store::memory::InMemory::new());
        runtime.register_object_store(url.as_ref(), nothing);
        let state = State {
            database: Uuid::nil(),
            snapshot: Arc::default(),
        };
        Self {
            shared: Arc::new(Shared {
                name,
                log,
                scans: Scans {
                    files,
                    session,
                    url,
                    failures: Failures::default(),
                },
                current: ArcSwap::from_pointee(state),
                turn: tokio::sync::Mutex::default(),
                waiting: Mutex::default(),
                next_checkpoint: AtomicU64::new(CHECKPOINT_EVERY),
            }),
            opened: tokio::sync::OnceCell::new(),
        }
    }

    async fn opened(&self) -> Result<&Arc<Shared>, DfOlapError> {
        let open = || self.shared.open();
        self.opened.get_or_try_init(open).await?;
        Ok(&self.shared)
    }
}

/// Makes the folders of a database and sees whether it can be written to.
fn prepare_folder(folder: &Path, synced: bool) -> Result<(), DfOlapError> {
    let unusable = |what: &str, error: std::io::Error| {
        DfOlapError::StorageConfig(format!("{what} {}: {error}", folder.display()))
    };
    if folder.exists() && !folder.is_dir() {
        return Err(DfOlapError::StorageConfig(format!(
            "{} is a file; give a folder",
            folder.display()
        )));
    }
    let absolute = std::path::absolute(folder).map_err(|e| unusable("cannot find", e))?;
    let log = absolute.join(LOG_FOLDER);
    let missing: Vec<PathBuf> = log
        .ancestors()
        .take_while(|path| !path.exists())
        .map(Path::to_path_buf)
        .collect();
    std::fs::create_dir_all(&log).map_err(|e| unusable("cannot make", e))?;
    if synced {
        for made in missing.iter().rev() {
            if let Some(parent) = made.parent() {
                let synced = Disk.sync_folder(parent);
                synced.map_err(|e| unusable("cannot sync the parents of", e))?;
            }
        }
    }
    let probe = log.join(format!(".new-{}", Uuid::new_v4()));
    let probed = Disk.write_new(&probe, b"", false);
    probed
        .and_then(|()| Disk.remove(&probe))
        .map_err(|e| unusable("cannot write to", e))
}

#[async_trait]
impl Store for VortexStore {
    async fn snapshot(&self) -> Result<Arc<Snapshot>, DfOlapError> {
        let shared = self.opened().await?;
        shared.refresh().await?;
        Ok(Arc::clone(&shared.current.load().snapshot))
    }

    async fn write(
        &self,
        table: &Table,
        rows: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<Vec<Arc<Fragment>>, DfOlapError> {
        let scans = &self.shared.scans;
        let writer = Writer {
            files: &scans.files,
            session: &scans.session,
            folder: table.id.0.to_string(),
        };
        writer.write(&table.definition, rows).await
    }

    async fn commit(
        &self,
        base: &Arc<Snapshot>,
        change: ChangeSet,
    ) -> Result<CommitOutcome, DfOlapError> {
        let shared = self.opened().await?;
        for action in &change.actions {
            if let Action::CreateTable { definition, .. } | Action::Define { definition, .. } =
                action
            {
                check_types(&shared.scans.session, definition)?;
            }
        }
        let (answer, answered) = oneshot::channel();
        shared.waiting.lock().push(Waiting {
            base: Arc::clone(base),
            change,
            answer,
        });
        let task = Arc::clone(shared);
        runtime::spawn(async move { task.commit_waiting().await });
        answered.await.unwrap_or_else(|_| {
            Err(DfOlapError::Unavailable(format!(
                "{}: the task that commits ended without an answer; run the statement again",
                shared.name
            )))
        })
    }

    fn cause(&self, error: DfOlapError) -> DfOlapError {
        self.shared.scans.failures.cause(error)
    }

    fn scan(&self, files: FileScan<'_>) -> Result<Arc<dyn ExecutionPlan>, DfOlapError> {
        Ok(self.shared.scans.plan(&files)?)
    }
}

/// After how many entries a checkpoint is made of a small state; of a large one it is made in proportion less often.
const CHECKPOINT_EVERY: u64 = 16;
const SMALL_CHECKPOINT_BYTES: u64 = 1 << 20;
const MAX_CHECKPOINT_EVERY: u64 = 1024;

impl Shared {
    fn damaged(&self, kind: Kind, version: u64, Damage(how): Damage) -> DfOlapError {
        DfOlapError::Corrupt(format!(
            "{} is damaged: {how}",
            self.log.name_of(kind, version)
        ))
    }

    /// Takes over what the log says, and begins it where there is none.
    async fn open(&self) -> Result<(), DfOlapError> {
        let Some(opened) = self.log.open().await? else {
            return self.begin().await;
        };
        let mut state = match &opened.checkpoint {
            Some(checkpoint) => {
                let version = checkpoint.version;
                self.checkpointed(version, checkpoint.body.len() as u64);
                let decoded = checkpoint::decode(version, &checkpoint.body);
                let decoded = decoded.map_err(|e| self.damaged(Kind::Checkpoint, version, e));
                let (database, snapshot) = decoded?;
                Some(State {
                    database,
                    snapshot: Arc::new(snapshot),
                })
            }
            None => None,
        };
        for entry in &opened.entries {
            state = Some(self.after(state.as_ref(), entry)?);
        }
        if let Some(state) = state {
            self.current.store(Arc::new(state));
        }
        Ok(())
    }

    async fn begin(&self) -> Result<(), DfOlapError> {
        let database = Uuid::new_v4();
        let body = entry::encode_birth(database).map_err(|Damage(e)| DfOlapError::Other(e))?;
        let first = Entry {
            kind: Kind::Entry,
            version: 0,
            id: CommitId::fresh(),
            time_us: chrono::Utc::now().timestamp_micros(),
            body,
        };
        let first = match self.log.append(&first).await? {
            Appended::Won => first,
            Appended::Lost(other) => other,
        };
        let state = self.after(None, &first)?;
        self.current.store(Arc::new(state));
        Ok(())
    }

    /// The state after an entry that follows `state`; the first entry follows none.
    fn after(&self, state: Option<&State>, entry: &Entry) -> Result<State, DfOlapError> {
        let damaged = |error| self.damaged(Kind::Entry, entry.version, error);
        match state {
            None => Ok(State {
                database: entry::database(&entry.body).map_err(damaged)?,
                snapshot: Arc::default(),
            }),
            Some(state) => Ok(State {
                database: state.database,
                snapshot: Arc::new(entry::replay(&entry.body, &state.snapshot).map_err(damaged)?),
            }),
        }
    }

    /// Takes over what other processes committed.
    async fn refresh(&self) -> Result<(), DfOlapError> {
        let next = self.current.load().snapshot.version.0 + 1;
        if self.log.entry(next).await?.is_none() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        self.catch_up().await
    }

    /// The same for who has the turn.
    async fn catch_up(&self) -> Result<(), DfOlapError> {
        loop {
            let state = self.current.load_full();
            let next = state.snapshot.version.0 + 1;
            let Some(entry) = self.log.entry(next).await? else {
                return Ok(());
            };
            self.current
                .store(Arc::new(self.after(Some(&state), &entry)?));
        }
    }

    /// Commits all changes that wait, in one entry. Finds nothing to do where another task was quicker.
    async fn commit_waiting(self: Arc<Self>) {
        let mut turn = self.turn.lock().await;
        let mut waiting = std::mem::take(&mut *self.waiting.lock());
        if waiting.is_empty() {
            return;
        }
        let outcome = self.commit_together(&mut turn, &mut waiting).await;
        for change in waiting {
            let outcome = match &outcome {
                Ok(snapshot) => Ok(CommitOutcome::Committed(Arc::clone(snapshot))),
                Err(error) => Err(error.again()),
            };
            let _ = change.answer.send(outcome);
        }
    }

    /// Commits `waiting`, from which those are taken and answered whose change cannot be made any more.
    async fn commit_together(
        self: &Arc<Self>,
        turn: &mut Turn,
        waiting: &mut Vec<Waiting>,
    ) -> Result<Arc<Snapshot>, DfOlapError> {
        self.settle(turn).await?;
        let id = CommitId::fresh();
        loop {
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
                let _ = change.answer.send(Ok(CommitOutcome::Conflict(conflict)));
            }
            if waiting.is_empty() {
                return Ok(Arc::clone(&state.snapshot));
            }
            for change in waiting.iter() {
                merges.extend(tidy(&mut next, &change.change)?);
            }
            let changes = waiting.iter().map(|change| &change.change);
            let body = entry::encode(changes, &merges);
            let entry = Entry {
                kind: Kind::Entry,
                version: version.0,
                id,
                time_us: chrono::Utc::now().timestamp_micros(),
                body: body.map_err(|Damage(error)| DfOlapError::Other(error))?,
            };
            turn.unsettled = Some((version.0, id));
            match self.log.append(&entry).await {
                Ok(Appended::Won) => {
                    turn.unsettled = None;
                    let snapshot = Arc::new(next);
                    self.current.store(Arc::new(State {
                        database: state.database,
                        snapshot: Arc::clone(&snapshot),
                    }));
                    self.make_checkpoint(&entry);
                    return Ok(snapshot);
                }
                Ok(Appended::Lost(other)) => {
                    turn.unsettled = None;
                    self.current
                        .store(Arc::new(self.after(Some(&state), &other)?));
                    self.catch_up().await?;
                }
                Err(error @ DfOlapError::CommitUnknown { .. }) => return Err(error),
                Err(error) => {
                    turn.unsettled = None;
                    return Err(error);
                }
            }
        }
    }

    /// Finds out what became of a commit that may have taken a version, and takes over what the log says.
    async fn settle(&self, turn: &mut Turn) -> Result<(), DfOlapError> {
        let Some((version, id)) = turn.unsettled else {
            return Ok(());
        };
        if self.log.settle(version, id).await.is_none() {
            return Err(DfOlapError::Unavailable(format!(
                "{}: an earlier commit is not settled yet, because storage cannot be reached",
                self.name
            )));
        }
        turn.unsettled = None;
        self.catch_up().await
    }

    /// Keeps the state of the version of `entry` where that is due, in the background.
    fn make_checkpoint(self: &Arc<Self>, entry: &Entry) {
        if entry.version < self.next_checkpoint.load(Ordering::Relaxed) {
            return;
        }
        let every = CHECKPOINT_EVERY;
        self.next_checkpoint
            .store(entry.version + every, Ordering::Relaxed);
        let (shared, state) = (Arc::clone(self), self.current.load_full());
        let (version, id, time_us) = (entry.version, entry.id, entry.time_us);
        runtime::spawn(async move {
            let kept = async {
                let body = checkpoint::encode(state.database, &state.snapshot);
                let body = body.map_err(|Damage(error)| DfOlapError::Other(error))?;
                shared.checkpointed(version, body.len() as u64);
                let checkpoint = Entry {
                    kind: Kind::Checkpoint,
                    version,
                    id,
                    time_us,
                    body,
                };
                shared.log.keep(&checkpoint).await
            };
            if let Err(error) = kept.await {
                // The entries are all there; only opening takes longer.
                tracing::warn!(database = shared.name, version, %error, "no checkpoint was made");
            }
        });
    }

    /// Notes that there is a checkpoint of so many bytes.
    fn checkpointed(&self, version: u64, bytes: u64) {
        let times = (bytes / SMALL_CHECKPOINT_BYTES).max(1);
        let every = (CHECKPOINT_EVERY * times).min(MAX_CHECKPOINT_EVERY);
        self.next_checkpoint
            .fetch_max(version + every, Ordering::Relaxed);
    }
}
