//! An object store that counts its requests.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::ours::object_store::memory::InMemory;
use ::ours::object_store::path::Path;
use ::ours::object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

/// Requests by kind; the requests for parts of a multipart upload count as PUT, as S3 bills them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    pub put: u64,
    pub get: u64,
    /// The requests of `get` for data files.
    pub get_data: u64,
    pub head: u64,
    pub list: u64,
    pub delete: u64,
}

#[derive(Debug, Default)]
struct Counters {
    put: AtomicU64,
    get: AtomicU64,
    get_data: AtomicU64,
    head: AtomicU64,
    list: AtomicU64,
    delete: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A store in memory, without delay, that counts requests.
#[derive(Debug, Default)]
pub struct CountingStore {
    inner: InMemory,
    counters: Arc<Counters>,
}

impl CountingStore {
    /// The requests since the last call.
    pub fn take(&self) -> Requests {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Requests {
            put: take(&self.counters.put),
            get: take(&self.counters.get),
            get_data: take(&self.counters.get_data),
            head: take(&self.counters.head),
            list: take(&self.counters.list),
            delete: take(&self.counters.delete),
        }
    }
}

impl Counters {
    fn gets(&self, location: &Path, requests: u64) {
        self.get.fetch_add(requests, Ordering::Relaxed);
        if location.as_ref().ends_with(".vortex") {
            self.get_data.fetch_add(requests, Ordering::Relaxed);
        }
    }
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountingStore")
    }
}

#[async_trait]
impl ObjectStore for CountingStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        count(&self.counters.put);
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        count(&self.counters.put);
        let inner = self.inner.put_multipart_opts(location, options).await?;
        let counters = Arc::clone(&self.counters);
        Ok(Box::new(CountingUpload { inner, counters }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match options.head {
            true => count(&self.counters.head),
            false => self.counters.gets(location, 1),
        }
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.counters.gets(location, ranges.len() as u64);
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let counters = Arc::clone(&self.counters);
        let locations = locations.inspect(move |_| count(&counters.delete));
        self.inner.delete_stream(locations.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        count(&self.counters.list);
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        count(&self.counters.list);
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        count(&self.counters.list);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        count(&self.counters.put);
        self.inner.copy_opts(from, to, options).await
    }
}

/// Counts the parts of an upload and its completion.
#[derive(Debug)]
struct CountingUpload {
    inner: Box<dyn MultipartUpload>,
    counters: Arc<Counters>,
}

#[async_trait]
impl MultipartUpload for CountingUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        count(&self.counters.put);
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        count(&self.counters.put);
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        count(&self.counters.delete);
        self.inner.abort().await
    }
}
