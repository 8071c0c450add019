//! Wraps an optimizer rule of DataFusion with a function that runs before or after it.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};

/// Rewrites a plan, with or without the wrapped rule.
pub(super) type Rewrite =
    fn(&dyn OptimizerRule, LogicalPlan, &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>>;

/// Wraps the rule that has the name of `known` in `rewrite`.
pub(super) fn put_around(optimizer: &mut Optimizer, known: &dyn OptimizerRule, rewrite: Rewrite) {
    for rule in &mut optimizer.rules {
        if rule.name() == known.name() {
            let inner = Arc::clone(rule);
            *rule = Arc::new(Around { inner, rewrite });
        }
    }
}

#[derive(Debug)]
struct Around {
    inner: Arc<dyn OptimizerRule + Send + Sync>,
    rewrite: Rewrite,
}

impl OptimizerRule for Around {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.inner.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        (self.rewrite)(self.inner.as_ref(), plan, config)
    }
}
