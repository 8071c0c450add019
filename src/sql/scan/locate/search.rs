//! Finds the rows that have keys.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use futures::{StreamExt, TryStreamExt, stream};
use roaring::{RoaringBitmap, RoaringTreemap};

use super::keys::{KeysToFind, Missing};
use super::ordered::{ascending, has_keys_in_order, search, search_file};
use crate::error::DfOlapError;
use crate::fragment::FragmentId;
use crate::key_index::digest::{DigestSet, Digests, Hashes, Wanted};
use crate::snapshot::{Table, row_address};
use crate::sql::resources::cooperative::Pace;
use crate::sql::scan::{read_rows, with_row_address};

/// How many files are searched concurrently.
const FILES_AT_ONCE: usize = 16;
/// So many keys are found by a plan if each file that is searched has fewer than `ROWS_OF_KEY` rows for each of them:
/// reading all keys is cheaper then.
const MANY_KEYS: usize = 1 << 16;
const ROWS_OF_KEY: u64 = 8;

impl KeysToFind<'_> {
    /// The addresses of the live rows that have each key, in order; `None` if the rows must be found by a plan: a type
    /// has no digest, or there is no room for the index.
    pub async fn addresses(&self, missing: Missing) -> Result<Option<Vec<Vec<u64>>>, DfOlapError> {
        let seed = self.table.key_seed();
        let Some(keys) = Digests::of(self.values, seed) else {
            return Ok(None);
        };
        let ids = self.ids();
        let fragments = &self.table.fragments;
        let mut found = Found {
            table: self.table,
            addresses: vec![Vec::new(); keys.len()],
        };

        let (mut with_index, mut in_order, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let order = ascending(&keys);
        for place in self.overlapping(&ids) {
            let live = &fragments[place];
            let fragment = &live.fragment;
            match (fragment.file(), &order) {
                (None, Some((keys, order))) if has_keys_in_order(fragment, &ids) => {
                    search(live, ids[0], keys, order, |number, position| {
                        found.add(number, place, position);
                    });
                }
                (None, _) => others.push(place),
                (Some(file), _) => match &file.keys {
                    Some(keys) if keys.columns == ids && !keys.is_damaged() => {
                        with_index.push(place);
                    }
                    _ => match self.table.key_index.ordered(fragment.id, &ids) {
                        Some(known) => in_order.push((place, known)),
                        None => others.push(place),
                    },
                },
            }
        }
        let rows: u64 = with_index
            .iter()
            .map(|place| fragments[*place].rows())
            .sum();
        let probes = (keys.len() * with_index.len()) as u64;
        if keys.len() > MANY_KEYS && probes * ROWS_OF_KEY > rows {
            return Ok(None);
        }
        let sorted = order.as_ref().map(|(_, order)| order.clone());
        let narrow = match (&keys, &sorted) {
            (Digests::Narrow(keys), Some(order)) => Some((keys.clone(), order.clone())),
            _ => None,
        };
        let wanted = Wanted::from(Hashes::of(keys, seed));

        let searched = stream::iter(with_index).map(|place| {
            let wanted = &wanted;
            async move {
                let found = self
                    .store
                    .find_keys(&fragments[place].fragment, wanted)
                    .await?;
                Ok::<_, DfOlapError>((place, found))
            }
        });
        let mut searched = searched.buffered(FILES_AT_ONCE);
        while let Some((place, there)) = searched.try_next().await? {
            (self.stop)()?;
            let Some(there) = there else {
                others.push(place);
                continue;
            };
            for (number, position) in there {
                found.add(number as usize, place, position);
            }
        }
        drop(searched);
        if !others.is_empty() {
            let places: HashMap<FragmentId, usize> = {
                let fragments = fragments.iter().enumerate();
                fragments
                    .map(|(place, live)| (live.fragment.id, place))
                    .collect()
            };
            let Some(made) = self.segments(others, &ids, &places, missing).await? else {
                return Ok(None);
            };
            in_order.extend(made.in_order);
            let mut pace = Pace::new();
            for segment in made.segments {
                (self.stop)()?;
                pace.keep().await;
                segment.find(&wanted.hashes, |number, fragment, position| {
                    if let Some(place) = places.get(&fragment) {
                        found.add(number, *place, position);
                    }
                });
            }
        }
        if let Some((keys, order)) = narrow {
            for (place, known) in in_order {
                (self.stop)()?;
                let there = search_file(self, place, &known, &keys, &order).await?;
                for (number, position) in there {
                    found.add(number, place, position);
                }
            }
        }
        Ok(Some(found.in_order()))
    }

    /// The number of a key that a live row has which is not among `dead`.
    pub async fn first_taken(&self, dead: &RoaringTreemap) -> Result<Option<usize>, DfOlapError> {
        let is_taken = |addresses: &Vec<u64>| addresses.iter().any(|row| !dead.contains(*row));
        if let Some(found) = self.addresses(Missing::Made).await? {
            return Ok(found.iter().position(is_taken));
        }
        // All keys are read.
        let digests = |values: &[ArrayRef]| {
            let digests = Digests::of(values, self.table.key_seed());
            digests.ok_or_else(|| DfOlapError::Other("keys of a type without digests".into()))
        };
        let wanted = DigestSet::from(digests(self.values)?);
        let ids = self.ids();
        for place in self.overlapping(&ids) {
            (self.stop)()?;
            let live = &self.table.fragments[place];
            let there = self.digests(&[place], &ids).await?;
            let there = there.ok_or_else(|| DfOlapError::Other("a key cannot be read".into()))?;
            let mut taken = None;
            there.for_each_in(&wanted, |row| {
                let is_dead = |deleted: &Arc<RoaringBitmap>| deleted.contains(row as u32);
                let is_live = !live.deleted.as_ref().is_some_and(is_dead);
                if is_live && !dead.contains(row_address(place, row as u32)) {
                    taken = Some(row);
                }
            });
            if let Some(row) = taken {
                return Ok(digests(self.values)?.index_of(&there, row));
            }
        }
        Ok(None)
    }

    /// The live rows that have one of the keys, in the columns of the table and with their addresses after them; `None`
    /// if a plan has to find them.
    pub async fn rows(&self) -> Result<Option<RecordBatch>, DfOlapError> {
        let Some(addresses) = self.addresses(Missing::MadeIfWorthwhile).await? else {
            return Ok(None);
        };
        let addresses: BTreeSet<u64> = addresses.into_iter().flatten().collect();
        let addresses: Vec<u64> = addresses.into_iter().collect();
        let schema = with_row_address(&self.table.definition.schema);
        if addresses.is_empty() {
            return Ok(Some(RecordBatch::new_empty(schema)));
        }
        let all: Vec<usize> = (0..self.table.definition.columns.len()).collect();
        let mut columns = read_rows(self.store, self.table, &addresses, &all).await?;
        columns.push(Arc::new(UInt64Array::from(addresses)));
        Ok(Some(RecordBatch::try_new(schema, columns)?))
    }
}

/// The live rows that were found so far.
struct Found<'a> {
    table: &'a Table,
    /// Of each key.
    addresses: Vec<Vec<u64>>,
}

impl Found<'_> {
    /// Adds a row that has the key of this number, if it is live.
    fn add(&mut self, number: usize, place: usize, position: u32) {
        let deleted = self.table.fragments[place].deleted.as_ref();
        if !deleted.is_some_and(|deleted| deleted.contains(position)) {
            self.addresses[number].push(row_address(place, position));
        }
    }

    fn in_order(mut self) -> Vec<Vec<u64>> {
        for addresses in &mut self.addresses {
            addresses.sort_unstable();
            // Segments may overlap, if two callers have made one for the same fragment.
            addresses.dedup();
        }
        self.addresses
    }
}
