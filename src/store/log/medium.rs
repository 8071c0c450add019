//! [`Medium`]: where the objects of a log are stored; and its implementation on an object store.

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
    /// The name is ours, and its bytes are on stable storage.
    New,
    /// The medium says that the name is taken. It may be by this very call, or by no one.
    Exists,
}

/// A failed [`Medium::create`].
#[derive(Debug)]
pub(crate) struct CreateError {
    pub error: object_store::Error,
    /// True where the name was not given and will not be: nothing is on its way.
    pub is_final: bool,
}

/// A flat set of named objects. The narrow seam under the log: real media, and those of tests that lose answers or
/// power.
#[async_trait]
pub(crate) trait Medium: Debug + Send + Sync {
    /// Gives `bytes` the name `name` if nothing has it. Whoever sees the name sees all bytes, after a loss of power
    /// too. An error that is not final says nothing about what happened.
    async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, CreateError>;

    /// The bytes of an object; `None` where there is none.
    async fn read(&self, name: &str) -> object_store::Result<Option<Bytes>>;

    /// All names after `after`, in any order.
    async fn list(&self, after: Option<&str>) -> object_store::Result<Vec<String>>;

    /// Gives `bytes` the name `name`, whatever had it. For hints, which no one believes.
    async fn replace(&self, name: &str, bytes: Bytes) -> object_store::Result<()>;

    /// Removes an object, if it is there.
    async fn remove(&self, name: &str) -> object_store::Result<()>;

    /// What a crash before `time` left, which has no name that a reader would ask for.
    async fn left_over(&self, _before: SystemTime) -> object_store::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// Objects below a prefix of an object store. The store must not retry by itself: every doubt belongs to the log.
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

    async fn remove(&self, name: &str) -> object_store::Result<()> {
        match self.store.delete(&self.prefix.clone().join(name)).await {
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// True where the store understood and refused, so that another try is of no use.
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
