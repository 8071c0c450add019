//! Reads the live rows of fragments, in order and in the table's current schema, for compaction and point lookups.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Fields};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use vortex::array::VortexSessionExecute;
use vortex::arrow::ArrowSessionExt;
use vortex::dtype::Nullability;
use vortex::error::VortexError;
use vortex::expr::{BoundExpression, get_item, pack, root};
use vortex::file::OpenOptionsSessionExt;
use vortex::io::VortexReadAt;
use vortex::layout::LayoutReaderRef;
use vortex::layout::layouts::row_idx::row_idx;
use vortex::layout::scan::scan_builder::ScanBuilder;
use vortex::scan::strict_sorted_buffer::StrictSortedBuffer;

use super::expr::ROW_INDEX;
use super::read::CheckedFile;
use super::scan::{Scans, without};
use crate::error::DfOlapError;
use crate::fragment::{ColumnId, DataFile, LiveFragment};
use crate::snapshot::{Column, Table, TableDefinition};

/// How many splits of a file are scanned concurrently.
const SPLITS_AT_ONCE: usize = 4;

/// Optional parts of a read.
#[derive(Default)]
pub(super) struct Extra {
    /// A filter, and a range of rows outside of which the filter is never true.
    pub filter: Option<(BoundExpression, Range<u64>)>,
    /// The rows' positions as a last column.
    pub positions: bool,
    /// A range of rows; without a filter.
    pub range: Option<Range<u64>>,
    /// The positions of the rows, which ascend; without a filter.
    pub only: Option<StrictSortedBuffer<u64>>,
}

pub(super) type Rows = BoxStream<'static, Result<RecordBatch, DfOlapError>>;

impl Scans {
    /// The live rows of a fragment.
    pub async fn live_rows(
        &self,
        definition: &Arc<TableDefinition>,
        live: &LiveFragment,
    ) -> Result<Rows, DfOlapError> {
        let layout = Arc::clone(&live.fragment.layout);
        let file_columns: Vec<ColumnId> = match live.fragment.file() {
            None => layout.to_vec(),
            Some(_) => layout
                .iter()
                .copied()
                .filter(|id| definition.columns.iter().any(|column| column.id == *id))
                .collect(),
        };
        let stored: Rows = match live.fragment.file() {
            None => stream::iter(live.live_batches()?.into_iter().map(Ok)).boxed(),
            Some(file) => {
                let checked = self.checked_file(live);
                let reader = self.layout_reader(checked, file).await?;
                self.file_rows(
                    definition,
                    live,
                    file,
                    &file_columns,
                    reader,
                    Extra::default(),
                )?
            }
        };
        let definition = Arc::clone(definition);
        Ok(stored
            .map(move |batch| to_table_schema(&definition, &file_columns, &batch?))
            .boxed())
    }

