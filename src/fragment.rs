//! [`Fragment`]: an immutable set of rows that were written together. [`LiveFragment`] adds the deletion vector that a
//! fragment has in one snapshot.
//!
//! A fragment's rows are Arrow batches in memory, or lie in a file that only the store can read. The metadata here (row
//! count, columns, value ranges) is the same for both.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::min_max::{MaxAccumulator, MinAccumulator};
use datafusion::logical_expr::Accumulator;
use roaring::RoaringBitmap;
use uuid::Uuid;

/// Identity of a fragment: a random UUID, unique without coordination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FragmentId(pub Uuid);

impl FragmentId {
    pub fn fresh() -> Self {
        Self(Uuid::new_v4())
    }
}

/// Identity of a column within its table: stable across renames, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ColumnId(pub u32);

/// A fragment and its deletion vector in one snapshot.
#[derive(Debug, Clone)]
pub(crate) struct LiveFragment {
    pub fragment: Arc<Fragment>,
    pub deleted: Option<Arc<RoaringBitmap>>,
}

impl From<Arc<Fragment>> for LiveFragment {
    fn from(fragment: Arc<Fragment>) -> Self {
        Self {
            fragment,
            deleted: None,
        }
    }
}

impl LiveFragment {
    pub fn rows(&self) -> u64 {
        u64::from(self.fragment.rows()) - self.deleted.as_ref().map_or(0, |d| d.len())
    }

    /// The mask of the live rows among `rows` positions from `start` on; `None` if all are live.
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

    /// The live rows of a fragment in memory; empty for a fragment in a file.
    pub fn live_batches(&self) -> Result<Vec<RecordBatch>, ArrowError> {
        let mut offset = 0u32;
        let mut batches = Vec::new();
        for batch in self.fragment.batches() {
            let kept = match self.live_rows(offset, batch.num_rows()) {
                Some(keep) => filter_record_batch(batch, &keep)?,
                None => batch.clone(),
            };
            offset += batch.num_rows() as u32;
            if kept.num_rows() > 0 {
                batches.push(kept);
            }
        }
        Ok(batches)
    }

    /// The live rows of several fragments of one layout, all in memory, as one fragment.
    pub fn merge(fragments: &[Self], id: FragmentId) -> Result<Self, ArrowError> {
        let mut batches = Vec::new();
        for live in fragments {
            batches.extend(live.live_batches()?);
        }
        let mut merged = Vec::new();
        for group in by_bytes(&batches)? {
            merged.push(compact_views(concat_batches(&group[0].schema(), group)?)?);
        }
        let layout = fragments
            .first()
            .map(|live| Arc::clone(&live.fragment.layout));
        Ok(Arc::new(Fragment::with_id(id, layout.unwrap_or_default(), merged)).into())
    }
}

/// Batches that become one have no more of [`bounded_bytes`] than this.
pub(crate) const MAX_BATCH_BYTES: usize = 256 << 20;

/// What a batch has in arrays with offsets of 32 bits, which hold no more than 2 Gi: bytes of texts and binaries that
/// are no views, and elements of lists.
pub(crate) fn bounded_bytes(batch: &RecordBatch) -> Result<usize, ArrowError> {
    let columns = batch.columns().iter();
    columns.map(|column| bounded_bytes_of(column)).sum()
}

fn bounded_bytes_of(array: &dyn Array) -> Result<usize, ArrowError> {
    let span = |offsets: &[i32]| match offsets {
        [first, .., last] => (*first as usize, (last - first) as usize),
        _ => (0, 0),
    };
    Ok(match array.data_type() {
        DataType::Utf8 => span(array.as_string::<i32>().value_offsets()).1,
        DataType::Binary => span(array.as_binary::<i32>().value_offsets()).1,
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (first, elements) = span(list.value_offsets());
            elements + bounded_bytes_of(&list.values().slice(first, elements))?
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let (first, elements) = span(map.value_offsets());
            elements + bounded_bytes_of(&map.entries().slice(first, elements))?
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns
                .map(|column| bounded_bytes_of(column))
                .sum::<Result<_, _>>()?
        }
        DataType::FixedSizeList(_, _) => bounded_bytes_of(array.as_fixed_size_list().values())?,
        other if other.is_primitive() => 0,
        DataType::Boolean | DataType::Utf8View | DataType::BinaryView => 0,
        _ => array.to_data().get_slice_memory_size()?,
    })
}

