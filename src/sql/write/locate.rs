//! Finds the rows of a table by key, without a plan: by the fragments' ranges, by a search in keys that are in order,
//! and by the table's index, which is made of what is missing in it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};

use crate::error::DfOlapError;
use crate::fragment::{ColumnId, Fragment, FragmentId, LiveFragment, ValueRange};
use crate::key_index::digest::{Digests, NarrowColumn};
use crate::key_index::key_set::{has_no_null, is_less, key_columns};
use crate::key_index::{Room, SEED, Segment, covered};
use crate::snapshot::{Table, row_address};
use crate::sql::execution::Run;
use crate::sql::resources::cooperative::Pace;
use crate::sql::scan::{rows_at, with_row_address};

/// Whether what is missing in an index is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Made,
    /// Only if few rows are missing, or if they were searched often: for one search, reading the keys is cheaper.
    MadeIfWorthwhile,
}

/// Keys without NULL, in the types of the key's columns.
pub(crate) struct KeysToFind<'a> {
    pub table: &'a Arc<Table>,
    /// The columns of the key.
    pub key: &'a [usize],
    /// The values of the keys, one array for each column of the key.
    pub values: &'a [ArrayRef],
}

impl KeysToFind<'_> {
    /// The addresses of the live rows that have each key, in order; `None` if the rows must be found by a plan: a type
    /// has no digest, or there is no room for the index.
    pub async fn addresses(
        &self,
        run: &Run,
        missing: Missing,
    ) -> Result<Option<Vec<Vec<u64>>>, DfOlapError> {
        let Some(keys) = Digests::of(self.values, *SEED) else {
            return Ok(None);
        };
        let ids = self.ids();
        let mut found = vec![Vec::new(); keys.len()];
        let mut pace = Pace::new();

        let mut by_index: Vec<usize> = Vec::new();
        let order = ascending(&keys);
        for place in self.overlapping(&ids) {
            let live = &self.table.fragments[place];
            let is_in_memory = live.fragment.file().is_none();
            match &order {
                Some((keys, order)) if is_in_memory && has_keys_in_order(&live.fragment, &ids) => {
                    search(live, place, ids[0], keys, order, &mut found);
                }
                _ => by_index.push(place),
            }
        }
        if !by_index.is_empty() {
            let places: HashMap<FragmentId, usize> = {
                let fragments = self.table.fragments.iter().enumerate();
                fragments
                    .map(|(place, live)| (live.fragment.id, place))
                    .collect()
            };
            let fragments = &self.table.fragments;
            let segments = self.segments(run, by_index, &ids, &places, missing);
            let Some(segments) = segments.await? else {
                return Ok(None);
            };
            for segment in segments {
                run.check_stop()?;
                pace.keep().await;
                segment.find(&keys, |key, fragment, position| {
                    if let Some(place) = places.get(&fragment)
                        && is_live(&fragments[*place], position)
                    {
                        found[key].push(row_address(*place, position));
                    }
                });
            }
        }
        for addresses in &mut found {
            addresses.sort_unstable();
            // Segments may overlap, if two callers have made one for the same fragment.
            addresses.dedup();
        }
        Ok(Some(found))
    }

    /// The live rows that have one of the keys, in the columns of the table and with their addresses after them; `None`
    /// if a plan has to find them, or read them from files.
    pub async fn rows(&self, run: &Run) -> Result<Option<RecordBatch>, DfOlapError> {
        let is_in_file = |place: &usize| self.table.fragments[*place].fragment.file().is_some();
        if self.overlapping(&self.ids()).iter().any(is_in_file) {
            return Ok(None);
        }
        let Some(addresses) = self.addresses(run, Missing::MadeIfWorthwhile).await? else {
            return Ok(None);
        };
        let addresses: BTreeSet<u64> = addresses.into_iter().flatten().collect();
        let addresses: Vec<u64> = addresses.into_iter().collect();
        let schema = with_row_address(&self.table.definition.schema);
        if addresses.is_empty() {
            return Ok(Some(RecordBatch::new_empty(schema)));
        }
        let all: Vec<usize> = (0..self.table.definition.columns.len()).collect();
        let mut columns = rows_at(self.table, &addresses, &all)?;
        columns.push(Arc::new(UInt64Array::from(addresses)));
        Ok(Some(RecordBatch::try_new(schema, columns)?))
    }

    /// The ids of the key's columns.
    fn ids(&self) -> Vec<ColumnId> {
        let columns = &self.table.definition.columns;
        self.key.iter().map(|index| columns[*index].id).collect()
    }

    /// The fragments whose range of the first key column meets that of the keys.
    fn overlapping(&self, ids: &[ColumnId]) -> Vec<usize> {
        let wanted = self.values.first();
        let wanted = wanted.and_then(|values| ValueRange::of(std::iter::once(values)));
        let fragments = self.table.fragments.iter().enumerate();
        let meets = |live: &LiveFragment| {
            let (Some(wanted), Some(there)) = (&wanted, live.fragment.range(ids[0])) else {
                return true;
            };
            !(is_less(&there.max, &wanted.min) || is_less(&wanted.max, &there.min))
        };
        let places = fragments.filter(|(_, live)| meets(live));
        places.map(|(place, _)| place).collect()
    }

    /// Segments that cover at least the fragments at `needed`; `None` if they cannot be made. Those that are missing
    /// are added to the index of the table.
    async fn segments(
        &self,
        run: &Run,
        needed: Vec<usize>,
        ids: &[ColumnId],
        places: &HashMap<FragmentId, usize>,
        make: Missing,
    ) -> Result<Option<Vec<Arc<Segment>>>, DfOlapError> {
        let index = &self.table.key_index;
        index.prune(places);
        let mut segments = index.segments(ids);
        let covered = covered(&segments);
        let fragments = &self.table.fragments;
        let missing = needed.into_iter();
        let missing = missing.filter(|place| !covered.contains(&fragments[*place].fragment.id));
        let missing: Vec<usize> = missing.collect();
        let rows = missing
            .iter()
            .map(|place| u64::from(fragments[*place].fragment.rows()));
        if make == Missing::MadeIfWorthwhile && !index.is_worthwhile(rows.sum()) {
            return Ok(None);
        }
        let is_narrow = matches!(self.values, [column] if NarrowColumn::of(column).is_some());
        let mut rooms: HashMap<usize, Room> = HashMap::new();
        for place in &missing {
            let fragment = &fragments[*place].fragment;
            if fragment.file().is_some() {
                let rows = fragment.rows() as usize;
                match Room::for_rows(rows, is_narrow) {
                    Some(room) => rooms.insert(*place, room),
                    None => return Ok(None),
                };
            }
        }
        let mut pace = Pace::new();
        for of_segment in cut(self.table, missing.into_iter()) {
            run.check_stop()?;
            pace.keep().await;
            let room = rooms.remove(&of_segment[0]);
            let Some(segment) = self.segment(run, &of_segment, ids, room).await? else {
                return Ok(None);
            };
            let segment = Arc::new(segment);
            index.add(Arc::clone(&segment));
            segments.push(segment);
        }
        Ok(Some(segments))
    }

    /// A segment over fragments; `None` if the key is not in each of them.
    async fn segment(
        &self,
        run: &Run,
        places: &[usize],
        ids: &[ColumnId],
        room: Option<Room>,
    ) -> Result<Option<Segment>, DfOlapError> {
        let mut digests: Option<Digests> = None;
        let mut fragments = Vec::with_capacity(places.len());
        for place in places {
            let fragment = &self.table.fragments[*place].fragment;
            fragments.push((fragment.id, fragment.rows()));
            let columns = match fragment.file() {
                None => key_columns(fragment, ids),
                Some(_) => {
                    let store = &run.context.store;
                    let columns = store.read_columns(self.table, *place, ids).await?;
                    columns.filter(|columns| columns.iter().flatten().all(has_no_null))
                }
            };
            let Some(columns) = columns else {
                return Ok(None);
            };
            for columns in columns {
                let Some(of_batch) = Digests::of(&columns, *SEED) else {
                    return Ok(None);
                };
                match &mut digests {
                    None => digests = Some(of_batch),
                    Some(digests) => digests.extend(of_batch),
                }
            }
        }
        let rows: u32 = fragments.iter().map(|(_, rows)| rows).sum();
        match digests {
            Some(digests) if digests.len() == rows as usize => {
                Ok(Some(Segment::new(ids, &fragments, &digests, room)))
            }
            _ => Ok(None),
        }
    }
}

