//! Reading fragments less their deletions, with row addresses on demand.
//!
//! [`FragmentSource`] is the data source under a `DataSourceExec`, so that DataFusion's optimizer, metrics and display treat
//! a table as they treat any other scan. Batches without deletions are handed over as they are; rows are never gathered
//! first. Which fragments are read at all is decided in [`crate::sql::provider`].

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use arrow::array::{ArrayRef, BooleanArray, UInt64Array, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Result, Statistics};
use datafusion::datasource::source::{DataSource, DataSourceExec};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{
    DynamicFilterTracking, EquivalenceProperties, Partitioning, PhysicalExpr,
};
use datafusion::physical_plan::DisplayFormatType;
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::projection::{all_alias_free_columns, new_projections_for_columns};
use futures::Stream;

use super::runtime_filter::RuntimeFilter;
use super::statistics::column_statistics;
use crate::fragment::LiveFragment;
use crate::snapshot::{Table, TableDefinition, row_address};

/// The name of the column that names a row within one snapshot.
pub(crate) const ROW_ADDRESS: &str = "__row_address";

/// Some fragments of one table, some of its columns, in some partitions.
#[derive(Debug, Clone)]
pub(crate) struct FragmentSource {
    table: Arc<Table>,
    /// The places of the fragments that each partition reads, in order.
    partitions: Vec<Vec<usize>>,
    /// Columns by index; the index past the last one is the row address.
    projection: Vec<usize>,
    /// The schema of what comes out.
    schema: SchemaRef,
    fetch: Option<usize>,
    /// Filters over `schema` that come to be while the query runs.
    filters: Vec<Arc<dyn PhysicalExpr>>,
    /// Of all partitions and each column, worked out when first asked for.
    columns: OnceLock<Vec<ColumnStatistics>>,
}

impl FragmentSource {
    /// Reads the fragments at `places`, spread over at most `target_partitions` partitions, contiguous each.
    ///
    /// `schema` is that of the columns `projection`.
    pub fn plan(
        table: Arc<Table>,
        places: &[usize],
        schema: SchemaRef,
        projection: Vec<usize>,
        fetch: Option<usize>,
        target_partitions: usize,
    ) -> Arc<DataSourceExec> {
        DataSourceExec::from_data_source(Self {
            partitions: spread(&table, places, target_partitions),
            schema,
            table,
            projection,
            fetch,
            filters: Vec::new(),
            columns: OnceLock::new(),
        })
    }

    /// What is known of the columns over all partitions.
    fn column_statistics(&self) -> &[ColumnStatistics] {
        self.columns.get_or_init(|| {
            let places = self.partitions.iter().flatten();
            let fragments: Vec<_> = places.map(|p| &self.table.fragments[*p]).collect();
            let columns = &self.table.definition.columns;
            self.projection
                .iter()
                .map(|index| match columns.get(*index) {
                    Some(column) => column_statistics(&fragments, column),
                    None => ColumnStatistics::new_unknown(),
                })
                .collect()
        })
    }

    fn rows(&self, partition: Option<usize>) -> u64 {
        let chosen = match partition {
            Some(one) => self.partitions.get(one..=one).unwrap_or_default(),
            None => &self.partitions,
        };
        chosen
            .iter()
            .flatten()
            .map(|place| self.table.fragments[*place].rows())
            .sum()
    }
}

/// Cuts a list of fragments into runs of about equal rows. A small table stays in one.
fn spread(table: &Table, places: &[usize], target_partitions: usize) -> Vec<Vec<usize>> {
    const MIN_ROWS: u64 = 1 << 16;
    let total: u64 = places.iter().map(|p| table.fragments[*p].rows()).sum();
    let partitions = (total / MIN_ROWS).clamp(1, target_partitions.max(1) as u64);
    let share = total.div_ceil(partitions).max(1);
    let mut runs = vec![Vec::new()];
    let mut rows = 0;
    for place in places {
        if rows >= share * runs.len() as u64 {
            runs.push(Vec::new());
        }
        rows += table.fragments[*place].rows();
        if let Some(run) = runs.last_mut() {
            run.push(*place);
        }
    }
    runs
}

