//! Power that goes at any moment: what was acknowledged is there, what was not is there whole or not at all.

use std::io;
use std::path::{Path, PathBuf};

use super::*;
use crate::store::disk::{DiskEntry, Files, NewFile};

#[derive(Debug, Clone)]
struct File {
    bytes: Vec<u8>,
    synced: bool,
}

/// A disk that keeps in a cache what was not synced, and loses power before or after one of its operations.
#[derive(Debug, Default, Clone)]
struct Disk {
    state: Arc<Mutex<State>>,
}

/// A file by its number.
#[derive(Debug)]
struct Handle(Disk, usize);

impl NewFile for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.step(|state| {
            state.files[self.1].bytes.extend_from_slice(bytes);
            state.files[self.1].synced = false;
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.step(|state| {
            state.files[self.1].synced = true;
            Ok(())
        })
    }
}

#[derive(Debug, Default, Clone)]
struct State {
    files: Vec<File>,
    /// Names as running programs see them.
    names: BTreeMap<PathBuf, usize>,
    /// Names as they were when their folder was last synced.
    kept: BTreeMap<PathBuf, usize>,
    operations: usize,
    /// The power goes at this operation, and whether that is still done.
    power_goes: Option<(usize, bool)>,
    is_off: bool,
    failing_sync: bool,
    /// The next sync of a folder takes this long.
    slow_sync: Option<std::time::Duration>,
}

fn off() -> io::Error {
    io::Error::other("the power is gone")
}

impl Disk {
    fn step<T>(&self, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        if state.is_off {
            return Err(off());
        }
        state.operations += 1;
        let goes = match state.power_goes {
            Some((at, done)) if at == state.operations => Some(done),
            _ => None,
        };
        match goes {
            None => work(&mut state),
            Some(done) => {
                if done {
                    let _ = work(&mut state);
                }
                state.is_off = true;
                Err(off())
            }
        }
    }

    /// Every disk that may be found afterwards: each change of a name since the last sync was kept or not, and bytes that were
    /// not synced are all there, zeros, or half there.
    fn after_power_loss(&self) -> Vec<Arc<Disk>> {
        let state = self.state.lock().clone();
        let changed: Vec<PathBuf> = state
            .names
            .keys()
            .chain(state.kept.keys())
            .filter(|name| state.names.get(*name) != state.kept.get(*name))
            .cloned()
            .collect();
        let mut found = Vec::new();
        for choice in 0..1u32 << changed.len() {
            let mut names = state.kept.clone();
            for (bit, name) in changed.iter().enumerate() {
                if choice & (1 << bit) == 0 {
                    continue;
                }
                match state.names.get(name) {
                    Some(file) => names.insert(name.clone(), *file),
                    None => names.remove(name),
                };
            }
            for damage in [
                |bytes: &[u8]| bytes.to_vec(),
                |bytes: &[u8]| vec![0; bytes.len()],
                |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec(),
                |_: &[u8]| Vec::new(),
            ] {
                let files = state.files.iter().map(|file| File {
                    bytes: match file.synced {
                        true => file.bytes.clone(),
                        false => damage(&file.bytes),
                    },
                    synced: true,
                });
                found.push(Arc::new(Disk {
                    state: Arc::new(Mutex::new(State {
                        files: files.collect(),
                        names: names.clone(),
                        kept: names.clone(),
                        ..State::default()
                    })),
                }));
            }
        }
        found
    }
}

impl Files for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let file = self.step(|state| {
            if state.names.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let file = state.files.len();
            state.names.insert(path.to_path_buf(), file);
            state.files.push(File {
                bytes: Vec::new(),
                synced: true,
            });
            Ok(file)
        })?;
        Ok(Box::new(Handle(self.clone(), file)))
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|state| {
            if state.names.contains_key(to) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            state.names.insert(to.to_path_buf(), file);
            Ok(())
        })
    }

    #[allow(clippy::disallowed_methods, reason = "on a thread of its own")]
    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        let slow = self.state.lock().slow_sync.take();
        if let Some(time) = slow {
            std::thread::sleep(time);
        }
        self.step(|state| {
            if state.failing_sync {
                return Err(io::Error::other("input/output error"));
            }
            state.kept = state.names.clone();
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|state| {
            let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            state.names.insert(to.to_path_buf(), file);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|state| {
            let removed = state.names.remove(path);
            removed.map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
        })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state.lock();
        let file = state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.files[*file].bytes.clone())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.state.lock().names.contains_key(path))
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        let inside = state
            .names
            .keys()
            .filter_map(|name| name.strip_prefix(folder).ok());
        Ok(inside.map(|name| name.display().to_string()).collect())
    }

    fn read_at(&self, path: &Path, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let all = self.read(path)?;
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let found = all.get(from..from + bytes.len());
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn entries(&self, folder: &Path) -> io::Result<Vec<DiskEntry>> {
        let state = self.state.lock();
        let files = state.names.iter().filter_map(|(path, file)| {
            Some(DiskEntry {
                name: path.strip_prefix(folder).ok()?.display().to_string(),
                is_folder: false,
                size_bytes: state.files[*file].bytes.len() as u64,
                modified: std::time::UNIX_EPOCH,
            })
        });
        Ok(files.collect())
    }
}

fn log(disk: &Arc<Disk>, synced: bool) -> Log {
    let medium = LocalMedium::new(Arc::clone(disk) as _, PathBuf::from("/db/_log"), synced);
    Log::new(Arc::new(medium), "/db/_log".into(), quick())
}

