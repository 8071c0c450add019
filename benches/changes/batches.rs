//! Batches of changes, each a commit, applied to a large table.

use std::time::{Duration, Instant};

use rhei_datafusion::{DataFusionEngine, StorageMode};

use crate::source::{Keys, Source, fill, order};

/// How long each setting is measured, after a tenth of it that is not counted.
const TIME: Duration = Duration::from_secs(5);
const MOST_BATCHES: usize = 5000;

/// The settings in whose names all words are. Returns the results as JSON.
pub async fn batches(words: &[String], rows: usize) -> Vec<String> {
    println!(
        "| rows | store | keys | batch | p50 | p99 | changes/s |\n|---|---|---|---|---|---|---|"
    );
    let mut results = Vec::new();
    for keys in [Keys::Random, Keys::Rising, Keys::Text] {
        for store in ["memory", "folder"] {
            let sizes = [1, 10, 1000].map(|size| (size, format!("{store} {} {size}", keys.name())));
            let chosen = |name: &str| {
                words
                    .iter()
                    .all(|word| name.split(' ').any(|is| is == word))
            };
            let sizes = sizes.iter().filter(|(_, name)| chosen(name));
            let sizes: Vec<usize> = sizes.map(|(size, _)| *size).collect();
            if sizes.is_empty() {
                continue;
            }
            let folder = tempfile::tempdir().expect("a folder");
            let mode = match store {
                "memory" => StorageMode::InMemory,
                _ => in_folder(folder.path()),
            };
            let engine = DataFusionEngine::with_storage(mode).expect("an engine");
            fill(&engine, keys, &order(keys, rows), true).await;
            let mut source = Source::new(keys, rows);
            for size in sizes {
                let times = apply(&engine, &mut source, size).await;
                let name = keys.name();
                println!(
                    "| {rows} | {store} | {name} | {size} | {:.3} ms | {:.3} ms | {:.0} |",
                    times.p50_ms, times.p99_ms, times.rate
                );
                results.push(format!(
                    r#"{{"rows":{rows},"store":"{store}","keys":"{name}","batch":{size},"p50_ms":{},"p99_ms":{},"rate":{}}}"#,
                    times.p50_ms, times.p99_ms, times.rate
                ));
            }
        }
    }
    results
}

pub fn in_folder(folder: &std::path::Path) -> StorageMode {
    StorageMode::Vortex {
        url: folder.display().to_string(),
    }
}

/// The times of batches, and changes a second.
pub struct Times {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub rate: f64,
}

/// Applies batches of `size` changes for some time.
pub async fn apply(engine: &DataFusionEngine, source: &mut Source, size: usize) -> Times {
    let (mut times, mut spent) = (Vec::new(), Duration::ZERO);
    let started = Instant::now();
    while spent < TIME && times.len() < MOST_BATCHES {
        let time = apply_one(engine, source, size).await;
        if started.elapsed() > TIME / 10 {
            times.push(time);
            spent += time;
        }
    }
    let changes = (times.len() * size) as f64;
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    Times {
        p50_ms: at(50),
        p99_ms: at(99),
        rate: changes / spent.as_secs_f64(),
    }
}

/// The time of the next batch.
pub async fn apply_one(engine: &DataFusionEngine, source: &mut Source, size: usize) -> Duration {
    let changes = source.next(size);
    let begun = Instant::now();
    let applied = engine.apply_changes("bench", changes).await;
    let time = begun.elapsed();
    applied.expect("changes");
    time
}
