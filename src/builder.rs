//! [`EngineBuilder`]: settings, limits and permissions of an engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;
use url::Url;

use crate::engine::DataFusionEngine;
use crate::error::DfOlapError;
use crate::executor::Executor;
use crate::options::{CompactionPolicy, Durability, Refresh};
use crate::runtime;
use crate::sql::{ClosedRegistry, Limits, Session};
use crate::storage::StorageMode;
use crate::store::{self, MemoryStore, Store, VortexSettings};

/// Sets up a [`DataFusionEngine`].
///
/// ```
/// use rhei_datafusion::EngineBuilder;
///
/// let engine = EngineBuilder::new()
///     .memory_limit_bytes(512 << 20)
///     .statement_timeout(std::time::Duration::from_secs(30))
///     .build()?;
/// # Ok::<(), rhei_datafusion::DfOlapError>(())
/// ```
#[derive(Debug, Default)]
pub struct EngineBuilder {
    storage: StorageMode,
    memory_limit_bytes: Option<usize>,
    spill_directory: Option<PathBuf>,
    target_partitions: Option<usize>,
    batch_size_rows: Option<usize>,
    runtime: Option<Arc<RuntimeEnv>>,
    object_stores: Vec<(Url, Arc<dyn ObjectStore>)>,
    limits: Limits,
    vortex: VortexSettings,
    #[cfg(feature = "rhei")]
    commits_rhei_cycles: bool,
}

/// How many consumers an out-of-memory message names.
const NAMED_CONSUMERS: std::num::NonZeroUsize = match std::num::NonZeroUsize::new(5) {
    Some(five) => five,
    None => std::num::NonZeroUsize::MIN,
};

impl EngineBuilder {
    /// An in-memory engine with the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the data lives.
    pub fn storage(mut self, mode: StorageMode) -> Self {
        self.storage = mode;
        self
    }

