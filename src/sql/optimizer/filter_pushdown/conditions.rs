//! Pushes filter conditions into the scans that evaluate them exactly.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::{conjunction, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use super::runtime::{Filters, PushedPlan, push_into_source, remap_columns};
use crate::sql::expressions::opaque::{OpaqueCondition, shown};

/// Runs before partitioning and ordering are enforced, so that these rules see a filtered scan as a plain scan.
#[derive(Debug)]
pub(crate) struct ScanConditions;

impl PhysicalOptimizerRule for ScanConditions {
    fn name(&self) -> &str {
        "scan_conditions"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some(filter) = plan.downcast_ref::<FilterExec>() else {
                return Ok(Transformed::no(plan));
            };
            Ok(match push_into_input(filter, config)? {
                Some(pushed) => Transformed::yes(pushed),
                None => Transformed::no(plan),
            })
        })
        .data()
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Pushes the conjuncts that the sources apply into the filter's input, and keeps the others in a filter above;
/// `None` where nothing changes.
fn push_into_input(
    filter: &FilterExec,
    config: &ConfigOptions,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let parts = split_conjunction(filter.predicate()).into_iter();
    let (conditions, hidden): (Filters, Vec<bool>) = parts.map(shown).unzip();
    let pushed = match filter.fetch() {
        None => pushed_into_sources(filter.input(), &conditions, config)?,
        Some(_) => None,
    };
    if pushed.is_none() && !hidden.contains(&true) {
        return Ok(None);
    }
    let (input, applied) =
        pushed.unwrap_or_else(|| (Arc::clone(filter.input()), vec![false; conditions.len()]));
    let left = conditions.into_iter().zip(hidden).zip(applied);
    let left: Filters = left
        .filter(|(_, is_applied)| !is_applied)
        .map(|((condition, is_hidden), _)| match is_hidden {
            true => Arc::new(OpaqueCondition(condition)) as _,
            false => condition,
        })
        .collect();
    if !left.is_empty() {
        let rest = FilterExecBuilder::from(filter)
            .with_input(input)
            .with_predicate(conjunction(left));
        return Ok(Some(Arc::new(rest.build()?)));
    }
    let Some(projection) = filter.projection() else {
        return Ok(Some(input));
    };
    let schema = input.schema();
    let columns = projection.iter().map(|place| {
        let name = schema.field(*place).name();
        ProjectionExpr::new(Arc::new(Column::new(name, *place)), name)
    });
    Ok(Some(Arc::new(ProjectionExec::try_new(columns, input)?)))
}

/// A scan, or a union of scans of one table's files and rows in memory, with `conditions`; and for each condition,
/// whether the sources apply it to every row.
fn pushed_into_sources(
    plan: &Arc<dyn ExecutionPlan>,
    conditions: &Filters,
    config: &ConfigOptions,
) -> Result<Option<PushedPlan>> {
    if let Some(source) = plan.downcast_ref::<DataSourceExec>() {
        return push_into_source(source, conditions, config);
    }
    if plan.downcast_ref::<UnionExec>().is_none() {
        return Ok(None);
    }
    let mut applied = vec![true; conditions.len()];
    let mut children = Vec::new();
    for child in plan.children() {
        // Each input of a union has its own column names.
        let here = (0..child.schema().fields().len()).map(|place| (place, place));
        let here = here.collect();
        let conditions = conditions
            .iter()
            .map(|condition| remap_columns(condition, &here, child));
        let conditions = conditions.collect::<Result<Option<Filters>>>()?;
        let Some(conditions) = conditions else {
            return Ok(None);
        };
        match pushed_into_sources(child, &conditions, config)? {
            Some((with, by_child)) => {
                children.push(with);
                for (all, one) in applied.iter_mut().zip(by_child) {
                    *all &= one;
                }
            }
            None => {
                children.push(Arc::clone(child));
                applied.fill(false);
            }
        }
    }
    Ok(Some((
        replace_children_if_necessary(Arc::clone(plan), children)?,
        applied,
    )))
}
