//! [`OrderedKeys`]: files whose keys ascend need no index, only to be read in parts.

use std::ops::Range;

use crate::fragment::ColumnId;

/// The keys of a file, of at most 64 bits, none twice and in ascending order.
#[derive(Debug)]
pub(crate) struct OrderedKeys {
    pub column: ColumnId,
    rows: u32,
    /// The first key of each zone, and the last key of all.
    fences: Vec<u64>,
}

impl OrderedKeys {
    /// The number of rows of a zone.
    pub const ZONE_ROWS: u32 = 8192;

    /// `keys` ascend; there is at least one.
    pub fn new(column: ColumnId, keys: &[u64]) -> Self {
        let firsts = keys.iter().step_by(Self::ZONE_ROWS as usize);
        Self {
            column,
            rows: keys.len() as u32,
            fences: firsts.chain(keys.last()).copied().collect(),
        }
    }

    /// The positions of the rows of a zone.
    pub fn positions(&self, zone: u32) -> Range<u32> {
        let start = zone * Self::ZONE_ROWS;
        start..(start + Self::ZONE_ROWS).min(self.rows)
    }

    /// Where a key may be.
    pub fn place(&self, key: u64) -> Place {
        let (Some(first), Some(last)) = (self.fences.first(), self.fences.last()) else {
            return Place::Nowhere;
        };
        if key < *first || key > *last {
            return Place::Nowhere;
        }
        if last - first == u64::from(self.rows) - 1 {
            // No number between them is missing.
            return Place::At((key - first) as u32);
        }
        let firsts = &self.fences[..self.fences.len() - 1];
        Place::In(firsts.partition_point(|first| *first <= key) as u32 - 1)
    }
}

/// Where a key may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Nowhere,
    /// It is in this row.
    At(u32),
    /// It is in a row of this zone, or nowhere.
    In(u32),
}

/// The keys of a zone as bytes, for the cache.
pub(crate) fn zone_bytes(keys: &[u64]) -> Vec<u8> {
    keys.iter().flat_map(|key| key.to_le_bytes()).collect()
}

/// The index of a key among the keys of a zone.
pub(crate) fn index_in_zone(bytes: &[u8], key: u64) -> Option<u32> {
    let keys = bytes.as_chunks::<8>().0;
    let found = keys.binary_search_by_key(&key, |bytes| u64::from_le_bytes(*bytes));
    found.ok().map(|index| index as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_found_in_its_zone_and_no_other_is() {
        for rows in [1_u64, 2, 8191, 8192, 8193, 20_000] {
            let keys: Vec<u64> = (0..rows).map(|n| 10 + 3 * n).collect();
            let ordered = OrderedKeys::new(ColumnId(0), &keys);
            let zones = keys.chunks(OrderedKeys::ZONE_ROWS as usize);
            let zones: Vec<Vec<u8>> = zones.map(zone_bytes).collect();
            let find = |key| match ordered.place(key) {
                Place::Nowhere => None,
                Place::At(position) => Some(position),
                Place::In(zone) => {
                    let positions = ordered.positions(zone);
                    assert_eq!(zones[zone as usize].len(), 8 * positions.len());
                    Some(positions.start + index_in_zone(&zones[zone as usize], key)?)
                }
            };
            for key in 0..10 + 3 * rows + 5 {
                let expected = keys.binary_search(&key).ok();
                assert_eq!(find(key), expected.map(|at| at as u32), "{key} of {rows}");
            }
        }
    }

    #[test]
    fn keys_without_a_gap_need_no_zone() {
        let keys: Vec<u64> = (5..20_005).collect();
        let ordered = OrderedKeys::new(ColumnId(0), &keys);
        assert_eq!(ordered.place(4), Place::Nowhere);
        assert_eq!(ordered.place(5), Place::At(0));
        assert_eq!(ordered.place(20_004), Place::At(19_999));
        assert_eq!(ordered.place(20_005), Place::Nowhere);
        let all = OrderedKeys::new(ColumnId(0), &[0, u64::MAX]);
        assert_eq!(all.place(1), Place::In(0));
    }
}
