//! The indexes of the keys of many files, which are merged into few.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rhei_datafusion::{
    CompactionPolicy, DataFusionEngine, EngineBuilder, OlapEngine, VacuumOptions,
};

use crate::common::{copy_folder, fresh_folder, quiet, rows, run, vortex};
use crate::sql_file::render;

/// The rows of a load, each a file with an index beside it: so many that there is one, and a prime number.
const ROWS: i64 = 9001;
const LOADS: i64 = 7;

/// Three indexes become one, and data files are not merged.
const POLICY: CompactionPolicy = CompactionPolicy {
    automatic: true,
    small_neighbours: usize::MAX,
    key_indexes: 3,
    ..CompactionPolicy::MANUAL
};

fn open(folder: &Path, compaction: CompactionPolicy) -> DataFusionEngine {
    let builder = EngineBuilder::new().storage(vortex(folder));
    builder.compaction(compaction).build().unwrap()
}

/// The files with an ending, by whether there is a file of the same name with another ending.
fn files(folder: &Path, ending: &str, other: &str) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut found = Vec::new();
    for table in std::fs::read_dir(folder).unwrap().flatten() {
        for file in std::fs::read_dir(table.path()).unwrap().flatten() {
            found.push(file.path());
        }
    }
    found.retain(|file| file.extension().is_some_and(|there| there == ending));
    found.sort();
    found
        .into_iter()
        .partition(|file| file.with_extension(other).exists())
}

async fn vacuum(engine: &DataFusionEngine) {
    let options = VacuumOptions {
        retention: Duration::ZERO,
        dry_run: false,
    };
    engine.vacuum(options).await.unwrap();
}

/// The key of row `k`, as a number of 64 bits and as a text.
const KEYS: [(&str, &str); 2] = [("BIGINT", "{k}"), ("TEXT", "md5(CAST({k} AS TEXT))")];

fn key(of: &str, k: &str) -> String {
    of.replace("{k}", k)
}

/// Keys in no order, each load its own.
async fn load(engine: &DataFusionEngine, of: &str, number: i64) {
    let k = key(of, &format!("(value * 7919 % {ROWS} + {})", number * ROWS));
    let fill = format!("INSERT INTO t SELECT {k}, value + {number} * {ROWS} FROM range({ROWS})");
    run(engine, &fill).await;
}

async fn filled(engine: &DataFusionEngine, (data_type, of): (&str, &str)) {
    run(
        engine,
        &format!("CREATE TABLE t (id {data_type} PRIMARY KEY, n BIGINT)"),
    )
    .await;
    for number in 0..LOADS {
        load(engine, of, number).await;
        quiet().await;
    }
}

/// Changes and asks for rows of all loads in each way that looks keys up.
async fn change_and_ask(engine: &DataFusionEngine, of: &str) -> Vec<String> {
    let some = (0..LOADS).map(|load| key(of, &(load * ROWS + 4711 - load).to_string()));
    let some = some.collect::<Vec<_>>().join(", ");
    let (one, two) = (key(of, "17"), key(of, "30000"));
    let new = key(of, "1000000");
    for sql in [
        format!(
            "INSERT INTO t VALUES ({one}, -1), ({new}, -2), ({two}, -3) \
             ON CONFLICT (id) DO UPDATE SET n = excluded.n + t.n"
        ),
        format!("UPDATE t SET n = -n WHERE id IN ({some})"),
        format!("DELETE FROM t WHERE id = {}", key(of, "20000")),
        format!(
            "MERGE INTO t USING (SELECT {} AS k FROM range(100, 120)) s ON t.id = s.k \
                 WHEN MATCHED THEN DELETE",
            key(of, "value * 2221")
        ),
    ] {
        run(engine, &sql).await;
    }
    let mut answers = Vec::new();
    for sql in [
        format!("SELECT n FROM t WHERE id IN ({some}) ORDER BY n"),
        format!("SELECT n FROM t WHERE id = {one} OR id = {two} OR id = {new} ORDER BY n"),
        format!("SELECT count(*) FROM t WHERE id = {}", key(of, "20000")),
        "SELECT count(*), count(DISTINCT id), sum(n), min(id), max(id) FROM t".into(),
    ] {
        answers.extend(rows(engine, &sql).await);
    }
    answers
}

