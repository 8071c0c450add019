//! An object store in memory that fails, lies or stops at one of its calls.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use rhei_datafusion::object_store::memory::InMemory;
use rhei_datafusion::object_store::path::Path;
use rhei_datafusion::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error, and nothing was done.
    Before,
    /// An error, and yet it was done.
    After,
    /// "It is there already", and nothing was done.
    Refused,
    /// "It is there already", because it was done just now.
    RefusedAfter,
    /// The program ends before the call has an effect.
    Crash,
    /// The program ends when the call has had its effect.
    CrashAfter,
}

/// A store whose call number `at` meets `fault`.
#[derive(Debug)]
pub struct FaultyStore {
    pub inner: InMemory,
    at: usize,
    fault: Fault,
    calls: AtomicUsize,
    crashed: AtomicBool,
}

impl FaultyStore {
    pub fn new(inner: InMemory, at: usize, fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            inner,
            at,
            fault,
            calls: AtomicUsize::new(0),
            crashed: AtomicBool::new(false),
        })
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn has_crashed(&self) -> bool {
        self.crashed.load(Ordering::SeqCst)
    }

    pub fn met(&self) -> bool {
        self.calls() >= self.at
    }

    async fn call<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        if self.has_crashed() {
            std::future::pending::<()>().await;
        }
        let lost = || Error::Generic {
            store: "faulty",
            source: "the answer was lost".into(),
        };
        let there = || Error::AlreadyExists {
            path: "somewhere".into(),
            source: "it is there".into(),
        };
        if self.calls.fetch_add(1, Ordering::SeqCst) + 1 != self.at {
            return work.await;
        }
        match self.fault {
            Fault::Before => Err(lost()),
            Fault::After => {
                work.await?;
                Err(lost())
            }
            Fault::Refused => Err(there()),
            Fault::RefusedAfter => {
                work.await?;
                Err(there())
            }
            Fault::Crash => {
                self.crashed.store(true, Ordering::SeqCst);
                std::future::pending().await
            }
            Fault::CrashAfter => {
                work.await?;
                self.crashed.store(true, Ordering::SeqCst);
                std::future::pending().await
            }
        }
    }
}

impl std::fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaultyStore")
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.call(self.inner.put_opts(location, payload, options))
            .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.call(self.inner.put_multipart_opts(location, options))
            .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.call(self.inner.get_opts(location, options)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.call(self.inner.get_ranges(location, ranges)).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix).boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call(self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.call(self.inner.copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.call(self.inner.rename_opts(from, to, options)).await
    }
}

/// A store that does not keep two writers from creating one object.
#[derive(Debug)]
pub struct CarelessStore {
    inner: InMemory,
    /// It looks whether the object is there, and then takes its time: so only those who come at once are all let through.
    looks_first: bool,
}

impl CarelessStore {
    pub fn new(looks_first: bool) -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            looks_first,
        })
    }
}

impl std::fmt::Display for CarelessStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CarelessStore")
    }
}

#[async_trait]
impl ObjectStore for CarelessStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if options.mode == PutMode::Create && self.looks_first {
            if self.inner.head(location).await.is_ok() {
                return self.inner.put_opts(location, payload, options).await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let unconditional = PutOptions {
            mode: PutMode::Overwrite,
            ..options
        };
        self.inner.put_opts(location, payload, unconditional).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
