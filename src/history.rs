//! The part of [`DataFusionEngine`] that durable databases have: earlier versions, compaction, vacuum.

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
    /// Runs a query on an earlier state of the database and gathers its rows.
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
    /// `Invalid` for a version that is not there yet or not kept any more, and for a statement that is no query;
    /// `Unsupported` in memory.
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

    /// The versions that [`query_at`](Self::query_at) can be asked for, oldest first. One small read for each.
    ///
    /// # Errors
    /// `Unsupported` in memory.
    ///
    /// # Cancel safety
    /// A call that is dropped stops; nothing is changed.
    pub async fn versions(&self) -> Result<Vec<VersionEntry>, DfOlapError> {
        self.calls.upkeep().versions().await
    }

    /// Puts small fragments of all tables together, leaves out what was deleted, and writes to files what still lies in
    /// the log. The rows stay what they are, and statements run on meanwhile. It happens by itself where there is much
    /// to do (see [`CompactionPolicy`](crate::CompactionPolicy)); in memory there is nothing to do.
    ///
    /// # Errors
    /// Of the kinds unavailable and corrupt, where storage cannot be used. What was done until then stays done.
    ///
    /// # Cancel safety
    /// A call that is dropped stops at the next commit of its own; what was committed until then stays done.
    pub async fn compact(&self) -> Result<Compaction, DfOlapError> {
        self.compact_with(|_| {}).await
    }

    /// The same, and `progress` is told how far it is: at the beginning of each run of rows and after each batch.
    ///
    /// # Errors
    /// As [`compact`](Self::compact).
    ///
    /// # Cancel safety
    /// A call that is dropped stops at the next commit of its own; what was committed until then stays done.
    pub async fn compact_with(
        &self,
        progress: impl Fn(CompactionProgress<'_>) + Send + Sync,
    ) -> Result<Compaction, DfOlapError> {
        self.calls.upkeep().compact(&progress).await
    }

    /// Removes the files that no version names that is to stay, and the part of the log that is not needed any more.
    /// Never a file that a statement of this engine reads. In memory there is nothing to do.
    ///
    /// # Errors
    /// Of the kinds unavailable and corrupt, where storage cannot be used. What was done until then stays done.
    ///
    /// # Cancel safety
    /// A call that is dropped leaves some of the files for the next one.
    pub async fn vacuum(&self, options: VacuumOptions) -> Result<Vacuum, DfOlapError> {
        self.calls.upkeep().vacuum(options).await
    }

    /// Takes over what other engines committed, where [`Refresh`](crate::Refresh) leaves that to the caller.
    ///
    /// # Errors
    /// Of the kinds unavailable and corrupt.
    ///
    /// # Cancel safety
    /// A call that is dropped took over all of it or nothing.
    pub async fn refresh(&self) -> Result<(), DfOlapError> {
        self.calls.upkeep().refresh().await
    }

    /// Reads the log and every data file that a version names that can be asked for, and holds each block against its
    /// checksum. What is damaged is listed, not an error.
    ///
    /// # Errors
    /// Of the kind unavailable, where storage cannot be reached.
    ///
    /// # Cancel safety
    /// A call that is dropped stops; nothing is changed.
    pub async fn verify(&self) -> Result<Verification, DfOlapError> {
        self.calls.upkeep().verify().await
    }

    /// Lets many writers at once try to create one object in the database's storage, and fails where more than one is
    /// told that it did: on such a store commits would be lost. Making a database checks the same with two writers, one
    /// after the other.
    ///
    /// # Errors
    /// [`DfOlapError::StorageConfig`], where the store cannot be used.
    ///
    /// # Cancel safety
    /// A call that is dropped may leave a small object beside the log, which vacuum removes.
    pub async fn check_store(&self) -> Result<(), DfOlapError> {
        self.calls.upkeep().check_store().await
    }

    /// What became of a commit that ended in [`DfOlapError::CommitUnknown`]: the version that it is, or `None`, where
    /// it never was made and never will be. Reads the log back to the oldest version, where this engine does not know.
    ///
    /// # Errors
    /// Of the kind unavailable, where storage still cannot be reached.
    ///
    /// # Cancel safety
    /// A call that is dropped can be made again.
    pub async fn commit_outcome(&self, id: Uuid) -> Result<Option<Version>, DfOlapError> {
        self.calls.upkeep().outcome(id).await
    }
}
