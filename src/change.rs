//! [`ChangeSet`]: the actions of a transaction, and when two transactions conflict.
//!
//! A change set is a list of actions against a base snapshot. [`ChangeSet::apply`] applies the actions to that snapshot
//! or to any later one, or returns a [`Conflict`]: appends commute, deletions of different rows commute, and a rewrite
//! of fragments accepts deletions that were committed before it. After a conflict the statement runs again on the newer
//! snapshot. A batch of statements makes one change set: each statement runs on the result of the previous statements,
//! and all actions are kept.

mod replace;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use roaring::{RoaringBitmap, RoaringTreemap};

use self::replace::replace;
use crate::fragment::{Fragment, FragmentId, LiveFragment};
use crate::key_index::key_set::KeySet;
use crate::key_index::merged::MergedKeys;
use crate::snapshot::{RelationId, Snapshot, Table, TableDefinition, Version, View, Watermark};

/// One step of a change.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    CreateTable {
        name: String,
        id: RelationId,
        definition: Arc<TableDefinition>,
    },
    CreateView {
        name: String,
        view: Arc<View>,
    },
    Drop {
        id: RelationId,
    },
    Rename {
        id: RelationId,
        to: String,
    },
    /// A new definition of a table; the fragments stay.
    Define {
        id: RelationId,
        definition: Arc<TableDefinition>,
    },
    /// New rows, written with the columns of `definition`.
    Append {
        id: RelationId,
        definition: Arc<TableDefinition>,
        fragments: Vec<Arc<Fragment>>,
    },
    /// Rows of a fragment to delete, without the rows that were deleted before.
    Delete {
        id: RelationId,
        fragment: FragmentId,
        rows: RoaringBitmap,
    },
    /// Replaces the fragments `old` by `new`, which hold the live rows of `old` in the same order. Rows that were
    /// deleted meanwhile are deleted in `new` too.
    Replace {
        id: RelationId,
        old: Vec<Replaced>,
        new: Vec<Arc<Fragment>>,
    },
    /// Puts one index of keys in the place of some, and of those beside the files of its fragments.
    MergeIndexes {
        id: RelationId,
        old: Vec<FragmentId>,
        new: Arc<MergedKeys>,
    },
    /// Deletes all rows of a table.
    Truncate {
        id: RelationId,
    },
    /// Marks a folder that an older version of this crate wrote as adopted: its files are fragments of a table now.
    Adopt {
        folder: String,
    },
    /// Versions before this one are no longer retained.
    Forget {
        before: Version,
    },
    /// Sets how far the changes of a source are applied; `None` removes the watermark.
    SetWatermark {
        source: String,
        seq: Option<u64>,
        position: Option<Vec<u8>>,
    },
    /// Conflicts if rows were added since the base: for statements that depend on the absence of a row.
    NoNewRows {
        id: RelationId,
    },
    /// Conflicts if a row with one of these keys was added since the base: for statements that depend on the absence of
    /// the keys of their new rows.
    NoNewKeys {
        id: RelationId,
        keys: Arc<KeySet>,
    },
    /// Conflicts if the watermark of a source is not `seq`: for changes of which some were applied before.
    WatermarkIs {
        source: String,
        seq: Option<u64>,
    },
}

/// A fragment whose live rows are rewritten to new fragments.
#[derive(Debug, Clone)]
pub(crate) struct Replaced {
    pub fragment: FragmentId,
    /// The number of live rows when the fragment was read.
    pub rows: u64,
    pub deleted: Option<Arc<RoaringBitmap>>,
}

impl From<&LiveFragment> for Replaced {
    fn from(live: &LiveFragment) -> Self {
        Self {
            fragment: live.fragment.id,
            rows: live.rows(),
            deleted: live.deleted.clone(),
        }
    }
}

/// A change that becomes visible as a whole or not at all.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeSet {
    pub actions: Vec<Action>,
}

/// The reason why a change cannot be applied on top of the commits since its base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict(pub &'static str);

/// So few rows are added to a deletion vector one by one.
const FEW_ROWS: u64 = 64;

impl ChangeSet {
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Whether it adds fragments that are stored in files.
    pub fn adds_files(&self) -> bool {
        self.actions.iter().any(|action| match action {
            Action::Append { fragments, .. } => fragments.iter().any(|f| f.file().is_some()),
            _ => false,
        })
    }

    /// The size of the change's in-memory rows and deletion vectors, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        let actions = self.actions.iter().map(|action| match action {
            Action::Append { fragments, .. } => fragments
                .iter()
                .map(|fragment| fragment.memory_bytes())
                .sum(),
            Action::Delete { rows, .. } => rows.serialized_size() as u64,
            _ => 0,
        });
        actions.sum()
    }

    /// The snapshot after this change, applied on top of `current`, which is `base` or a later snapshot.
    pub fn apply(&self, base: &Snapshot, current: &Snapshot) -> Result<Snapshot, Conflict> {
        self.apply_as(Version(current.version.0 + 1), base, current)
    }

    /// Like [`apply`](Self::apply), for several change sets in one commit: the result has `version`, and so has
    /// `current` after the first change set.
    pub fn apply_as(
        &self,
        version: Version,
        base: &Snapshot,
        current: &Snapshot,
    ) -> Result<Snapshot, Conflict> {
        let mut next = Next {
            base,
            current,
            version,
            snapshot: current.clone(),
            shrunk: BTreeSet::new(),
        };
        for action in &self.actions {
            next.apply(action)?;
        }
        for id in std::mem::take(&mut next.shrunk) {
            if let Ok(table) = next.table(id) {
                table.drop_dead_indexes();
            }
        }
        next.snapshot.version = next.version;
        Ok(next.snapshot)
    }
}

