//! The record batch stream of one partition of a scan.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::ArrayRef;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::Result;
use datafusion::execution::RecordBatchStream;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::Stream;

use super::filter::{Rows, ScanFilter};
use super::pruning::prune;
use super::read::{addresses, stored_column};
use crate::fragment::{MAX_BATCH_BYTES, bounded_bytes};
use crate::runtime;
use crate::snapshot::Table;

/// The rows to read before the runtime filters are checked for changes again.
const LOOK_ROWS: usize = 1024;
/// How many times a partition prunes at most: a TopK over many small fragments changes its filter with each fragment.
const MOST_PRUNED: usize = 16;

/// The input of one partition.
pub(super) struct Partition {
    pub table: Arc<Table>,
    /// The places of its fragments, in order.
    pub places: Vec<usize>,
    /// Columns by index; the index past the last one is the row address.
    pub projection: Vec<usize>,
    pub schema: SchemaRef,
    pub filter: Option<ScanFilter>,
    /// The most rows that the partition returns.
    pub fetch: Option<usize>,
    /// Small batches are coalesced to this many rows.
    pub gathered_rows: Option<usize>,
}

pub(super) struct FragmentStream {
    partition: Partition,
    fragment: usize,
    batch: usize,
    /// The position in the fragment at which the next batch starts.
    position: u32,
    left: usize,
    /// The fragments that may hold a row that passes the runtime filters; `None` for all.
    wanted: Option<Vec<usize>>,
    /// The newest state of the runtime filters, until it is used for pruning.
    newer: Option<Arc<dyn PhysicalExpr>>,
    /// The first fragment at which pruning may run again.
    prune_at: usize,
    /// The rows read since the last check of the runtime filters.
    rows_since_refresh: usize,
    small: Option<BatchCoalescer>,
    /// The bytes in `small` of arrays that hold at most 2 GiB.
    small_bytes: usize,
    metrics: BaselineMetrics,
}

/// The result of one step of reading.
enum Step {
    Batch(RecordBatch),
    /// No rows: none of the batch remains, or the fragment is at its end or pruned.
    Nothing,
    End,
}

impl FragmentStream {
    pub fn new(partition: Partition, metrics: BaselineMetrics) -> Self {
        let small = partition.gathered_rows.map(|rows| {
            BatchCoalescer::new(Arc::clone(&partition.schema), rows)
                .with_biggest_coalesce_batch_size(Some(rows / 2))
        });
        Self {
            left: partition.fetch.unwrap_or(usize::MAX),
            partition,
            fragment: 0,
            batch: 0,
            position: 0,
            wanted: None,
            newer: None,
            prune_at: 0,
            rows_since_refresh: LOOK_ROWS,
            small,
            small_bytes: 0,
            metrics,
        }
    }

    /// Reads the next stored batch.
    fn step(&mut self) -> Result<Step> {
        if self.left == 0 {
            return Ok(Step::End);
        }
        self.refresh()?;
        let Some(place) = self.partition.places.get(self.fragment).copied() else {
            return Ok(Step::End);
        };
        let live = &self.partition.table.fragments[place];
        let wanted = self.wanted.as_ref();
        let is_wanted = wanted.is_none_or(|wanted| wanted.binary_search(&place).is_ok());
        let Some(batch) = live
            .fragment
            .batches()
            .get(self.batch)
            .filter(|_| is_wanted)
        else {
            self.fragment += 1;
            self.batch = 0;
            self.position = 0;
            return Ok(Step::Nothing);
        };
        let start = self.position;
        self.batch += 1;
        self.position += batch.num_rows() as u32;
        self.rows_since_refresh += batch.num_rows();
        let batch = self.read(place, batch, start)?;
        let rows = batch.num_rows().min(self.left);
        self.left -= rows;
        Ok(match rows {
            0 => Step::Nothing,
            rows if rows < batch.num_rows() => Step::Batch(batch.slice(0, rows)),
            _ => Step::Batch(batch),
        })
    }

