//! Earlier versions of a durable database, by number and by time, and when vacuum deletes them.
//!
//!     cargo run --example time_travel

#![allow(clippy::print_stdout)] // The example prints its result.

use std::time::Duration;

use rhei_datafusion::{
    DataFusionEngine, DfOlapError, OlapEngine, StatementOptions, StorageMode, VacuumOptions,
};

#[tokio::main]
async fn main() -> Result<(), DfOlapError> {
    let folder = std::env::temp_dir().join(format!("time-travel-{}", std::process::id()));
    let url = folder.display().to_string();
    let engine = DataFusionEngine::with_storage(StorageMode::Vortex { url })?;
    engine
        .execute("CREATE TABLE prices AS SELECT 'tea' AS what, 3.20 AS price")
        .await?;
    let before = engine.version().await?;
    engine.execute("UPDATE prices SET price = 3.60").await?;

    // From Rust: any query, on an earlier version of all tables.
    let then = engine
        .query_at("SELECT price FROM prices", before, StatementOptions::new())
        .await?;
    assert_eq!(then[0].num_rows(), 1);

    // In SQL: an earlier version of one table, joined with its current version.
    let risen = engine
        .query(&format!(
            "SELECT what, now.price - was.price AS by FROM prices AS now JOIN table_at('prices', {before}) AS was USING (what)"
        ))
        .await?;
    assert_eq!(risen[0].num_rows(), 1);

    for version in engine.versions().await? {
        let age = version.committed_at.elapsed().unwrap_or_default();
        println!("version {} was committed {age:?} ago", version.version);
    }
    // By default, vacuum keeps the versions of the last seven days.
    let options = VacuumOptions {
        retention: Duration::ZERO,
        ..VacuumOptions::default()
    };
    let gone = engine.vacuum(options).await?;
    println!(
        "{} files and {} objects of the log are gone",
        gone.files, gone.log_objects
    );
    let error = engine
        .query_at("SELECT price FROM prices", before, StatementOptions::new())
        .await;
    assert!(error.is_err());
    drop(engine);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
