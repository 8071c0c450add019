//! Merges and rewrites small or mostly deleted in-memory fragments as a part of commits.
//!
//! Sixteen fragments of one size class at a table's end become one of the next class, so that each row is copied only
//! a few times, even if rows are inserted one by one. The commit that deletes most of a fragment's rows also rewrites
//! the fragment, and merges it with its neighbours if many of them are small. Fragments in files are not changed.

use std::ops::Range;
use std::sync::Arc;

use arrow::error::ArrowError;

use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::fragment::{Fragment, FragmentId, LiveFragment};
use crate::snapshot::{RelationId, Snapshot, Table};

/// How many fragments of a size class at a table's end are merged into one of the next class, and the ratio of the
/// sizes of two adjacent classes.
const MERGE_FAN_IN: usize = 16;
/// Runs of more bytes are not merged: the offsets of a merged array could overflow.
const MAX_MERGE_BYTES: usize = 1 << 30;

/// The live rows of a run of fragments became one fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merge {
    pub table: RelationId,
    pub from: Vec<FragmentId>,
    pub into: FragmentId,
}

/// Rewrites mostly deleted fragments and merges small ones, in the tables that `change` touched. [`Merge::replay`]
/// repeats a returned merge on another copy of the snapshot.
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
    /// Repeats the merge on a snapshot with the same fragments.
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
        // From the end, so that earlier indices stay valid.
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

    /// Merges the run of small fragments around `index`, if the run is long enough. Returns the start of the run.
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
        // From the end, so that earlier indices stay valid.
        let mut to = end;
        while to > start {
            let from = start + (to - start - 1) / MERGE_FAN_IN * MERGE_FAN_IN;
            self.merge(from..to)?;
            to = from;
        }
        Ok(start)
    }

    /// Merges a run of fragments; false if the run has too many bytes.
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

/// The class of fragments and indexes of about one size.
pub(crate) fn size_class(rows: u64) -> u32 {
    rows.max(1).ilog(MERGE_FAN_IN as u64)
}
