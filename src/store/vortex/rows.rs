//! The live rows of fragments, in order and in the shape of their table, for what reads them to write them again.

use std::ops::{BitAnd, Range};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, UInt64Type};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use vortex::array::VortexSessionExecute;
use vortex::arrow::ArrowSessionExt;
use vortex::dtype::Nullability;
use vortex::error::{VortexError, VortexResult};
use vortex::expr::{BoundExpression, Expression, and_collect, get_item, pack, root};
use vortex::file::OpenOptionsSessionExt;
use vortex::io::VortexReadAt;
use vortex::layout::LayoutReaderRef;
use vortex::layout::layouts::row_idx::row_idx;
use vortex::layout::scan::scan_builder::ScanBuilder;
use vortex::mask::Mask;
use vortex_datafusion::convert::ExpressionConverter;

use super::expr::{Converter, ROW_INDEX};
use super::read::CheckedFile;
use super::scan::{Scans, Stored, without};
use crate::error::DfOlapError;
use crate::fragment::{ColumnId, DataFile, LiveFragment};
use crate::snapshot::{Table, TableDefinition};
use crate::store::Found;

/// More rows than this are not looked up.
const MAX_FOUND: usize = 1 << 16;

/// How many parts of a file are looked through at once.
const SPLITS_AT_ONCE: usize = 4;

/// What a read asks for beside the columns.
#[derive(Default)]
struct Extra {
    /// With the rows between which all are that it may be true for.
    filter: Option<(BoundExpression, Range<u64>)>,
    /// The rows' positions as a last column.
    positions: bool,
}

type Rows = BoxStream<'static, Result<RecordBatch, DfOlapError>>;

