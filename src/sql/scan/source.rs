//! [`FragmentSource`]: the `DataSource` of a table scan, with its statistics and ordering.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{ColumnStatistics, Result, Statistics};
use datafusion::datasource::source::{DataSource, DataSourceExec};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{
    DynamicFilterTracking, EquivalenceProperties, Partitioning, PhysicalExpr,
};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::DisplayFormatType;
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::projection::{all_alias_free_columns, new_projections_for_columns};

use super::filter::ScanFilter;
use super::read::with_row_address;
use super::statistics::column_statistics;
use super::stream::{FragmentStream, Partition};
use crate::snapshot::Table;

/// A scan of some fragments and columns of one table, in partitions.
#[derive(Debug, Clone)]
pub(crate) struct FragmentSource {
    table: Arc<Table>,
    /// The places of the fragments that each partition reads, in order.
    partitions: Vec<Vec<usize>>,
    /// Columns by index; the index past the last one is the row address.
    projection: Vec<usize>,
    /// The output schema.
    schema: SchemaRef,
    /// The most rows that each partition returns.
    fetch: Option<usize>,
    /// The query's conditions, which all output rows fulfil, over all columns of the table and the row address.
    exact: Vec<Arc<dyn PhysicalExpr>>,
    /// Runtime filters over the same columns, applied only where they save work.
    runtime: Vec<Arc<dyn PhysicalExpr>>,
    metrics: ExecutionPlanMetricsSet,
    /// The statistics of each projected column over all partitions, computed at first use.
    columns: OnceLock<Vec<ColumnStatistics>>,
}

impl FragmentSource {
    /// Scans the fragments at `places`, split into at most `target_partitions` contiguous partitions.
    ///
    /// `schema` is the schema of the columns in `projection`.
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
            exact: Vec::new(),
            runtime: Vec::new(),
            metrics: ExecutionPlanMetricsSet::new(),
            columns: OnceLock::new(),
        })
    }

    /// Rewrites an expression over the projection to an expression over all columns of the table.
    fn over_table(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        expr.transform_down(|expr| {
            let column = expr.downcast_ref::<Column>();
            Ok(
                match column.map(|column| (column.name(), self.projection.get(column.index()))) {
                    Some((name, Some(place))) => {
                        Transformed::yes(Arc::new(Column::new(name, *place)) as _)
                    }
                    _ => Transformed::no(expr),
                },
            )
        })
        .data()
    }

    /// Column statistics over all partitions.
    fn column_statistics(&self) -> &[ColumnStatistics] {
        self.columns.get_or_init(|| {
            let places = self.partitions.iter().flatten();
            let fragments: Vec<_> = places.map(|p| &self.table.fragments[*p]).collect();
            let columns = &self.table.definition.columns;
            self.projection
                .iter()
                .map(|index| match columns.get(*index) {
                    Some(column) => without_bounds(column_statistics(&fragments, column)),
                    None => ColumnStatistics::new_unknown(),
                })
                .collect()
        })
    }

    /// Whether a partition reads many fragments of few rows, such as small commits make. What is done for each batch
    /// would take longer than gathering their rows. `batch_size` is the number of rows of a full batch.
    fn is_scattered(&self, partition: usize, batch_size: usize) -> bool {
        const FEW: usize = 8;
        let count = self.partitions.get(partition).map_or(0, Vec::len);
        count > FEW && self.rows(Some(partition)) < count as u64 * (batch_size / 2) as u64
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

/// The column statistics that DataFusion gets: without bounds. DataFusion casts bounds as if casts preserved the order
/// of values and never failed: the least text would be that of the least number, and a plan could fail on a number
/// that no row of the query has.
fn without_bounds(mut column: ColumnStatistics) -> ColumnStatistics {
    column.min_value = Precision::Absent;
    column.max_value = Precision::Absent;
    column
}

/// Splits a list of fragments into runs of about equal row counts. A small table stays in one run.
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
    fn open(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let filter = match self.exact.is_empty() && self.runtime.is_empty() {
            true => None,
            false => {
                let schema = with_row_address(&self.table.definition.schema);
                Some(ScanFilter::new(&self.exact, &self.runtime, schema)?)
            }
        };
        let rows = context.session_config().batch_size();
        let gathers = !self.exact.is_empty() || self.is_scattered(partition, rows);
        let partition_metrics = BaselineMetrics::new(&self.metrics, partition);
        let read = Partition {
            table: Arc::clone(&self.table),
            places: self.partitions.get(partition).cloned().unwrap_or_default(),
            projection: self.projection.clone(),
            schema: Arc::clone(&self.schema),
            filter,
            fetch: self.fetch,
            gathered_rows: gathers.then_some(rows),
        };
        let stream = FragmentStream::new(read, partition_metrics);
        Ok(Box::pin(cooperative(stream)))
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
        let all = self.exact.iter().chain(&self.runtime).enumerate();
        for (index, filter) in all {
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
        // Only some of the rows are returned, so the statistics of all rows are only bounds.
        let has_filters = !self.exact.is_empty() || !self.runtime.is_empty();
        if partition.is_some() || self.fetch.is_some() || has_filters {
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
        // The limit counts rows before a filter that is added later, so the filter must stay above the scan.
        if self.fetch.is_some() {
            let refused = vec![PushedDown::No; filters.len()];
            return Ok(FilterPushdownPropagation::with_parent_pushdown_result(
                refused,
            ));
        }
        let mut filtered = self.clone();
        let mut answers = Vec::new();
        for filter in filters {
            let tracking = DynamicFilterTracking::classify(&filter);
            let filter = self.over_table(filter)?;
            answers.push(if tracking.contains_dynamic_filter() {
                filtered.runtime.push(filter);
                PushedDown::No
            } else if is_volatile(&filter) {
                PushedDown::No
            } else {
                filtered.exact.push(filter);
                PushedDown::Yes
            });
        }
        let answer = FilterPushdownPropagation::with_parent_pushdown_result(answers);
        Ok(answer.with_updated_node(Arc::new(filtered)))
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        let exprs: Vec<_> = projection.iter().cloned().collect();
        if !all_alias_free_columns(&exprs) {
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

    fn metrics(&self) -> ExecutionPlanMetricsSet {
        self.metrics.clone()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for filter in self.exact.iter().chain(&self.runtime) {
            if f(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }
}

/// The total byte size of fixed-width columns; absent if one has no fixed width.
fn estimated_bytes(schema: &SchemaRef, rows: usize) -> Precision<usize> {
    schema
        .fields()
        .iter()
        .map(|field| field.data_type().primitive_width())
        .sum::<Option<usize>>()
        .map_or(Precision::Absent, |width| Precision::Inexact(width * rows))
}
