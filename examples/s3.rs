//! Tables in an S3-compatible bucket. Keys and endpoint come from the `AWS_…` variables.
//!
//!     cargo run --features cloud-storage --example s3 s3://BUCKET/PREFIX

#![allow(clippy::print_stdout)] // The example prints its result.

use std::time::Duration;

use rhei_datafusion::{DataFusionEngine, DfOlapError, EngineBuilder, OlapEngine, StorageMode};

#[tokio::main]
async fn main() -> Result<(), DfOlapError> {
    let Some(url) = std::env::args().nth(1) else {
        return Err(DfOlapError::Invalid(
            "give the URL of a prefix in a bucket: s3://BUCKET/PREFIX".into(),
        ));
    };
    let open = || -> Result<DataFusionEngine, DfOlapError> {
        EngineBuilder::new()
            .storage(StorageMode::Vortex { url: url.clone() })
            .answer_timeout(Duration::from_secs(10))
            .build()
    };

    let engine = open()?;
    // A store that lets two writers create the same object would lose commits; `check_store` refuses it.
    engine.check_store().await?;
    engine
        .execute("CREATE OR REPLACE TABLE measured AS SELECT value AS id, value * 0.5 AS v FROM range(100000)")
        .await?;

    // Any number of engines may read and write one URL at the same time.
    let other = open()?;
    let deleted = other
        .execute("DELETE FROM measured WHERE id % 10 = 0")
        .await?;
    assert_eq!(deleted, 10_000);
    let rows = engine.query("SELECT * FROM measured WHERE id < 20").await?;
    let count: usize = rows.iter().map(|batch| batch.num_rows()).sum();
    println!(
        "{url}: {count} of 20 rows are left, in version {}",
        engine.version().await?
    );
    assert_eq!(count, 18);
    Ok(())
}