impl Scans {
    /// The live rows of a fragment.
    pub async fn live_rows(
        &self,
        definition: &Arc<TableDefinition>,
        live: &LiveFragment,
    ) -> Result<Rows, DfOlapError> {
        let layout = Arc::clone(&live.fragment.layout);
        let there: Vec<ColumnId> = match live.fragment.file() {
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
                self.file_rows(definition, live, file, &there, reader, Extra::default())?
            }
        };
        let definition = Arc::clone(definition);
        Ok(stored
            .map(move |batch| in_shape(&definition, &there, &batch?))
            .boxed())
    }

    /// The live rows of a file for which a condition may be true, with their positions; `None` where no part of the
    /// condition can be looked up, or they are many.
    pub async fn find(
        &self,
        table: &Table,
        place: usize,
        condition: &Arc<dyn PhysicalExpr>,
    ) -> Result<Option<Vec<Found>>, DfOlapError> {
        let definition = &table.definition;
        let live = &table.fragments[place];
        let Some(file) = live.fragment.file() else {
            return Ok(None);
        };
        let shape = (Arc::clone(&live.fragment.layout), Arc::clone(&file.names));
        let stored = Stored::new(definition, &shape);
        let converter = Converter::new(&self.session);
        let parts = split_conjunction(condition).into_iter().filter_map(|part| {
            let part = stored.in_file(part)?;
            converter.try_convert(&part, &stored.schema).ok()?
        });
        let parts: Vec<Expression> = parts.collect();
        let Some(filter) = and_collect(parts.iter().cloned()) else {
            return Ok(None);
        };
        let reader = match self.opened.get(live.fragment.id) {
            Some(reader) => reader,
            None => {
                let checked = self.checked_file(live).sparse();
                let reader = self.layout_reader(checked, file).await?;
                self.opened.put(live.fragment.id, &reader);
                reader
            }
        };
        let failed = self.failed(file);
        let Some(range) = possible(&reader, &parts).await.map_err(&failed)? else {
            return Ok(Some(Vec::new()));
        };
        let filter = bound(filter, &reader).map_err(failed)?;
        let there = stored.columns();
        let extra = Extra {
            filter: Some((filter, range)),
            positions: true,
        };
        let mut rows = self.file_rows(definition, live, file, &there, reader, extra)?;
        let (mut found, mut count) = (Vec::new(), 0);
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            count += batch.num_rows();
            if count > MAX_FOUND {
                return Ok(None);
            }
            let positions = batch
                .column(there.len())
                .as_primitive::<UInt64Type>()
                .clone();
            found.push(Found {
                batch: in_shape(definition, &there, &batch)?,
                positions,
            });
        }
        Ok(Some(found))
    }

    fn failed(&self, file: &DataFile) -> impl Fn(VortexError) -> DfOlapError + Send + 'static {
        let shown = self.files.shown(&file.path);
        let failures = self.failures.clone();
        move |error| {
            failures.cause(DfOlapError::Other(format!(
                "{shown} could not be read: {error}"
            )))
        }
    }

    fn checked_file(&self, live: &LiveFragment) -> CheckedFile {
        let fragment = Arc::clone(&live.fragment);
        CheckedFile::new(self.files.clone(), fragment, self.failures.clone())
    }

    async fn layout_reader(
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

    /// The columns `there` of a file's live rows, and what else is asked for.
    fn file_rows(
        &self,
        definition: &TableDefinition,
        live: &LiveFragment,
        file: &DataFile,
        there: &[ColumnId],
        reader: LayoutReaderRef,
        extra: Extra,
    ) -> Result<Rows, DfOlapError> {
        let failed = self.failed(file);
        let names: Vec<&String> = live
            .fragment
            .layout
            .iter()
            .zip(file.names.iter())
            .filter(|(id, _)| there.contains(id))
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
            let id = there.get(place);
            let column = definition
                .columns
                .iter()
                .find(|column| Some(&column.id) == id);
            match column.map(|column| column.field.data_type()) {
                Some(data_type) if is_read_as(data_type) => {
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
        let Some((filter, range)) = extra.filter else {
            let batches = scan.map(in_arrow).into_stream().map_err(&failed)?;
            return Ok(batches.map_err(failed).boxed());
        };
        // A few rows in one place: read here, without tasks of their own.
        let scan = scan.with_filter(filter).with_row_range(range).map(in_arrow);
        let parts = scan.prepare().and_then(|scan| scan.execute(None));
        let batches = stream::iter(parts.map_err(&failed)?).buffered(SPLITS_AT_ONCE);
        let batches = batches.filter_map(|batch| std::future::ready(batch.transpose()));
        Ok(batches.map_err(failed).boxed())
    }
}

fn bound(expr: Expression, reader: &LayoutReaderRef) -> VortexResult<BoundExpression> {
    expr.bind(reader.dtype())?.optimize_recursive()
}

/// The rows of a file between which all are for which all of `parts` may be true, by the statistics of its zones.
async fn possible(
    reader: &LayoutReaderRef,
    parts: &[Expression],
) -> VortexResult<Option<Range<u64>>> {
    let rows = 0..reader.row_count();
    let length = usize::try_from(rows.end).unwrap_or(usize::MAX);
    let mut mask = Mask::new_true(length);
    for part in parts {
        let part = bound(part.clone(), reader)?;
        let pruned = reader.pruning_evaluation(&rows, &part, mask.clone())?;
        mask = mask.bitand(&pruned.await?);
    }
    let ends = mask.first().zip(mask.last());
    Ok(ends.map(|(first, last)| first as u64..last as u64 + 1))
}

/// True for a type that a scan yields when it is asked to; others are cast afterwards.
fn is_read_as(data_type: &DataType) -> bool {
    !matches!(
        data_type,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Dictionary(..)
    )
}

/// A batch with the columns `there` as one of the table's.
fn in_shape(
    definition: &TableDefinition,
    there: &[ColumnId],
    batch: &RecordBatch,
) -> Result<RecordBatch, DfOlapError> {
    let columns = definition.columns.iter().map(|column| {
        let data_type = column.field.data_type();
        let place = there.iter().position(|id| *id == column.id);
        match (place, &column.initial) {
            (Some(place), _) if batch.column(place).data_type() == data_type => {
                Ok(Arc::clone(batch.column(place)))
            }
            (Some(place), _) => Ok(cast(batch.column(place), data_type)?),
            (None, Some(value)) => Ok(value.to_array_of_size(batch.num_rows())?),
            (None, None) => Ok(new_null_array(data_type, batch.num_rows())),
        }
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, DfOlapError>>()?;
    Ok(RecordBatch::try_new(
        Arc::clone(&definition.schema),
        columns,
    )?)
}
