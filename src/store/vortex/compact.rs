//! Compaction: merges small fragments into one file, drops deleted rows, and moves inlined rows out of the log.
//!
//! Rows are read in order and written again, and one commit replaces the old fragments with the new ones in place.
//! Concurrent deletes do not conflict: rows deleted meanwhile are deleted in the new fragments too. Compaction
//! removes no files; vacuum does. Then indexes of keys that are damaged are made anew, and those of many files
//! are merged into one.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::{StreamExt, TryStreamExt, stream};

use super::database::Database;
use super::merge_keys::Merged;
use super::write::{FILE_ROWS, Writer};
use crate::change::{Action, ChangeSet, Replaced};
use crate::error::DfOlapError;
use crate::fragment::LiveFragment;
use crate::options::CompactionPolicy;
use crate::runtime;
use crate::snapshot::{Snapshot, Table};
use crate::store::CommitOutcome;
use crate::upkeep::{Compaction, CompactionProgress, OnProgress};

/// A fragment with fewer live rows than this is small, but for a file that was ended because of its bytes.
const SMALL_ROWS: u64 = FILE_ROWS as u64 / SIZE_RATIO;
/// The ratio of the sizes of small files of two adjacent size classes.
const SIZE_RATIO: u64 = 4;
/// So many conflicts with other commits do not end a compaction of a table.
const MAX_CONFLICTS: u32 = 8;
/// With fewer deleted rows than this, automatic compaction does not rewrite a file because of its deleted rows.
const WORN_ROWS: u64 = 1024;

/// When a run of fragments is worth rewriting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// The run has many small files, many rows in the log, or many deleted rows.
    Due,
    /// The run has anything to merge, to drop or to move to a file.
    Possible,
}

/// The count of written rows, and the callback that is told.
struct Progress<'a> {
    tell: OnProgress<'a>,
    rows_done: u64,
    rows_in_all: u64,
}

impl Progress<'_> {
    fn add(&mut self, table: &str, rows: u64) {
        self.rows_done += rows;
        self.rows_in_all = self.rows_in_all.max(self.rows_done);
        (self.tell)(CompactionProgress {
            table,
            rows_done: self.rows_done,
            rows_in_all: self.rows_in_all,
        });
    }
}

impl Database {
    /// Compacts all tables, one run of fragments after the other.
    pub async fn compact(
        self: &Arc<Self>,
        when: When,
        tell: OnProgress<'_>,
    ) -> Result<Compaction, DfOlapError> {
        let mut done = Compaction::default();
        let called = (when == When::Possible).then(|| Called::begin(self));
        let is_left = || when == When::Due && self.compaction_calls.load(Ordering::Acquire) > 0;
        self.refresh().await?;
        let begun = self.snapshot();
        let rows = begun
            .tables
            .values()
            .map(|table| self.rows_to_write(table, when));
        let mut progress = Progress {
            tell,
            rows_done: 0,
            rows_in_all: rows.sum(),
        };
        // What fails for one table does not keep the others waiting.
        let mut failed = None;
        for id in begun.tables.keys() {
            // The background may have been about to do the same.
            let mut conflicts = 0;
            while !is_left() {
                let snapshot = self.snapshot();
                let Some(table) = snapshot.tables.get(id) else {
                    break;
                };
                let Some(run) = self.next_run(table, 0, when) else {
                    break;
                };
                let rewritten = self.rewrite(&snapshot, table, run, &mut done, &mut progress);
                match rewritten.await {
                    Ok(true) => {}
                    Ok(false) if when == When::Possible && conflicts < MAX_CONFLICTS => {
                        conflicts += 1;
                    }
                    Ok(false) => break,
                    Err(error) => {
                        failed = failed.or(Some(error));
                        break;
                    }
                }
            }
        }
        for id in begun.tables.keys() {
            let mut conflicts = 0;
            while !is_left() {
                let snapshot = self.snapshot();
                let Some(table) = snapshot.tables.get(id) else {
                    break;
                };
                let (merged, count) = if let Some(damaged) = self.damaged_index(table) {
                    (self.remake_index(&snapshot, table, damaged).await, 0)
                } else if let Some(indexes) = self.indexes_to_merge(table) {
                    let count = indexes.len() as u64;
                    (self.merge_indexes(&snapshot, table, indexes).await, count)
                } else {
                    break;
                };
                match merged {
                    Ok(Merged::Done) => done.indexes_merged += count,
                    // One that is damaged is made anew, or left out the next time.
                    Ok(Merged::Damaged) => {}
                    Ok(Merged::Conflict) if when == When::Possible && conflicts < MAX_CONFLICTS => {
                        conflicts += 1;
                    }
                    Ok(Merged::Conflict) => break,
                    Err(error) => {
                        failed = failed.or(Some(error));
                        break;
                    }
                }
            }
        }
        if let Some(called) = called {
            drop(called);
            // What became due meanwhile was left to this call.
            self.compact_if_due(true);
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(done),
        }
    }

