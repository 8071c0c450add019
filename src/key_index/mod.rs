//! [`KeyIndex`]: finds the rows of a table by key.
//!
//! Rows never change and never move within their fragment, so an index over fragments never needs an update: an entry
//! dies with its row (by the deletion vector) or with its fragment. A file may have an index beside it ([`paged`]), or
//! share an index of several files ([`merged`]). For other fragments there are segments, which are made in memory when
//! they are first needed; each covers some fragments, each whole. A fragment that has neither is searched in another
//! way, so an index that lacks something is slow, never wrong.

pub(crate) mod buckets;
pub(crate) mod cache;
pub(crate) mod digest;
pub(crate) mod key_set;
pub(crate) mod merged;
pub(crate) mod ordered;
pub(crate) mod paged;
pub(crate) mod pages;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use self::buckets::Buckets;
use self::cache::Room;
use self::digest::Hashes;
use self::merged::Spans;
use self::ordered::OrderedKeys;
use crate::fragment::{ColumnId, FragmentId};

/// What is known of a table's keys, shared by all of its versions.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    segments: RwLock<Vec<Arc<Segment>>>,
    /// Files whose keys are in order.
    ordered: RwLock<HashMap<(FragmentId, ColumnId), Arc<OrderedKeys>>>,
    /// Held by who makes what is missing, so that nothing is made twice.
    pub making: futures::lock::Mutex<()>,
    /// Rows that were searched for want of a segment.
    searched: AtomicU64,
}

/// So few rows get a segment at once.
const FEW_ROWS: u64 = 1 << 16;
/// So often the rows without a segment are searched before they get one: it takes about as long.
const SEARCHES: u64 = 8;
/// So many keys have segments at once: a history, which has no PRIMARY KEY, may be searched by any columns.
const MAX_KEYS: usize = 4;

impl KeyIndex {
    /// The segments of a key.
    pub fn segments(&self, key: &[ColumnId]) -> Vec<Arc<Segment>> {
        let segments = self.segments.read();
        let of_key = segments.iter().filter(|segment| segment.key == key);
        of_key.cloned().collect()
    }

    /// The keys of a file, if they are known to be in order.
    pub fn ordered(&self, fragment: FragmentId, key: &[ColumnId]) -> Option<Arc<OrderedKeys>> {
        let [column] = key else {
            return None;
        };
        self.ordered.read().get(&(fragment, *column)).cloned()
    }

    /// Whether segments over this many rows are worth their time, if they are searched once more.
    pub fn is_worthwhile(&self, rows: u64) -> bool {
        rows <= FEW_ROWS
            || self.searched.fetch_add(rows, Ordering::Relaxed) + rows >= SEARCHES * rows
    }

    /// Drops what is known of fragments that are not among `fragments`, and the segments of which half the rows or more
    /// are in such fragments; who needs the others makes a new one.
    pub fn prune(&self, fragments: &HashMap<FragmentId, usize>) {
        let mut segments = self.segments.write();
        segments.retain(|segment| {
            let alive = segment.fragments.rows_of(|id| fragments.contains_key(&id));
            2 * u64::from(alive) > u64::from(segment.fragments.rows())
        });
        let mut ordered = self.ordered.write();
        ordered.retain(|(fragment, _), _| fragments.contains_key(fragment));
    }

    pub fn add(&self, segment: Arc<Segment>) {
        let mut segments = self.segments.write();
        segments.push(segment);
        let mut keys: Vec<&[ColumnId]> = Vec::new();
        for segment in segments.iter().rev() {
            if !keys.contains(&segment.key.as_slice()) {
                keys.push(&segment.key);
            }
        }
        if keys.len() > MAX_KEYS {
            let oldest = keys[MAX_KEYS..].iter().map(|key| key.to_vec());
            let oldest: Vec<Vec<ColumnId>> = oldest.collect();
            segments.retain(|segment| !oldest.contains(&segment.key));
        }
        drop(segments);
        self.searched.store(0, Ordering::Relaxed);
    }

    pub fn add_ordered(&self, fragment: FragmentId, keys: Arc<OrderedKeys>) {
        let column = keys.column;
        self.ordered.write().insert((fragment, column), keys);
        self.searched.store(0, Ordering::Relaxed);
    }
}

/// A map from keys to rows, over some fragments.
#[derive(Debug)]
pub(crate) struct Segment {
    key: Vec<ColumnId>,
    fragments: Spans,
    map: Map,
    /// What it takes of the budget.
    _room: Option<Room>,
}

#[derive(Debug)]
enum Map {
    Narrow(Buckets<u64>),
    Wide(Buckets<u128>),
}

impl Segment {
    /// The most rows of a segment over several fragments.
    pub const MAX_ROWS: usize = 1 << 22;

    /// A segment over fragments, with the hashes of the values of the columns `key` in all of their rows, deleted rows
    /// included, one fragment after the other.
    pub fn new(key: &[ColumnId], fragments: Spans, hashes: &Hashes, room: Option<Room>) -> Self {
        Self {
            key: key.to_vec(),
            fragments,
            map: match hashes {
                Hashes::Narrow(hashes) => Map::Narrow(Buckets::new(hashes)),
                Hashes::Wide(hashes) => Map::Wide(Buckets::new(hashes)),
            },
            _room: room,
        }
    }

    pub fn fragments(&self) -> impl Iterator<Item = FragmentId> + '_ {
        self.fragments.iter().map(|(id, _)| id)
    }

    /// Finds keys. `take` gets the number of a key, and a fragment and a position of a row that has it.
    pub fn find(&self, keys: &Hashes, mut take: impl FnMut(usize, FragmentId, u32)) {
        let take = |key, row| {
            let (place, position) = self.fragments.find(row);
            take(key, self.fragments.id(place), position);
        };
        match (&self.map, keys) {
            (Map::Narrow(map), Hashes::Narrow(keys)) => map.find_each(keys, take),
            (Map::Wide(map), Hashes::Wide(keys)) => map.find_each(keys, take),
            _ => debug_assert!(false, "an index of another kind of keys"),
        }
    }
}

/// The fragments that segments cover.
pub(crate) fn covered(segments: &[Arc<Segment>]) -> HashSet<FragmentId> {
    segments
        .iter()
        .flat_map(|segment| segment.fragments())
        .collect()
}
