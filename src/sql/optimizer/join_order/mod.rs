//! Cost-based join ordering, an optimizer rule.
//!
//! DataFusion joins in the order of the text. Here a tree of inner, semi and anti joins is taken apart ([`graph`]), the
//! rows of each input are estimated from ranges and samples ([`cardinality`]), the cheapest order is searched for
//! ([`search`]), and the tree is put together again. Semi and anti joins are conditions, so they move down to where
//! they drop most.
//!
//! The order that was written stays where no other is clearly cheaper, where a table tells nothing of itself, and where
//! an expression is volatile or may fail.

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

/// How much cheaper an order has to be than the written one: estimates are no more than that.
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

/// Most queries have none, and need not be taken apart to see it.
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

/// The plan with all of its joins in order.
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
