//! A table of a snapshot as DataFusion sees it: [`SnapshotTable`].
//!
//! Read only: its INSERT, UPDATE, DELETE and MERGE hooks stay DataFusion's refusals, because what DataFusion hands to them
//! loses conditions. Writing goes through [`crate::sql::dml`]. The primary key is not shown to the optimizer as a
//! constraint: it is identity, not a promise that no two rows share it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;

use super::scan::{FragmentSource, with_row_address};
use crate::fragment::{ColumnId, ValueRange};
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

    /// The same with the row address as last column, for statements that write.
    pub fn with_addresses(table: Arc<Table>, store: Arc<dyn Store>) -> Self {
        Self {
            schema: with_row_address(&table.definition.schema),
            store,
            table,
        }
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

/// Which fragments may hold a row for which `predicate` is true; all where that cannot be told.
pub(crate) fn prune(
    table: &Table,
    schema: &SchemaRef,
    predicate: Arc<dyn PhysicalExpr>,
) -> Vec<usize> {
    let all = 0..table.fragments.len();
    let Ok(predicate) = PruningPredicateBuilder::new()
        .with_file_schema(Arc::clone(schema))
        .try_build(predicate)
    else {
        return all.collect();
    };
    if predicate.always_true() {
        return all.collect();
    }
    match predicate.prune(&FragmentRanges(table)) {
        Ok(kept) => all
            .zip(kept)
            .filter(|(_, keep)| *keep)
            .map(|(i, _)| i)
            .collect(),
        Err(_) => all.collect(),
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

/// The fragments' value ranges, in the form that pruning asks for. Ranges count deleted rows too, so they can only be wide.
struct FragmentRanges<'a>(&'a Table);

impl FragmentRanges<'_> {
    fn column_id(&self, column: &Column) -> Option<(ColumnId, &DataType)> {
        let column = self.0.definition.column(&column.name)?;
        Some((column.id, column.field.data_type()))
    }

    fn values(
        &self,
        column: &Column,
        value: impl Fn(&ValueRange) -> ScalarValue,
    ) -> Option<ArrayRef> {
        let (id, data_type) = self.column_id(column)?;
        let unknown = ScalarValue::try_from(data_type).ok()?;
        let values = self
            .0
            .fragments
            .iter()
            .map(|live| live.fragment.range(id).map_or(unknown.clone(), &value));
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for FragmentRanges<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |range| range.min.clone())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |range| range.max.clone())
    }

    fn num_containers(&self) -> usize {
        self.0.fragments.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (id, _) = self.column_id(column)?;
        let counts = self.0.fragments.iter();
        let counts = counts.map(|live| live.fragment.range(id).map(|range| range.nulls));
        Some(Arc::new(UInt64Array::from_iter(counts)))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts = self.0.fragments.iter();
        let counts = counts.map(|live| u64::from(live.fragment.rows()));
        Some(Arc::new(UInt64Array::from_iter_values(counts)))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
