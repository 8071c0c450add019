//! Stores data files in folders of a local disk, or below a prefix of an object store. A file is written once, under
//! a unique name, and is on stable storage when its upload is finished.

#[cfg(feature = "cloud-storage")]
pub(super) mod patient;
#[cfg(feature = "cloud-storage")]
pub(super) mod s3;

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload,
};
use parking_lot::Mutex;
use vortex::buffer::{Alignment, BufferMut, ByteBuffer};

use crate::error::DfOlapError;
use crate::runtime::blocking;
use crate::store::disk::{Files, NewFile};

/// The sizes of a part of an upload to an object store, and of a buffered write to a local file.
const PART_BYTES: usize = 8 << 20;
const LOCAL_WRITE_BYTES: usize = 1 << 20;
/// Reads up to this size are done inline, if the page cache has the bytes.
const AT_ONCE_BYTES: usize = 1 << 20;

#[derive(Debug, Clone)]
pub(crate) enum DataFiles {
    Local(Arc<LocalFiles>),
    #[cfg_attr(
        not(feature = "cloud-storage"),
        expect(dead_code, reason = "only that feature knows of buckets")
    )]
    Object {
        store: Arc<dyn ObjectStore>,
        prefix: object_store::path::Path,
        /// The name of the database in messages.
        name: Arc<str>,
    },
}

#[derive(Debug)]
pub(crate) struct LocalFiles {
    files: Arc<dyn Files>,
    root: PathBuf,
    synced: bool,
    /// Folders that are known to exist.
    folders: Mutex<HashSet<PathBuf>>,
}

impl LocalFiles {
    pub fn new(files: Arc<dyn Files>, root: PathBuf, synced: bool) -> Self {
        Self {
            files,
            root,
            synced,
            folders: Mutex::default(),
        }
    }

    /// Creates the folder of a file, which is at most one level below the root.
    fn create_folder(&self, folder: &Path) -> std::io::Result<()> {
        if self.folders.lock().contains(folder) {
            return Ok(());
        }
        self.files.create_folder(folder)?;
        if self.synced {
            self.files.sync_folder(&self.root)?;
        }
        self.folders.lock().insert(folder.to_path_buf());
        Ok(())
    }
}

impl LocalFiles {
    fn list(&self) -> std::io::Result<Vec<StoredFile>> {
        let mut found = Vec::new();
        for folder in self.files.entries(&self.root)? {
            if !folder.is_folder {
                continue;
            }
            found.extend(self.list_folder(&folder.name)?);
        }
        Ok(found)
    }

    fn list_folder(&self, folder: &str) -> std::io::Result<Vec<StoredFile>> {
        let files = self.files.entries(&self.root.join(folder))?;
        let files = files.into_iter().filter(|file| !file.is_folder);
        Ok(files
            .map(|file| StoredFile {
                path: format!("{folder}/{}", file.name),
                size_bytes: file.size_bytes,
                modified: file.modified,
            })
            .collect())
    }
}

impl DataFiles {
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// The name of a file in messages.
    pub fn shown(&self, path: &str) -> String {
        match self {
            Self::Local(local) => local.root.join(path).display().to_string(),
            Self::Object { name, .. } => format!("{name}/{path}"),
        }
    }

    /// Starts the upload of a new file.
    pub async fn create(&self, path: &str) -> Result<Upload, DfOlapError> {
        let shown = self.shown(path);
        let to = match self {
            Self::Local(local) => {
                let (local, path) = (Arc::clone(local), local.root.join(path));
                let begin = move || {
                    if let Some(folder) = path.parent() {
                        local.create_folder(folder)?;
                    }
                    let file = local.files.create(&path)?;
                    Ok(To::Local(LocalUpload {
                        file: Some(file),
                        path,
                        local,
                        is_done: false,
                    }))
                };
                let begun = blocking(begin).await.and_then(|begun| begun);
                begun.map_err(|error| unavailable(&shown, &error))?
            }
            Self::Object { store, prefix, .. } => To::Object {
                store: Arc::clone(store),
                path: object_path(prefix, path),
                parts: None,
            },
        };
        Ok(Upload {
            shown,
            to,
            waiting: BytesMut::new(),
        })
    }

    /// All files with the names of data files of this format; any other files are ignored.
    pub async fn list(&self) -> Result<Vec<StoredFile>, DfOlapError> {
        let found = match self {
            Self::Local(local) => {
                let local = Arc::clone(local);
                let listed = blocking(move || local.list()).await.and_then(|found| found);
                listed.map_err(|error| unavailable(&self.shown(""), &error))?
            }
            Self::Object { store, prefix, .. } => {
                let listed = store.list(Some(prefix)).map_ok(|meta| {
                    let path = meta.location.prefix_match(prefix).map(|parts| {
                        let parts: Vec<_> = parts.map(|part| part.as_ref().to_string()).collect();
                        parts.join("/")
                    });
                    StoredFile {
                        path: path.unwrap_or_default(),
                        size_bytes: meta.size,
                        modified: meta.last_modified.into(),
                    }
                });
                let listed: object_store::Result<Vec<_>> = listed.try_collect().await;
                listed.map_err(|error| unavailable(&self.shown(""), &error))?
            }
        };
        let ours = found.into_iter().filter(|file| is_ours(&file.path));
        Ok(ours.collect())
    }

