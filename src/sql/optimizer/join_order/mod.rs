//! Cost-based join ordering, an optimizer rule.
//!
//! DataFusion joins in the order of the query text. This rule takes a tree of inner, semi and anti joins apart
//! ([`graph`]), estimates the rows of each input from ranges and samples ([`cardinality`]), searches for the cheapest
//! order ([`search`]), and builds the tree again. Semi and anti joins act as filters, so they move to where they drop
//! the most rows.
//!
//! The written order stays where no other order is clearly cheaper, where a table has no statistics, and where an
//! expression is volatile or may fail.

mod cardinality;
mod graph;
mod movable;
mod search;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use graph::Graph;

/// The share of the written order's cost that another order must stay below, since costs are only estimates.
const CLEARLY_CHEAPER: f64 = 0.8;

#[derive(Debug)]
pub(crate) struct JoinOrder;

impl OptimizerRule for JoinOrder {
    fn name(&self) -> &str {
        "join_order"
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match has_joins(&plan)? {
            true => ordered(plan),
            false => Ok(Transformed::no(plan)),
        }
    }
}

/// A cheap check first, since most queries have no joins.
fn has_joins(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= matches!(node, LogicalPlan::Join(_));
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}

/// The plan with all of its join trees reordered.
fn ordered(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let plan = Arc::new(plan);
    let known = Graph::of(&plan).and_then(|graph| Some((graph.problem()?, graph)));
    let Some((problem, mut graph)) = known else {
        return Arc::unwrap_or_clone(plan)
            .map_children(ordered)?
            .transform_data(|plan| plan.map_subqueries(ordered));
    };
    let mut has_changed = false;
    for input in &mut graph.inputs {
        let inner = ordered(input.plan.as_ref().clone())?;
        if inner.transformed {
            has_changed = true;
            input.plan = Arc::new(inner.data);
        }
    }
    let written = graph.written.clone();
    let best = problem.best().filter(|best| {
        *best != written && problem.cost(best) < CLEARLY_CHEAPER * problem.cost(&written)
    });
    match best {
        Some(best) => Ok(Transformed::yes(graph.build(&best, &problem, &plan)?)),
        None if has_changed => Ok(Transformed::yes(graph.build(&written, &problem, &plan)?)),
        None => Ok(Transformed::no(Arc::unwrap_or_clone(plan))),
    }
}
