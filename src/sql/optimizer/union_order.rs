//! Works around sorts below UNION ALL that do not satisfy the required order.
//!
//! DataFusion sorts the inputs of a UNION ALL and drops redundant keys from each sort: a column that is constant in
//! that input, or equal to another key. The union's common order may then be weaker than the required one, as for
//! `SELECT k AS a, 1 AS b, k AS c FROM t UNION ALL SELECT max(x), max(y), max(x) FROM t` ordered by `a, b, c`, and
//! DataFusion's final check refuses the plan. Such an input is sorted once more here. Remove this rule when
//! DataFusion's unions know the orders of their inputs.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, replace_children_if_necessary,
};

/// The last rule of the physical optimizer that may change an order.
#[derive(Debug)]
pub(crate) struct SortedInputs;

impl PhysicalOptimizerRule for SortedInputs {
    fn name(&self) -> &str {
        "sorted_inputs"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(with_sorted_inputs).data()
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn with_sorted_inputs(plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let asked = plan.required_input_ordering();
    if asked.iter().all(Option::is_none) {
        return Ok(Transformed::no(plan));
    }
    let mut is_sorted_again = false;
    let mut children = Vec::new();
    for (child, asked) in plan.children().into_iter().zip(asked) {
        let mut child = Arc::clone(child);
        if let Some(asked) = asked {
            let asked = asked.into_single();
            let known = child.equivalence_properties();
            if !known.ordering_satisfy_requirement(asked.clone())? {
                let sort = SortExec::new(LexOrdering::from(asked), child);
                child = Arc::new(sort.with_preserve_partitioning(true));
                is_sorted_again = true;
            }
        }
        children.push(child);
    }
    match is_sorted_again {
        true => Ok(Transformed::yes(replace_children_if_necessary(
            plan, children,
        )?)),
        false => Ok(Transformed::no(plan)),
    }
}
