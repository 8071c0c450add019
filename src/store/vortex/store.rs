//! [`VortexStore`]: the [`Store`] of a durable database, on a disk or in a bucket.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::BoxStream;
use object_store::ObjectStore;
use url::Url;
use uuid::Uuid;
use vortex::VortexSessionDefault;
use vortex::io::session::RuntimeSessionExt;
use vortex::session::VortexSession;

use super::compact::When;
use super::database::Database;
#[cfg(feature = "cloud-storage")]
use super::files::patient::TimeoutStore;
#[cfg(feature = "cloud-storage")]
use super::files::s3;
use super::files::{DataFiles, LocalFiles};
use super::read::{Failures, OpenedFiles};
use super::scan::Scans;
use super::write::{Writer, check_types};
use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::fragment::{ColumnId, Fragment, KeysFile};
use crate::key_index::digest::Wanted;
use crate::options::{Durability, Refresh};
use crate::snapshot::{Snapshot, Table, TableDefinition, Version};
use crate::storage::VortexLocation;
use crate::store::disk::{Disk, Files, TEMP_PREFIX};
#[cfg(feature = "cloud-storage")]
use crate::store::log::ObjectMedium;
use crate::store::log::{CommitId, LocalMedium, Log};
use crate::store::settings::VortexSettings;
use crate::store::{CommitLatch, CommitOutcome, FileScan, Found, Store, Upkeep};
use crate::upkeep::{
    At, Compaction, OnProgress, Vacuum, VacuumOptions, Verification, VersionEntry,
};

const LOG_FOLDER: &str = "_log";
/// The timeout of a request for a data file, as a multiple of the timeout of a request of the log.
#[cfg(feature = "cloud-storage")]
const TIMES_FOR_A_PART: u32 = 6;

/// Opens the database at `location`. `stores` are the object stores that the caller registered, with the URLs of
/// their buckets.
///
/// # Errors
/// Where the location or a setting cannot be used.
pub(crate) fn open(
    location: &VortexLocation,
    settings: &VortexSettings,
    stores: &[(Url, Arc<dyn ObjectStore>)],
    runtime: &RuntimeEnv,
) -> Result<Arc<dyn Store>, DfOlapError> {
    match location {
        VortexLocation::Local { base_path } => {
            // A folder needs no object store.
            let _ = stores;
            Ok(Arc::new(VortexStore::local(base_path, settings, runtime)?))
        }
        #[cfg(feature = "cloud-storage")]
        VortexLocation::S3 { url } => {
            let known = known_store(stores, url);
            Ok(Arc::new(VortexStore::s3(url, settings, known, runtime)?))
        }
    }
}

/// The registered object store of the bucket of a URL.
#[cfg(feature = "cloud-storage")]
fn known_store(stores: &[(Url, Arc<dyn ObjectStore>)], url: &str) -> Option<Arc<dyn ObjectStore>> {
    let url = Url::parse(url).ok()?;
    let same = |known: &Url| known.scheme() == url.scheme() && known.host() == url.host();
    let mut newest_first = stores.iter().rev();
    let (_, store) = newest_first.find(|(known, _)| same(known))?;
    Some(Arc::clone(store))
}

pub(crate) struct VortexStore {
    database: Arc<Database>,
    opened: tokio::sync::OnceCell<()>,
    refresh: Refresh,
}

impl std::fmt::Debug for VortexStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VortexStore")
            .field("name", &self.database.name)
            .finish_non_exhaustive()
    }
}

impl VortexStore {
    /// A store in a folder, which is created if it does not exist.
    ///
    /// # Errors
    /// Where the folder cannot be created or written to.
    pub fn local(
        folder: &Path,
        settings: &VortexSettings,
        runtime: &RuntimeEnv,
    ) -> Result<Self, DfOlapError> {
        prepare_folder(folder, settings.durability == Durability::Synced)?;
        Ok(Self::on_files(Arc::new(Disk), folder, settings, runtime))
    }

