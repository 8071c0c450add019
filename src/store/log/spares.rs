//! Preallocated files for the next entries of a busy local log.
//!
//! Creating a file takes a file system longer than writing and renaming a small one. So a busy log creates several
//! files at a time in the background, and a commit takes one of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::store::disk::{Files, TempFile};

/// How many files are created at a time, and after how many commits: a program with fewer commits has no spares.
const SPARES: usize = 16;

#[derive(Debug)]
pub(super) struct Spares {
    files: Arc<dyn Files>,
    folder: PathBuf,
    ready: Mutex<Vec<TempFile>>,
    taken: AtomicU64,
}

impl Spares {
    pub fn new(files: Arc<dyn Files>, folder: &Path) -> Self {
        Self {
            files,
            folder: folder.to_path_buf(),
            ready: Mutex::default(),
            taken: AtomicU64::new(0),
        }
    }

    pub fn take(&self) -> Option<TempFile> {
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.ready.lock().pop()
    }

    /// True once after every [`SPARES`] calls of [`take`](Self::take).
    pub fn are_due(&self) -> bool {
        let due = |taken: u64| taken.checked_sub(SPARES as u64);
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, due);
        taken.is_ok()
    }

    /// Creates the missing spares. Blocks.
    pub fn fill(&self) {
        while self.ready.lock().len() < SPARES {
            // An error is ignored here: the next commit meets it and reports it.
            let Ok(begun) = self.files.begin(&self.folder) else {
                return;
            };
            self.ready.lock().push(begun);
        }
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        for spare in self.ready.get_mut().drain(..) {
            // If this fails, vacuum removes the file later.
            let _ = self.files.remove(&spare.path);
        }
    }
}
