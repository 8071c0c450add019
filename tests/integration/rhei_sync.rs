//! `NativeSync`: a log of Rhei into an engine, exactly once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};
use rhei_core::types::{CdcEvent, CdcOperation};
use rhei_core::{CdcConsumer, SyncEngine};
use rhei_datafusion::rhei::{NativeSync, NativeSyncError};
use rhei_datafusion::{
    DataFusionEngine, History, Obstacle, SharedDataFusionEngine, StorageMode, UnknownColumns,
};
use serde_json::{Value, json};

use crate::common::{fresh_folder, rows, run, vortex};

/// A log in memory that fails when it is told to.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    events: Vec<CdcEvent>,
    latest: i64,
    fails_to_poll: bool,
    fails_to_prune: bool,
}

impl CdcConsumer for Log {
    type Error = std::io::Error;

    async fn poll(&self, after: Option<i64>, limit: u32) -> Result<Vec<CdcEvent>, Self::Error> {
        let mut inner = self.0.lock().unwrap();
        if std::mem::take(&mut inner.fails_to_poll) {
            return Err(std::io::Error::other("the log is locked"));
        }
        let events = inner.events.iter();
        let newer = events.filter(|event| after.is_none_or(|after| event.seq > after));
        Ok(newer.take(limit as usize).cloned().collect())
    }

    async fn latest_seq(&self) -> Result<Option<i64>, Self::Error> {
        let latest = self.0.lock().unwrap().latest;
        Ok((latest > 0).then_some(latest))
    }

    async fn prune(&self, upto: i64) -> Result<u64, Self::Error> {
        let mut inner = self.0.lock().unwrap();
        if std::mem::take(&mut inner.fails_to_prune) {
            return Err(std::io::Error::other("the log is locked"));
        }
        let before = inner.events.len();
        inner.events.retain(|event| event.seq > upto);
        Ok((before - inner.events.len()) as u64)
    }
}

/// A row: a text and a number.
type Row = (Option<String>, Option<i64>);
type State = BTreeMap<i64, Row>;

/// A database that logs its changes, as the triggers of Rhei do.
struct Source {
    random: StdRng,
    rows: State,
    log: Log,
    /// The rows after each event.
    after: BTreeMap<i64, State>,
}

fn json_of(id: i64, (name, n): &Row) -> Value {
    json!({ "id": id, "userName": name, "n": n })
}

impl Source {
    fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            rows: State::new(),
            log: Log::default(),
            after: BTreeMap::from([(0, State::new())]),
        }
    }

    fn log(&mut self, operation: CdcOperation, old: Option<Value>, new: Option<Value>) {
        let mut inner = self.log.0.lock().unwrap();
        inner.latest += self.random.random_range(1..3);
        let seq = inner.latest;
        inner.events.push(CdcEvent {
            seq,
            // In seconds: as many events happen in one.
            timestamp: 1_700_000_000 + seq / 4,
            operation,
            table: "people".into(),
            row_id: None,
            old_data: old,
            new_data: new,
        });
        drop(inner);
        self.after.insert(seq, self.rows.clone());
    }

    fn some_row(&mut self) -> Row {
        let names = ["", "it's", "a;b--c\n\\", "\u{1F600}", "NULL"];
        let name = names.into_iter().choose(&mut self.random).map(String::from);
        let n = self.random.random_range(-5..5);
        (name.filter(|_| n != 0), (n != 1).then_some(n))
    }

    fn change(&mut self) {
        let id = self.random.random_range(0..12);
        let there = self.rows.keys().copied().choose(&mut self.random);
        match (self.random.random_range(0..11), there) {
            (0..3, _) | (_, None) => {
                // Also in the place of a row, of which SQLite logs no delete.
                let row = self.some_row();
                self.rows.insert(id, row.clone());
                self.log(CdcOperation::Insert, None, Some(json_of(id, &row)));
            }
            (3..7, Some(there)) => {
                let (old, new) = (self.rows[&there].clone(), self.some_row());
                self.rows.insert(there, new.clone());
                let (old, new) = (json_of(there, &old), json_of(there, &new));
                self.log(CdcOperation::Update, Some(old), Some(new));
            }
            (7, Some(there)) if !self.rows.contains_key(&id) => {
                let row = self.rows.remove(&there).unwrap();
                self.rows.insert(id, row.clone());
                let (old, new) = (json_of(there, &row), json_of(id, &row));
                self.log(CdcOperation::Update, Some(old), Some(new));
            }
            // UPDATE OR REPLACE: of the row that is replaced no delete is logged.
            (8, Some(there)) => {
                let row = self.rows.remove(&there).unwrap();
                self.rows.insert(id, row.clone());
                let (old, new) = (json_of(there, &row), json_of(id, &row));
                self.log(CdcOperation::Update, Some(old), Some(new));
            }
            (_, Some(there)) => {
                let old = json_of(there, &self.rows.remove(&there).unwrap());
                self.log(CdcOperation::Delete, Some(old), None);
            }
        }
    }
}

