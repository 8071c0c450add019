//! `NativeSync` over the logs of the published crates: each change once, and a row whose key changes moves.

use std::path::Path;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rhei::{OltpEngine, RusqliteCdcProducer, RusqliteEngine, SyncEngine};
use rhei_core::CdcConsumer;
use rhei_datafusion::rhei::NativeSync;
use rhei_datafusion::{DataFusionEngine, History, SharedDataFusionEngine, StorageMode};
use rhei_oltp_rusqlite::cdc_setup::setup_cdc;
use rhei_on_this_engine::{TEXTS, changes, cut_off, shown};
use tempfile::TempDir;

/// Where the events are read from.
#[derive(Clone, Copy)]
enum Log {
    Sqlite,
    #[cfg(feature = "rocksdb")]
    RocksDb,
}

struct Source {
    random: StdRng,
    sqlite: RusqliteEngine,
}

impl Source {
    async fn new(folder: &Path, seed: u64) -> Self {
        let path = folder.join("oltp.db").display().to_string();
        let sqlite = RusqliteEngine::new_local(&path, 1).await.unwrap();
        for table in [
            "CREATE TABLE people (id INTEGER PRIMARY KEY, userName TEXT, n INTEGER)",
            "CREATE TABLE places (town TEXT NOT NULL, no INTEGER NOT NULL, height REAL, PRIMARY KEY (town, no))",
        ] {
            sqlite.execute(table, &[]).await.unwrap();
        }
        for table in ["people", "places"] {
            setup_cdc(&sqlite.connection(), table).await.unwrap();
        }
        Self {
            random: StdRng::seed_from_u64(seed),
            sqlite,
        }
    }

    fn statement(&mut self) -> String {
        let random = &mut self.random;
        let (id, other, n) = (
            random.random_range(0..40),
            random.random_range(0..40),
            random.random_range(-9..9),
        );
        let name = TEXTS.choose(random).unwrap();
        let (town, no) = (
            ["a", "B", "it''s"].choose(random).unwrap(),
            random.random_range(0..6),
        );
        match random.random_range(0..14) {
            0..3 => format!("INSERT OR REPLACE INTO people VALUES ({id}, {name}, {n})"),
            3..5 => format!(
                "UPDATE people SET userName = {name}, n = n + 1 WHERE id % 10 = {}",
                id % 10
            ),
            5 => format!("UPDATE OR REPLACE people SET id = {other}, n = {n} WHERE id = {id}"),
            6 => "UPDATE OR REPLACE people SET id = id + 1".into(),
            7 => format!("DELETE FROM people WHERE id BETWEEN {id} AND {id} + 3"),
            8..11 => format!(
                "INSERT INTO places VALUES ('{town}', {no}, {n}.5) ON CONFLICT DO UPDATE SET height = excluded.height"
            ),
            11 => format!(
                "UPDATE OR REPLACE places SET town = '{town}', height = NULL WHERE no = {no}"
            ),
            12 => format!("UPDATE OR IGNORE places SET no = no + 1 WHERE town = '{town}'"),
            _ => format!("DELETE FROM places WHERE town = '{town}' AND no = {no}"),
        }
    }

    async fn change(&mut self) {
        let statements = self.random.random_range(1..5);
        let statements: Vec<_> = (0..statements)
            .map(|_| (self.statement(), Vec::new()))
            .collect();
        self.sqlite.execute_batch(&statements).await.unwrap();
    }

    async fn rows(&self, table: &str) -> Vec<String> {
        let sql = format!("SELECT * FROM {table} ORDER BY 1, 2");
        shown(&self.sqlite.query(&sql, &[]).await.unwrap())
    }

    /// One cycle of [`NativeSync`]: how many events it applied.
    #[cfg_attr(
        not(feature = "rocksdb"),
        expect(unused_variables, reason = "only RocksDB has a folder of its own")
    )]
    async fn cycle(
        &self,
        from: Log,
        folder: &Path,
        engine: &SharedDataFusionEngine,
        keeps_history: bool,
        size: u32,
    ) -> u64 {
        match from {
            Log::Sqlite => cycle(self.sqlite_log().await, engine, keeps_history, size).await,
            #[cfg(feature = "rocksdb")]
            Log::RocksDb => {
                let log = rocksdb_log(self, folder).await;
                cycle(log, engine, keeps_history, size).await
            }
        }
    }

    async fn sqlite_log(&self) -> RusqliteCdcProducer {
        RusqliteCdcProducer::new(self.sqlite.new_connection().await.unwrap())
    }
}

