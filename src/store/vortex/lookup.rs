//! Point lookups for UPDATE and DELETE: reads only the rows of a file that zone statistics cannot rule out.

use std::ops::{BitAnd, Range};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use futures::StreamExt;
use vortex::error::VortexResult;
use vortex::expr::{BoundExpression, Expression, and_collect};
use vortex::layout::LayoutReaderRef;
use vortex::mask::Mask;
use vortex_datafusion::convert::ExpressionConverter;

use super::expr::Converter;
use super::live_rows::{Extra, to_table_schema};
use super::scan::{Scans, Stored};
use crate::error::DfOlapError;
use crate::snapshot::Table;
use crate::store::Found;

/// A lookup that finds more rows than this gives up.
const MAX_FOUND: usize = 1 << 16;

impl Scans {
    /// The live rows of a file for which a condition may be true, with their positions; `None` if no conjunct of the
    /// condition can be pushed down, or if the rows are more than `MAX_FOUND`.
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
        let reader = self.sparse_reader(live, file).await?;
        let failed = self.failed(file);
        let Some(range) = unpruned_range(&reader, &parts).await.map_err(&failed)? else {
            return Ok(Some(Vec::new()));
        };
        let filter = bound(filter, &reader).map_err(failed)?;
        let there = stored.columns();
        let extra = Extra {
            filter: Some((filter, range)),
            positions: true,
            ..Extra::default()
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
                batch: to_table_schema(definition, &there, &batch)?,
                positions,
            });
        }
        Ok(Some(found))
    }
}

fn bound(expr: Expression, reader: &LayoutReaderRef) -> VortexResult<BoundExpression> {
    expr.bind(reader.dtype())?.optimize_recursive()
}

/// The smallest range of rows outside of which the statistics of the file's zones rule out some of `parts`; `None` if
/// all rows are ruled out.
async fn unpruned_range(
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
