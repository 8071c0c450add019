//! The methods of [`DataFusionEngine`] for durable databases: time travel, compaction, vacuum, verification.

use arrow::array::RecordBatch;
use uuid::Uuid;

use crate::engine::DataFusionEngine;
use crate::error::DfOlapError;
use crate::options::StatementOptions;
use crate::snapshot::Version;
use crate::upkeep::{
    At, Compaction, CompactionProgress, Vacuum, VacuumOptions, Verification, VersionEntry,
};

impl DataFusionEngine {
    /// Runs a query on an earlier version of the database and collects its rows.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// use rhei_datafusion::{DataFusionEngine, OlapEngine, StatementOptions, StorageMode};
    ///
    /// # let folder = std::env::temp_dir().join(format!("query-at-{}", std::process::id()));
    /// # let url = folder.display().to_string();
    /// let engine = DataFusionEngine::with_storage(StorageMode::Vortex { url })?;
    /// engine.execute("CREATE TABLE t AS SELECT 1 AS a").await?;
    /// let before = engine.version().await?;
    /// engine.execute("DELETE FROM t").await?;
    /// let rows = engine.query_at("SELECT a FROM t", before, StatementOptions::new()).await?;
    /// assert_eq!(rows[0].num_rows(), 1);
    /// # drop(engine); let _ = std::fs::remove_dir_all(folder);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a version that does not exist yet or is no longer retained, and for a statement other than a
    /// query; `Unsupported` in memory.
    ///
    /// # Cancel safety
    /// A call that is dropped stops; nothing is changed.
    pub async fn query_at(
        &self,
        sql: &str,
        at: impl Into<At>,
        options: StatementOptions,
    ) -> Result<Vec<RecordBatch>, DfOlapError> {
        self.calls.query_at(sql, at.into(), options).await
    }

    /// The retained versions, which [`query_at`](Self::query_at) can read, oldest first. Reads one small object per
    /// version.
    ///
    /// # Errors
    /// `Unsupported` in memory.
    ///
    /// # Cancel safety
    /// A call that is dropped stops; nothing is changed.
    pub async fn versions(&self) -> Result<Vec<VersionEntry>, DfOlapError> {
        self.calls.upkeep().versions().await
    }

    /// Compacts all tables: merges small fragments, drops deleted rows, and moves rows that are inlined in the log to
    /// files. Queries return the same rows, and statements run meanwhile. The engine compacts by itself in the
    /// background (see [`CompactionPolicy`](crate::CompactionPolicy)); in memory there is nothing to do.
    ///
    /// # Errors
    /// `Unavailable` and `Corrupt`, of a durable store. Earlier commits stay.
    ///
    /// # Cancel safety
    /// A dropped call stops. Earlier commits stay, and a commit that has begun goes on without the caller.
    pub async fn compact(&self) -> Result<Compaction, DfOlapError> {
        self.compact_with(|_| {}).await
    }

    /// [`compact`](Self::compact) with a callback: `progress` is called at the beginning of each run of fragments and
    /// after each batch.
    ///
    /// # Errors
    /// As [`compact`](Self::compact).
    ///
    /// # Cancel safety
    /// A dropped call stops. Earlier commits stay, and a commit that has begun goes on without the caller.
    pub async fn compact_with(
        &self,
        progress: impl Fn(CompactionProgress<'_>) + Send + Sync,
    ) -> Result<Compaction, DfOlapError> {
        self.calls.upkeep().compact(&progress).await
    }

    /// Deletes data files that no retained version references, and log objects that a checkpoint has made unnecessary.
    /// Never deletes a file that a running statement of this engine reads. In memory there is nothing to do.
    ///
    /// # Errors
    /// `Unavailable` and `Corrupt`, of a durable store. Files that were deleted before the error stay deleted.
    ///
    /// # Cancel safety
    /// A dropped call leaves the remaining files to the next vacuum.
    pub async fn vacuum(&self, options: VacuumOptions) -> Result<Vacuum, DfOlapError> {
        self.calls.upkeep().vacuum(options).await
    }

    /// Reads new commits of other engines, for a [`Refresh`](crate::Refresh) setting other than before every statement.
    ///
    /// # Errors
    /// `Unavailable` and `Corrupt`, of a durable store.
    ///
    /// # Cancel safety
    /// A dropped call may have read some of the new commits; each commit is taken over whole.
    pub async fn refresh(&self) -> Result<(), DfOlapError> {
        self.calls.upkeep().refresh().await
    }

    /// Reads the log and every data file that a retained version references, and compares each block with its checksum.
    /// Damages are listed in the result; they are not an error of this call.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot be reached.
    ///
    /// # Cancel safety
    /// A call that is dropped stops; nothing is changed.
    pub async fn verify(&self) -> Result<Verification, DfOlapError> {
        self.calls.upkeep().verify().await
    }

    /// Tests whether the object store honours conditional writes: 32 writers race to create one object, and the call
    /// fails where more than one succeeds. On such a store commits would be lost. Creating a database makes the same
    /// test with two writers, one after the other.
    ///
    /// # Errors
    /// [`DfOlapError::StorageConfig`], where the store cannot be used.
    ///
    /// # Cancel safety
    /// A call that is dropped may leave a small object beside the log, which vacuum removes.
    pub async fn check_store(&self) -> Result<(), DfOlapError> {
        self.calls.upkeep().check_store().await
    }

    /// The outcome of a commit that ended in [`DfOlapError::CommitUnknown`]: its version, or `None` if it was never
    /// stored and never will be. Reads the log back to the oldest retained version, unless this engine knows the
    /// outcome.
    ///
    /// # Errors
    /// `Unavailable` if storage still cannot be reached; `Invalid` in memory.
    ///
    /// # Cancel safety
    /// A call that is dropped can be made again.
    pub async fn commit_outcome(&self, id: Uuid) -> Result<Option<Version>, DfOlapError> {
        self.calls.upkeep().outcome(id).await
    }
}
