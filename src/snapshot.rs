//! The data model: a database is a sequence of immutable [`Snapshot`]s.
//!
//! A snapshot names its tables and views; a [`Table`] is a definition and a list of immutable [`Fragment`]s, each with
//! an optional deletion vector (a Roaring bitmap of dead positions). This module does no I/O, and its values are
//! immutable: a writer builds the next snapshot from the current one (see [`crate::change`]) and shares the unchanged
//! parts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::fragment::{ColumnId, KeysFile, LiveFragment};
use crate::key_index::KeyIndex;
use crate::key_index::merged::MergedIndexes;

/// The number of a snapshot; each commit increments it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far the changes of a source are applied: see
/// [`apply_changes`](crate::DataFusionEngine::apply_changes).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Watermark {
    /// The sequence number up to which all changes of the source are applied.
    pub seq: u64,
    /// What the caller gave as [`position`](crate::Changes::position) with these changes.
    pub position: Option<Vec<u8>>,
    /// The version that set the watermark.
    pub version: Version,
}

impl Watermark {
    /// The most bytes of a position.
    pub(crate) const MAX_POSITION_BYTES: usize = 4096;
    /// The most bytes of the name of a source.
    pub(crate) const MAX_SOURCE_BYTES: usize = 255;
}

/// Identity of a table or view: stable across renames; a table recreated under the same name has a new identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RelationId(pub Uuid);

impl RelationId {
    pub(crate) fn fresh() -> Self {
        Self(Uuid::new_v4())
    }
}

/// One state of the whole database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub version: Version,
    /// The oldest retained version.
    pub oldest: Version,
    /// Folders of older versions of this crate that were adopted; a folder is adopted only once.
    pub adopted: Arc<BTreeSet<String>>,
    /// By the name of the source.
    pub watermarks: Arc<BTreeMap<String, Watermark>>,
    pub names: Arc<BTreeMap<String, RelationId>>,
    pub tables: BTreeMap<RelationId, Arc<Table>>,
    pub views: Arc<BTreeMap<RelationId, Arc<View>>>,
}

/// A relation: a table or a view.
#[derive(Debug, Clone)]
pub(crate) enum Relation {
    Table(Arc<Table>),
    View(Arc<View>),
}

impl Snapshot {
    pub fn relation(&self, name: &str) -> Option<Relation> {
        let id = self.names.get(name)?;
        if let Some(table) = self.tables.get(id) {
            return Some(Relation::Table(Arc::clone(table)));
        }
        self.views.get(id).cloned().map(Relation::View)
    }

    pub fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.tables.get(self.names.get(name)?).cloned()
    }

    /// A table by the name in an API call: as given, or else in lower case, as SQL reads unquoted names.
    pub fn table_named(&self, name: &str) -> Option<(String, Arc<Table>)> {
        let lower = name.to_ascii_lowercase();
        let mut names = [name, lower.as_str()].into_iter();
        names.find_map(|name| Some((name.to_string(), self.table(name)?)))
    }

    /// The sequence number of a source's watermark.
    pub fn watermark(&self, source: &str) -> Option<u64> {
        self.watermarks.get(source).map(|watermark| watermark.seq)
    }
}

/// A view: its SQL text, which each query plans against its own snapshot.
#[derive(Debug)]
pub(crate) struct View {
    pub id: RelationId,
    /// The SELECT.
    pub query: String,
    /// The column names of `CREATE VIEW v (a, b)`, empty if the statement names none.
    pub columns: Vec<String>,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub id: ColumnId,
    pub field: FieldRef,
    /// The SQL text of the column's DEFAULT.
    pub default: Option<String>,
    /// The value of rows that were written before the column was added.
    pub initial: Option<ScalarValue>,
}

/// The columns and key of a table. ALTER TABLE makes a new definition and leaves the fragments unchanged.
#[derive(Debug, PartialEq)]
pub(crate) struct TableDefinition {
    pub columns: Vec<Column>,
    pub primary_key: Vec<ColumnId>,
    /// Whether no two rows may have the same key. Otherwise it is the program's word.
    pub enforces_key: bool,
    pub next_column: ColumnId,
    /// The columns as an Arrow schema, derived.
    pub schema: SchemaRef,
    /// The column ids in order, derived. A fragment with the same layout needs no column mapping.
    pub layout: Arc<[ColumnId]>,
}

