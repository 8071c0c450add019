//! The indexes of keys beside data files: `<fragment's id>.keys` beside `<fragment's id>.vortex`.
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

use super::files::DataFiles;
use super::scan::Scans;
use crate::error::DfOlapError;
use crate::fragment::{ColumnId, DataFile, Fragment, FragmentId, KeysFile};
use crate::key_index::buckets::Buckets;
use crate::key_index::cache::{self, FilePages};
use crate::key_index::digest::{Digests, Hashes, Wanted};
use crate::key_index::key_set::has_no_null;
use crate::key_index::paged::{Directory, PAGE_BYTES, StoredEntry, write_pages};
use crate::snapshot::TableDefinition;

/// A file with fewer rows has no index beside it: its keys are soon read.
const MIN_ROWS: usize = 8192;
/// How many reads of a file are in progress.
const READS_AT_ONCE: usize = 16;
/// Pages between two that are read are read with them if they are not more than this.
const LOCAL_GAP: u32 = 4;
const REMOTE_GAP: u32 = 64;
/// The most pages of one read.
const MAX_READ: u32 = 256;

/// The number of bytes of an index.
fn size_bytes(keys: &KeysFile) -> u64 {
    let pages = keys.pages as usize;
    (pages * PAGE_BYTES + Directory::bytes_of(pages)) as u64
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
        data_file: &str,
    ) -> Result<Option<KeysFile>, DfOlapError> {
        let digests = self.digests.filter(|digests| digests.len() >= MIN_ROWS);
        let Some(digests) = digests.filter(|digests| digests.ascending().is_none()) else {
            return Ok(None);
        };
        let (mut bytes, directory) = match Hashes::of(digests, self.seed) {
            Hashes::Narrow(hashes) => pages(&Buckets::new(&hashes)),
            Hashes::Wide(hashes) => pages(&Buckets::new(&hashes)),
        };
        let directory_bytes = directory.encode();
        bytes.extend_from_slice(&directory_bytes);
        let mut upload = files.create(&KeysFile::path_beside(data_file)).await?;
        for part in bytes.chunks(MAX_READ as usize * PAGE_BYTES) {
            if let Err(error) = upload.write(part).await {
                upload.abort().await;
                return Err(error);
            }
        }
        upload.finish().await?;
        Ok(Some(KeysFile::new(
            self.columns,
            directory.pages() as u32,
            xxh3_64(&directory_bytes),
        )))
    }
}

/// The pages of a map, one after the other, and their directory.
fn pages<E: StoredEntry>(map: &Buckets<E>) -> (Vec<u8>, Directory) {
    let mut bytes = Vec::with_capacity(map.len() * (E::BYTES + 1));
    let written = write_pages(map, |page| {
        bytes.extend_from_slice(page);
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(directory) = written;
    (bytes, directory)
}

impl Scans {
    /// The keys that the rows of a file have: numbers of keys and positions of rows, deleted rows included. `None` if
    /// the file has no index, or one that is damaged.
    pub async fn find_keys(
        &self,
        fragment: &Fragment,
        wanted: &Wanted,
    ) -> Result<Option<Vec<(u32, u32)>>, DfOlapError> {
        let Some((file, keys)) = with_keys(fragment) else {
            return Ok(None);
        };
        if keys.is_damaged() {
            return Ok(None);
        }
        let index = StoredKeys::new(&self.files, fragment, file, keys);
        let found = match &wanted.hashes {
            Hashes::Narrow(hashes) => index.find(hashes, &wanted.order).await,
            Hashes::Wide(hashes) => index.find(hashes, &wanted.order).await,
        };
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error @ DfOlapError::Corrupt(_)) => {
                tracing::warn!(%error, "an index of keys is not used; the keys are read from the data file");
                keys.set_damaged();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Verifies the index of a file, if it has one, and returns its size.
    pub async fn check_keys(&self, fragment: &Fragment) -> Result<u64, DfOlapError> {
        let Some((file, keys)) = with_keys(fragment) else {
            return Ok(0);
        };
        let index = StoredKeys::new(&self.files, fragment, file, keys);
        let directory = index.read_directory().await?;
        for start in (0..keys.pages).step_by(MAX_READ as usize) {
            let end = (start + MAX_READ).min(keys.pages);
            index.read_pages(&directory, start..end).await?;
        }
        Ok(size_bytes(keys))
    }
}

fn with_keys(fragment: &Fragment) -> Option<(&DataFile, &KeysFile)> {
    let file = fragment.file()?;
    Some((file, file.keys.as_ref()?))
}

/// The index of a file.
struct StoredKeys<'a> {
    files: &'a DataFiles,
    path: String,
    fragment: FragmentId,
    rows: u32,
    keys: &'a KeysFile,
}

impl<'a> StoredKeys<'a> {
    fn new(
        files: &'a DataFiles,
        fragment: &Fragment,
        file: &'a DataFile,
        keys: &'a KeysFile,
    ) -> Self {
        Self {
            files,
            path: KeysFile::path_beside(&file.path),
            fragment: fragment.id,
            rows: fragment.rows(),
            keys,
        }
    }

    /// Numbers of keys and positions of rows. `order` has the numbers of the keys in the order of their hashes.
    async fn find<E: StoredEntry>(
        &self,
        hashes: &[E],
        order: &[u32],
    ) -> Result<Vec<(u32, u32)>, DfOlapError> {
        let cached = cache::file(self.fragment, cache::INDEX);
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
        let mut numbers: Vec<u32> = lookups.iter().map(|(page, _)| *page).collect();
        numbers.dedup();
        let pages = self.pages(&cached, &directory, &numbers).await?;
        let (mut found, mut at) = (Vec::new(), 0);
        for (page, number) in lookups {
            if numbers[at] != page {
                at += 1;
            }
            let hash = hashes[number as usize];
            directory.find(page as usize, &pages[at], hash, |position| {
                found.push((number, position));
            });
        }
        if found.iter().any(|(_, position)| *position >= self.rows) {
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

    async fn read_pages(
        &self,
        directory: &Directory,
        pages: Range<u32>,
    ) -> Result<Vec<u8>, DfOlapError> {
        let place = |page: u32| u64::from(page) * PAGE_BYTES as u64;
        let range = place(pages.start)..place(pages.end);
        let read = self
            .files
            .read(&self.path, range, Alignment::none())
            .await?;
        let bytes = read.as_slice();
        for (page, bytes) in pages.zip(bytes.chunks(PAGE_BYTES)) {
            if !directory.is_page(page as usize, bytes) {
                return Err(self.damaged("the checksum of a page is wrong"));
            }
        }
        Ok(bytes.to_vec())
    }

    async fn read_directory(&self) -> Result<Directory, DfOlapError> {
        let start = u64::from(self.keys.pages) * PAGE_BYTES as u64;
        let range = start..size_bytes(self.keys);
        let read = self
            .files
            .read(&self.path, range, Alignment::none())
            .await?;
        if xxh3_64(read.as_slice()) != self.keys.checksum {
            return Err(self.damaged("the checksum of its directory is wrong"));
        }
        let directory = Directory::decode(read.as_slice());
        directory
            .filter(|there| there.pages() == self.keys.pages as usize && there.rows() == self.rows)
            .ok_or_else(|| self.damaged("its directory does not fit its data file"))
    }

    fn damaged(&self, how: &str) -> DfOlapError {
        let shown = self.files.shown(&self.path);
        DfOlapError::Corrupt(format!("{shown} is damaged: {how}"))
    }
}
