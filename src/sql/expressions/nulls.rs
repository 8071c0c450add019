//! Rewrites expressions that DataFusion 55 simplifies wrongly, mostly because it ignores that a value may be NULL, so
//! that the wrong simplification does not apply.
//!
//! - `n NOT IN (1) OR n NOT IN (2, 3)`: two lists of one operand are merged as if the operand were never NULL.
//!   [`OpaqueValue`] makes the operands differ.
//! - `-(a | b)` becomes `-a & -b`, and `-a & a` becomes 0, as if the minus were `~`. [`OpaqueValue`] hides the
//!   operand.
//! - `x IN (1, CASE WHEN a THEN 2 END)`: DataFusion evaluates the list for an empty batch and takes an expression
//!   that succeeds with a scalar for a constant, as a CASE does. [`OpaqueValue`] returns an array of one value
//!   per row.
//! - `(SELECT 1 FROM t)` counts as not nullable, although t may be empty. [`maybe_null`] makes it nullable.
//! - `x IS TRUE` is not nullable in a logical plan but may be in a physical one, and DataFusion refuses the plan
//!   when it compares the two schemas. Where `x IS TRUE` is a value rather than a condition, it is replaced by the
//!   comparison to which DataFusion's physical planner turns it anyway.
//! - `n ^ n` and `s ~ '.*'` become constants, although they are NULL for a NULL operand. [`OpaqueValue`] hides the
//!   right operand.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::lit;

/// Rewrites a plan so that DataFusion's simplifications respect NULL.
pub(crate) fn preserve_nulls(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_down_with_subqueries(|plan| {
        let names = NamePreserver::new(&plan);
        let is_condition = matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let kept = keep_apart(expr, is_condition)?;
            Ok(match kept.transformed {
                true => kept.update_data(|expr| name.restore(expr)),
                false => kept,
            })
        })
    })
    .map(|transformed| transformed.data)
}

/// Hides operands from the simplifications that ignore NULL; outside conditions, `x IS TRUE` and similar predicates
/// become comparisons.
fn keep_apart(expr: Expr, is_condition: bool) -> Result<Transformed<Expr>> {
    let mut seen: Vec<Expr> = Vec::new();
    expr.transform_down(|expr| {
        Ok(match expr {
            Expr::InList(mut list) => {
                let mut found = false;
                for value in &mut list.list {
                    if !matches!(value, Expr::Literal(..) | Expr::Column(_)) {
                        *value = hidden(std::mem::take(value), 0, Volatility::Stable);
                        found = true;
                    }
                }
                let times = seen.len() as i64;
                let is_known = seen.contains(&list.expr);
                seen.push(list.expr.as_ref().clone());
                if is_known {
                    *list.expr = hidden(*list.expr, times, Volatility::Stable);
                    found = true;
                }
                Transformed::new(Expr::InList(list), found, TreeNodeRecursion::Continue)
            }
            Expr::BinaryExpr(binary) if forgets_null(&binary) => {
                let BinaryExpr { left, op, right } = binary;
                let right = Box::new(hidden(*right, 0, Volatility::Volatile));
                let kept = Expr::BinaryExpr(BinaryExpr { left, op, right });
                Transformed::yes(kept)
            }
            Expr::BinaryExpr(mut binary) if is_bitwise(binary.op) => {
                let mut found = false;
                for side in [&mut binary.left, &mut binary.right] {
                    if let Expr::Negative(_) = side.as_ref() {
                        **side = hidden(std::mem::take(side.as_mut()), 0, Volatility::Stable);
                        found = true;
                    }
                }
                Transformed::new(Expr::BinaryExpr(binary), found, TreeNodeRecursion::Continue)
            }
            Expr::Negative(mut inner) if matches!(inner.as_ref(), Expr::BinaryExpr(binary) if is_bitwise(binary.op)) =>
            {
                *inner = hidden(std::mem::take(inner.as_mut()), 0, Volatility::Stable);
                Transformed::yes(Expr::Negative(inner))
            }
            other if is_condition => Transformed::no(other),
            other => as_comparison(other),
        })
    })
}

/// `x IS NOT DISTINCT FROM TRUE` for `x IS TRUE`, and so on.
fn as_comparison(expr: Expr) -> Transformed<Expr> {
    let (inner, op, value) = match expr {
        Expr::IsTrue(inner) => (inner, Operator::IsNotDistinctFrom, true),
        Expr::IsNotTrue(inner) => (inner, Operator::IsDistinctFrom, true),
        Expr::IsFalse(inner) => (inner, Operator::IsNotDistinctFrom, false),
        Expr::IsNotFalse(inner) => (inner, Operator::IsDistinctFrom, false),
        Expr::IsUnknown(inner) => return Transformed::yes(Expr::IsNull(inner)),
        Expr::IsNotUnknown(inner) => return Transformed::yes(Expr::IsNotNull(inner)),
        other => return Transformed::no(other),
    };
    let compared = BinaryExpr::new(inner, op, Box::new(lit(value)));
    Transformed::yes(Expr::BinaryExpr(compared))
}

fn is_bitwise(op: Operator) -> bool {
    matches!(
        op,
        Operator::BitwiseAnd | Operator::BitwiseOr | Operator::BitwiseXor
    )
}

fn forgets_null(binary: &BinaryExpr) -> bool {
    match binary.op {
        Operator::BitwiseXor => binary.left == binary.right,
        Operator::RegexMatch
        | Operator::RegexIMatch
        | Operator::RegexNotMatch
        | Operator::RegexNotIMatch => matches!(binary.right.as_ref(), Expr::Literal(pattern, _)
            if pattern.try_as_str().flatten() == Some(".*")),
        _ => false,
    }
}

/// Hides `expr`, so that it differs from the same expression hidden under another number. A constant is folded by the
/// optimizer unless `volatility` is volatile.
fn hidden(expr: Expr, number: i64, volatility: Volatility) -> Expr {
    opaque_value(expr, number, volatility, false)
}

/// `expr`, made nullable.
pub(crate) fn maybe_null(expr: Expr) -> Expr {
    opaque_value(expr, 0, Volatility::Volatile, true)
}

/// Whether an expression was made by [`maybe_null`].
pub(crate) fn is_maybe_null(expr: &Expr) -> bool {
    let Expr::ScalarFunction(call) = expr else {
        return false;
    };
    let hidden = call.func.inner().downcast_ref::<OpaqueValue>();
    hidden.is_some_and(|hidden| hidden.may_be_null)
}

fn opaque_value(expr: Expr, number: i64, volatility: Volatility, may_be_null: bool) -> Expr {
    let hidden = OpaqueValue {
        signature: Signature::any(2, volatility),
        may_be_null,
    };
    ScalarUDF::new_from_impl(hidden).call(vec![expr, lit(number)])
}

/// An identity function that returns its first argument as an array of one value per row.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OpaqueValue {
    signature: Signature,
    /// Nullable even if the argument is not.
    may_be_null: bool,
}

impl ScalarUDFImpl for OpaqueValue {
    fn name(&self) -> &'static str {
        "as_it_is"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args
            .first()
            .map(|arg| arg.schema_name().to_string())
            .unwrap_or_default())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let field = &args.arg_fields[0];
        Ok(match self.may_be_null {
            true => Arc::new(field.as_ref().clone().with_nullable(true)),
            false => Arc::clone(field),
        })
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let value = args.args.swap_remove(0);
        value.into_array(args.number_rows).map(ColumnarValue::Array)
    }
}
