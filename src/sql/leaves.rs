//! Parts of structs, read as early as can be.
//!
//! DataFusion moves `s['a']` towards the scans by a rule that adds columns to projections on the way without a look at their names:
//! below `c0 AS value` over a join with another `c0`, what it makes has one name twice, and the query is refused. Such a part stays
//! where it is.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::extract_leaf_expressions::PushDownLeafProjections;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};

/// Puts the rule of this module around that of DataFusion.
pub(super) fn leave_where_names_meet(optimizer: &mut Optimizer) {
    for rule in &mut optimizer.rules {
        if rule.name() == PushDownLeafProjections::new().name() {
            *rule = Arc::new(UnlessItFails(PushDownLeafProjections::new()));
        }
    }
}

/// DataFusion's rule, but where it fails.
#[derive(Debug)]
struct UnlessItFails(PushDownLeafProjections);

impl OptimizerRule for UnlessItFails {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            // The only nodes that it moves anything from, and cheap to keep beside: their expressions alone are copied.
            LogicalPlan::Projection(_) => {
                let moved = self.0.rewrite(plan.clone(), config);
                Ok(moved.unwrap_or_else(|_| Transformed::no(plan)))
            }
            plan => Ok(Transformed::no(plan)),
        }
    }
}
