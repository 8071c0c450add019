//! Gives `round(x, 2)` and `trunc(x, 2)` of a decimal one type throughout planning.
//!
//! If the number of digits is a literal, it is the scale of the result type. DataFusion's type coercion wraps that
//! literal in a cast, so the types around the call are resolved without a literal; constant folding makes it a
//! literal again, and then `CASE WHEN a THEN x ELSE round(x, 2) END` has a branch of another type than the CASE. So
//! the literal gets the type that the function requires before planning continues.

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

/// The digits of a `round` or `trunc` call, if they are a literal of type Int64 instead of Int32.
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
