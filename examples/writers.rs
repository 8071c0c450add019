//! Many concurrent writers: no writer waits for another, and no change is lost.
//!
//!     cargo run --example writers

#![allow(clippy::print_stdout, clippy::disallowed_methods)] // A native program that prints its result.

use rhei_datafusion::arrow::array::AsArray;
use rhei_datafusion::arrow::datatypes::Int64Type;
use rhei_datafusion::{DataFusionEngine, DfOlapError, OlapEngine, SharedDataFusionEngine};

const WRITERS: i64 = 8;
const TRANSFERS: i64 = 50;

#[tokio::main]
async fn main() -> Result<(), DfOlapError> {
    // A handle that can be cloned; all clones share one engine.
    let engine = SharedDataFusionEngine::new(DataFusionEngine::new());
    engine
        .execute("CREATE TABLE accounts AS SELECT value AS id, 1000 AS balance FROM range(8)")
        .await?;

    let writers = (0..WRITERS).map(|writer| {
        let engine = engine.clone();
        tokio::spawn(async move {
            for step in 0..TRANSFERS {
                let to = (writer + step + 1) % WRITERS;
                // Both statements or neither: one commit. After a conflict with another commit, the engine runs them
                // again.
                let transfer = format!(
                    "UPDATE accounts SET balance = balance - 1 WHERE id = {writer}; \
                     UPDATE accounts SET balance = balance + 1 WHERE id = {to}"
                );
                engine.execute_batch(&transfer).await?;
            }
            Ok::<_, DfOlapError>(())
        })
    });
    let writers: Vec<_> = writers.collect();
    while !writers.iter().all(|writer| writer.is_finished()) {
        // Each query reads one snapshot of all accounts: no transfer is half done.
        let sum = engine.query("SELECT sum(balance) FROM accounts").await?;
        assert_eq!(sum[0].column(0).as_primitive::<Int64Type>().value(0), 8000);
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer
            .await
            .map_err(|error| DfOlapError::Join(error.to_string()))??;
    }
    println!(
        "{} transfers by {WRITERS} writers, and the sum was the same throughout",
        WRITERS * TRANSFERS
    );
    Ok(())
}
