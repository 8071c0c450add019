//! Arrow batches in and out as streams, with a timeout and cancellation.
//!
//!     cargo run --example streaming

#![allow(clippy::print_stdout)] // The example prints its result.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use rhei_datafusion::arrow::array::Int64Array;
use rhei_datafusion::arrow::datatypes::{DataType, Field, Schema};
use rhei_datafusion::arrow::record_batch::RecordBatch;
use rhei_datafusion::{
    CancelHandle, DataFusionEngine, DfOlapError, ErrorKind, OlapEngine, StatementOptions,
};

#[tokio::main]
async fn main() -> Result<(), DfOlapError> {
    let engine = DataFusionEngine::new();
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));

    // A table created from a stream: one commit, and only a few batches in memory besides the table.
    let batches = (0..100i64).map(|hundred| {
        let numbers = Int64Array::from_iter_values(hundred * 10_000..(hundred + 1) * 10_000);
        RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(numbers)])
    });
    let loaded = engine
        .create_table_from("numbers", &schema, &[], stream::iter(batches))
        .await?;
    assert_eq!(loaded, 1_000_000);

    // Batches of a query arrive while it runs. The query reads the snapshot of its start.
    let mut squares = engine
        .query_stream("SELECT n, n * n AS square FROM numbers WHERE n % 3 = 0")
        .await?;
    let mut count = 0;
    while let Some(batch) = squares.try_next().await? {
        count += batch.num_rows();
    }
    assert_eq!(count, 333_334);

    // A handle cancels a statement from any thread; dropping its stream does too.
    let handle = CancelHandle::new();
    let options = StatementOptions::new()
        .timeout(Duration::from_secs(60))
        .cancel(&handle);
    let mut pairs = engine
        .query_stream_with(
            "SELECT a.n FROM numbers a, numbers b WHERE a.n + b.n > 5",
            options,
        )
        .await?;
    let first = pairs.next().await;
    assert!(first.is_some_and(|batch| batch.is_ok()));
    handle.cancel();
    let stopped = pairs.try_for_each(|_| async { Ok(()) }).await;
    let error = DfOlapError::from(
        stopped
            .err()
            .ok_or_else(|| DfOlapError::Invalid("it ended".into()))?,
    );
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    println!("{count} squares; a query of {loaded} × {loaded} pairs was stopped: {error}");
    Ok(())
}
