//! Finds the rows of a table by the values of its key.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::MemTable;
use datafusion::common::{Column, JoinType, Result, ScalarValue, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use datafusion::prelude::lit;

use crate::fragment::ValueRange;
use crate::snapshot::Table;
use crate::sql::planner::Planner;
use crate::sql::scan::provider::SnapshotTable;

/// A column of a relation.
pub(crate) fn column_of(relation: &TableReference, name: &str) -> Expr {
    Expr::Column(Column::new(Some(relation.clone()), name))
}

/// The rows of a table, for a join by key.
pub(crate) struct Stored<'a> {
    pub table: &'a Arc<Table>,
    /// The columns of the key.
    pub key: &'a [usize],
    /// The rows that have the keys to be joined, with their addresses, if they are known already: then the table is not
    /// read.
    pub found: Option<RecordBatch>,
    pub alias: &'a TableReference,
}

/// Joins rows, which have the columns of the key under their names, to the stored rows with the same keys, which have
/// their addresses.
pub(crate) fn join_by_key(
    planner: &Planner,
    stored: Stored<'_>,
    (schema, rows): (SchemaRef, Vec<RecordBatch>),
    rows_alias: &TableReference,
    join: JoinType,
) -> Result<LogicalPlanBuilder> {
    let Stored {
        table,
        key,
        found,
        alias,
    } = stored;
    let definition = &table.definition;
    let key = key.iter();
    let names: Vec<&str> = key
        .map(|index| definition.columns[*index].field.name().as_str())
        .collect();
    let existing = match found {
        Some(found) => {
            let found = MemTable::try_new(found.schema(), vec![vec![found]])?;
            LogicalPlanBuilder::scan(alias.clone(), provider_as_source(Arc::new(found)), None)?
        }
        None => {
            let store = Arc::clone(&planner.context.store);
            let stored = SnapshotTable::with_addresses(Arc::clone(table), store);
            let stored = provider_as_source(Arc::new(stored));
            let mut existing = LogicalPlanBuilder::scan(alias.clone(), stored, None)?;
            for name in &names {
                // Lets the scan skip fragments that can hold none of the keys.
                if let Some((least, greatest)) = key_range(&rows, name) {
                    let range = column_of(alias, name).between(lit(least), lit(greatest));
                    existing = existing.filter(range)?;
                }
            }
            existing
        }
    };
    let on = names
        .iter()
        .map(|name| column_of(rows_alias, name).eq(column_of(alias, name)));
    let on: Vec<Expr> = on.collect();
    let rows = MemTable::try_new(schema, vec![rows])?;
    LogicalPlanBuilder::scan(rows_alias.clone(), provider_as_source(Arc::new(rows)), None)?.join_on(
        existing.build()?,
        join,
        on,
    )
}

/// The least and greatest value of a key column.
fn key_range(rows: &[RecordBatch], name: &str) -> Option<(ScalarValue, ScalarValue)> {
    let range = ValueRange::of(rows.iter().filter_map(|batch| batch.column_by_name(name)))?;
    Some((range.min, range.max))
}
