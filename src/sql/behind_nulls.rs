//! What lies behind a NULL is no value, and is not worked with.
//!
//! `date_trunc` cuts off that too: behind the NULL of `max(ts)` of no values lies the least number there is, which overflows, a panic
//! where a build checks for it. So there is a 0 before it is called. This can go when DataFusion looks at values alone.

use arrow::array::{Array, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{ColumnarValue, Expr, LogicalPlan};

use super::passing::passed;
use super::rewrite::rewrite;

/// Puts a 0 behind each NULL that `date_trunc` is given in an optimized plan.
pub(crate) fn clear_before_truncation(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, truncates, |expr, _| {
        expr.transform_up(|expr| match expr {
            Expr::ScalarFunction(mut call) if call.func.name() == "date_trunc" => {
                call.args = call.args.into_iter().enumerate().map(of_argument).collect();
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            expr => Ok(Transformed::no(expr)),
        })
    })
}

fn truncates(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.name() == "date_trunc")
}

/// The first argument says what is cut off.
fn of_argument((place, argument): (usize, Expr)) -> Expr {
    match place {
        1 => passed(argument, "cleared", cleared),
        _ => argument,
    }
}

fn cleared(value: ColumnarValue, _: usize) -> Result<ColumnarValue> {
    let ColumnarValue::Array(array) = &value else {
        return Ok(value);
    };
    let (true, Some(nulls)) = (
        matches!(array.data_type(), DataType::Timestamp(..)),
        array.nulls().filter(|nulls| nulls.null_count() > 0),
    ) else {
        return Ok(value);
    };
    let numbers = cast(array, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>().values().iter();
    let numbers = numbers.zip(nulls).map(|(number, is_valid)| match is_valid {
        true => *number,
        false => 0,
    });
    let numbers = Int64Array::new(numbers.collect(), Some(nulls.clone()));
    Ok(ColumnarValue::Array(cast(&numbers, array.data_type())?))
}
