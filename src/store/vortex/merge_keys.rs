//! Merges the indexes of the keys of many files into one.
//!
//! Indexes are merged as sorted lists are: the entries of an index are ordered by the upper bits of their hashes, and
//! an entry and its bucket give back the whole hash. Each index is read once, some pages at a time.

use std::sync::Arc;

use uuid::Uuid;

use super::database::Database;
use super::files::DataFiles;
use super::keys::{NewKeysFile, StoredKeys, note_damaged};
use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::fragment::{FragmentId, KeysFile};
use crate::key_index::buckets::bits_for;
use crate::key_index::merged::{MergedKeys, Spans};
use crate::key_index::paged::{Directory, PAGE_BYTES, StoredEntry};
use crate::key_index::pages::Pages;
use crate::runtime;
use crate::snapshot::{Snapshot, Table};
use crate::store::CommitOutcome;
use crate::store::tidy::size_class;

/// The most rows of a merged index.
const MAX_ROWS: u64 = 1 << 31;
/// The pages of an index that are read at once.
const PAGES_AT_ONCE: u32 = 64;
/// So many bytes are written at once.
const WRITE_BYTES: usize = 256 * PAGE_BYTES;

/// An index that may be merged with others.
pub(super) struct Mergeable {
    keys: Arc<KeysFile>,
    /// The fragments that it has, with their numbers of rows; some may be gone.
    fragments: Vec<(FragmentId, u32)>,
    /// Whether it is in the place of those beside files.
    is_merged: bool,
    /// The rows of the fragments that are left.
    rows: u64,
}

impl Mergeable {
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
            let (id, rows) = (live.fragment.id, live.fragment.rows());
            if let Some((place, _)) = table.merged_keys.of(id) {
                merged[place].rows += u64::from(rows);
            } else if let Some(keys) = live.fragment.file().and_then(|file| file.keys.as_ref()) {
                all.push(Mergeable {
                    keys: Arc::clone(keys),
                    fragments: vec![(id, rows)],
                    is_merged: false,
                    rows: u64::from(rows),
                });
            }
        }
        all.extend(merged);
        all.retain(|index| is_usable(&index.keys));
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
        let mut rows = 0;
        all.retain(|index| {
            rows += index.rows;
            rows <= MAX_ROWS
        });
        (all.len() >= fan_in).then_some(all)
    }

    /// Makes one index of some. Returns whether anything has changed.
    pub(super) async fn merge_indexes(
        self: &Arc<Self>,
        snapshot: &Arc<Snapshot>,
        table: &Table,
        indexes: Vec<Mergeable>,
    ) -> Result<bool, DfOlapError> {
        let files = &self.scans.files;
        let first = StoredKeys::new(files, &indexes[0].keys)
            .read_directory()
            .await;
        let Some(first) = usable(&indexes[0].keys, first)? else {
            return Ok(true);
        };
        let merged = match first.has::<u64>() {
            true => merge::<u64>(files, table, &indexes).await?,
            false => merge::<u128>(files, table, &indexes).await?,
        };
        let Some(new) = merged else {
            return Ok(true);
        };
        let old = indexes.iter().filter(|index| index.is_merged);
        let change = ChangeSet {
            actions: vec![Action::MergeIndexes {
                id: table.id,
                old: old.map(|index| index.keys.id).collect(),
                new: Arc::new(new),
            }],
        };
        let outcome = self.commit(snapshot, change, &Arc::default()).await?;
        Ok(matches!(outcome, CommitOutcome::Committed(_)))
    }
}

