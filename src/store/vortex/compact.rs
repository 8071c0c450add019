//! Compaction: merges small fragments into one file, drops deleted rows, and moves inlined rows out of the log.
//!
//! Rows are read in order and written again, and one commit replaces the old fragments with the new ones in place.
//! Concurrent deletes do not conflict: rows deleted meanwhile are deleted in the new fragments too. Compaction
//! removes no files; vacuum does. Then the indexes of the keys of many files are merged into one.

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

/// A fragment with fewer live rows than this is small.
const SMALL_ROWS: u64 = FILE_ROWS as u64 / SIZE_RATIO;
/// The ratio of the sizes of small files of two adjacent size classes.
const SIZE_RATIO: u64 = 4;
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
        let _called = (when == When::Possible).then(|| Called::begin(self));
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
        for id in begun.tables.keys() {
            while !is_left() {
                let snapshot = self.snapshot();
                let Some(table) = snapshot.tables.get(id) else {
                    break;
                };
                let Some(run) = self.next_run(table, 0, when) else {
                    break;
                };
                let rewritten = self.rewrite(&snapshot, table, run, &mut done, &mut progress);
                if !rewritten.await? {
                    break;
                }
            }
        }
        let mut failed = None;
        for id in begun.tables.keys() {
            while !is_left() {
                let snapshot = self.snapshot();
                let Some(table) = snapshot.tables.get(id) else {
                    break;
                };
                let Some(indexes) = self.indexes_to_merge(table) else {
                    break;
                };
                let count = indexes.len() as u64;
                match self.merge_indexes(&snapshot, table, indexes).await {
                    Ok(Merged::Done) => done.indexes_merged += count,
                    // It is left out the next time.
                    Ok(Merged::Damaged) => {}
                    Ok(Merged::Conflict) => break,
                    // It does not keep other tables waiting.
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
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
                let done = database.compact(When::Due, &|_| {}).await;
                drop(running.take());
                match done {
                    // Commits made meanwhile did not start a task, as this one was running.
                    Ok(done) if done.fragments_before > 0 || done.indexes_merged > 0 => {
                        if !database.is_due(true)
                            || database.compacting.swap(true, Ordering::AcqRel)
                        {
                            return;
                        }
                        running = Some(Running(Arc::clone(&database)));
                    }
                    Ok(_) => return,
                    Err(error) => {
                        tracing::warn!(database = database.name, %error, "compaction failed");
                        return;
                    }
                }
            }
        });
    }

    fn is_due(&self, with_indexes: bool) -> bool {
        let snapshot = self.snapshot();
        let mut tables = snapshot.tables.values();
        tables.any(|table| {
            self.next_run(table, 0, When::Due).is_some()
                || with_indexes && self.indexes_to_merge(table).is_some()
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
                When::Due => run.due(&fragments[start..end], &self.policy),
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
    live.rows() < SMALL_ROWS || live.fragment.file().is_none() || is_worn
}

/// Totals of a run of adjacent fragments.
#[derive(Default)]
struct Run {
    fragments: usize,
    rows: u64,
    in_memory: u64,
    bytes_in_memory: u64,
    dead_in_files: u64,
}

impl Run {
    fn add(&mut self, live: &LiveFragment) {
        self.fragments += 1;
        self.rows += live.rows();
        self.dead_in_files += dead_in_file(live);
        if live.fragment.file().is_none() {
            self.in_memory += live.rows();
            self.bytes_in_memory += live.fragment.memory_bytes();
        }
    }

    /// Whether there is anything to merge, to drop or to move to a file.
    fn is_possible(&self) -> bool {
        self.fragments > 1 || self.in_memory > 0 || self.dead_in_files > 0
    }

    /// The part of the run, which consists of these fragments, that is due. All of it, if many rows are deleted.
    /// Otherwise files of about one size become one of the next size, and many rows in the log become a file of their
    /// own, so that each row is rewritten only a few times.
    fn due(&self, fragments: &[LiveFragment], policy: &CompactionPolicy) -> Option<Range<usize>> {
        let dead = self.dead_in_files;
        if is_worn(dead, self.rows + dead, policy) {
            return Some(0..fragments.len());
        }
        let small = small_files(fragments, policy.small_neighbours.max(2));
        if small.is_some() {
            return small;
        }
        let is_due = self.in_memory >= policy.rows_in_log.max(1)
            || self.bytes_in_memory >= policy.bytes_in_log.max(1);
        let is_in_memory = |live: &LiveFragment| live.fragment.file().is_none();
        let first = fragments.iter().position(is_in_memory)?;
        let last = fragments.iter().rposition(is_in_memory)?;
        is_due.then_some(first..last + 1)
    }
}

/// The first run of files that has at least `count` files up to one of its largest size class.
fn small_files(fragments: &[LiveFragment], count: usize) -> Option<Range<usize>> {
    let class = |live: &LiveFragment| {
        live.fragment.file()?;
        Some(live.rows().max(1).ilog(SIZE_RATIO))
    };
    (0..fragments.len()).find_map(|last| {
        let of_last = class(&fragments[last])?;
        let belongs = |live: &&LiveFragment| class(live).is_some_and(|class| class <= of_last);
        let up_to_here = fragments[..=last].iter().rev().take_while(belongs).count();
        let after = fragments[last + 1..].iter().take_while(belongs).count();
        let first = last + 1 - up_to_here;
        (up_to_here >= count).then_some(first..last + 1 + after)
    })
}