    fn rows_to_write(&self, table: &Table, when: When) -> u64 {
        let (mut rows, mut start) = (0, 0);
        while let Some(run) = self.next_run(table, start, when) {
            start = run.end;
            let live = table.fragments[run].iter();
            rows += live.map(LiveFragment::rows).sum::<u64>();
        }
        rows
    }

    /// Compacts what is due, in the background, after a commit. `adds_files` says whether it added files.
    pub fn compact_if_due(self: &Arc<Self>, adds_files: bool) {
        if !self.policy.automatic || self.compacting.load(Ordering::Acquire) {
            return;
        }
        if !self.is_due(adds_files) || self.compacting.swap(true, Ordering::AcqRel) {
            return;
        }
        let database = Arc::clone(self);
        let mut running = Some(Running(Arc::clone(self)));
        runtime::spawn(async move {
            loop {
                let begun = database.snapshot().version;
                let done = database.compact(When::Due, &|_| {}).await;
                drop(running.take());
                if let Err(error) = done {
                    tracing::warn!(database = database.name, %error, "compaction failed");
                    return;
                }
                // Commits made meanwhile did not start a task, as this one was running.
                if database.snapshot().version == begun
                    || database.compaction_calls.load(Ordering::Acquire) > 0
                    || !database.is_due(true)
                    || database.compacting.swap(true, Ordering::AcqRel)
                {
                    return;
                }
                running = Some(Running(Arc::clone(&database)));
            }
        });
    }

    fn is_due(&self, with_indexes: bool) -> bool {
        let snapshot = self.snapshot();
        let mut tables = snapshot.tables.values();
        tables.any(|table| {
            let is_index_due =
                || self.damaged_index(table).is_some() || self.indexes_to_merge(table).is_some();
            self.next_run(table, 0, When::Due).is_some() || with_indexes && is_index_due()
        })
    }