    /// Takes the current state of the runtime filters, and prunes fragments by this state.
    fn refresh(&mut self) -> Result<()> {
        let partition = &mut self.partition;
        let Some(filter) = &mut partition.filter else {
            return Ok(());
        };
        if self.rows_since_refresh >= LOOK_ROWS {
            self.rows_since_refresh = 0;
            self.newer = filter.refresh()?.or(self.newer.take());
        }
        let count = partition.places.len();
        if count > 1
            && self.fragment >= self.prune_at
            && let Some(newer) = self.newer.take()
        {
            let places = prune(&partition.table, filter.table(), newer);
            self.wanted = Some(places);
            self.prune_at = self.fragment + (count / MOST_PRUNED).max(1);
        }
        Ok(())
    }

    fn read(&self, place: usize, batch: &RecordBatch, start: u32) -> Result<RecordBatch> {
        let partition = &self.partition;
        let definition = &partition.table.definition;
        let live = &partition.table.fragments[place];
        let stored = |index: usize| -> Result<ArrayRef> {
            match index < definition.columns.len() {
                true => stored_column(live, definition, index, batch),
                false => Ok(addresses(place, start..start + batch.num_rows() as u32)),
            }
        };
        let mut rows = Rows::alive(batch.num_rows(), live.live_rows(start, batch.num_rows()));
        if let Some(filter) = &partition.filter {
            rows = filter.apply(rows, &stored)?;
        }
        let left = rows.len();
        if left == 0 {
            return Ok(RecordBatch::new_empty(Arc::clone(&partition.schema)));
        }
        let gatherer = rows.gatherer()?;
        let columns = partition.projection.iter();
        let columns = columns.map(|index| gatherer.gather(stored(*index)?));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(left));
        let schema = Arc::clone(&partition.schema);
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }

    /// The next output batch; `Ok(None)` if the task should yield first.
    fn next_batch(&mut self) -> Option<Result<Option<RecordBatch>>> {
        let begun = runtime::now();
        loop {
            if let Some(batch) = self
                .small
                .as_mut()
                .and_then(BatchCoalescer::next_completed_batch)
            {
                return Some(Ok(Some(batch)));
            }
            let step = match self.step() {
                Ok(step) => step,
                Err(error) => return Some(Err(error)),
            };
            match (step, &mut self.small) {
                (Step::Batch(batch), None) => return Some(Ok(Some(batch))),
                (Step::Batch(batch), Some(small)) => {
                    if let Err(error) = gather(small, &mut self.small_bytes, batch) {
                        return Some(Err(error));
                    }
                }
                (Step::Nothing, _) => {}
                (Step::End, None) => return None,
                (Step::End, Some(small)) => {
                    if let Err(error) = small.finish_buffered_batch() {
                        return Some(Err(error.into()));
                    }
                    return small.next_completed_batch().map(|batch| Ok(Some(batch)));
                }
            }
            if runtime::now().duration_since(begun) >= runtime::TURN {
                return Some(Ok(None));
            }
        }
    }
}

/// Adds a batch to those that become one, or begins the next one.
fn gather(small: &mut BatchCoalescer, bytes: &mut usize, batch: RecordBatch) -> Result<()> {
    let more = bounded_bytes(&batch)?;
    if small.is_empty() {
        *bytes = 0;
    }
    if *bytes + more > MAX_BATCH_BYTES {
        small.finish_buffered_batch()?;
        *bytes = 0;
    }
    *bytes += more;
    Ok(small.push_batch(batch)?)
}

impl Stream for FragmentStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let timer = self.metrics.elapsed_compute().clone();
        let next = {
            let _timer = timer.timer();
            self.next_batch()
        };
        let next = match next {
            Some(Ok(None)) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Ok(Some(batch))) => Some(Ok(batch)),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        };
        self.metrics.record_poll(Poll::Ready(next))
    }
}

impl RecordBatchStream for FragmentStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.partition.schema)
    }
}