    /// Columns of all rows of a file, or of some, deleted rows included, in the types of the table; `None` if the file
    /// lacks one of them.
    pub async fn read_columns(
        &self,
        table: &Table,
        place: usize,
        columns: &[ColumnId],
        range: Option<Range<u32>>,
    ) -> Result<Option<Vec<Vec<ArrayRef>>>, DfOlapError> {
        let definition = &table.definition;
        let whole = LiveFragment::from(Arc::clone(&table.fragments[place].fragment));
        let layout = whole.fragment.layout.iter().copied();
        let read: Vec<ColumnId> = layout.filter(|id| columns.contains(id)).collect();
        // The place of each column among those that are read, and its type.
        let places = columns.iter().map(|id| {
            let place = read.iter().position(|read| read == id)?;
            let mut all = definition.columns.iter();
            let column = all.find(|column| column.id == *id)?;
            Some((place, column.field.data_type()))
        });
        let places = places.collect::<Option<Vec<(usize, &DataType)>>>();
        let (Some(file), Some(places)) = (whole.fragment.file(), places) else {
            return Ok(None);
        };
        let reader = match range {
            None => self.layout_reader(self.checked_file(&whole), file).await?,
            Some(_) => self.sparse_reader(&whole, file).await?,
        };
        let extra = Extra {
            range: range.map(|range| u64::from(range.start)..u64::from(range.end)),
            ..Extra::default()
        };
        let mut rows = self.file_rows(definition, &whole, file, &read, reader, extra)?;
        let mut found = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let columns = places.iter();
            let columns = columns.map(|(place, of_table)| in_type(batch.column(*place), of_table));
            found.push(columns.collect::<Result<Vec<ArrayRef>, _>>()?);
        }
        Ok(Some(found))
    }

    /// Columns of some rows of a file, whose positions ascend, in the types of the table.
    pub async fn rows_at(
        &self,
        table: &Table,
        place: usize,
        positions: &[u32],
        columns: &[ColumnId],
    ) -> Result<Vec<ArrayRef>, DfOlapError> {
        let definition = &table.definition;
        let whole = LiveFragment::from(Arc::clone(&table.fragments[place].fragment));
        let Some(file) = whole.fragment.file() else {
            return Err(DfOlapError::Other("rows in memory are no file".into()));
        };
        let layout = whole.fragment.layout.iter().copied();
        let read: Vec<ColumnId> = layout.filter(|id| columns.contains(id)).collect();
        let mut batches = Vec::new();
        if !read.is_empty() {
            let reader = self.sparse_reader(&whole, file).await?;
            let only = positions.iter().map(|position| u64::from(*position));
            let only = StrictSortedBuffer::try_new(only.collect()).map_err(self.failed(file))?;
            let extra = Extra {
                only: Some(only),
                ..Extra::default()
            };
            let rows = self.file_rows(definition, &whole, file, &read, reader, extra)?;
            batches = rows.try_collect().await?;
        }
        let columns = columns.iter().map(|id| {
            let mut all = definition.columns.iter();
            let column = all.find(|column| column.id == *id);
            let column = column.ok_or_else(|| DfOlapError::Other("no such column".into()))?;
            match read.iter().position(|read| read == id) {
                Some(at) => {
                    let arrays = batches
                        .iter()
                        .map(|batch: &RecordBatch| batch.column(at).as_ref());
                    let whole = concat(&arrays.collect::<Vec<&dyn Array>>())?;
                    in_type(&whole, column.field.data_type())
                }
                None => initial(column, positions.len()),
            }
        });
        columns.collect()
    }

    /// The reader of a file of which few rows are read.
    pub(super) async fn sparse_reader(
        &self,
        live: &LiveFragment,
        file: &DataFile,
    ) -> Result<LayoutReaderRef, DfOlapError> {
        let id = live.fragment.id;
        if let Some(reader) = self.opened.get(id) {
            return Ok(reader);
        }
        let checked = self.checked_file(live).sparse();
        let reader = self.layout_reader(checked, file).await?;
        self.opened.put(id, &reader);
        Ok(reader)
    }

    pub(super) fn failed(
        &self,
        file: &DataFile,
    ) -> impl Fn(VortexError) -> DfOlapError + Send + 'static {
        let shown = self.files.shown(&file.path);
        let failures = self.failures.clone();
        move |error| {
            failures.original_error(DfOlapError::Other(format!(
                "{shown} could not be read: {error}"
            )))
        }
    }

    pub(super) fn checked_file(&self, live: &LiveFragment) -> CheckedFile {
        let fragment = Arc::clone(&live.fragment);
        CheckedFile::new(self.files.clone(), fragment, self.failures.clone())
    }

    pub(super) async fn layout_reader(
        &self,
        checked: CheckedFile,
        file: &DataFile,
    ) -> Result<LayoutReaderRef, DfOlapError> {
        let failed = self.failed(file);
        let reader: Arc<dyn VortexReadAt> = Arc::new(checked);
        let opened = self
            .session
            .open_options()
            .with_file_size(file.size_bytes)
            .open(reader)
            .await
            .map_err(&failed)?;
        opened.layout_reader().map_err(failed)
    }

    /// The columns `file_columns` of a file's live rows, with the optional parts of `extra`.
    pub(super) fn file_rows(
        &self,
        definition: &TableDefinition,
        live: &LiveFragment,
        file: &DataFile,
        file_columns: &[ColumnId],
        reader: LayoutReaderRef,
        extra: Extra,
    ) -> Result<Rows, DfOlapError> {
        let failed = self.failed(file);
        let names: Vec<&String> = live
            .fragment
            .layout
            .iter()
            .zip(file.names.iter())
            .filter(|(id, _)| file_columns.contains(id))
            .map(|(_, name)| name)
            .collect();
        let read = names
            .iter()
            .map(|name| (name.as_str(), get_item(name.as_str(), root())))
            .chain(extra.positions.then(|| (ROW_INDEX, row_idx())));
        let projection = pack(read, Nullability::NonNullable)
            .bind(reader.dtype())
            .and_then(|projection| projection.optimize_recursive())
            .map_err(&failed)?;
        let natural = self
            .session
            .arrow()
            .to_arrow_schema(projection.dtype())
            .map_err(&failed)?;
        let fields = natural.fields().iter().enumerate().map(|(place, field)| {
            let id = file_columns.get(place);
            let column = definition
                .columns
                .iter()
                .find(|column| Some(&column.id) == id);
            match column.map(|column| column.field.data_type()) {
                Some(data_type) if scan_can_produce(data_type) => {
                    Arc::new(field.as_ref().clone().with_data_type(data_type.clone()))
                }
                _ => Arc::clone(field),
            }
        });
        let target = Field::new_struct("", fields.collect::<Fields>(), false);
        let mut scan = ScanBuilder::new(self.session.clone(), reader)
            .with_projection(projection)
            .with_ordered(true);
        if let Some(deleted) = &live.deleted {
            scan = scan.with_selection(without(deleted));
        }
        let session = self.session.clone();
        let in_arrow = move |chunk| {
            let mut context = session.create_execution_ctx();
            let array = session
                .arrow()
                .execute_arrow(chunk, Some(&target), &mut context)?;
            Ok(RecordBatch::from(array.as_struct().clone()))
        };
        // A lookup reads few rows, so it spawns no tasks.
        let scan = match (extra.filter, extra.range, extra.only) {
            (Some((filter, range)), ..) => scan.with_filter(filter).with_row_range(range),
            (None, Some(range), _) => scan.with_row_range(range),
            (None, None, Some(only)) => scan.with_row_indices(only),
            (None, None, None) => {
                let batches = scan.map(in_arrow).into_stream().map_err(&failed)?;
                return Ok(batches.map_err(failed).boxed());
            }
        };
        let scan = scan.map(in_arrow);
        let parts = scan.prepare().and_then(|scan| scan.execute(None));
        let batches = stream::iter(parts.map_err(&failed)?).buffered(SPLITS_AT_ONCE);
        let batches = batches.filter_map(|batch| std::future::ready(batch.transpose()));
        Ok(batches.map_err(failed).boxed())
    }
}

