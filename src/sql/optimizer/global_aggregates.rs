//! Keeps filters above aggregates without GROUP BY, which have a row even for no input.
//!
//! DataFusion pushes a condition below an aggregate where all its columns are keys, and all columns of
//! `WHERE (SELECT …)` or `HAVING random() < 0`, which has none, are. Below, it leaves no rows, of which there is a
//! total all the same.

use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::Optimizer;
use datafusion::optimizer::push_down_filter::PushDownFilter;

use super::wrapped_rule::put_around;

/// DataFusion's rule leaves conditions on totals where they are.
pub(crate) fn keep_conditions_above(optimizer: &mut Optimizer) {
    put_around(
        optimizer,
        &PushDownFilter::new(),
        |rule, plan, config| match is_on_totals(&plan) {
            true => Ok(Transformed::no(plan)),
            false => rule.rewrite(plan, config),
        },
    );
}

/// Whether a plan is a filter, or several, of what an aggregate makes that has a row for no rows.
fn is_on_totals(plan: &LogicalPlan) -> bool {
    let mut below = plan;
    while let LogicalPlan::Filter(filter) = below {
        below = &filter.input;
    }
    match below {
        LogicalPlan::Aggregate(aggregate) => {
            let groups = &aggregate.group_expr;
            let is_set = |group: &Expr| matches!(group, Expr::GroupingSet(_));
            matches!(plan, LogicalPlan::Filter(_))
                && (groups.is_empty() || groups.iter().any(is_set))
        }
        _ => false,
    }
}
