//! The keys of new rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::concat;

use crate::change::Action;
use crate::error::DfOlapError;
use crate::key_index::key_set::KeySet;
use crate::snapshot::{Table, TableDefinition};
use crate::sql::resources::buffered_rows::BufferedRows;

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

    /// One array for each column of the key.
    pub fn whole(&self) -> Result<Vec<ArrayRef>, DfOlapError> {
        let width = self.0.first().map_or(0, Vec::len);
        let columns = (0..width).map(|column| {
            let arrays = self.0.iter().map(|batch| batch[column].as_ref());
            Ok(concat(&arrays.collect::<Vec<&dyn Array>>())?)
        });
        columns.collect()
    }
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
