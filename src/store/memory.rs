//! The in-memory store: fragments are Arrow batches, a commit swaps one `Arc`.
//!
//! Guarantees: readers load the current snapshot without a lock; commits run one at a time under a short lock, and
//! their cost depends on the data that they touch, not on the size of the tables. Later commits merge small fragments
//! at a table's end, sixteen of a size class at a time, so that each row is copied only a few times, even if rows are
//! inserted one by one. The commit that deletes most of a fragment's rows also rewrites the fragment, and merges it
//! with its neighbours if many of them are small.

use std::ops::Range;
use std::sync::Arc;

use arc_swap::ArcSwap;
use arrow::array::ArrayRef;
use arrow::compute::BatchCoalescer;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use uuid::Uuid;

use super::tidy::tidy;
use super::{CommitLatch, CommitOutcome, FileScan, Found, Store, Upkeep};
use crate::change::ChangeSet;
use crate::error::DfOlapError;
use crate::fragment::{ColumnId, Fragment, KeysFile, by_bytes};
use crate::key_index::digest::Wanted;
use crate::runtime;
use crate::snapshot::{Snapshot, Table, TableDefinition, Version};
use crate::upkeep::{
    At, Compaction, OnProgress, Vacuum, VacuumOptions, Verification, VersionEntry,
};

/// Rows of a batch that is coalesced from smaller batches.
const BATCH_ROWS: usize = 8192;
/// Batches with fewer rows, on average, are coalesced when they are written.
const SMALL_BATCH_ROWS: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    current: ArcSwap<Snapshot>,
    commits: Mutex<()>,
}

#[async_trait]
impl Store for MemoryStore {
    async fn snapshot(&self) -> Result<Arc<Snapshot>, DfOlapError> {
        Ok(self.current.load_full())
    }

    fn known(&self) -> Option<Arc<Snapshot>> {
        Some(self.current.load_full())
    }

    async fn write(
        &self,
        table: &Table,
        mut rows: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<Vec<Arc<Fragment>>, DfOlapError> {
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            if batch.num_rows() > 0 {
                runtime::check_room(0)?;
                batches.push(batch);
            }
        }
        fragments(&table.definition, batches)
    }

    async fn commit(
        &self,
        base: &Arc<Snapshot>,
        change: ChangeSet,
        latch: &Arc<CommitLatch>,
    ) -> Result<CommitOutcome, DfOlapError> {
        if !latch.begin_commit() {
            return Err(DfOlapError::Cancelled);
        }
        let _turn = self.commits.lock();
        let current = self.current.load();
        let mut next = match change.apply(base, &current) {
            Ok(next) => next,
            Err(conflict) => {
                latch.end_commit();
                return Ok(CommitOutcome::Conflict(conflict));
            }
        };
        tidy(&mut next, &change)?;
        let next = Arc::new(next);
        self.current.store(Arc::clone(&next));
        Ok(CommitOutcome::Committed(next))
    }

    async fn snapshot_at(&self, _: At) -> Result<Arc<Snapshot>, DfOlapError> {
        Err(no_versions())
    }

    fn upkeep(&self) -> &dyn Upkeep {
        self
    }

    fn original_error(&self, error: DfOlapError) -> DfOlapError {
        error
    }

    async fn find(
        &self,
        _: &Table,
        _: usize,
        _: &Arc<dyn PhysicalExpr>,
    ) -> Result<Option<Vec<Found>>, DfOlapError> {
        Ok(None)
    }

    async fn read_columns(
        &self,
        _: &Table,
        _: usize,
        _: &[ColumnId],
        _: Option<Range<u32>>,
    ) -> Result<Option<Vec<Vec<ArrayRef>>>, DfOlapError> {
        Ok(None)
    }

    async fn find_keys(
        &self,
        _: &KeysFile,
        _: &Wanted,
    ) -> Result<Option<Vec<(u32, u32)>>, DfOlapError> {
        Ok(None)
    }

