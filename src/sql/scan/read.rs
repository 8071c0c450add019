//! The columns of a fragment in the table's current schema, and the addresses of its rows.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt64Array, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;

use crate::fragment::LiveFragment;
use crate::snapshot::{Table, TableDefinition, row_address};

/// The name of the row address column, which identifies a row within one snapshot.
pub(crate) const ROW_ADDRESS: &str = "__row_address";

/// A stored batch in the columns of its table, deleted rows included.
pub(crate) struct StoredBatch<'a> {
    pub batch: RecordBatch,
    live: &'a LiveFragment,
    place: usize,
    start: u32,
}

impl StoredBatch<'_> {
    /// True for each live row; `None` if all rows are live.
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
    let schema = Arc::new(with_dead_rows(&definition.schema));
    places.iter().flat_map(move |place| {
        let live = &table.fragments[*place];
        let mut next = 0;
        let schema = Arc::clone(&schema);
        live.fragment.batches().iter().map(move |stored| {
            let start = next;
            next += stored.num_rows() as u32;
            let columns = (0..definition.columns.len())
                .map(|index| stored_column(live, definition, index, stored))
                .collect::<Result<Vec<_>>>()?;
            Ok(StoredBatch {
                batch: RecordBatch::try_new(Arc::clone(&schema), columns)?,
                live,
                place: *place,
                start,
            })
        })
    })
}

/// Whether the rows at these addresses are in memory.
pub(crate) fn are_in_memory(table: &Table, addresses: &[u64]) -> bool {
    let mut fragments = addresses
        .iter()
        .map(|address| &table.fragments[(address >> 32) as usize]);
    fragments.all(|live| live.fragment.file().is_none())
}

/// Columns of the rows at some addresses, which are in memory.
pub(crate) fn rows_at(
    table: &Table,
    addresses: &[u64],
    columns: &[usize],
) -> Result<Vec<ArrayRef>> {
    let place_of = |address: u64| (address >> 32) as usize;
    let places: BTreeSet<usize> = addresses.iter().map(|address| place_of(*address)).collect();
    // Each batch with the position of its first row, and for each place its first batch.
    let mut batches: Vec<(u32, &RecordBatch, &LiveFragment)> = Vec::new();
    let mut first = HashMap::new();
    for place in places {
        let live = &table.fragments[place];
        first.insert(place, batches.len());
        let mut start = 0;
        for batch in live.fragment.batches() {
            batches.push((start, batch, live));
            start += batch.num_rows() as u32;
        }
    }
    let rows = addresses.iter().map(|address| {
        let mut at = first[&place_of(*address)];
        let position = *address as u32;
        while position - batches[at].0 >= batches[at].1.num_rows() as u32 {
            at += 1;
        }
        (at, (position - batches[at].0) as usize)
    });
    let rows: Vec<(usize, usize)> = rows.collect();
    let columns = columns.iter().map(|column| {
        let arrays = batches
            .iter()
            .map(|(_, batch, live)| stored_column(live, &table.definition, *column, batch));
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        Ok(interleave(&arrays, &rows)?)
    });
    columns.collect()
}

/// The schema of stored rows, with all columns nullable: a deleted row may hold a NULL in a column that became NOT
/// NULL later.
pub(super) fn with_dead_rows(schema: &Schema) -> Schema {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| Arc::new(field.as_ref().clone().with_nullable(true)));
    Schema::new(fields.collect::<Vec<_>>())
}

/// A column of the table from a batch of a fragment. A fragment older than the column gives the column's initial
/// value, or NULL.
pub(super) fn stored_column(
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

/// The addresses of the rows at some positions of the fragment at `place`.
pub(super) fn addresses(place: usize, positions: Range<u32>) -> ArrayRef {
    let addresses = positions.map(|position| row_address(place, position));
    Arc::new(UInt64Array::from_iter_values(addresses))
}
