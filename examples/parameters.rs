//! Values apart from the SQL text: no quoting, and a cached plan for the next call.
//!
//!     cargo run --example parameters

#![allow(clippy::print_stdout)] // The example prints its result.

use rhei_datafusion::datafusion::common::{ParamValues, ScalarValue};
use rhei_datafusion::{DataFusionEngine, DfOlapError, OlapEngine};

#[tokio::main]
async fn main() -> Result<(), DfOlapError> {
    let engine = DataFusionEngine::new();
    engine
        .execute("CREATE TABLE users (id BIGINT PRIMARY KEY, name TEXT, born DATE)")
        .await?;

    // `?` in the order of the text, or `$1`, `$2` …
    for (id, name) in [(1i64, "O'Brien"), (2, "'; DROP TABLE users; --")] {
        engine
            .execute_with_params(
                "INSERT INTO users (id, name) VALUES (?, ?)",
                vec![ScalarValue::from(id), ScalarValue::from(name)],
            )
            .await?;
    }

    // Parameters by name.
    let named = ParamValues::from(vec![("who", ScalarValue::from("O'Brien"))]);
    let found = engine
        .query_with_params("SELECT id FROM users WHERE name = $who", named)
        .await?;
    assert_eq!(found.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1);

    // Prepared statements in SQL.
    engine
        .execute("PREPARE birth (BIGINT, DATE) AS UPDATE users SET born = $2 WHERE id = $1")
        .await?;
    let changed = engine
        .execute("EXECUTE birth(1, DATE '1906-12-09')")
        .await?;
    println!("{changed} row was changed; both names are stored as they are");
    assert_eq!(changed, 1);
    Ok(())
}
