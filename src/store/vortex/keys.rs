//! The indexes of keys in files: `<fragment's id>.keys` beside `<fragment's id>.vortex`, and merged ones.
//!
//! A file has the pages of a map from keys to positions and then their directory ([`crate::key_index::paged`]). The log
//! has the checksum of the directory, which has the checksum of each page. A page is verified when it is read. A file
//! that is missing or damaged is not used any more; the keys are then read from the data file.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use futures::{StreamExt, TryStreamExt, stream};
use vortex::buffer::Alignment;
use xxhash_rust::xxh3::xxh3_64;

use super::files::{DataFiles, Upload};
use super::scan::Scans;
use crate::error::DfOlapError;
use crate::fragment::{ColumnId, FragmentId, KeysFile};
use crate::key_index::buckets::Buckets;
use crate::key_index::cache::{self, FilePages};
use crate::key_index::digest::{Digests, Hashes, Wanted};
use crate::key_index::key_set::has_no_null;
use crate::key_index::paged::{Directory, PAGE_BYTES, StoredEntry};
use crate::key_index::pages::Pages;
use crate::runtime;
use crate::snapshot::{RelationId, TableDefinition};

/// A file with fewer rows has no index beside it: its keys are soon read.
const MIN_ROWS: usize = 8192;
/// So many lookups hold their pages in memory, whatever the cache keeps.
const LOOKUPS_AT_ONCE: usize = 1024;
/// How many reads of a file are in progress.
const READS_AT_ONCE: usize = 16;
/// Pages between two that are read are read with them if they are not more than this.
const LOCAL_GAP: u32 = 4;
const REMOTE_GAP: u32 = 64;
/// The most pages of one read.
const MAX_READ: u32 = 256;

impl KeysFile {
    /// The path of an index that is not beside a file.
    pub(super) fn path_of(table: RelationId, id: FragmentId) -> String {
        format!("{}/{}.keys", table.0, id.0)
    }

    fn size_bytes(&self) -> u64 {
        let pages = self.pages as usize;
        (pages * PAGE_BYTES + Directory::bytes_of(pages)) as u64
    }
}

/// The keys of a file that is being written.
pub(super) struct NewKeys {
    columns: Vec<ColumnId>,
    places: Vec<usize>,
    seed: u64,
    digests: Option<Digests>,
}

impl NewKeys {
    /// `None` if the table has no key.
    pub fn new(definition: &TableDefinition, seed: u64) -> Option<Self> {
        let places = definition.key_indices();
        (!places.is_empty()).then(|| Self {
            columns: definition.primary_key.clone(),
            places,
            seed,
            digests: None,
        })
    }

    /// Adds the keys of the next rows; `None` if they have no digests.
    pub fn with(mut self, rows: &RecordBatch) -> Option<Self> {
        let columns = self.places.iter().map(|place| rows.column(*place));
        let columns: Vec<ArrayRef> = columns.cloned().collect();
        if !columns.iter().all(has_no_null) {
            return None;
        }
        Digests::of(&columns, self.seed)?.gather(&mut self.digests);
        Some(self)
    }

    /// Writes the index beside a data file; none if the rows are few, or if their keys are in order.
    pub async fn write(
        self,
        files: &DataFiles,
        fragment: FragmentId,
        data_file: &str,
    ) -> Result<Option<Arc<KeysFile>>, DfOlapError> {
        let digests = self.digests.filter(|digests| digests.len() >= MIN_ROWS);
        let Some(digests) = digests.filter(|digests| digests.ascending().is_none()) else {
            return Ok(None);
        };
        let path = KeysFile::path_beside(data_file);
        let file = NewKeysFile::create(files, fragment, path).await?;
        let written = file.write_all(digests, self.seed, self.columns).await?;
        Ok(Some(Arc::new(written)))
    }
}

/// An index that is being written.
pub(super) struct NewKeysFile {
    id: FragmentId,
    path: String,
    upload: Upload,
}

impl NewKeysFile {
    pub async fn create(
        files: &DataFiles,
        id: FragmentId,
        path: String,
    ) -> Result<Self, DfOlapError> {
        let upload = files.create(&path).await?;
        Ok(Self { id, path, upload })
    }