/// The keys of at most 64 bits, and their numbers in the order of the keys.
fn ascending(keys: &Digests) -> Option<(&[u64], Vec<usize>)> {
    let Digests::Narrow(keys) = keys else {
        return None;
    };
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_unstable_by_key(|number| keys[*number]);
    Some((keys, order))
}

/// Whether a fragment in memory has narrow keys in ascending order, none twice.
fn has_keys_in_order(fragment: &Fragment, ids: &[ColumnId]) -> bool {
    let [id] = ids else {
        return false;
    };
    fragment.is_ascending(*id, || {
        let mut last = None;
        let columns = narrow_columns(fragment, *id);
        columns.is_some_and(|columns| {
            columns.iter().all(|column| {
                column.values().all(|value| {
                    let is_next = last.is_none_or(|last| last < value);
                    last = Some(value);
                    is_next
                })
            })
        })
    })
}

fn narrow_columns(fragment: &Fragment, id: ColumnId) -> Option<Vec<NarrowColumn>> {
    let batches = key_columns(fragment, &[id])?;
    let columns = batches.iter().map(|columns| NarrowColumn::of(&columns[0]));
    columns.collect()
}

/// Searches keys in a fragment whose keys are in order.
fn search(
    live: &LiveFragment,
    place: usize,
    id: ColumnId,
    keys: &[u64],
    order: &[usize],
    found: &mut [Vec<u64>],
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
            let position = start + row as u32;
            if column.get(row) == key && is_live(live, position) {
                found[*number].push(row_address(place, position));
            }
        }
        start += rows as u32;
    }
}

fn is_live(live: &LiveFragment, position: u32) -> bool {
    !live
        .deleted
        .as_ref()
        .is_some_and(|deleted| deleted.contains(position))
}

/// The fragments for each new segment.
fn cut(table: &Table, places: impl Iterator<Item = usize>) -> Vec<Vec<usize>> {
    let mut segments: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for place in places {
        let fragment = &table.fragments[place].fragment;
        let rows = fragment.rows() as usize;
        // A file has a segment of its own.
        if fragment.file().is_some() {
            segments.push(vec![place]);
            room = 0;
            continue;
        }
        if rows > room || segments.is_empty() {
            segments.push(Vec::new());
            room = Segment::MAX_ROWS;
        }
        room = room.saturating_sub(rows);
        if let Some(last) = segments.last_mut() {
            last.push(place);
        }
    }
    segments
}
