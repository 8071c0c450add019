//! Expensive functions, evaluated over a batch in chunks, so that a statement can be cancelled between two chunks.
//!
//! `levenshtein` costs the product of the text lengths, a set function of lists more than the sum of the list
//! lengths, and a regular expression any amount. So the time per batch has no bound; the statement can stop between
//! two chunks.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use arrow::compute::concat;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};

use super::rewrite::rewrite;
use crate::runtime::{self, TURN};
use crate::sql::resources::interrupt::Stop;

/// The functions whose cost is not linear in the bytes of their arguments. None of them has an output size limit per
/// batch: that limit would apply to each piece instead.
const LONG: [&str; 12] = [
    "levenshtein",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "array_distinct",
    "array_except",
    "array_has_all",
    "array_has_any",
    "array_intersect",
    "array_sort",
    "array_union",
];

/// The rows of the first piece.
const FIRST_ROWS: usize = 32;
/// After a piece that takes less than `QUICK` the number of rows is doubled; after more than `SLOW` it is halved.
const QUICK: Duration = Duration::from_millis(1);
const SLOW: Duration = TURN;

/// Makes an optimized plan call these functions piece by piece, with a check of `stop` before each piece.
pub(crate) fn in_pieces(plan: LogicalPlan, stop: &Arc<Stop>) -> Result<LogicalPlan> {
    if stop.is_never() {
        return Ok(plan);
    }
    rewrite(plan, is_long, |expr, _| {
        expr.transform_up(|expr| match expr {
            Expr::ScalarFunction(mut call) if LONG.contains(&call.func.name()) => {
                call.func = Arc::new(ScalarUDF::new_from_impl(InPieces {
                    function: call.func,
                    stop: Arc::clone(stop),
                }));
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            expr => Ok(Transformed::no(expr)),
        })
    })
}

fn is_long(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if LONG.contains(&call.func.name()))
}

#[derive(Debug)]
struct InPieces {
    function: Arc<ScalarUDF>,
    stop: Arc<Stop>,
}

impl PartialEq for InPieces {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function
    }
}

impl Eq for InPieces {}

impl Hash for InPieces {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
    }
}

impl ScalarUDFImpl for InPieces {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.function.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.function.coerce_types(arg_types)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.function.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.function.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.stop.check()?;
        let rows = args.number_rows;
        let is_array = |value: &ColumnarValue| matches!(value, ColumnarValue::Array(_));
        if rows <= FIRST_ROWS || !args.args.iter().any(is_array) {
            return self.function.invoke_with_args(args);
        }
        let (mut made, mut from, mut count) = (Vec::new(), 0, FIRST_ROWS);
        while from < rows {
            self.stop.check()?;
            let begun = runtime::now();
            let here = count.min(rows - from);
            let values = args.args.iter().map(|value| match value {
                ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, here)),
                ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.clone()),
            });
            let piece = ScalarFunctionArgs {
                args: values.collect(),
                arg_fields: args.arg_fields.clone(),
                number_rows: here,
                return_field: Arc::clone(&args.return_field),
                config_options: Arc::clone(&args.config_options),
            };
            made.push(self.function.invoke_with_args(piece)?.into_array(here)?);
            from += here;
            let took = runtime::now().duration_since(begun);
            if took < QUICK {
                count *= 2;
            } else if took > SLOW {
                count = (count / 2).max(1);
            }
        }
        let made: Vec<_> = made.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&made)?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{Field, Int64Type};
    use datafusion::config::ConfigOptions;
    use datafusion::logical_expr::{Volatility, create_udf};
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// Calls a function of one integer over the numbers below `rows`, in pieces.
    fn call(
        stop: &Arc<Stop>,
        rows: i64,
        function: impl Fn(&Int64Array) -> Int64Array + Send + Sync + 'static,
    ) -> Result<ColumnarValue> {
        let function = create_udf(
            "numbers",
            vec![DataType::Int64],
            DataType::Int64,
            Volatility::Immutable,
            Arc::new(move |args| {
                let numbers = ColumnarValue::values_to_arrays(args)?;
                let numbers = numbers[0].as_primitive::<Int64Type>();
                Ok(ColumnarValue::Array(Arc::new(function(numbers))))
            }),
        );
        let field = Arc::new(Field::new("n", DataType::Int64, true));
        let function = InPieces {
            function: Arc::new(function),
            stop: Arc::clone(stop),
        };
        function.invoke_with_args(ScalarFunctionArgs {
            args: vec![ColumnarValue::Array(Arc::new(
                Int64Array::from_iter_values(0..rows),
            ))],
            arg_fields: vec![Arc::clone(&field)],
            number_rows: rows as usize,
            return_field: field,
            config_options: Arc::new(ConfigOptions::default()),
        })
    }

    #[test]
    fn pieces_make_the_whole() {
        let stop = Arc::new(Stop::new(None, Some(CancellationToken::new())));
        for rows in [0, 1, 31, 32, 33, 64, 95, 96, 97, 8192] {
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&calls);
            let made = call(&stop, rows, move |numbers| {
                counted.fetch_add(1, Ordering::Relaxed);
                numbers.unary(|number| number * 3)
            });
            let made = made.unwrap().into_array(rows as usize).unwrap();
            let expected = Int64Array::from_iter_values((0..rows).map(|number| number * 3));
            assert_eq!(made.as_primitive::<Int64Type>(), &expected);
            assert_eq!(calls.load(Ordering::Relaxed) > 1, rows > 32, "{rows} rows");
        }
    }

    #[test]
    fn a_cancelled_call_has_no_further_piece() {
        let token = CancellationToken::new();
        let stop = Arc::new(Stop::new(None, Some(token.clone())));
        let seen = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&seen);
        let made = call(&stop, 8192, move |numbers| {
            counted.fetch_add(numbers.len(), Ordering::Relaxed);
            token.cancel();
            numbers.clone()
        });
        let error = crate::error::DfOlapError::from(made.unwrap_err());
        assert_eq!(error.kind(), crate::error::ErrorKind::Cancelled, "{error}");
        assert_eq!(seen.load(Ordering::Relaxed), FIRST_ROWS);
    }
}