    /// A store in an existing folder that has a folder for the log.
    pub fn on_files(
        files: Arc<dyn Files>,
        folder: &Path,
        settings: &VortexSettings,
        runtime: &RuntimeEnv,
    ) -> Self {
        let synced = settings.durability == Durability::Synced;
        let log_folder = folder.join(LOG_FOLDER);
        let name = log_folder.display().to_string();
        let medium = LocalMedium::new(Arc::clone(&files), log_folder, synced);
        let log = Log::new(Arc::new(medium), name, settings.patience.clone());
        let local = LocalFiles::new(files, folder.to_path_buf(), synced);
        let files = DataFiles::Local(Arc::new(local));
        let name = folder.display().to_string();
        Self::new(name, log, files, settings, runtime)
    }

    /// A store in an S3 bucket. `known` is the object store that the caller registered for the bucket, if there is
    /// one.
    ///
    /// # Errors
    /// Where the URL or a setting cannot be used.
    #[cfg(feature = "cloud-storage")]
    pub fn s3(
        url: &str,
        settings: &VortexSettings,
        known: Option<Arc<dyn ObjectStore>>,
        runtime: &RuntimeEnv,
    ) -> Result<Self, DfOlapError> {
        let parsed = Url::parse(url)?;
        let clients = match known {
            Some(store) => s3::Clients {
                log_store: Arc::clone(&store),
                store,
                prefix: s3::prefix(&parsed)?,
            },
            None => s3::connect(&parsed, &settings.s3)?,
        };
        let name = url.trim_end_matches('/').to_string();
        let s3::Clients {
            store,
            log_store,
            prefix,
        } = clients;
        let name_of_log = format!("{name}/{LOG_FOLDER}");
        let medium = ObjectMedium::new(log_store, prefix.clone().join(LOG_FOLDER));
        let log = Log::new(Arc::new(medium), name_of_log, settings.patience.clone());
        let limit = settings.patience.request_timeout * TIMES_FOR_A_PART;
        let files = DataFiles::Object {
            store: Arc::new(TimeoutStore::new(store, limit)),
            prefix,
            name: name.as_str().into(),
        };
        Ok(Self::new(name, log, files, settings, runtime))
    }

    fn new(
        name: String,
        log: Log,
        files: DataFiles,
        settings: &VortexSettings,
        runtime: &RuntimeEnv,
    ) -> Self {
        let session = VortexSession::default().with_tokio();
        // DataFusion looks up an object store by the URL of a scan, but `CheckedReaders` reads the files without it.
        let url = ObjectStoreUrl::parse(format!("rhei-files://{}", Uuid::new_v4()))
            .unwrap_or_else(|_| ObjectStoreUrl::local_filesystem());
        let nothing = Arc::new(object_store::memory::InMemory::new());
        runtime.register_object_store(url.as_ref(), nothing);
        let scans = Scans {
            files,
            session,
            url,
            failures: Failures::default(),
            opened: OpenedFiles::default(),
        };
        Self {
            database: Arc::new(Database::new(name, log, scans, settings.compaction)),
            opened: tokio::sync::OnceCell::new(),
            refresh: settings.refresh,
        }
    }

    async fn opened(&self) -> Result<&Arc<Database>, DfOlapError> {
        let open = || self.database.open();
        self.opened.get_or_try_init(open).await?;
        Ok(&self.database)
    }
}

/// Creates the folders of a database, and checks that the log's folder can be written to.
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
    let probe = log.join(format!("{TEMP_PREFIX}{}", Uuid::new_v4()));
    let probed = Disk.write_new(&probe, b"", false);
    probed
        .and_then(|()| Disk.remove(&probe))
        .map_err(|e| unusable("cannot write to", e))
}

#[async_trait]
impl Store for VortexStore {
    async fn snapshot(&self) -> Result<Arc<Snapshot>, DfOlapError> {
        let database = self.opened().await?;
        match self.refresh {
            Refresh::EveryStatement => database.refresh().await?,
            Refresh::Interval(time) if database.is_refresh_older_than(time) => {
                database.refresh().await?
            }
            Refresh::Interval(_) | Refresh::Manual => {}
        }
        Ok(database.snapshot())
    }

    fn known(&self) -> Option<Arc<Snapshot>> {
        self.opened.initialized().then(|| self.database.snapshot())
    }

