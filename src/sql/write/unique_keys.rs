//! One row for each key among new rows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use arrow::row::{OwnedRow, Row, RowConverter, Rows, SortField};
use datafusion::execution::memory_pool::MemoryConsumer;

use super::target::Target;
use crate::error::DfOlapError;
use crate::key_index::digest::one_zero;
use crate::sql::execution::Run;
use crate::sql::resources::cooperative::Pace;

/// The keys of so many rows are looked at between two looks at what stops the statement.
const PIECE: usize = 8192;
/// What the map of keys takes for a row: a key and its place, and the room that a map has to grow.
const BYTES_OF_ENTRY: usize = 2 * (size_of::<Row<'static>>() + size_of::<Place>());

/// The number of a batch, and of a row in it.
type Place = (usize, usize);

/// What becomes of several new rows with one key.
pub(super) enum SameKey {
    First,
    Last,
    /// They are an error of this statement.
    Refused(&'static str),
}

/// Keeps one row per key.
pub(super) async fn unique_by_key(
    run: &Run,
    target: &Target,
    source: Vec<RecordBatch>,
    of_same_key: SameKey,
) -> Result<Vec<RecordBatch>, DfOlapError> {
    let keys = KeyBytes::of(target)?;
    if keys.ascend(run, &source).await? {
        return Ok(source);
    }
    let pool = &run.runtime().memory_pool;
    let room = MemoryConsumer::new("keys of new rows").register(pool);
    let mut pace = Pace::new();
    let mut all: Vec<(Place, Rows)> = Vec::new();
    for (batch, first) in pieces(&source) {
        run.check_stop()?;
        pace.keep().await;
        let rows = keys.of_piece(&source, (batch, first))?;
        room.try_grow(rows.size() + rows.num_rows() * BYTES_OF_ENTRY)?;
        all.push(((batch, first), rows));
    }
    let mut seen: HashMap<Row<'_>, Place> = HashMap::new();
    let mut left_out: Vec<Vec<usize>> = vec![Vec::new(); source.len()];
    for ((batch, first), keys) in &all {
        run.check_stop()?;
        pace.keep().await;
        seen.reserve(keys.num_rows());
        for (row, key) in keys.iter().enumerate() {
            let place = (*batch, first + row);
            match seen.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(place);
                }
                Entry::Occupied(mut entry) => match of_same_key {
                    SameKey::First => left_out[*batch].push(first + row),
                    SameKey::Last => {
                        let (earlier, of_it) = entry.insert(place);
                        left_out[earlier].push(of_it);
                    }
                    SameKey::Refused(statement) => {
                        return Err(DfOlapError::Invalid(format!(
                            "{statement}: two rows of the INSERT have the same key of {}; make them unique",
                            target.name
                        )));
                    }
                },
            }
        }
    }
    let batches = source.into_iter().zip(left_out);
    let batches = batches.map(|(batch, left_out)| {
        if left_out.is_empty() {
            return Ok(batch);
        }
        let mut kept = vec![true; batch.num_rows()];
        for row in left_out {
            kept[row] = false;
        }
        Ok(filter_record_batch(&batch, &BooleanArray::from(kept))?)
    });
    batches.collect()
}

/// Where each piece of the batches begins.
fn pieces(source: &[RecordBatch]) -> impl Iterator<Item = Place> + '_ {
    let batches = source.iter().enumerate();
    batches.flat_map(|(batch, rows)| {
        let firsts = (0..rows.num_rows()).step_by(PIECE);
        firsts.map(move |first| (batch, first))
    })
}

/// Makes bytes of keys, which compare as the keys do.
struct KeyBytes {
    /// The columns of the key.
    key: Vec<usize>,
    converter: RowConverter,
}

impl KeyBytes {
    fn of(target: &Target) -> Result<Self, DfOlapError> {
        let definition = &target.table.definition;
        let key = definition.key_indices();
        let fields = key.iter().map(|index| {
            let field = definition.schema.field(*index);
            SortField::new(field.data_type().clone())
        });
        let converter = RowConverter::new(fields.collect())?;
        Ok(Self { key, converter })
    }

    fn of_piece(&self, source: &[RecordBatch], (batch, first): Place) -> Result<Rows, DfOlapError> {
        let rows = &source[batch];
        let rows = rows.slice(first, PIECE.min(rows.num_rows() - first));
        let columns = self.key.iter();
        let columns = columns.map(|index| one_zero(rows.column(*index)));
        let columns: Vec<ArrayRef> = columns.collect();
        Ok(self.converter.convert_columns(&columns)?)
    }

    /// Whether the keys ascend, so that none is there twice.
    async fn ascend(&self, run: &Run, source: &[RecordBatch]) -> Result<bool, DfOlapError> {
        let mut pace = Pace::new();
        let mut last: Option<OwnedRow> = None;
        for piece in pieces(source) {
            run.check_stop()?;
            pace.keep().await;
            let keys = self.of_piece(source, piece)?;
            let all = last.iter().map(OwnedRow::row).chain(keys.iter());
            if !all.is_sorted_by(|one, next| one < next) {
                return Ok(false);
            }
            last = Some(keys.row(keys.num_rows() - 1).owned());
        }
        Ok(true)
    }
}