    /// The Vortex files directly in a folder, whatever their names; none if the folder does not exist.
    pub async fn list_folder(&self, folder: &str) -> Result<Vec<StoredFile>, DfOlapError> {
        let shown = self.shown(folder);
        let mut found = match self {
            Self::Local(local) => {
                let (local, folder) = (Arc::clone(local), folder.to_string());
                let listed = blocking(move || local.list_folder(&folder)).await;
                match listed.and_then(|listed| listed) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                    listed => listed.map_err(|error| unavailable(&shown, &error))?,
                }
            }
            Self::Object { store, prefix, .. } => {
                let listed = store
                    .list_with_delimiter(Some(&object_path(prefix, folder)))
                    .await;
                let listed = listed.map_err(|error| unavailable(&shown, &error))?;
                let name =
                    |meta: &object_store::ObjectMeta| meta.location.filename().map(str::to_string);
                let files = listed.objects.into_iter().filter_map(|meta| {
                    Some(StoredFile {
                        path: format!("{folder}/{}", name(&meta)?),
                        size_bytes: meta.size,
                        modified: meta.last_modified.into(),
                    })
                });
                files.collect()
            }
        };
        found.retain(|file| file.path.ends_with(".vortex"));
        found.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
        Ok(found)
    }

    /// Removes a file, if it is there.
    pub async fn remove(&self, path: &str) -> Result<(), DfOlapError> {
        let shown = self.shown(path);
        match self {
            Self::Local(local) => {
                let (local, path) = (Arc::clone(local), local.root.join(path));
                let removed = blocking(move || local.files.remove(&path)).await;
                match removed.and_then(|removed| removed) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        Err(unavailable(&shown, &error))
                    }
                    _ => Ok(()),
                }
            }
            Self::Object { store, prefix, .. } => {
                match store.delete(&object_path(prefix, path)).await {
                    Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
                    Err(error) => Err(unavailable(&shown, &error)),
                }
            }
        }
    }

    /// Exactly the bytes of a range.
    pub async fn read(
        &self,
        path: &str,
        range: Range<u64>,
        alignment: Alignment,
    ) -> Result<ByteBuffer, DfOlapError> {
        let shown = self.shown(path);
        let length = usize::try_from(range.end - range.start)
            .map_err(|_| DfOlapError::Corrupt(format!("{shown} is too large to be read here")))?;
        match self {
            Self::Local(local) => {
                let (local, path) = (Arc::clone(local), local.root.join(path));
                let mut buffer = BufferMut::<u8>::zeroed_aligned(length, alignment);
                if length <= AT_ONCE_BYTES {
                    // A blocking thread would cost more than the read. If this read fails, the read below reports the
                    // error.
                    let into = buffer.as_mut_slice();
                    let read = local.files.read_at_once(&path, range.start, into);
                    if read.unwrap_or(false) {
                        return Ok(buffer.freeze());
                    }
                }
                let read = move || {
                    local
                        .files
                        .read_at(&path, range.start, buffer.as_mut_slice())?;
                    Ok(buffer.freeze())
                };
                let read = blocking(read).await.and_then(|read| read);
                read.map_err(|error: std::io::Error| match error.kind() {
                    std::io::ErrorKind::NotFound => missing(&shown),
                    std::io::ErrorKind::UnexpectedEof => cut_short(&shown),
                    _ => unavailable(&shown, &error),
                })
            }
            Self::Object { store, prefix, .. } => {
                let options = GetOptions {
                    range: Some(GetRange::Bounded(range)),
                    ..GetOptions::default()
                };
                let path = object_path(prefix, path);
                let failed = |error: object_store::Error| match error {
                    object_store::Error::NotFound { .. } => missing(&shown),
                    error => unavailable(&shown, &error),
                };
                let found = store.get_opts(&path, options).await.map_err(failed)?;
                let mut buffer = BufferMut::<u8>::zeroed_aligned(length, alignment);
                let mut filled = 0;
                let mut bytes = found.into_stream();
                while let Some(some) = bytes.next().await {
                    let some = some.map_err(failed)?;
                    let room = buffer.as_mut_slice().get_mut(filled..filled + some.len());
                    room.ok_or_else(|| cut_short(&shown))?
                        .copy_from_slice(&some);
                    filled += some.len();
                }
                match filled == length {
                    true => Ok(buffer.freeze()),
                    false => Err(cut_short(&shown)),
                }
            }
        }
    }
}

/// A data file as storage lists it.
#[derive(Debug)]
pub(crate) struct StoredFile {
    pub path: String,
    pub size_bytes: u64,
    pub modified: SystemTime,
}

/// True for `<table's id>/<fragment's id>.vortex` and for the index beside it.
fn is_ours(path: &str) -> bool {
    let Some((table, file)) = path.split_once('/') else {
        return false;
    };
    let is_id = |name: &str| uuid::Uuid::try_parse(name).is_ok();
    let stem = file.strip_suffix(".vortex");
    let stem = stem.or_else(|| file.strip_suffix(".keys"));
    is_id(table) && stem.is_some_and(is_id)
}