/// Appends entries and a checkpoint until the power goes, then looks at every disk that may be found. Returns whether it went,
/// and what is wrong with those disks.
async fn lose_power(at: usize, done: bool, synced: bool) -> (bool, Vec<String>) {
    let disk = Arc::new(Disk::default());
    disk.state.lock().power_goes = Some((at, done));
    let writer = log(&disk, synced);
    let mut tried = Vec::new();
    let mut acknowledged = 0;
    for version in 0..4 {
        let change = entry(version, &format!("change {version}"));
        tried.push(change.clone());
        match writer.append(&change).await {
            Ok(Appended::Won) => acknowledged += 1,
            Ok(Appended::Lost(_)) => panic!("there is no other writer"),
            Err(_) => break,
        }
        if version == 2 {
            // A checkpoint may be lost; it must not be half there.
            let _ = writer.keep(&checkpoint(version)).await;
        }
    }
    if !disk.state.lock().is_off {
        return (false, Vec::new());
    }
    let mut wrong = Vec::new();
    for found in disk.after_power_loss() {
        let reader = log(&found, synced);
        for change in &tried {
            match reader.entry(change.version).await {
                Ok(Some(there)) if there == *change => {}
                Ok(None) if change.version >= acknowledged => {}
                other => wrong.push(format!(
                    "operation {at} ({done}), {acknowledged} acknowledged: version {} is {other:?}",
                    change.version
                )),
            }
        }
        if let Err(error) = reader.open().await {
            wrong.push(format!("operation {at} ({done}): {error}"));
        }
    }
    (true, wrong)
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_loss_of_power_at_any_operation() {
    let mut moments = 0;
    for at in 1.. {
        let (went, wrong) = lose_power(at, false, true).await;
        let (_, wrong_after) = lose_power(at, true, true).await;
        assert!(
            wrong.is_empty() && wrong_after.is_empty(),
            "{wrong:?} {wrong_after:?}"
        );
        if !went {
            break;
        }
        moments += 1;
    }
    assert!(moments > 20, "{moments} operations");
}

#[tokio::test]
async fn without_syncs_a_loss_of_power_is_seen_by_the_same_test() {
    let mut wrong = Vec::new();
    for at in 1..20 {
        wrong.extend(lose_power(at, true, false).await.1);
    }
    assert!(!wrong.is_empty(), "the test above would find nothing");
}

#[tokio::test]
async fn after_a_failed_sync_of_the_folder_nothing_is_acknowledged() {
    let disk = Arc::new(Disk::default());
    let writer = log(&disk, true);
    assert!(matches!(
        writer.append(&entry(0, "kept")).await,
        Ok(Appended::Won)
    ));
    disk.state.lock().failing_sync = true;
    let doubtful = writer.append(&entry(1, "doubtful")).await.unwrap_err();
    assert!(
        matches!(doubtful, DfOlapError::CommitUnknown { .. }),
        "{doubtful:?}"
    );
    // A sync that works again proves nothing about what was written before.
    disk.state.lock().failing_sync = false;
    let refused = writer.append(&entry(2, "after")).await.unwrap_err();
    assert!(
        refused.to_string().contains("open the database again"),
        "{refused}"
    );
    // Opened again, the log says what it holds, and goes on.
    let again = log(&disk, true);
    let next = again.open().await.unwrap().unwrap().entries.len() as u64;
    assert!(matches!(
        again.append(&entry(next, "on")).await,
        Ok(Appended::Won)
    ));
}

#[tokio::test]
async fn left_overs_of_a_crash_are_no_entries() {
    let disk = Arc::new(Disk::default());
    disk.state.lock().power_goes = Some((3, false));
    assert!(log(&disk, true).append(&entry(0, "change")).await.is_err());
    disk.state.lock().is_off = false;
    disk.state.lock().power_goes = None;
    assert_eq!(disk.names(Path::new("/db/_log")).unwrap().len(), 1);
    assert!(log(&disk, true).open().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_a_real_disk_one_of_many_gets_the_number_and_a_reader_sees_it_whole() {
    let folder = tempfile::tempdir().unwrap();
    let real = || {
        let medium = LocalMedium::new(
            Arc::new(crate::store::disk::Disk),
            folder.path().to_path_buf(),
            true,
        );
        Log::new(
            Arc::new(medium),
            folder.path().display().to_string(),
            quick(),
        )
    };
    for version in 0..20 {
        let entries: Vec<Entry> = (0..8)
            .map(|_| entry(version, &"x".repeat(100_000)))
            .collect();
        let logs: Vec<Log> = entries.iter().map(|_| real()).collect();
        let appends = logs
            .iter()
            .zip(&entries)
            .map(|(log, entry)| log.append(entry));
        let reader = real();
        let (appended, seen) =
            futures::join!(futures::future::join_all(appends), reader.entry(version));
        // Seen early or not at all, but never in part.
        seen.unwrap();
        let won = appended.iter().filter(|a| matches!(a, Ok(Appended::Won)));
        assert_eq!(won.count(), 1, "{appended:?}");
    }
    let opened = real().open().await.unwrap().unwrap();
    assert_eq!(opened.entries.len(), 20);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 20, "temporary files are left");
}

#[tokio::test]
async fn an_entry_that_is_found_under_its_name_is_acknowledged_only_once_the_folder_is_synced() {
    let disk = Arc::new(Disk::default());
    // The first try is given up while its folder is still being synced; the second finds the name taken by the first.
    disk.state.lock().slow_sync = Some(Duration::from_millis(300));
    let change = entry(0, "change");
    let appended = log(&disk, true).append(&change).await;
    assert!(matches!(appended, Ok(Appended::Won)), "{appended:?}");
    for found in disk.after_power_loss() {
        let there = log(&found, true).entry(0).await.unwrap();
        assert_eq!(there.as_ref(), Some(&change));
    }
}