/// The next snapshot in progress. The difference of `base` and `current` shows the changes of others; `snapshot` is
/// `current` with the actions of this change so far.
struct Next<'a> {
    base: &'a Snapshot,
    current: &'a Snapshot,
    version: Version,
    snapshot: Snapshot,
    /// The tables that lost fragments.
    shrunk: BTreeSet<RelationId>,
}

impl Next<'_> {
    fn apply(&mut self, action: &Action) -> Result<(), Conflict> {
        match action {
            Action::CreateTable {
                name,
                id,
                definition,
            } => {
                self.unused(*id)?;
                self.claim(name, *id)?;
                let table = Table::empty(*id, Arc::clone(definition), self.version);
                self.snapshot.tables.insert(*id, Arc::new(table));
            }
            Action::CreateView { name, view } => {
                self.unused(view.id)?;
                self.claim(name, view.id)?;
                Arc::make_mut(&mut self.snapshot.views).insert(view.id, Arc::clone(view));
            }
            Action::Drop { id } => {
                // The change may have copied the table's rows elsewhere before the drop; rows added since would be
                // lost.
                self.unchanged_rows(*id)?;
                self.unchanged_name(*id)?;
                let name = self.name_of(*id)?;
                Arc::make_mut(&mut self.snapshot.names).remove(&name);
                if self.snapshot.tables.remove(id).is_none() {
                    Arc::make_mut(&mut self.snapshot.views).remove(id);
                }
            }
            Action::Rename { id, to } => {
                self.unchanged_name(*id)?;
                let name = self.name_of(*id)?;
                self.claim(to, *id)?;
                Arc::make_mut(&mut self.snapshot.names).remove(&name);
            }
            Action::Define { id, definition } => {
                self.unchanged_definition(*id)?;
                self.table(*id)?.definition = Arc::clone(definition);
            }
            Action::Append {
                id,
                definition,
                fragments,
            } => {
                let version = self.version;
                let table = self.table(*id)?;
                if !same(&table.definition, definition) {
                    return Err(Conflict("the table's columns were changed"));
                }
                table.rows += fragments.iter().map(|f| u64::from(f.rows())).sum::<u64>();
                table.rows_added_at = version;
                let added = fragments.iter().cloned();
                table.fragments.extend(added.map(LiveFragment::from));
            }
            Action::Delete { id, fragment, rows } => {
                let table = self.table(*id)?;
                let live = table
                    .fragments
                    .iter_mut()
                    .find(|live| live.fragment.id == *fragment)
                    .ok_or(Conflict("the rows were rewritten"))?;
                if rows.max().is_some_and(|last| last >= live.fragment.rows()) {
                    return Err(Conflict("the rows are not there"));
                }
                let dead = match &live.deleted {
                    None => rows.clone(),
                    // A few rows are added one by one: other ways go through all that are deleted.
                    Some(before) if rows.len() <= FEW_ROWS => {
                        let mut dead = before.as_ref().clone();
                        if !rows.iter().all(|row| dead.insert(row)) {
                            return Err(Conflict("the same rows were changed"));
                        }
                        dead
                    }
                    Some(before) if before.is_disjoint(rows) => before.as_ref() | rows,
                    Some(_) => return Err(Conflict("the same rows were changed")),
                };
                live.deleted = Some(Arc::new(dead));
                table.rows -= rows.len();
                if live.rows() == 0 {
                    table.fragments.retain(|live| live.fragment.id != *fragment);
                    self.shrunk.insert(*id);
                }
            }
            Action::Replace { id, old, new } => {
                let table = self.table(*id)?;
                replace(&mut table.fragments, old, new)?;
                self.shrunk.insert(*id);
            }
            Action::MergeIndexes { id, old, new } => {
                let table = self.table(*id)?;
                let merged = table.merged_keys.with(new, old, &table.fragments);
                let merged = merged.ok_or(Conflict("the indexes of keys were changed"))?;
                table.merged_keys = Arc::new(merged);
            }
            Action::Truncate { id } => {
                self.unchanged_rows(*id)?;
                let table = self.table(*id)?;
                table.fragments.clear();
                table.rows = 0;
                self.shrunk.insert(*id);
            }
            Action::Adopt { folder } => {
                let adopted = Arc::make_mut(&mut self.snapshot.adopted);
                if !adopted.insert(folder.clone()) {
                    return Err(Conflict("the folder was taken over"));
                }
            }
            Action::Forget { before } => {
                self.snapshot.oldest = self.snapshot.oldest.max(*before);
            }
            Action::SetWatermark {
                source,
                seq,
                position,
            } => {
                let watermarks = Arc::make_mut(&mut self.snapshot.watermarks);
                match seq {
                    None => watermarks.remove(source),
                    Some(seq) => watermarks.insert(
                        source.clone(),
                        Watermark {
                            seq: *seq,
                            position: position.clone(),
                            version: self.version,
                        },
                    ),
                };
            }
            Action::WatermarkIs { source, seq } => {
                if self.snapshot.watermark(source) != *seq {
                    return Err(Conflict("changes of the source were applied"));
                }
            }
            Action::NoNewKeys { id, keys } => {
                if let (Some(base), Some(current)) = self.base_and_current(*id)
                    && base.rows_added_at != current.rows_added_at
                    && keys.may_meet(added_since(base, current))
                {
                    return Err(Conflict("rows with the same keys were added to the table"));
                }
            }
            Action::NoNewRows { id } => {
                if let (Some(base), Some(current)) = self.base_and_current(*id)
                    && base.rows_added_at != current.rows_added_at
                {
                    return Err(Conflict("rows were added to the table"));
                }
            }
        }
        Ok(())
    }

    /// The table for modification, copied on first write.
    fn table(&mut self, id: RelationId) -> Result<&mut Table, Conflict> {
        self.snapshot
            .tables
            .get_mut(&id)
            .map(Arc::make_mut)
            .ok_or(Conflict("the table was dropped"))
    }

    /// Fails if a table or view has the id, which only a damaged log asks for.
    fn unused(&self, id: RelationId) -> Result<(), Conflict> {
        let is_used =
            self.snapshot.tables.contains_key(&id) || self.snapshot.views.contains_key(&id);
        match is_used {
            true => Err(Conflict("the id was taken")),
            false => Ok(()),
        }
    }

    fn claim(&mut self, name: &str, id: RelationId) -> Result<(), Conflict> {
        match Arc::make_mut(&mut self.snapshot.names).insert(name.to_string(), id) {
            None => Ok(()),
            Some(_) => Err(Conflict("the name was taken")),
        }
    }

    fn name_of(&self, id: RelationId) -> Result<String, Conflict> {
        name_in(&self.snapshot, id)
            .map(str::to_string)
            .ok_or(Conflict("the table was dropped"))
    }

    /// The table in the base snapshot and in the current snapshot.
    fn base_and_current(&self, id: RelationId) -> (Option<&Table>, Option<&Table>) {
        (
            self.base.tables.get(&id).map(Arc::as_ref),
            self.current.tables.get(&id).map(Arc::as_ref),
        )
    }

    /// Fails if the table or view was renamed since the base.
    fn unchanged_name(&self, id: RelationId) -> Result<(), Conflict> {
        match (name_in(self.base, id), name_in(self.current, id)) {
            (Some(base), Some(current)) if base != current => {
                Err(Conflict("the table was renamed"))
            }
            _ => Ok(()),
        }
    }

    /// Fails if the table's definition was changed since the base.
    fn unchanged_definition(&self, id: RelationId) -> Result<(), Conflict> {
        match self.base_and_current(id) {
            (Some(base), Some(current)) if !same(&base.definition, &current.definition) => {
                Err(Conflict("the table's columns were changed"))
            }
            _ => Ok(()),
        }
    }

    /// Fails if rows were added to or removed from the table since the base.
    fn unchanged_rows(&self, id: RelationId) -> Result<(), Conflict> {
        match self.base_and_current(id) {
            (Some(base), Some(current))
                if base.rows != current.rows || base.rows_added_at != current.rows_added_at =>
            {
                Err(Conflict("the table's rows were changed"))
            }
            _ => Ok(()),
        }
    }
}

