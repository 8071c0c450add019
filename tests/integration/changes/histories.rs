//! Random histories: a source in plain Rust makes transactions and logs its changes; the engine gets them in batches of
//! its own, some of them again and again, and must have the source's rows at each watermark.
//!
//! `HISTORIES=10000` in the environment makes it a long run (of nextest, with `--profile long`), `HISTORY=n` repeats
//! the n-th one.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rhei_datafusion::arrow::array::{
    ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, UInt64Array,
};
use rhei_datafusion::{
    Applied, Changes, DataFusionEngine, Progress, SharedDataFusionEngine, StorageMode,
};

use super::events::{SOURCE, counted};
use crate::common::{fresh_folder, rows, run, vortex};

/// The key `(a, b)` of a row.
type Key = (i64, &'static str);

/// The other columns.
#[derive(Debug, Clone, PartialEq)]
struct Values {
    c: Option<i64>,
    d: Option<String>,
}

/// A change as the source logs it.
#[derive(Debug, Clone)]
pub struct Logged {
    op: &'static str,
    pub table: &'static str,
    pub seq: u64,
    old: Option<Key>,
    key: Option<Key>,
    values: Option<Values>,
    unchanged: Vec<&'static str>,
}

/// The tables of the source: `keyed` has a PRIMARY KEY, `plain` has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    keyed: BTreeMap<Key, Values>,
    plain: Vec<Key>,
}

const TEXTS: [&str; 4] = ["x", "y", "", "it's \u{1F600}"];
/// So many other rows are in `keyed` where a history begins among others: they are in a file with an index of its keys.
const OTHERS: u64 = 9001;

pub struct Source {
    pub random: StdRng,
    state: State,
    pub log: Vec<Logged>,
    /// After each transaction: the number of changes so far, and the rows.
    pub after: Vec<(usize, State)>,
}