    async fn write(
        &self,
        table: &Table,
        rows: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<Vec<Arc<Fragment>>, DfOlapError> {
        let scans = &self.database.scans;
        check_types(&scans.session, &table.definition)?;
        Writer::new(scans, table)
            .write(&table.definition, rows)
            .await
    }

    async fn commit(
        &self,
        base: &Arc<Snapshot>,
        change: ChangeSet,
        latch: &Arc<CommitLatch>,
    ) -> Result<CommitOutcome, DfOlapError> {
        let database = self.opened().await?;
        for action in &change.actions {
            if let Action::CreateTable { definition, .. } | Action::Define { definition, .. } =
                action
            {
                check_types(&database.scans.session, definition)?;
            }
        }
        let adds_files = change.adds_files();
        let outcome = database.commit(base, change, latch).await?;
        if let CommitOutcome::Committed(_) = outcome {
            database.compact_if_due(adds_files);
        }
        Ok(outcome)
    }

    async fn snapshot_at(&self, at: At) -> Result<Arc<Snapshot>, DfOlapError> {
        let database = self.opened().await?;
        database.refresh().await?;
        database.snapshot_at(at).await
    }

    fn upkeep(&self) -> &dyn Upkeep {
        self
    }

    fn original_error(&self, error: DfOlapError) -> DfOlapError {
        self.database.scans.failures.original_error(error)
    }

    async fn find(
        &self,
        table: &Table,
        place: usize,
        condition: &Arc<dyn PhysicalExpr>,
    ) -> Result<Option<Vec<Found>>, DfOlapError> {
        self.database.scans.find(table, place, condition).await
    }

    async fn read_columns(
        &self,
        table: &Table,
        place: usize,
        columns: &[ColumnId],
        rows: Option<Range<u32>>,
    ) -> Result<Option<Vec<Vec<ArrayRef>>>, DfOlapError> {
        let scans = &self.database.scans;
        scans.read_columns(table, place, columns, rows).await
    }

    async fn find_keys(
        &self,
        keys: &KeysFile,
        wanted: &Wanted,
    ) -> Result<Option<Vec<(u32, u32)>>, DfOlapError> {
        self.database.scans.find_keys(keys, wanted).await
    }

    async fn rows_at(
        &self,
        table: &Table,
        place: usize,
        positions: &[u32],
        columns: &[ColumnId],
    ) -> Result<Vec<ArrayRef>, DfOlapError> {
        let scans = &self.database.scans;
        scans.rows_at(table, place, positions, columns).await
    }

    fn scan(&self, files: FileScan<'_>) -> Result<Arc<dyn ExecutionPlan>, DfOlapError> {
        Ok(self.database.scans.plan(&files)?)
    }
}

#[async_trait]
impl Upkeep for VortexStore {
    async fn compact(&self, progress: OnProgress<'_>) -> Result<Compaction, DfOlapError> {
        let database = self.opened().await?;
        database.compact(When::Possible, progress).await
    }

    async fn versions(&self) -> Result<Vec<VersionEntry>, DfOlapError> {
        let database = self.opened().await?;
        database.refresh().await?;
        database.versions().await
    }

    async fn vacuum(&self, options: VacuumOptions) -> Result<Vacuum, DfOlapError> {
        self.opened().await?.vacuum(options).await
    }

    async fn adoptable(
        &self,
        name: &str,
        definition: &TableDefinition,
    ) -> Result<Option<(String, Vec<Arc<Fragment>>)>, DfOlapError> {
        self.opened().await?.adoptable(name, definition).await
    }

    async fn refresh(&self) -> Result<(), DfOlapError> {
        self.opened().await?.refresh().await
    }

    async fn verify(&self) -> Result<Verification, DfOlapError> {
        self.opened().await?.verify().await
    }

    async fn check_store(&self) -> Result<(), DfOlapError> {
        self.opened().await?.log.check_race().await
    }

    async fn outcome(&self, id: Uuid) -> Result<Option<Version>, DfOlapError> {
        self.opened().await?.outcome(CommitId(id)).await
    }
}
