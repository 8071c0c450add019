//! User-defined functions in SQL.
//!
//!     cargo run --example functions

#![allow(clippy::print_stdout)] // The example prints its result.

use std::sync::Arc;

use rhei_datafusion::arrow::array::{AsArray, Int64Array};
use rhei_datafusion::arrow::datatypes::{DataType, Int64Type};
use rhei_datafusion::datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use rhei_datafusion::{DataFusionEngine, DfOlapError, OlapEngine};

#[tokio::main]
async fn main() -> Result<(), DfOlapError> {
    let engine = DataFusionEngine::new();
    // The function gets a batch at a time; `Immutable` means that equal arguments give equal results.
    let collatz = create_udf(
        "collatz",
        vec![DataType::Int64],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(|args: &[ColumnarValue]| {
            let numbers = ColumnarValue::values_to_arrays(args)?;
            let numbers = numbers[0].as_primitive::<Int64Type>();
            let steps: Int64Array = numbers.iter().map(|n| n.and_then(steps)).collect();
            Ok(ColumnarValue::Array(Arc::new(steps)))
        }),
    );
    engine.register_udf(collatz)?;

    engine
        .execute("CREATE TABLE t AS SELECT value AS n FROM range(1, 28)")
        .await?;
    let longest = engine
        .query("SELECT n, collatz(n) AS steps FROM t ORDER BY steps DESC LIMIT 1")
        .await?;
    let longest = longest[0].column(1).as_primitive::<Int64Type>().value(0);
    println!("the longest way to 1 from below 28 has {longest} steps");
    assert_eq!(longest, 111);
    Ok(())
}

/// The number of steps from `n` to 1; NULL where 1 cannot be reached.
fn steps(mut n: i64) -> Option<i64> {
    let mut steps = 0;
    while n != 1 {
        n = match n % 2 {
            0 if n > 0 => n / 2,
            1 => n.checked_mul(3)?.checked_add(1)?,
            _ => return None,
        };
        steps += 1;
    }
    Some(steps)
}