    /// Writes the index of rows with these digests.
    pub async fn write_all(
        mut self,
        digests: Digests,
        seed: u64,
        columns: Vec<ColumnId>,
    ) -> Result<KeysFile, DfOlapError> {
        let pages = move || match Hashes::of(digests, seed) {
            Hashes::Narrow(hashes) => Pages::of(&Buckets::new(&hashes)).finish(),
            Hashes::Wide(hashes) => Pages::of(&Buckets::new(&hashes)).finish(),
        };
        let pages = runtime::blocking(pages).await;
        let pages = pages.map_err(|error| DfOlapError::Other(error.to_string()));
        let written = match pages {
            Ok((bytes, directory)) => self.write(&bytes).await.map(|()| directory),
            Err(error) => Err(error),
        };
        match written {
            Ok(directory) => self.finish(&directory, columns).await,
            Err(error) => {
                self.abort().await;
                Err(error)
            }
        }
    }

    /// Writes the next pages.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), DfOlapError> {
        for part in bytes.chunks(MAX_READ as usize * PAGE_BYTES) {
            self.upload.write(part).await?;
        }
        Ok(())
    }

    pub async fn abort(self) {
        self.upload.abort().await;
    }

    /// Writes the directory of all pages.
    pub async fn finish(
        mut self,
        directory: &Directory,
        columns: Vec<ColumnId>,
    ) -> Result<KeysFile, DfOlapError> {
        let bytes = directory.encode();
        if let Err(error) = self.write(&bytes).await {
            self.abort().await;
            return Err(error);
        }
        self.upload.finish().await?;
        Ok(KeysFile::new(
            (self.id, self.path),
            directory.rows(),
            columns,
            directory.pages() as u32,
            xxh3_64(&bytes),
        ))
    }
}

impl Scans {
    /// The keys that an index has: numbers of keys and positions of rows, deleted rows included. `None` if the index is
    /// damaged.
    pub async fn find_keys(
        &self,
        keys: &KeysFile,
        wanted: &Wanted,
    ) -> Result<Option<Vec<(u32, u32)>>, DfOlapError> {
        if keys.is_damaged() {
            return Ok(None);
        }
        let index = StoredKeys::new(&self.files, keys);
        let found = match &wanted.hashes {
            Hashes::Narrow(hashes) => index.find(hashes, &wanted.order).await,
            Hashes::Wide(hashes) => index.find(hashes, &wanted.order).await,
        };
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error @ DfOlapError::Corrupt(_)) => {
                note_damaged(keys, &error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Verifies an index, and returns its size.
    pub async fn check_keys(&self, keys: &KeysFile) -> Result<u64, DfOlapError> {
        let index = StoredKeys::new(&self.files, keys);
        let directory = index.read_directory().await?;
        for start in (0..keys.pages).step_by(MAX_READ as usize) {
            let end = (start + MAX_READ).min(keys.pages);
            index.read_pages(&directory, start..end).await?;
        }
        Ok(keys.size_bytes())
    }
}

/// From now on the index is not used.
pub(super) fn note_damaged(keys: &KeysFile, error: &DfOlapError) {
    tracing::warn!(%error, "an index of keys is not used; the keys are read from the data files");
    keys.set_damaged();
}

/// An index in a file.
pub(super) struct StoredKeys<'a> {
    files: &'a DataFiles,
    keys: &'a KeysFile,
}

impl<'a> StoredKeys<'a> {
    pub fn new(files: &'a DataFiles, keys: &'a KeysFile) -> Self {
        Self { files, keys }
    }

    /// Numbers of keys and positions of rows. `order` has the numbers of the keys in the order of their hashes.
    async fn find<E: StoredEntry>(
        &self,
        hashes: &[E],
        order: &[u32],
    ) -> Result<Vec<(u32, u32)>, DfOlapError> {
        let cached = cache::file(self.keys.id, cache::INDEX);
        let directory = match cached.directory() {
            Some(directory) => directory,
            None => {
                let read = Arc::new(self.read_directory().await?);
                cached.put_directory(&read);
                read
            }
        };
        if !directory.has::<E>() {
            return Err(self.damaged("it is of another type of keys"));
        }
        let lookups = order.iter().flat_map(|number| {
            let pages = directory.pages_of(hashes[*number as usize]);
            pages.map(move |page| (page as u32, *number))
        });
        let mut lookups: Vec<(u32, u32)> = lookups.collect();
        lookups.sort_unstable();
        let mut found = Vec::new();
        for lookups in lookups.chunks(LOOKUPS_AT_ONCE) {
            let mut numbers: Vec<u32> = lookups.iter().map(|(page, _)| *page).collect();
            numbers.dedup();
            let pages = self.pages(&cached, &directory, &numbers).await?;
            let mut at = 0;
            for (page, number) in lookups {
                if numbers[at] != *page {
                    at += 1;
                }
                let hash = hashes[*number as usize];
                directory.find(*page as usize, &pages[at], hash, |position| {
                    found.push((*number, position));
                });
            }
        }
        if found
            .iter()
            .any(|(_, position)| *position >= self.keys.rows)
        {
            return Err(self.damaged("it names rows that are not there"));
        }
        Ok(found)
    }

