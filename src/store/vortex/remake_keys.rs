//! Makes an index of keys anew that is missing or damaged, from the data files.

use std::sync::Arc;

use uuid::Uuid;

use super::database::Database;
use super::keys::NewKeysFile;
use super::merge_keys::{Mergeable, Merged, merged};
use crate::error::DfOlapError;
use crate::fragment::{FragmentId, KeysFile};
use crate::key_index::digest::Digests;
use crate::key_index::key_set::has_no_null;
use crate::snapshot::{Snapshot, Table};

/// An index that is damaged.
pub(super) struct Damaged {
    keys: Arc<KeysFile>,
    is_merged: bool,
    /// The places of the fragments whose rows it has.
    places: Vec<usize>,
}

impl Database {
    /// An index of a table that is known to be damaged.
    pub(super) fn damaged_index(&self, table: &Table) -> Option<Damaged> {
        let key = &table.definition.primary_key;
        let is_damaged =
            |keys: &KeysFile| keys.is_damaged() && !keys.is_lost() && keys.columns == *key;
        let mut fragments = table.fragments.iter().enumerate();
        let (first, index) = fragments.find_map(|(place, live)| {
            let merged = table.merged_keys.of(live.fragment.id);
            let merged = merged.map(|(_, merged)| &merged.file);
            let beside = || live.fragment.file()?.keys.as_ref();
            let keys = merged.or_else(beside)?;
            is_damaged(keys).then_some((place, keys))
        })?;
        let of_index = |live: FragmentId| {
            let merged = table.merged_keys.of(live);
            merged.is_some_and(|(_, merged)| merged.file.id == index.id)
        };
        let is_merged = of_index(table.fragments[first].fragment.id);
        let fragments = table.fragments.iter().enumerate();
        let places = fragments.filter(|(place, live)| match is_merged {
            true => of_index(live.fragment.id),
            false => *place == first,
        });
        Some(Damaged {
            keys: Arc::clone(index),
            is_merged,
            places: places.map(|(place, _)| place).collect(),
        })
    }

    /// Makes one index of the fragments of a damaged one.
    pub(super) async fn remake_index(
        self: &Arc<Self>,
        snapshot: &Arc<Snapshot>,
        table: &Arc<Table>,
        damaged: Damaged,
    ) -> Result<Merged, DfOlapError> {
        let mut parts = Vec::with_capacity(damaged.places.len());
        let made = async {
            for place in &damaged.places {
                match self.index_of(table, *place).await? {
                    Some(part) => parts.push(part),
                    None => return Ok(None),
                }
            }
            merged(&self.scans.files, table, &parts).await.map(Some)
        };
        let made = made.await;
        // No version names them. What cannot be removed is for vacuum.
        for part in &parts {
            let _ = self.scans.files.remove(&part.keys.path).await;
        }
        let new = match made {
            Ok(Some(new)) => new,
            Ok(None) | Err(DfOlapError::Corrupt(_)) => {
                damaged.keys.set_lost();
                return Ok(Merged::Damaged);
            }
            Err(error) => return Err(error),
        };
        let old = Some(damaged.keys.id).filter(|_| damaged.is_merged);
        let old = old.into_iter().collect();
        self.commit_merged(snapshot, table, old, new).await
    }

    /// Writes the index of one fragment; `None` if its key has no digests.
    async fn index_of(
        &self,
        table: &Table,
        place: usize,
    ) -> Result<Option<Mergeable>, DfOlapError> {
        let fragment = &table.fragments[place].fragment;
        let key = &table.definition.primary_key;
        let read = self.scans.read_columns(table, place, key, None).await?;
        let mut digests = None;
        for columns in read.into_iter().flatten() {
            let of_batch = Digests::of(&columns, table.key_seed());
            match of_batch.filter(|_| columns.iter().all(has_no_null)) {
                Some(of_batch) => of_batch.gather(&mut digests),
                None => return Ok(None),
            }
        }
        let is_whole = |digests: &Digests| digests.len() == fragment.rows() as usize;
        let Some(digests) = digests.filter(is_whole) else {
            return Ok(None);
        };
        let id = FragmentId(Uuid::new_v4());
        let path = KeysFile::path_of(table.id, id);
        let file = NewKeysFile::create(&self.scans.files, id, path).await?;
        let keys = file
            .write_all(digests, table.key_seed(), key.clone())
            .await?;
        Ok(Some(Mergeable::of_one(Arc::new(keys), fragment)))
    }
}
