//! Finds the rows of the target of a MERGE, of UPDATE … FROM and of DELETE … USING by the keys of its source, if the
//! source has few rows: then the target is not read.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_empty_array};
use arrow::compute::{CastOptions, cast_with_options, concat, filter};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::MemTable;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, Result};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, Expr, Join, LogicalPlan, LogicalPlanBuilder, Operator, TableScan,
};
use futures::StreamExt;

use super::target::Target;
use crate::error::DfOlapError;
use crate::snapshot::Table;
use crate::sql::execution::Run;
use crate::sql::resources::buffered_rows::BufferedRows;
use crate::sql::scan::ROW_ADDRESS;
use crate::sql::scan::locate::{KeysToFind, are_alike, is_worth_a_lookup};

/// A source with more rows is joined to the whole target.
const MAX_SOURCE_ROWS: u64 = 1 << 16;

/// The plan of a statement, with the rows of the source and those of the target that they may match in place of their
/// scans, and these rows of the source; the plan as it is if the source has many rows, if the condition does not name
/// the key of the target, or if the source fails: then the plan may not need what failed.
pub(super) async fn with_rows_found(
    run: &Run,
    target: &Target,
    plan: LogicalPlan,
) -> Result<(LogicalPlan, Option<BufferedRows>), DfOlapError> {
    let Some((rows, values)) = few_keys(run, &target.table, &plan).await? else {
        return Ok((plan, None));
    };
    let wanted = KeysToFind {
        table: &target.table,
        key: &target.table.definition.key_indices(),
        values: &values,
        null: None,
        store: run.context.store.as_ref(),
        stop: &|| run.check_stop(),
    };
    let all: Vec<usize> = (0..target.table.definition.columns.len()).collect();
    let Some(found) = wanted.rows(&all).await? else {
        return Ok((plan, None));
    };
    let plan = replaced(plan, &rows.batches, &found)?;
    Ok((plan, Some(rows)))
}

/// The rows of the source and the keys that they name, if they are few.
async fn few_keys(
    run: &Run,
    table: &Table,
    plan: &LogicalPlan,
) -> Result<Option<(BufferedRows, Vec<ArrayRef>)>, DfOlapError> {
    if table.definition.primary_key.is_empty() {
        return Ok(None);
    }
    let places: Vec<usize> = (0..table.fragments.len()).collect();
    let is_worth = |keys| is_worth_a_lookup(table, &places, keys);
    let Some((source, key)) = source_and_key(table, plan).filter(|_| is_worth(1)) else {
        return Ok(None);
    };
    let types: Vec<DataType> = source
        .schema()
        .fields()
        .iter()
        .map(|field| field.data_type().clone())
        .collect();
    let rows = few_rows(run, source).await;
    run.check_stop()?;
    let Ok(Some(rows)) = rows else {
        return Ok(None);
    };
    let has_types_of_plan = |batch: &RecordBatch| {
        let columns = batch.columns().iter().map(|column| column.data_type());
        columns.eq(&types)
    };
    if !(is_worth(rows.rows() as usize) && rows.batches.iter().all(has_types_of_plan)) {
        return Ok(None);
    }
    let values = key_values(table, &key, &rows.batches)?;
    Ok(Some((rows, values)))
}

/// The join of the target with its source.
fn as_join_of_target(plan: &LogicalPlan) -> Option<&Join> {
    match plan {
        LogicalPlan::Join(join) if matches!(join.join_type, JoinType::Inner | JoinType::Right) => {
            target_scan(&join.left).map(|_| join)
        }
        _ => None,
    }
}

/// The join of the target with its source, and the conditions above it that each of its rows has to meet, as in
/// `UPDATE t … FROM s WHERE …`.
fn join_of_target<'a>(
    plan: &'a LogicalPlan,
    mut above: Vec<&'a Expr>,
) -> Option<(&'a Join, Vec<&'a Expr>)> {
    if let Some(join) = as_join_of_target(plan) {
        let has_all = join.join_type == JoinType::Inner;
        return Some((join, if has_all { above } else { Vec::new() }));
    }
    match plan {
        LogicalPlan::Filter(filter) => {
            above.extend(split_conjunction(&filter.predicate));
            join_of_target(&filter.input, above)
        }
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            above.extend(join.filter.iter().flat_map(split_conjunction));
            join_of_target(&join.left, above)
        }
        // The columns above it have other names.
        other => match other.inputs().as_slice() {
            [input] => join_of_target(input, Vec::new()),
            _ => None,
        },
    }
}

/// The scan of the target, under its alias.
fn target_scan(plan: &LogicalPlan) -> Option<&TableScan> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => target_scan(&alias.input),
        LogicalPlan::TableScan(scan) => {
            let has_addresses = scan.source.schema().index_of(ROW_ADDRESS).is_ok();
            has_addresses.then_some(scan)
        }
        _ => None,
    }
}

