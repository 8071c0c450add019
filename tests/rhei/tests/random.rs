//! Random changes of SQLite, copied by Rhei's own sync: every row ends as SQLite has it.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rhei::{HtapConfig, HtapEngine, OlapEngine, OltpEngine, StorageMode, SyncMode, TableSchema};
use rhei_on_this_engine::{TEXTS, changes, shown};
use tempfile::TempDir;

/// With mixed-case and reserved names.
fn schema() -> TableSchema {
    let fields = vec![
        Field::new("id", DataType::Int64, false),
        Field::new("userName", DataType::Utf8, true),
        Field::new("offset", DataType::Int64, true),
        Field::new("amount", DataType::Float64, true),
        Field::new("day", DataType::Utf8, true),
    ];
    TableSchema::new(
        "Events",
        Arc::new(Schema::new(fields)),
        vec!["id".to_string()],
    )
}

async fn open(folder: &TempDir, mode: SyncMode, storage: StorageMode) -> HtapEngine {
    let config = HtapConfig {
        oltp_path: folder.path().join("oltp.db").display().to_string(),
        datafusion_storage: storage,
        sync_mode: mode,
        sync_batch_size: 100,
        // Without pruning a restart sends all events again.
        prune_after_sync: false,
        ..Default::default()
    };
    HtapEngine::new(config).await.expect("an engine")
}

fn statement(random: &mut StdRng) -> String {
    let id = random.random_range(0..200);
    let number = random.random_range(-50..50);
    let number = if number == 7 {
        "NULL".to_string()
    } else {
        number.to_string()
    };
    let amount = match random.random_range(0..6) {
        0 => "NULL".to_string(),
        1 => "1e300".to_string(),
        n => format!("{n}.25"),
    };
    let (name, day) = (
        TEXTS.choose(random).unwrap(),
        format!("'2026-11-{:02}'", random.random_range(1..31)),
    );
    match random.random_range(0..10) {
        0..4 => format!(
            "INSERT INTO Events (id, userName, offset, amount, day) VALUES ({id}, {name}, {number}, {amount}, {day}) \
             ON CONFLICT (id) DO UPDATE SET userName = excluded.userName, offset = excluded.offset"
        ),
        4..8 => format!(
            "UPDATE Events SET userName = {name}, offset = {number}, amount = {amount} WHERE id = {id}"
        ),
        8 => format!("UPDATE Events SET day = {day} WHERE id % 7 = {}", id % 7),
        _ => format!("DELETE FROM Events WHERE id = {id}"),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Store {
    Memory,
    Folder,
    /// In which each cycle is one commit.
    FolderByCycle,
}

async fn copied(mode: SyncMode, store: Store, in_background: bool) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("olap").display().to_string();
    let storage = || match store {
        Store::Memory => StorageMode::InMemory,
        Store::Folder => StorageMode::Vortex { url: path.clone() },
        Store::FolderByCycle => StorageMode::Vortex {
            url: format!("file://{path}?rhei_cycle=commit"),
        },
    };
    let durable = store != Store::Memory;
    let mut random = StdRng::seed_from_u64(u64::from(durable) + 2);
    let mut engine = open(&folder, mode, storage()).await;
    let create = "CREATE TABLE Events (id INTEGER PRIMARY KEY, userName TEXT, offset INTEGER, amount REAL, day TEXT)";
    engine.execute(create, &[]).await.unwrap();
    engine.register_table(schema()).await.unwrap();
    let by_cycle = store == Store::FolderByCycle;
    assert_eq!(engine.olap().supports_transactions(), by_cycle);
    if in_background {
        engine.start_sync(Duration::from_millis(2));
    }
    for at in 0..changes() {
        engine.execute(&statement(&mut random), &[]).await.unwrap();
        if !in_background && random.random_bool(0.02) {
            engine.sync_now().await.unwrap();
        }
        // A restart, in the middle: what is in the log is sent again. In the temporal mode Rhei doubles it.
        if durable && mode == SyncMode::Destructive && at >= 128 && at.is_power_of_two() {
            engine.shutdown().await;
            drop(engine);
            engine = open(&folder, mode, storage()).await;
            engine.register_table(schema()).await.unwrap();
            if in_background {
                engine.start_sync(Duration::from_millis(2));
            }
        }
    }
    // In the background something was applied.
    while in_background
        && engine
            .sync_status()
            .await
            .unwrap()
            .last_synced_seq
            .is_none()
    {
        tokio::task::yield_now().await;
    }
    engine.stop_sync().await;
    while engine.sync_now().await.unwrap().events_processed > 0 {}
    let expected = "SELECT id, userName, \"offset\", amount, day FROM Events ORDER BY id";
    let expected = engine.oltp().unwrap().query(expected, &[]).await.unwrap();
    let live = match mode {
        SyncMode::Destructive => "",
        SyncMode::Temporal => "WHERE _rhei_valid_to IS NULL AND _rhei_operation <> 'D'",
    };
    let sql =
        format!("SELECT id, userName, \"offset\", amount, day FROM Events {live} ORDER BY id");
    let found = engine.olap().query(&sql).await.unwrap();
    assert_eq!(shown(&found), shown(&expected));
    assert!(!shown(&found).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_in_memory_has_the_rows_of_sqlite() {
    copied(SyncMode::Destructive, Store::Memory, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_in_a_folder_has_the_rows_of_sqlite() {
    copied(SyncMode::Destructive, Store::Folder, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_in_memory_has_the_rows_of_sqlite() {
    copied(SyncMode::Temporal, Store::Memory, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_in_a_folder_has_the_rows_of_sqlite() {
    copied(SyncMode::Temporal, Store::Folder, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_with_a_commit_for_each_cycle_has_the_rows_of_sqlite() {
    copied(SyncMode::Destructive, Store::FolderByCycle, true).await;
    copied(SyncMode::Destructive, Store::FolderByCycle, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_with_a_commit_for_each_cycle_has_the_rows_of_sqlite() {
    copied(SyncMode::Temporal, Store::FolderByCycle, true).await;
    copied(SyncMode::Temporal, Store::FolderByCycle, false).await;
}
