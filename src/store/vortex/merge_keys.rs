//! Merges the indexes of the keys of many files into one.
//!
//! Indexes are merged as sorted lists are: the entries of an index are ordered by the upper bits of their hashes, and
//! an entry and its bucket give back the whole hash. Each index is read once, some pages at a time.

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use super::database::Database;
use super::files::DataFiles;
use super::keys::{NewKeysFile, StoredKeys, note_damaged};
use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::fragment::{Fragment, FragmentId, KeysFile};
use crate::key_index::buckets::bits_for;
use crate::key_index::merged::{MergedKeys, Spans};
use crate::key_index::paged::{Directory, PAGE_BYTES, StoredEntry};
use crate::key_index::pages::Pages;
use crate::runtime;
use crate::snapshot::{Snapshot, Table};
use crate::store::CommitOutcome;
use crate::store::tidy::size_class;

/// The most rows of a merged index: a directory is read whole.
const MAX_ROWS: u64 = 1 << 28;
/// The most indexes that are merged at once, since pages of each are in memory.
const MAX_INDEXES: usize = 64;
/// The pages of an index that are read at once.
const PAGES_AT_ONCE: u32 = 64;
/// So many bytes are written at once.
const WRITE_BYTES: usize = 256 * PAGE_BYTES;

/// An index that may be merged with others.
pub(super) struct Mergeable {
    pub keys: Arc<KeysFile>,
    /// The fragments that it has, with their numbers of rows; some may be gone.
    fragments: Vec<(FragmentId, u32)>,
    /// Whether it is in the place of those beside files.
    is_merged: bool,
    /// The rows of the fragments that are left.
    rows: u64,
}

impl Mergeable {
    /// The index of the rows of one fragment.
    pub fn of_one(keys: Arc<KeysFile>, fragment: &Fragment) -> Self {
        Self {
            keys,
            fragments: vec![(fragment.id, fragment.rows())],
            is_merged: false,
            rows: u64::from(fragment.rows()),
        }
    }

    /// Indexes of about one size are in one class. Twice the rows, so that a full file does not change its class as
    /// soon as it loses a row.
    fn class(&self) -> u32 {
        size_class(2 * self.rows)
    }
}

impl Database {
    /// The indexes of a table that are to be one.
    pub(super) fn indexes_to_merge(&self, table: &Table) -> Option<Vec<Mergeable>> {
        let key = &table.definition.primary_key;
        let is_usable = |keys: &KeysFile| keys.columns == *key && !keys.is_damaged();
        let mut merged: Vec<Mergeable> = Vec::new();
        for index in table.merged_keys.iter() {
            merged.push(Mergeable {
                keys: Arc::clone(&index.file),
                fragments: index.fragments.iter().collect(),
                is_merged: true,
                rows: 0,
            });
        }
        let mut all = Vec::new();
        for live in &table.fragments {
            let fragment = &live.fragment;
            if let Some((place, _)) = table.merged_keys.of(fragment.id) {
                merged[place].rows += u64::from(fragment.rows());
            } else if let Some(keys) = live.fragment.file().and_then(|file| file.keys.as_ref()) {
                all.push(Mergeable::of_one(Arc::clone(keys), fragment));
            }
        }
        all.extend(merged);
        all.retain(|index| is_usable(&index.keys) && index.rows > 0);
        let is_worn = |index: &Mergeable| 2 * index.rows < u64::from(index.keys.rows);
        if let Some(worn) = all.iter().position(is_worn) {
            return Some(vec![all.swap_remove(worn)]);
        }
        all.sort_by_key(|index| index.rows);
        let fan_in = self.policy.key_indexes.max(2);
        let mut end = 0;
        let mut classes = all.chunk_by(|a, b| a.class() == b.class());
        classes.find(|class| {
            end += class.len();
            class.len() >= fan_in
        })?;
        all.truncate(end);
        all.truncate(MAX_INDEXES.max(fan_in));
        let mut rows = 0;
        all.retain(|index| {
            rows += index.rows;
            rows <= MAX_ROWS
        });
        (all.len() >= fan_in).then_some(all)
    }

    /// Makes one index of some.
    pub(super) async fn merge_indexes(
        self: &Arc<Self>,
        snapshot: &Arc<Snapshot>,
        table: &Table,
        indexes: Vec<Mergeable>,
    ) -> Result<Merged, DfOlapError> {
        let new = match merged(&self.scans.files, table, &indexes).await {
            Ok(new) => new,
            Err(DfOlapError::Corrupt(_)) => return Ok(Merged::Damaged),
            Err(error) => return Err(error),
        };
        let old = indexes.iter().filter(|index| index.is_merged);
        let old = old.map(|index| index.keys.id).collect();
        self.commit_merged(snapshot, table, old, new).await
    }

