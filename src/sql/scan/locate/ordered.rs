//! Searches fragments whose keys are in order.

use std::sync::Arc;

use super::keys::KeysToFind;
use crate::error::DfOlapError;
use crate::fragment::{ColumnId, Fragment, LiveFragment};
use crate::key_index::cache;
use crate::key_index::digest::NarrowColumn;
use crate::key_index::key_set::key_columns;
use crate::key_index::ordered::{OrderedKeys, Place, index_in_zone, zone_bytes};

/// The numbers of keys in the order of the keys.
pub(super) fn in_order_of(keys: &[u64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_unstable_by_key(|number| keys[*number]);
    order
}

/// The first and the last key of a fragment in memory, if it has narrow keys in ascending order, none twice.
pub(super) fn keys_in_order(fragment: &Fragment, ids: &[ColumnId]) -> Option<(u64, u64)> {
    let [id] = ids else {
        return None;
    };
    fragment.ascending(*id, || {
        let (mut first, mut last) = (None, None);
        for column in narrow_columns(fragment, *id)? {
            for value in column.values() {
                if last.is_some_and(|last| last >= value) {
                    return None;
                }
                first = first.or(Some(value));
                last = Some(value);
            }
        }
        first.zip(last)
    })
}

fn narrow_columns(fragment: &Fragment, id: ColumnId) -> Option<Vec<NarrowColumn>> {
    let batches = key_columns(fragment, &[id])?;
    let columns = batches.iter().map(|columns| NarrowColumn::of(&columns[0]));
    columns.collect()
}

/// Searches keys in a fragment in memory. `take` gets the number of a key and the position of its row.
pub(super) fn search(
    live: &LiveFragment,
    id: ColumnId,
    keys: &[u64],
    order: &[usize],
    mut take: impl FnMut(usize, u32),
) {
    let mut start = 0;
    for column in narrow_columns(&live.fragment, id).into_iter().flatten() {
        let rows = column.len();
        if rows == 0 {
            continue;
        }
        let (first, last) = (column.get(0), column.get(rows - 1));
        let from = order.partition_point(|number| keys[*number] < first);
        for number in &order[from..] {
            let key = keys[*number];
            if key > last {
                break;
            }
            let row = column.first_at_least(key);
            if column.get(row) == key {
                take(*number, start + row as u32);
            }
        }
        start += rows as u32;
    }
}

/// Searches keys in a file: the numbers of those that are there, and the positions of their rows.
pub(super) async fn search_file(
    wanted: &KeysToFind<'_>,
    place: usize,
    known: &OrderedKeys,
    keys: &[u64],
    order: &[usize],
) -> Result<Vec<(usize, u32)>, DfOlapError> {
    let (mut found, mut lookups) = (Vec::new(), Vec::new());
    for number in order {
        match known.place(keys[*number]) {
            Place::Nowhere => {}
            Place::At(position) => found.push((*number, position)),
            Place::In(zone) => lookups.push((zone, *number)),
        }
    }
    let mut zones: Vec<u32> = lookups.iter().map(|(zone, _)| *zone).collect();
    zones.dedup();
    let pages = read_zones(wanted, place, known, &zones).await?;
    let mut at = 0;
    for (zone, number) in lookups {
        if zones[at] != zone {
            at += 1;
        }
        if let Some(index) = index_in_zone(&pages[at], keys[number]) {
            found.push((number, known.positions(zone).start + index));
        }
    }
    Ok(found)
}

/// The keys of some zones, which ascend.
async fn read_zones(
    wanted: &KeysToFind<'_>,
    place: usize,
    known: &OrderedKeys,
    zones: &[u32],
) -> Result<Vec<Arc<[u8]>>, DfOlapError> {
    if zones.is_empty() {
        return Ok(Vec::new());
    }
    let fragment = wanted.table.fragments[place].fragment.id;
    let cached = cache::file(fragment, known.column.0);
    let mut pages = cached.pages(zones);
    for (zone, page) in zones.iter().zip(&mut pages) {
        if page.is_some() {
            continue;
        }
        (wanted.stop)()?;
        let (store, rows) = (wanted.store, known.positions(*zone));
        let columns = [known.column];
        let read = store
            .read_columns(wanted.table, place, &columns, Some(rows))
            .await?;
        let batches = read.unwrap_or_default();
        let mut keys: Vec<u64> = Vec::with_capacity(OrderedKeys::ZONE_ROWS as usize);
        for column in batches.iter().flatten() {
            let narrow = NarrowColumn::of(column);
            keys.extend(narrow.iter().flat_map(NarrowColumn::values));
        }
        let bytes: Arc<[u8]> = zone_bytes(&keys).into();
        cached.put(*zone, &bytes);
        *page = Some(bytes);
    }
    Ok(pages.into_iter().flatten().collect())
}
