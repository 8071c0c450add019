//! Gives `round(x, 2)` and `trunc(x, 2)` of a decimal one type throughout planning.
//!
//! The digits that are asked for are those of the result's type, where they are a literal. DataFusion casts that
//! literal to another type first, sees no literal while it works out the types around, and one again when it has
//! evaluated the cast: then `CASE WHEN a THEN x ELSE round(x, 2) END` has a branch of another type than the whole. So
//! it is of the right type from the start.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::rewrite::rewrite;

pub(crate) fn fix_digits(plan: LogicalPlan) -> Result<LogicalPlan> {
    let wanted = |expr: &Expr| digits(expr).is_some();
    rewrite(plan, wanted, |expr, _| {
        expr.transform_up(|part| {
            let Some(digits) = digits(&part) else {
                return Ok(Transformed::no(part));
            };
            let Expr::ScalarFunction(mut call) = part else {
                return Ok(Transformed::no(part));
            };
            call.args[1] = Expr::Literal(ScalarValue::from(digits), None);
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        })
    })
}

/// The digits of a call, where they are a literal of another type than they have to be.
fn digits(expr: &Expr) -> Option<i32> {
    match expr {
        Expr::ScalarFunction(call) if ["round", "trunc"].contains(&call.name()) => {
            match call.args.get(1)? {
                Expr::Literal(ScalarValue::Int64(Some(digits)), _) => i32::try_from(*digits).ok(),
                _ => None,
            }
        }
        _ => None,
    }
}
