//! Conditions on totals: an aggregate without groups has a row for no rows too.
//!
//! DataFusion pushes a condition below an aggregate where all its columns are keys, and all columns of `WHERE (SELECT …)` or
//! `HAVING random() < 0`, which has none, are. Below, it leaves no rows, of which there is a total all the same.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};

/// Puts the rule of this module in the place of DataFusion's.
pub(super) fn keep_conditions_above(optimizer: &mut Optimizer) {
    for rule in &mut optimizer.rules {
        if rule.name() == PushDownFilter::new().name() {
            *rule = Arc::new(AboveTotals(PushDownFilter::new()));
        }
    }
}

/// DataFusion's rule, but for conditions on totals.
#[derive(Debug)]
struct AboveTotals(PushDownFilter);

impl OptimizerRule for AboveTotals {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match is_on_totals(&plan) {
            true => Ok(Transformed::no(plan)),
            false => self.0.rewrite(plan, config),
        }
    }
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
