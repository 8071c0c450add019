//! Random changes of SQLite, copied by Rhei's own sync: every row ends as SQLite has it, and a history has every version.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rhei::{
    HtapConfig, HtapEngine, OlapEngine, OltpEngine, RusqliteCdcProducer, StorageMode, SyncMode,
    TableSchema,
};
use rhei_core::CdcConsumer;
use rhei_core::types::{CdcEvent, CdcOperation};
use rhei_on_this_engine::{TEXTS, changes, cut_off, shown};
use tempfile::TempDir;

const CREATE: [&str; 2] = [
    "CREATE TABLE Events (id INTEGER PRIMARY KEY, userName TEXT, offset INTEGER, amount REAL, day TEXT, at INTEGER, \
     price TEXT, flag INTEGER)",
    "CREATE TABLE places (town TEXT NOT NULL, no INTEGER NOT NULL, height REAL, note TEXT, PRIMARY KEY (town, no))",
];
/// The columns of both in SQLite, but for those that are added, and as SQLite shows them.
const OF_EVENTS: [&str; 2] = [
    "id, userName, \"offset\", amount, day, at, price, CASE flag WHEN 1 THEN 'true' WHEN 0 THEN 'false' END",
    "id, userName, \"offset\", amount, CAST(day AS TEXT), CAST(at AS BIGINT), CAST(price AS TEXT), CAST(flag AS TEXT)",
];
const OF_PLACES: &str = "town, no, height, note";

#[derive(Clone, Copy, PartialEq)]
enum Store {
    Memory,
    Folder,
    /// In which each cycle is one commit.
    FolderByCycle,
}

/// How the changes are copied.
#[derive(Clone, Copy)]
struct Case {
    mode: SyncMode,
    store: Store,
    in_background: bool,
    /// Whether the log forgets what was applied. Without it a restart sends all events again.
    prunes: bool,
}

struct Copied {
    case: Case,
    folder: TempDir,
    random: StdRng,
    engine: HtapEngine,
    /// The columns that were added to the table of events and are there.
    added: Vec<String>,
    additions: usize,
    /// What the log had, as far as it was looked at.
    log: Vec<CdcEvent>,
}

async fn open(folder: &TempDir, case: Case) -> HtapEngine {
    let path = folder.path().join("olap").display().to_string();
    let storage = match case.store {
        Store::Memory => StorageMode::InMemory,
        Store::Folder => StorageMode::Vortex { url: path },
        Store::FolderByCycle => StorageMode::Vortex {
            url: format!("file://{path}?rhei_cycle=commit"),
        },
    };
    let config = HtapConfig {
        oltp_path: folder.path().join("oltp.db").display().to_string(),
        datafusion_storage: storage,
        sync_mode: case.mode,
        sync_batch_size: 100,
        prune_after_sync: case.prunes,
        ..Default::default()
    };
    let engine = HtapEngine::new(config).await.expect("an engine");
    let by_cycle = case.store == Store::FolderByCycle;
    assert_eq!(engine.olap().supports_transactions(), by_cycle);
    engine
}

impl Copied {
    async fn new(case: Case) -> Self {
        let folder = TempDir::new().unwrap();
        let engine = open(&folder, case).await;
        for create in CREATE {
            engine.execute(create, &[]).await.unwrap();
        }
        let seed = 2 + case.store as u64 + u64::from(case.prunes) * 8;
        let mut copied = Self {
            case,
            folder,
            random: StdRng::seed_from_u64(seed),
            engine,
            added: Vec::new(),
            additions: 0,
            log: Vec::new(),
        };
        copied.begin().await;
        copied
    }

    /// Registers the tables, as a program does when it starts.
    async fn begin(&mut self) {
        // With mixed-case and reserved names.
        let mut events = vec![
            Field::new("id", DataType::Int64, false),
            Field::new("userName", DataType::Utf8, true),
            Field::new("offset", DataType::Int64, true),
            Field::new("amount", DataType::Float64, true),
            Field::new("day", DataType::Date32, true),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("price", DataType::Decimal128(12, 2), true),
            Field::new("flag", DataType::Boolean, true),
        ];
        let added = self.added.iter();
        events.extend(added.map(|name| Field::new(name, DataType::Int64, true)));
        let places = vec![
            Field::new("town", DataType::Utf8, false),
            Field::new("no", DataType::Int64, false),
            Field::new("height", DataType::Float64, true),
            Field::new("note", DataType::Utf8, true),
        ];
        for (name, fields, key) in [
            ("Events", events, vec!["id"]),
            ("places", places, vec!["town", "no"]),
        ] {
            let key = key.into_iter().map(String::from).collect();
            let table = TableSchema::new(name, Arc::new(Schema::new(fields)), key);
            self.engine.register_table(table).await.unwrap();
        }
        if self.case.in_background {
            self.engine.start_sync(Duration::from_millis(2));
        }
    }

