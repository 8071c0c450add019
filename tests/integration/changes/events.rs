//! Row changes for the tests, as a source of changes would send them.

use std::sync::Arc;

use rhei_datafusion::arrow::array::{
    ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, UInt64Array,
};
use rhei_datafusion::{Applied, Changes, DataFusionEngine, DfOlapError, ErrorKind};

use crate::common::{engines, rows, run};

pub const SOURCE: &str = "orders";

/// A change of `t (id BIGINT PRIMARY KEY, name TEXT, n BIGINT)`.
#[derive(Debug, Clone, Default)]
pub struct Event {
    pub op: &'static str,
    pub seq: u64,
    pub old: Option<i64>,
    pub id: Option<i64>,
    pub name: Option<String>,
    pub n: Option<i64>,
    pub unchanged: Vec<&'static str>,
}

impl Event {
    pub fn new(op: &'static str, seq: u64, id: i64) -> Self {
        Self {
            op,
            seq,
            id: Some(id),
            ..Self::default()
        }
    }

    pub fn row(op: &'static str, seq: u64, id: i64, name: &str, n: i64) -> Self {
        Self {
            name: Some(name.to_string()),
            n: Some(n),
            ..Self::new(op, seq, id)
        }
    }

    pub fn from(mut self, old: i64) -> Self {
        self.old = Some(old);
        self
    }

    /// The columns are not sent: they have a value that is in no row of the source.
    pub fn unchanged(mut self, columns: &[&'static str]) -> Self {
        self.unchanged = columns.to_vec();
        for column in columns {
            match *column {
                "name" => self.name = Some("not sent".into()),
                "n" => self.n = Some(-1),
                _ => {}
            }
        }
        self
    }
}

pub fn insert(seq: u64, id: i64, name: &str, n: i64) -> Event {
    Event::row("insert", seq, id, name, n)
}

pub fn update(seq: u64, id: i64, name: &str, n: i64) -> Event {
    Event::row("update", seq, id, name, n)
}

pub fn upsert(seq: u64, id: i64, name: &str, n: i64) -> Event {
    Event::row("upsert", seq, id, name, n)
}

pub fn delete(seq: u64, id: i64) -> Event {
    Event::new("delete", seq, id)
}

pub fn truncate(seq: u64) -> Event {
    Event {
        op: "truncate",
        seq,
        ..Event::default()
    }
}

/// The events as a batch with all reserved columns.
pub fn batch(events: &[Event]) -> RecordBatch {
    let mut unchanged = ListBuilder::new(StringBuilder::new());
    for event in events {
        for column in &event.unchanged {
            unchanged.values().append_value(column);
        }
        unchanged.append(!event.unchanged.is_empty());
    }
    let ops: StringArray = events.iter().map(|event| Some(event.op)).collect();
    let seqs = UInt64Array::from_iter_values(events.iter().map(|event| event.seq));
    let of = |value: fn(&Event) -> Option<i64>| -> ArrayRef {
        Arc::new(events.iter().map(value).collect::<Int64Array>())
    };
    let names: StringArray = events.iter().map(|event| event.name.as_deref()).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("_op", Arc::new(ops) as ArrayRef, false),
        ("_seq", Arc::new(seqs), false),
        ("_unchanged", Arc::new(unchanged.finish()), true),
        ("_old_id", of(|event| event.old), true),
        ("id", of(|event| event.id), true),
        ("name", Arc::new(names), true),
        ("n", of(|event| event.n), true),
    ])
    .unwrap()
}

/// Creates `t (id BIGINT PRIMARY KEY, name TEXT, n BIGINT)` with the rows 1, 2, 3.
pub async fn create(engine: &DataFusionEngine) {
    run(
        engine,
        "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, n BIGINT)",
    )
    .await;
    let rows = "INSERT INTO t VALUES (1, 'one', 10), (2, 'two', 20), (3, 'three', 30)";
    run(engine, rows).await;
}

pub fn of_t(events: &[Event]) -> Changes {
    Changes::new().table("t", batch(events))
}

pub async fn apply(engine: &DataFusionEngine, events: &[Event]) -> Result<Applied, DfOlapError> {
    engine.apply_changes(SOURCE, of_t(events)).await
}

/// All changes that a call was given.
pub fn counted(applied: &Applied) -> u64 {
    applied.before
        + applied.inserted
        + applied.updated
        + applied.replaced
        + applied.deleted
        + applied.truncated
        + applied.absent_updates
        + applied.absent_deletes
        + applied.skipped
}

pub async fn contents(engine: &DataFusionEngine) -> Vec<String> {
    rows(engine, "SELECT * FROM t ORDER BY id").await
}

/// Applies changes that must be refused: the error has all of `parts`, and nothing has changed.
pub async fn refused(changes: &Changes, parts: &[&str]) {
    for (store, engine) in engines() {
        create(&engine).await;
        let before = (contents(&engine).await, engine.version().await.unwrap());
        let error = engine
            .apply_changes(SOURCE, changes.clone())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{store}: {error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{store}: {error}: {part}");
        }
        let after = (contents(&engine).await, engine.version().await.unwrap());
        assert_eq!(after, before, "{store}");
        assert_eq!(engine.watermark(SOURCE).await.unwrap(), None, "{store}");
    }
}

pub const ONE: &str = "1 | one | 10";
pub const TWO: &str = "2 | two | 20";
pub const THREE: &str = "3 | three | 30";