fn object_path(prefix: &object_store::path::Path, path: &str) -> object_store::path::Path {
    let parts = path.split('/');
    parts.fold(prefix.clone(), |path, part| path.join(part))
}

pub(crate) fn missing(shown: &str) -> DfOlapError {
    DfOlapError::Corrupt(format!("{shown} is missing"))
}

fn cut_short(shown: &str) -> DfOlapError {
    DfOlapError::Corrupt(format!("{shown} is damaged: it has another size"))
}

fn unavailable(shown: &str, error: &dyn fmt::Display) -> DfOlapError {
    DfOlapError::Unavailable(format!("{shown}: {error}"))
}

/// A file that is being uploaded. An upload that is dropped before it is finished leaves nothing that a reader opens.
pub(crate) struct Upload {
    shown: String,
    to: To,
    waiting: BytesMut,
}

enum To {
    Local(LocalUpload),
    Object {
        store: Arc<dyn ObjectStore>,
        path: object_store::path::Path,
        parts: Option<Box<dyn MultipartUpload>>,
    },
}

struct LocalUpload {
    /// `None` while another thread writes to the file, and after a failed write.
    file: Option<Box<dyn NewFile>>,
    path: PathBuf,
    local: Arc<LocalFiles>,
    is_done: bool,
}

impl Drop for LocalUpload {
    fn drop(&mut self) {
        if !self.is_done {
            // If this fails, vacuum removes the file later.
            let _ = self.local.files.remove(&self.path);
        }
    }
}

impl LocalUpload {
    async fn on_file(
        &mut self,
        work: impl FnOnce(&mut dyn NewFile) -> std::io::Result<()> + Send + 'static,
    ) -> std::io::Result<()> {
        let Some(mut file) = self.file.take() else {
            return Err(std::io::Error::other("an earlier write failed"));
        };
        let done = blocking(move || work(file.as_mut()).map(|()| file)).await?;
        self.file = Some(done?);
        Ok(())
    }
}

impl Upload {
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), DfOlapError> {
        self.waiting.extend_from_slice(bytes);
        let enough = match self.to {
            To::Local(_) => LOCAL_WRITE_BYTES,
            To::Object { .. } => PART_BYTES,
        };
        match self.waiting.len() >= enough {
            true => self.send().await,
            false => Ok(()),
        }
    }

    async fn send(&mut self) -> Result<(), DfOlapError> {
        let bytes = self.waiting.split().freeze();
        match &mut self.to {
            To::Local(upload) => {
                let write = move |file: &mut dyn NewFile| file.write(&bytes);
                let written = upload.on_file(write).await;
                written.map_err(|error| unavailable(&self.shown, &error))
            }
            To::Object { store, path, parts } => {
                let sent = send_part(store.as_ref(), path, parts, bytes).await;
                sent.map_err(|error| unavailable(&self.shown, &error))
            }
        }
    }

    /// Puts the file on stable storage.
    pub async fn finish(mut self) -> Result<(), DfOlapError> {
        if let To::Object {
            store,
            path,
            parts: None,
        } = &self.to
        {
            let bytes = self.waiting.split().freeze();
            let put = store.put(path, PutPayload::from(bytes)).await;
            put.map_err(|error| unavailable(&self.shown, &error))?;
            return Ok(());
        }
        if !self.waiting.is_empty() {
            self.send().await?;
        }
        let done = match &mut self.to {
            To::Local(upload) => finish_local(upload).await.map_err(|e| e.to_string()),
            To::Object { parts, .. } => match parts.take() {
                Some(mut parts) => match parts.complete().await {
                    Ok(_) => Ok(()),
                    Err(error) => Err(error.to_string()),
                },
                None => Ok(()),
            },
        };
        done.map_err(|error| unavailable(&self.shown, &error))
    }

    /// Discards the parts that were sent so far.
    pub async fn abort(mut self) {
        if let To::Object { parts, .. } = &mut self.to
            && let Some(mut parts) = parts.take()
        {
            // If this fails, the store's lifecycle rules for incomplete uploads remove the parts.
            let _ = parts.abort().await;
        }
    }
}

async fn send_part(
    store: &dyn ObjectStore,
    path: &object_store::path::Path,
    parts: &mut Option<Box<dyn MultipartUpload>>,
    bytes: Bytes,
) -> object_store::Result<()> {
    let upload = match parts {
        Some(upload) => upload,
        None => parts.insert(store.put_multipart(path).await?),
    };
    upload.put_part(PutPayload::from(bytes)).await
}

async fn finish_local(upload: &mut LocalUpload) -> std::io::Result<()> {
    if upload.local.synced {
        upload.on_file(|file| file.sync()).await?;
        let (local, folder) = (Arc::clone(&upload.local), upload.path.clone());
        let sync = move || match folder.parent() {
            Some(folder) => local.files.sync_folder(folder),
            None => Ok(()),
        };
        blocking(sync).await??;
    }
    upload.is_done = true;
    Ok(())
}
