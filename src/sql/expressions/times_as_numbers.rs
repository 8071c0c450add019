//! Times that are compared with numbers, for statements of Rhei: SQLite has no times, so a program may store them as
//! numbers, and an INSERT of numbers stores them as that many units of the column since 1970 or midnight. DataFusion,
//! like DuckDB, refuses to compare them, because it cannot know the unit that is meant.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};

use super::truth_values::compared;

/// Plans comparisons of times with numbers that stand in the text.
#[derive(Debug)]
pub(crate) struct TimesAsNumbers;

impl ExprPlanner for TimesAsNumbers {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if let Some((left, right)) = compared(&expr, schema) {
            meet(&left, &mut expr.right);
            meet(&right, &mut expr.left);
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// Makes a number that is compared with a value of this type a time.
fn meet(of: &DataType, other: &mut Expr) {
    use DataType::{Int64, Time32, Time64, Timestamp};
    if matches!(of, Timestamp(..) | Time32(_) | Time64(_))
        && let Expr::Literal(number @ (ScalarValue::Int64(_) | ScalarValue::Float64(_)), _) = other
        && let Ok(number) = number.cast_to(&Int64)
        && let Ok(time) = number.cast_to(of)
    {
        *other = Expr::Literal(time, None);
    }
}