    /// Puts an index in the place of the merged ones with the ids `old`.
    pub(super) async fn commit_merged(
        self: &Arc<Self>,
        snapshot: &Arc<Snapshot>,
        table: &Table,
        old: Vec<FragmentId>,
        new: MergedKeys,
    ) -> Result<Merged, DfOlapError> {
        let path = new.file.path.clone();
        let change = ChangeSet {
            actions: vec![Action::MergeIndexes {
                id: table.id,
                old,
                new: Arc::new(new),
            }],
        };
        match self.commit(snapshot, change, &Arc::default()).await? {
            CommitOutcome::Committed(_) => Ok(Merged::Done),
            CommitOutcome::Conflict(_) => {
                // No version names it. If it cannot be removed, it is for vacuum.
                let _ = self.scans.files.remove(&path).await;
                Ok(Merged::Conflict)
            }
        }
    }
}

/// What became of indexes that were to be one.
pub(super) enum Merged {
    Done,
    /// One of them is damaged, and from now on not used.
    Damaged,
    /// Another commit was first.
    Conflict,
}

/// What was read of an index. One that is damaged is from now on not used.
fn noted<T>(keys: &KeysFile, read: Result<T, DfOlapError>) -> Result<T, DfOlapError> {
    if let Err(error @ DfOlapError::Corrupt(_)) = &read {
        note_damaged(keys, error);
    }
    read
}

/// Writes the index of the fragments of some indexes that are left.
pub(super) async fn merged(
    files: &DataFiles,
    table: &Table,
    indexes: &[Mergeable],
) -> Result<MergedKeys, DfOlapError> {
    let mut directories = Vec::with_capacity(indexes.len());
    for index in indexes {
        let read = StoredKeys::new(files, &index.keys).read_directory().await;
        directories.push(noted(&index.keys, read)?);
    }
    match directories.iter().any(|directory| directory.has::<u128>()) {
        true => merge::<u128>(files, table, indexes, directories).await,
        false => merge::<u64>(files, table, indexes, directories).await,
    }
}

async fn merge<E: StoredEntry>(
    files: &DataFiles,
    table: &Table,
    indexes: &[Mergeable],
    directories: Vec<Directory>,
) -> Result<MergedKeys, DfOlapError> {
    let left: HashSet<FragmentId> = table.fragments.iter().map(|f| f.fragment.id).collect();
    let (mut fragments, mut rows_before) = (Vec::new(), 0_u32);
    let mut sources = Vec::with_capacity(indexes.len());
    for (index, directory) in indexes.iter().zip(directories) {
        let stored = StoredKeys::new(files, &index.keys);
        let damaged = |how: &str| noted(&index.keys, Err(stored.damaged(how)));
        if !directory.has::<E>() || directory.pages() == 0 {
            return damaged("it is of another type of keys");
        }
        let Some(spans) = Spans::new(index.fragments.iter().copied()) else {
            return damaged("it has too many rows");
        };
        let (mut starts, mut rows_left) = (Vec::with_capacity(index.fragments.len()), 0);
        for (id, rows) in &index.fragments {
            starts.push(left.contains(id).then_some(rows_before));
            if left.contains(id) {
                fragments.push((*id, *rows));
                rows_left += rows;
                rows_before = rows_before.saturating_add(*rows);
            }
        }
        sources.push(Source {
            keys: &index.keys,
            stored,
            directory,
            spans,
            starts,
            rows_left,
            next_page: 0,
            entries: Vec::new(),
            at: 0,
        });
    }
    let fragments = Spans::new(fragments);
    let fragments = fragments.ok_or_else(|| DfOlapError::Other("too many rows".into()))?;
    let id = FragmentId(Uuid::new_v4());
    let path = KeysFile::path_of(table.id, id);
    let mut file = NewKeysFile::create(files, id, path).await?;
    let written = write_merged::<E>(&mut sources, fragments.rows(), &mut file).await;
    let directory = match written {
        Ok(directory) => directory,
        Err(error) => {
            file.abort().await;
            return Err(error);
        }
    };
    let columns = table.definition.primary_key.clone();
    let file = Arc::new(file.finish(&directory, columns).await?);
    Ok(MergedKeys { file, fragments })
}

