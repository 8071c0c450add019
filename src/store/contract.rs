//! The traits [`Store`] and [`Upkeep`], by which the engine uses a store.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::BoxStream;
use uuid::Uuid;

use crate::change::{ChangeSet, Conflict};
use crate::error::DfOlapError;
use crate::fragment::{ColumnId, Fragment, KeysFile};
use crate::key_index::digest::Wanted;
use crate::snapshot::{Snapshot, Table, TableDefinition, Version};
use crate::store::CommitLatch;
use crate::upkeep::{
    At, Compaction, OnProgress, Vacuum, VacuumOptions, Verification, VersionEntry,
};

/// The interface between the engine and its storage.
#[async_trait]
pub(crate) trait Store: Debug + Send + Sync {
    /// The newest committed snapshot.
    async fn snapshot(&self) -> Result<Arc<Snapshot>, DfOlapError>;

    /// The newest snapshot known without I/O; `None` if the store is not open yet.
    fn known(&self) -> Option<Arc<Snapshot>>;

    /// Writes rows, already in the schema of `table`, as fragments. The fragments belong to no table until a commit
    /// references them.
    async fn write(
        &self,
        table: &Table,
        rows: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<Vec<Arc<Fragment>>, DfOlapError>;

    /// Commits `change`, which was computed on `base`, atomically, or returns the conflict. The commit begins by
    /// `latch`; if the statement was stopped before, nothing is committed.
    async fn commit(
        &self,
        base: &Arc<Snapshot>,
        change: ChangeSet,
        latch: &Arc<CommitLatch>,
    ) -> Result<CommitOutcome, DfOlapError>;

    /// The snapshot of an earlier version or time.
    async fn snapshot_at(&self, at: At) -> Result<Arc<Snapshot>, DfOlapError>;

    /// Maintenance of a durable store.
    fn upkeep(&self) -> &dyn Upkeep;

    /// The store's own error that caused an error of a plan, if there is one; otherwise `error` itself.
    fn original_error(&self, error: DfOlapError) -> DfOlapError;

    /// The live rows of the table's fragment at index `place` for which `condition`, over the table's columns, may be
    /// true, with their positions in the file; `None` if the rows cannot be looked up cheaply.
    async fn find(
        &self,
        table: &Table,
        place: usize,
        condition: &Arc<dyn PhysicalExpr>,
    ) -> Result<Option<Vec<Found>>, DfOlapError>;

    /// Columns of all rows, or of some, of the table's fragment at index `place`, which is in a file, deleted rows
    /// included, in the types of the table; `None` if the file lacks one of them.
    async fn read_columns(
        &self,
        table: &Table,
        place: usize,
        columns: &[ColumnId],
        rows: Option<Range<u32>>,
    ) -> Result<Option<Vec<Vec<ArrayRef>>>, DfOlapError>;

    /// The keys that an index in a file has: numbers of keys and positions of rows, deleted rows included. `None` if
    /// the index is damaged.
    async fn find_keys(
        &self,
        keys: &KeysFile,
        wanted: &Wanted,
    ) -> Result<Option<Vec<(u32, u32)>>, DfOlapError>;

    /// Columns of some rows, whose positions ascend, of the table's fragment at index `place`, which is in a file.
    async fn rows_at(
        &self,
        table: &Table,
        place: usize,
        positions: &[u32],
        columns: &[ColumnId],
    ) -> Result<Vec<ArrayRef>, DfOlapError>;

    /// A plan that scans fragments in this store's files.
    fn scan(&self, files: FileScan<'_>) -> Result<Arc<dyn ExecutionPlan>, DfOlapError>;
}

/// Rows of a file in the schema of their table, and their positions in the file.
#[derive(Debug)]
pub(crate) struct Found {
    pub batch: RecordBatch,
    pub positions: UInt64Array,
}

/// Maintenance of a store's data.
#[async_trait]
pub(crate) trait Upkeep: Send + Sync {
    /// Merges small fragments and drops deleted rows, in all tables.
    async fn compact(&self, progress: OnProgress<'_>) -> Result<Compaction, DfOlapError>;

    /// The retained versions, oldest first.
    async fn versions(&self) -> Result<Vec<VersionEntry>, DfOlapError>;

    /// Expires old versions, and deletes files and log objects that no retained version references.
    async fn vacuum(&self, options: VacuumOptions) -> Result<Vacuum, DfOlapError>;

    /// The data folder that an older version of this crate wrote for a table of this name, if it exists and is not
    /// adopted yet: the folder's name, and its files as fragments.
    async fn adoptable(
        &self,
        name: &str,
        definition: &TableDefinition,
    ) -> Result<Option<(String, Vec<Arc<Fragment>>)>, DfOlapError>;

    /// Replays the commits of other processes.
    async fn refresh(&self) -> Result<(), DfOlapError>;

    /// Reads everything that a retained version references, and verifies its checksums.
    async fn verify(&self) -> Result<Verification, DfOlapError>;

    /// Fails if the storage lets two writers create the same object.
    async fn check_store(&self) -> Result<(), DfOlapError>;

    /// The version of a commit; `None` if the commit was never stored and never will be. The log is searched back to
    /// the oldest retained version only.
    async fn outcome(&self, id: Uuid) -> Result<Option<Version>, DfOlapError>;
}

/// The files and columns of a table that a scan reads.
#[derive(Debug)]
pub(crate) struct FileScan<'a> {
    pub table: &'a Table,
    /// Indices, in the table's fragment list, of fragments that are stored in files.
    pub places: &'a [usize],
    /// Column indices of the table; the index after the last column is the row address.
    pub projection: &'a [usize],
    /// The output schema.
    pub schema: SchemaRef,
    pub limit: Option<usize>,
    pub target_partitions: usize,
}

/// The outcome of a commit.
#[derive(Debug)]
#[must_use]
pub(crate) enum CommitOutcome {
    Committed(Arc<Snapshot>),
    /// Another change was committed first and the two do not commute: nothing was changed; rerun the statement.
    Conflict(Conflict),
}
