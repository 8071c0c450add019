//! The keys of new rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::concat;
use arrow::util::display::array_value_to_string;

use crate::change::Action;
use crate::error::DfOlapError;
use crate::key_index::key_set::KeySet;
use crate::snapshot::{Table, TableDefinition};
use crate::sql::resources::buffered_rows::BufferedRows;

/// So many keys are looked up at once.
const PART_ROWS: usize = 1 << 18;

/// The keys of new rows, for each batch one array for each column of the key.
#[derive(Debug, Default)]
pub(crate) struct KeysOfRows(Vec<Vec<ArrayRef>>);

impl KeysOfRows {
    pub fn of(definition: &TableDefinition, rows: &[RecordBatch]) -> Self {
        let mut keys = Self::default();
        for batch in rows {
            keys.add(definition, batch);
        }
        keys
    }

    /// Of rows in the columns of the key.
    pub fn of_keys(rows: &[RecordBatch]) -> Self {
        Self(rows.iter().map(|batch| batch.columns().to_vec()).collect())
    }

    /// Adds the keys of rows in the columns of their table.
    pub fn add(&mut self, definition: &TableDefinition, rows: &RecordBatch) {
        if rows.num_rows() > 0 {
            let key = definition.key_indices().into_iter();
            self.0
                .push(key.map(|at| Arc::clone(rows.column(at))).collect());
        }
    }

    pub fn batches(&self) -> &[Vec<ArrayRef>] {
        &self.0
    }

    /// Parts of at most `PART_ROWS` rows, or of one batch: one array for each column of the key.
    pub fn parts(&self) -> impl Iterator<Item = Result<Vec<ArrayRef>, DfOlapError>> {
        let mut rows = 0;
        let parts = self.0.chunk_by(move |before, next| {
            rows += before[0].len();
            let fits = rows + next[0].len() <= PART_ROWS;
            if !fits {
                rows = 0;
            }
            fits
        });
        parts.map(|part| {
            let columns = (0..part[0].len()).map(|column| {
                let arrays = part.iter().map(|batch| batch[column].as_ref());
                Ok(concat(&arrays.collect::<Vec<&dyn Array>>())?)
            });
            columns.collect()
        })
    }

    /// The batch of a key, and its row there.
    pub fn place(&self, mut number: usize) -> (&[ArrayRef], usize) {
        for batch in &self.0 {
            if number < batch[0].len() {
                return (batch, number);
            }
            number -= batch[0].len();
        }
        (&[], 0)
    }
}

/// A key as text, for an error: the names of its columns, and for each column an array with its value at `row`.
pub(crate) fn shown<'a>(
    names: impl IntoIterator<Item = &'a str>,
    columns: &[ArrayRef],
    row: usize,
) -> String {
    let parts = names.into_iter().zip(columns).map(|(name, column)| {
        let value = array_value_to_string(column, row).unwrap_or_default();
        format!("{name} = {value}")
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// The action that conflicts if rows with the keys of new rows are added by others.
pub(crate) fn no_new_keys(table: &Table, new: &BufferedRows) -> Action {
    let keys = KeysOfRows::of(&table.definition, &new.batches);
    new_keys_action(table, keys.batches())
}

/// The action that conflicts if rows with these keys are added by others; see [`KeySet::of`].
pub(super) fn new_keys_action(table: &Table, keys: &[Vec<ArrayRef>]) -> Action {
    let id = table.id;
    match KeySet::of(table, keys) {
        Some(keys) => Action::NoNewKeys {
            id,
            keys: Arc::new(keys),
        },
        None => Action::NoNewRows { id },
    }
}
