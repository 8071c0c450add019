//! Reads data files, and verifies the checksum of each block before any of it is used.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::datasource::listing::PartitionedFile;
use futures::FutureExt;
use futures::future::BoxFuture;
use lru::LruCache;
use parking_lot::Mutex;
use vortex::array::buffer::BufferHandle;
use vortex::buffer::{Alignment, ByteBuffer};
use vortex::error::{VortexError, VortexResult};
use vortex::io::{CoalesceConfig, VortexReadAt};
use vortex::layout::LayoutReaderRef;
use vortex::session::VortexSession;
use vortex_datafusion::reader::VortexReaderFactory;
use xxhash_rust::xxh3::xxh3_64;

use super::files::DataFiles;
use crate::error::DfOlapError;
use crate::fragment::{DataFile, Fragment, FragmentId};

/// Recent errors of reading files, kept because an error from a plan carries only their text.
#[derive(Debug, Clone, Default)]
pub(super) struct Failures(Arc<Mutex<VecDeque<DfOlapError>>>);

impl Failures {
    const KEPT: usize = 64;

    fn add(&self, error: &DfOlapError) {
        let mut failures = self.0.lock();
        if failures.len() == Self::KEPT {
            failures.pop_front();
        }
        failures.push_back(error.duplicate());
    }

    /// The recent failure whose text is part of the text of `error`; without such a failure, `error` itself.
    pub fn original_error(&self, error: DfOlapError) -> DfOlapError {
        let failures = self.0.lock();
        if failures.is_empty() {
            return error;
        }
        let text = error.to_string();
        let mut newest_first = failures.iter().rev();
        let cause = newest_first.find(|failure| text.contains(&failure.to_string()));
        cause.map_or(error, DfOlapError::duplicate)
    }
}

/// A cache of the readers of files that were opened for point lookups, with their statistics.
pub(super) struct OpenedFiles(Mutex<LruCache<FragmentId, LayoutReaderRef>>);

impl Default for OpenedFiles {
    fn default() -> Self {
        let kept = NonZeroUsize::MIN.saturating_add(127);
        Self(Mutex::new(LruCache::new(kept)))
    }
}

impl OpenedFiles {
    pub fn get(&self, id: FragmentId) -> Option<LayoutReaderRef> {
        self.0.lock().get(&id).cloned()
    }

    pub fn put(&self, id: FragmentId, reader: &LayoutReaderRef) {
        self.0.lock().put(id, Arc::clone(reader));
    }
}

/// Opens the files of fragments that [`PartitionedFile`]s carry.
pub(super) struct CheckedReaders {
    pub files: DataFiles,
    pub failures: Failures,
}

impl fmt::Debug for CheckedReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedReaders").finish_non_exhaustive()
    }
}

impl VortexReaderFactory for CheckedReaders {
    fn create_reader(
        &self,
        file: &PartitionedFile,
        _: &VortexSession,
    ) -> Result<Arc<dyn VortexReadAt>, DataFusionError> {
        let fragment = file.extension::<Arc<Fragment>>().cloned();
        let fragment = fragment.filter(|fragment| fragment.file().is_some());
        let fragment = fragment.ok_or_else(|| {
            DfOlapError::Other(format!("{} is no file of this store", file.path()))
        })?;
        let failures = self.failures.clone();
        Ok(Arc::new(CheckedFile::new(
            self.files.clone(),
            fragment,
            failures,
        )))
    }
}

/// The chunk size of a full check.
const CHECK_BYTES: u64 = 8 << 20;

/// A file of a fragment.
#[derive(Clone)]
pub(super) struct CheckedFile {
    files: DataFiles,
    fragment: Arc<Fragment>,
    failures: Failures,
    uri: Arc<str>,
    /// Few rows are read, so reads are coalesced over small gaps only.
    is_sparse: bool,
}

/// The largest gap, in bytes, over which two sparse reads are coalesced.
const SPARSE_GAP_BYTES: u64 = 16 << 10;

impl CheckedFile {
    pub fn new(files: DataFiles, fragment: Arc<Fragment>, failures: Failures) -> Self {
        let path = fragment.file().map_or("", |file| &file.path);
        Self {
            uri: files.shown(path).into(),
            files,
            fragment,
            failures,
            is_sparse: false,
        }
    }

    /// For reading a few rows.
    pub fn sparse(mut self) -> Self {
        self.is_sparse = true;
        self
    }

