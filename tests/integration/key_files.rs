//! The indexes of keys beside data files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rhei_datafusion::{DataFusionEngine, VacuumOptions};

use crate::common::{copy_folder, fresh_folder, rows, run, vortex};

/// So many rows are in a file, and have an index beside it if their keys are in no order.
const ROWS: u64 = 20_011;
/// A permutation of the numbers below `ROWS`.
const SHUFFLED: &str = "value * 7919 % 20011";

fn with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(with_extension(&path, extension)),
            false if path.extension().is_some_and(|there| there == extension) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

fn indexes(folder: &Path) -> Vec<PathBuf> {
    with_extension(folder, "keys")
}

fn open(folder: &Path) -> DataFusionEngine {
    DataFusionEngine::with_storage(vortex(folder)).unwrap()
}

/// A table with keys in no order.
async fn filled(engine: &DataFusionEngine) {
    run(
        engine,
        "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT, name TEXT)",
    )
    .await;
    let fill =
        format!("INSERT INTO t SELECT {SHUFFLED}, value, 'row ' || value FROM range({ROWS})");
    run(engine, &fill).await;
}

/// Changes and asks for rows in each way that looks keys up.
async fn change_and_ask(engine: &DataFusionEngine) -> Vec<String> {
    for sql in [
        "INSERT INTO t VALUES (17, -1, 'upsert'), (30000, -1, 'new') \
         ON CONFLICT (id) DO UPDATE SET n = excluded.n, name = t.name || '!'",
        "UPDATE t SET n = -2 WHERE id = 4711",
        "DELETE FROM t WHERE id IN (5, 6, 7, 99999)",
        "UPDATE t SET name = 'both' WHERE id = 1000 OR id = 20010",
    ] {
        run(engine, sql).await;
    }
    let mut answers = Vec::new();
    for sql in [
        "SELECT * FROM t WHERE id = 17",
        "SELECT * FROM t WHERE id IN (4711, 5, 30000, 1000, 20010) ORDER BY id",
        "SELECT name FROM t WHERE id = 12345 AND n >= 0",
        "SELECT name FROM t WHERE id = 12345 AND n < 0",
        "SELECT a.name, b.n FROM t a JOIN t b ON a.id = b.id WHERE a.id = 77",
        "SELECT count(*), count(DISTINCT id), sum(id), sum(n) FROM t",
    ] {
        answers.extend(rows(engine, sql).await);
    }
    answers
}

#[tokio::test]
async fn a_file_whose_keys_are_in_no_order_has_an_index_of_them_beside_it() {
    let folder = fresh_folder();
    let engine = open(&folder);
    for (table, rows, key) in [
        ("CREATE TABLE t (id BIGINT, n BIGINT)", ROWS, SHUFFLED),
        (
            "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)",
            ROWS,
            "value",
        ),
        (
            "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)",
            8191,
            "-value",
        ),
    ] {
        run(&engine, table).await;
        let fill = format!("INSERT INTO t SELECT {key}, value FROM range({rows})");
        run(&engine, &fill).await;
        assert!(indexes(&folder).is_empty(), "{table}: {fill}");
        run(&engine, "DROP TABLE t").await;
    }
    for (key, of_row, most) in [
        ("id BIGINT PRIMARY KEY", "value * 7919 % 20011", 8.6),
        ("id BIGINT PRIMARY KEY", "-value", 8.6),
        ("id TEXT PRIMARY KEY", "md5(CAST(value AS TEXT))", 17.0),
        (
            "id BIGINT, b INT, PRIMARY KEY (b, id)",
            "value, CAST(value AS INT)",
            17.0,
        ),
    ] {
        run(&engine, &format!("CREATE TABLE t ({key}, n BIGINT)")).await;
        let fill = format!("INSERT INTO t SELECT {of_row}, value FROM range({ROWS})");
        run(&engine, &fill).await;
        let files = indexes(&folder);
        assert_eq!(files.len(), 1, "{key}");
        assert!(files[0].with_extension("vortex").exists(), "{key}");
        let bytes = std::fs::metadata(&files[0]).unwrap().len();
        assert!((bytes as f64) < most * ROWS as f64, "{key}: {bytes} bytes");
        run(&engine, "DROP TABLE t").await;
        vacuum(&engine).await;
        assert!(indexes(&folder).is_empty(), "{key}");
    }
}

async fn vacuum(engine: &DataFusionEngine) {
    let options = VacuumOptions {
        retention: Duration::ZERO,
        dry_run: false,
    };
    engine.vacuum(options).await.unwrap();
}

#[tokio::test]
async fn compaction_makes_an_index_and_vacuum_removes_those_of_removed_files() {
    let folder = fresh_folder();
    let engine = open(&folder);
    filled(&engine).await;
    let before = indexes(&folder);
    assert_eq!(before.len(), 1);
    run(&engine, "DELETE FROM t WHERE n % 50 = 0").await;
    engine.compact().await.unwrap();
    let both = indexes(&folder);
    assert_eq!(both.len(), 2);
    vacuum(&engine).await;
    let after = indexes(&folder);
    assert_eq!(after.len(), 1);
    assert_ne!(after, before);
    assert!(engine.verify().await.unwrap().damages.is_empty());
    let found = rows(&engine, "SELECT n FROM t WHERE id = 7919").await;
    assert_eq!(found, ["1"]);
}

/// The files of a folder that hold an index, each damaged in many ways, and the index of another table in its place.
#[tokio::test]
async fn an_index_that_is_missing_or_damaged_is_named_and_gives_no_wrong_row() {
    let folder = fresh_folder();
    filled(&open(&folder)).await;
    let expected = {
        let whole = fresh_folder();
        let engine = open(&whole);
        filled(&engine).await;
        change_and_ask(&engine).await
    };
    let in_memory = DataFusionEngine::new();
    filled(&in_memory).await;
    assert_eq!(change_and_ask(&in_memory).await, expected);
    let other = {
        let other = fresh_folder();
        filled(&open(&other)).await;
        std::fs::read(&indexes(&other)[0]).unwrap()
    };

    let file = indexes(&folder)[0]
        .strip_prefix(&folder)
        .unwrap()
        .to_path_buf();
    let bytes = std::fs::read(folder.join(&file)).unwrap();
    let mut damages: Vec<(String, Option<Vec<u8>>)> = vec![
        ("gone".into(), None),
        ("nothing of it".into(), Some(Vec::new())),
        ("half of it".into(), Some(bytes[..bytes.len() / 2].to_vec())),
        ("zeros".into(), Some(vec![0; bytes.len()])),
        ("that of another table".into(), Some(other)),
    ];
    for flip in 0..12 {
        let mut flipped = bytes.clone();
        let at = flip * (bytes.len() - 1) / 11;
        flipped[at] ^= 1 << (flip % 8);
        damages.push((format!("byte {at} flipped"), Some(flipped)));
    }
    for (how, bytes) in damages {
        let damaged = fresh_folder();
        copy_folder(&folder, &damaged);
        match bytes {
            Some(bytes) => std::fs::write(damaged.join(&file), bytes).unwrap(),
            None => std::fs::remove_file(damaged.join(&file)).unwrap(),
        }
        let engine = open(&damaged);
        let verified = engine.verify().await.unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert_eq!(verified.damages.len(), 1, "{how}: {verified:?}");
        assert!(verified.damages[0].contains(name), "{how}: {verified:?}");
        assert_eq!(change_and_ask(&engine).await, expected, "{how}");
    }
}
