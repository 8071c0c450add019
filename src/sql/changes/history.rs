//! The changes of a table that keeps its history: each change ends the row that is valid and adds another one.
//!
//! A key has at most one open row (one whose `_rhei_valid_to` is NULL). Rows that begin and end within the same changes
//! are written closed; an open row of the table that ends is deleted, and its closed copy is written.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array, new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, filter_record_batch, interleave, take};
use arrow::datatypes::{DataType, UInt64Type};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::prelude::ident;
use futures::StreamExt;
use roaring::RoaringTreemap;

use super::keys::Keys;
use super::moved::Rows;
use super::report::Report;
use super::rows::{Existing, ROWS_AT_ONCE, RowMaker, find_existing};
use super::spans::{Place, Span, Spans};
use super::target::Target;
use super::values::{ChangeBatch, lossless};
use super::walk::for_each_change;
use crate::cdc::History;
use crate::cdc::columns::{AT, OPERATION, VALID_FROM, VALID_TO};
use crate::change::{Action, deletions};
use crate::error::DfOlapError;
use crate::snapshot::Table;
use crate::sql::execution::Run;
use crate::sql::resources::buffered_rows::BufferedRows;
use crate::sql::scan::ROW_ADDRESS;
use crate::sql::scan::provider::SnapshotTable;
use crate::sql::write::append;
use crate::sql::write::rows::shape;

/// A table that keeps its history, and the indices of the columns for it.
pub(super) struct HistoryTable {
    pub target: Target,
    valid_from: usize,
    valid_to: usize,
    operation: usize,
    tombstones: bool,
}

impl HistoryTable {
    /// Checks that the table has the columns for its history and for the key.
    pub fn of(
        report: &Report<'_>,
        name: String,
        table: Arc<Table>,
        history: &History,
    ) -> Result<Self, DfOlapError> {
        let at = report.at();
        let definition = &table.definition;
        let find = |name: &str| definition.schema.index_of(name).ok();
        let column = |name: &str, kind: &str, fits: fn(&DataType) -> bool| {
            let found = find(name).filter(|index| {
                let field = definition.schema.field(*index);
                fits(field.data_type()) && (name != VALID_TO || field.is_nullable())
            });
            found.ok_or_else(|| {
                DfOlapError::SchemaMismatch(format!(
                    "{at}: a table that keeps its history has a column '{name}' of {kind}; add it"
                ))
            })
        };
        let is_moment: fn(&DataType) -> bool =
            |data_type| data_type.is_integer() || matches!(data_type, DataType::Timestamp(..));
        let valid_from = column(VALID_FROM, "integers or timestamps", is_moment)?;
        let valid_to = column(
            VALID_TO,
            "integers or timestamps that may be NULL",
            is_moment,
        )?;
        let operation = column(OPERATION, "text", DataType::is_string)?;
        let is_same = |a: usize, b: usize| {
            definition.schema.field(a).data_type() == definition.schema.field(b).data_type()
        };
        if !is_same(valid_from, valid_to) {
            return Err(DfOlapError::SchemaMismatch(format!(
                "{at}: the columns '{VALID_FROM}' and '{VALID_TO}' have different types"
            )));
        }
        if !definition.primary_key.is_empty() {
            return Err(DfOlapError::Invalid(format!(
                "{at}: the table has a PRIMARY KEY, and a history has several rows of a key; create it without"
            )));
        }
        if history.key.is_empty() {
            return Err(DfOlapError::Invalid(format!(
                "{at}: History::by names no column that identifies a row"
            )));
        }
        let key = history.key.iter().map(|name| {
            find(definition.name_meant(name)).ok_or_else(|| {
                DfOlapError::SchemaMismatch(format!(
                    "{at}: History::by names a column '{name}' that the table has not"
                ))
            })
        });
        let key = key.collect::<Result<Vec<usize>, DfOlapError>>()?;
        Ok(Self {
            target: Target { name, table, key },
            valid_from,
            valid_to,
            operation,
            tombstones: history.tombstones,
        })
    }

