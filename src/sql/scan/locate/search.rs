//! Finds the rows that have keys.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use futures::{StreamExt, TryStreamExt, stream};
use roaring::{RoaringBitmap, RoaringTreemap};

use super::keys::{KeysToFind, Missing};
use super::ordered::{in_order_of, keys_in_order, search, search_file};
use super::segments::Made;
use crate::error::DfOlapError;
use crate::fragment::{ColumnId, FragmentId, KeysFile};
use crate::key_index::digest::{DigestSet, Digests, Hashes, Wanted};
use crate::key_index::merged::Spans;
use crate::key_index::ordered::OrderedKeys;
use crate::snapshot::{Table, row_address};
use crate::sql::resources::cooperative::Pace;
use crate::sql::scan::{read_rows, with_row_address};

/// More rows are found by a plan, which does not hold all of them.
const MAX_FOUND: usize = 1 << 16;
/// How many files are searched concurrently.
const FILES_AT_ONCE: usize = 16;
/// More keys are found by a plan if they are looked up in many files, or if there are not `ROWS_OF_KEY` rows for each
/// lookup: reading all keys is cheaper then.
const MANY_KEYS: usize = 1 << 16;
const ROWS_OF_KEY: u64 = 8;

impl KeysToFind<'_> {
    /// The addresses of the live rows that have each key, in order; `None` if the rows must be found by a plan: a type
    /// has no digest, there is no room for the index, or the keys are too many.
    pub async fn addresses(&self, missing: Missing) -> Result<Option<Vec<Vec<u64>>>, DfOlapError> {
        let Some(keys) = Digests::of(self.values, self.table.key_seed()) else {
            return Ok(None);
        };
        let lookup = self.lookup(keys, missing, true).await?;
        Ok(lookup.rest.is_empty().then(|| lookup.found.in_order()))
    }

    /// Searches all fragments but those that can only be read. If there are any and `all_or_none`, nothing need be
    /// found.
    async fn lookup(
        &self,
        keys: Digests,
        missing: Missing,
        all_or_none: bool,
    ) -> Result<Lookup<'_>, DfOlapError> {
        let ids = self.ids();
        let fragments = &self.table.fragments;
        let mut found = Found {
            table: self.table,
            addresses: vec![Vec::new(); keys.len()],
        };
        let narrow = match &keys {
            Digests::Narrow(keys) => Some((keys.clone(), in_order_of(keys))),
            Digests::Wide(_) => None,
        };
        let Places {
            sorted,
            mut with_index,
            mut in_order,
            mut others,
            rows,
        } = self.places(narrow.as_ref(), &ids);
        let mut rest = Vec::new();
        let probes = (keys.len() * with_index.len().max(1)) as u64;
        if keys.len() > MANY_KEYS && probes * ROWS_OF_KEY > rows {
            rest.extend(with_index.drain(..).flat_map(|index| index.places));
            rest.append(&mut others);
        }
        if all_or_none && !rest.is_empty() {
            return Ok(Lookup { found, rest });
        }
        let wanted = Wanted::from(Hashes::of(keys, self.table.key_seed()));

        let mut made = Made::default();
        match self.segments(&others, &ids, missing).await? {
            Some(segments) => made = segments,
            None if all_or_none => {
                return Ok(Lookup {
                    found,
                    rest: others,
                });
            }
            None => rest.append(&mut others),
        }
        let unusable = self.find_in_files(with_index, &wanted, &mut found).await?;
        let unusable: Vec<usize> = unusable
            .into_iter()
            .flat_map(|index| index.places)
            .collect();
        match self.segments(&unusable, &ids, missing).await? {
            Some(segments) => made.extend(segments),
            None => rest.extend(unusable),
        }
        in_order.append(&mut made.in_order);
        let mut pace = Pace::new();
        for segment in made.segments {
            (self.stop)()?;
            pace.keep().await;
            segment.find(&wanted.hashes, |number, fragment, position| {
                if let Some(place) = made.places.get(&fragment) {
                    found.add(number, *place, position);
                }
            });
        }
        if let Some((keys, order)) = narrow {
            for place in sorted {
                search(
                    &fragments[place],
                    ids[0],
                    &keys,
                    &order,
                    |number, position| {
                        found.add(number, place, position);
                    },
                );
            }
            for (place, known) in in_order {
                (self.stop)()?;
                let there = search_file(self, place, &known, &keys, &order).await?;
                for (number, position) in there {
                    found.add(number, place, position);
                }
            }
        }
        Ok(Lookup { found, rest })
    }

    /// How each fragment is searched that may have one of the keys. `narrow` has keys of at most 64 bits, and their
    /// numbers in order.
    fn places(&self, narrow: Option<&(Vec<u64>, Vec<usize>)>, ids: &[ColumnId]) -> Places<'_> {
        let mut places = Places::default();
        let is_usable = |keys: &KeysFile| keys.columns == ids && !keys.is_damaged();
        let mut merged: HashMap<usize, Vec<usize>> = HashMap::new();
        let is_between = |first: u64, last: u64| {
            narrow.is_some_and(|(keys, order)| {
                let from = order.partition_point(|number| keys[*number] < first);
                order.get(from).is_some_and(|number| keys[*number] <= last)
            })
        };
        for place in self.overlapping(ids) {
            let fragment = &self.table.fragments[place].fragment;
            places.rows += u64::from(fragment.rows());
            match fragment.file() {
                None => match narrow.and_then(|_| keys_in_order(fragment, ids)) {
                    Some((first, last)) if is_between(first, last) => places.sorted.push(place),
                    Some(_) => {}
                    None => places.others.push(place),
                },
                Some(file) => {
                    let of_many = self.table.merged_keys.of(fragment.id);
                    let beside = file.keys.as_ref().filter(|_| of_many.is_none());
                    if let Some((number, _)) = of_many.filter(|(_, index)| is_usable(&index.file)) {
                        merged.entry(number).or_default().push(place);
                    } else if let Some(keys) = beside.filter(|keys| is_usable(keys)) {
                        places.with_index.push(Index {
                            keys,
                            merged: None,
                            places: vec![place],
                        });
                    } else {
                        match self.table.key_index.ordered(fragment.id, ids) {
                            Some(known) => places.in_order.push((place, known)),
                            None => places.others.push(place),
                        }
                    }
                }
            }
        }
        for (number, index) in self.table.merged_keys.iter().enumerate() {
            if let Some(there) = merged.remove(&number) {
                places.with_index.push(Index {
                    keys: &index.file,
                    merged: Some(&index.fragments),
                    places: there,
                });
            }
        }
        places
    }

    /// Looks keys up in the indexes in files. Returns those that cannot be used.
    async fn find_in_files<'a>(
        &self,
        indexes: Vec<Index<'a>>,
        wanted: &Wanted,
        found: &mut Found<'_>,
    ) -> Result<Vec<Index<'a>>, DfOlapError> {
        let keys: Vec<Arc<KeysFile>> = indexes.iter().map(|i| Arc::clone(i.keys)).collect();
        let searched = stream::iter(keys)
            .map(|keys| async move { self.store.find_keys(&keys, wanted).await })
            .buffered(FILES_AT_ONCE);
        futures::pin_mut!(searched);
        let mut unusable = Vec::new();
        for index in indexes {
            let there = searched.try_next().await?.flatten();
            (self.stop)()?;
            let Some(there) = there else {
                unusable.push(index);
                continue;
            };
            let Some(spans) = index.merged else {
                for (number, position) in there {
                    found.add(number as usize, index.places[0], position);
                }
                continue;
            };
            let id = |place: &usize| self.table.fragments[*place].fragment.id;
            let places = index.places.iter().map(|place| (id(place), *place));
            let places: HashMap<FragmentId, usize> = places.collect();
            for (number, row) in there {
                let (span, position) = spans.find(row);
                // The others are gone, or their range has none of the keys.
                if let Some(place) = places.get(&spans.id(span)) {
                    found.add(number as usize, *place, position);
                }
            }
        }
        Ok(unusable)
    }

    /// The number of a key that a live row has which is not among `dead`, and the places of the fragments that were not
    /// searched: [`first_read`](Self::first_read) reads them.
    pub async fn first_taken(
        &self,
        dead: &RoaringTreemap,
    ) -> Result<(Option<usize>, Vec<usize>), DfOlapError> {
        let digests = Digests::of(self.values, self.table.key_seed());
        let digests = digests.ok_or_else(|| DfOlapError::Other("keys without digests".into()))?;
        let lookup = self.lookup(digests, Missing::Made, false).await?;
        let is_taken = |addresses: &Vec<u64>| addresses.iter().any(|row| !dead.contains(*row));
        let taken = lookup.found.addresses.iter().position(is_taken);
        Ok((taken, lookup.rest))
    }

    /// The index in `keys` of a key that a live row of some fragments has which is not among `dead`. Reads all keys of
    /// the fragments.
    pub async fn first_read(
        &self,
        places: impl IntoIterator<Item = usize>,
        keys: &Digests,
        dead: &RoaringTreemap,
    ) -> Result<Option<usize>, DfOlapError> {
        let (wanted, ids) = (DigestSet::of(keys), self.ids());
        for place in places {
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
                return Ok(keys.index_of(&there, row));
            }
        }
        Ok(None)
    }

    /// Columns of the live rows that have one of the keys, and their addresses after them; `None` if a plan has to find
    /// them, or if they are more than `MAX_FOUND`.
    pub async fn rows(&self, columns: &[usize]) -> Result<Option<RecordBatch>, DfOlapError> {
        let are_none = self.values.first().is_none_or(|values| values.is_empty());
        let addresses = match are_none {
            true => Some(Vec::new()),
            false => self.addresses(Missing::MadeIfWorthwhile).await?,
        };
        let Some(addresses) = addresses else {
            return Ok(None);
        };
        let addresses: BTreeSet<u64> = addresses.into_iter().flatten().collect();
        if addresses.len() > MAX_FOUND {
            return Ok(None);
        }
        let addresses: Vec<u64> = addresses.into_iter().collect();
        let schema = with_row_address(&Arc::new(self.table.definition.schema.project(columns)?));
        if addresses.is_empty() {
            return Ok(Some(RecordBatch::new_empty(schema)));
        }
        let mut columns = read_rows(self.store, self.table, &addresses, columns).await?;
        columns.push(Arc::new(UInt64Array::from(addresses)));
        Ok(Some(RecordBatch::try_new(schema, columns)?))
    }
}

/// The fragments that may have one of the keys, by the way in which they are searched.
#[derive(Default)]
struct Places<'a> {
    /// In memory, with keys in order.
    sorted: Vec<usize>,
    /// In files with an index.
    with_index: Vec<Index<'a>>,
    /// In files with keys in order.
    in_order: Vec<(usize, Arc<OrderedKeys>)>,
    others: Vec<usize>,
    /// The rows of all of them.
    rows: u64,
}

/// An index in a file, and the places of the fragments for which it is needed.
struct Index<'a> {
    keys: &'a Arc<KeysFile>,
    /// The fragments whose rows it has; `None` for the index beside a file.
    merged: Option<&'a Spans>,
    places: Vec<usize>,
}

/// What a lookup found, and the places of the fragments that it did not search.
struct Lookup<'a> {
    found: Found<'a>,
    rest: Vec<usize>,
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
            // Segments may overlap.
            addresses.dedup();
        }
        self.addresses
    }
}
