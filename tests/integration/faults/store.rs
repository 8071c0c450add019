//! An object store in memory that fails, returns wrong answers or stops at one of its calls.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use rhei_datafusion::object_store::memory::InMemory;
use rhei_datafusion::object_store::path::Path;
use rhei_datafusion::object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use tokio::sync::watch;

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error; the call has no effect.
    Before,
    /// An error, although the call took effect.
    After,
    /// "It is there already"; the call has no effect.
    Refused,
    /// "It is there already", because this very call created it.
    RefusedAfter,
    /// An error; the call takes effect some time later.
    Late,
    /// No answer, ever; the call has no effect.
    Silence,
    /// No answer, ever, although the call took effect.
    SilenceAfter,
    /// A read returns the first half as if that were all.
    Short,
    /// A read returns the data with one bit flipped.
    Flipped,
    /// All calls fail from here on, until `mend`.
    Outage,
    /// The same, but the calls take effect.
    OutageAfter,
    /// The program ends before the call takes effect.
    Crash,
    /// The program ends after the call has taken effect.
    CrashAfter,
}

/// The delay of `Fault::Late`.
const LATE: Duration = Duration::from_millis(30);

/// For calls that are not reads: leaves the answer as it is.
fn unspoiled<T: Send + 'static>(answer: T, _: Fault) -> BoxFuture<'static, Result<T>> {
    std::future::ready(Ok(answer)).boxed()
}

fn spoiled(bytes: &Bytes, fault: Fault) -> Bytes {
    match fault {
        Fault::Short => bytes.slice(..bytes.len() / 2),
        _ => {
            let mut flipped = bytes.to_vec();
            let place = flipped.len() / 3;
            if let Some(byte) = flipped.get_mut(place) {
                *byte ^= 0x10;
            }
            flipped.into()
        }
    }
}

fn spoil_read(read: GetResult, fault: Fault) -> BoxFuture<'static, Result<GetResult>> {
    async move {
        let (meta, range, attributes) = (
            read.meta.clone(),
            read.range.clone(),
            read.attributes.clone(),
        );
        let bytes = spoiled(&read.bytes().await?, fault);
        Ok(GetResult {
            payload: GetResultPayload::Stream(futures::stream::iter([Ok(bytes)]).boxed()),
            meta,
            range,
            attributes,
        })
    }
    .boxed()
}

/// The kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    Put,
    Get,
    List,
    Delete,
}

/// A store whose call number `at` meets `fault`.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    pub inner: Arc<InMemory>,
    at: usize,
    fault: Fault,
    calls: Arc<AtomicUsize>,
    crashed: Arc<watch::Sender<bool>>,
    mended: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<(RequestKind, String)>>>,
    /// From now on every PUT meets the fault.
    failing_puts: Arc<AtomicBool>,
    met_a_put: Arc<AtomicBool>,
    puts: Arc<watch::Sender<Puts>>,
}

/// Whether PUTs are held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Puts {
    Pass,
    Held,
    /// One has come, and waits.
    Waiting,
}

