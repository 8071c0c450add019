//! Measures row changes of another database: batches of them applied to a large table, in memory and in a folder whose
//! commits are synced, and events of Debezium that are read.
//!
//! The table has a million rows, or as many as `ROWS` says, with keys in random or in rising order. Of the changes 70 %
//! are updates of whole rows, 15 % inserts and 15 % deletes. Elements are changes, or events.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "native; a panic is how a measurement fails"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rhei_datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use rhei_datafusion::arrow::datatypes::TimeUnit;
use rhei_datafusion::{
    Changes, DataFusionEngine, EventFormat, EventReader, OlapEngine, StorageMode,
};
use tokio::runtime::Runtime;

const BATCH_ROWS: usize = 8192;

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = apply, read
}
criterion_main!(benches);

/// Applies batches of changes, each a commit.
fn apply(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let rows = std::env::var("ROWS").map_or(1_000_000, |rows| rows.parse().expect("ROWS"));
    for (order, keys) in [("random", shuffled(rows)), ("rising", (0..rows).collect())] {
        for store in ["memory", "folder"] {
            let folder = tempfile::tempdir().expect("a folder");
            let mode = match store {
                "memory" => StorageMode::InMemory,
                _ => StorageMode::Vortex {
                    url: folder.path().display().to_string(),
                },
            };
            let engine = runtime.block_on(filled(mode, &keys));
            let mut source = Source::new(rows);
            let mut group = c.benchmark_group(format!("apply_to_{rows}_rows_{store}_{order}"));
            for size in [1, 10, 1_000] {
                group.throughput(Throughput::Elements(size as u64));
                group.bench_function(BenchmarkId::from_parameter(size), |b| {
                    b.iter_custom(|iterations| {
                        let mut total = Duration::ZERO;
                        for _ in 0..iterations {
                            let changes = source.next(size);
                            let started = Instant::now();
                            let applied = engine.apply_changes("bench", changes);
                            runtime.block_on(applied).expect("changes");
                            total += started.elapsed();
                        }
                        total
                    });
                });
            }
            group.finish();
        }
    }
}

/// Reads events of Debezium with ten columns, without schemas.
fn read(c: &mut Criterion) {
    const EVENTS: usize = 10_000;
    let runtime = Runtime::new().expect("a runtime");
    let engine = DataFusionEngine::new();
    let table = "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer TEXT, city TEXT, amount DECIMAL(10, 2), \
                 placed TIMESTAMP, day DATE, active BOOLEAN, items INT, weight DOUBLE, note TEXT)";
    runtime.block_on(engine.execute(table)).expect("a table");
    let events: String = (0..EVENTS).map(event).collect();
    let reader = EventReader::new(EventFormat::Debezium)
        .first_seq(1)
        .time_unit(TimeUnit::Microsecond);
    let mut group = c.benchmark_group("read_events");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("debezium_10_columns", |b| {
        b.iter(|| {
            let read = runtime.block_on(engine.read_changes(&reader, &events));
            assert_eq!(read.expect("events").rows, EVENTS as u64);
        });
    });
    group.finish();
}

fn event(n: usize) -> String {
    let placed = 1_764_486_000_000_000 + n * 1_000_003;
    format!(
        r#"{{"before":null,"after":{{"id":{n},"customer":"Customer number {n}","city":"Kraków","amount":{}.{:02},"placed":{placed},"day":{},"active":{},"items":{},"weight":{}.5,"note":null}},"source":{{"version":"3.5.0.Final","connector":"postgresql","name":"shop","ts_ms":1764486000123,"snapshot":"false","db":"shop","sequence":"[\"1\",\"2\"]","schema":"public","table":"orders","txId":{n},"lsn":{n},"xmin":null}},"op":"u","ts_ms":1764486000456,"transaction":null}}
"#,
        n % 1000,
        n % 100,
        20_000 + n % 1000,
        n.is_multiple_of(2),
        n % 17,
        n % 90,
    )
}

fn shuffled(rows: usize) -> Vec<usize> {
    let mut keys: Vec<usize> = (0..rows).collect();
    keys.shuffle(&mut StdRng::seed_from_u64(1));
    keys
}

/// An engine whose table has these keys.
async fn filled(mode: StorageMode, keys: &[usize]) -> DataFusionEngine {
    let engine = DataFusionEngine::with_storage(mode).expect("an engine");
    let table = "CREATE TABLE t (id BIGINT PRIMARY KEY, amount DOUBLE, name TEXT)";
    engine.execute(table).await.expect("a table");
    let batches: Vec<RecordBatch> = keys
        .chunks(BATCH_ROWS)
        .map(|keys| RecordBatch::try_from_iter(columns(keys)).expect("a batch"))
        .collect();
    engine.load_arrow("t", &batches).await.expect("rows");
    engine
}

fn columns(keys: &[usize]) -> [(&'static str, ArrayRef); 3] {
    let ids = Int64Array::from_iter_values(keys.iter().map(|key| *key as i64));
    let amounts = Float64Array::from_iter_values(keys.iter().map(|key| *key as f64 / 7.0));
    let names = StringArray::from_iter_values(keys.iter().map(|key| format!("name-{key:08}")));
    [
        ("id", Arc::new(ids)),
        ("amount", Arc::new(amounts)),
        ("name", Arc::new(names)),
    ]
}

/// A source of changes.
struct Source {
    random: StdRng,
    seq: u64,
    next_key: usize,
}

impl Source {
    fn new(rows: usize) -> Self {
        Self {
            random: StdRng::seed_from_u64(2),
            seq: 0,
            next_key: rows,
        }
    }

    /// The next changes: of random rows, which may be deleted already, and of new ones.
    fn next(&mut self, count: usize) -> Changes {
        let (mut ops, mut keys) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            let kind = self.random.random_range(0..100);
            let known = self.random.random_range(0..self.next_key);
            let (op, key) = match kind {
                0..70 => ("U", known),
                70..85 => ("D", known),
                _ => {
                    self.next_key += 1;
                    ("I", self.next_key - 1)
                }
            };
            ops.push(op);
            keys.push(key);
        }
        let seqs = UInt64Array::from_iter_values(self.seq + 1..=self.seq + count as u64);
        self.seq += count as u64;
        let reserved: [(&str, ArrayRef); 2] = [
            ("_op", Arc::new(StringArray::from(ops))),
            ("_seq", Arc::new(seqs)),
        ];
        let batch = RecordBatch::try_from_iter(reserved.into_iter().chain(columns(&keys)));
        Changes::new().table("t", batch.expect("a batch"))
    }
}