fn shown(rows: &State) -> Vec<String> {
    let text = |name: &Option<String>| match name.as_deref() {
        None => "NULL".to_string(),
        Some("") => "''".to_string(),
        Some("NULL") => "\\NULL".to_string(),
        Some(text) => text.replace('\\', "\\\\").replace('\n', "\\n"),
    };
    let number = |n: &Option<i64>| n.map_or("NULL".to_string(), |n| n.to_string());
    let rows = rows.iter();
    rows.map(|(id, (name, n))| format!("{id} | {} | {}", text(name), number(n)))
        .collect()
}

async fn open(mode: &StorageMode) -> SharedDataFusionEngine {
    SharedDataFusionEngine::new(DataFusionEngine::with_storage(mode.clone()).unwrap())
}

async fn create(engine: &DataFusionEngine) {
    run(
        engine,
        r#"CREATE TABLE people (id BIGINT PRIMARY KEY, "userName" TEXT, n BIGINT)"#,
    )
    .await;
}

#[tokio::test]
async fn each_event_is_applied_once_whatever_fails_between() {
    for (seed, mode) in [
        (1, StorageMode::InMemory),
        (2, vortex(&fresh_folder())),
        (3, vortex(&fresh_folder())),
    ] {
        let mut source = Source::new(seed);
        let mut engine = open(&mode).await;
        create(&engine).await;
        for _ in 0..120 {
            for _ in 0..source.random.random_range(0..6) {
                source.change();
            }
            let size = source.random.random_range(1..8);
            let sync = NativeSync::new(source.log.clone(), engine.clone(), "people.db");
            let sync = sync
                .batch_size(size)
                .prune_after_sync(source.random.random_bool(0.8));
            {
                let mut inner = source.log.0.lock().unwrap();
                inner.fails_to_poll = source.random.random_bool(0.1);
                inner.fails_to_prune = source.random.random_bool(0.1);
            }
            let before = sync.status().await.unwrap().last_synced_seq;
            match sync.sync_once().await {
                Ok(done) => assert!(done.last_seq >= before),
                Err(NativeSyncError::Consumer(error)) => {
                    assert_eq!(error.to_string(), "the log is locked");
                }
                Err(error) => panic!("{error}"),
            }
            drop(sync);
            if source.random.random_bool(0.1) && mode != StorageMode::InMemory {
                drop(engine);
                engine = open(&mode).await;
            }
            let watermark = engine.watermark("people.db").await.unwrap();
            let seq = watermark.map_or(0, |watermark| watermark.seq as i64);
            let all = rows(&engine, "SELECT * FROM people ORDER BY id").await;
            assert_eq!(all, shown(&source.after[&seq]), "seed {seed}, at {seq}");
        }
        let sync = NativeSync::new(source.log.clone(), engine.clone(), "people.db");
        while sync
            .sync_once()
            .await
            .is_ok_and(|done| done.events_processed > 0)
        {}
        let status = sync.status().await.unwrap();
        assert_eq!((status.lag, status.running), (0, false));
        let all = rows(&engine, "SELECT * FROM people ORDER BY id").await;
        assert_eq!(all, shown(&source.rows), "seed {seed}");
    }
}

#[tokio::test]
async fn a_table_keeps_the_history_of_its_rows() {
    for mode in [StorageMode::InMemory, vortex(&fresh_folder())] {
        let mut source = Source::new(7);
        let engine = open(&mode).await;
        run(
            &engine,
            r#"CREATE TABLE people (id BIGINT, "userName" TEXT, n BIGINT, _rhei_valid_from BIGINT NOT NULL,
               _rhei_valid_to BIGINT, _rhei_operation TEXT NOT NULL)"#,
        )
        .await;
        let sync = NativeSync::new(source.log.clone(), engine.clone(), "people.db");
        let sync = sync.history("people", History::by(["id"])).batch_size(13);
        for _ in 0..40 {
            for _ in 0..5 {
                source.change();
            }
            sync.sync_once().await.unwrap();
        }
        while sync.sync_once().await.unwrap().events_processed > 0 {}
        // The last event of each second.
        let mut seconds = BTreeMap::new();
        for (seq, state) in &source.after {
            seconds.insert(seq / 4, state);
        }
        for (second, state) in seconds.iter().skip(1) {
            let time = 1_700_000_000 + second;
            let then = format!("SELECT * FROM history_at('people', {time}) ORDER BY id");
            assert_eq!(rows(&engine, &then).await, shown(state), "at {time}");
        }
    }
}

