//! Arithmetic that says when it overflows: DataFusion wraps around.
//!
//! Done on the physical plan, where all types are known and nothing is left to optimize, and for the values that a statement
//! makes. Conditions, grouping expressions and what is constant keep DataFusion's arithmetic.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;

/// The same plan; a value of a projection that overflows is an error.
pub(crate) fn check_projections(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|plan| {
        let Some(projection) = plan.downcast_ref::<ProjectionExec>() else {
            return Ok(Transformed::no(plan));
        };
        let mut changed = false;
        let exprs = projection
            .expr()
            .iter()
            .map(|value| {
                let checked = check(Arc::clone(&value.expr))?;
                changed |= checked.transformed;
                Ok(ProjectionExpr::new(checked.data, value.alias.clone()))
            })
            .collect::<Result<Vec<_>>>()?;
        if !changed {
            return Ok(Transformed::no(plan));
        }
        let input = Arc::clone(projection.input());
        Ok(Transformed::yes(
            Arc::new(ProjectionExec::try_new(exprs, input)?) as _,
        ))
    })
    .map(|transformed| transformed.data)
}

/// The same expression; where it overflows it is an error.
pub(crate) fn check(expr: Arc<dyn PhysicalExpr>) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    expr.transform_up(|expr| {
        let Some(binary) = expr.downcast_ref::<BinaryExpr>() else {
            return Ok(Transformed::no(expr));
        };
        match binary.op() {
            Operator::Plus | Operator::Minus | Operator::Multiply => {
                let checked = binary.clone().with_fail_on_overflow(true);
                Ok(Transformed::yes(Arc::new(checked) as _))
            }
            _ => Ok(Transformed::no(expr)),
        }
    })
}
