//! Plans scans of fragments in files: `DataSourceExec`s with a `VortexSource` over exactly the files that a snapshot
//! references.
//!
//! Files of one shape (the same columns under the same names) share a scan. The scan's projection renames the files'
//! columns to the table's, fills in columns that are younger than the files, and computes row addresses. Deletion
//! vectors are passed with the files, as selections, so a row's position is its position in the file, whatever rows
//! are deleted or filtered out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, FileSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;
use object_store::ObjectMeta;
use roaring::{RoaringBitmap, RoaringTreemap};
use vortex::scan::selection::Selection;
use vortex::session::VortexSession;
use vortex_datafusion::{VortexAccessPlan, VortexSource};

use super::expr::{Converter, row_index};
use super::files::DataFiles;
use super::read::{CheckedReaders, Failures, OpenedFiles};
use crate::fragment::{ColumnId, LiveFragment};
use crate::snapshot::{TableDefinition, row_address};
use crate::store::FileScan;

/// The name of the partition column with the row address of a file's first row, made from the file's index in its
/// table.
const BASE: &str = "\u{1}base";

pub(super) struct Scans {
    pub files: DataFiles,
    pub session: VortexSession,
    pub url: ObjectStoreUrl,
    pub failures: Failures,
    pub opened: OpenedFiles,
}

/// The columns of some files, and the names of the columns in the files.
pub(super) type FileColumns = (Arc<[ColumnId]>, Arc<[String]>);

impl Scans {
    pub fn plan(&self, scan: &FileScan<'_>) -> Result<Arc<dyn ExecutionPlan>> {
        let mut groups: Vec<(FileColumns, Vec<usize>)> = Vec::new();
        for place in scan.places {
            let fragment = &scan.table.fragments[*place].fragment;
            let Some(file) = fragment.file() else {
                continue;
            };
            let same = |(shape, _): &&mut (FileColumns, _)| {
                shape.0 == fragment.layout && shape.1 == file.names
            };
            match groups.iter_mut().find(same) {
                Some((_, places)) => places.push(*place),
                None => {
                    let shape = (Arc::clone(&fragment.layout), Arc::clone(&file.names));
                    groups.push((shape, vec![*place]));
                }
            }
        }
        let mut plans = groups
            .iter()
            .map(|(shape, places)| self.plan_group(scan, shape, places))
            .collect::<Result<Vec<_>>>()?;
        match plans.len() {
            1 => Ok(plans.remove(0)),
            _ => UnionExec::try_new(plans),
        }
    }

