//! The in-memory store: fragments are Arrow batches, a commit swaps one `Arc`.
//!
//! Guarantees: readers take the current snapshot without a lock; commits stand in one short queue and cost what they touch,
//! not what the tables hold. Small fragments at a table's end are merged by later commits, sixteen of a size at a time, so
//! that a row is copied a handful of times in its life however it came in. A fragment that is mostly dead is rewritten by the
//! commit that made it so, and merged with its neighbours where many of them have become small.

use std::sync::Arc;

use arc_swap::ArcSwap;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{BatchCoalescer, concat_batches, filter_record_batch};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use parking_lot::Mutex;

use super::{CommitOutcome, Store};
use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::snapshot::{Fragment, LiveFragment, RelationId, Snapshot, Table, TableDefinition};

/// How many fragments of a size class stand at a table's end before they become one of the next class, and how much larger
/// that one is.
const MERGE_FAN_IN: usize = 16;
/// Rows of a batch that is put together from smaller ones.
const BATCH_ROWS: usize = 8192;
/// Batches of fewer rows are put together when they are written.
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

    async fn write(
        &self,
        definition: &TableDefinition,
        mut rows: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<Vec<Arc<Fragment>>, DfOlapError> {
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            if batch.num_rows() > 0 {
                batches.push(batch);
            }
        }
        fragments(definition, batches)
    }

    async fn commit(
        &self,
        base: &Arc<Snapshot>,
        change: ChangeSet,
    ) -> Result<CommitOutcome, DfOlapError> {
        let _turn = self.commits.lock();
        let current = self.current.load();
        let mut next = match change.apply(base, &current) {
            Ok(next) => next,
            Err(conflict) => return Ok(CommitOutcome::Conflict(conflict)),
        };
        for id in touched(&change) {
            if let Some(table) = next.tables.get_mut(&id) {
                tidy(Arc::make_mut(table))?;
            }
        }
        let next = Arc::new(next);
        self.current.store(Arc::clone(&next));
        Ok(CommitOutcome::Committed(next))
    }
}

fn touched(change: &ChangeSet) -> Vec<RelationId> {
    let mut ids: Vec<RelationId> = change
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Append { id, .. } | Action::Delete { id, .. } => Some(*id),
            _ => None,
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Cuts batches into fragments; many small ones are first put together, a large one is sliced without a copy.
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
    for batch in batches {
        coalescer.push_batch(batch.clone())?;
        while let Some(batch) = coalescer.next_completed_batch() {
            whole.push(batch);
        }
    }
    coalescer.finish_buffered_batch()?;
    while let Some(batch) = coalescer.next_completed_batch() {
        whole.push(batch);
    }
    Ok(whole)
}

/// Rewrites what is mostly dead and merges what is small, where this commit left either.
fn tidy(table: &mut Table) -> Result<(), DfOlapError> {
    let mut rewritten = Vec::new();
    for (index, live) in table.fragments.iter_mut().enumerate() {
        let dead = live.deleted.as_ref().map_or(0, |d| d.len());
        if dead * 2 > u64::from(live.fragment.rows()) {
            rewritten.push(index);
            *live = LiveFragment {
                fragment: Arc::new(Fragment::new(
                    Arc::clone(&live.fragment.layout),
                    live_batches(live)?,
                )),
                deleted: None,
            };
        }
    }
    // From the end, so that the places before stay what they were.
    let mut merged_from = usize::MAX;
    for index in rewritten.into_iter().rev() {
        if index < merged_from {
            merged_from = merge_around(table, index)?;
        }
    }
    loop {
        let Some(last) = table.fragments.last() else {
            return Ok(());
        };
        let class = size_class(last.rows());
        let layout = Arc::clone(&last.fragment.layout);
        let run = table
            .fragments
            .iter()
            .rev()
            .take_while(|live| size_class(live.rows()) <= class && live.fragment.layout == layout)
            .count();
        let start = table.fragments.len() - run;
        let rows: u64 = table.fragments[start..]
            .iter()
            .map(LiveFragment::rows)
            .sum();
        if run < MERGE_FAN_IN || rows > Fragment::MAX_ROWS as u64 {
            return Ok(());
        }
        let merged = merge(&table.fragments[start..])?;
        table.fragments.truncate(start);
        table.fragments.push(merged);
    }
}

/// Merges the run of small fragments that `index` stands in, where it is long. Returns where the run begins.
fn merge_around(table: &mut Table, index: usize) -> Result<usize, DfOlapError> {
    const SMALL_ROWS: u64 = (Fragment::MAX_ROWS / MERGE_FAN_IN) as u64;
    let layout = Arc::clone(&table.fragments[index].fragment.layout);
    let is_small =
        |live: &&LiveFragment| live.rows() < SMALL_ROWS && live.fragment.layout == layout;
    let (before, from_here) = table.fragments.split_at(index);
    let start = index - before.iter().rev().take_while(is_small).count();
    let end = index + from_here.iter().take_while(is_small).count();
    if end < start + MERGE_FAN_IN {
        return Ok(start);
    }
    let merged = table.fragments[start..end]
        .chunks(MERGE_FAN_IN)
        .map(merge)
        .collect::<Result<Vec<_>, _>>()?;
    table.fragments.splice(start..end, merged);
    Ok(start)
}

fn size_class(rows: u64) -> u32 {
    rows.max(1).ilog(MERGE_FAN_IN as u64)
}

fn merge(fragments: &[LiveFragment]) -> Result<LiveFragment, DfOlapError> {
    let mut batches = Vec::new();
    for live in fragments {
        batches.extend(live_batches(live)?);
    }
    let schema = fragments[0].fragment.batches[0].schema();
    let whole = compact_views(concat_batches(&schema, &batches)?)?;
    Ok(LiveFragment {
        fragment: Arc::new(Fragment::new(
            Arc::clone(&fragments[0].fragment.layout),
            vec![whole],
        )),
        deleted: None,
    })
}

fn live_batches(live: &LiveFragment) -> Result<Vec<RecordBatch>, DfOlapError> {
    let mut offset = 0u32;
    let mut batches = Vec::new();
    for batch in &live.fragment.batches {
        let kept = match live.live_rows(offset, batch.num_rows()) {
            Some(keep) => filter_record_batch(batch, &keep)?,
            None => batch.clone(),
        };
        offset += batch.num_rows() as u32;
        if kept.num_rows() > 0 {
            batches.push(kept);
        }
    }
    Ok(batches)
}

/// Views share the buffers they were cut from; a merged batch keeps only the bytes it shows.
fn compact_views(batch: RecordBatch) -> Result<RecordBatch, DfOlapError> {
    let columns = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()) as ArrayRef,
            _ => Arc::clone(column),
        })
        .collect();
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}
