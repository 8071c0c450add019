//! [`MergedKeys`]: an index of the keys of several files, in the place of the indexes beside them.
//!
//! A lookup of keys in random order touches each index, so the indexes of many files are merged into few. A fragment is
//! in at most one merged index, and once it is in one, the index beside its file is not used any more: a merged index
//! is dropped only when all of its fragments are gone, or are in another one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::fragment::{FragmentId, KeysFile, LiveFragment};

/// Fragments whose rows are numbered, one fragment after the other.
#[derive(Debug)]
pub(crate) struct Spans {
    /// The fragments, and the number of rows before each.
    starts: Vec<(FragmentId, u32)>,
    rows: u32,
}

impl Spans {
    /// The fragments, given by their ids and numbers of rows; `None` if the rows are too many to be numbered.
    pub fn new(fragments: impl IntoIterator<Item = (FragmentId, u32)>) -> Option<Self> {
        let (mut starts, mut rows) = (Vec::new(), 0_u32);
        for (id, count) in fragments {
            starts.push((id, rows));
            rows = rows.checked_add(count)?;
        }
        Some(Self { starts, rows })
    }

    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The fragments and their numbers of rows.
    pub fn iter(&self) -> impl Iterator<Item = (FragmentId, u32)> + '_ {
        let ends = self.starts.iter().skip(1).map(|(_, start)| *start);
        let ends = ends.chain([self.rows]);
        let spans = self.starts.iter().zip(ends);
        spans.map(|((id, start), end)| (*id, end - start))
    }

    /// The fragment that has a row, by its place among the fragments, and the row's position in it. `row` is less than
    /// [`rows`](Self::rows).
    pub fn find(&self, row: u32) -> (usize, u32) {
        let after = self.starts.partition_point(|(_, start)| *start <= row);
        let place = after.saturating_sub(1);
        (place, row - self.starts[place].1)
    }

    /// The id of the fragment at a place.
    pub fn id(&self, place: usize) -> FragmentId {
        self.starts[place].0
    }

    /// The number of rows of the fragments for which `is_there` is true.
    pub fn rows_of(&self, is_there: impl Fn(FragmentId) -> bool) -> u32 {
        let there = self.iter().filter(|(id, _)| is_there(*id));
        there.map(|(_, rows)| rows).sum()
    }
}

/// An index of the keys of several files.
#[derive(Debug)]
pub(crate) struct MergedKeys {
    pub file: Arc<KeysFile>,
    /// The fragments whose rows it has, one after the other. Some of them may be gone.
    pub fragments: Spans,
}

/// The merged indexes of a table.
#[derive(Debug, Default)]
pub(crate) struct MergedIndexes {
    all: Vec<Arc<MergedKeys>>,
    /// For each fragment that has one, the place of its index in `all`.
    of: HashMap<FragmentId, usize>,
}

