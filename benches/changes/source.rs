//! The rows of the table, and the changes.

use std::sync::Arc;

use futures::stream;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rhei_datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use rhei_datafusion::{Changes, DataFusionEngine, DfOlapError, OlapEngine};

const BATCH_ROWS: usize = 8192;

/// The keys of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    Random,
    Rising,
    /// In random order too.
    Text,
}

impl Keys {
    pub fn named(name: &str) -> Self {
        let all = [Self::Random, Self::Rising, Self::Text];
        let named = all.into_iter().find(|keys| keys.name() == name);
        named.expect("random, rising or text")
    }

    pub fn name(self) -> &'static str {
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

fn shuffled(rows: usize) -> Vec<usize> {
    let mut keys: Vec<usize> = (0..rows).collect();
    keys.shuffle(&mut StdRng::seed_from_u64(1));
    keys
}

/// The keys of a table in the order in which they are loaded.
pub fn order(kind: Keys, rows: usize) -> Vec<usize> {
    match kind {
        Keys::Rising => (0..rows).collect(),
        Keys::Random | Keys::Text => shuffled(rows),
    }
}

/// Makes the table `t` with these keys, as a PRIMARY KEY or not. The rows are made while they are loaded.
pub async fn fill(engine: &DataFusionEngine, kind: Keys, keys: &[usize], is_key: bool) {
    let data_type = match kind {
        Keys::Random | Keys::Rising => "BIGINT",
        Keys::Text => "TEXT",
    };
    let key = if is_key { " PRIMARY KEY" } else { "" };
    let table = format!("CREATE TABLE t (id {data_type}{key}, amount DOUBLE, name TEXT)");
    engine.execute(&table).await.expect("a table");
    let batches = keys
        .chunks(BATCH_ROWS)
        .map(|keys| Ok::<_, DfOlapError>(RecordBatch::try_from_iter(columns(kind, keys))?));
    engine
        .load_stream("t", stream::iter(batches))
        .await
        .expect("rows");
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
pub struct Source {
    keys: Keys,
    random: StdRng,
    seq: u64,
    next_key: usize,
}

impl Source {
    pub fn new(keys: Keys, rows: usize) -> Self {
        Self {
            keys,
            random: StdRng::seed_from_u64(2),
            seq: 0,
            next_key: rows,
        }
    }

    /// The next changes: of random rows, which may be deleted already, and of new ones.
    pub fn next(&mut self, count: usize) -> Changes {
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