/// The fragments of a table that were added since the base, by appends or rewrites.
fn added_since<'a>(
    base: &Table,
    current: &'a Table,
) -> impl Iterator<Item = &'a LiveFragment> + use<'a> {
    let known: HashSet<FragmentId> = base.fragments.iter().map(|live| live.fragment.id).collect();
    let fragments = current.fragments.iter();
    fragments.filter(move |live| !known.contains(&live.fragment.id))
}

fn name_in(snapshot: &Snapshot, id: RelationId) -> Option<&str> {
    let mut names = snapshot.names.iter();
    names
        .find(|(_, named)| **named == id)
        .map(|(name, _)| name.as_str())
}

fn same(a: &Arc<TableDefinition>, b: &Arc<TableDefinition>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

/// Turns row addresses into deletions. The upper half of an address is the index of the fragment in `table`, the lower
/// half the position of the row in the fragment.
pub(crate) fn deletions(table: &Table, addresses: &RoaringTreemap) -> Vec<Action> {
    let mut by_fragment = BTreeMap::new();
    for (place, rows) in addresses.bitmaps() {
        by_fragment.insert(place, rows.clone());
    }
    by_fragment
        .into_iter()
        .filter_map(|(place, rows)| {
            let live = table.fragments.get(place as usize)?;
            Some(Action::Delete {
                id: table.id,
                fragment: live.fragment.id,
                rows,
            })
        })
        .collect()
}