    async fn rows_at(
        &self,
        _: &Table,
        _: usize,
        _: &[u32],
        _: &[ColumnId],
    ) -> Result<Vec<ArrayRef>, DfOlapError> {
        Err(DfOlapError::Other("tables in memory have no files".into()))
    }

    fn scan(&self, _: FileScan<'_>) -> Result<Arc<dyn ExecutionPlan>, DfOlapError> {
        Err(DfOlapError::Other("tables in memory have no files".into()))
    }
}

#[async_trait]
impl Upkeep for MemoryStore {
    async fn compact(&self, _: OnProgress<'_>) -> Result<Compaction, DfOlapError> {
        // Each commit already merges and rewrites fragments of the tables that it changes.
        Ok(Compaction::default())
    }

    async fn versions(&self) -> Result<Vec<VersionEntry>, DfOlapError> {
        Err(no_versions())
    }

    async fn vacuum(&self, _: VacuumOptions) -> Result<Vacuum, DfOlapError> {
        // In-memory fragments are dropped with their last reader.
        Ok(Vacuum::default())
    }

    async fn adoptable(
        &self,
        _: &str,
        _: &TableDefinition,
    ) -> Result<Option<(String, Vec<Arc<Fragment>>)>, DfOlapError> {
        Ok(None)
    }

    async fn refresh(&self) -> Result<(), DfOlapError> {
        Ok(())
    }

    async fn verify(&self) -> Result<Verification, DfOlapError> {
        Ok(Verification::default())
    }

    async fn check_store(&self) -> Result<(), DfOlapError> {
        Ok(())
    }

    async fn outcome(&self, id: Uuid) -> Result<Option<Version>, DfOlapError> {
        // A commit in memory never has an unknown outcome.
        Err(DfOlapError::Invalid(format!(
            "there is no commit {id} in memory"
        )))
    }
}

fn no_versions() -> DfOlapError {
    DfOlapError::Unsupported(
        "tables in memory keep no earlier versions; use StorageMode::Vortex".into(),
    )
}

/// Cuts batches into fragments: small batches are coalesced first, a large batch is sliced without a copy.
fn fragments(
    definition: &TableDefinition,
    batches: Vec<RecordBatch>,
) -> Result<Vec<Arc<Fragment>>, DfOlapError> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let batches = if batches.len() > 1 && rows / batches.len() < SMALL_BATCH_ROWS {
        coalesce(definition, &batches)?
    } else {
        batches
    };

    let mut done = Vec::new();
    let mut open: Vec<RecordBatch> = Vec::new();
    let mut open_rows = 0;
    for batch in batches {
        let mut offset = 0;
        while offset < batch.num_rows() {
            let room = Fragment::MAX_ROWS - open_rows;
            let len = room.min(batch.num_rows() - offset);
            open.push(if len == batch.num_rows() {
                batch.clone()
            } else {
                batch.slice(offset, len)
            });
            offset += len;
            open_rows += len;
            if open_rows == Fragment::MAX_ROWS {
                done.push(fragment(definition, std::mem::take(&mut open)));
                open_rows = 0;
            }
        }
    }
    if !open.is_empty() {
        done.push(fragment(definition, open));
    }
    Ok(done)
}

fn fragment(definition: &TableDefinition, batches: Vec<RecordBatch>) -> Arc<Fragment> {
    Arc::new(Fragment::new(Arc::clone(&definition.layout), batches))
}

fn coalesce(
    definition: &TableDefinition,
    batches: &[RecordBatch],
) -> Result<Vec<RecordBatch>, DfOlapError> {
    let mut coalescer = BatchCoalescer::new(Arc::clone(&definition.schema), BATCH_ROWS);
    let mut whole = Vec::new();
    for group in by_bytes(batches)? {
        for batch in group {
            coalescer.push_batch(batch.clone())?;
        }
        coalescer.finish_buffered_batch()?;
        while let Some(batch) = coalescer.next_completed_batch() {
            whole.push(batch);
        }
    }
    Ok(whole)
}