    /// The pages of these numbers, which ascend.
    async fn pages(
        &self,
        cached: &FilePages,
        directory: &Directory,
        numbers: &[u32],
    ) -> Result<Vec<Arc<[u8]>>, DfOlapError> {
        let mut pages = cached.pages(numbers);
        let missing: Vec<usize> = (0..pages.len()).filter(|at| pages[*at].is_none()).collect();
        let reads = stream::iter(self.reads(numbers, &missing)).map(|range| async move {
            let read = self.read_pages(directory, range.clone()).await?;
            Ok::<_, DfOlapError>((range, read))
        });
        let mut reads = reads.buffered(READS_AT_ONCE);
        let mut missing = missing.into_iter().peekable();
        while let Some((range, read)) = reads.try_next().await? {
            while let Some(at) = missing.next_if(|at| numbers[*at] < range.end) {
                let start = (numbers[at] - range.start) as usize * PAGE_BYTES;
                let page: Arc<[u8]> = read[start..start + PAGE_BYTES].into();
                cached.put(numbers[at], &page);
                pages[at] = Some(page);
            }
        }
        let pages = pages.into_iter().collect::<Option<Vec<Arc<[u8]>>>>();
        pages.ok_or_else(|| DfOlapError::Other("a page of an index was not read".into()))
    }

    /// The ranges of pages to read, so that all of the missing ones are in them.
    fn reads(&self, numbers: &[u32], missing: &[usize]) -> Vec<Range<u32>> {
        let gap = match self.files.is_local() {
            true => LOCAL_GAP,
            false => REMOTE_GAP,
        };
        let mut reads: Vec<Range<u32>> = Vec::new();
        for at in missing {
            let number = numbers[*at];
            match reads.last_mut() {
                Some(last) if number - last.end <= gap && number - last.start < MAX_READ => {
                    last.end = number + 1;
                }
                _ => reads.push(number..number + 1),
            }
        }
        reads
    }

    pub async fn read_pages(
        &self,
        directory: &Directory,
        pages: Range<u32>,
    ) -> Result<Vec<u8>, DfOlapError> {
        let place = |page: u32| u64::from(page) * PAGE_BYTES as u64;
        let range = place(pages.start)..place(pages.end);
        let path = &self.keys.path;
        let read = self.files.read(path, range, Alignment::none()).await?;
        let bytes = read.as_slice();
        for (page, bytes) in pages.zip(bytes.chunks(PAGE_BYTES)) {
            if !directory.is_page(page as usize, bytes) {
                return Err(self.damaged("the checksum of a page is wrong"));
            }
        }
        Ok(bytes.to_vec())
    }

    pub async fn read_directory(&self) -> Result<Directory, DfOlapError> {
        let start = u64::from(self.keys.pages) * PAGE_BYTES as u64;
        let range = start..self.keys.size_bytes();
        let path = &self.keys.path;
        let read = self.files.read(path, range, Alignment::none()).await?;
        if xxh3_64(read.as_slice()) != self.keys.checksum {
            return Err(self.damaged("the checksum of its directory is wrong"));
        }
        let directory = Directory::decode(read.as_slice());
        let (pages, rows) = (self.keys.pages as usize, self.keys.rows);
        directory
            .filter(|there| there.pages() == pages && there.rows() == rows)
            .ok_or_else(|| self.damaged("its directory does not fit its rows"))
    }

    pub fn damaged(&self, how: &str) -> DfOlapError {
        let shown = self.files.shown(&self.keys.path);
        DfOlapError::Corrupt(format!("{shown} is damaged: {how}"))
    }
}
