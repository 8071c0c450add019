//! Expressions that can fail at run time, and so must not be evaluated for rows that another condition excludes.

use datafusion::common::Result;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{Expr, Operator, when};
use datafusion::prelude::lit;

/// The conjunction of two conditions; a `second` that can fail is evaluated only for rows that satisfy `first`. The
/// CASE returns numbers: the optimizer rewrites a CASE of booleans to AND, which evaluates `second` for all rows.
pub(crate) fn and_then(first: Expr, second: Expr) -> Result<Expr> {
    if !second.exists(|part| Ok(!cannot_fail(part)))? {
        return Ok(first.and(second));
    }
    let second = when(second, lit(1)).otherwise(lit(0))?;
    Ok(when(first, second).otherwise(lit(0))?.eq(lit(1)))
}

/// Whether this part of an expression cannot fail where its operands do not.
pub(crate) fn cannot_fail(part: &Expr) -> bool {
    match part {
        Expr::Column(_) | Expr::Literal(..) | Expr::Not(_) => true,
        Expr::IsNull(_) | Expr::IsNotNull(_) | Expr::IsTrue(_) | Expr::IsNotTrue(_) => true,
        Expr::IsFalse(_) | Expr::IsNotFalse(_) | Expr::IsUnknown(_) => true,
        Expr::InList(_) | Expr::Between(_) | Expr::Like(_) | Expr::TryCast(_) => true,
        Expr::BinaryExpr(binary) => matches!(
            binary.op,
            Operator::Eq
                | Operator::NotEq
                | Operator::Lt
                | Operator::LtEq
                | Operator::Gt
                | Operator::GtEq
                | Operator::IsDistinctFrom
                | Operator::IsNotDistinctFrom
                | Operator::And
                | Operator::Or
        ),
        _ => false,
    }
}