    async fn restart(&mut self) {
        if self.case.mode == SyncMode::Temporal {
            // What is sent again is doubled there.
            self.sync_all().await;
        }
        self.engine.shutdown().await;
        self.engine = open(&self.folder, self.case).await;
        self.begin().await;
    }

    /// Looks at what the log has since it was looked at.
    async fn read_log(&mut self) {
        let sqlite = self.engine.oltp_rusqlite().unwrap();
        let log = RusqliteCdcProducer::new(sqlite.new_connection().await.unwrap());
        let last = self.log.last().map(|event| event.seq);
        self.log.extend(log.poll(last, u32::MAX).await.unwrap());
    }

    /// One cycle, or a part of one that is cut off: what it did not say is sent again.
    async fn sync(&mut self) {
        self.read_log().await;
        let may_be_cut_off = self.case.mode == SyncMode::Destructive;
        if may_be_cut_off && self.random.random_bool(0.3) {
            let polls = self.random.random_range(1..12);
            cut_off(self.engine.sync_now(), polls).await;
            if self.case.store == Store::FolderByCycle {
                // Without a cycle that is open there is nothing to roll back.
                let _ = self.engine.olap().execute("ROLLBACK").await;
            }
        } else {
            self.engine.sync_now().await.unwrap();
        }
    }

    async fn sync_all(&mut self) {
        self.engine.stop_sync().await;
        self.read_log().await;
        while self.engine.sync_now().await.unwrap().events_processed > 0 {}
    }

    /// Adds a column, or drops one. Rhei cannot read events from before and after that together.
    async fn alter(&mut self) {
        self.sync_all().await;
        let may_drop = self.case.prunes && !self.added.is_empty();
        if may_drop && self.random.random_bool(0.5) {
            let at = self.random.random_range(0..self.added.len());
            let column = self.added.remove(at);
            self.engine.drop_column("Events", &column).await.unwrap();
        } else if self.added.len() < 3 {
            let column = format!("Added{}", self.additions);
            let add = format!("ALTER TABLE Events ADD COLUMN {column} INTEGER");
            self.engine.execute(&add, &[]).await.unwrap();
            let added = self.engine.add_column("Events", &column, DataType::Int64);
            added.await.unwrap();
            self.added.push(column);
            self.additions += 1;
        }
        if self.case.in_background {
            self.engine.start_sync(Duration::from_millis(2));
        }
    }

    fn statement(&mut self) -> String {
        let random = &mut self.random;
        let id = random.random_range(0..200);
        let or_null = |random: &mut StdRng, value: String| match random.random_range(0..6) {
            0 => "NULL".to_string(),
            _ => value,
        };
        let number = random.random_range(-50..50);
        let number = or_null(random, number.to_string());
        let amount = ["1e300", "-0.5", "1.25", "4.25"].choose(random).unwrap();
        let amount = or_null(random, (*amount).to_string());
        let name = TEXTS.choose(random).unwrap();
        let day = format!("'2026-11-{:02}'", random.random_range(1..31));
        let day = or_null(random, day);
        let at = random.random_range(-9_000_000_000_i64..1_800_000_000_000_000);
        let at = or_null(random, at.to_string());
        let price = format!(
            "'{}.{:02}'",
            random.random_range(-99_999_999..99_999_999),
            random.random_range(0..100)
        );
        let price = or_null(random, price);
        let flag = random.random_range(0..2).to_string();
        let flag = or_null(random, flag);
        let (town, no) = (
            ["'a'", "'B'", "'it''s'"].choose(random).unwrap(),
            random.random_range(0..20),
        );
        let mut more = String::new();
        for column in &self.added {
            more += &format!(", {column} = {}", random.random_range(0..9));
        }
        match random.random_range(0..16) {
            0..4 => format!(
                "INSERT INTO Events (id, userName, offset, amount, day, at, price, flag) \
                 VALUES ({id}, {name}, {number}, {amount}, {day}, {at}, {price}, {flag}) \
                 ON CONFLICT (id) DO UPDATE SET userName = excluded.userName, offset = excluded.offset"
            ),
            4..8 => format!(
                "UPDATE Events SET userName = {name}, offset = {number}, amount = {amount}{more} WHERE id = {id}"
            ),
            8 => format!(
                "UPDATE Events SET day = {day}, at = {at}, price = {price}, flag = {flag}{more} WHERE id % 7 = {}",
                id % 7
            ),
            9 => format!("DELETE FROM Events WHERE id = {id}"),
            10..13 => format!(
                "INSERT INTO places VALUES ({town}, {no}, {amount}, {name}) \
                 ON CONFLICT DO UPDATE SET height = excluded.height"
            ),
            13 => format!("UPDATE places SET note = {name} WHERE town = {town}"),
            14 => format!("UPDATE places SET height = {amount} WHERE no = {no}"),
            _ => format!("DELETE FROM places WHERE town = {town} AND no = {no}"),
        }
    }

