//! Tables in memory: create, fill, change and query a table.
//!
//!     cargo run --example in_memory

#![allow(clippy::print_stdout)] // The example prints its result.

use rhei_datafusion::arrow::util::pretty::pretty_format_batches;
use rhei_datafusion::{DataFusionEngine, DfOlapError, OlapEngine};

#[tokio::main]
async fn main() -> Result<(), DfOlapError> {
    let engine = DataFusionEngine::new();
    engine
        .execute(
            "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer TEXT NOT NULL, total DECIMAL(10, 2))",
        )
        .await?;
    let inserted = engine
        .execute(
            "INSERT INTO orders VALUES (1, 'Ada', 12.50), (2, 'Grace', 99.00), (3, 'Ada', 7.25)",
        )
        .await?;
    assert_eq!(inserted, 3);

    // A row with an existing key is updated, any other row is inserted.
    let changed = engine
        .execute(
            "INSERT INTO orders VALUES (3, 'Ada', 8.00), (4, 'Alan', 41.10) \
             ON CONFLICT (id) DO UPDATE SET total = excluded.total",
        )
        .await?;
    assert_eq!(changed, 2);

    let totals = engine
        .query("SELECT customer, count(*) AS orders, sum(total) AS total FROM orders GROUP BY customer ORDER BY customer")
        .await?;
    println!("{}", pretty_format_batches(&totals)?);
    assert_eq!(
        totals.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        3
    );
    Ok(())
}