async fn expected(kind: (&str, &str)) -> Vec<String> {
    let engine = DataFusionEngine::new();
    filled(&engine, kind).await;
    change_and_ask(&engine, kind.1).await
}

#[tokio::test(start_paused = true)]
async fn the_indexes_of_many_files_become_one() {
    for kind in KEYS {
        let folder = fresh_folder();
        let engine = open(&folder, POLICY);
        filled(&engine, kind).await;
        vacuum(&engine).await;
        let (beside, merged) = files(&folder, "keys", "vortex");
        let data = files(&folder, "vortex", "keys");
        assert_eq!(data.0.len() + data.1.len(), LOADS as usize);
        assert_eq!(beside.len(), data.0.len());
        assert!(
            beside.len() < 3 && !merged.is_empty(),
            "{beside:?} {merged:?}"
        );
        let most = if kind.0 == "BIGINT" { 8.6 } else { 17.0 };
        let bytes = beside
            .iter()
            .chain(&merged)
            .map(|file| std::fs::metadata(file).unwrap().len());
        let bytes = bytes.sum::<u64>() as f64;
        assert!(bytes < most * (LOADS * ROWS) as f64, "{bytes} bytes");

        let again = fresh_folder();
        copy_folder(&folder, &again);
        let expected = expected(kind).await;
        assert_eq!(change_and_ask(&engine, kind.1).await, expected);
        assert!(engine.verify().await.unwrap().damages.is_empty());
        let again = open(&again, CompactionPolicy::MANUAL);
        assert_eq!(change_and_ask(&again, kind.1).await, expected);
    }
}

