//! [`Medium`]: the storage of the objects of a log; and its implementation on an object store.

use std::fmt::Debug;
#[cfg(feature = "cloud-storage")]
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
#[cfg(feature = "cloud-storage")]
use futures::TryStreamExt;
#[cfg(feature = "cloud-storage")]
use object_store::path::Path;
#[cfg(feature = "cloud-storage")]
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

/// The result of [`Medium::create`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Created {
    /// This call created the object, and its bytes are on stable storage.
    New,
    /// The medium reports that the name is taken. This very call may have taken it, or the name may in fact be free.
    Exists,
}

/// A failed [`Medium::create`].
#[derive(Debug)]
pub(crate) struct CreateError {
    pub error: object_store::Error,
    /// True if the object was not created and never will be: no request is in flight.
    pub is_final: bool,
}

/// A flat set of named objects, the interface below the log. Tests implement it with media that lose responses or
/// power.
#[async_trait]
pub(crate) trait Medium: Debug + Send + Sync {
    /// Creates the object `name` if the name is free. A reader that sees the name sees all bytes, also after a power
    /// loss. After an error that is not final, the object may or may not exist.
    async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, CreateError>;

    /// The bytes of an object; `None` where there is none.
    async fn read(&self, name: &str) -> object_store::Result<Option<Bytes>>;

    /// All names after `after`, in any order.
    async fn list(&self, after: Option<&str>) -> object_store::Result<Vec<String>>;

    /// Creates or overwrites the object `name`. For hints, which readers do not rely on.
    async fn replace(&self, name: &str, bytes: Bytes) -> object_store::Result<()>;

    /// Removes an object, if it is there.
    async fn remove(&self, name: &str) -> object_store::Result<()>;

    /// The names of temporary objects that a crash before a time left behind; no reader opens such objects.
    async fn left_over(&self, before: SystemTime) -> object_store::Result<Vec<String>>;
}

/// The names of objects by which the log checks whether a store lets only one writer create an object.
pub(super) const CHECK_PREFIX: &str = ".check-";

/// Objects below a prefix of an object store. The store must not retry by itself: the log handles every unknown
/// outcome.
#[derive(Debug)]
#[cfg(feature = "cloud-storage")]
pub(crate) struct ObjectMedium {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

#[cfg(feature = "cloud-storage")]
impl ObjectMedium {
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path) -> Self {
        Self { store, prefix }
    }
}

#[cfg(feature = "cloud-storage")]
#[async_trait]
impl Medium for ObjectMedium {
    async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, CreateError> {
        let path = self.prefix.clone().join(name);
        let put = self
            .store
            .put_opts(&path, PutPayload::from(bytes), PutMode::Create.into());
        match put.await {
            Ok(_) => Ok(Created::New),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(Created::Exists),
            Err(error) => Err(CreateError {
                is_final: is_refusal(&error),
                error,
            }),
        }
    }

    async fn read(&self, name: &str) -> object_store::Result<Option<Bytes>> {
        match self.store.get(&self.prefix.clone().join(name)).await {
            Ok(found) => found.bytes().await.map(Some),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, after: Option<&str>) -> object_store::Result<Vec<String>> {
        let found = match after {
            Some(after) => self
                .store
                .list_with_offset(Some(&self.prefix), &self.prefix.clone().join(after)),
            None => self.store.list(Some(&self.prefix)),
        };
        found
            .try_filter_map(|meta| {
                let name = meta.location.filename().map(str::to_string);
                async move { Ok(name) }
            })
            .try_collect()
            .await
    }

    async fn replace(&self, name: &str, bytes: Bytes) -> object_store::Result<()> {
        let path = self.prefix.clone().join(name);
        self.store.put(&path, PutPayload::from(bytes)).await?;
        Ok(())
    }

    async fn left_over(&self, before: SystemTime) -> object_store::Result<Vec<String>> {
        let objects = self.store.list(Some(&self.prefix));
        objects
            .try_filter_map(|meta| {
                let name = meta.location.filename().map(str::to_string);
                let name = name.filter(|name| name.starts_with(CHECK_PREFIX));
                let is_old = SystemTime::from(meta.last_modified) < before;
                async move { Ok(name.filter(|_| is_old)) }
            })
            .try_collect()
            .await
    }

    async fn remove(&self, name: &str) -> object_store::Result<()> {
        match self.store.delete(&self.prefix.clone().join(name)).await {
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// True if the store refused the request, so that a retry is of no use.
pub(crate) fn is_refusal(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    matches!(
        error,
        E::NotFound { .. }
            | E::InvalidPath { .. }
            | E::NotSupported { .. }
            | E::NotImplemented { .. }
            | E::PermissionDenied { .. }
            | E::Unauthenticated { .. }
            | E::UnknownConfigurationKey { .. }
    )
}