impl Source {
    pub fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            state: State::default(),
            log: Vec::new(),
            after: vec![(0, State::default())],
        }
    }

    /// Begins with some rows that are not in the log.
    fn begin_with_rows(&mut self) {
        for a in 0..6 {
            for b in TEXTS {
                if self.random.random_bool(0.5) {
                    let values = self.some_values();
                    self.state.keyed.insert((a, b), values);
                }
            }
        }
        self.after[0].1 = self.state.clone();
    }

    fn some_key(&mut self) -> Key {
        (
            self.random.random_range(0..6),
            TEXTS.choose(&mut self.random).unwrap(),
        )
    }

    fn present_key(&mut self) -> Option<Key> {
        let keys: Vec<Key> = self.state.keyed.keys().copied().collect();
        keys.choose(&mut self.random).copied()
    }

    fn some_values(&mut self) -> Values {
        let text = TEXTS.choose(&mut self.random).unwrap();
        let number = self.random.random_range(0..100);
        Values {
            c: self.random.random_bool(0.8).then_some(number),
            d: self
                .random
                .random_bool(0.8)
                .then(|| format!("{text}{number}")),
        }
    }

    fn log(&mut self, op: &'static str, key: Option<Key>, values: Option<Values>) -> &mut Logged {
        let seq = self.log.last().map_or(0, |last| last.seq) + self.random.random_range(1..4);
        self.log.push(Logged {
            op,
            table: "keyed",
            seq,
            old: None,
            key,
            values,
            unchanged: Vec::new(),
        });
        self.log.last_mut().unwrap()
    }

    /// Logs an update of a row, which may leave out values that did not change.
    fn log_update(&mut self, old: Key, key: Key, before: &Values, values: &Values) {
        let may_leave_out = self.random.random_bool(0.4);
        let logged = self.log("update", Some(key), Some(values.clone()));
        if old != key {
            logged.old = Some(old);
        }
        if may_leave_out && before.c == values.c {
            logged.unchanged.push("c");
        }
        if may_leave_out && before.d == values.d {
            logged.unchanged.push("d");
        }
    }

    fn statement(&mut self) {
        match self.random.random_range(0..100) {
            0..30 => self.insert(),
            30..50 => self.update(),
            50..62 => self.delete(),
            62..80 => self.change_keys(),
            80..83 => {
                self.state.keyed.clear();
                self.log("truncate", None, None);
            }
            83..95 => {
                let key = self.some_key();
                self.state.plain.push(key);
                self.log("insert", Some(key), None).table = "plain";
            }
            95 => {
                self.state.plain.clear();
                self.log("truncate", None, None).table = "plain";
            }
            // What a source may send though it changes nothing: a snapshot of a row, a delete of no row.
            96..98 => {
                if let Some(key) = self.present_key() {
                    let values = self.state.keyed[&key].clone();
                    let op = ["insert", "update", "upsert"].choose(&mut self.random);
                    self.log(op.unwrap(), Some(key), Some(values));
                }
            }
            _ => {
                let key = self.some_key();
                if !self.state.keyed.contains_key(&key) {
                    self.log("delete", Some(key), None);
                }
            }
        }
    }

    /// An insert, or what REPLACE does: no delete is logged for a row that is replaced.
    fn insert(&mut self) {
        let (key, values) = (self.some_key(), self.some_values());
        let op = ["insert", "upsert"].choose(&mut self.random).unwrap();
        self.state.keyed.insert(key, values.clone());
        self.log(op, Some(key), Some(values));
    }

    fn update(&mut self) {
        let Some(key) = self.present_key() else {
            return;
        };
        let before = self.state.keyed[&key].clone();
        let mut values = self.some_values();
        if self.random.random_bool(0.5) {
            values.d.clone_from(&before.d);
        }
        self.log_update(key, key, &before, &values);
        self.state.keyed.insert(key, values);
    }

    fn delete(&mut self) {
        let Some(key) = self.present_key() else {
            return;
        };
        self.state.keyed.remove(&key);
        self.log("delete", Some(key), None);
    }

    /// A statement that changes the keys of several rows, with a check of the key at its end: swaps, cycles, shifts.
    fn change_keys(&mut self) {
        let before = self.state.keyed.clone();
        let mut keys: Vec<Key> = before.keys().copied().collect();
        if keys.is_empty() {
            return;
        }
        keys.shuffle(&mut self.random);
        keys.truncate(self.random.random_range(1..=3));
        let new: Vec<Key> = match self.random.random_range(0..3) {
            0 => {
                // A cycle.
                let mut new = keys.clone();
                new.rotate_left(1);
                new
            }
            1 => keys.iter().map(|(a, b)| (a + 1, *b)).collect(),
            _ => keys.iter().map(|_| self.some_key()).collect(),
        };
        let mut after = before.clone();
        for key in &keys {
            after.remove(key);
        }
        for (key, new) in keys.iter().zip(&new) {
            if after.insert(*new, before[key].clone()).is_some() {
                // The key is not unique: the statement fails.
                return;
            }
        }
        for (old, new) in keys.iter().zip(&new) {
            let values = &before[old];
            self.log_update(*old, *new, values, values);
        }
        self.state.keyed = after;
    }

    /// The sequence number of the last change of a transaction or of those before it; 0 if there is none.
    pub fn seq_at(&self, transaction: usize) -> u64 {
        let changes = &self.log[..self.after[transaction].0];
        changes.last().map_or(0, |event| event.seq)
    }

    pub fn transaction(&mut self) {
        for _ in 0..self.random.random_range(1..5) {
            self.statement();
        }
        self.after.push((self.log.len(), self.state.clone()));
    }
}