/// Once the files of a merged index are gone, so is the index; and one of which most files are gone is made smaller.
#[tokio::test(start_paused = true)]
async fn merged_indexes_go_with_their_files() {
    let folder = fresh_folder();
    let kind = KEYS[0];
    filled(&open(&folder, POLICY), kind).await;
    let no_merging = CompactionPolicy {
        key_indexes: 100,
        ..POLICY
    };
    let engine = open(&folder, no_merging);
    let merged = || {
        let files = files(&folder, "keys", "vortex").1;
        let sizes = files
            .iter()
            .map(|file| std::fs::metadata(file).unwrap().len());
        sizes.sum::<u64>()
    };
    for number in 0..LOADS - 2 {
        let range = format!("id >= {} AND id < {}", number * ROWS, (number + 1) * ROWS);
        run(&engine, &format!("DELETE FROM t WHERE {range}")).await;
        // Indexes are looked at when a file is added.
        load(&engine, kind.1, 100 + number).await;
        quiet().await;
        assert!(engine.verify().await.unwrap().damages.is_empty());
        vacuum(&engine).await;
        // It has the first five loads, until most of them are gone.
        let loads = match number {
            0 | 1 => 5,
            2 | 3 => 2,
            _ => 0,
        };
        let (bytes, least) = (merged(), 8 * (loads * ROWS) as u64);
        assert!(
            least <= bytes && bytes <= least * 108 / 100,
            "{number}: {bytes} bytes"
        );
    }
    assert!(engine.verify().await.unwrap().damages.is_empty());
    let found = format!(
        "SELECT count(*) FROM t WHERE id IN (3, {}, {})",
        6 * ROWS,
        103 * ROWS
    );
    assert_eq!(rows(&engine, &found).await, ["2"]);
    run(&engine, "DELETE FROM t").await;
    vacuum(&engine).await;
    let left = files(&folder, "keys", "vortex");
    assert!(left.0.is_empty() && left.1.is_empty(), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_merged_index_that_is_missing_or_damaged_is_named_and_gives_no_wrong_row() {
    let kind = KEYS[0];
    let folder = fresh_folder();
    filled(&open(&folder, POLICY), kind).await;
    vacuum(&open(&folder, CompactionPolicy::MANUAL)).await;
    let expected = expected(kind).await;
    let (_, merged) = files(&folder, "keys", "vortex");
    let file = merged[0].strip_prefix(&folder).unwrap();
    let bytes = std::fs::read(folder.join(file)).unwrap();
    let mut damages: Vec<Option<Vec<u8>>> =
        vec![None, Some(Vec::new()), Some(vec![0; bytes.len()])];
    for flip in 0..6 {
        let mut flipped = bytes.clone();
        flipped[flip * (bytes.len() - 1) / 5] ^= 1 << flip;
        damages.push(Some(flipped));
    }
    for (number, bytes) in damages.into_iter().enumerate() {
        let damaged = fresh_folder();
        copy_folder(&folder, &damaged);
        match bytes {
            Some(bytes) => std::fs::write(damaged.join(file), bytes).unwrap(),
            None => std::fs::remove_file(damaged.join(file)).unwrap(),
        }
        let engine = open(&damaged, POLICY);
        let verified = engine.verify().await.unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert_eq!(verified.damages.len(), 1, "{number}: {verified:?}");
        assert!(verified.damages[0].contains(name), "{number}: {verified:?}");
        assert_eq!(change_and_ask(&engine, kind.1).await, expected, "{number}");

        // Compaction, which knows the damage or meets it when it merges indexes, makes another index.
        let policy = CompactionPolicy {
            key_indexes: 2,
            ..POLICY
        };
        let engine = match number % 2 {
            0 => engine,
            _ => open(&damaged, policy),
        };
        for more in 501..507 {
            load(&engine, kind.1, more).await;
            quiet().await;
        }
        vacuum(&engine).await;
        let whole = open(&damaged, CompactionPolicy::MANUAL);
        assert!(whole.verify().await.unwrap().damages.is_empty(), "{number}");
        assert!(!damaged.join(file).exists(), "{number}");
        let found = format!(
            "SELECT count(*) FROM t WHERE id IN (17, 30000, {}, {})",
            501 * ROWS,
            506 * ROWS
        );
        assert_eq!(rows(&whole, &found).await, ["4"], "{number}");
    }
}

/// A key that is not there is not looked for in the data files.
#[tokio::test(start_paused = true)]
async fn a_lookup_reads_the_merged_index_alone() {
    for kind in KEYS {
        for has_index in [true, false] {
            // What was read of an index stays in memory, for all engines: so each time another folder.
            let folder = fresh_folder();
            let engine = open(&folder, POLICY);
            filled(&engine, kind).await;
            run(&engine, "DELETE FROM t WHERE n = 4711").await;
            vacuum(&engine).await;
            let (beside, alone) = files(&folder, "vortex", "keys");
            let (_, merged) = files(&folder, "keys", "vortex");
            assert!(!merged.is_empty());
            let indexes = merged.into_iter().filter(|_| !has_index);
            for file in beside.into_iter().chain(alone).chain(indexes) {
                std::fs::remove_file(file).unwrap();
            }
            let engine = open(&folder, CompactionPolicy::MANUAL);
            let deleted = key(kind.1, &(4711 * 7919 % ROWS).to_string());
            let find = format!("SELECT count(n) FROM t WHERE id = {deleted}");
            match engine.query(&find).await {
                Ok(found) => assert!(has_index && render(&found) == ["0"], "{}", kind.0),
                Err(error) => assert!(
                    !has_index && error.to_string().contains("is missing"),
                    "{error}"
                ),
            }
        }
    }
}

/// Two engines load, change and merge at once; no change is lost, and no key is found twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_that_merge_at_once_lose_nothing() {
    let folder = fresh_folder();
    let engines = [open(&folder, POLICY), open(&folder, POLICY)];
    run(
        &engines[0],
        "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)",
    )
    .await;
    let work = async |engine: &DataFusionEngine, first: i64| {
        for number in first..first + 5 {
            load(engine, "{k}", number).await;
            for k in [0, 17, 4711] {
                let id = number * ROWS + k;
                let upsert = format!(
                    "INSERT INTO t VALUES ({id}, -1) ON CONFLICT (id) DO UPDATE SET n = -1"
                );
                run(engine, &upsert).await;
            }
        }
    };
    futures::join!(work(&engines[0], 0), work(&engines[1], 5));
    assert!(
        !files(&folder, "keys", "vortex").1.is_empty(),
        "nothing was merged"
    );
    for engine in [
        &engines[0],
        &engines[1],
        &open(&folder, CompactionPolicy::MANUAL),
    ] {
        engine.refresh().await.unwrap();
        let counts = "SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE n = -1) FROM t";
        assert_eq!(
            rows(engine, counts).await,
            [format!("{0} | {0} | 30", 10 * ROWS)]
        );
        for number in 0..10 {
            let one = format!("SELECT n FROM t WHERE id = {}", number * ROWS + 17);
            assert_eq!(rows(engine, &one).await, ["-1"]);
        }
        assert!(engine.verify().await.unwrap().damages.is_empty());
    }
}
