//! The columns of a fragment in the table's current schema, and the addresses of its rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt64Array, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use futures::{StreamExt, TryStreamExt, stream};

use crate::error::DfOlapError;
use crate::fragment::{ColumnId, LiveFragment};
use crate::snapshot::{Table, TableDefinition, row_address};
use crate::store::Store;

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

/// How many files are read concurrently.
const FILES_AT_ONCE: usize = 16;

/// Columns of the rows at some addresses, which are in memory.
fn rows_at(table: &Table, addresses: &[u64], columns: &[usize]) -> Result<Vec<ArrayRef>> {
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

/// Columns of the rows at some addresses, in memory and in files.
pub(crate) async fn read_rows(
    store: &dyn Store,
    table: &Table,
    addresses: &[u64],
    columns: &[usize],
) -> Result<Vec<ArrayRef>, DfOlapError> {
    let is_in_memory = |address: &u64| {
        let live = &table.fragments[(*address >> 32) as usize];
        live.fragment.file().is_none()
    };
    let (in_memory, in_files): (Vec<u64>, Vec<u64>) =
        addresses.iter().copied().partition(is_in_memory);
    if in_files.is_empty() {
        return Ok(rows_at(table, addresses, columns)?);
    }
    let mut positions: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
    for address in in_files {
        let of_file = positions.entry((address >> 32) as usize).or_default();
        of_file.insert(address as u32);
    }
    let ids = columns
        .iter()
        .map(|index| table.definition.columns[*index].id);
    let ids: Vec<ColumnId> = ids.collect();
    let reads = stream::iter(positions).map(|(place, positions)| {
        let ids = &ids;
        async move {
            let positions: Vec<u32> = positions.into_iter().collect();
            let read = store.rows_at(table, place, &positions, ids).await?;
            Ok::<_, DfOlapError>((place, positions, read))
        }
    });
    let mut reads = reads.buffered(FILES_AT_ONCE);
    // The rows that were read, and where each of them is.
    let mut parts = Vec::new();
    let mut places: HashMap<u64, (usize, usize)> = HashMap::with_capacity(addresses.len());
    if !in_memory.is_empty() {
        parts.push(rows_at(table, &in_memory, columns)?);
        let of_memory = in_memory.iter().enumerate();
        places.extend(of_memory.map(|(row, address)| (*address, (0, row))));
    }
    while let Some((place, positions, read)) = reads.try_next().await? {
        let of_file = positions.iter().enumerate();
        let of_file = of_file.map(|(row, at)| (row_address(place, *at), (parts.len(), row)));
        places.extend(of_file);
        parts.push(read);
    }
    let places: Vec<(usize, usize)> = addresses.iter().map(|address| places[address]).collect();
    let columns = (0..columns.len()).map(|column| {
        let arrays = parts.iter().map(|part| part[column].as_ref());
        Ok(interleave(&arrays.collect::<Vec<&dyn Array>>(), &places)?)
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