/// Adjacent batches in groups of at most [`MAX_BATCH_BYTES`]; a batch with more is a group.
pub(crate) fn by_bytes(batches: &[RecordBatch]) -> Result<Vec<&[RecordBatch]>, ArrowError> {
    let mut groups = Vec::new();
    let (mut from, mut held) = (0, 0);
    for (at, batch) in batches.iter().enumerate() {
        let bytes = bounded_bytes(batch)?;
        if at > from && held + bytes > MAX_BATCH_BYTES {
            groups.push(&batches[from..at]);
            (from, held) = (at, 0);
        }
        held += bytes;
    }
    if from < batches.len() {
        groups.push(&batches[from..]);
    }
    Ok(groups)
}

/// Compacts view arrays, which share the buffers of the batches that they were sliced from, to the bytes in use.
pub(crate) fn compact_views(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()) as ArrayRef,
            _ => Arc::clone(column),
        })
        .collect();
    RecordBatch::try_new(batch.schema(), columns)
}

/// Rows that were written together and never change.
#[derive(Debug)]
pub(crate) struct Fragment {
    pub id: FragmentId,
    /// The table's layout when the fragment was written.
    pub layout: Arc<[ColumnId]>,
    content: Content,
    rows: u32,
    ranges: Vec<OnceLock<Option<ValueRange>>>,
    /// The column that was first asked for whether its values ascend, and if they do, the first and the last of them.
    ascending: OnceLock<(ColumnId, Option<(u64, u64)>)>,
    memory_bytes: OnceLock<u64>,
}

#[derive(Debug)]
enum Content {
    Rows(Vec<RecordBatch>),
    File(DataFile),
}

/// A file that holds the rows of a fragment.
#[derive(Debug)]
pub(crate) struct DataFile {
    /// Relative to the database's location, with `/` as separator.
    pub path: String,
    pub size_bytes: u64,
    /// The names of the fragment's columns in the file, in the order of its layout.
    pub names: Arc<[String]>,
    pub checksums: Checksums,
    /// The index of the keys of its rows, in a file beside it.
    pub keys: Option<Arc<KeysFile>>,
    /// It was ended because of its bytes, so that it may have few rows and is not small.
    pub is_full: bool,
}

/// A file with an index of the keys of rows, deleted rows included.
#[derive(Debug)]
pub(crate) struct KeysFile {
    /// The fragment that has the rows; an id of its own, if several have them.
    pub id: FragmentId,
    /// Relative to the database's location.
    pub path: String,
    pub rows: u32,
    /// The columns of the key.
    pub columns: Vec<ColumnId>,
    /// The number of pages.
    pub pages: u32,
    /// The XXH3-64 of the directory of the pages.
    pub checksum: u64,
    is_damaged: AtomicBool,
    is_lost: AtomicBool,
}

impl KeysFile {
    pub fn new(
        (id, path): (FragmentId, String),
        rows: u32,
        columns: Vec<ColumnId>,
        pages: u32,
        checksum: u64,
    ) -> Self {
        Self {
            id,
            path,
            rows,
            columns,
            pages,
            checksum,
            is_damaged: AtomicBool::new(false),
            is_lost: AtomicBool::new(false),
        }
    }

    /// The path of the index of a data file.
    pub fn path_beside(data_file: &str) -> String {
        let stem = data_file.strip_suffix(".vortex").unwrap_or(data_file);
        format!("{stem}.keys")
    }

    /// Whether it was found to be missing or damaged.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    pub fn set_damaged(&self) {
        self.is_damaged.store(true, Ordering::Relaxed);
    }

    /// Whether it was found that it cannot be made anew: a data file is damaged too.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    pub fn set_lost(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
    }
}

/// The XXH3-64 checksum of each block of a file, and which blocks were verified since the file was first opened.
#[derive(Debug)]
pub(crate) struct Checksums {
    /// The length of a block; the last one may be shorter.
    block_bytes: u32,
    sums: Box<[u64]>,
    checked: Box<[AtomicBool]>,
}

impl Checksums {
    pub fn new(block_bytes: u32, sums: Vec<u64>) -> Self {
        Self {
            block_bytes,
            checked: sums.iter().map(|_| AtomicBool::new(false)).collect(),
            sums: sums.into(),
        }
    }

    pub fn block_bytes(&self) -> u32 {
        self.block_bytes
    }

    pub fn sums(&self) -> &[u64] {
        &self.sums
    }

