//! When the next checkpoint is due.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::runtime;
use crate::store::log::Entry;

/// The fewest entries between two checkpoints.
const MIN_ENTRIES: u64 = 16;
/// After so many entries a checkpoint is due, however small they are, and after more if it is large: as many times
/// [`MIN_ENTRIES`] as it has megabytes.
const MAX_ENTRIES: u64 = 256;
const MAX_ENTRIES_OF_LARGE: u64 = 1024;
const LARGE_BYTES: u64 = 1 << 20;
/// Otherwise it is due when it has at most as many times the bytes of the entries since the last one, so that the log
/// is a few times as large as its entries.
const TIMES_ITS_ENTRIES: u64 = 2;

#[derive(Default)]
pub(super) struct Checkpoints {
    since: Mutex<Since>,
    /// True while a spawned task that may need the current thread has yet to make a checkpoint.
    is_one_waiting: AtomicBool,
}

/// What came since the last checkpoint.
#[derive(Debug, Default)]
struct Since {
    version: u64,
    entry_bytes: u64,
    checkpoint_bytes: u64,
}

impl Since {
    fn is_due(&self, version: u64) -> bool {
        let entries = version.saturating_sub(self.version);
        let most = MIN_ENTRIES * (self.checkpoint_bytes / LARGE_BYTES);
        let most = most.clamp(MAX_ENTRIES, MAX_ENTRIES_OF_LARGE);
        let is_small = self.checkpoint_bytes <= self.entry_bytes * TIMES_ITS_ENTRIES;
        entries >= MIN_ENTRIES && (is_small || entries >= most)
    }
}

impl Checkpoints {
    /// There is a checkpoint of this size.
    pub fn made(&self, version: u64, bytes: usize) {
        let mut since = self.since.lock();
        since.version = since.version.max(version);
        since.checkpoint_bytes = bytes as u64;
    }

    /// There is one entry more.
    pub fn add(&self, entry: &Entry) {
        self.since.lock().entry_bytes += entry.body.len() as u64;
    }

    /// Whether one is due at this version. If it is, the count begins anew.
    pub fn begin(&self, version: u64) -> bool {
        let mut since = self.since.lock();
        let is_due = since.is_due(version);
        if is_due {
            since.version = version;
            since.entry_bytes = 0;
            self.is_one_waiting.store(true, Ordering::Relaxed);
        }
        is_due
    }

    /// Lets a task make the checkpoint that is due.
    pub async fn give_way(&self) {
        if self.is_one_waiting.swap(false, Ordering::Relaxed) {
            runtime::yield_now().await;
        }
    }
}
