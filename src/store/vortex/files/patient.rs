//! An object store client with a timeout on each response and on each further chunk of a response.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};

use crate::runtime;

#[derive(Debug)]
pub(crate) struct TimeoutStore {
    inner: Arc<dyn ObjectStore>,
    limit: Duration,
}

impl TimeoutStore {
    pub fn new(inner: Arc<dyn ObjectStore>, limit: Duration) -> Self {
        Self { inner, limit }
    }
}

async fn with_timeout<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = runtime::sleep(limit);
    futures::pin_mut!(work, late);
    match select(work, late).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(Error::Generic {
            store: "storage",
            source: format!("no answer within {limit:?}").into(),
        }),
    }
}

/// A stream that ends with an error where its next item does not come in time.
fn with_item_timeout<T: Send + 'static>(
    limit: Duration,
    items: BoxStream<'static, Result<T>>,
) -> BoxStream<'static, Result<T>> {
    stream::unfold(Some(items), move |items| async move {
        let mut items = items?;
        let next = async { items.next().await.transpose() };
        match with_timeout(limit, next).await {
            Ok(Some(item)) => Some((Ok(item), Some(items))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

impl fmt::Display for TimeoutStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for TimeoutStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        with_timeout(self.limit, self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begun = self.inner.put_multipart_opts(location, options);
        Ok(Box::new(PatientUpload {
            inner: with_timeout(self.limit, begun).await?,
            limit: self.limit,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut read = with_timeout(self.limit, self.inner.get_opts(location, options)).await?;
        if let GetResultPayload::Stream(bytes) = read.payload {
            read.payload = GetResultPayload::Stream(with_item_timeout(self.limit, bytes));
        }
        Ok(read)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        with_item_timeout(self.limit, self.inner.delete_stream(locations))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        with_item_timeout(self.limit, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        with_item_timeout(self.limit, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        with_timeout(self.limit, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        with_timeout(self.limit, self.inner.copy_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct PatientUpload {
    inner: Box<dyn MultipartUpload>,
    limit: Duration,
}

#[async_trait]
impl MultipartUpload for PatientUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        with_timeout(self.limit, self.inner.put_part(data)).boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        with_timeout(self.limit, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        with_timeout(self.limit, self.inner.abort()).await
    }
}