#[tokio::test]
async fn a_log_that_begins_anew_is_an_error_with_both_numbers() {
    let engine = open(&StorageMode::InMemory).await;
    create(&engine).await;
    let mut source = Source::new(1);
    for _ in 0..20 {
        source.change();
    }
    let sync = NativeSync::new(source.log.clone(), engine.clone(), "people.db");
    sync.sync_once().await.unwrap();
    let latest = source.log.0.lock().unwrap().latest;
    let mut younger = Source::new(1);
    younger.change();
    let sync = NativeSync::new(younger.log.clone(), engine.clone(), "people.db");
    for error in [
        sync.sync_once().await.unwrap_err(),
        sync.status().await.unwrap_err(),
    ] {
        assert!(
            matches!(error, NativeSyncError::LogIsYounger { .. }),
            "{error}"
        );
        let text = error.to_string();
        let newest = younger.log.0.lock().unwrap().latest;
        for part in [&latest.to_string(), &format!("is {newest},"), "people.db"] {
            assert!(text.contains(part), "{text}: {part}");
        }
    }
    engine.reset_watermark("people.db", None).await.unwrap();
    assert_eq!(sync.sync_once().await.unwrap().events_processed, 1);
}

/// A log that gives what it gave before.
struct Forgetful(Log);

impl CdcConsumer for Forgetful {
    type Error = std::io::Error;

    async fn poll(&self, _: Option<i64>, limit: u32) -> Result<Vec<CdcEvent>, Self::Error> {
        self.0.poll(None, limit).await
    }

    async fn latest_seq(&self) -> Result<Option<i64>, Self::Error> {
        self.0.latest_seq().await
    }

    async fn prune(&self, _: i64) -> Result<u64, Self::Error> {
        Ok(0)
    }
}

#[tokio::test]
async fn a_log_that_does_not_go_on_from_a_number_is_an_error() {
    let engine = open(&StorageMode::InMemory).await;
    create(&engine).await;
    let mut source = Source::new(5);
    source.change();
    let sync = NativeSync::new(Forgetful(source.log.clone()), engine.clone(), "people.db");
    assert_eq!(sync.sync_once().await.unwrap().events_processed, 1);
    source.change();
    let error = sync.sync_once().await.unwrap_err();
    let applied =
        matches!(error, NativeSyncError::AppliedBefore { seq, watermark, .. } if seq == watermark);
    assert!(applied, "{error}");
}

#[tokio::test]
async fn a_column_that_the_table_lacks_is_refused_ignored_or_added() {
    for (policy, expected) in [
        (UnknownColumns::Refuse, None),
        (UnknownColumns::Ignore, Some("1")),
        (UnknownColumns::Add, Some("1 | 5")),
    ] {
        let engine = open(&StorageMode::InMemory).await;
        run(&engine, "CREATE TABLE people (id BIGINT PRIMARY KEY)").await;
        let log = Log::default();
        log.0.lock().unwrap().events.push(CdcEvent {
            seq: 1,
            timestamp: 1,
            operation: CdcOperation::Insert,
            table: "people".into(),
            row_id: Some(1),
            old_data: None,
            new_data: Some(json_of(1, &(None, Some(5)))),
        });
        log.0.lock().unwrap().latest = 1;
        let sync = NativeSync::new(log.clone(), engine.clone(), "people.db");
        let sync = sync.unknown_columns(policy);
        match (sync.sync_once().await, expected) {
            (Ok(_), Some(expected)) => {
                assert_eq!(rows(&engine, "SELECT * FROM people").await, [expected]);
            }
            (Err(error), None) => {
                assert!(error.to_string().contains("'n'"), "{error}");
                assert!(engine.watermark("people.db").await.unwrap().is_none());
                assert_eq!(log.0.lock().unwrap().events.len(), 1);
            }
            (other, expected) => panic!("{other:?}, {expected:?}"),
        }
    }
}

#[tokio::test]
async fn events_that_cannot_be_applied_are_left_out_if_that_is_asked_for() {
    let engine = open(&StorageMode::InMemory).await;
    run(&engine, "CREATE TABLE people (id TEXT PRIMARY KEY)").await;
    let log = Log::default();
    let events = [
        ("elsewhere", json!("a")),
        ("people", Value::Null),
        ("people", json!("b")),
    ];
    for (seq, (table, id)) in (1..).zip(events) {
        let mut inner = log.0.lock().unwrap();
        inner.latest = seq;
        inner.events.push(CdcEvent {
            seq,
            timestamp: 1,
            operation: CdcOperation::Insert,
            table: table.into(),
            row_id: None,
            old_data: None,
            new_data: Some(json!({ "id": id })),
        });
    }
    let sync = || NativeSync::new(log.clone(), engine.clone(), "people.db");
    sync().sync_once().await.unwrap_err();
    for (skipped, table) in [
        (Obstacle::NullKey, "elsewhere"),
        (Obstacle::UnknownTable, "table people"),
    ] {
        let refused = sync().skip(skipped).sync_once().await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(table), "{refused}");
    }
    assert_eq!(log.0.lock().unwrap().events.len(), 3);
    let both = sync().skip(Obstacle::UnknownTable).skip(Obstacle::NullKey);
    let done = both.sync_once().await.unwrap();
    assert_eq!((done.events_processed, done.rows_inserted), (3, 1));
    assert_eq!(rows(&engine, "SELECT * FROM people").await, ["b"]);
    assert_eq!(log.0.lock().unwrap().events.len(), 0);
}