impl MergedIndexes {
    pub fn new(all: Vec<Arc<MergedKeys>>, fragments: &[LiveFragment]) -> Self {
        let rows = fragments.iter().map(|live| &live.fragment);
        let rows: HashMap<FragmentId, u32> = rows.map(|f| (f.id, f.rows())).collect();
        let mut of = HashMap::new();
        for (place, index) in all.iter().enumerate() {
            for (id, in_index) in index.fragments.iter() {
                if rows.get(&id) == Some(&in_index) {
                    of.entry(id).or_insert(place);
                }
            }
        }
        Self { all, of }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<MergedKeys>> {
        self.all.iter()
    }

    /// The place of the index that has the rows of a fragment, and the index.
    pub fn of(&self, fragment: FragmentId) -> Option<(usize, &Arc<MergedKeys>)> {
        let place = *self.of.get(&fragment)?;
        Some((place, &self.all[place]))
    }

    /// These indexes with `new` in place of those with the ids `old`; `None` if one of these is not there, or if the
    /// new one has no fragment that is there, lacks one of theirs, or has one of another index.
    pub fn with(
        &self,
        new: &Arc<MergedKeys>,
        old: &[FragmentId],
        fragments: &[LiveFragment],
    ) -> Option<Self> {
        let is_old = |index: &MergedKeys| old.contains(&index.file.id);
        if self.all.iter().filter(|index| is_old(index)).count() != old.len() {
            return None;
        }
        let kept = self.all.iter().filter(|index| !is_old(index)).cloned();
        let merged = Self::new(kept.chain([Arc::clone(new)]).collect(), fragments);
        let is_new = |place: usize| place + 1 == merged.all.len();
        let in_new: HashSet<FragmentId> = new.fragments.iter().map(|(id, _)| id).collect();
        let there = fragments.iter().map(|live| live.fragment.id);
        let (mut any, mut is_whole) = (false, true);
        for id in there {
            let before = self.of(id).map(|(_, index)| is_old(index));
            let now = merged.of(id).map(|(place, _)| is_new(place));
            any |= now == Some(true);
            is_whole &= match before {
                Some(true) => now == Some(true),
                Some(false) => !in_new.contains(&id),
                None => true,
            };
        }
        (any && is_whole).then_some(merged)
    }

    /// The indexes of which a fragment is left; `None` if these are all.
    pub fn living(&self, fragments: &[LiveFragment]) -> Option<Self> {
        let mut lives = vec![false; self.all.len()];
        for live in fragments {
            if let Some(place) = self.of.get(&live.fragment.id) {
                lives[*place] = true;
            }
        }
        if lives.iter().all(|lives| *lives) {
            return None;
        }
        let all = self.all.iter().zip(lives);
        let all = all.filter(|(_, lives)| *lives);
        let all = all.map(|(index, _)| Arc::clone(index)).collect();
        Some(Self::new(all, fragments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fragment::Fragment;

    fn live(rows: u32) -> LiveFragment {
        let rows = arrow::array::Int32Array::from_iter_values(0..rows as i32);
        let rows: arrow::array::ArrayRef = Arc::new(rows);
        let batch = arrow::array::RecordBatch::try_from_iter([("n", rows)]).expect("a batch");
        Arc::new(Fragment::new([].into(), vec![batch])).into()
    }

    fn index(fragments: &[(FragmentId, u32)]) -> Arc<MergedKeys> {
        let fragments = Spans::new(fragments.iter().copied()).expect("few rows");
        let id = (FragmentId::fresh(), String::new());
        Arc::new(MergedKeys {
            file: Arc::new(KeysFile::new(id, fragments.rows(), Vec::new(), 1, 0)),
            fragments,
        })
    }

    #[test]
    fn rows_are_found_in_their_fragment() {
        let ids = [
            FragmentId::fresh(),
            FragmentId::fresh(),
            FragmentId::fresh(),
        ];
        let spans = Spans::new([(ids[0], 3), (ids[1], 0), (ids[2], 2)]).expect("few rows");
        let found: Vec<_> = (0..spans.rows()).map(|row| spans.find(row)).collect();
        assert_eq!(found, [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1)]);
        assert_eq!(spans.id(2), ids[2]);
        assert_eq!(spans.rows_of(|id| id != ids[2]), 3);
        assert!(Spans::new([(ids[0], u32::MAX), (ids[1], 1)]).is_none());
    }

    #[test]
    fn an_index_takes_the_place_of_others_only_if_it_has_their_fragments() {
        let all: Vec<LiveFragment> = (1..=5).map(live).collect();
        let of = |places: &[usize]| {
            let fragments = places.iter().map(|place| &all[*place].fragment);
            index(&fragments.map(|f| (f.id, f.rows())).collect::<Vec<_>>())
        };
        let none = MergedIndexes::default();
        let (first, second) = (of(&[0, 1]), of(&[2, 3]));
        let one = none.with(&first, &[], &all).expect("the first");
        let two = one.with(&second, &[], &all).expect("the second");
        assert_eq!(two.of(all[3].fragment.id).map(|(place, _)| place), Some(1));
        assert!(two.of(all[4].fragment.id).is_none());

        let old = [first.file.id, second.file.id];
        let whole = two.with(&of(&[0, 1, 2, 3, 4]), &old, &all);
        assert_eq!(whole.expect("the merged one").iter().count(), 1);
        // It lacks a fragment.
        assert!(two.with(&of(&[0, 1, 2, 4]), &old, &all).is_none());
        // It lacks nothing once the fragment is gone.
        let less = two.with(&of(&[0, 1, 2, 4]), &old, &[&all[..3], &all[4..]].concat());
        assert_eq!(less.expect("the merged one").iter().count(), 1);
        // It has a fragment of an index that stays, one of other rows, or one that is gone.
        assert!(two.with(&of(&[3, 4]), &[], &all).is_none());
        assert!(
            two.with(&index(&[(all[4].fragment.id, 1)]), &[], &all)
                .is_none()
        );
        assert!(two.with(&of(&[4]), &[], &all[..4]).is_none());
        // One that is to be replaced is not there.
        assert!(one.with(&of(&[0, 1, 4]), &old, &all).is_none());

        assert!(two.living(&all[1..3]).is_none());
        let living = two.living(&all[2..]).expect("the second is left");
        assert_eq!(living.iter().count(), 1);
        assert_eq!(
            living.of(all[2].fragment.id).map(|(place, _)| place),
            Some(0)
        );
    }
}
