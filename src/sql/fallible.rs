//! Which expressions are an error for no row whatever, and so may be asked about rows that another condition leaves out.

use datafusion::logical_expr::{Expr, Operator};

/// Whether this part of an expression cannot fail where its operands do not.
pub(super) fn cannot_fail(part: &Expr) -> bool {
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
