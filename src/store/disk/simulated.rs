//! A simulated disk for tests: a power loss may discard data that was not synced, and the disk may be full.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};

use parking_lot::Mutex;

use super::{DiskEntry, Files, NewFile};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct File {
    bytes: Vec<u8>,
    synced: bool,
}

/// A disk that caches unsynced data, and loses power before or after a chosen operation.
#[derive(Debug, Default, Clone)]
pub(crate) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

/// An open file: its disk, and its index in [`State::files`].
#[derive(Debug)]
struct Handle(SimulatedDisk, usize);

impl NewFile for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.step(|state| {
            state.take_room()?;
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

/// Directory entries by path: the index of a file, or `None` for a folder.
type Names = BTreeMap<PathBuf, Option<usize>>;

#[derive(Debug, Default, Clone)]
struct State {
    files: Vec<File>,
    /// Names as running programs see them.
    names: Names,
    /// Names as they were when their folder was last synced.
    kept: Names,
    operations: usize,
    /// The operation at which the power fails, and whether that operation is still done.
    power_goes: Option<(usize, bool)>,
    is_off: bool,
    failing_sync: bool,
    /// The next rename is done but returns an error.
    lying_rename: bool,
    /// The barrier at which the next sync of a folder waits.
    held_sync: Option<Arc<Barrier>>,
    /// From this operation on the disk is full: it accepts no more bytes or names.
    full_from: Option<usize>,
    /// How many operations failed because the disk was full.
    refused: usize,
}

impl State {
    fn take_room(&mut self) -> io::Result<()> {
        match self.full_from {
            Some(from) if self.operations >= from => {
                self.refused += 1;
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        let found = self.names.get(path).copied().flatten();
        found.ok_or(io::ErrorKind::NotFound.into())
    }
}

/// Up to this many changed names, all combinations are tried.
const COMBINED: usize = 5;

impl SimulatedDisk {
    /// Makes the power fail at an operation, counted from 1: after the operation if `done`, otherwise before it.
    pub fn lose_power(&self, at: usize, done: bool) {
        self.state.lock().power_goes = Some((at, done));
    }

    /// Restores the power without a loss of data: unsynced data is still there.
    pub fn switch_on(&self) {
        let mut state = self.state.lock();
        state.is_off = false;
        state.power_goes = None;
    }

    pub fn is_off(&self) -> bool {
        self.state.lock().is_off
    }

    pub fn fail_syncs_of_folders(&self, fail: bool) {
        self.state.lock().failing_sync = fail;
    }

    pub fn lie_about_the_next_rename(&self) {
        self.state.lock().lying_rename = true;
    }

    /// The next sync of a folder waits at the barrier twice: when it begins, and before it takes effect.
    pub fn hold_the_next_sync_of_a_folder(&self) -> Arc<Barrier> {
        let held = Arc::new(Barrier::new(2));
        self.state.lock().held_sync = Some(Arc::clone(&held));
        held
    }

    /// Makes the disk full from operation `from` on; `None` gives it room again.
    pub fn fill(&self, from: Option<usize>) {
        self.state.lock().full_from = from;
    }

    /// How many operations failed because the disk was full.
    pub fn refused(&self) -> usize {
        self.state.lock().refused
    }

    /// An independent copy of the disk.
    pub fn fork(&self) -> Self {
        let mut state = self.state.lock().clone();
        state.operations = 0;
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn step<T>(&self, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let off = || io::Error::other("the power is gone");
        let mut state = self.state.lock();
        if state.is_off {
            return Err(off());
        }
        state.operations += 1;
        match state.power_goes {
            Some((at, done)) if at == state.operations => {
                if done {
                    let _ = work(&mut state);
                }
                state.is_off = true;
                Err(off())
            }
            _ => work(&mut state),
        }
    }

    /// Every state of the disk that a power loss may leave: each change of a name since the last sync of its folder
    /// is kept or lost, and unsynced bytes are all there, zeros, half there, or missing. Of more than [`COMBINED`]
    /// changes, only these combinations: none, all, each alone, and all but one.
    pub fn after_power_loss(&self) -> Vec<Arc<Self>> {
        let state = self.state.lock().clone();
        let all = state.names.keys().chain(state.kept.keys());
        let changed = all.filter(|name| state.names.get(*name) != state.kept.get(*name));
        let changed: BTreeSet<&PathBuf> = changed.collect();
        let choices: Vec<u64> = match changed.len() {
            few if few <= COMBINED => (0..1 << few).collect(),
            many => {
                let everything = (1 << many) - 1;
                let singles = (0..many).map(|bit| 1 << bit);
                let all_but = singles.clone().map(|bit| everything & !bit);
                [0, everything]
                    .into_iter()
                    .chain(singles)
                    .chain(all_but)
                    .collect()
            }
        };
        let mut found = BTreeMap::new();
        for choice in choices {
            let mut names = state.kept.clone();
            for (bit, name) in changed.iter().enumerate() {
                if choice & (1 << bit) != 0 {
                    match state.names.get(*name) {
                        Some(what) => names.insert(name.to_path_buf(), *what),
                        None => names.remove(*name),
                    };
                }
            }
            // The contents of a lost folder are lost.
            let lost = changed.iter().filter(|name| {
                let was = state.names.get(**name).or(state.kept.get(**name));
                was == Some(&None) && !names.contains_key(**name)
            });
            let lost: Vec<&PathBuf> = lost.copied().collect();
            names.retain(|name, _| !lost.iter().any(|folder| name.starts_with(folder)));
            for damage in [
                |bytes: &[u8]| bytes.to_vec(),
                |bytes: &[u8]| vec![0; bytes.len()],
                |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec(),
                |_: &[u8]| Vec::new(),
            ] {
                let (mut files, mut placed) = (Vec::new(), Names::new());
                for (name, what) in &names {
                    let what = what.map(|number| {
                        let file = &state.files[number];
                        files.push(File {
                            bytes: match file.synced {
                                true => file.bytes.clone(),
                                false => damage(&file.bytes),
                            },
                            synced: true,
                        });
                        files.len() - 1
                    });
                    placed.insert(name.clone(), what);
                }
                let contents: Vec<_> = files.iter().map(|file| file.bytes.clone()).collect();
                found.insert((placed, contents), files);
            }
        }
        let disks = found.into_iter().map(|((names, _), files)| {
            Arc::new(Self {
                state: Arc::new(Mutex::new(State {
                    files,
                    kept: names.clone(),
                    names,
                    ..State::default()
                })),
            })
        });
        disks.collect()
    }
}

impl Files for SimulatedDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let file = self.step(|state| {
            if state.names.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.take_room()?;
            let file = state.files.len();
            state.names.insert(path.to_path_buf(), Some(file));
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
            let file = state.file(from)?;
            state.names.remove(from);
            state.names.insert(to.to_path_buf(), Some(file));
            match std::mem::take(&mut state.lying_rename) {
                true => Err(io::Error::other("input/output error")),
                false => Ok(()),
            }
        })
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let held = self.state.lock().held_sync.take();
        if let Some(held) = held {
            held.wait();
            held.wait();
        }
        self.step(|state| {
            if state.failing_sync {
                return Err(io::Error::other("input/output error"));
            }
            let inside = |name: &Path| name.parent() == Some(folder);
            state.kept.retain(|name, _| !inside(name));
            let now = state.names.iter().filter(|(name, _)| inside(name));
            let now: Vec<_> = now.map(|(name, what)| (name.clone(), *what)).collect();
            state.kept.extend(now);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|state| {
            let file = state.file(from)?;
            state.names.remove(from);
            state.names.insert(to.to_path_buf(), Some(file));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|state| {
            state.file(path)?;
            state.names.remove(path);
            Ok(())
        })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state.lock();
        Ok(state.files[state.file(path)?].bytes.clone())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.state.lock().names.contains_key(path))
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        Ok(self
            .entries(folder)?
            .into_iter()
            .map(|entry| entry.name)
            .collect())
    }

    fn read_at(&self, path: &Path, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let all = self.read(path)?;
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let found = all.get(from..from + bytes.len());
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.step(|state| {
            if !state.names.contains_key(path) {
                state.take_room()?;
                state.names.insert(path.to_path_buf(), None);
            }
            Ok(())
        })
    }

    fn entries(&self, folder: &Path) -> io::Result<Vec<DiskEntry>> {
        let state = self.state.lock();
        let inside = state.names.iter().filter_map(|(path, what)| {
            (path.parent() == Some(folder)).then_some(())?;
            Some(DiskEntry {
                name: path.file_name()?.to_str()?.to_string(),
                is_folder: what.is_none(),
                size_bytes: what.map_or(0, |file| state.files[file].bytes.len() as u64),
                modified: std::time::UNIX_EPOCH,
            })
        });
        Ok(inside.collect())
    }
}
