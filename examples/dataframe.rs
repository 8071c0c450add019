//! DataFusion's DataFrames over the engine's tables, and files loaded into them.
//!
//!     cargo run --example dataframe

#![allow(clippy::print_stdout)] // The example prints its result.

use std::sync::Arc;

use rhei_datafusion::arrow::util::pretty::pretty_format_batches;
use rhei_datafusion::datafusion::functions_aggregate::expr_fn::{avg, count};
use rhei_datafusion::datafusion::prelude::{CsvReadOptions, SessionContext, col, lit};
use rhei_datafusion::{DataFusionEngine, DfOlapError, OlapEngine};

#[tokio::main]
async fn main() -> Result<(), DfOlapError> {
    let file = std::env::temp_dir().join(format!("readings-{}.csv", std::process::id()));
    std::fs::write(
        &file,
        "place,degrees\nOslo,4.5\nRome,17.25\nOslo,6.0\nRome,\n",
    )?;

    // SQL may not read files, but the program may: DataFusion's own context reads the file, the engine takes the
    // stream.
    let files = SessionContext::new();
    let path = file.display().to_string();
    let readings = files.read_csv(path, CsvReadOptions::new()).await?;
    let schema = Arc::new(readings.schema().as_arrow().clone());
    let engine = DataFusionEngine::new();
    engine
        .create_table_from("readings", &schema, &[], readings.execute_stream().await?)
        .await?;

    // A context on the current snapshot: read-only, and later changes do not affect it.
    let context = engine.session_context().await?;
    let by_place = context
        .table("readings")
        .await?
        .filter(col("degrees").gt(lit(0)))?
        .aggregate(
            vec![col("place")],
            vec![
                avg(col("degrees")).alias("mean"),
                count(lit(1)).alias("readings"),
            ],
        )?
        .sort_by(vec![col("place")])?;
    let rows = by_place.collect().await?;
    println!("{}", pretty_format_batches(&rows)?);
    assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 2);
    assert_eq!(
        engine
            .execute("DELETE FROM readings WHERE degrees IS NULL")
            .await?,
        1
    );
    std::fs::remove_file(file)?;
    Ok(())
}
