//! Loads with a primary key and without.

use std::time::{Duration, Instant};

use rhei_datafusion::DataFusionEngine;

use crate::batches::in_folder;
use crate::source::{Keys, fill, order};

const ROUNDS: usize = 5;

/// Loads of the same rows into folders, in turn with a primary key and without; medians, and their ratio.
pub async fn load(keys: Keys, rows: usize) {
    let order = order(keys, rows);
    let mut times: [Vec<Duration>; 2] = Default::default();
    for round in 0..=ROUNDS {
        for (is_key, times) in times.iter_mut().enumerate() {
            let folder = tempfile::tempdir().expect("a folder");
            let engine = DataFusionEngine::with_storage(in_folder(folder.path()));
            let engine = engine.expect("an engine");
            let begun = Instant::now();
            fill(&engine, keys, &order, is_key == 1).await;
            // The first round is not counted.
            if round > 0 {
                times.push(begun.elapsed());
            }
        }
    }
    let [without, with] = times.map(|mut times| {
        times.sort_unstable();
        rows as f64 / times[times.len() / 2].as_secs_f64()
    });
    println!(
        "load of {rows} rows, keys {}: {without:.0} rows/s without a key, {with:.0} with one: {:.2}",
        keys.name(),
        with / without
    );
}
