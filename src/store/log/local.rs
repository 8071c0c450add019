//! A log on a local disk: an object is on stable storage before it has its name.
//!
//! An object is created in four steps: write a temporary file, sync it, rename it (which fails if the name is taken),
//! sync the folder. After a power loss at any point the name is absent, or all of its bytes are there. A failed sync
//! is final: the written data may be lost, and a second sync may succeed without writing anything. So a file whose
//! sync failed is removed, and after a failed sync of the folder no more objects are created until the log is opened
//! again.
//!
//! The steps use [`Files`], so that tests can substitute a disk that loses power.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::medium::{CHECK_PREFIX, CreateError, Created, Medium};
use super::spares::Spares;
use crate::runtime::{self, blocking};
use crate::store::disk::{Files, TEMP_PREFIX};

/// A log in one folder.
#[derive(Debug)]
pub(crate) struct LocalMedium {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    files: Arc<dyn Files>,
    folder: PathBuf,
    synced: bool,
    spares: Spares,
    /// True after a failed sync of the folder: recent names may be lost.
    failed: AtomicBool,
}

impl LocalMedium {
    /// A log in `folder`, which must exist. Without `synced` nothing is synced: a power loss may lose the last
    /// commits, or leave a log that cannot be read.
    pub fn new(files: Arc<dyn Files>, folder: PathBuf, synced: bool) -> Self {
        Self {
            shared: Arc::new(Shared {
                spares: Spares::new(Arc::clone(&files), &folder),
                files,
                folder,
                synced,
                failed: AtomicBool::new(false),
            }),
        }
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> io::Result<T> + Send + 'static,
    ) -> object_store::Result<T> {
        let shared = Arc::clone(&self.shared);
        let done = blocking(move || work(&shared)).await;
        done.and_then(|result| result).map_err(generic)
    }
}

fn generic(source: io::Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "the local log",
        source: Box::new(source),
    }
}

impl Shared {
    fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, CreateError> {
        let unnamed_yet = |error| CreateError {
            error: generic(error),
            is_final: true,
        };
        if self.failed.load(Ordering::Acquire) {
            return Err(unnamed_yet(io::Error::other(format!(
                "an earlier sync of {} failed; open the database again to see what was kept",
                self.folder.display()
            ))));
        }
        let path = self.folder.join(name);
        let created = match self.write_whole(&path, bytes) {
            Ok(()) => Created::New,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Created::Exists,
            // A rename may take effect and still return an error; only the folder shows whether it did.
            Err(error) => match self.files.exists(&path) {
                Ok(false) => return Err(unnamed_yet(error)),
                Ok(true) => Created::Exists,
                Err(_) => {
                    return Err(CreateError {
                        error: generic(error),
                        is_final: false,
                    });
                }
            },
        };
        // The folder is synced for a taken name too: the name may come from our own earlier attempt, whose sync of
        // the folder still runs, and a caller that finds the entry treats it as durable.
        if self.synced {
            let synced = self.files.sync_folder(&self.folder);
            if synced.is_err() {
                self.failed.store(true, Ordering::Release);
            }
            let failed_meanwhile = || match self.failed.load(Ordering::Acquire) {
                true => Err(io::Error::other("another sync of the folder failed")),
                false => Ok(()),
            };
            synced
                .and_then(|()| failed_meanwhile())
                .map_err(|error| CreateError {
                    error: generic(error),
                    is_final: false,
                })?;
        }
        Ok(created)
    }

    fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Some(spare) = self.spares.take() {
            match self.files.finish(spare, path, bytes, self.synced) {
                // The spare was so old that vacuum removed it as a left-over of a crash.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => return done,
            }
        }
        self.files.write_whole(path, bytes, self.synced)
    }
}

#[async_trait]
impl Medium for LocalMedium {
    async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, CreateError> {
        if self.shared.spares.are_due() {
            let shared = Arc::clone(&self.shared);
            runtime::spawn(async move {
                // Without spares a commit only takes a little longer.
                let _ = blocking(move || shared.spares.fill()).await;
            });
        }
        if !self.shared.synced {
            // Unsynced writes do not wait for the disk, and a blocking thread would cost more.
            return self.shared.create(name, &bytes);
        }
        let (shared, name) = (Arc::clone(&self.shared), name.to_string());
        let done = blocking(move || shared.create(&name, &bytes)).await;
        done.unwrap_or_else(|error| {
            Err(CreateError {
                error: generic(error),
                is_final: false,
            })
        })
    }

    async fn read(&self, name: &str) -> object_store::Result<Option<Bytes>> {
        // Most reads look for an entry that does not exist yet; for those this check needs no blocking thread.
        let path = self.shared.folder.join(name);
        if !self.shared.files.exists(&path).map_err(generic)? {
            return Ok(None);
        }
        let read = move |disk: &Shared| match disk.files.read(&path) {
            Ok(bytes) => Ok(Some(Bytes::from(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        self.on_disk(read).await
    }

    async fn list(&self, after: Option<&str>) -> object_store::Result<Vec<String>> {
        let after = after.map(str::to_string);
        self.on_disk(move |disk| {
            let mut names = disk.files.names(&disk.folder)?;
            names.retain(|name| {
                !name.starts_with(TEMP_PREFIX) && after.as_ref().is_none_or(|after| name > after)
            });
            Ok(names)
        })
        .await
    }

    async fn replace(&self, name: &str, bytes: Bytes) -> object_store::Result<()> {
        let name = name.to_string();
        self.on_disk(move |disk| {
            let unnamed = disk.folder.join(format!("{TEMP_PREFIX}{}", Uuid::new_v4()));
            disk.files.write_new(&unnamed, &bytes, disk.synced)?;
            disk.files.rename(&unnamed, &disk.folder.join(name))
        })
        .await
    }

    async fn remove(&self, name: &str) -> object_store::Result<()> {
        let name = name.to_string();
        let remove = move |disk: &Shared| match disk.files.remove(&disk.folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        self.on_disk(remove).await
    }

    async fn left_over(&self, before: SystemTime) -> object_store::Result<Vec<String>> {
        let found = self
            .on_disk(|disk| disk.files.entries(&disk.folder))
            .await?;
        let left = found.into_iter().filter(|entry| {
            let name = &entry.name;
            let is_temporary = name.starts_with(TEMP_PREFIX) || name.starts_with(CHECK_PREFIX);
            is_temporary && !entry.is_folder && entry.modified < before
        });
        Ok(left.map(|entry| entry.name).collect())
    }
}
