//! Cardinality estimation: rows and distinct values of a plan, from ranges, counts and samples.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::cast::as_boolean_array;
use datafusion::common::{Column, ColumnStatistics, DFSchema, JoinType, ScalarValue};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{Expr, FetchType, LogicalPlan, TableScan};
use datafusion::physical_expr::create_physical_expr;

use super::search::DEFAULT_SELECTIVITY;
use crate::sql::scan::provider::SnapshotTable;

#[derive(Debug, Clone, Copy)]
pub(super) struct Estimate {
    pub rows: f64,
    /// Rows before any condition.
    pub all_rows: f64,
}

impl Estimate {
    fn of_all(rows: f64) -> Self {
        Self {
            rows,
            all_rows: rows,
        }
    }
}

/// The estimated rows of a plan; `None` where a table has no statistics or a node is not known.
pub(super) fn estimate(plan: &LogicalPlan) -> Option<Estimate> {
    Some(match plan {
        LogicalPlan::TableScan(scan) => scanned(scan, &[])?,
        LogicalPlan::Filter(filter) => {
            let conditions = split_conjunction(&filter.predicate);
            match filter.input.as_ref() {
                LogicalPlan::TableScan(scan) => scanned(scan, &conditions)?,
                input => {
                    let input = estimate(input)?;
                    let passing = DEFAULT_SELECTIVITY.powi(conditions.len() as i32);
                    Estimate {
                        rows: (input.rows * passing).max(1.0),
                        ..input
                    }
                }
            }
        }
        LogicalPlan::Projection(node) => estimate(&node.input)?,
        LogicalPlan::SubqueryAlias(node) => estimate(&node.input)?,
        LogicalPlan::Sort(node) => {
            let input = estimate(&node.input)?;
            at_most(input, node.fetch)
        }
        LogicalPlan::Limit(node) => {
            let fetch = node.get_fetch_type().ok();
            let fetch = match fetch {
                Some(FetchType::Literal(fetch)) => fetch,
                _ => None,
            };
            at_most(estimate(&node.input)?, fetch)
        }
        LogicalPlan::Window(node) => estimate(&node.input)?,
        LogicalPlan::Repartition(node) => estimate(&node.input)?,
        LogicalPlan::Distinct(node) => Estimate::of_all(estimate(node.input())?.rows),
        LogicalPlan::Aggregate(node) => {
            let input = estimate(&node.input)?;
            let groups = node.group_expr.iter().map(|key| match key {
                Expr::Column(column) => distinct(&node.input, column).unwrap_or(input.rows),
                _ => input.rows,
            });
            Estimate::of_all(groups.product::<f64>().clamp(1.0, input.rows.max(1.0)))
        }
        LogicalPlan::Join(join) => {
            let (left, right) = (estimate(&join.left)?.rows, estimate(&join.right)?.rows);
            Estimate::of_all(match join.join_type {
                JoinType::Inner if join.on.is_empty() => left * right,
                JoinType::Inner | JoinType::Full => left.max(right),
                JoinType::Left | JoinType::LeftMark => left,
                JoinType::Right | JoinType::RightMark => right,
                JoinType::LeftSemi | JoinType::LeftAnti => (left / 2.0).max(1.0),
                JoinType::RightSemi | JoinType::RightAnti => (right / 2.0).max(1.0),
            })
        }
        LogicalPlan::Union(node) => {
            let inputs = node.inputs.iter().map(|input| estimate(input));
            Estimate::of_all(inputs.map(|input| Some(input?.rows)).sum::<Option<f64>>()?)
        }
        LogicalPlan::Values(node) => Estimate::of_all(node.values.len() as f64),
        LogicalPlan::EmptyRelation(_) => Estimate::of_all(1.0),
        _ => return None,
    })
}

fn at_most(input: Estimate, fetch: Option<usize>) -> Estimate {
    let most = fetch.map_or(f64::INFINITY, |fetch| fetch as f64);
    Estimate {
        rows: input.rows.min(most),
        ..input
    }
}

fn scanned(scan: &TableScan, conditions: &[&Expr]) -> Option<Estimate> {
    let all_rows = table_rows(scan)?;
    // The same condition may be both in the scan and in the filter above.
    let all: HashSet<&Expr> = conditions.iter().copied().chain(&scan.filters).collect();
    let rows = match all.is_empty() {
        true => all_rows,
        false => {
            let passing = sampled_share(scan, &all);
            let passing = passing.unwrap_or_else(|| DEFAULT_SELECTIVITY.powi(all.len() as i32));
            (all_rows * passing).max(1.0)
        }
    };
    let limited = at_most(Estimate { rows, all_rows }, scan.fetch);
    Some(limited)
}

