//! When the next checkpoint is due.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::runtime;
use crate::store::log::Entry;

/// The fewest entries between two checkpoints.
const MIN_ENTRIES: u64 = 16;
/// A large one is due after as many times [`MIN_ENTRIES`] as it has megabytes, but not after more than these.
const LARGE_BYTES: u64 = 1 << 20;
const MAX_ENTRIES_OF_LARGE: u64 = 1024;
/// On a disk, where opening reads an entry in no time, so many entries may lie between, unless the checkpoint has at
/// most as many times their bytes: so the log is a few times as large as its entries.
const MAX_ENTRIES_ON_DISK: u64 = 256;
const TIMES_ITS_ENTRIES: u64 = 2;

pub(super) struct Checkpoints {
    /// Whether the log is on a disk. In a bucket each entry is a request.
    is_on_disk: bool,
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
    fn is_due(&self, version: u64, is_on_disk: bool) -> bool {
        let entries = version.saturating_sub(self.version);
        let of_size = MIN_ENTRIES * (self.checkpoint_bytes / LARGE_BYTES);
        let of_size = of_size.clamp(MIN_ENTRIES, MAX_ENTRIES_OF_LARGE);
        let is_small = self.checkpoint_bytes <= self.entry_bytes * TIMES_ITS_ENTRIES;
        match is_on_disk {
            false => entries >= of_size,
            true if is_small => entries >= MIN_ENTRIES,
            true => entries >= of_size.max(MAX_ENTRIES_ON_DISK),
        }
    }
}

impl Checkpoints {
    pub fn new(is_on_disk: bool) -> Self {
        Self {
            is_on_disk,
            since: Mutex::default(),
            is_one_waiting: AtomicBool::new(false),
        }
    }

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
        let is_due = since.is_due(version, self.is_on_disk);
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