impl TableDefinition {
    pub fn new(columns: Vec<Column>, primary_key: Vec<ColumnId>, next_column: ColumnId) -> Self {
        let fields: Vec<FieldRef> = columns.iter().map(|c| Arc::clone(&c.field)).collect();
        Self {
            schema: Arc::new(Schema::new(fields)),
            layout: columns.iter().map(|c| c.id).collect(),
            columns,
            primary_key,
            enforces_key: false,
            next_column,
        }
    }

    pub fn enforcing_key(mut self, enforces_key: bool) -> Self {
        self.enforces_key = enforces_key;
        self
    }

    /// Columns `fields`, numbered in order, no defaults.
    pub fn from_fields(fields: &[FieldRef], primary_key: Vec<ColumnId>) -> Self {
        let columns: Vec<Column> = (0u32..)
            .zip(fields)
            .map(|(id, field)| Column {
                id: ColumnId(id),
                field: Arc::clone(field),
                default: None,
                initial: None,
            })
            .collect();
        let next = ColumnId(u32::try_from(columns.len()).unwrap_or(u32::MAX));
        Self::new(columns, primary_key, next)
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.field.name() == name)
    }

    /// The name of the column that a name from another database means, where case may count for nothing: the column of
    /// this name, or else the only one that is equal but for the case. Without such a column it is the name itself.
    pub fn name_meant<'a>(&'a self, name: &'a str) -> &'a str {
        if self.column(name).is_some() {
            return name;
        }
        let names = self
            .columns
            .iter()
            .map(|column| column.field.name().as_str());
        let mut equal = names.filter(|there| there.eq_ignore_ascii_case(name));
        match (equal.next(), equal.next()) {
            (Some(one), None) => one,
            _ => name,
        }
    }

    /// The positions of the primary key's columns.
    pub fn key_indices(&self) -> Vec<usize> {
        self.primary_key
            .iter()
            .filter_map(|id| self.columns.iter().position(|c| c.id == *id))
            .collect()
    }
}

/// One state of a table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub id: RelationId,
    pub definition: Arc<TableDefinition>,
    pub fragments: Vec<LiveFragment>,
    /// The number of live rows.
    pub rows: u64,
    /// The version that last added rows. A statement that depends on the absence of a row conflicts if it has changed.
    pub rows_added_at: Version,
    /// The index of the table's keys, shared by all of its versions.
    pub key_index: Arc<KeyIndex>,
    /// The indexes of the keys of several files each.
    pub merged_keys: Arc<MergedIndexes>,
}

impl Table {
    pub fn empty(id: RelationId, definition: Arc<TableDefinition>, version: Version) -> Self {
        Self {
            id,
            definition,
            fragments: Vec::new(),
            rows: 0,
            rows_added_at: version,
            key_index: Arc::default(),
            merged_keys: Arc::default(),
        }
    }

    /// The indexes of keys in files that are in use: those beside files, but of files that a merged index covers.
    pub fn keys_files(&self) -> impl Iterator<Item = &Arc<KeysFile>> {
        let files = self.fragments.iter().filter_map(|live| {
            let keys = live.fragment.file()?.keys.as_ref()?;
            let is_merged = self.merged_keys.of(live.fragment.id).is_some();
            (!is_merged).then_some(keys)
        });
        files.chain(self.merged_keys.iter().map(|merged| &merged.file))
    }

    /// Drops the merged indexes of which no fragment is left.
    pub fn drop_dead_indexes(&mut self) {
        if self.merged_keys.iter().next().is_some() {
            let left = self.merged_keys.living(&self.fragments);
            if let Some(left) = left {
                self.merged_keys = Arc::new(left);
            }
        }
    }

    /// The seed of the digests of the table's keys. Ids are random, so nobody can choose keys that meet in one bucket.
    pub fn key_seed(&self) -> u64 {
        xxh3_64(self.id.0.as_bytes())
    }
}

/// The address of the row at `position` of the fragment at index `place` in a table's list, valid in one snapshot.
pub(crate) fn row_address(place: usize, position: u32) -> u64 {
    ((place as u64) << 32) | u64::from(position)
}
