//! What is kept in memory of the keys of files: pages of indexes beside files, and segments. Both share one budget of
//! the process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use lru::LruCache;
use parking_lot::Mutex;

use super::paged::Directory;
use crate::fragment::FragmentId;

/// The most bytes of all pages and segments over files. Segments over rows in memory are small beside the rows.
const MAX_BYTES: usize = 256 << 20;
/// What a page takes beside its bytes.
const OVERHEAD_BYTES: usize = 128;

static ROOM_BYTES: AtomicUsize = AtomicUsize::new(0);
static PAGES: LazyLock<Mutex<Pages>> = LazyLock::new(|| {
    Mutex::new(Pages {
        cached: LruCache::unbounded(),
        bytes: 0,
    })
});

/// A fragment, a column of it or `INDEX`, and the number of a page.
type PageId = (FragmentId, u32, u32);

/// In place of a column: the index beside the file.
pub(crate) const INDEX: u32 = u32::MAX;
/// The page number of a directory.
const DIRECTORY: u32 = u32::MAX;

struct Pages {
    cached: LruCache<PageId, Cached>,
    bytes: usize,
}

#[derive(Debug, Clone)]
enum Cached {
    Page(Arc<[u8]>),
    Directory(Arc<Directory>),
}

impl Cached {
    fn bytes(&self) -> usize {
        let own = match self {
            Self::Page(page) => page.len(),
            Self::Directory(directory) => directory.memory_bytes(),
        };
        own + OVERHEAD_BYTES
    }
}

impl Pages {
    /// Drops pages, those that were not used for longest first, until there is room for so many bytes.
    fn make_room(&mut self, bytes: usize) {
        while self.bytes + ROOM_BYTES.load(Ordering::Relaxed) + bytes > MAX_BYTES {
            let Some((_, dropped)) = self.cached.pop_lru() else {
                return;
            };
            self.bytes -= dropped.bytes();
        }
    }

    fn put(&mut self, key: PageId, cached: Cached) {
        let bytes = cached.bytes();
        self.make_room(bytes);
        if self.bytes + ROOM_BYTES.load(Ordering::Relaxed) + bytes > MAX_BYTES {
            return;
        }
        self.bytes += bytes;
        if let Some(before) = self.cached.put(key, cached) {
            self.bytes -= before.bytes();
        }
    }
}

/// Pages of the index of a fragment, or zones of a column.
pub(crate) fn pages(
    fragment: FragmentId,
    column: u32,
    numbers: impl Iterator<Item = u32>,
) -> Vec<Option<Arc<[u8]>>> {
    let mut pages = PAGES.lock();
    let cached = numbers.map(
        |number| match pages.cached.get(&(fragment, column, number)) {
            Some(Cached::Page(page)) => Some(Arc::clone(page)),
            _ => None,
        },
    );
    cached.collect()
}

pub(crate) fn put_page(fragment: FragmentId, column: u32, number: u32, page: &Arc<[u8]>) {
    let page = Cached::Page(Arc::clone(page));
    PAGES.lock().put((fragment, column, number), page);
}

pub(crate) fn directory(fragment: FragmentId) -> Option<Arc<Directory>> {
    match PAGES.lock().cached.get(&(fragment, INDEX, DIRECTORY)) {
        Some(Cached::Directory(directory)) => Some(Arc::clone(directory)),
        _ => None,
    }
}

pub(crate) fn put_directory(fragment: FragmentId, directory: &Arc<Directory>) {
    let directory = Cached::Directory(Arc::clone(directory));
    PAGES.lock().put((fragment, INDEX, DIRECTORY), directory);
}

/// Bytes of the budget, which are given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Room {
    /// Room for a segment of this many rows; `None` if there is not enough.
    pub fn for_rows(rows: usize, are_narrow: bool) -> Option<Self> {
        let bytes = match are_narrow {
            true => rows * 17 / 2,
            false => rows * 33 / 2,
        };
        let take = |taken: usize| Some(taken + bytes).filter(|taken| *taken <= MAX_BYTES);
        ROOM_BYTES
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .ok()?;
        PAGES.lock().make_room(0);
        Some(Self(bytes))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        ROOM_BYTES.fetch_sub(self.0, Ordering::Relaxed);
    }
}
