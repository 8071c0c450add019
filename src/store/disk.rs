//! The trait [`Files`], which abstracts the file system, and [`Disk`], the real one. Tests have a disk that loses
//! power.

#[cfg(test)]
pub(crate) mod simulated;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use uuid::Uuid;

/// The prefix of temporary names: of files that are still being written, or that a crash left behind.
pub(crate) const TEMP_PREFIX: &str = ".new-";

/// The file system operations of a store. All of them make blocking system calls.
pub(crate) trait Files: Debug + Send + Sync + 'static {
    /// Creates a file that must not exist.
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>>;
    /// Renames a file; fails with `AlreadyExists` if the new name is taken.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the changes of names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Renames a file, and replaces any file that has the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Whether a name exists. Takes microseconds, so callers need no blocking thread.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// The files and folders in a folder.
    fn entries(&self, folder: &Path) -> io::Result<Vec<DiskEntry>>;
    /// The names in a folder.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Reads exactly `bytes.len()` bytes at `offset`.
    fn read_at(&self, path: &Path, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
    /// [`read_at`](Self::read_at) from the page cache; false if the read would have to wait for the disk.
    fn read_at_once(&self, _: &Path, _offset: u64, _bytes: &mut [u8]) -> io::Result<bool> {
        Ok(false)
    }
    /// Creates a folder in an existing folder; succeeds if the new folder already exists.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Writes a file under a temporary name, syncs it if `synced`, and then renames it, so that readers never see a
    /// part of the file; fails with `AlreadyExists` if the name is taken.
    fn write_whole(&self, path: &Path, bytes: &[u8], synced: bool) -> io::Result<()> {
        let folder = path.parent().unwrap_or(path);
        self.finish(self.begin(folder)?, path, bytes, synced)
    }

    /// Creates a file in `folder` under a temporary name.
    fn begin(&self, folder: &Path) -> io::Result<TempFile> {
        let path = folder.join(format!("{TEMP_PREFIX}{}", Uuid::new_v4()));
        let file = self.create(&path)?;
        Ok(TempFile { path, file })
    }

    /// Writes a file from [`begin`](Self::begin), and names it as [`write_whole`](Self::write_whole) does.
    fn finish(&self, begun: TempFile, path: &Path, bytes: &[u8], synced: bool) -> io::Result<()> {
        let TempFile {
            path: unnamed,
            mut file,
        } = begun;
        let written = file.write(bytes);
        let synced = written.and_then(|()| if synced { file.sync() } else { Ok(()) });
        drop(file);
        let named = synced.and_then(|()| self.rename_new(&unnamed, path));
        if named.is_err() {
            // If this fails, vacuum removes the file later.
            let _ = self.remove(&unnamed);
        }
        named
    }

    /// Creates and writes a new file, and syncs it if `synced`.
    fn write_new(&self, path: &Path, bytes: &[u8], synced: bool) -> io::Result<()> {
        let mut file = self.create(path)?;
        file.write(bytes)?;
        if synced { file.sync() } else { Ok(()) }
    }
}

/// A file under a temporary name, which no reader opens.
#[derive(Debug)]
pub(crate) struct TempFile {
    pub path: PathBuf,
    file: Box<dyn NewFile>,
}

/// An entry of a folder.
#[derive(Debug, Clone)]
pub(crate) struct DiskEntry {
    pub name: String,
    pub is_folder: bool,
    pub size_bytes: u64,
    pub modified: SystemTime,
}

/// A file that is being written through one handle, because the system reports a failed sync to the handle that
/// wrote.
pub(crate) trait NewFile: Debug + Send {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the written bytes durable.
    fn sync(&mut self) -> io::Result<()>;
}

impl NewFile for std::fs::File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        io::Write::write_all(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// The file system of this machine.
#[derive(Debug)]
pub(crate) struct Disk;

impl Files for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let mut options = std::fs::File::options();
        Ok(Box::new(options.write(true).create_new(true).open(path)?))
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        if let Some(done) = rename_no_replace(from, to) {
            return done;
        }
        std::fs::hard_link(from, to)?;
        // If this fails, vacuum removes the file later.
        let _ = std::fs::remove_file(from);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        sync_folder(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            // A store never creates a name that is not UTF-8.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn entries(&self, folder: &Path) -> io::Result<Vec<DiskEntry>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            // A store never creates a name that is not UTF-8.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let about = match entry.metadata() {
                // Removed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                about => about?,
            };
            found.push(DiskEntry {
                name,
                is_folder: about.is_dir(),
                size_bytes: about.len(),
                modified: about.modified()?,
            });
        }
        Ok(found)
    }

    fn read_at(&self, path: &Path, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        read_exact_at(&std::fs::File::open(path)?, offset, bytes)
    }

    #[cfg(target_os = "linux")]
    fn read_at_once(&self, path: &Path, offset: u64, bytes: &mut [u8]) -> io::Result<bool> {
        use rustix::io::{ReadWriteFlags, preadv2};
        let file = std::fs::File::open(path)?;
        let wanted = bytes.len();
        let mut into = [io::IoSliceMut::new(bytes)];
        // A short read means that the file is too short, or only partly in the page cache; the caller's next read
        // tells which.
        let read = preadv2(&file, &mut into, offset, ReadWriteFlags::NOWAIT);
        Ok(read.is_ok_and(|read| read == wanted))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        match std::fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            done => done,
        }
    }
}

/// An atomic rename that fails if the new name is taken; `None` if the system or the file system does not support it.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_no_replace(from: &Path, to: &Path) -> Option<io::Result<()>> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => None,
        done => Some(done.map_err(io::Error::from)),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_no_replace(_: &Path, _: &Path) -> Option<io::Result<()>> {
    None
}

#[cfg(unix)]
fn read_exact_at(file: &std::fs::File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &std::fs::File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Other systems cannot open a folder as a file; there the file system's journal makes names durable.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
