//! Merges and rewrites small or mostly deleted in-memory fragments as a part of commits.
//!
//! After an append the table's end is looked at: sixteen fragments of a size class become one of the next, so that a
//! row is copied a handful of times in its life however it came in. A fragment that is mostly dead is rewritten by the
//! commit that made it so, and merged with its neighbours where many of them have become small. Fragments that lie in
//! files stay as they are.

use std::ops::Range;
use std::sync::Arc;

use arrow::error::ArrowError;

use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::fragment::{Fragment, FragmentId, LiveFragment};
use crate::snapshot::{RelationId, Snapshot, Table};

/// How many fragments of a size class stand at a table's end before they become one of the next class, and how much
/// larger that one is.
const MERGE_FAN_IN: usize = 16;
/// More than this is left as it is: the offsets of a merged array may not reach further.
const MAX_MERGE_BYTES: usize = 1 << 30;

/// The live rows of a run of fragments became one fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merge {
    pub table: RelationId,
    pub from: Vec<FragmentId>,
    pub into: FragmentId,
}

/// Rewrites what is mostly dead and merges what is small, where `change` left either. What was done can be done again
/// elsewhere with [`Merge::again`].
pub(crate) fn tidy(snapshot: &mut Snapshot, change: &ChangeSet) -> Result<Vec<Merge>, DfOlapError> {
    let mut merges = Vec::new();
    for id in touched(change) {
        if let Some(table) = snapshot.tables.get_mut(&id) {
            let table = Tidied {
                table: Arc::make_mut(table),
                merges: &mut merges,
            };
            table.tidy()?;
        }
    }
    Ok(merges)
}

fn touched(change: &ChangeSet) -> Vec<RelationId> {
    let mut ids: Vec<RelationId> = change
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Append { id, .. } | Action::Delete { id, .. } => Some(*id),
            _ => None,
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

impl Merge {
    /// Merges the same fragments of the same snapshot again.
    pub fn replay(&self, snapshot: &mut Snapshot) -> Result<(), DfOlapError> {
        let table = snapshot.tables.get_mut(&self.table).map(Arc::make_mut);
        let places = table.as_deref().and_then(|table| self.places(table));
        match (table, places) {
            (Some(table), Some(places)) => Ok(replace(table, places, self.into)?),
            _ => Err(DfOlapError::Corrupt(
                "fragments are to be merged that are not there".into(),
            )),
        }
    }

    fn places(&self, table: &Table) -> Option<Range<usize>> {
        let first = self.from.first()?;
        let ids = || table.fragments.iter().map(|live| live.fragment.id);
        let start = ids().position(|id| id == *first)?;
        let run = ids().skip(start).take(self.from.len());
        (run.eq(self.from.iter().copied())).then(|| start..start + self.from.len())
    }
}

fn replace(table: &mut Table, places: Range<usize>, into: FragmentId) -> Result<(), ArrowError> {
    let merged = LiveFragment::merge(&table.fragments[places.clone()], into)?;
    table.fragments.splice(places, [merged]);
    Ok(())
}

struct Tidied<'a> {
    table: &'a mut Table,
    merges: &'a mut Vec<Merge>,
}

impl Tidied<'_> {
    fn tidy(mut self) -> Result<(), DfOlapError> {
        let mut rewritten = Vec::new();
        for index in 0..self.table.fragments.len() {
            let live = &self.table.fragments[index];
            let dead = live.deleted.as_ref().map_or(0, |d| d.len());
            let mostly_dead = dead * 2 > u64::from(live.fragment.rows());
            if mostly_dead && is_in_memory(live) && self.merge(index..index + 1)? {
                rewritten.push(index);
            }
        }
        // From the end, so that the places before stay what they were.
        let mut merged_from = usize::MAX;
        for index in rewritten.into_iter().rev() {
            if index < merged_from {
                merged_from = self.merge_around(index)?;
            }
        }
        self.merge_tail()
    }

    fn merge_tail(&mut self) -> Result<(), DfOlapError> {
        loop {
            let fragments = &self.table.fragments;
            let Some(last) = fragments.last() else {
                return Ok(());
            };
            let class = size_class(last.rows());
            let layout = &last.fragment.layout;
            let belongs = |live: &&LiveFragment| {
                is_in_memory(live)
                    && size_class(live.rows()) <= class
                    && live.fragment.layout == *layout
            };
            let run = fragments.iter().rev().take_while(belongs).count();
            let start = fragments.len() - run;
            let rows: u64 = fragments[start..].iter().map(LiveFragment::rows).sum();
            if run < MERGE_FAN_IN || rows > Fragment::MAX_ROWS as u64 {
                return Ok(());
            }
            if !self.merge(start..start + run)? {
                return Ok(());
            }
        }
    }

    /// Merges the run of small fragments that `index` stands in, where it is long. Returns where the run begins.
    fn merge_around(&mut self, index: usize) -> Result<usize, DfOlapError> {
        const SMALL_ROWS: u64 = (Fragment::MAX_ROWS / MERGE_FAN_IN) as u64;
        let layout = Arc::clone(&self.table.fragments[index].fragment.layout);
        let is_small = |live: &&LiveFragment| {
            is_in_memory(live) && live.rows() < SMALL_ROWS && live.fragment.layout == layout
        };
        let (before, from_here) = self.table.fragments.split_at(index);
        let start = index - before.iter().rev().take_while(is_small).count();
        let end = index + from_here.iter().take_while(is_small).count();
        if end < start + MERGE_FAN_IN {
            return Ok(start);
        }
        // From the end, so that the places before stay what they were.
        let mut to = end;
        while to > start {
            let from = start + (to - start - 1) / MERGE_FAN_IN * MERGE_FAN_IN;
            self.merge(from..to)?;
            to = from;
        }
        Ok(start)
    }

    /// Puts a run of fragments together; false where there is too much in it.
    fn merge(&mut self, places: Range<usize>) -> Result<bool, DfOlapError> {
        let run = &self.table.fragments[places.clone()];
        let batches = run.iter().flat_map(|live| live.fragment.batches());
        if batches.map(|b| b.get_array_memory_size()).sum::<usize>() > MAX_MERGE_BYTES {
            return Ok(false);
        }
        let merge = Merge {
            table: self.table.id,
            from: run.iter().map(|live| live.fragment.id).collect(),
            into: FragmentId::fresh(),
        };
        replace(self.table, places, merge.into)?;
        self.merges.push(merge);
        Ok(true)
    }
}

fn is_in_memory(live: &LiveFragment) -> bool {
    live.fragment.file().is_none()
}

fn size_class(rows: u64) -> u32 {
    rows.max(1).ilog(MERGE_FAN_IN as u64)
}