impl FaultyStore {
    pub fn new(inner: InMemory, at: usize, fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(inner),
            at,
            fault,
            calls: Arc::default(),
            crashed: Arc::new(watch::Sender::new(false)),
            mended: Arc::default(),
            asked: Arc::default(),
            failing_puts: Arc::default(),
            met_a_put: Arc::default(),
            puts: Arc::new(watch::Sender::new(Puts::Pass)),
        })
    }

    /// The number of calls so far.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn has_crashed(&self) -> bool {
        *self.crashed.borrow()
    }

    /// Completes once the store has crashed.
    pub async fn crash(&self) {
        let mut crashed = self.crashed.subscribe();
        crashed.wait_for(|has_crashed| *has_crashed).await.unwrap();
    }

    /// The requests since the last call, with their objects.
    pub fn take_requests(&self) -> Vec<(RequestKind, String)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    pub fn fail_puts(&self) {
        self.failing_puts.store(true, Ordering::SeqCst);
    }

    pub fn has_met_a_put(&self) -> bool {
        self.met_a_put.load(Ordering::SeqCst)
    }

    /// From now on PUTs wait.
    pub fn hold_puts(&self) {
        self.puts.send_replace(Puts::Held);
    }

    /// Completes once a PUT waits.
    pub async fn held_put(&self) {
        let mut puts = self.puts.subscribe();
        puts.wait_for(|puts| *puts == Puts::Waiting).await.unwrap();
    }

    pub fn release_puts(&self) {
        self.puts.send_replace(Puts::Pass);
    }

    /// Ends an outage.
    pub fn mend(&self) {
        self.mended.store(true, Ordering::SeqCst);
        self.failing_puts.store(false, Ordering::SeqCst);
    }

    pub fn met(&self) -> bool {
        self.calls() >= self.at
    }

    async fn call<T: Send + 'static>(
        &self,
        asked: RequestKind,
        path: &Path,
        work: impl Future<Output = Result<T>> + Send + 'static,
        spoil: impl FnOnce(T, Fault) -> BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
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
        if asked == RequestKind::Put && *self.puts.borrow() != Puts::Pass {
            self.puts.send_replace(Puts::Waiting);
            let mut puts = self.puts.subscribe();
            puts.wait_for(|puts| *puts == Puts::Pass).await.unwrap();
        }
        self.asked.lock().unwrap().push((asked, path.to_string()));
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let is_met = match self.fault {
            Fault::Outage | Fault::OutageAfter => {
                call >= self.at && !self.mended.load(Ordering::SeqCst)
            }
            _ if asked == RequestKind::Put && self.failing_puts.load(Ordering::SeqCst) => {
                self.met_a_put.store(true, Ordering::SeqCst);
                true
            }
            _ => call == self.at,
        };
        if !is_met {
            return work.await;
        }
        match self.fault {
            Fault::Before | Fault::Outage => Err(lost()),
            Fault::After | Fault::OutageAfter => {
                work.await?;
                Err(lost())
            }
            Fault::Refused => Err(there()),
            Fault::RefusedAfter => {
                work.await?;
                Err(there())
            }
            Fault::Late => {
                tokio::spawn(async {
                    tokio::time::sleep(LATE).await;
                    work.await
                });
                Err(lost())
            }
            Fault::Silence => std::future::pending().await,
            Fault::SilenceAfter => {
                work.await?;
                std::future::pending().await
            }
            Fault::Short | Fault::Flipped => spoil(work.await?, self.fault).await,
            Fault::Crash => {
                self.crashed.send_replace(true);
                std::future::pending().await
            }
            Fault::CrashAfter => {
                work.await?;
                self.crashed.send_replace(true);
                std::future::pending().await
            }
        }
    }
}

impl FaultyStore {
    fn listed(
        &self,
        listing: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        let all = async move {
            let all = listing.try_collect::<Vec<_>>();
            this.call(RequestKind::List, &Path::default(), all, unspoiled)
                .await
        };
        let all = futures::stream::once(all).map_ok(|all| futures::stream::iter(all).map(Ok));
        all.try_flatten().boxed()
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
        let (inner, path) = (Arc::clone(&self.inner), location.clone());
        let work = async move { inner.put_opts(&path, payload, options).await };
        self.call(RequestKind::Put, location, work, unspoiled).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let (inner, path) = (Arc::clone(&self.inner), location.clone());
        let work = async move { inner.put_multipart_opts(&path, options).await };
        self.call(RequestKind::Put, location, work, unspoiled).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (inner, path) = (Arc::clone(&self.inner), location.clone());
        let work = async move { inner.get_opts(&path, options).await };
        self.call(RequestKind::Get, location, work, spoil_read)
            .await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let deleted = locations.then(move |location| {
            let this = this.clone();
            async move {
                let (inner, path) = (Arc::clone(&this.inner), location?);
                let shown = path.clone();
                let work = async move { inner.delete(&path).await.map(|()| path) };
                this.call(RequestKind::Delete, &shown, work, unspoiled)
                    .await
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let (inner, path) = (Arc::clone(&self.inner), prefix.cloned());
        let shown = path.clone().unwrap_or_default();
        let work = async move { inner.list_with_delimiter(path.as_ref()).await };
        self.call(RequestKind::List, &shown, work, unspoiled).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (inner, old, new) = (Arc::clone(&self.inner), from.clone(), to.clone());
        let work = async move { inner.copy_opts(&old, &new, options).await };
        self.call(RequestKind::Put, to, work, unspoiled).await
    }
}

/// A store that lets two writers create the same object.
#[derive(Debug)]
pub struct CarelessStore {
    inner: InMemory,
    /// Whether PUT checks first that the object does not exist, and then yields: only concurrent creates succeed.
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
            tokio::task::yield_now().await;
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