    fn plan_group(
        &self,
        scan: &FileScan<'_>,
        shape: &FileColumns,
        places: &[usize],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let stored = Stored::new(&scan.table.definition, shape);
        let addressed = scan
            .projection
            .contains(&scan.table.definition.columns.len());
        let partition_columns = match addressed {
            true => vec![Arc::new(Field::new(BASE, DataType::UInt64, false))],
            false => Vec::new(),
        };
        let schema = TableSchema::builder(Arc::clone(&stored.schema))
            .with_table_partition_cols(partition_columns)
            .build();
        let width = schema.table_schema().fields().len();
        let source = VortexSource::new(schema, self.session.clone())
            .with_expression_converter(Arc::new(Converter::new(&self.session)))
            .with_vortex_reader_factory(Arc::new(CheckedReaders {
                files: self.files.clone(),
                failures: self.failures.clone(),
            }));
        let projection = stored.projection(scan)?;
        let source = source.try_pushdown_projection(&projection)?;
        let source = source.ok_or_else(|| {
            datafusion::common::DataFusionError::Internal("a projection was not taken".into())
        })?;

        let live = |place: &usize| scan.table.fragments[*place].rows();
        let total: u64 = places.iter().map(live).sum();
        let statistics = Statistics {
            num_rows: Precision::Exact(usize::try_from(total).unwrap_or(usize::MAX)),
            total_byte_size: Precision::Absent,
            column_statistics: vec![ColumnStatistics::new_unknown(); width],
        };
        let groups = self.file_groups(scan, &stored, places, addressed)?;
        let config = FileScanConfigBuilder::new(self.url.clone(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_limit(scan.limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// The files in order, in runs of about equally many rows.
    fn file_groups(
        &self,
        scan: &FileScan<'_>,
        stored: &Stored<'_>,
        places: &[usize],
        addressed: bool,
    ) -> Result<Vec<FileGroup>> {
        let rows = |place: &usize| u64::from(scan.table.fragments[*place].fragment.rows());
        let all = places.iter().map(rows).sum::<u64>().max(1);
        let count = scan.target_partitions.max(1) as u128;
        let mut before = 0;
        let runs = places.iter().map(|place| {
            let middle = before + rows(place) / 2;
            before += rows(place);
            let run = u128::from(middle) * count / u128::from(all);
            (run.min(count - 1), place)
        });
        let runs: Vec<(u128, &usize)> = runs.collect();
        runs.chunk_by(|(a, _), (b, _)| a == b)
            .map(|run| {
                let files = run.iter().map(|(_, place)| {
                    let live = &scan.table.fragments[**place];
                    stored.partitioned_file(live, addressed.then_some(**place))
                });
                Ok(FileGroup::new(files.collect::<Result<_>>()?))
            })
            .collect()
    }
}

/// The columns of a table in files of one shape.
pub(super) struct Stored<'a> {
    definition: &'a TableDefinition,
    /// The columns that the table still has, under their names in the files.
    pub schema: SchemaRef,
    /// The index of each column in `schema`.
    places: BTreeMap<ColumnId, usize>,
}

impl<'a> Stored<'a> {
    pub fn new(definition: &'a TableDefinition, (layout, names): &FileColumns) -> Self {
        let mut fields = Vec::new();
        let mut places = BTreeMap::new();
        for (id, name) in layout.iter().zip(names.iter()) {
            if let Some(column) = definition.columns.iter().find(|column| column.id == *id) {
                places.insert(*id, fields.len());
                fields.push(column.field.as_ref().clone().with_name(name));
            }
        }
        Self {
            definition,
            schema: Arc::new(Schema::new(fields)),
            places,
        }
    }

    /// The ids of the columns, in the order of `schema`.
    pub fn columns(&self) -> Vec<ColumnId> {
        let mut columns: Vec<_> = self.places.iter().collect();
        columns.sort_unstable_by_key(|(_, place)| **place);
        columns.into_iter().map(|(id, _)| *id).collect()
    }

    /// Rewrites an expression over the table's columns to the files' columns; `None` if the files lack a column.
    pub fn in_file(&self, expr: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
        let mut lacks = false;
        let column = |expr: Arc<dyn PhysicalExpr>| {
            let Some(column) = expr.downcast_ref::<Column>() else {
                return Ok(Transformed::no(expr));
            };
            let id = self.definition.columns.get(column.index()).map(|c| c.id);
            let Some(place) = id.and_then(|id| self.places.get(&id)) else {
                lacks = true;
                return Ok(Transformed::no(expr));
            };
            let stored = Column::new(self.schema.field(*place).name(), *place);
            Ok(Transformed::yes(Arc::new(stored) as _))
        };
        let moved = Arc::clone(expr).transform_up(column).ok()?;
        (!lacks).then_some(moved.data)
    }

    fn projection(&self, scan: &FileScan<'_>) -> Result<ProjectionExprs> {
        let exprs = scan.projection.iter().zip(scan.schema.fields());
        let exprs = exprs.map(|(index, field)| {
            Ok(ProjectionExpr {
                expr: self.expr(*index)?,
                alias: field.name().clone(),
            })
        });
        Ok(ProjectionExprs::new(exprs.collect::<Result<Vec<_>>>()?))
    }

    fn expr(&self, index: usize) -> Result<Arc<dyn PhysicalExpr>> {
        let Some(column) = self.definition.columns.get(index) else {
            let base = Arc::new(Column::new(BASE, self.schema.fields().len()));
            return Ok(Arc::new(BinaryExpr::new(base, Operator::Plus, row_index())));
        };
        Ok(match (self.places.get(&column.id), &column.initial) {
            (Some(place), _) => Arc::new(Column::new(self.schema.field(*place).name(), *place)),
            (None, Some(value)) => Arc::new(Literal::new(value.clone())),
            (None, None) => Arc::new(Literal::new(ScalarValue::try_from(
                column.field.data_type(),
            )?)),
        })
    }

    fn partitioned_file(
        &self,
        live: &LiveFragment,
        addressed_at: Option<usize>,
    ) -> Result<PartitionedFile> {
        let fragment = &live.fragment;
        let (path, size) = fragment
            .file()
            .map_or(("", 0), |file| (file.path.as_str(), file.size_bytes));
        let mut file = PartitionedFile::new_from_meta(ObjectMeta {
            location: path.into(),
            // A file is never overwritten, so its age does not matter.
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size,
            e_tag: None,
            version: None,
        })
        .with_extension(Arc::clone(fragment));
        if let Some(place) = addressed_at {
            file.partition_values = vec![ScalarValue::from(row_address(place, 0))];
        }
        if let Some(deleted) = &live.deleted {
            let plan = VortexAccessPlan::default().with_selection(without(deleted));
            file = file.with_extension(plan);
        }
        Ok(file.with_statistics(Arc::new(self.statistics(live))))
    }

    /// The statistics of a file that are known before it is opened: over all rows, deleted rows included, like the
    /// ranges.
    fn statistics(&self, live: &LiveFragment) -> Statistics {
        let mut columns = vec![ColumnStatistics::new_unknown(); self.schema.fields().len()];
        for (id, place) in &self.places {
            if let Some(range) = live.fragment.range(*id) {
                columns[*place].min_value = Precision::Exact(range.min.clone());
                columns[*place].max_value = Precision::Exact(range.max.clone());
                columns[*place].null_count =
                    Precision::Exact(usize::try_from(range.nulls).unwrap_or(usize::MAX));
            }
        }
        Statistics {
            num_rows: Precision::Exact(live.fragment.rows() as usize),
            total_byte_size: Precision::Absent,
            column_statistics: columns,
        }
    }
}

/// A selection of all rows except the deleted ones.
pub(super) fn without(deleted: &RoaringBitmap) -> Selection {
    Selection::ExcludeRoaring(RoaringTreemap::from_bitmaps([(0, deleted.clone())]))
}