/// Writes the pages of a merged index.
async fn write_merged<E: StoredEntry>(
    sources: &mut [Source<'_, E>],
    rows: u32,
    file: &mut NewKeysFile,
) -> Result<Directory, DfOlapError> {
    let bits = bits_for(rows as usize);
    // All sources are ordered by these upper bits.
    let common = sources.iter().map(|source| source.directory.bits());
    let common = common.min().unwrap_or(bits).min(bits);
    let mut pages = Pages::<E>::new(bits);
    let (mut group, mut entries) = (Vec::new(), Vec::new());
    loop {
        let mut next = None;
        for source in &mut *sources {
            source.fill().await?;
            let head = source.head().map(|digest| digest.bucket(common));
            next = [next, head].into_iter().flatten().min();
        }
        let Some(next) = next else {
            break;
        };
        group.clear();
        for source in &mut *sources {
            while source
                .head()
                .is_some_and(|digest| digest.bucket(common) == next)
            {
                source.take_while(&mut group, |digest| digest.bucket(common) == next);
                source.fill().await?;
            }
        }
        group
            .sort_unstable_by_key(|(digest, position): &(E, u32)| (digest.bucket(bits), *position));
        for bucket in group.chunk_by(|(a, _), (b, _)| a.bucket(bits) == b.bucket(bits)) {
            entries.clear();
            let with_positions = bucket.iter();
            entries.extend(with_positions.map(|(digest, at)| digest.with_position(bits, *at)));
            pages.push(bucket[0].0.bucket(bits) as u32, &entries);
        }
        if pages.bytes.len() >= WRITE_BYTES {
            file.write(&pages.bytes).await?;
            pages.bytes.clear();
        }
    }
    let (rest, directory) = pages.finish();
    file.write(&rest).await?;
    Ok(directory)
}

/// An index that is read page after page.
struct Source<'a, E> {
    keys: &'a KeysFile,
    stored: StoredKeys<'a>,
    directory: Directory,
    spans: Spans,
    /// For each fragment the number of rows before it in the merged index; `None` if the fragment is gone.
    starts: Vec<Option<u32>>,
    /// The rows of the fragments that are left, of which no entry was read yet.
    rows_left: u32,
    next_page: u32,
    /// The digests of the pages that were read, and their positions in the merged index.
    entries: Vec<(E, u32)>,
    /// The place of the next entry.
    at: usize,
}

impl<E: StoredEntry> Source<'_, E> {
    fn head(&self) -> Option<E> {
        self.entries.get(self.at).map(|(digest, _)| *digest)
    }

    /// Moves entries as long as `belongs` says that they belong there.
    fn take_while(&mut self, to: &mut Vec<(E, u32)>, belongs: impl Fn(E) -> bool) {
        let rest = &self.entries[self.at..];
        let count = rest
            .iter()
            .take_while(|(digest, _)| belongs(*digest))
            .count();
        to.extend_from_slice(&rest[..count]);
        self.at += count;
    }

    /// Reads pages until there is an entry, or until there are no more pages.
    async fn fill(&mut self) -> Result<(), DfOlapError> {
        while self.at == self.entries.len() && self.next_page < self.keys.pages {
            runtime::yield_now().await;
            let end = (self.next_page + PAGES_AT_ONCE).min(self.keys.pages);
            let pages = self.next_page..end;
            let read = self.stored.read_pages(&self.directory, pages).await;
            let read = noted(self.keys, read)?;
            let before = self.entries.last().map(|(digest, _)| *digest);
            self.entries.clear();
            self.at = 0;
            let mut are_rows = true;
            for (page, bytes) in (self.next_page..).zip(read.chunks(PAGE_BYTES)) {
                let entries = &mut self.entries;
                self.directory
                    .for_each(page as usize, bytes, |digest, row| {
                        if row >= self.spans.rows() {
                            are_rows = false;
                            return;
                        }
                        let (place, position) = self.spans.find(row);
                        if let Some(start) = self.starts[place] {
                            entries.push((digest, start + position));
                        }
                    });
            }
            self.next_page = end;
            let rows_left = self.rows_left.checked_sub(self.entries.len() as u32);
            let is_whole = |left: u32| left == 0 || self.next_page < self.keys.pages;
            let bits = self.directory.bits();
            let all = before
                .iter()
                .chain(self.entries.iter().map(|(digest, _)| digest));
            let is_sorted = all.is_sorted_by_key(|digest| digest.bucket(bits));
            let Some(rows_left) = rows_left.filter(|left| are_rows && is_sorted && is_whole(*left))
            else {
                let damaged = self.stored.damaged("it has other rows than its files");
                return noted(self.keys, Err(damaged));
            };
            self.rows_left = rows_left;
        }
        Ok(())
    }
}
