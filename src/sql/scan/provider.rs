//! [`SnapshotTable`]: the `TableProvider` of a table in a snapshot.
//!
//! Read only: the INSERT, UPDATE, DELETE and MERGE hooks keep DataFusion's default refusal, because DataFusion loses
//! conditions when it calls them. Writing goes through [`crate::sql::write`]. The primary key is not exposed to the
//! optimizer as a constraint: the key identifies rows, but two rows may share it unless the table enforces it.

use std::sync::Arc;

use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{ColumnStatistics, DFSchema, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;

use super::locate::{KeysToFind, is_worth_a_lookup, keys_of};
use super::pruning::prune;
use super::statistics::column_statistics;
use super::{FragmentSource, stored_batches, with_row_address};
use crate::snapshot::Table;
use crate::store::{FileScan, Store};

/// One table of one snapshot.
#[derive(Debug)]
pub(crate) struct SnapshotTable {
    table: Arc<Table>,
    store: Arc<dyn Store>,
    schema: SchemaRef,
}

impl SnapshotTable {
    pub fn new(table: Arc<Table>, store: Arc<dyn Store>) -> Self {
        Self {
            schema: Arc::clone(&table.definition.schema),
            store,
            table,
        }
    }

    /// Like [`Self::new`], with the row address as last column, for statements that write.
    pub fn with_addresses(table: Arc<Table>, store: Arc<dyn Store>) -> Self {
        Self {
            schema: with_row_address(&table.definition.schema),
            store,
            table,
        }
    }

    /// Whether both are the same table in the same version.
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.table, &other.table) && self.schema == other.schema
    }

    pub fn rows(&self) -> u64 {
        self.table.rows
    }

    /// The statistics of a column, from metadata alone.
    pub fn column_statistics(&self, name: &str) -> Option<ColumnStatistics> {
        let column = self.table.definition.column(name)?;
        let fragments: Vec<_> = self.table.fragments.iter().collect();
        Some(column_statistics(&fragments, column))
    }

    /// A sample of rows across the table, deleted rows included, with the given columns; `None` if a fragment is not
    /// in memory.
    pub fn sample<'a>(&self, columns: impl IntoIterator<Item = &'a str>) -> Option<RecordBatch> {
        const ROWS: usize = 4096;
        const PIECES: usize = 64;
        let fragments = &self.table.fragments;
        if fragments.iter().any(|live| live.fragment.file().is_some()) {
            return None;
        }
        let schema = &self.table.definition.schema;
        let columns = columns.into_iter().map(|name| schema.index_of(name).ok());
        let columns = columns.collect::<Option<Vec<_>>>()?;
        let all: usize = fragments
            .iter()
            .map(|live| live.fragment.rows() as usize)
            .sum();
        let step = if all <= ROWS { 1 } else { all / PIECES };
        let (mut pieces, mut start) = (Vec::new(), 0);
        for (place, live) in fragments.iter().enumerate() {
            let end = start + live.fragment.rows() as usize;
            let mut next = start.next_multiple_of(step);
            let places = [place];
            let batches = stored_batches(&self.table, if next < end { &places } else { &[] });
            for stored in batches {
                let batch = stored.ok()?.batch.project(&columns).ok()?;
                let rows = batch.num_rows();
                if all <= ROWS {
                    pieces.push(batch);
                } else {
                    while next < start + rows {
                        let from = next - start;
                        pieces.push(batch.slice(from, (ROWS / PIECES).min(rows - from)));
                        next += step;
                    }
                }
                start += rows;
            }
            start = end;
        }
        let schema = Arc::new(schema.project(&columns).ok()?);
        let sample = concat_batches(&schema, &pieces).ok()?;
        (sample.num_rows() > 0).then_some(sample)
    }

    /// The rows that have one of the keys that the filters name; `None` if they name none, or if the rows are found as
    /// well by reading the fragments at `places`.
    async fn by_key(
        &self,
        filters: &[Expr],
        places: &[usize],
        projection: &[usize],
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let definition = &self.table.definition;
        let worth = |keys| is_worth_a_lookup(&self.table, places, keys);
        let keys = worth(1).then(|| keys_of(definition, filters)).flatten();
        let Some(keys) = keys.filter(|keys| worth(keys.values[0].len())) else {
            return Ok(None);
        };
        let wanted = KeysToFind {
            table: &self.table,
            key: &keys.key,
            values: &keys.values,
            null: keys.null,
            store: self.store.as_ref(),
            stop: &|| Ok(()),
        };
        let columns = definition.columns.len();
        let read: Vec<usize> = projection
            .iter()
            .copied()
            .filter(|at| *at < columns)
            .collect();
        let Some(found) = wanted.rows(&read).await? else {
            return Ok(None);
        };
        // The address, which is after the columns of the table, comes after those that were read.
        let place = |at: &usize| read.iter().position(|read| read == at);
        let places = projection.iter().map(|at| place(at).unwrap_or(read.len()));
        let found = found.project(&places.collect::<Vec<usize>>())?;
        let schema = Arc::new(self.schema.project(projection)?);
        let found = found.with_schema(Arc::clone(&schema))?;
        Ok(Some(MemorySourceConfig::try_new_exec(
            &[vec![found]],
            schema,
            None,
        )?))
    }

    /// The places of the fragments that may hold a row for which all of `filters` are true.
    fn fragments_for(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<usize>> {
        let all = (0..self.table.fragments.len()).collect();
        let Some(filter) = conjunction(filters.iter().cloned()) else {
            return Ok(all);
        };
        if self.table.fragments.len() < 2 {
            return Ok(all);
        }
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let Ok(predicate) = state.create_physical_expr(filter, &schema) else {
            return Ok(all);
        };
        Ok(prune(&self.table, &self.schema, predicate))
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let places = self.fragments_for(state, filters)?;
        let limit = if filters.is_empty() { limit } else { None };
        let target_partitions = state.config().target_partitions();
        let projection = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        if let Some(plan) = self.by_key(filters, &places, &projection).await? {
            return Ok(plan);
        }
        let is_in_file = |place: &usize| self.table.fragments[*place].fragment.file().is_some();
        let (in_files, in_memory): (Vec<usize>, Vec<usize>) =
            places.into_iter().partition(is_in_file);
        let schema = Arc::new(self.schema.project(&projection)?);
        let mut plans = Vec::new();
        if !in_files.is_empty() {
            plans.push(self.store.scan(FileScan {
                table: &self.table,
                places: &in_files,
                projection: &projection,
                schema: Arc::clone(&schema),
                limit,
                target_partitions,
            })?);
        }
        if !in_memory.is_empty() || plans.is_empty() {
            plans.push(FragmentSource::plan(
                Arc::clone(&self.table),
                &in_memory,
                schema,
                projection,
                limit,
                target_partitions,
            ));
        }
        match plans.len() {
            1 => Ok(plans.remove(0)),
            _ => UnionExec::try_new(plans),
        }
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| {
                if filter.is_volatile() {
                    TableProviderFilterPushDown::Unsupported
                } else {
                    TableProviderFilterPushDown::Inexact
                }
            })
            .collect())
    }
}