fn table_rows(scan: &TableScan) -> Option<f64> {
    let provider = source_as_provider(&scan.source).ok()?;
    if let Some(table) = provider.downcast_ref::<SnapshotTable>() {
        return Some(table.rows() as f64);
    }
    let rows = provider.statistics()?.num_rows.get_value().copied()?;
    Some(rows as f64)
}

/// The share of a table's rows that pass all `conditions`, estimated from a sample.
fn sampled_share(scan: &TableScan, conditions: &HashSet<&Expr>) -> Option<f64> {
    let provider = source_as_provider(&scan.source).ok()?;
    let read: HashSet<&str> = conditions
        .iter()
        .flat_map(|condition| condition.column_refs())
        .map(|column| column.name.as_str())
        .collect();
    let sample = provider.downcast_ref::<SnapshotTable>()?.sample(read)?;
    let schema =
        DFSchema::try_from_qualified_schema(scan.table_name.clone(), &sample.schema()).ok()?;
    let condition = conjunction(conditions.iter().map(|condition| (*condition).clone()))?;
    let passing = passing(&condition, &schema, &sample)? as f64;
    // No matching row in the sample does not mean no matching row in the table.
    Some(passing.max(0.5) / sample.num_rows() as f64)
}

fn passing(condition: &Expr, schema: &DFSchema, sample: &RecordBatch) -> Option<usize> {
    let props = ExecutionProps::new();
    let context = PhysicalPlanningContext::default();
    let condition = create_physical_expr(condition, schema, &props, &context).ok()?;
    let kept = condition.evaluate(sample).ok()?;
    let kept = kept.into_array(sample.num_rows()).ok()?;
    Some(as_boolean_array(&kept).ok()?.true_count())
}

/// The number of distinct values of a column of `plan`, before any condition.
pub(super) fn distinct(plan: &LogicalPlan, column: &Column) -> Option<f64> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source).ok()?;
            let table = provider.downcast_ref::<SnapshotTable>()?;
            let rows = table.rows() as f64;
            let known = table.column_statistics(&column.name);
            let values = known.as_ref().and_then(range_width);
            let values = values.or_else(|| sampled_distinct(table, &column.name));
            Some(values.unwrap_or(rows).clamp(1.0, rows.max(1.0)))
        }
        LogicalPlan::SubqueryAlias(node) => {
            let index = node.schema.maybe_index_of_column(column)?;
            distinct(
                &node.input,
                &Column::from(node.input.schema().qualified_field(index)),
            )
        }
        LogicalPlan::Projection(node) => {
            let index = node.schema.maybe_index_of_column(column)?;
            match node.expr.get(index)?.clone().unalias() {
                Expr::Column(column) => distinct(&node.input, &column),
                _ => None,
            }
        }
        LogicalPlan::Filter(node) => distinct(&node.input, column),
        LogicalPlan::Sort(node) => distinct(&node.input, column),
        LogicalPlan::Aggregate(node) => distinct(&node.input, column),
        LogicalPlan::Join(node) => {
            let is_left = node.left.schema().maybe_index_of_column(column).is_some();
            distinct(if is_left { &node.left } else { &node.right }, column)
        }
        _ => None,
    }
}

/// The number of integers in a column's range.
fn range_width(column: &ColumnStatistics) -> Option<f64> {
    let (min, max) = (column.min_value.get_value()?, column.max_value.get_value()?);
    let whole = |value: &ScalarValue| {
        let value = value.cast_to(&DataType::Int64).ok()?;
        match (value, min.data_type()) {
            (_, DataType::Decimal128(_, scale)) if scale != 0 => None,
            (ScalarValue::Int64(value), _) => value,
            _ => None,
        }
    };
    Some(whole(max)? as f64 - whole(min)? as f64 + 1.0)
}

/// The number of distinct values by a sample, with the estimator of Haas and Stokes ("Estimating the Number of
/// Classes in a Finite Population"), which PostgreSQL uses too.
fn sampled_distinct(table: &SnapshotTable, column: &str) -> Option<f64> {
    let sample = table.sample([column])?;
    let values = Arc::clone(sample.column(0));
    let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())]).ok()?;
    let rows = converter.convert_columns(&[values]).ok()?;
    let mut seen = HashMap::new();
    for row in rows.iter() {
        *seen.entry(row).or_insert(0_usize) += 1;
    }
    let once = seen.values().filter(|times| **times == 1).count() as f64;
    let (sampled, found, all) = (
        sample.num_rows() as f64,
        seen.len() as f64,
        table.rows() as f64,
    );
    Some(sampled * found / (sampled - once + once * sampled / all.max(sampled)))
}
