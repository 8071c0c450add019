//! Answers `count(*)` and `count(column)` from row and NULL counts, without a scan.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::aggregate_statistics::AggregateStatistics;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::projection::ProjectionExec;

/// DataFusion's rule for aggregates by statistics, for counts only. For others the rule is wrong: it gives a constant
/// one value even for no rows or a NULL, so that `count(DISTINCT c)` would be 1 and `sum(c)` 0.
#[derive(Debug)]
pub(crate) struct Counts;

impl PhysicalOptimizerRule for Counts {
    fn name(&self) -> &str {
        "counts_by_statistics"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|plan| {
            if !plan.downcast_ref::<AggregateExec>().is_some_and(is_count) {
                return Ok(Transformed::no(plan));
            }
            // Without an answer for this node, DataFusion's rule goes on to the node's inputs. There it may mistake
            // an inner query's count for an outer query's, and fail.
            let known = AggregateStatistics::new().optimize(Arc::clone(&plan), config);
            Ok(match known {
                Ok(known) if known.is::<ProjectionExec>() => Transformed::yes(known),
                _ => Transformed::no(plan),
            })
        })
        .data()
    }

    /// Off, since a count from metadata is a literal and not nullable.
    fn schema_check(&self) -> bool {
        false
    }
}

fn is_count(aggregate: &AggregateExec) -> bool {
    let mut calls = aggregate.aggr_expr().iter();
    // DataFusion's rule checks FILTER clauses in the partial stage only, and below a stage with one it searches for
    // another.
    aggregate.group_expr().is_empty()
        && aggregate.filter_expr().iter().all(Option::is_none)
        && calls.all(|call| call.fun().name() == "count" && !call.is_distinct())
}
