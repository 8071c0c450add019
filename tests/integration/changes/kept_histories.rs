//! Random histories of a source whose table keeps the history of its rows: at the time of each transaction it has the
//! rows that the source had then.

use std::sync::Arc;

use rand::Rng;
use rhei_datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use rhei_datafusion::{Changes, DataFusionEngine, History, StorageMode};

use super::events::{SOURCE, counted};
use super::histories::{Logged, Source, batch, count, expected};
use crate::common::{fresh_folder, rows, run, vortex};

/// The changes as a batch, each at the time of its number.
fn timed(events: &[&Logged]) -> RecordBatch {
    let batch = batch(events);
    let times = events.iter().map(|event| event.seq as i64);
    let times = Arc::new(Int64Array::from_iter_values(times)) as ArrayRef;
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, array)| (field.name().clone(), Arc::clone(array)));
    RecordBatch::try_from_iter(columns.chain([("_at".to_string(), times)])).unwrap()
}

async fn history(seed: u64, mode: StorageMode) {
    let mut source = Source::new(seed);
    let engine = DataFusionEngine::with_storage(mode).unwrap();
    let columns = "a BIGINT, b TEXT, c BIGINT, d TEXT, _rhei_valid_from BIGINT NOT NULL, \
                   _rhei_valid_to BIGINT, _rhei_operation TEXT NOT NULL";
    run(&engine, &format!("CREATE TABLE kept ({columns})")).await;
    let mut at = 0;
    for _ in 0..8 {
        for _ in 0..source.random.random_range(0..4) {
            source.transaction();
        }
        let from = source.random.random_range(0..=at);
        let to = source.random.random_range(from..source.after.len());
        let events = &source.log[source.after[from].0..source.after[to].0];
        let events: Vec<&Logged> = events.iter().filter(|of| of.table == "keyed").collect();
        let mut changes = Changes::new();
        let mut rest = events.as_slice();
        while !rest.is_empty() {
            let (these, others) = rest.split_at(source.random.random_range(1..=rest.len()));
            changes = changes.history("kept", History::by(["a", "b"]), timed(these));
            rest = others;
        }
        let changes = changes.upto(source.seq_at(to));
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!(counted(&applied), events.len() as u64, "{applied:?}");
        at = at.max(to);
    }
    for (transaction, (_, state)) in source.after[..=at].iter().enumerate() {
        let time = source.seq_at(transaction);
        let then = format!("SELECT * FROM history_at('kept', {time}) ORDER BY a, b");
        assert_eq!(rows(&engine, &then).await, expected(state).0, "at {time}");
    }
    let open =
        "SELECT a, b FROM kept WHERE _rhei_valid_to IS NULL GROUP BY a, b HAVING count(*) > 1";
    assert!(rows(&engine, open).await.is_empty());
}

async fn histories(seeds: std::ops::Range<u64>, mode: impl Fn() -> StorageMode) {
    for seed in seeds {
        let result = tokio::spawn(history(seed, mode())).await;
        assert!(result.is_ok(), "HISTORY={seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_are_kept() {
    histories(count(50), || StorageMode::InMemory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_are_kept_durable() {
    histories(count(10), || vortex(&fresh_folder())).await;
}