    async fn check_rows(&self) {
        let live = match self.case.mode {
            SyncMode::Destructive => "",
            SyncMode::Temporal => "WHERE _rhei_valid_to IS NULL AND _rhei_operation <> 'D'",
        };
        let added = self.added.iter().map(|name| format!(", {name}"));
        let added: String = added.collect();
        let [theirs, ours] = OF_EVENTS.map(|columns| format!("{columns}{added}"));
        for (table, theirs, ours, order) in [
            ("Events", theirs.as_str(), ours.as_str(), "id"),
            ("places", OF_PLACES, OF_PLACES, "town, no"),
        ] {
            let expected = format!("SELECT {theirs} FROM {table} ORDER BY {order}");
            let expected = self.engine.oltp().unwrap().query(&expected, &[]).await;
            let sql = format!("SELECT {ours} FROM {table} {live} ORDER BY {order}");
            let found = self.engine.olap().query(&sql).await.unwrap();
            assert_eq!(shown(&found), shown(&expected.unwrap()));
            assert!(!shown(&found).is_empty());
        }
    }

    /// Each change is a version, and an update or a delete ends those before it.
    async fn check_history(&self) {
        let mut versions: Vec<Version> = Vec::new();
        let mut open: HashMap<i64, Vec<usize>> = HashMap::new();
        for event in self.log.iter().filter(|event| event.table == "Events") {
            let row = event.new_data.as_ref().or(event.old_data.as_ref()).unwrap();
            let id = row["id"].as_i64().unwrap();
            let operation = match event.operation {
                CdcOperation::Insert => "I",
                CdcOperation::Update => "U",
                CdcOperation::Delete => "D",
            };
            let open = open.entry(id).or_default();
            if operation != "I" {
                for ended in open.drain(..) {
                    versions[ended].to = Some(event.timestamp);
                }
            }
            open.push(versions.len());
            versions.push(Version {
                id,
                name: row["userName"].as_str().map(str::to_string),
                from: event.timestamp,
                to: None,
                operation,
            });
        }
        let null = || "NULL (none)".to_string();
        let expected = versions.into_iter().map(|version| {
            let name = version.name.unwrap_or_else(null);
            let to = version.to.map_or_else(null, |to| to.to_string());
            let (id, from, operation) = (version.id, version.from, version.operation);
            format!("{id} | {name} | {from} | {to} | {operation}")
        });
        let mut expected: Vec<String> = expected.collect();
        let sql =
            "SELECT id, userName, _rhei_valid_from, _rhei_valid_to, _rhei_operation FROM Events";
        let mut found = shown(&self.engine.olap().query(sql).await.unwrap());
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }
}

/// A row of a history.
struct Version {
    id: i64,
    name: Option<String>,
    from: i64,
    to: Option<i64>,
    operation: &'static str,
}

async fn copied(case: Case) {
    let mut copied = Copied::new(case).await;
    let is_temporal = case.mode == SyncMode::Temporal;
    // What the log still has is sent again.
    let may_restart = case.store != Store::Memory && (case.prunes || !is_temporal);
    for at in 0..changes() {
        let statement = copied.statement();
        copied.engine.execute(&statement, &[]).await.unwrap();
        if !case.in_background && copied.random.random_bool(0.02) {
            copied.sync().await;
        }
        if may_restart && at >= 128 && at.is_power_of_two() {
            copied.restart().await;
        }
        if (case.prunes || !may_restart) && copied.random.random_bool(0.01) {
            copied.alter().await;
        }
    }
    // In the background something was applied.
    while case.in_background
        && copied
            .engine
            .sync_status()
            .await
            .unwrap()
            .last_synced_seq
            .is_none()
    {
        tokio::task::yield_now().await;
    }
    copied.sync_all().await;
    copied.check_rows().await;
    if is_temporal {
        copied.check_history().await;
    }
}

fn mirror(store: Store, in_background: bool, prunes: bool) -> Case {
    Case {
        mode: SyncMode::Destructive,
        store,
        in_background,
        prunes,
    }
}

fn history(store: Store, in_background: bool, prunes: bool) -> Case {
    let mode = SyncMode::Temporal;
    Case {
        mode,
        ..mirror(store, in_background, prunes)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_in_memory_has_the_rows_of_sqlite() {
    copied(mirror(Store::Memory, false, false)).await;
    copied(mirror(Store::Memory, true, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_in_a_folder_has_the_rows_of_sqlite() {
    copied(mirror(Store::Folder, true, false)).await;
    copied(mirror(Store::Folder, false, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_in_memory_has_every_version() {
    copied(history(Store::Memory, true, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_in_a_folder_has_every_version() {
    copied(history(Store::Folder, false, false)).await;
    copied(history(Store::Folder, false, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_with_a_commit_for_each_cycle_has_the_rows_of_sqlite() {
    copied(mirror(Store::FolderByCycle, true, false)).await;
    copied(mirror(Store::FolderByCycle, false, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_with_a_commit_for_each_cycle_has_every_version() {
    copied(history(Store::FolderByCycle, true, false)).await;
    copied(history(Store::FolderByCycle, false, true)).await;
}