    /// How much of a write is synced to stable storage before it returns, for [`StorageMode::Vortex`] on a local disk.
    /// Default: everything.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.vortex.durability = durability;
        self
    }

    /// When an engine on [`StorageMode::Vortex`] looks for commits of other engines. Default: before every statement.
    pub fn refresh(mut self, refresh: Refresh) -> Self {
        self.vortex.refresh = refresh;
        self
    }

    /// When durable tables are compacted in the background. Default: [`CompactionPolicy::default`].
    pub fn compaction(mut self, policy: CompactionPolicy) -> Self {
        self.vortex.compaction = policy;
        self
    }

    /// Timeout of one request to storage about the commit log, after which it is retried; requests for parts of data
    /// files in a bucket have six times as long. Default: 10 seconds.
    pub fn answer_timeout(mut self, time: Duration) -> Self {
        self.vortex.patience.request_timeout = time;
        self
    }

    /// Timeout of a commit with all its retries. After it, the engine has the same time again to find out whether the
    /// commit was stored, or to make sure that it never is. When both have passed, the error is of kind
    /// [`Indeterminate`](crate::ErrorKind::Indeterminate). Default: 30 seconds each.
    pub fn commit_timeout(mut self, time: Duration) -> Self {
        self.vortex.patience.retry_deadline = time;
        self
    }

    /// A setting of the S3 client of [`StorageMode::Vortex`], by the name of its environment variable:
    /// `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, … It takes precedence over the variable. Values are never logged. Needs
    /// the feature `cloud-storage`.
    #[cfg(any(feature = "cloud-storage", doc))]
    pub fn s3_option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.vortex.s3.0.push((key.into(), value.into()));
        self
    }

    /// The size of the memory pool that all running statements share, in bytes; tables in memory are not counted.
    /// Sorts, joins and aggregates spill to disk before they fail. Default: three quarters of the machine's memory.
    pub fn memory_limit_bytes(mut self, bytes: usize) -> Self {
        self.memory_limit_bytes = Some(bytes);
        self
    }

    /// Where statements spill. Default: the system's folder for temporary files.
    pub fn spill_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.spill_directory = Some(path.into());
        self
    }

    /// The number of partitions of a plan, which run in parallel. Default: the number of cores.
    pub fn target_partitions(mut self, partitions: usize) -> Self {
        self.target_partitions = Some(partitions);
        self
    }

    /// The maximum number of rows of a batch. Default: 8192.
    pub fn batch_size_rows(mut self, rows: usize) -> Self {
        self.batch_size_rows = Some(rows);
        self
    }

    /// Uses the caller's [`RuntimeEnv`]: its memory pool, disk manager and object stores. `memory_limit_bytes`,
    /// `spill_directory` and the closed registry of object stores do not apply then.
    pub fn runtime_env(mut self, runtime: Arc<RuntimeEnv>) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Registers an object store under a URL such as `s3://bucket`. If the storage URL names the same bucket, the
    /// database lies in that store.
    pub fn object_store(mut self, url: Url, store: Arc<dyn ObjectStore>) -> Self {
        self.object_stores.push((url, store));
        self
    }

    /// The timeout of a statement, from the call to its last row. A statement that times out has changed nothing: a
    /// commit that has begun is waited for, on a durable store up to twice [`commit_timeout`](Self::commit_timeout).
    /// Default: none.
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = Some(timeout);
        self
    }

    /// The maximum length of an SQL text, in bytes. Default: 64 MiB.
    pub fn max_sql_bytes(mut self, bytes: usize) -> Self {
        self.limits.text.text_bytes = bytes;
        self.limits.text.words = self.limits.text.words.max(bytes / 32);
        self
    }

    /// The maximum number of operators, joins or set operations in one chain. Default: 1000.
    pub fn max_chain(mut self, links: usize) -> Self {
        self.limits.text.chain = links;
        self
    }

    /// The maximum number of nodes of a logical plan; a CTE or view counts at each use. Default: 10,000.
    pub fn max_plan_nodes(mut self, nodes: u64) -> Self {
        self.limits.plan_nodes = nodes;
        self
    }

    /// Whether the PRIMARY KEY of a new table is enforced if its statement says neither `ENFORCED` nor `NOT ENFORCED`,
    /// and that of a table made by a method: no two rows of such a table have the same key. Default: false, and that
    /// the key is unique is the program's word. A table that takes over files of version 2.0 does not enforce its key.
    pub fn enforce_primary_keys(mut self, enforce: bool) -> Self {
        self.limits.enforced_keys = enforce;
        self
    }

    /// Whether each cycle of Rhei's sync is one commit, as `?rhei_cycle=commit` in a URL of [`StorageMode::Vortex`]
    /// says: `supports_transactions` of Rhei's trait is true then, and BEGIN, COMMIT and ROLLBACK through that trait
    /// bound what one task does. `docs/rhei.md` has what that costs. Default: false, each statement is a commit.
    #[cfg(feature = "rhei")]
    pub fn commit_rhei_cycles(mut self, commit: bool) -> Self {
        self.commits_rhei_cycles = commit;
        self
    }

    /// Lets `SET` and `RESET` change DataFusion's settings for all users of the engine (`datafusion.runtime.*` never).
    /// Default: refused.
    pub fn allow_settings(mut self, allow: bool) -> Self {
        self.limits.settings = allow;
        self
    }

    /// Lets SQL read files and registered object stores: `SELECT … FROM 'path'` and CREATE EXTERNAL TABLE. An external
    /// table belongs to the engine's session; it is no part of the database. Default: refused.
    pub fn allow_external_reads(mut self, allow: bool) -> Self {
        self.limits.reads = allow;
        self
    }

    /// Lets SQL write files and registered object stores: COPY TO, and INSERT INTO an external table. Default: refused.
    pub fn allow_external_writes(mut self, allow: bool) -> Self {
        self.limits.writes = allow;
        self
    }

    /// Builds the engine.
    ///
    /// # Errors
    /// [`DfOlapError::StorageConfig`] for a storage URL that cannot be used, and `Invalid` for a limit of zero.
    pub fn build(self) -> Result<DataFusionEngine, DfOlapError> {
        for (what, zero) in [
            ("target_partitions", self.target_partitions == Some(0)),
            ("batch_size_rows", self.batch_size_rows == Some(0)),
            ("memory_limit_bytes", self.memory_limit_bytes == Some(0)),
            ("max_sql_bytes", self.limits.text.text_bytes == 0),
            ("max_chain", self.limits.text.chain == 0),
            ("max_plan_nodes", self.limits.plan_nodes == 0),
            (
                "small_neighbours of the compaction policy",
                self.vortex.compaction.small_neighbours == 0,
            ),
            (
                "answer_timeout",
                self.vortex.patience.request_timeout.is_zero(),
            ),
            (
                "commit_timeout",
                self.vortex.patience.retry_deadline.is_zero(),
            ),
            (
                "statement_timeout",
                self.limits.timeout == Some(Duration::ZERO),
            ),
        ] {
            if zero {
                return Err(DfOlapError::Invalid(format!("{what} must not be zero")));
            }
        }
        let runtime = match self.runtime {
            Some(runtime) => runtime,
            None => {
                let limit = self
                    .memory_limit_bytes
                    .unwrap_or_else(runtime::default_memory_limit_bytes);
                let pool = TrackConsumersPool::new(FairSpillPool::new(limit), NAMED_CONSUMERS);
                // File lists are not cached, so that an external table sees files that are added to its folder.
                let mut builder = RuntimeEnvBuilder::new()
                    .with_memory_pool(Arc::new(pool))
                    .with_object_list_cache_limit(0);
                if !(self.limits.reads || self.limits.writes) {
                    builder =
                        builder.with_object_store_registry(Arc::new(ClosedRegistry::default()));
                }
                let spill = match self.spill_directory {
                    _ if !runtime::HAS_DISK => Some(DiskManagerMode::Disabled),
                    Some(path) => Some(DiskManagerMode::Directories(vec![path])),
                    None => None,
                };
                if let Some(mode) = spill {
                    builder = builder
                        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode));
                }
                Arc::new(builder.build()?)
            }
        };
        for (url, store) in &self.object_stores {
            runtime.register_object_store(url, Arc::clone(store));
        }
        let mut config = SessionConfig::new();
        if let Some(partitions) = self.target_partitions {
            config = config.with_target_partitions(partitions);
        }
        if let Some(rows) = self.batch_size_rows {
            config = config.with_batch_size(rows);
        }
        let location = match self.storage.classify() {
            Err(error) => return Err(DfOlapError::StorageConfig(error)),
            Ok(location) => location,
        };
        if location.is_none() {
            // IN lists of a hash join's keys only help to skip blocks of files; for rows in memory the join's hash
            // table is enough.
            let options = &mut config.options_mut().optimizer;
            options.hash_join_inlist_pushdown_max_size = 0;
        }
        let session = Session::new(config, runtime, self.limits);
        let runtime = session.state.runtime_env();
        let store: Arc<dyn Store> = match location {
            None => Arc::new(MemoryStore::default()),
            Some(location) => store::open(&location, &self.vortex, &self.object_stores, runtime)?,
        };
        let executor = Arc::new(Executor::new(session, store));
        #[cfg_attr(not(feature = "rhei"), expect(unused_mut))]
        let mut engine = DataFusionEngine::from_parts(self.storage, executor);
        #[cfg(feature = "rhei")]
        if self.commits_rhei_cycles || engine.storage_mode().commits_rhei_cycles() {
            engine.transactions = Some(Box::default());
        }
        Ok(engine)
    }
}

impl Default for DataFusionEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl DataFusionEngine {
    /// An in-memory engine with the default limits.
    pub fn new() -> Self {
        EngineBuilder::new()
            .build()
            .expect("the default settings of the builder are valid")
    }

    /// An engine on `mode` with the default limits.
    ///
    /// # Errors
    /// [`DfOlapError::StorageConfig`] for a URL that cannot be used.
    pub fn with_storage(mode: StorageMode) -> Result<Self, DfOlapError> {
        EngineBuilder::new().storage(mode).build()
    }
}