/// What was read of an index; `None` if it is damaged, and from now on not used.
fn usable<T>(keys: &KeysFile, read: Result<T, DfOlapError>) -> Result<Option<T>, DfOlapError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error @ DfOlapError::Corrupt(_)) => {
            note_damaged(keys, &error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Writes the index of the fragments of some indexes that are left; `None` if one of these is damaged.
async fn merge<E: StoredEntry>(
    files: &DataFiles,
    table: &Table,
    indexes: &[Mergeable],
) -> Result<Option<MergedKeys>, DfOlapError> {
    let is_left = |id: FragmentId| table.fragments.iter().any(|live| live.fragment.id == id);
    let mut left = Vec::new();
    let mut sources = Vec::with_capacity(indexes.len());
    let mut rows_before = 0;
    for index in indexes {
        let mut starts = Vec::with_capacity(index.fragments.len());
        for (id, rows) in &index.fragments {
            starts.push(is_left(*id).then_some(rows_before));
            if is_left(*id) {
                left.push((*id, *rows));
                rows_before += rows;
            }
        }
        let stored = StoredKeys::new(files, &index.keys);
        let directory = stored.read_directory().await;
        let directory = directory.and_then(|directory| match directory.has::<E>() {
            true => Ok(directory),
            false => Err(stored.damaged("it is of another type of keys")),
        });
        let spans = Spans::new(index.fragments.iter().copied());
        let (Some(directory), Some(spans)) = (usable(&index.keys, directory)?, spans) else {
            return Ok(None);
        };
        sources.push(Source {
            keys: &index.keys,
            stored,
            directory,
            spans,
            starts,
            next_page: 0,
            entries: Vec::new(),
            at: 0,
        });
    }
    let Some(fragments) = Spans::new(left) else {
        return Ok(None);
    };
    let id = FragmentId(Uuid::new_v4());
    let path = format!("{}/{}.keys", table.id.0, id.0);
    let mut file = NewKeysFile::create(files, id, path).await?;
    let written = write_merged::<E>(&mut sources, fragments.rows(), &mut file).await;
    let directory = match written {
        Ok(Some(directory)) => directory,
        Ok(None) => {
            file.abort().await;
            return Ok(None);
        }
        Err(error) => {
            file.abort().await;
            return Err(error);
        }
    };
    let columns = table.definition.primary_key.clone();
    let file = Arc::new(file.finish(&directory, columns).await?);
    Ok(Some(MergedKeys { file, fragments }))
}

/// Writes the pages of a merged index; `None` if a source is damaged.
async fn write_merged<E: StoredEntry>(
    sources: &mut [Source<'_, E>],
    rows: u32,
    file: &mut NewKeysFile,
) -> Result<Option<Directory>, DfOlapError> {
    let bits = bits_for(rows as usize);
    // All sources are ordered by these upper bits.
    let common = sources.iter().map(|source| source.directory.bits());
    let common = common.min().unwrap_or(bits).min(bits);
    let mut pages = Pages::<E>::new(bits);
    let (mut group, mut entries) = (Vec::new(), Vec::new());
    loop {
        let mut next = None;
        for source in &mut *sources {
            if !source.has_entries().await? {
                return Ok(None);
            }
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
                if !source.has_entries().await? {
                    return Ok(None);
                }
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
    match directory.rows() == rows {
        true => Ok(Some(directory)),
        false => Err(DfOlapError::Other(
            "indexes of keys lack rows that they should have".into(),
        )),
    }
}

/// An index that is read page after page.
struct Source<'a, E> {
    keys: &'a KeysFile,
    stored: StoredKeys<'a>,
    directory: Directory,
    spans: Spans,
    /// For each fragment the number of rows before it in the merged index; `None` if the fragment is gone.
    starts: Vec<Option<u32>>,
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

    /// Reads pages until there is an entry, or until there are no more pages; false if the index is damaged.
    async fn has_entries(&mut self) -> Result<bool, DfOlapError> {
        while self.at == self.entries.len() && self.next_page < self.keys.pages {
            runtime::yield_now().await;
            self.entries.clear();
            self.at = 0;
            let end = (self.next_page + PAGES_AT_ONCE).min(self.keys.pages);
            let pages = self.next_page..end;
            let read = self.stored.read_pages(&self.directory, pages).await;
            let Some(read) = usable(self.keys, read)? else {
                return Ok(false);
            };
            for (page, bytes) in (self.next_page..).zip(read.chunks(PAGE_BYTES)) {
                let entries = &mut self.entries;
                self.directory
                    .for_each(page as usize, bytes, |digest, row| {
                        if row >= self.spans.rows() {
                            return;
                        }
                        let (place, position) = self.spans.find(row);
                        if let Some(start) = self.starts[place] {
                            entries.push((digest, start + position));
                        }
                    });
            }
            self.next_page = end;
        }
        Ok(true)
    }
}
