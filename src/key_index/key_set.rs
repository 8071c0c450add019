//! Keys that a change adds, against the rows that others add at the same time.

use arrow::array::{Array, ArrayRef};
use datafusion::common::ScalarValue;

use super::digest::{DigestSet, Digests};
use crate::fragment::{ColumnId, Fragment, LiveFragment, ValueRange};
use crate::snapshot::Table;

/// The keys of new rows.
#[derive(Debug)]
pub(crate) struct KeySet {
    key: Vec<ColumnId>,
    /// Of the digests.
    seed: u64,
    digests: DigestSet,
    /// The range of the first column of the key.
    range: Option<ValueRange>,
}

impl KeySet {
    /// The most keys of a set, and the most rows that are searched for one of them: a commit waits for the search.
    pub const MAX_ROWS: usize = 1 << 16;

    /// Keys, for each batch one array for each column of the key; `None` if there are too many, or the key's type has
    /// no digest.
    pub fn of(table: &Table, keys: &[Vec<ArrayRef>]) -> Option<Self> {
        let (definition, seed) = (&table.definition, table.key_seed());
        let firsts = keys.iter().map(|columns| columns.first());
        let firsts = firsts.collect::<Option<Vec<&ArrayRef>>>()?;
        if firsts.iter().map(|column| column.len()).sum::<usize>() > Self::MAX_ROWS {
            return None;
        }
        let mut digests: Option<Digests> = None;
        for columns in keys {
            if !columns.iter().all(has_no_null) {
                return None;
            }
            let of_batch = Digests::of(columns, seed)?;
            of_batch.gather(&mut digests);
        }
        Some(Self {
            key: definition.primary_key.clone(),
            seed,
            digests: DigestSet::of(&digests?),
            range: ValueRange::of(firsts.into_iter()),
        })
    }

    /// Whether some live row of these fragments may have one of the keys.
    pub fn may_meet<'a>(&self, fragments: impl Iterator<Item = &'a LiveFragment>) -> bool {
        let mut rows = 0;
        let mut fragments = fragments.filter(|live| self.is_near(&live.fragment));
        fragments.any(|live| {
            rows += live.fragment.rows() as usize;
            rows > Self::MAX_ROWS || self.meets(live) != Some(false)
        })
    }

    /// Whether the fragment's range of the first key column meets that of the keys.
    fn is_near(&self, fragment: &Fragment) -> bool {
        let there = self.key.first().and_then(|first| fragment.range(*first));
        let (Some(wanted), Some(there)) = (&self.range, there) else {
            return true;
        };
        !(is_less(&there.max, &wanted.min) || is_less(&wanted.max, &there.min))
    }

    /// Whether a live row of the fragment has one of the keys; `None` if its rows are in a file, or have no digests.
    fn meets(&self, live: &LiveFragment) -> Option<bool> {
        if live.fragment.file().is_some() {
            return None;
        }
        let is_live = |row: u32| match &live.deleted {
            Some(deleted) => !deleted.contains(row),
            None => true,
        };
        let mut start = 0;
        for columns in key_columns(&live.fragment, &self.key)? {
            let there = Digests::of(&columns, self.seed)?;
            let mut is_met = false;
            there.for_each_in(&self.digests, |index| {
                is_met |= is_live(start + index as u32)
            });
            if is_met {
                return Some(true);
            }
            start += there.len() as u32;
        }
        Some(false)
    }
}

/// The key of each batch of a fragment in memory; `None` if a column is not there or has a NULL.
pub(crate) fn key_columns(fragment: &Fragment, ids: &[ColumnId]) -> Option<Vec<Vec<ArrayRef>>> {
    let places = ids
        .iter()
        .map(|id| fragment.layout.iter().position(|of| of == id));
    let places = places.collect::<Option<Vec<usize>>>()?;
    let batches = fragment.batches().iter();
    let columns = batches.map(|batch| {
        let columns = places.iter().map(|place| batch.column(*place));
        let columns = columns.map(|column| has_no_null(column).then(|| ArrayRef::clone(column)));
        columns.collect::<Option<Vec<ArrayRef>>>()
    });
    columns.collect()
}

pub(crate) fn has_no_null(column: &ArrayRef) -> bool {
    column.logical_null_count() == 0
}

pub(crate) fn is_less(a: &ScalarValue, b: &ScalarValue) -> bool {
    a.partial_cmp(b).is_some_and(std::cmp::Ordering::is_lt)
}
