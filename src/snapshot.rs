//! The data model: a database is a sequence of immutable [`Snapshot`]s.
//!
//! A snapshot names its tables and views; a [`Table`] is a definition and a list of immutable [`Fragment`]s, each with an
//! optional deletion vector (a Roaring bitmap of dead positions). Nothing here does I/O and nothing here changes: a writer
//! makes the next snapshot from this one (see [`crate::change`]), sharing all that stays.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::min_max::{MaxAccumulator, MinAccumulator};
use datafusion::logical_expr::Accumulator;
use roaring::RoaringBitmap;
use uuid::Uuid;

/// The number of a snapshot. Each committed change makes the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identity of a table or view: survives a rename, and a table created again under the same name has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RelationId(Uuid);

impl RelationId {
    pub(crate) fn fresh() -> Self {
        Self(Uuid::new_v4())
    }
}

/// Identity of a fragment, unique without asking anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FragmentId(Uuid);

/// Identity of a column within its table: survives a rename and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ColumnId(pub u32);

/// One state of the whole database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub version: Version,
    pub names: Arc<BTreeMap<String, RelationId>>,
    pub tables: BTreeMap<RelationId, Arc<Table>>,
    pub views: Arc<BTreeMap<RelationId, Arc<View>>>,
}

/// What a name stands for.
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
}

/// A view is its text, planned anew against the snapshot of each query.
#[derive(Debug)]
pub(crate) struct View {
    pub id: RelationId,
    /// The SELECT.
    pub query: String,
    /// `CREATE VIEW v (a, b)`: the names given to the columns, empty where none were.
    pub columns: Vec<String>,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub id: ColumnId,
    pub field: FieldRef,
    /// The SQL text of its DEFAULT.
    pub default: Option<String>,
    /// What rows have that were written before the column was added.
    pub initial: Option<ScalarValue>,
}

/// The shape of a table. A change of shape makes a new one and leaves the fragments alone.
#[derive(Debug, PartialEq)]
pub(crate) struct TableDefinition {
    pub columns: Vec<Column>,
    pub primary_key: Vec<ColumnId>,
    pub next_column: ColumnId,
    /// The columns as an Arrow schema, derived.
    pub schema: SchemaRef,
    /// The columns' ids in order, derived: a fragment that has the same needs no mapping.
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
            next_column,
        }
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
    /// Rows that are there, deleted ones not counted.
    pub rows: u64,
    /// The version that last added rows; a statement that decides by a row's absence conflicts with a later one.
    pub rows_added_at: Version,
}

impl Table {
    pub fn empty(id: RelationId, definition: Arc<TableDefinition>, version: Version) -> Self {
        Self {
            id,
            definition,
            fragments: Vec::new(),
            rows: 0,
            rows_added_at: version,
        }
    }
}

/// A fragment and which of its rows are dead, in one snapshot.
#[derive(Debug, Clone)]
pub(crate) struct LiveFragment {
    pub fragment: Arc<Fragment>,
    pub deleted: Option<Arc<RoaringBitmap>>,
}

impl LiveFragment {
    pub fn rows(&self) -> u64 {
        u64::from(self.fragment.rows()) - self.deleted.as_ref().map_or(0, |d| d.len())
    }

    /// True for each of `rows` positions from `start` on that is alive; `None` where all are.
    pub fn live_rows(&self, start: u32, rows: usize) -> Option<BooleanArray> {
        let deleted = self.deleted.as_ref()?;
        let end = start + rows as u32;
        if deleted.range_cardinality(start..end) == 0 {
            return None;
        }
        let mut keep = BooleanBufferBuilder::new(rows);
        keep.append_n(rows, true);
        for dead in deleted.range(start..end) {
            keep.set_bit((dead - start) as usize, false);
        }
        Some(BooleanArray::new(keep.finish(), None))
    }
}

/// Rows that were written together and never change.
#[derive(Debug)]
pub(crate) struct Fragment {
    pub id: FragmentId,
    /// The table's layout when the fragment was written.
    pub layout: Arc<[ColumnId]>,
    pub batches: Vec<RecordBatch>,
    rows: u32,
    ranges: Vec<OnceLock<Option<ValueRange>>>,
}

/// The least and greatest value of a column in a fragment, deleted rows included, and how many are NULL.
#[derive(Debug, Clone)]
pub(crate) struct ValueRange {
    pub min: ScalarValue,
    pub max: ScalarValue,
    pub nulls: u64,
}

impl Fragment {
    /// The most rows of one fragment: a deletion vector is then a single Roaring container, and a row's address fits.
    pub const MAX_ROWS: usize = 1 << 16;

    pub fn new(layout: Arc<[ColumnId]>, batches: Vec<RecordBatch>) -> Self {
        let rows = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        debug_assert!(rows <= Self::MAX_ROWS);
        Self {
            id: FragmentId(Uuid::new_v4()),
            ranges: layout.iter().map(|_| OnceLock::new()).collect(),
            layout,
            batches,
            rows: u32::try_from(rows).unwrap_or(u32::MAX),
        }
    }

    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The range of a column's values, worked out when first asked for; `None` where the column is younger than the
    /// fragment or its type has no order.
    pub fn range(&self, column: ColumnId) -> Option<&ValueRange> {
        let index = self.layout.iter().position(|id| *id == column)?;
        self.ranges[index]
            .get_or_init(|| ValueRange::of(self.batches.iter().map(|b| b.column(index))))
            .as_ref()
    }
}

impl ValueRange {
    /// `None` where there are no arrays or their type has no order that means the same everywhere.
    pub fn of<'a>(arrays: impl Iterator<Item = &'a ArrayRef> + Clone) -> Option<ValueRange> {
        let data_type = arrays.clone().next()?.data_type();
        if !has_cheap_order(data_type) {
            return None;
        }
        let mut min = MinAccumulator::try_new(data_type).ok()?;
        let mut max = MaxAccumulator::try_new(data_type).ok()?;
        let mut nulls = 0;
        for array in arrays {
            min.update_batch(std::slice::from_ref(array)).ok()?;
            max.update_batch(std::slice::from_ref(array)).ok()?;
            nulls += array.null_count() as u64;
        }
        Some(ValueRange {
            min: min.evaluate().ok()?,
            max: max.evaluate().ok()?,
            nulls,
        })
    }
}

/// Types whose comparison means the same everywhere. Floats are out: NaN has no agreed place among them.
fn has_cheap_order(data_type: &arrow::datatypes::DataType) -> bool {
    use arrow::datatypes::DataType;
    match data_type {
        DataType::Boolean
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(..)
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Decimal128(..)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View => true,
        other => other.is_integer(),
    }
}
