//! Truth values that are compared with whole numbers and texts: true is 1 and false is 0, as in DuckDB and in SQLite,
//! which has no truth values, and a text is read as a truth value. DataFusion refuses to compare them.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::prelude::cast;
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Plans comparisons of truth values with something else.
#[derive(Debug)]
pub(crate) struct TruthValuePlanner;

impl ExprPlanner for TruthValuePlanner {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        match compared(&expr, schema) {
            Some((DataType::Boolean, DataType::Boolean)) => {}
            Some((DataType::Boolean, other)) => meet(&mut expr.left, &mut expr.right, &other),
            Some((other, DataType::Boolean)) => meet(&mut expr.right, &mut expr.left, &other),
            _ => {}
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// The types of the two sides, if the operation is a comparison.
pub(super) fn compared(expr: &RawBinaryExpr, schema: &DFSchema) -> Option<(DataType, DataType)> {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let is_comparison = matches!(expr.op, Eq | NotEq | Lt | LtEq | Gt | GtEq);
    let types = |expr: &Expr| expr.get_type(schema).ok();
    is_comparison.then(|| types(&expr.left).zip(types(&expr.right)))?
}

/// Gives a truth value and a value of the type `of` one type.
fn meet(truth: &mut Expr, other: &mut Expr, of: &DataType) {
    let literal = |value: ScalarValue| Expr::Literal(value, None);
    match (&*truth, &*other) {
        (Expr::Literal(ScalarValue::Boolean(Some(value)), _), _) if of.is_integer() => {
            *truth = literal(ScalarValue::Int64(Some(i64::from(*value))));
        }
        // A column of truth values stays as it is: its rows are found by its values.
        (_, Expr::Literal(ScalarValue::Int64(Some(number @ (0 | 1))), _)) => {
            *other = literal(ScalarValue::Boolean(Some(*number == 1)));
        }
        _ if of.is_integer() => *truth = cast(std::mem::take(truth), DataType::Int64),
        (_, Expr::Literal(text, _)) if of.is_string() => {
            if let Ok(value) = text.cast_to(&DataType::Boolean) {
                *other = literal(value);
            }
        }
        _ => {}
    }
}