    /// True if there is a checksum for each block of a file of this size.
    pub fn cover(&self, size_bytes: u64) -> bool {
        self.block_bytes > 0
            && size_bytes.div_ceil(u64::from(self.block_bytes)) == self.sums.len() as u64
    }

    pub fn is_checked(&self, block: usize) -> bool {
        let checked = self.checked.get(block);
        checked.is_some_and(|checked| checked.load(Ordering::Relaxed))
    }

    pub fn set_checked(&self, block: usize) {
        if let Some(checked) = self.checked.get(block) {
            checked.store(true, Ordering::Relaxed);
        }
    }
}

/// The minimum, maximum and NULL count of a column in a fragment, deleted rows included.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueRange {
    pub min: ScalarValue,
    pub max: ScalarValue,
    pub nulls: u64,
}

impl Fragment {
    /// The maximum number of rows of a fragment in memory, so that a deletion vector is a single Roaring container and
    /// a row's position fits into its address.
    pub const MAX_ROWS: usize = 1 << 16;

    pub fn new(layout: Arc<[ColumnId]>, batches: Vec<RecordBatch>) -> Self {
        Self::with_id(FragmentId::fresh(), layout, batches)
    }

    pub fn with_id(id: FragmentId, layout: Arc<[ColumnId]>, batches: Vec<RecordBatch>) -> Self {
        let rows = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        debug_assert!(rows <= Self::MAX_ROWS);
        Self {
            id,
            ranges: layout.iter().map(|_| OnceLock::new()).collect(),
            layout,
            content: Content::Rows(batches),
            rows: u32::try_from(rows).unwrap_or(u32::MAX),
            ascending: OnceLock::new(),
            memory_bytes: OnceLock::new(),
        }
    }

    /// A fragment in a file, with the value range of each column of its layout, if known.
    pub fn in_file(
        id: FragmentId,
        layout: Arc<[ColumnId]>,
        rows: u32,
        file: DataFile,
        ranges: Vec<Option<ValueRange>>,
    ) -> Self {
        Self {
            id,
            layout,
            content: Content::File(file),
            rows,
            ranges: ranges.into_iter().map(OnceLock::from).collect(),
            ascending: OnceLock::new(),
            memory_bytes: OnceLock::new(),
        }
    }

    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The rows of a fragment in memory; empty for a fragment in a file.
    pub fn batches(&self) -> &[RecordBatch] {
        match &self.content {
            Content::Rows(batches) => batches,
            Content::File(_) => &[],
        }
    }

    /// The size of in-memory rows in bytes.
    pub fn memory_bytes(&self) -> u64 {
        *self.memory_bytes.get_or_init(|| {
            let batches = self.batches().iter();
            batches
                .map(|batch| batch.get_array_memory_size() as u64)
                .sum()
        })
    }

    /// The first and the last value of a column, as numbers of the same order, if its values ascend, which `compute`
    /// finds out.
    pub fn ascending(
        &self,
        column: ColumnId,
        compute: impl Fn() -> Option<(u64, u64)>,
    ) -> Option<(u64, u64)> {
        match self.ascending.get_or_init(|| (column, compute())) {
            (known, ascends) if *known == column => *ascends,
            _ => compute(),
        }
    }

    /// Whether [`ascending`](Self::ascending) has found out that the values of a column do not ascend.
    pub fn is_known_unordered(&self, column: ColumnId) -> bool {
        self.ascending.get() == Some(&(column, None))
    }

    /// The file that holds the rows; `None` for a fragment in memory.
    pub fn file(&self) -> Option<&DataFile> {
        match &self.content {
            Content::Rows(_) => None,
            Content::File(file) => Some(file),
        }
    }

    /// The value range of a column, computed on first use; `None` if the column was added after the fragment was
    /// written, if its type has no portable order, or if the range is not known.
    pub fn range(&self, column: ColumnId) -> Option<&ValueRange> {
        let index = self.layout.iter().position(|id| *id == column)?;
        self.ranges
            .get(index)?
            .get_or_init(|| ValueRange::of(self.batches().iter().map(|b| b.column(index))))
            .as_ref()
    }
}

impl ValueRange {
    /// `None` if there are no arrays, or if [`has_cheap_order`] is false for their type.
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

/// Types whose order is the same in every implementation. Floats are excluded: implementations order NaN differently.
pub(crate) fn has_cheap_order(data_type: &DataType) -> bool {
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