impl DataSource for FragmentSource {
    fn open(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Ok(Box::pin(cooperative(FragmentStream::new(
            self.clone(),
            partition,
        ))))
    }

    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fragments: usize = self.partitions.iter().map(Vec::len).sum();
        write!(
            f,
            "fragments={fragments}/{}, partitions={}, rows={}",
            self.table.fragments.len(),
            self.partitions.len(),
            self.rows(None),
        )?;
        if let Some(fetch) = self.fetch {
            write!(f, ", fetch={fetch}")?;
        }
        for (index, filter) in self.filters.iter().enumerate() {
            let before = if index == 0 { ", filter=" } else { " AND " };
            write!(f, "{before}{filter}")?;
        }
        Ok(())
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(self.partitions.len())
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        EquivalenceProperties::new(Arc::clone(&self.schema))
    }

    fn scheduling_type(&self) -> SchedulingType {
        SchedulingType::Cooperative
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        let rows = usize::try_from(self.rows(partition)).unwrap_or(usize::MAX);
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = match self.fetch {
            None => Precision::Exact(rows),
            Some(fetch) => {
                Precision::Exact(rows.min(fetch.saturating_mul(if partition.is_some() {
                    1
                } else {
                    self.partitions.len()
                })))
            }
        };
        statistics.total_byte_size = estimated_bytes(&self.schema, rows);
        statistics.column_statistics = self.column_statistics().to_vec();
        // Some of the rows: the whole table's values are bounds.
        if partition.is_some() || self.fetch.is_some() || !self.filters.is_empty() {
            statistics = statistics.to_inexact();
        }
        Ok(Arc::new(statistics))
    }

    fn with_fetch(&self, fetch: Option<usize>) -> Option<Arc<dyn DataSource>> {
        Some(Arc::new(Self {
            fetch,
            ..self.clone()
        }))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn DataSource>>> {
        // Who offers one applies it as well: `No` says that it is no more than a help here.
        let answer = FilterPushdownPropagation::with_parent_pushdown_result(vec![
            PushedDown::No;
            filters.len()
        ]);
        let is_dynamic = |filter: &Arc<dyn PhysicalExpr>| {
            DynamicFilterTracking::classify(filter).contains_dynamic_filter()
        };
        let dynamic: Vec<_> = filters.into_iter().filter(is_dynamic).collect();
        // A limit counts the rows before a filter that came later.
        if dynamic.is_empty() || self.fetch.is_some() {
            return Ok(answer);
        }
        let mut filtered = self.clone();
        filtered.filters.extend(dynamic);
        Ok(answer.with_updated_node(Arc::new(filtered)))
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        let exprs: Vec<_> = projection.iter().cloned().collect();
        // The filters speak of the columns as they are.
        if !all_alias_free_columns(&exprs) || !self.filters.is_empty() {
            return Ok(None);
        }
        let chosen = new_projections_for_columns(&exprs, &self.projection);
        let kept: Vec<usize> =
            new_projections_for_columns(&exprs, &(0..self.projection.len()).collect::<Vec<_>>());
        Ok(Some(Arc::new(Self {
            projection: chosen,
            schema: Arc::new(self.schema.project(&kept)?),
            columns: OnceLock::new(),
            ..self.clone()
        })))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for filter in &self.filters {
            if f(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }
}

/// What fixed-width columns take; unknown where one has no fixed width.
fn estimated_bytes(schema: &SchemaRef, rows: usize) -> Precision<usize> {
    schema
        .fields()
        .iter()
        .map(|field| field.data_type().primitive_width())
        .sum::<Option<usize>>()
        .map_or(Precision::Absent, |width| Precision::Inexact(width * rows))
}

/// A batch as it is stored, in the columns of its table, dead rows included.
pub(crate) struct StoredBatch<'a> {
    pub batch: RecordBatch,
    live: &'a LiveFragment,
    place: usize,
    start: u32,
}

impl StoredBatch<'_> {
    /// True for each row that is alive; `None` where all are.
    pub fn live_rows(&self) -> Option<BooleanArray> {
        self.live.live_rows(self.start, self.batch.num_rows())
    }

    /// The address of the row at `index` of the batch.
    pub fn address(&self, index: usize) -> u64 {
        row_address(self.place, self.start + index as u32)
    }
}

/// All columns of the fragments at `places`, batch by batch.
pub(crate) fn stored_batches<'a>(
    table: &'a Table,
    places: &'a [usize],
) -> impl Iterator<Item = Result<StoredBatch<'a>>> + 'a {
    let definition = &table.definition;
    places.iter().flat_map(move |place| {
        let live = &table.fragments[*place];
        let mut next = 0;
        live.fragment.batches().iter().map(move |stored| {
            let start = next;
            next += stored.num_rows() as u32;
            let columns = (0..definition.columns.len())
                .map(|index| stored_column(live, definition, index, stored))
                .collect::<Result<Vec<_>>>()?;
            Ok(StoredBatch {
                batch: RecordBatch::try_new(Arc::clone(&definition.schema), columns)?,
                live,
                place: *place,
                start,
            })
        })
    })
}