/// True if a scan can produce the type directly; other types are cast afterwards.
fn scan_can_produce(data_type: &DataType) -> bool {
    !matches!(
        data_type,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Dictionary(..)
    )
}

fn in_type(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, DfOlapError> {
    match column.data_type() == data_type {
        true => Ok(Arc::clone(column)),
        false => Ok(cast(column, data_type)?),
    }
}

/// The values of a column in rows that are older than it.
fn initial(column: &Column, rows: usize) -> Result<ArrayRef, DfOlapError> {
    match &column.initial {
        Some(value) => Ok(value.to_array_of_size(rows)?),
        None => Ok(new_null_array(column.field.data_type(), rows)),
    }
}

/// A batch with the columns `file_columns`, converted to the table's schema.
pub(super) fn to_table_schema(
    definition: &TableDefinition,
    file_columns: &[ColumnId],
    batch: &RecordBatch,
) -> Result<RecordBatch, DfOlapError> {
    let columns = definition.columns.iter().map(|column| {
        match file_columns.iter().position(|id| *id == column.id) {
            Some(place) => in_type(batch.column(place), column.field.data_type()),
            None => initial(column, batch.num_rows()),
        }
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, DfOlapError>>()?;
    Ok(RecordBatch::try_new(
        Arc::clone(&definition.schema),
        columns,
    )?)
}
