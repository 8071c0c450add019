//! Compaction: many small fragments into one file, dead rows left out, inlined rows out of the log's state.
//!
//! Rows are read in order and written again, and one commit puts the new fragments where the old ones stood. Who deletes rows
//! meanwhile is not in the way: what died since is dead in the new fragments too. Nothing is removed here.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::{StreamExt, TryStreamExt, stream};

use super::database::Database;
use super::write::{FILE_ROWS, Writer};
use crate::change::{Action, ChangeSet, Replaced};
use crate::error::DfOlapError;
use crate::fragment::LiveFragment;
use crate::runtime;
use crate::snapshot::{Snapshot, Table};
use crate::store::CommitOutcome;
use crate::upkeep::Compaction;

/// Fewer live rows than this make a fragment small.
const SMALL_ROWS: u64 = FILE_ROWS as u64 / 4;
/// So many small neighbours are put together without being asked to.
const SMALL_NEIGHBOURS: usize = 16;
/// So many rows in memory are written to a file without being asked to.
const ROWS_IN_MEMORY: u64 = 1 << 13;

/// So many dead rows, and a quarter of all, make a file worth writing again without being asked to.
const WORN_ROWS: u64 = 1024;

/// When a run of fragments is worth writing again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// It has become many small ones, or much in memory.
    Due,
    /// There is anything to put together, to leave out or to write to a file.
    Possible,
}

impl Database {
    /// Compacts all tables, one run of fragments after the other.
    pub async fn compact(self: &Arc<Self>, when: When) -> Result<Compaction, DfOlapError> {
        let mut done = Compaction::default();
        self.refresh().await?;
        let tables: Vec<_> = self.snapshot().tables.keys().copied().collect();
        for id in tables {
            loop {
                let snapshot = self.snapshot();
                let Some(table) = snapshot.tables.get(&id) else {
                    break;
                };
                let Some(run) = next_run(table, when) else {
                    break;
                };
                if !self.rewrite(&snapshot, table, run, &mut done).await? {
                    break;
                }
            }
        }
        Ok(done)
    }

    /// Compacts what is due, in the background.
    pub fn compact_if_due(self: &Arc<Self>) {
        let snapshot = self.snapshot();
        let is_due = |table: &Arc<Table>| next_run(table, When::Due).is_some();
        if !snapshot.tables.values().any(is_due) || self.compacting.swap(true, Ordering::AcqRel) {
            return;
        }
        let database = Arc::clone(self);
        runtime::spawn(async move {
            let done = database.compact(When::Due).await;
            database.compacting.store(false, Ordering::Release);
            if let Err(error) = done {
                tracing::warn!(database = database.name, %error, "compaction failed");
            }
        });
    }

    /// Writes the rows of some neighbours again; false where others rewrote them meanwhile.
    async fn rewrite(
        self: &Arc<Self>,
        snapshot: &Arc<Snapshot>,
        table: &Arc<Table>,
        run: Range<usize>,
        done: &mut Compaction,
    ) -> Result<bool, DfOlapError> {
        let old = &table.fragments[run];
        let read = old.to_vec();
        let (scans, definition) = (&self.scans, &table.definition);
        let rows = stream::iter(read)
            .then(move |live| async move { scans.live_rows(definition, &live).await })
            .try_flatten();
        let writer = Writer {
            files: &self.scans.files,
            session: &self.scans.session,
            folder: table.id.0.to_string(),
        };
        let new = writer.write_files(definition, rows.boxed()).await?;
        let (before, after) = (old.len() as u64, new.len() as u64);
        let rows = new.iter().map(|new| u64::from(new.rows())).sum::<u64>();
        let change = ChangeSet {
            actions: vec![Action::Replace {
                id: table.id,
                old: old.iter().map(Replaced::from).collect(),
                new,
            }],
        };
        match self.commit(snapshot, change).await? {
            CommitOutcome::Committed(_) => {
                done.fragments_before += before;
                done.fragments_after += after;
                done.rows += rows;
                Ok(true)
            }
            CommitOutcome::Conflict(_) => Ok(false),
        }
    }
}

/// The next neighbours in a table's list that are worth writing again.
fn next_run(table: &Table, when: When) -> Option<Range<usize>> {
    let fragments = &table.fragments;
    let mut start = 0;
    while start < fragments.len() {
        let mut run = Run::default();
        let mut end = start;
        while let Some(live) = fragments.get(end)
            && run.rows < FILE_ROWS as u64
            && is_wanted(live, when)
        {
            run.add(live);
            end += 1;
        }
        if run.is_worth_it(when) {
            return Some(start..end);
        }
        start = end.max(start + 1);
    }
    None
}

/// Dead rows of a fragment in a file; those in memory are left out by the commits that leave many.
fn dead_in_file(live: &LiveFragment) -> u64 {
    match (live.fragment.file(), &live.deleted) {
        (Some(_), Some(deleted)) => deleted.len(),
        _ => 0,
    }
}

fn is_wanted(live: &LiveFragment, when: When) -> bool {
    let dead = dead_in_file(live);
    let is_worn = match when {
        When::Due => dead >= WORN_ROWS && dead * 4 > u64::from(live.fragment.rows()),
        When::Possible => dead > 0,
    };
    live.rows() < SMALL_ROWS || live.fragment.file().is_none() || is_worn
}

/// What neighbours come to.
#[derive(Default)]
struct Run {
    fragments: usize,
    rows: u64,
    in_memory: u64,
    dead_in_files: u64,
}

impl Run {
    fn add(&mut self, live: &LiveFragment) {
        self.fragments += 1;
        self.rows += live.rows();
        self.dead_in_files += dead_in_file(live);
        if live.fragment.file().is_none() {
            self.in_memory += live.rows();
        }
    }

    fn is_worth_it(&self, when: When) -> bool {
        let dead = self.dead_in_files;
        match when {
            When::Due => {
                self.fragments >= SMALL_NEIGHBOURS
                    || self.in_memory >= ROWS_IN_MEMORY
                    || (dead >= WORN_ROWS && dead * 4 > self.rows + dead)
            }
            When::Possible => self.fragments > 1 || self.in_memory > 0 || dead > 0,
        }
    }
}
