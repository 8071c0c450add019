//! Keys to find in a table.

use std::sync::Arc;

use arrow::array::ArrayRef;

use crate::error::DfOlapError;
use crate::fragment::{ColumnId, LiveFragment, ValueRange};
use crate::key_index::key_set::is_less;
use crate::snapshot::Table;
use crate::store::Store;

/// Whether what is missing in an index is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Made,
    /// Only if few rows are missing, or if they were searched often: for one search, reading the keys is cheaper.
    MadeIfWorthwhile,
}

/// Keys without NULL, in the types of the key's columns.
pub(crate) struct KeysToFind<'a> {
    pub table: &'a Arc<Table>,
    /// The columns of the key.
    pub key: &'a [usize],
    /// The values of the keys, one array for each column of the key.
    pub values: &'a [ArrayRef],
    /// Only rows in which this column is NULL are wanted: fragments without such a row are left out.
    pub null: Option<ColumnId>,
    pub store: &'a dyn Store,
    /// Fails if the statement is to end.
    pub stop: &'a (dyn Fn() -> Result<(), DfOlapError> + Sync),
}

impl KeysToFind<'_> {
    /// The ids of the key's columns.
    pub(super) fn ids(&self) -> Vec<ColumnId> {
        let columns = &self.table.definition.columns;
        self.key.iter().map(|index| columns[*index].id).collect()
    }

    /// The fragments whose range of the first key column meets that of the keys.
    pub(super) fn overlapping(&self, ids: &[ColumnId]) -> Vec<usize> {
        let wanted = self.values.first();
        let wanted = wanted.and_then(|values| ValueRange::of(std::iter::once(values)));
        let fragments = self.table.fragments.iter().enumerate();
        let meets = |live: &LiveFragment| {
            let of_null = self.null.and_then(|null| live.fragment.range(null));
            if of_null.is_some_and(|range| range.nulls == 0) {
                return false;
            }
            let (Some(wanted), Some(there)) = (&wanted, live.fragment.range(ids[0])) else {
                return true;
            };
            !(is_less(&there.max, &wanted.min) || is_less(&wanted.max, &there.min))
        };
        let places = fragments.filter(|(_, live)| meets(live));
        places.map(|(place, _)| place).collect()
    }
}
