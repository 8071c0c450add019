//! What is kept in memory of the keys of files: pages of indexes beside files, zones of keys in order, and segments.
//! All share one budget of the process.
//!
//! Pages are dropped at random: lookups of random keys touch pages at random, so that none is needed sooner than
//! another, and then a page that is used costs nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use parking_lot::Mutex;

use super::paged::Directory;
use crate::fragment::FragmentId;

/// The most bytes of all pages and segments over files. Segments over rows in memory are small beside the rows.
const MAX_BYTES: usize = 256 << 20;
/// What a page takes beside its bytes.
const OVERHEAD_BYTES: usize = 64;
/// So many pages of a file are dropped at once.
const DROPPED_AT_ONCE: usize = 64;

/// Of pages and directories.
static BYTES: AtomicUsize = AtomicUsize::new(0);
/// Of segments.
static ROOM_BYTES: AtomicUsize = AtomicUsize::new(0);
static FILES: LazyLock<Mutex<Files>> = LazyLock::new(Mutex::default);
static RANDOM: AtomicU64 = AtomicU64::new(0x9e37_79b9_7f4a_7c15);

/// A fragment, and a column of it or `INDEX`.
type FileId = (FragmentId, u32);

/// In place of a column: the index beside the file.
pub(crate) const INDEX: u32 = u32::MAX;

#[derive(Default)]
struct Files {
    places: HashMap<FileId, usize>,
    files: Vec<Arc<FilePages>>,
}

/// The pages of a file that are in memory.
#[derive(Debug)]
pub(crate) struct FilePages {
    id: FileId,
    directory: OnceLock<Arc<Directory>>,
    pages: Mutex<Vec<Option<Arc<[u8]>>>>,
}

/// The pages of the index of a fragment, or the zones of a column.
pub(crate) fn file(fragment: FragmentId, column: u32) -> Arc<FilePages> {
    let id = (fragment, column);
    let mut all = FILES.lock();
    if let Some(place) = all.places.get(&id) {
        return Arc::clone(&all.files[*place]);
    }
    let file = Arc::new(FilePages {
        id,
        directory: OnceLock::new(),
        pages: Mutex::default(),
    });
    let place = all.files.len();
    all.places.insert(id, place);
    all.files.push(Arc::clone(&file));
    file
}

impl FilePages {
    pub fn directory(&self) -> Option<Arc<Directory>> {
        self.directory.get().cloned()
    }

