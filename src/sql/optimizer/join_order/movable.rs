//! Which joins and conditions may be reordered without changing results or errors.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, NullEquality};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use crate::sql::expressions::fallible::cannot_fail;

/// Whether a node belongs to a tree of joins that may be reordered.
pub(super) fn is_joined(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Join(join) => {
            let is_known = matches!(
                join.join_type,
                JoinType::Inner
                    | JoinType::LeftSemi
                    | JoinType::LeftAnti
                    | JoinType::RightSemi
                    | JoinType::RightAnti
            ) && join.null_equality == NullEquality::NullEqualsNothing;
            let keys = join.on.iter().flat_map(|(left, right)| [left, right]);
            let mut exprs = keys.chain(&join.filter);
            let inputs = [join.left.as_ref(), join.right.as_ref()];
            is_known && exprs.all(|expr| is_movable(expr, inputs))
        }
        LogicalPlan::Filter(filter) => {
            let inputs = [filter.input.as_ref(); 2];
            is_movable(&filter.predicate, inputs) && is_joined(&filter.input)
        }
        LogicalPlan::Projection(projection) => {
            let is_plain = projection
                .expr
                .iter()
                .all(|expr| matches!(expr, Expr::Column(_)));
            is_plain && is_joined(&projection.input)
        }
        _ => false,
    }
}

/// Whether an expression has the same value at any place in the tree and cannot fail: in another order, it may be
/// evaluated for rows that a join dropped before.
fn is_movable(expr: &Expr, inputs: [&LogicalPlan; 2]) -> bool {
    let mut is_movable = !expr.is_volatile() && !expr.contains_outer();
    let visited = expr.apply(|part| {
        is_movable &= match part {
            Expr::Cast(cast) => inputs.iter().any(|input| {
                let type_of = |expr: &Expr| expr.get_type(input.schema()).ok();
                let types = type_of(&cast.expr).zip(type_of(part));
                types.is_some_and(|(from, to)| is_widened(&from, &to))
            }),
            part => cannot_fail(part),
        };
        Ok(match is_movable {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    });
    is_movable && visited.is_ok()
}

/// Whether a cast from one type to the other cannot fail; a cast to a float may round.
fn is_widened(from: &DataType, to: &DataType) -> bool {
    use DataType::{Decimal128, Float32, Float64};
    let digits = |integer: &DataType| match integer.primitive_width() {
        Some(1) => 3,
        Some(2) => 5,
        Some(4) => 10,
        _ => 20,
    };
    match (from, to) {
        (from, to) if from == to => true,
        (from, Float64) => from.is_numeric(),
        (from, Float32) => from.is_integer(),
        (Decimal128(p, s), Decimal128(wider, scale)) => {
            scale >= s && i16::from(*wider) - i16::from(*scale) >= i16::from(*p) - i16::from(*s)
        }
        (from, Decimal128(p, s)) if from.is_integer() => {
            i16::from(*p) - i16::from(*s) >= digits(from)
        }
        (from, to) if from.is_integer() && to.is_integer() => {
            let is_wider = from.primitive_width() < to.primitive_width();
            is_wider && (to.is_signed_integer() || from.is_unsigned_integer())
        }
        (from, to) => from.is_string() && to.is_string(),
    }
}
