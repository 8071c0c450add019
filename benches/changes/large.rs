//! A large table in a folder, which another process opens and changes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rhei_datafusion::{DataFusionEngine, VacuumOptions};

use crate::batches::{apply, apply_one, in_folder};
use crate::source::{Keys, Source, fill, order};

/// The first word of the other process.
pub const OPEN: &str = "open";
const BATCH: usize = 1000;

/// Loads the table, and starts the other process.
pub async fn fill_and_open(keys: Keys, rows: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    {
        let engine = DataFusionEngine::with_storage(in_folder(folder.path()));
        let engine = engine.expect("an engine");
        let order = order(keys, rows);
        let begun = Instant::now();
        fill(&engine, keys, &order, true).await;
        let loaded = begun.elapsed();
        engine.compact().await.expect("a compaction");
        let compacted = begun.elapsed() - loaded;
        let options = VacuumOptions {
            retention: Duration::ZERO,
            ..VacuumOptions::default()
        };
        engine.vacuum(options).await.expect("a vacuum");
        println!(
            "{rows} rows, keys {}: loaded in {loaded:.1?}, compacted after {:.1?}",
            keys.name(),
            compacted
        );
    }
    println!(
        "index: {:.2} bytes a row",
        bytes_of_files(folder.path(), "keys").iter().sum::<u64>() as f64 / rows as f64
    );
    let program = std::env::current_exe().expect("this program");
    let mut other = Command::new(program);
    other.args([OPEN, keys.name()]).arg(folder.path());
    let status = other.env("ROWS", rows.to_string()).status();
    assert!(status.expect("another process").success());
}

/// Opens the table that another process has loaded, and changes it.
pub async fn open(keys: Keys, rows: usize, folder: &str) {
    let begun = Instant::now();
    let engine = DataFusionEngine::with_storage(in_folder(Path::new(folder)));
    let engine = engine.expect("an engine");
    let mut source = Source::new(keys, rows);
    apply_one(&engine, &mut source, BATCH).await;
    println!(
        "first batch of {BATCH}, with the opening: {:.0?}",
        begun.elapsed()
    );
    let times = apply(&engine, &mut source, BATCH).await;
    println!(
        "batches of {BATCH}: median {:.1} ms, 99th percentile {:.1} ms, {:.0} changes/s",
        times.p50_ms, times.p99_ms, times.rate
    );
    println!("most resident memory: {} MiB", peak_memory_mib());
}

/// The sizes of all files with this extension.
pub fn bytes_of_files(folder: &Path, extension: &str) -> Vec<u64> {
    let tables = std::fs::read_dir(folder).expect("a folder").flatten();
    let files = tables.filter_map(|table| std::fs::read_dir(table.path()).ok());
    let files = files.flatten().flatten();
    let wanted = files.filter(|file| file.path().extension().is_some_and(|of| of == extension));
    let bytes = wanted.map(|file| file.metadata().expect("a file").len());
    bytes.collect()
}

/// Zero where it is not known.
pub fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
