//! `3 NOT IN (SELECT …)`: a constant that is looked for in a subquery with a NULL.
//!
//! DataFusion 55 makes an anti join of NOT IN that knows about NULLs where a column is looked for. For a constant it forgets
//! them, and the condition is true where it should be NULL; a DELETE would take every row. Said with NOT EXISTS it is right:
//! no row of the subquery may be equal to the constant or unknown.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery};

/// Rewrites such conditions wherever they stand in a WHERE, a HAVING or a join.
pub(crate) fn rewrite(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_down_with_subqueries(|plan| match plan {
        LogicalPlan::Filter(_) | LogicalPlan::Join(_) => {
            plan.map_expressions(|expr| expr.transform_down(rewrite_expr))
        }
        other => Ok(Transformed::no(other)),
    })
    .map(|transformed| transformed.data)
}

fn rewrite_expr(expr: Expr) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::InSubquery(not_in) if not_in.negated && is_constant(&not_in) => {
            Transformed::yes(not_exists(not_in)?)
        }
        Expr::Not(inner) => match *inner {
            Expr::InSubquery(is_in) if !is_in.negated && is_constant(&is_in) => {
                Transformed::yes(not_exists(is_in)?)
            }
            other => Transformed::no(Expr::Not(Box::new(other))),
        },
        other => Transformed::no(other),
    })
}

fn is_constant(in_subquery: &InSubquery) -> bool {
    in_subquery.expr.column_refs().is_empty() && !in_subquery.expr.contains_outer()
}

fn not_exists(in_subquery: InSubquery) -> Result<Expr> {
    let Subquery {
        subquery,
        outer_ref_columns,
        spans,
    } = in_subquery.subquery;
    let candidate = Expr::Column(subquery.schema().columns().swap_remove(0));
    let may_be = Expr::IsNotFalse(Box::new(candidate.eq(*in_subquery.expr)));
    let found = LogicalPlanBuilder::from(subquery.as_ref().clone())
        .filter(may_be)?
        .build()?;
    Ok(Expr::Exists(Exists {
        subquery: Subquery {
            subquery: Arc::new(found),
            outer_ref_columns,
            spans,
        },
        negated: true,
    }))
}
