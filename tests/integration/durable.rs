//! A database in a folder keeps every acknowledged change, over restarts and between engines.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rhei_datafusion::{
    CompactionPolicy, DataFusionEngine, EngineBuilder, ErrorKind, Refresh, SharedDataFusionEngine,
    StorageMode,
};

use crate::common::{
    at_once, engines_write_at_once, fresh_folder, number, refused, rows, run, vortex,
};

fn open(folder: &Path) -> SharedDataFusionEngine {
    SharedDataFusionEngine::new(DataFusionEngine::with_storage(vortex(folder)).unwrap())
}

/// All tables and views of an engine with all their rows.
async fn contents(engine: &DataFusionEngine) -> Vec<String> {
    let mut all = Vec::new();
    for name in engine.tables().await.unwrap() {
        let schema = engine.table_schema(&name).await.unwrap();
        all.push(format!("{name}: {schema:?}"));
        let mut found = rows(engine, &format!("SELECT * FROM \"{name}\"")).await;
        found.sort_unstable();
        all.extend(found);
    }
    all.push(format!("version {}", engine.version().await.unwrap()));
    all
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = fresh_folder();
    let engine = open(&folder);
    for sql in [
        "CREATE TABLE small (id BIGINT PRIMARY KEY, name TEXT DEFAULT 'x', price DECIMAL(12, 2))",
        "INSERT INTO small VALUES (1, 'one', 1.50), (2, NULL, NULL), (3, 'three', 3.25)",
        "CREATE TABLE large AS SELECT value AS id, value % 7 AS seven, 'row ' || value AS name FROM range(5000)",
        "DELETE FROM large WHERE id % 10 = 3",
        "UPDATE large SET name = upper(name) WHERE seven = 2 AND id < 1000",
        "ALTER TABLE large ADD COLUMN extra INT DEFAULT 42",
        "INSERT INTO large (id, name) VALUES (9999, 'late')",
        "ALTER TABLE large RENAME COLUMN name TO title",
        "ALTER TABLE large DROP COLUMN seven",
        "CREATE VIEW firsts AS SELECT id, title FROM large WHERE id < 20",
        "CREATE TABLE gone (a INT)",
        "DROP TABLE gone",
        "CREATE TABLE \"_log\" (a INT)",
        "INSERT INTO \"_log\" VALUES (1)",
        "ALTER TABLE small RENAME TO tiny",
    ] {
        run(&engine, sql).await;
    }
    let before = contents(&engine).await;
    assert!(before.len() > 4000);
    drop(engine);

    let engine = open(&folder);
    assert_eq!(contents(&engine).await, before);
    // Keys and defaults are there too.
    run(
        &engine,
        "INSERT INTO tiny (id) VALUES (1), (4) ON CONFLICT (id) DO NOTHING",
    )
    .await;
    assert_eq!(
        rows(&engine, "SELECT id, name FROM tiny ORDER BY id").await,
        ["1 | one", "2 | NULL", "3 | three", "4 | x"]
    );
    run(&engine, "INSERT INTO large (id) VALUES (-1)").await;
    assert_eq!(
        number(
            &engine,
            "SELECT CAST(extra AS BIGINT) FROM large WHERE id = -1"
        )
        .await,
        42
    );
    let before = contents(&engine).await;
    drop(engine);
    assert_eq!(contents(&open(&folder)).await, before);
}