    fn file(&self) -> Result<&DataFile, DfOlapError> {
        let file = self.fragment.file();
        file.ok_or_else(|| DfOlapError::Other("rows in memory are no file".into()))
    }

    async fn read(
        &self,
        range: Range<u64>,
        alignment: Alignment,
    ) -> Result<ByteBuffer, DfOlapError> {
        let file = self.file()?;
        if range.end > file.size_bytes || range.start > range.end {
            return Err(self.damaged("it points outside of itself"));
        }
        if range.is_empty() {
            return Ok(ByteBuffer::empty_aligned(alignment));
        }
        let block_bytes = u64::from(file.checksums.block_bytes());
        let first = range.start / block_bytes;
        let last = (range.end - 1) / block_bytes;
        let blocks = first as usize..=last as usize;
        // On a local disk a block is verified only once; data from a network is verified on every read.
        if self.files.is_local()
            && blocks
                .into_iter()
                .all(|block| file.checksums.is_checked(block))
        {
            return self.files.read(&file.path, range, alignment).await;
        }
        let start = first * block_bytes;
        let end = ((last + 1) * block_bytes).min(file.size_bytes);
        let read = self.files.read(&file.path, start..end, alignment).await?;
        self.check(file, first as usize, read.as_slice())?;
        let wanted = (range.start - start) as usize..(range.end - start) as usize;
        let part = &read.as_slice()[wanted.clone()];
        Ok(match alignment.is_ptr_aligned(part.as_ptr()) {
            true => read.slice_unaligned(wanted).aligned(alignment),
            _ => ByteBuffer::copy_from_aligned(part, alignment),
        })
    }

    /// Verifies the checksum of every block, also of blocks that were verified before.
    pub async fn check_all(&self) -> Result<(), DfOlapError> {
        let file = self.file()?;
        let block_bytes = u64::from(file.checksums.block_bytes());
        let step = block_bytes * (CHECK_BYTES / block_bytes).max(1);
        let mut start = 0;
        while start < file.size_bytes {
            let end = (start + step).min(file.size_bytes);
            let first = (start / block_bytes) as usize;
            let read = self
                .files
                .read(&file.path, start..end, Alignment::none())
                .await?;
            self.check(file, first, read.as_slice())?;
            start = end;
        }
        Ok(())
    }

    /// Verifies the checksums of the blocks from `first` on.
    fn check(&self, file: &DataFile, first: usize, bytes: &[u8]) -> Result<(), DfOlapError> {
        let blocks = bytes.chunks(file.checksums.block_bytes() as usize);
        for (block, bytes) in (first..).zip(blocks) {
            if file.checksums.sums().get(block) != Some(&xxh3_64(bytes)) {
                return Err(self.damaged("the checksum of a block is wrong"));
            }
            file.checksums.set_checked(block);
        }
        Ok(())
    }

    fn damaged(&self, how: &str) -> DfOlapError {
        DfOlapError::Corrupt(format!("{} is damaged: {how}", self.uri))
    }
}

impl VortexReadAt for CheckedFile {
    fn uri(&self) -> Option<&Arc<str>> {
        Some(&self.uri)
    }

    fn coalesce_config(&self) -> Option<CoalesceConfig> {
        Some(match (self.files.is_local(), self.is_sparse) {
            (true, true) => CoalesceConfig {
                distance: SPARSE_GAP_BYTES,
                ..CoalesceConfig::file()
            },
            (true, false) => CoalesceConfig::file(),
            (false, _) => CoalesceConfig::object_storage(),
        })
    }

    fn concurrency(&self) -> usize {
        match self.files.is_local() {
            true => 32,
            false => 64,
        }
    }

    fn size(&self) -> BoxFuture<'static, VortexResult<u64>> {
        let size = self.fragment.file().map_or(0, |file| file.size_bytes);
        futures::future::ready(Ok(size)).boxed()
    }

    fn read_at(
        &self,
        offset: u64,
        length: usize,
        alignment: Alignment,
    ) -> BoxFuture<'static, VortexResult<BufferHandle>> {
        let this = self.clone();
        async move {
            let range = offset..offset.saturating_add(length as u64);
            let read = this.read(range, alignment).await;
            let read = read.map_err(|error| {
                this.failures.add(&error);
                VortexError::from(std::io::Error::other(error))
            })?;
            Ok(BufferHandle::new_host(read))
        }
        .boxed()
    }
}
