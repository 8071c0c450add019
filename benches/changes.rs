//! Measures row changes of another database: batches of them applied to a large table, in memory and in a folder whose
//! commits are synced, and events of Debezium that are read.
//!
//! The table has a million rows, or as many as `ROWS` says. Of the changes 70 % are updates of whole rows, 15 % inserts
//! and 15 % deletes. Each batch is a commit. Arguments choose among the settings by the words in their names, such as
//! `folder random 10`; `read` is the reading of events. With `JSON` set to a path, the results are written there too.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "native; a panic is how a measurement fails"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

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

const BATCH_ROWS: usize = 8192;
/// How long each setting is measured, after a tenth of it that is not counted.
const TIME: Duration = Duration::from_secs(5);
const MOST_BATCHES: usize = 5000;

#[tokio::main]
async fn main() {
    let arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let words: Vec<String> = arguments.collect();
    let rows = std::env::var("ROWS").map_or(1_000_000, |rows| rows.parse().expect("ROWS"));
    let mut results = Vec::new();
    println!(
        "| rows | store | keys | batch | p50 | p99 | changes/s |\n|---|---|---|---|---|---|---|"
    );
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
            if !sizes.is_empty() {
                apply(store, keys, rows, &sizes, &mut results).await;
            }
        }
    }
    if words.is_empty() || words.iter().any(|word| word == "read") {
        read().await;
    }
    if let Ok(path) = std::env::var("JSON") {
        std::fs::write(path, format!("[{}]", results.join(",\n"))).expect("the results");
    }
}

/// The keys of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    Random,
    Rising,
    /// In random order too.
    Text,
}

impl Keys {
    fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Rising => "rising",
            Self::Text => "text",
        }
    }

    fn column(self, keys: &[usize]) -> ArrayRef {
        match self {
            Self::Random | Self::Rising => Arc::new(Int64Array::from_iter_values(
                keys.iter().map(|key| *key as i64),
            )),
            // As long as a UUID.
            Self::Text => Arc::new(StringArray::from_iter_values(keys.iter().map(|key| {
                let mixed = (*key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                format!("{:08x}-0000-4000-8000-{key:012x}", mixed >> 32)
            }))),
        }
    }
}

/// Applies batches of changes, each a commit, to a table that is loaded first.
async fn apply(store: &str, keys: Keys, rows: usize, sizes: &[usize], results: &mut Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mode = match store {
        "memory" => StorageMode::InMemory,
        _ => StorageMode::Vortex {
            url: folder.path().display().to_string(),
        },
    };
    let order = match keys {
        Keys::Rising => (0..rows).collect(),
        Keys::Random | Keys::Text => shuffled(rows),
    };
    let engine = filled(mode, keys, &order).await;
    let mut source = Source::new(keys, rows);
    for size in sizes {
        let (mut times, mut spent) = (Vec::new(), Duration::ZERO);
        let started = Instant::now();
        while spent < TIME && times.len() < MOST_BATCHES {
            let changes = source.next(*size);
            let begun = Instant::now();
            let applied = engine.apply_changes("bench", changes).await;
            let time = begun.elapsed();
            applied.expect("changes");
            if started.elapsed() > TIME / 10 {
                times.push(time);
                spent += time;
            }
        }
        let changes = (times.len() * size) as f64;
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        let rate = changes / spent.as_secs_f64();
        let name = keys.name();
        println!(
            "| {rows} | {store} | {name} | {size} | {:.3} ms | {:.3} ms | {rate:.0} |",
            at(50),
            at(99)
        );
        results.push(format!(
            r#"{{"rows":{rows},"store":"{store}","keys":"{name}","batch":{size},"p50_ms":{},"p99_ms":{},"rate":{rate}}}"#,
            at(50),
            at(99)
        ));
    }
}

/// Reads events of Debezium with ten columns, without schemas.
async fn read() {
    const EVENTS: usize = 10_000;
    let engine = DataFusionEngine::new();
    let table = "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer TEXT, city TEXT, amount DECIMAL(10, 2), \
                 placed TIMESTAMP, day DATE, active BOOLEAN, items INT, weight DOUBLE, note TEXT)";
    engine.execute(table).await.expect("a table");
    let events: String = (0..EVENTS).map(event).collect();
    let reader = EventReader::new(EventFormat::Debezium)
        .first_seq(1)
        .time_unit(TimeUnit::Microsecond);
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        let read = engine.read_changes(&reader, &events).await;
        times.push(begun.elapsed());
        assert_eq!(read.expect("events").rows, EVENTS as u64);
    }
    times.sort_unstable();
    let rate = EVENTS as f64 / times[times.len() / 2].as_secs_f64();
    println!("events of Debezium with ten columns, median: {rate:.0} a second");
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
async fn filled(mode: StorageMode, kind: Keys, keys: &[usize]) -> DataFusionEngine {
    let engine = DataFusionEngine::with_storage(mode).expect("an engine");
    let data_type = match kind {
        Keys::Random | Keys::Rising => "BIGINT",
        Keys::Text => "TEXT",
    };
    let table = format!("CREATE TABLE t (id {data_type} PRIMARY KEY, amount DOUBLE, name TEXT)");
    engine.execute(&table).await.expect("a table");
    let batches: Vec<RecordBatch> = keys
        .chunks(BATCH_ROWS)
        .map(|keys| RecordBatch::try_from_iter(columns(kind, keys)).expect("a batch"))
        .collect();
    engine.load_arrow("t", &batches).await.expect("rows");
    engine
}

fn columns(kind: Keys, keys: &[usize]) -> [(&'static str, ArrayRef); 3] {
    let amounts = Float64Array::from_iter_values(keys.iter().map(|key| *key as f64 / 7.0));
    let names = StringArray::from_iter_values(keys.iter().map(|key| format!("name-{key:08}")));
    [
        ("id", kind.column(keys)),
        ("amount", Arc::new(amounts)),
        ("name", Arc::new(names)),
    ]
}

/// A source of changes.
struct Source {
    keys: Keys,
    random: StdRng,
    seq: u64,
    next_key: usize,
}

impl Source {
    fn new(keys: Keys, rows: usize) -> Self {
        Self {
            keys,
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
        let batch =
            RecordBatch::try_from_iter(reserved.into_iter().chain(columns(self.keys, &keys)));
        Changes::new().table("t", batch.expect("a batch"))
    }
}