/// The rows of the source of a statement that meet the conditions about it alone, and for each column of the key of the
/// target the column of the source that is equal to it.
fn source_and_key(table: &Table, plan: &LogicalPlan) -> Option<(LogicalPlan, Vec<usize>)> {
    let mut joins = 0;
    let counted = plan.apply(|node| {
        joins += usize::from(as_join_of_target(node).is_some());
        Ok(TreeNodeRecursion::Continue)
    });
    let (join, above) = join_of_target(plan, Vec::new())?;
    if counted.is_err() || joins != 1 {
        return None;
    }
    let definition = &table.definition;
    let (left, right) = (join.left.schema(), join.right.schema());
    let mut equal: Vec<(&Column, &Column)> = Vec::new();
    let of_filter = join.filter.iter().flat_map(split_conjunction);
    let pairs = of_filter.chain(above.iter().copied());
    let pairs = pairs.filter_map(|part| match part {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => Some((left.as_ref(), right.as_ref())),
        _ => None,
    });
    let on = join.on.iter().map(|(left, right)| (left, right));
    for (a, b) in pairs.chain(on) {
        let (Expr::Column(a), Expr::Column(b)) = (a, b) else {
            continue;
        };
        if left.has_column(a) && right.has_column(b) {
            equal.push((a, b));
        } else if left.has_column(b) && right.has_column(a) {
            equal.push((b, a));
        }
    }
    let columns = definition.key_indices().into_iter().map(|at| {
        let field = &definition.columns[at].field;
        let mut pairs = equal
            .iter()
            .filter(|(of_target, _)| of_target.name == *field.name());
        let (_, of_source) = pairs.next()?;
        let index = right.index_of_column(of_source).ok()?;
        if field.data_type().is_floating() {
            // Several NaN are equal that have other digests.
            return None;
        }
        are_alike(right.field(index).data_type(), field.data_type()).then_some(index)
    });
    let columns = columns.collect::<Option<Vec<usize>>>()?;
    let mut source = LogicalPlanBuilder::from(join.right.as_ref().clone());
    let of_source = above.into_iter().filter(|expr| is_of(expr, right));
    if let Some(condition) = conjunction(of_source.cloned()) {
        source = source.filter(condition).ok()?;
    }
    Some((source.build().ok()?, columns))
}

/// Whether a condition is about columns of this schema alone.
fn is_of(expr: &Expr, schema: &DFSchema) -> bool {
    let is_of_more = |part: &Expr| match part {
        Expr::Column(column) => Ok(!schema.has_column(column)),
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) => Ok(true),
        Expr::SetComparison(_) | Expr::OuterReferenceColumn(..) => Ok(true),
        _ => Ok(false),
    };
    let is_alone = expr.exists(is_of_more).is_ok_and(|more| !more);
    is_alone && !expr.is_volatile() && !expr.column_refs().is_empty()
}

/// The rows of a plan; `None` if they are many.
async fn few_rows(run: &Run, plan: LogicalPlan) -> Result<Option<BufferedRows>, DfOlapError> {
    let mut stream = run.stream(plan).await?;
    let mut rows = BufferedRows::new(run.runtime());
    while let Some(batch) = stream.next().await {
        rows.push(batch?)?;
        if rows.rows() > MAX_SOURCE_ROWS {
            return Ok(None);
        }
    }
    Ok(Some(rows))
}

/// The keys of the target that the source names.
fn key_values(
    table: &Table,
    key: &[usize],
    rows: &[RecordBatch],
) -> Result<Vec<ArrayRef>, DfOlapError> {
    let definition = &table.definition;
    // What does not fit the type of the key becomes NULL: it is no key.
    let options = CastOptions::default();
    let columns = definition.key_indices().into_iter().zip(key);
    let columns = columns.map(|(of_target, of_source)| {
        let arrays = rows.iter().map(|batch| batch.column(*of_source).as_ref());
        let data_type = definition.columns[of_target].field.data_type();
        let arrays: Vec<&dyn Array> = arrays.collect();
        if arrays.is_empty() {
            return Ok(new_empty_array(data_type));
        }
        Ok(cast_with_options(&concat(&arrays)?, data_type, &options)?)
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, DfOlapError>>()?;
    let count = columns.first().map_or(0, |column| column.len());
    let is_key = (0..count).map(|row| Some(columns.iter().all(|column| column.is_valid(row))));
    let is_key: BooleanArray = is_key.collect();
    let columns = columns.iter().map(|column| Ok(filter(column, &is_key)?));
    columns.collect()
}

/// The plan with these rows in place of the source and the target.
fn replaced(plan: LogicalPlan, source: &[RecordBatch], found: &RecordBatch) -> Result<LogicalPlan> {
    let replaced = plan.transform_down(|node| {
        if as_join_of_target(&node).is_none() {
            return Ok(Transformed::no(node));
        }
        let LogicalPlan::Join(mut join) = node else {
            return Ok(Transformed::no(node));
        };
        join.left = Arc::new(in_place_of(&join.left, std::slice::from_ref(found))?);
        join.right = Arc::new(in_place_of(&join.right, source)?);
        Ok(Transformed::yes(LogicalPlan::Join(join)))
    })?;
    Ok(replaced.data)
}

/// A scan of rows, with the names of the columns of a plan that has these rows.
fn in_place_of(plan: &LogicalPlan, rows: &[RecordBatch]) -> Result<LogicalPlan> {
    let fields = plan.schema().fields().iter().enumerate();
    let fields =
        fields.map(|(index, field)| field.as_ref().clone().with_name(format!("\u{1}{index}")));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let rows = rows.iter().map(|batch| {
        let columns = batch.columns().to_vec();
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
    });
    let rows = rows.collect::<Result<Vec<RecordBatch>>>()?;
    let rows = provider_as_source(Arc::new(MemTable::try_new(schema, vec![rows])?));
    let columns = plan.schema().iter().enumerate();
    let columns = columns.map(|(index, (qualifier, field))| {
        let column = Expr::Column(Column::new_unqualified(format!("\u{1}{index}")));
        column.alias_qualified(qualifier.cloned(), field.name())
    });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::scan_with_filters("\u{1}rows", rows, None, Vec::new())?
        .project(columns)?
        .build()
}