    pub fn put_directory(&self, directory: &Arc<Directory>) {
        let bytes = directory.memory_bytes();
        if take(bytes) && self.directory.set(Arc::clone(directory)).is_err() {
            BYTES.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    pub fn pages(&self, numbers: &[u32]) -> Vec<Option<Arc<[u8]>>> {
        let pages = self.pages.lock();
        let found = numbers
            .iter()
            .map(|number| pages.get(*number as usize)?.clone());
        found.collect()
    }

    pub fn put(&self, number: u32, page: &Arc<[u8]>) {
        let bytes = page.len() + OVERHEAD_BYTES;
        if !take(bytes) {
            return;
        }
        let mut pages = self.pages.lock();
        let number = number as usize;
        if pages.len() <= number {
            pages.resize(number + 1, None);
        }
        if let Some(before) = pages[number].replace(Arc::clone(page)) {
            BYTES.fetch_sub(before.len() + OVERHEAD_BYTES, Ordering::Relaxed);
        }
    }

    /// Drops some pages. Returns whether any are left.
    fn drop_some(&self, random: u64) -> bool {
        let mut pages = self.pages.lock();
        let count = pages.len();
        let (mut dropped, mut bytes) = (0, 0);
        for step in 0..count {
            let place = (random as usize % count + step) % count;
            if let Some(page) = pages[place].take() {
                bytes += page.len() + OVERHEAD_BYTES;
                dropped += 1;
                if dropped == DROPPED_AT_ONCE {
                    break;
                }
            }
        }
        BYTES.fetch_sub(bytes, Ordering::Relaxed);
        pages.iter().any(Option::is_some)
    }
}

impl Drop for FilePages {
    fn drop(&mut self) {
        let directory = self.directory.get().map_or(0, |d| d.memory_bytes());
        let pages = self.pages.get_mut().iter().flatten();
        let pages: usize = pages.map(|page| page.len() + OVERHEAD_BYTES).sum();
        BYTES.fetch_sub(directory + pages, Ordering::Relaxed);
    }
}

/// Takes bytes of the budget for a page, and drops others until there is room; false if there is none.
fn take(bytes: usize) -> bool {
    let room = MAX_BYTES.saturating_sub(ROOM_BYTES.load(Ordering::Relaxed));
    if bytes > room {
        return false;
    }
    BYTES.fetch_add(bytes, Ordering::Relaxed);
    let is_there = drop_down_to(room);
    if !is_there {
        BYTES.fetch_sub(bytes, Ordering::Relaxed);
    }
    is_there
}

/// Drops pages until at most so many bytes are left; true, if it is so.
fn drop_down_to(room: usize) -> bool {
    while BYTES.load(Ordering::Relaxed) > room {
        if !drop_some_pages() {
            return false;
        }
    }
    true
}

/// Drops some pages of a file; false if no file has any.
fn drop_some_pages() -> bool {
    let random = RANDOM.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    let random = (random ^ (random >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let file = {
        let all = FILES.lock();
        match all.files.len() {
            0 => return false,
            count => Arc::clone(&all.files[(random >> 40) as usize % count]),
        }
    };
    if !file.drop_some(random >> 20) {
        let mut all = FILES.lock();
        if let Some(place) = all.places.remove(&file.id) {
            all.files.swap_remove(place);
            if let Some(moved) = all.files.get(place).map(|moved| moved.id) {
                all.places.insert(moved, place);
            }
        }
    }
    true
}

/// Bytes of the budget, which are given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Room {
    /// Room for a segment of this many rows; `None` if there is not enough.
    pub fn for_rows(rows: usize, are_narrow: bool) -> Option<Self> {
        let bytes = Self::bytes(rows, are_narrow);
        let fits = |taken: usize| {
            let taken = taken.checked_add(bytes)?;
            (taken <= MAX_BYTES).then_some(taken)
        };
        let taken = ROOM_BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.ok()?;
        drop_down_to(MAX_BYTES.saturating_sub(ROOM_BYTES.load(Ordering::Relaxed)));
        Some(Self(bytes))
    }

    /// Whether there would be room.
    pub fn is_possible(rows: usize, are_narrow: bool) -> bool {
        let taken = ROOM_BYTES.load(Ordering::Relaxed);
        taken + Self::bytes(rows, are_narrow) <= MAX_BYTES
    }

    fn bytes(rows: usize, are_narrow: bool) -> usize {
        match are_narrow {
            true => rows * 17 / 2,
            false => rows * 33 / 2,
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        ROOM_BYTES.fetch_sub(self.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_bytes() -> usize {
        BYTES.load(Ordering::Relaxed) + ROOM_BYTES.load(Ordering::Relaxed)
    }

    /// Pages are found until the budget is used up; then some are dropped, and each that is left is right.
    #[test]
    fn pages_are_dropped_where_there_is_no_room() {
        const PAGE: usize = 1 << 20;
        let files: Vec<FileId> = (0..4).map(|column| (FragmentId::fresh(), column)).collect();
        let page = |of: usize, number: u32| -> Arc<[u8]> {
            let mut page = vec![of as u8; PAGE];
            page[..4].copy_from_slice(&number.to_le_bytes());
            page.into()
        };
        let numbers: Vec<u32> = (0..100).collect();
        for number in &numbers {
            for (of, (fragment, column)) in files.iter().enumerate() {
                let file = file(*fragment, *column);
                file.put(*number, &page(of, *number));
                assert!(file.pages(&[*number])[0].is_some());
                assert!(all_bytes() <= MAX_BYTES);
            }
        }
        let mut kept = 0;
        for (of, (fragment, column)) in files.iter().enumerate() {
            let pages = file(*fragment, *column).pages(&numbers);
            for (number, there) in numbers.iter().zip(pages) {
                if let Some(there) = there {
                    assert_eq!(there, page(of, *number));
                    kept += 1;
                }
            }
        }
        assert!((100..256).contains(&kept), "{kept} pages");

        let room = Room::for_rows(20 << 20, true).expect("room");
        assert!(all_bytes() <= MAX_BYTES);
        assert!(Room::for_rows(20 << 20, true).is_none());
        drop(room);
        assert!(Room::for_rows(20 << 20, true).is_some());
        assert!(Room::for_rows(1 << 30, false).is_none());
    }
}
