//! Very many small batches, and what the table is like afterwards.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::StreamExt;
use rhei_datafusion::{DataFusionEngine, OlapEngine, VacuumOptions};

use crate::batches::{apply_one, in_folder};
use crate::large::{bytes_of_files, peak_memory_mib};
use crate::source::{Keys, Source, fill, order};

const BATCHES: usize = 100_000;
const BATCH: usize = 10;
/// So many batches around the thousandth, and at the end, are compared.
const COMPARED: usize = 1000;
const SCANS: [&str; 3] = [
    "SELECT count(*), sum(amount) FROM t",
    "SELECT count(*) FROM t WHERE amount > 1000",
    "SELECT length(name) AS of, max(amount) FROM t GROUP BY of",
];
const ROUNDS: usize = 101;

/// `kept` is a folder in which the tables stay; if they are there already, only the scans are measured.
pub async fn lasting(keys: Keys, rows: usize, kept: Option<&str>) {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = kept.map_or(temporary.path(), Path::new);
    let (changed, fresh) = (folder.join("changed"), folder.join("fresh"));
    let is_there = fresh.exists();
    let open =
        |folder: &Path| DataFusionEngine::with_storage(in_folder(folder)).expect("an engine");
    let (engine, loaded) = (open(&changed), open(&fresh));
    if !is_there {
        change(&engine, keys, rows).await;
        fill(&loaded, keys, &[], true).await;
        let all = engine.query_stream("SELECT * FROM t").await;
        let all = all.expect("all rows").boxed();
        loaded.load_stream("t", all).await.expect("a load");
    }
    for folder in [&changed, &fresh] {
        let mut files = bytes_of_files(folder, "vortex");
        files.sort_unstable();
        let shown = files
            .iter()
            .rev()
            .map(|bytes| format!("{:.1}", *bytes as f64 / 1e6));
        println!(
            "{} files of data, in MB: {}",
            files.len(),
            shown.collect::<Vec<String>>().join(", ")
        );
    }
    for sql in SCANS {
        let mut times: [Vec<Duration>; 2] = Default::default();
        for _ in 0..ROUNDS {
            for (engine, times) in [&engine, &loaded].into_iter().zip(&mut times) {
                let begun = Instant::now();
                engine.query(sql).await.expect("an answer");
                times.push(begun.elapsed());
            }
        }
        let [changed, fresh] = times.map(|times| median(&times));
        let ratio = changed.as_secs_f64() / fresh.as_secs_f64();
        println!("{sql}: {changed:.2?}, and {fresh:.2?} where the rows were loaded: {ratio:.2}");
    }
}

/// Applies the batches.
async fn change(engine: &DataFusionEngine, keys: Keys, rows: usize) {
    fill(engine, keys, &order(keys, rows), true).await;
    let mut source = Source::new(keys, rows);
    let mut times = Vec::with_capacity(BATCHES);
    for done in 1..=BATCHES {
        times.push(apply_one(engine, &mut source, BATCH).await);
        if done % (BATCHES / 10) == 0 {
            let last = median(&times[done - COMPARED..]);
            let memory = peak_memory_mib();
            println!("after {done} batches: {last:.2?} a batch, at most {memory} MiB resident");
        }
    }
    let early = median(&times[COMPARED / 2..COMPARED * 3 / 2]);
    let late = median(&times[BATCHES - COMPARED..]);
    let growth = late.as_secs_f64() / early.as_secs_f64();
    println!(
        "batches of {BATCH}: {early:.2?} around the thousandth, {late:.2?} at the end: {growth:.2}"
    );
    let retention = Duration::ZERO;
    let options = VacuumOptions {
        retention,
        ..VacuumOptions::default()
    };
    let vacuum = engine.vacuum(options).await.expect("a vacuum");
    println!(
        "a vacuum removed {} files and {} objects of the log",
        vacuum.files, vacuum.log_objects
    );
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}
