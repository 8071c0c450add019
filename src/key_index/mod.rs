//! [`KeyIndex`]: finds the rows of a table by key.
//!
//! Rows never change and never move within their fragment, so an index over fragments never needs an update: an entry
//! dies with its row (by the deletion vector) or with its fragment. A [`Segment`] covers some fragments, each whole. A
//! fragment that no segment covers has to be searched in another way, so an index that lacks something is slow, never
//! wrong.

pub(crate) mod buckets;
pub(crate) mod digest;
pub(crate) mod key_set;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use parking_lot::RwLock;
use uuid::Uuid;

use self::buckets::Buckets;
use self::digest::Digests;
use crate::fragment::{ColumnId, FragmentId};

/// Keys are mixed with a random number, so that nobody can choose keys that meet in one bucket.
pub(crate) static SEED: LazyLock<u64> = LazyLock::new(|| Uuid::new_v4().as_u64_pair().1);

/// The segments of a table, shared by all of its versions.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    segments: RwLock<Vec<Arc<Segment>>>,
    /// Rows that were searched for want of a segment.
    searched: AtomicU64,
}

/// So few rows get a segment at once.
const FEW_ROWS: u64 = 1 << 16;
/// So often the rows without a segment are searched before they get one: it takes about as long.
const SEARCHES: u64 = 8;

impl KeyIndex {
    /// The segments of a key.
    pub fn segments(&self, key: &[ColumnId]) -> Vec<Arc<Segment>> {
        let segments = self.segments.read();
        let of_key = segments.iter().filter(|segment| segment.key == key);
        of_key.cloned().collect()
    }

    /// Whether segments over this many rows are worth their time, if they are searched once more.
    pub fn is_worthwhile(&self, rows: u64) -> bool {
        rows <= FEW_ROWS
            || self.searched.fetch_add(rows, Ordering::Relaxed) + rows >= SEARCHES * rows
    }

    /// Drops the segments of which half the rows or more are in fragments that are not among `fragments`; who needs the
    /// others makes a new one.
    pub fn prune(&self, fragments: &HashMap<FragmentId, usize>) {
        let mut segments = self.segments.write();
        segments.retain(|segment| 2 * segment.rows_of(fragments) > segment.rows);
    }

    pub fn add(&self, segment: Arc<Segment>) {
        self.segments.write().push(segment);
        self.searched.store(0, Ordering::Relaxed);
    }
}

/// A map from keys to rows, over some fragments.
#[derive(Debug)]
pub(crate) struct Segment {
    key: Vec<ColumnId>,
    /// The fragments, and the number of rows before each.
    fragments: Vec<(FragmentId, u32)>,
    rows: u32,
    map: Map,
    /// What it takes of the budget.
    _room: Option<Room>,
}

/// The most bytes of all segments of this process that are over files: those over rows in memory are small beside the
/// rows.
const MAX_BYTES: usize = 256 << 20;
static BYTES: AtomicUsize = AtomicUsize::new(0);

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
        let taken = BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.ok().map(|_| Self(bytes))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        BYTES.fetch_sub(self.0, Ordering::Relaxed);
    }
}

#[derive(Debug)]
enum Map {
    Narrow(Buckets<u64>),
    Wide(Buckets<u128>),
}

impl Segment {
    /// The most rows of a segment over several fragments.
    pub const MAX_ROWS: usize = 1 << 20;

    /// A segment over fragments, given by their ids and numbers of rows, with the digests of the values of the columns
    /// `key` in all of their rows, deleted rows included, one fragment after the other.
    pub fn new(
        key: &[ColumnId],
        fragments: &[(FragmentId, u32)],
        digests: &Digests,
        room: Option<Room>,
    ) -> Self {
        let mut rows = 0;
        let starts = fragments.iter().map(|(id, count)| {
            let start = rows;
            rows += count;
            (*id, start)
        });
        let starts = starts.collect();
        let map = match digests {
            Digests::Narrow(digests) => {
                let mixed: Vec<u64> = digests.iter().map(|digest| mix(*digest)).collect();
                Map::Narrow(Buckets::new(&mixed))
            }
            Digests::Wide(digests) => Map::Wide(Buckets::new(digests)),
        };
        Self {
            key: key.to_vec(),
            fragments: starts,
            rows,
            map,
            _room: room,
        }
    }

    pub fn fragments(&self) -> impl Iterator<Item = FragmentId> + '_ {
        self.fragments.iter().map(|(id, _)| *id)
    }

    /// Finds keys. `take` gets the number of a key, and a fragment and a position of a row that has it.
    pub fn find(&self, keys: &Digests, mut take: impl FnMut(usize, FragmentId, u32)) {
        let mut take = |key, row| {
            let after = self.fragments.partition_point(|(_, start)| *start <= row);
            let (id, start) = self.fragments[after - 1];
            take(key, id, row - start);
        };
        match (&self.map, keys) {
            (Map::Narrow(map), Digests::Narrow(keys)) => {
                for (number, key) in keys.iter().enumerate() {
                    map.find(mix(*key), |row| take(number, row));
                }
            }
            (Map::Wide(map), Digests::Wide(keys)) => {
                for (number, key) in keys.iter().enumerate() {
                    map.find(*key, |row| take(number, row));
                }
            }
            _ => debug_assert!(false, "an index of another kind of keys"),
        }
    }

    /// The number of rows in these fragments.
    fn rows_of(&self, fragments: &HashMap<FragmentId, usize>) -> u32 {
        let ends = self.fragments.iter().skip(1).map(|(_, start)| *start);
        let ends = ends.chain([self.rows]);
        let alive = self.fragments.iter().zip(ends);
        let alive = alive.filter(|((id, _), _)| fragments.contains_key(id));
        alive.map(|((_, start), end)| end - start).sum()
    }
}

/// The fragments that segments cover.
pub(crate) fn covered(segments: &[Arc<Segment>]) -> HashSet<FragmentId> {
    segments
        .iter()
        .flat_map(|segment| segment.fragments())
        .collect()
}

/// Distributes the digests of narrow keys evenly; a bijection (the last steps of splitmix64).
fn mix(digest: u64) -> u64 {
    let mut mixed = digest ^ *SEED;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