    /// The columns that the engine writes.
    pub fn columns(&self) -> [usize; 3] {
        [self.valid_from, self.valid_to, self.operation]
    }

    /// The times of the changes of each batch, in the type of the columns for them.
    fn times(&self, at: &str, batches: &[ChangeBatch]) -> Result<Vec<ArrayRef>, DfOlapError> {
        let field = self.target.table.definition.schema.field(self.valid_from);
        let times = batches.iter().map(|batch| {
            let refused = |why: String| DfOlapError::SchemaMismatch(format!("{at}: {why}"));
            let Some(times) = &batch.decoded.at else {
                return Err(refused(format!(
                    "the changes lack the column {AT}, the time of each change"
                )));
            };
            let (from, to) = (times.data_type(), field.data_type());
            if times.logical_null_count() > 0 {
                return Err(refused(format!("{AT} has a NULL")));
            }
            if from.is_integer() != to.is_integer() {
                return Err(refused(format!(
                    "{AT} is {from}, and {} is {to}",
                    field.name()
                )));
            }
            match lossless(times, to)? {
                Some((times, lost)) if lost.true_count() == 0 => Ok(times),
                _ => Err(refused(format!(
                    "{AT} is {from}, and some time does not fit {}, which is {to}",
                    field.name()
                ))),
            }
        });
        times.collect()
    }
}

/// The actions of the changes of one table.
pub(super) async fn actions(
    run: &Run,
    report: &mut Report<'_>,
    kept: &HistoryTable,
    batches: &[ChangeBatch],
    active: &[BooleanBuffer],
) -> Result<Vec<Action>, DfOlapError> {
    let target = &kept.target;
    let at = report.at();
    let times = kept.times(&at, batches)?;
    let keys = Keys::of(target, batches, active)?;
    let all: Vec<usize> = (0..target.table.definition.columns.len()).collect();
    let existing = find_existing(run, target, &keys, &all, Some(kept.valid_to)).await?;
    let strict = report.changes.strict;
    let rows = Rows {
        existing: &existing,
        batches,
        key: &target.key,
        keys_by_row: report.changes.keys_by_row,
    };
    let mut spans = Spans::new(rows, kept.operation, kept.tombstones, strict)?;
    for_each_change(
        run,
        report,
        &keys,
        batches,
        active,
        |batch, change, applied| spans.apply(batch, change, applied),
    )
    .await?;

    let mut new = BufferedRows::new(run.runtime());
    let mut dead = RoaringTreemap::new();
    let mut ended: Vec<(u32, Place)> = Vec::new();
    for found in existing.found.iter().flatten() {
        if let Some(at) = spans.ended[found.row as usize] {
            dead.insert(found.address);
            ended.push((found.row, at));
        }
    }
    if !ended.is_empty() {
        new.push(closed_copies(kept, &existing, &ended, &times)?)?;
    }
    if let Some(at) = spans.truncated {
        let met = existing.found.iter().flatten().map(|found| found.address);
        end_others(run, kept, &met.collect(), at, &times, &mut dead, &mut new).await?;
    }
    let maker = RowMaker::new(target, batches, &spans.versions, &existing);
    let written: Vec<u32> = (0..spans.versions.len() as u32).collect();
    for written in written.chunks(ROWS_AT_ONCE) {
        run.check_stop()?;
        let spans = &spans.spans[written[0] as usize..][..written.len()];
        let made = [
            (
                kept.valid_from,
                times_of(&times, spans.iter().map(|span| Some(span.from)))?,
            ),
            (
                kept.valid_to,
                times_of(&times, spans.iter().map(|span| span.to))?,
            ),
            (kept.operation, kept.operations(spans)?),
        ];
        new.push(maker.rows(run, written, &made).await?)?;
    }
    let mut actions = deletions(&target.table, &dead);
    // Which rows are open depends on the absence of others.
    if new.rows() > 0 {
        actions.push(Action::NoNewRows {
            id: target.table.id,
        });
    }
    actions.extend(append(run, &target.table, new).await?);
    Ok(actions)
}