    /// Rewrites a run of adjacent fragments; false if a conflicting change was committed meanwhile.
    async fn rewrite(
        self: &Arc<Self>,
        snapshot: &Arc<Snapshot>,
        table: &Arc<Table>,
        run: Range<usize>,
        done: &mut Compaction,
        progress: &mut Progress<'_>,
    ) -> Result<bool, DfOlapError> {
        let old = &table.fragments[run];
        let mut names = snapshot.names.iter();
        let name = names.find(|(_, id)| **id == table.id);
        let name = name.map_or("", |(name, _)| name.as_str());
        progress.add(name, 0);
        let read = old.to_vec();
        let (scans, definition) = (&self.scans, &table.definition);
        let rows = stream::iter(read)
            .then(move |live| async move { scans.live_rows(definition, &live).await })
            .try_flatten()
            .inspect_ok(|batch| progress.add(name, batch.num_rows() as u64));
        let writer = Writer::new(&self.scans, table);
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
        match self.commit(snapshot, change, &Arc::default()).await? {
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

/// A background compaction. It ends when this is dropped, also with a task whose runtime ends.
struct Running(Arc<Database>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.compacting.store(false, Ordering::Release);
    }
}

/// A call that compacts. It ends when this is dropped.
struct Called<'a>(&'a Database);

impl<'a> Called<'a> {
    fn begin(database: &'a Database) -> Self {
        database.compaction_calls.fetch_add(1, Ordering::AcqRel);
        Self(database)
    }
}

impl Drop for Called<'_> {
    fn drop(&mut self) {
        self.0.compaction_calls.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Database {
    /// The next run of adjacent fragments in a table's list, from index `start` on, that is worth rewriting.
    fn next_run(&self, table: &Table, mut start: usize, when: When) -> Option<Range<usize>> {
        let fragments = &table.fragments;
        let is_log_full = when == When::Due && {
            let mut all = Run::default();
            fragments.iter().for_each(|live| all.add(live));
            all.in_memory >= self.policy.rows_in_log.max(1)
                || all.bytes_in_memory >= self.policy.bytes_in_log.max(1)
        };
        while start < fragments.len() {
            let mut run = Run::default();
            let mut end = start;
            while let Some(live) = fragments.get(end)
                && run.rows < FILE_ROWS as u64
                && is_wanted(live, when, &self.policy)
            {
                run.add(live);
                end += 1;
            }
            let part = match when {
                When::Due => run.due(&fragments[start..end], &self.policy, is_log_full),
                When::Possible => run.is_possible().then_some(0..end - start),
            };
            if let Some(part) = part {
                return Some(start + part.start..start + part.end);
            }
            start = end.max(start + 1);
        }
        None
    }
}

/// Deleted rows of a fragment in a file; zero for a fragment in memory, which commits rewrite when most of its rows
/// are deleted.
fn dead_in_file(live: &LiveFragment) -> u64 {
    match (live.fragment.file(), &live.deleted) {
        (Some(_), Some(deleted)) => deleted.len(),
        _ => 0,
    }
}

/// True if enough of all rows are deleted for a rewrite to be worth it.
fn is_worn(dead: u64, all: u64, policy: &CompactionPolicy) -> bool {
    dead >= WORN_ROWS && dead * 100 > all * u64::from(policy.deleted_percent)
}

fn is_wanted(live: &LiveFragment, when: When, policy: &CompactionPolicy) -> bool {
    let dead = dead_in_file(live);
    let is_worn = match when {
        When::Due => is_worn(dead, u64::from(live.fragment.rows()), policy),
        When::Possible => dead > 0,
    };
    is_small(live) || live.fragment.file().is_none() || is_worn
}

/// Whether a fragment has few rows, and is no file that is full, of which half lives at least.
fn is_small(live: &LiveFragment) -> bool {
    let is_full = live.fragment.file().is_some_and(|file| file.is_full);
    let half_lives = live.rows() * 2 >= u64::from(live.fragment.rows());
    live.rows() < SMALL_ROWS && !(is_full && half_lives)
}

/// Totals of a run of adjacent fragments.
#[derive(Default)]
struct Run {
    fragments: usize,
    rows: u64,
    in_memory: u64,
    bytes_in_memory: u64,
    dead_in_files: u64,
    /// In small files.
    in_small_files: u64,
}

impl Run {
    fn add(&mut self, live: &LiveFragment) {
        self.fragments += 1;
        self.rows += live.rows();
        self.dead_in_files += dead_in_file(live);
        if live.fragment.file().is_none() {
            self.in_memory += live.rows();
            self.bytes_in_memory += live.fragment.memory_bytes();
        } else if is_small(live) {
            self.in_small_files += live.rows();
        }
    }

    /// Whether there is anything to merge, to drop or to move to a file.
    fn is_possible(&self) -> bool {
        self.fragments > 1 || self.in_memory > 0 || self.dead_in_files > 0
    }

    /// The part of the run, which consists of these fragments, that is due. All of it, if many rows are deleted, or if
    /// small files fill a large one. Otherwise files of about one size become one of the next size, and rows in a full
    /// log become a file of their own, so that each row is rewritten only a few times.
    fn due(
        &self,
        fragments: &[LiveFragment],
        policy: &CompactionPolicy,
        is_log_full: bool,
    ) -> Option<Range<usize>> {
        let dead = self.dead_in_files;
        if is_worn(dead, self.rows + dead, policy) || self.in_small_files >= FILE_ROWS as u64 {
            return Some(0..fragments.len());
        }
        let worn = fragments.iter().position(|live| {
            let (dead, rows) = (dead_in_file(live), u64::from(live.fragment.rows()));
            !is_small(live) && is_worn(dead, rows, policy)
        });
        if let Some(worn) = worn {
            return Some(worn..worn + 1);
        }
        let small = small_files(fragments, policy.small_neighbours.max(2));
        if small.is_some() || !is_log_full {
            return small;
        }
        let is_in_memory = |live: &LiveFragment| live.fragment.file().is_none();
        let first = fragments.iter().position(is_in_memory)?;
        let last = fragments.iter().rposition(is_in_memory)?;
        Some(first..last + 1)
    }
}

/// The first run of files that has at least `count` files up to one of its largest size class. Rows in memory between
/// them belong to it.
fn small_files(fragments: &[LiveFragment], count: usize) -> Option<Range<usize>> {
    let files = fragments.iter().enumerate().filter_map(|(place, live)| {
        live.fragment.file()?;
        Some((place, live.rows().max(1).ilog(SIZE_RATIO)))
    });
    let files: Vec<(usize, u32)> = files.collect();
    (0..files.len()).find_map(|last| {
        let belongs = |file: &&(usize, u32)| file.1 <= files[last].1;
        let up_to_here = files[..=last].iter().rev().take_while(belongs).count();
        let after = files[last + 1..].iter().take_while(belongs).count();
        let (first, last) = (last + 1 - up_to_here, last + after);
        (up_to_here >= count).then(|| files[first].0..files[last].0 + 1)
    })
}
