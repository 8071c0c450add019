//! Tables in a folder: they still exist when the program runs again.
//!
//!     cargo run --example durable [FOLDER]

#![allow(clippy::print_stdout)] // The example prints its result.

use rhei_datafusion::{DataFusionEngine, DfOlapError, OlapEngine, StorageMode};

#[tokio::main]
async fn main() -> Result<(), DfOlapError> {
    let given = std::env::args().nth(1);
    let url = given.clone().unwrap_or_else(|| {
        let folder = std::env::temp_dir().join(format!("durable-{}", std::process::id()));
        folder.display().to_string()
    });

    let engine = DataFusionEngine::with_storage(StorageMode::Vortex { url: url.clone() })?;
    engine
        .execute("CREATE TABLE IF NOT EXISTS visits (at TIMESTAMP, path TEXT)")
        .await?;
    // Once this returns, the row survives a power failure.
    engine
        .execute("INSERT INTO visits VALUES (now()::TIMESTAMP, '/')")
        .await?;
    drop(engine);

    let engine = DataFusionEngine::with_storage(StorageMode::Vortex { url: url.clone() })?;
    let visits = engine.query("SELECT * FROM visits ORDER BY at").await?;
    let count: usize = visits.iter().map(|batch| batch.num_rows()).sum();
    println!(
        "{url} has seen {count} visit(s), in version {}",
        engine.version().await?
    );
    assert!(count >= 1);
    drop(engine);
    if given.is_none() {
        std::fs::remove_dir_all(url)?;
    }
    Ok(())
}