/// The changes of one table as a batch.
pub fn batch(events: &[&Logged]) -> RecordBatch {
    let mut unchanged = ListBuilder::new(StringBuilder::new());
    for event in events {
        for column in &event.unchanged {
            unchanged.values().append_value(column);
        }
        unchanged.append(true);
    }
    let texts = |value: &dyn Fn(&Logged) -> Option<String>| -> ArrayRef {
        let texts: StringArray = events.iter().map(|event| value(event)).collect();
        Arc::new(texts)
    };
    let numbers = |value: &dyn Fn(&Logged) -> Option<i64>| -> ArrayRef {
        let numbers: Int64Array = events.iter().map(|event| value(event)).collect();
        Arc::new(numbers)
    };
    // A value that is not sent is no value of the source.
    let c = |event: &Logged| match event.unchanged.contains(&"c") {
        true => Some(-1),
        false => event.values.as_ref()?.c,
    };
    let d = |event: &Logged| match event.unchanged.contains(&"d") {
        true => Some("not sent".to_string()),
        false => event.values.as_ref()?.d.clone(),
    };
    let seqs = UInt64Array::from_iter_values(events.iter().map(|event| event.seq));
    let mut columns = vec![
        ("_op", texts(&|event| Some(event.op.to_string()))),
        ("_seq", Arc::new(seqs) as ArrayRef),
        ("_unchanged", Arc::new(unchanged.finish())),
        ("a", numbers(&|event| Some(event.key?.0))),
        ("b", texts(&|event| Some(event.key?.1.to_string()))),
    ];
    if events.iter().any(|event| event.table == "keyed") {
        columns.extend([
            ("_old_a", numbers(&|event| Some(event.old?.0))),
            ("_old_b", texts(&|event| Some(event.old?.1.to_string()))),
            ("c", numbers(&c)),
            ("d", texts(&d)),
        ]);
    }
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Changes in their order, in one or several batches of each table.
pub fn changes(random: &mut StdRng, events: &[Logged]) -> Changes {
    let mut changes = Changes::new();
    let mut rest = events;
    while !rest.is_empty() {
        let length = match random.random_bool(0.7) {
            true => rest.len(),
            false => random.random_range(1..=rest.len()),
        };
        let (these, others) = rest.split_at(length);
        rest = others;
        for table in ["keyed", "plain"] {
            let of_table: Vec<&Logged> = these.iter().filter(|of| of.table == table).collect();
            if !of_table.is_empty() {
                changes = changes.table(table, batch(&of_table));
            }
        }
    }
    changes
}

pub async fn stored(engine: &DataFusionEngine) -> (Vec<String>, Vec<String>) {
    let keyed = "SELECT a, b, c, d FROM keyed WHERE b <> 'other' ORDER BY a, b";
    (
        rows(engine, keyed).await,
        rows(engine, "SELECT a, b FROM plain ORDER BY a, b").await,
    )
}

pub fn expected(state: &State) -> (Vec<String>, Vec<String>) {
    let shown = |text: &str| {
        crate::sql_file::render(&[RecordBatch::try_from_iter([(
            "text",
            Arc::new(StringArray::from(vec![text])) as ArrayRef,
        )])
        .unwrap()])
        .remove(0)
    };
    let keyed = state.keyed.iter().map(|((a, b), values)| {
        let c = values.c.map_or("NULL".into(), |c| c.to_string());
        let d = values.d.as_ref().map_or("NULL".into(), |d| shown(d));
        format!("{a} | {} | {c} | {d}", shown(b))
    });
    let mut plain = state.plain.clone();
    plain.sort_unstable();
    let plain = plain.iter().map(|(a, b)| format!("{a} | {}", shown(b)));
    (keyed.collect(), plain.collect())
}

async fn open(mode: &StorageMode) -> SharedDataFusionEngine {
    SharedDataFusionEngine::new(DataFusionEngine::with_storage(mode.clone()).unwrap())
}

pub async fn create_tables(engine: &DataFusionEngine) {
    let columns = "a BIGINT, b TEXT, c BIGINT, d TEXT, PRIMARY KEY (a, b)";
    run(engine, &format!("CREATE TABLE keyed ({columns})")).await;
    run(engine, "CREATE TABLE plain (a BIGINT, b TEXT)").await;
}

/// Fills `keyed` with rows, in one file with many others.
async fn fill(engine: &DataFusionEngine, state: &State) {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut all = format!(
        "INSERT INTO keyed SELECT value * 7919 % {OTHERS} - 4500, 'other', value, NULL FROM range({OTHERS})"
    );
    for ((a, b), values) in &state.keyed {
        let c = values.c.map_or("NULL".into(), |c| c.to_string());
        let d = values.d.as_deref().map_or("NULL".into(), literal);
        all.push_str(&format!(" UNION ALL SELECT {a}, {}, {c}, {d}", literal(b)));
    }
    run(engine, &all).await;
}

/// The changes that are applied when the watermark is `seq`.
pub fn applied_at(source: &Source, seq: Option<u64>) -> usize {
    source
        .log
        .iter()
        .take_while(|event| Some(event.seq) <= seq)
        .count()
}

/// One history: the source goes on, the engine gets changes from somewhere at or before its watermark.
async fn history(seed: u64, mode: StorageMode, among_others: bool) {
    let mut source = Source::new(seed);
    let mut engine = open(&mode).await;
    create_tables(&engine).await;
    if among_others {
        source.begin_with_rows();
        fill(&engine, &source.state).await;
    }
    // Where the engine is, as an index in `source.after`.
    let mut at = 0;
    for _ in 0..8 {
        for _ in 0..source.random.random_range(0..4) {
            source.transaction();
        }
        let last = source.after.len() - 1;
        let from = source.random.random_range(0..=at);
        let to = source.random.random_range(from..=last);
        let (first, end) = (source.after[from].0, source.after[to].0);
        let events = source.log[first..end].to_vec();
        let mut changes = changes(&mut source.random, &events);
        if source.random.random_bool(0.5) {
            changes = changes.after(source.seq_at(from));
        }
        let upto = source.seq_at(to);
        changes = changes.upto(upto).position(upto.to_le_bytes());
        let was = engine.watermark(SOURCE).await.unwrap().map(|at| at.seq);
        let applied: Applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!(counted(&applied), events.len() as u64, "{applied:?}");
        let done = applied_at(&source, was).max(first).min(end);
        assert_eq!(applied.before, (done - first) as u64, "{applied:?}");
        assert_eq!(
            applied.progress == Progress::Before,
            was >= Some(upto),
            "{applied:?}"
        );
        at = at.max(to);

        if source.random.random_bool(0.2) && !matches!(mode, StorageMode::InMemory) {
            if source.random.random_bool(0.3) {
                engine.compact().await.unwrap();
            }
            drop(engine);
            engine = open(&mode).await;
        }
        let watermark = engine.watermark(SOURCE).await.unwrap().unwrap();
        assert_eq!(
            watermark.position.as_deref(),
            Some(&watermark.seq.to_le_bytes()[..])
        );
        assert_eq!(applied_at(&source, Some(watermark.seq)), source.after[at].0);
        assert_eq!(stored(&engine).await, expected(&source.after[at].1));
        if among_others {
            let mut applied = source.log[..source.after[at].0].iter();
            let is_end = |logged: &Logged| logged.op == "truncate" && logged.table == "keyed";
            let others = if applied.any(is_end) { 0 } else { OTHERS };
            let counted = "SELECT count(DISTINCT a) FROM keyed WHERE b = 'other'";
            assert_eq!(rows(&engine, counted).await, [others.to_string()]);
        }
    }
}

/// The seeds of a run: those of the environment, otherwise so many.
pub fn count(otherwise: u64) -> std::ops::Range<u64> {
    let variable = |name| {
        std::env::var(name)
            .ok()
            .map(|text: String| text.parse::<u64>().unwrap())
    };
    match (variable("HISTORY"), variable("HISTORIES")) {
        (Some(one), _) => one..one + 1,
        (None, Some(all)) => 0..all,
        (None, None) => 0..otherwise,
    }
}

async fn histories(
    seeds: std::ops::Range<u64>,
    mode: impl Fn() -> StorageMode,
    among_others: bool,
) {
    for seed in seeds {
        let result = tokio::spawn(history(seed, mode(), among_others)).await;
        assert!(result.is_ok(), "HISTORY={seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_end_in_the_rows_of_their_source() {
    histories(count(100), || StorageMode::InMemory, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_end_in_the_rows_of_their_source_durable() {
    histories(count(30), || vortex(&fresh_folder()), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_among_many_rows_end_in_the_rows_of_their_source() {
    histories(count(12), || vortex(&fresh_folder()), true).await;
}