/// A column of the table as a fragment has it, or as rows have it that are older than the column.
fn stored_column(
    live: &LiveFragment,
    definition: &TableDefinition,
    index: usize,
    batch: &RecordBatch,
) -> Result<ArrayRef> {
    if Arc::ptr_eq(&live.fragment.layout, &definition.layout) {
        return Ok(Arc::clone(batch.column(index)));
    }
    let column = &definition.columns[index];
    match live.fragment.layout.iter().position(|id| *id == column.id) {
        Some(stored) => Ok(Arc::clone(batch.column(stored))),
        None => match &column.initial {
            Some(value) => value.to_array_of_size(batch.num_rows()),
            None => Ok(new_null_array(column.field.data_type(), batch.num_rows())),
        },
    }
}

/// A table's schema with the row address after it.
pub(crate) fn with_row_address(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(ROW_ADDRESS, DataType::UInt64, false)));
    Arc::new(Schema::new(fields))
}

/// One partition, batch by batch.
struct FragmentStream {
    source: FragmentSource,
    partition: usize,
    fragment: usize,
    batch: usize,
    /// The position in the fragment at which the next batch starts.
    position: u32,
    left: usize,
    filter: Option<RuntimeFilter>,
    /// The fragments that may hold a row that the filter wants; all without.
    wanted: Option<Vec<usize>>,
}

impl FragmentStream {
    fn new(source: FragmentSource, partition: usize) -> Self {
        Self {
            left: source.fetch.unwrap_or(usize::MAX),
            filter: RuntimeFilter::new(&source.filters),
            wanted: None,
            source,
            partition,
            fragment: 0,
            batch: 0,
            position: 0,
        }
    }

    fn next_batch(&mut self) -> Option<Result<RecordBatch>> {
        loop {
            let place = *self.source.partitions[self.partition].get(self.fragment)?;
            if self.batch == 0 && !self.is_wanted(place) {
                self.fragment += 1;
                continue;
            }
            let live = &self.source.table.fragments[place];
            let Some(batch) = live.fragment.batches().get(self.batch) else {
                self.fragment += 1;
                self.batch = 0;
                self.position = 0;
                continue;
            };
            if self.left == 0 {
                return None;
            }
            let start = self.position;
            self.batch += 1;
            self.position += batch.num_rows() as u32;
            let batch = match self.read(place, live, batch, start) {
                Ok(batch) => batch,
                Err(error) => return Some(Err(error)),
            };
            if batch.num_rows() == 0 {
                continue;
            }
            let rows = batch.num_rows().min(self.left);
            self.left -= rows;
            return Some(Ok(if rows < batch.num_rows() {
                batch.slice(0, rows)
            } else {
                batch
            }));
        }
    }

    /// Whether a fragment may hold a row that the filter wants, as far as is known now.
    fn is_wanted(&mut self, place: usize) -> bool {
        let Some(filter) = &mut self.filter else {
            return true;
        };
        let (table, schema) = (&self.source.table, &self.source.schema);
        if table.fragments.len() > 1
            && let Some(places) = filter.changed_places(table, schema)
        {
            self.wanted = Some(places);
        }
        let wanted = self.wanted.as_ref();
        wanted.is_none_or(|wanted| wanted.binary_search(&place).is_ok())
    }

    fn read(
        &self,
        place: usize,
        live: &LiveFragment,
        batch: &RecordBatch,
        start: u32,
    ) -> Result<RecordBatch> {
        let definition = &self.source.table.definition;
        let rows = batch.num_rows();
        let columns = self
            .source
            .projection
            .iter()
            .map(|index| -> Result<ArrayRef> {
                if *index < definition.columns.len() {
                    return stored_column(live, definition, *index, batch);
                }
                let end = start + rows as u32;
                let addresses = (start..end).map(|p| row_address(place, p));
                Ok(Arc::new(UInt64Array::from_iter_values(addresses)))
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch =
            RecordBatch::try_new_with_options(Arc::clone(&self.source.schema), columns, &options)?;
        let batch = match live.live_rows(start, rows) {
            Some(keep) => filter_record_batch(&batch, &keep)?,
            None => batch,
        };
        match &self.filter {
            Some(filter) => filter.apply(batch),
            None => Ok(batch),
        }
    }
}

impl Stream for FragmentStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.next_batch())
    }
}

impl RecordBatchStream for FragmentStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.source.schema)
    }
}
