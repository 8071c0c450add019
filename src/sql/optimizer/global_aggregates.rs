//! Keeps filters above aggregates without GROUP BY, which return a row even for an empty input.
//!
//! DataFusion pushes a condition below an aggregate where all the condition's columns are group keys. This holds for
//! any condition without columns, such as `WHERE (SELECT …)` or `HAVING random() < 0`. Below the aggregate, such a
//! condition drops all input rows, but the aggregate still returns its row.

use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::Optimizer;
use datafusion::optimizer::push_down_filter::PushDownFilter;

use super::wrapped_rule::put_around;

/// Makes DataFusion's filter pushdown skip conditions on aggregates that return a row for an empty input.
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

/// Whether a plan is one or more filters on an aggregate that may return a row for an empty input.
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