impl HistoryTable {
    fn operations(&self, spans: &[Span]) -> Result<ArrayRef, DfOlapError> {
        let operations = StringArray::from_iter_values(spans.iter().map(|span| span.operation));
        let field = self.target.table.definition.schema.field(self.operation);
        Ok(cast(&operations, field.data_type())?)
    }
}

/// The times of these changes; NULL where there is none. `times` has those of each batch.
fn times_of(
    times: &[ArrayRef],
    places: impl Iterator<Item = Option<Place>>,
) -> Result<ArrayRef, DfOlapError> {
    let data_type = times.first().map_or(&DataType::Null, |of| of.data_type());
    let null = new_null_array(data_type, 1);
    let mut arrays: Vec<&dyn Array> = times.iter().map(AsRef::as_ref).collect();
    arrays.push(null.as_ref());
    let places = places.map(|place| place.unwrap_or((times.len(), 0)));
    Ok(interleave(&arrays, &places.collect::<Vec<Place>>())?)
}

/// Copies of rows of the table that end.
fn closed_copies(
    kept: &HistoryTable,
    existing: &Existing,
    ended: &[(u32, Place)],
    times: &[ArrayRef],
) -> Result<RecordBatch, DfOlapError> {
    let target = &kept.target;
    let definition = &target.table.definition;
    let rows = UInt32Array::from_iter_values(ended.iter().map(|(row, _)| *row));
    let columns = definition
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            if index == kept.valid_to {
                return times_of(times, ended.iter().map(|(_, at)| Some(*at)));
            }
            match existing.column(index) {
                Some(values) => Ok(take(values, &rows, None)?),
                None => Ok(new_null_array(column.field.data_type(), rows.len())),
            }
        });
    let columns = columns.collect::<Result<Vec<ArrayRef>, DfOlapError>>()?;
    shape(&target.name, definition, &columns, ended.len())
}

/// Ends all open rows of the table but those at the addresses `met`.
async fn end_others(
    run: &Run,
    kept: &HistoryTable,
    met: &RoaringTreemap,
    at: Place,
    times: &[ArrayRef],
    dead: &mut RoaringTreemap,
    new: &mut BufferedRows,
) -> Result<(), DfOlapError> {
    let target = &kept.target;
    let definition = &target.table.definition;
    let plan = {
        let store = Arc::clone(&run.context.store);
        let table = SnapshotTable::with_addresses(Arc::clone(&target.table), store);
        let name = definition.schema.field(kept.valid_to).name();
        LogicalPlanBuilder::scan("stored", provider_as_source(Arc::new(table)), None)?
            .filter(ident(name).is_null())?
            .build()?
    };
    let mut stream = run.stream(plan).await?;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let Some(addresses) = batch.column_by_name(ROW_ADDRESS) else {
            return Err(DfOlapError::Other("a scan without addresses".into()));
        };
        let addresses = addresses.as_primitive::<UInt64Type>();
        let others = addresses
            .values()
            .iter()
            .map(|address| !met.contains(*address));
        let others = arrow::array::BooleanArray::from(others.collect::<Vec<bool>>());
        let rows = filter_record_batch(&batch, &others)?;
        if rows.num_rows() == 0 {
            continue;
        }
        let addresses = rows
            .column(definition.columns.len())
            .as_primitive::<UInt64Type>();
        dead.extend(addresses.values());
        let mut columns = rows.columns()[..definition.columns.len()].to_vec();
        columns[kept.valid_to] = times_of(times, (0..rows.num_rows()).map(|_| Some(at)))?;
        new.push(shape(&target.name, definition, &columns, rows.num_rows())?)?;
    }
    Ok(())
}
