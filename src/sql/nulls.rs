//! Conditions in which DataFusion 55 forgets that a value may be NULL, said so that it does not.
//!
//! - `n NOT IN (1) OR n NOT IN (2, 3)`: two lists of one operand are merged as if it were never NULL. [`Hidden`] keeps the
//!   operands apart.
//! - `n ^ n` and `s ~ '.*'` become constants though they are NULL where the operand is; the same keeps them.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::lit;

/// The same plan in words that DataFusion gets right.
pub(crate) fn respect(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_down_with_subqueries(|plan| plan.map_expressions(keep_apart))
        .map(|transformed| transformed.data)
}

/// Hides operands from the simplifications that take them for never NULL.
fn keep_apart(expr: Expr) -> Result<Transformed<Expr>> {
    let mut seen: Vec<Expr> = Vec::new();
    expr.transform_down(|expr| {
        Ok(match expr {
            Expr::InList(mut list) if seen.contains(&list.expr) => {
                let times = seen.len() as i64;
                seen.push(list.expr.as_ref().clone());
                *list.expr = hidden(*list.expr, times, Volatility::Stable);
                Transformed::new(Expr::InList(list), true, TreeNodeRecursion::Jump)
            }
            Expr::InList(list) => {
                seen.push(list.expr.as_ref().clone());
                Transformed::no(Expr::InList(list))
            }
            Expr::BinaryExpr(binary) if forgets_null(&binary) => {
                let BinaryExpr { left, op, right } = binary;
                let right = Box::new(hidden(*right, 0, Volatility::Volatile));
                let kept = Expr::BinaryExpr(BinaryExpr { left, op, right });
                Transformed::new(kept, true, TreeNodeRecursion::Jump)
            }
            other => Transformed::no(other),
        })
    })
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

/// `expr`, which is equal to no other that is hidden under another number. A constant is evaluated while planning unless it is
/// called volatile.
fn hidden(expr: Expr, number: i64, volatility: Volatility) -> Expr {
    ScalarUDF::new_from_impl(Hidden(Signature::any(2, volatility))).call(vec![expr, lit(number)])
}

/// Its first argument.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Hidden(Signature);

impl ScalarUDFImpl for Hidden {
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
        &self.0
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::clone(&args.arg_fields[0]))
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(args.args.swap_remove(0))
    }
}
