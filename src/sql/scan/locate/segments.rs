//! Makes what is missing in the index of a table.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;

use super::keys::{KeysToFind, Missing};
use crate::error::DfOlapError;
use crate::fragment::{ColumnId, FragmentId};
use crate::key_index::cache::Room;
use crate::key_index::digest::{Digests, Hashes, NarrowColumn};
use crate::key_index::key_set::{has_no_null, key_columns};
use crate::key_index::merged::Spans;
use crate::key_index::ordered::OrderedKeys;
use crate::key_index::{Segment, covered};
use crate::snapshot::Table;
use crate::sql::resources::cooperative::Pace;

/// What covers some fragments.
#[derive(Default)]
pub(super) struct Made {
    pub segments: Vec<Arc<Segment>>,
    /// Files whose keys are in order, by their places.
    pub in_order: Vec<(usize, Arc<OrderedKeys>)>,
    /// The places of the fragments.
    pub places: HashMap<FragmentId, usize>,
}

/// What an index has at one moment.
struct Known {
    segments: Vec<Arc<Segment>>,
    in_order: Vec<(usize, Arc<OrderedKeys>)>,
    /// The places of the fragments that neither covers.
    missing: Vec<usize>,
}

impl Made {
    pub fn extend(&mut self, other: Self) {
        self.segments.extend(other.segments);
        self.in_order.extend(other.in_order);
        self.places.extend(other.places);
    }
}

impl KeysToFind<'_> {
    /// What covers at least the fragments at `needed`; `None` if it cannot be made. What is missing is added to the
    /// index of the table.
    pub(super) async fn segments(
        &self,
        needed: &[usize],
        ids: &[ColumnId],
        make: Missing,
    ) -> Result<Option<Made>, DfOlapError> {
        if needed.is_empty() {
            return Ok(Some(Made::default()));
        }
        let index = &self.table.key_index;
        let fragments = &self.table.fragments;
        let places = fragments.iter().enumerate();
        let places: HashMap<FragmentId, usize> = places
            .map(|(place, live)| (live.fragment.id, place))
            .collect();
        index.prune(&places);
        let mut known = self.known(needed, ids);
        let _making = match (known.missing.is_empty(), make) {
            (true, _) => None,
            (false, Missing::Made) => Some(index.making.lock().await),
            (false, Missing::MadeIfWorthwhile) => {
                let rows = known.missing.iter();
                let rows = rows.map(|place| u64::from(fragments[*place].fragment.rows()));
                if !index.is_worthwhile(rows.sum()) {
                    return Ok(None);
                }
                match index.making.try_lock() {
                    Some(making) => Some(making),
                    // Reading the keys once is faster than to wait.
                    None => return Ok(None),
                }
            }
        };
        if !known.missing.is_empty() {
            // Another caller may have made it meanwhile.
            (self.stop)()?;
            known = self.known(needed, ids);
        }
        let missing = known.missing;
        let mut made = Made {
            segments: known.segments,
            in_order: known.in_order,
            places,
        };
        let mut pace = Pace::new();
        if !self.has_room(&missing, ids) {
            return Ok(None);
        }
        for of_segment in cut(self.table, missing.into_iter()) {
            (self.stop)()?;
            pace.keep().await;
            let Some(digests) = self.digests(&of_segment, ids).await? else {
                return Ok(None);
            };
            let place = of_segment[0];
            let fragment = &fragments[place].fragment;
            let is_in_file = fragment.file().is_some();
            if is_in_file && let ([id], Some(keys)) = (ids, digests.ascending()) {
                let known = Arc::new(OrderedKeys::new(*id, keys));
                index.add_ordered(fragment.id, Arc::clone(&known));
                made.in_order.push((place, known));
                continue;
            }
            let room = match is_in_file {
                false => None,
                true => match Room::for_rows(digests.len(), self.is_narrow()) {
                    None => return Ok(None),
                    room => room,
                },
            };
            let of_segment = of_segment.iter();
            let of_segment = of_segment.map(|place| &self.table.fragments[*place].fragment);
            let Some(spans) = Spans::new(of_segment.map(|f| (f.id, f.rows()))) else {
                return Ok(None);
            };
            let hashes = Hashes::of(digests, self.table.key_seed());
            let segment = Arc::new(Segment::new(ids, spans, &hashes, room));
            index.add(Arc::clone(&segment));
            made.segments.push(segment);
        }
        Ok(Some(made))
    }

    /// What covers fragments, and which of them nothing covers.
    fn known(&self, needed: &[usize], ids: &[ColumnId]) -> Known {
        let index = &self.table.key_index;
        let segments = index.segments(ids);
        let covered = covered(&segments);
        let (mut in_order, mut missing) = (Vec::new(), Vec::new());
        for place in needed {
            let id = self.table.fragments[*place].fragment.id;
            match index.ordered(id, ids) {
                Some(keys) => in_order.push((*place, keys)),
                None if covered.contains(&id) => {}
                None => missing.push(*place),
            }
        }
        Known {
            segments,
            in_order,
            missing,
        }
    }

    fn is_narrow(&self) -> bool {
        matches!(self.values, [column] if NarrowColumn::of(column).is_some())
    }

    /// False if it is known that there is no room for segments over the files among these fragments.
    fn has_room(&self, places: &[usize], ids: &[ColumnId]) -> bool {
        let fragments = places
            .iter()
            .map(|place| &self.table.fragments[*place].fragment);
        let rows = fragments.filter_map(|fragment| {
            // Only a file whose keys are in no order has an index.
            let has_index = (fragment.file()?.keys.as_ref()).is_some_and(|k| k.columns == ids);
            let is_unordered = has_index || fragment.is_known_unordered(ids[0]);
            (is_unordered || !self.is_narrow()).then_some(fragment.rows() as usize)
        });
        let rows: usize = rows.sum();
        rows == 0 || Room::is_possible(rows, self.is_narrow())
    }

    /// The digests of all rows of fragments; `None` if the key is not in each of them.
    pub(super) async fn digests(
        &self,
        places: &[usize],
        ids: &[ColumnId],
    ) -> Result<Option<Digests>, DfOlapError> {
        let mut digests: Option<Digests> = None;
        let mut rows = 0;
        for place in places {
            let fragment = &self.table.fragments[*place].fragment;
            rows += fragment.rows() as usize;
            let columns = match fragment.file() {
                None => key_columns(fragment, ids),
                Some(_) => {
                    let columns = self
                        .store
                        .read_columns(self.table, *place, ids, None)
                        .await?;
                    columns.filter(|columns| columns.iter().flatten().all(has_no_null))
                }
            };
            let Some(columns) = columns else {
                return Ok(None);
            };
            for columns in columns {
                let Some(of_batch) = self.of_batch(&columns) else {
                    return Ok(None);
                };
                of_batch.gather(&mut digests);
            }
            if let (Some(_), [id], Some(digests)) = (fragment.file(), ids, &digests) {
                fragment.ascending(*id, || {
                    let keys = digests.ascending()?;
                    keys.first().copied().zip(keys.last().copied())
                });
            }
        }
        Ok(digests.filter(|digests| digests.len() == rows))
    }

    fn of_batch(&self, columns: &[ArrayRef]) -> Option<Digests> {
        Digests::of(columns, self.table.key_seed())
    }
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
