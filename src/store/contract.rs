//! The traits [`Store`] and [`Upkeep`], by which the engine uses a store.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::UInt64Array;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::BoxStream;
use uuid::Uuid;

use crate::change::{ChangeSet, Conflict};
use crate::error::DfOlapError;
use crate::fragment::Fragment;
use crate::snapshot::{Snapshot, Table, TableDefinition, Version};
use crate::upkeep::{
    At, Compaction, OnProgress, Vacuum, VacuumOptions, Verification, VersionEntry,
};

/// The seam between the engine and what keeps its data.
#[async_trait]
pub(crate) trait Store: Debug + Send + Sync {
    /// The newest committed snapshot.
    async fn snapshot(&self) -> Result<Arc<Snapshot>, DfOlapError>;

    /// The newest snapshot that is known without asking; `None` where nothing is yet.
    fn known(&self) -> Option<Arc<Snapshot>>;

    /// Writes rows, already in the shape of `table`, as fragments. They belong to no table until a commit names them.
    async fn write(
        &self,
        table: &Table,
        rows: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<Vec<Arc<Fragment>>, DfOlapError>;

    /// Makes `change`, which was worked out on `base`, visible as a whole, or tells why it cannot be.
    async fn commit(
        &self,
        base: &Arc<Snapshot>,
        change: ChangeSet,
    ) -> Result<CommitOutcome, DfOlapError>;

    /// The state of an earlier moment.
    async fn snapshot_at(&self, at: At) -> Result<Arc<Snapshot>, DfOlapError>;

    /// Maintenance of a durable store.
    fn upkeep(&self) -> &dyn Upkeep;

    /// The store's own error behind one that came out of a plan, where there is one.
    fn original_error(&self, error: DfOlapError) -> DfOlapError;

    /// The live rows of the file at a place in a table's list for which `condition`, over the table's columns, may be
    /// true, with their positions; `None` where it would take reading much of it.
    async fn find(
        &self,
        table: &Table,
        place: usize,
        condition: &Arc<dyn PhysicalExpr>,
    ) -> Result<Option<Vec<Found>>, DfOlapError>;

    /// A plan that reads fragments that lie in this store's files.
    fn scan(&self, files: FileScan<'_>) -> Result<Arc<dyn ExecutionPlan>, DfOlapError>;
}

/// Rows of a file in the shape of their table, and their positions in the file.
#[derive(Debug)]
pub(crate) struct Found {
    pub batch: RecordBatch,
    pub positions: UInt64Array,
}

/// The care of a store's data.
#[async_trait]
pub(crate) trait Upkeep: Send + Sync {
    /// Puts small fragments together and leaves out what is dead, in all tables.
    async fn compact(&self, progress: OnProgress<'_>) -> Result<Compaction, DfOlapError>;

    /// The versions that can be asked for, oldest first.
    async fn versions(&self) -> Result<Vec<VersionEntry>, DfOlapError>;

    /// Removes what no version names that is to stay.
    async fn vacuum(&self, options: VacuumOptions) -> Result<Vacuum, DfOlapError>;

    /// The rows of a folder that an older version of this crate wrote for a table of that name, where there is one that
    /// was not taken over yet: its name, and what they are as fragments.
    async fn adoptable(
        &self,
        name: &str,
        definition: &TableDefinition,
    ) -> Result<Option<(String, Vec<Arc<Fragment>>)>, DfOlapError>;

    /// Takes over what others committed.
    async fn refresh(&self) -> Result<(), DfOlapError>;

    /// Reads everything that versions name that can be asked for.
    async fn verify(&self) -> Result<Verification, DfOlapError>;

    /// Fails where storage lets two writers create one object.
    async fn check_store(&self) -> Result<(), DfOlapError>;

    /// The version that a commit became; `None` where it never did and never will.
    async fn outcome(&self, id: Uuid) -> Result<Option<Version>, DfOlapError>;
}

/// Which files of a table are read, and what of them.
#[derive(Debug)]
pub(crate) struct FileScan<'a> {
    pub table: &'a Table,
    /// The places, in the table's list, of fragments that lie in files.
    pub places: &'a [usize],
    /// Columns of the table by index; the index past the last one is the row's address.
    pub projection: &'a [usize],
    /// The output schema.
    pub schema: SchemaRef,
    pub limit: Option<usize>,
    pub target_partitions: usize,
}

/// How a commit ended.
#[derive(Debug)]
#[must_use]
pub(crate) enum CommitOutcome {
    Committed(Arc<Snapshot>),
    /// Another change got there first and the two do not commute: nothing was changed, run the statement again.
    Conflict(Conflict),
}