#[tokio::test]
async fn many_commits_are_there_after_a_restart() {
    let folder = fresh_folder();
    let engine = open(&folder);
    run(&engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
    for id in 0..150 {
        run(&engine, &format!("INSERT INTO t VALUES ({id}, 0)")).await;
        if id % 3 == 0 {
            run(&engine, &format!("UPDATE t SET n = n + 1 WHERE id <= {id}")).await;
        }
        if id % 10 == 9 {
            run(&engine, &format!("DELETE FROM t WHERE id = {}", id - 4)).await;
        }
    }
    let before = contents(&engine).await;
    drop(engine);
    assert_eq!(contents(&open(&folder)).await, before);
}

#[tokio::test]
async fn two_engines_on_one_folder_see_each_other() {
    let folder = fresh_folder();
    let (one, two) = (open(&folder), open(&folder));
    run(&one, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
    run(&two, "INSERT INTO t VALUES (1, 10), (2, 20)").await;
    run(&one, "INSERT INTO t SELECT value, 0 FROM range(100, 4100)").await;
    run(&two, "DELETE FROM t WHERE id >= 4000").await;
    run(&one, "UPDATE t SET n = n + 1 WHERE id = 2").await;
    for engine in [&one, &two] {
        assert_eq!(
            rows(engine, "SELECT count(*), sum(n) FROM t").await,
            ["3902 | 31"]
        );
    }
    run(&two, "ALTER TABLE t ADD COLUMN more TEXT").await;
    run(&one, "INSERT INTO t VALUES (3, 30, 'x')").await;
    run(&one, "DROP TABLE t").await;
    assert_eq!(
        refused(&two, "INSERT INTO t VALUES (4, 4, 'y')")
            .await
            .kind(),
        ErrorKind::Invalid
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn engines_that_write_at_once_lose_nothing() {
    let folder = fresh_folder();
    engines_write_at_once(|| open(&folder), 3, 60).await;
}

#[tokio::test]
async fn what_cannot_be_a_database_is_refused_by_name() {
    let folder = fresh_folder();
    let file = folder.join("file");
    std::fs::write(&file, "x").unwrap();
    let refused = |url: String| {
        let error = DataFusionEngine::with_storage(StorageMode::Vortex { url }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    let text = refused(file.display().to_string());
    assert!(
        text.contains("is a file") && text.contains(&file.display().to_string()),
        "{text}"
    );
    let below = file.join("below").display().to_string();
    let text = refused(below.clone());
    assert!(text.contains(&below), "{text}");
}

#[tokio::test]
async fn a_type_that_files_cannot_hold_is_refused_by_column() {
    let engine = open(&fresh_folder());
    run(&engine, "CREATE TABLE t (a INT)").await;
    for sql in [
        "CREATE TABLE u (a INT, pause INTERVAL)",
        "ALTER TABLE t ADD COLUMN pause INTERVAL",
    ] {
        let error = refused(&engine, sql).await;
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("'pause'"), "{error}");
    }
    assert_eq!(engine.tables().await.unwrap(), ["t"]);
}

#[tokio::test]
async fn compaction_changes_nothing_but_the_files() {
    let folder = fresh_folder();
    // The deletion below would trigger a background compaction.
    let engine = EngineBuilder::new().compaction(CompactionPolicy::MANUAL);
    let engine = engine.storage(vortex(&folder)).build().unwrap();
    for sql in [
        "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, gone INT)",
        "INSERT INTO t SELECT value, 'row ' || value, 1 FROM range(3000)",
        "INSERT INTO t SELECT value, NULL, NULL FROM range(3000, 3500)",
        "INSERT INTO t SELECT value, 'row ' || value, 2 FROM range(4000, 9000)",
        "DELETE FROM t WHERE id % 3 = 0",
        "ALTER TABLE t DROP COLUMN gone",
        "ALTER TABLE t ADD COLUMN late INT DEFAULT 7",
        "ALTER TABLE t RENAME COLUMN name TO title",
        "INSERT INTO t VALUES (10000, 'last', 8)",
        "UPDATE t SET late = late + 1 WHERE id BETWEEN 100 AND 110",
    ] {
        run(&engine, sql).await;
    }
    let before = rows(&engine, "SELECT * FROM t ORDER BY id").await;
    let done = engine.compact().await.unwrap();
    assert!(done.fragments_before >= 2, "{done:?}");
    assert_eq!(done.fragments_after, 1);
    let again = engine.compact().await.unwrap();
    assert_eq!(again.fragments_before, 0, "{again:?}");
    for engine in [SharedDataFusionEngine::new(engine), open(&folder)] {
        assert_eq!(rows(&engine, "SELECT * FROM t ORDER BY id").await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_during_compaction_are_not_lost() {
    const ROWS: i64 = 400;
    let folder = fresh_folder();
    let engine = open(&folder);
    run(&engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
    run(
        &engine,
        &format!("INSERT INTO t SELECT value, 0 FROM range({ROWS})"),
    )
    .await;
    run(
        &engine,
        "INSERT INTO t SELECT value, 0 FROM range(10000, 13000)",
    )
    .await;
    let compacting = tokio::spawn({
        let engine = engine.clone();
        async move {
            for _ in 0..40 {
                engine.compact().await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    let writers = (0..3).map(|writer| {
        let engine = engine.clone();
        tokio::spawn(async move {
            for step in 0..60i64 {
                let id = (step * 3 + writer) % ROWS;
                let sql = format!("UPDATE t SET n = n + 1 WHERE id = {id}");
                assert_eq!(run(&engine, &sql).await, 1, "{sql}");
                let sql = format!("DELETE FROM t WHERE id = {}", 10_000 + step * 3 + writer);
                assert_eq!(run(&engine, &sql).await, 1, "{sql}");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    compacting.await.unwrap();
    for engine in [engine, open(&folder)] {
        assert_eq!(
            rows(
                &engine,
                "SELECT count(*), sum(n), count(DISTINCT id) FROM t"
            )
            .await,
            [format!("{} | 180 | {0}", ROWS + 3000 - 180)]
        );
    }
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_large_insert_ends_it_and_leaves_nothing() {
    let folder = fresh_folder();
    let engine = open(&folder);
    run(&engine, "CREATE TABLE t (id BIGINT)").await;
    let insert = "INSERT INTO t SELECT CASE WHEN value = 29999 THEN 9223372036854775807 + value ELSE value END \
                  FROM range(30000)";
    let error = refused(&engine, insert).await;
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(number(&engine, "SELECT count(*) FROM t").await, 0);
    let files = std::fs::read_dir(&folder).unwrap().flatten();
    let left = files
        .filter(|entry| entry.file_name() != "_log")
        .flat_map(|table| std::fs::read_dir(table.path()).unwrap())
        .count();
    assert_eq!(left, 0, "a file was left");
    run(&engine, "INSERT INTO t SELECT value FROM range(30000)").await;
    assert_eq!(number(&engine, "SELECT count(*) FROM t").await, 30_000);
}

#[tokio::test]
async fn others_commits_are_seen_when_the_refresh_says_so() {
    let folder = fresh_folder();
    let with = |refresh: Refresh| {
        let builder = EngineBuilder::new().storage(vortex(&folder));
        builder.refresh(refresh).build().unwrap()
    };
    let writer = open(&folder);
    run(&writer, "CREATE TABLE t (a INT)").await;
    let by_hand = with(Refresh::Manual);
    let hourly = with(Refresh::Interval(Duration::from_secs(3600)));
    let quick = with(Refresh::Interval(Duration::ZERO));
    let count = async |engine: &DataFusionEngine| number(engine, "SELECT count(*) FROM t").await;
    for engine in [&by_hand, &hourly, &quick] {
        assert_eq!(count(engine).await, 0);
    }
    run(&writer, "INSERT INTO t VALUES (1)").await;
    assert_eq!(count(&quick).await, 1);
    for engine in [&by_hand, &hourly] {
        assert_eq!(count(engine).await, 0);
        engine.refresh().await.unwrap();
        assert_eq!(count(engine).await, 1);
    }
    // A write sees the newest version, whatever snapshot the engine had.
    run(&writer, "INSERT INTO t VALUES (2)").await;
    assert_eq!(count(&by_hand).await, 1);
    run(&by_hand, "INSERT INTO t VALUES (3)").await;
    assert_eq!(count(&by_hand).await, 3);
    assert_eq!(count(&writer).await, 3);
}

/// Each change is small enough for the log; all together they would make one very large entry.
/// Proves V2.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_changes_that_wait_together_do_not_make_one_huge_entry() {
    const WRITERS: usize = 60;
    let folder = fresh_folder();
    let engine = open(&folder);
    run(&engine, "CREATE TABLE t (writer BIGINT, text TEXT)").await;
    at_once(WRITERS, |writer| {
        let engine = engine.clone();
        async move {
            let sql = format!("INSERT INTO t SELECT {writer}, repeat('x', 1000) FROM range(600)");
            run(&engine, &sql).await
        }
    })
    .await;
    let count = number(&engine, "SELECT count(*) FROM t").await;
    assert_eq!(count, 600 * WRITERS as i64);
    let entries = std::fs::read_dir(folder.join("_log")).unwrap().flatten();
    let entries = entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "entry"));
    let largest = entries.map(|entry| entry.metadata().unwrap().len()).max();
    let largest = largest.unwrap();
    assert!(
        largest > 1 << 20,
        "no changes went together: {largest} bytes"
    );
    assert!(largest < 9 << 20, "{largest} bytes");
}

/// A log that gets many commits has files created ahead, without their final name.
#[tokio::test]
async fn files_begun_ahead_are_used_may_vanish_and_go_with_the_engine() {
    let folder = fresh_folder();
    let unnamed = || {
        let entries = std::fs::read_dir(folder.join("_log")).unwrap().flatten();
        let paths = entries.map(|entry| entry.path());
        let is_unnamed = |path: &PathBuf| path.to_string_lossy().contains("/.new-");
        paths.filter(is_unnamed).collect::<Vec<_>>()
    };
    let engine = open(&folder);
    run(&engine, "CREATE TABLE t (id BIGINT)").await;
    let mut rows = 0;
    let mut insert = async |engine: &DataFusionEngine| {
        run(engine, "INSERT INTO t VALUES (1)").await;
        rows += 1;
        rows
    };
    while unnamed().is_empty() {
        insert(&engine).await;
    }
    // Another program's vacuum may delete them as leftovers of a crash.
    for path in unnamed() {
        let _ = std::fs::remove_file(path);
    }
    let mut rows = 0;
    for _ in 0..100 {
        rows = insert(&engine).await;
    }
    let sql = "SELECT count(*) FROM t";
    assert_eq!(number(&engine, sql).await, rows);
    assert_eq!(number(&open(&folder), sql).await, rows);
    drop(engine);
    while !unnamed().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
