//! Parts of structs, read as early as can be.
//!
//! DataFusion moves `s['a']` towards the scans by rules that add columns to projections on the way without a look at their names:
//! below `c0 AS value` over a join with another `c0`, what they make has one name twice, and the query is refused. Such a part stays
//! where it is.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};

/// Puts the rule of this module around those of DataFusion.
pub(super) fn leave_where_names_meet(optimizer: &mut Optimizer) {
    for rule in &mut optimizer.rules {
        let moves = ["extract_leaf_expressions", "push_down_leaf_projections"];
        if moves.contains(&rule.name()) {
            *rule = Arc::new(Unless(Arc::clone(rule)));
        }
    }
}

/// DataFusion's rule, but where it fails.
#[derive(Debug)]
struct Unless(Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for Unless {
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
        let moved = self.0.rewrite(plan.clone(), config);
        Ok(moved.unwrap_or_else(|_| Transformed::no(plan)))
    }
}