/// Moves the events of SQLite to a log in RocksDB, as `HtapEngine` does.
#[cfg(feature = "rocksdb")]
async fn rocksdb_log(source: &Source, folder: &Path) -> rhei_cdc_rocksdb::RocksDbCdcLog {
    let path = folder.join("log").display().to_string();
    let config = rhei_cdc_rocksdb::RocksDbCdcConfig {
        path,
        create_if_missing: true,
    };
    let log = rhei_cdc_rocksdb::RocksDbCdcLog::open(&config).unwrap();
    let sqlite = source.sqlite_log().await;
    let mut events = sqlite
        .poll(log.get_bridge_watermark().unwrap(), u32::MAX)
        .await
        .unwrap();
    if let Some(last) = events.iter().map(|event| event.seq).max() {
        log.append_and_set_bridge_watermark(&mut events, last)
            .unwrap();
        sqlite.prune(last).await.unwrap();
    }
    log
}

async fn cycle<C: CdcConsumer>(
    log: C,
    engine: &SharedDataFusionEngine,
    keeps_history: bool,
    size: u32,
) -> u64 {
    let mut sync = NativeSync::new(log, engine.clone(), "oltp.db")
        .batch_size(size)
        .prune_after_sync(size.is_multiple_of(2));
    if keeps_history {
        sync = sync
            .history("people", History::by(["id"]))
            .history("places", History::by(["town", "no"]));
    }
    sync.sync_once().await.unwrap().events_processed
}

async fn copied(from: Log, keeps_history: bool, durable: bool) {
    let folder = TempDir::new().unwrap();
    let url = folder.path().join("olap").display().to_string();
    let open = || {
        let storage = match durable {
            true => StorageMode::Vortex { url: url.clone() },
            false => StorageMode::InMemory,
        };
        SharedDataFusionEngine::new(DataFusionEngine::with_storage(storage).unwrap())
    };
    let mut source = Source::new(folder.path(), u64::from(durable)).await;
    let mut engine = open();
    let (columns, key) = match keeps_history {
        true => (
            ", _rhei_valid_from BIGINT NOT NULL, _rhei_valid_to BIGINT, _rhei_operation TEXT NOT NULL",
            ["", ""],
        ),
        false => ("", [", PRIMARY KEY (id)", ", PRIMARY KEY (town, no)"]),
    };
    for table in [
        format!(
            "CREATE TABLE people (id BIGINT, \"userName\" TEXT, n BIGINT{columns}{})",
            key[0]
        ),
        format!(
            "CREATE TABLE places (town TEXT, no BIGINT, height DOUBLE{columns}{})",
            key[1]
        ),
    ] {
        engine.execute_batch(&table).await.unwrap();
    }
    let mut left = changes();
    loop {
        let changes = source.random.random_range(0..20).min(left);
        for _ in 0..changes {
            source.change().await;
        }
        left -= changes;
        if durable && source.random.random_bool(0.1) {
            drop(engine);
            engine = open();
        }
        let size = source.random.random_range(1..60);
        if source.random.random_bool(0.2) {
            // What was cut off is applied, or not.
            let polls = source.random.random_range(1..12);
            cut_off(
                source.cycle(from, folder.path(), &engine, keeps_history, size),
                polls,
            )
            .await;
        }
        let one = source.cycle(from, folder.path(), &engine, keeps_history, size);
        let done = match from {
            // Of two at once each event is applied by one.
            Log::Sqlite if size.is_multiple_of(3) => {
                let other = source.cycle(from, folder.path(), &engine, keeps_history, size / 2 + 1);
                let (one, other) = tokio::join!(one, other);
                one + other
            }
            _ => one.await,
        };
        if left == 0 && done == 0 {
            break;
        }
    }
    for (table, names) in [
        ("people", "id, \"userName\", n"),
        ("places", "town, no, height"),
    ] {
        let live = if keeps_history {
            "WHERE _rhei_valid_to IS NULL AND _rhei_operation <> 'D'"
        } else {
            ""
        };
        let sql = format!("SELECT {names} FROM {table} {live} ORDER BY 1, 2");
        // Through the trait of Rhei, in its Arrow.
        let found = rhei_core::OlapEngine::query(&engine, &sql).await.unwrap();
        assert_eq!(shown(&found), source.rows(table).await);
        assert!(!shown(&found).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_sqlite_into_a_mirror() {
    copied(Log::Sqlite, false, false).await;
    copied(Log::Sqlite, false, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_sqlite_into_histories() {
    copied(Log::Sqlite, true, false).await;
    copied(Log::Sqlite, true, true).await;
}

#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_rocksdb() {
    copied(Log::RocksDb, false, false).await;
    copied(Log::RocksDb, false, true).await;
    copied(Log::RocksDb, true, false).await;
    copied(Log::RocksDb, true, true).await;
}
