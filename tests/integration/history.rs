//! Earlier versions of a durable database, and which of them vacuum keeps.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rhei_datafusion::{
    At, CompactionPolicy, DataFusionEngine, EngineBuilder, ErrorKind, OlapEngine,
    SharedDataFusionEngine, StatementOptions, VacuumOptions, Version,
};

use crate::common::{data_files, fresh_folder, number, past_moment, run, vortex};
use crate::sql_file::render;

const NOW: VacuumOptions = VacuumOptions {
    retention: Duration::ZERO,
    dry_run: false,
};

fn open(folder: &Path) -> SharedDataFusionEngine {
    SharedDataFusionEngine::new(DataFusionEngine::with_storage(vortex(folder)).unwrap())
}

async fn at(engine: &DataFusionEngine, sql: &str, at: impl Into<At>) -> Vec<String> {
    let rows = engine.query_at(sql, at, StatementOptions::new()).await;
    render(&rows.unwrap_or_else(|error| panic!("{sql}: {error}")))
}

#[tokio::test]
async fn every_version_can_be_asked_for_what_it_was() {
    let folder = fresh_folder();
    let engine = open(&folder);
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    let sql = "SELECT count(*), sum(id), sum(n) FROM t";
    let mut seen = Vec::new();
    for step in 0..45i64 {
        match step % 5 {
            0 => run(&engine, &format!("INSERT INTO t VALUES ({step}, 0)")).await,
            1 => run(&engine, "UPDATE t SET n = n + 1").await,
            2 => run(&engine, &format!("DELETE FROM t WHERE id = {}", step - 7)).await,
            3 => run(&engine, "INSERT INTO t SELECT value, 1 FROM range(1100)").await,
            _ => {
                engine.compact().await.unwrap();
                0
            }
        };
        let version = engine.version().await.unwrap();
        let now = render(&engine.query(sql).await.unwrap());
        seen.push((version, past_moment().await, now));
    }
    for engine in [&engine, &open(&folder)] {
        for (version, time, was) in &seen {
            assert_eq!(at(engine, sql, *version).await, *was, "version {version}");
            assert_eq!(
                at(engine, sql, *time).await,
                *was,
                "version {version} by its time"
            );
        }
        let versions = engine.versions().await.unwrap();
        let numbers: Vec<u64> = versions.iter().map(|entry| entry.version.0).collect();
        let newest = engine.version().await.unwrap().0;
        assert_eq!(numbers, (0..=newest).collect::<Vec<_>>());
        assert!(versions.is_sorted_by_key(|entry| entry.committed_at));
    }
    assert_eq!(
        at(&engine, "SELECT count(*) FROM t", Version(1)).await,
        ["0"]
    );
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_said_by_name() {
    let engine = open(&fresh_folder());
    run(&engine, "CREATE TABLE t AS SELECT 1 AS a").await;
    let ask = async |sql: &str, at: At| {
        let asked = engine.query_at(sql, at, StatementOptions::new()).await;
        let error = asked.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        error.to_string()
    };
    let text = ask("SELECT * FROM t", Version(99).into()).await;
    assert!(text.contains("99") && text.contains("newest"), "{text}");
    let text = ask("SELECT * FROM t", SystemTime::UNIX_EPOCH.into()).await;
    assert!(text.contains("1970"), "{text}");
    let text = ask("DELETE FROM t", Version(1).into()).await;
    assert!(text.contains("query"), "{text}");
    let text = ask("SELECT * FROM t", Version(0).into()).await;
    assert!(text.contains("not found"), "{text}");

    let memory = DataFusionEngine::new();
    let asked = memory.query_at("SELECT 1", Version(0), StatementOptions::new());
    assert_eq!(asked.await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn vacuum_removes_what_no_kept_version_names_and_nothing_else() {
    let folder = fresh_folder();
    let engine = open(&folder);
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    for _ in 0..4 {
        run(&engine, "INSERT INTO t SELECT value, 1 FROM range(2000)").await;
    }
    let before = engine.version().await.unwrap();
    engine.compact().await.unwrap();
    run(&engine, "DELETE FROM t WHERE id = 5").await;
    let files = data_files(&folder);
    assert!(files >= 5, "{files}");

    // Vacuum deletes nothing that is within the retention.
    let kept = engine.vacuum(VacuumOptions::default()).await.unwrap();
    assert_eq!((kept.files, data_files(&folder)), (0, files));
    assert_eq!(
        at(&engine, "SELECT count(*) FROM t", before).await,
        ["8000"]
    );

    // A file of another program, and a file that is being written.
    std::fs::write(folder.join("notes.txt"), "mine").unwrap();
    let table = std::fs::read_dir(&folder).unwrap().flatten();
    let table = table
        .map(|e| e.path())
        .find(|p| p.is_dir() && !p.ends_with("_log"))
        .unwrap();
    let young = table.join("00000000-0000-4000-8000-000000000000.vortex");
    std::fs::write(&young, "half").unwrap();
    let files = files + 1;

    let dry = VacuumOptions {
        dry_run: true,
        ..NOW
    };
    let would = engine.vacuum(dry).await.unwrap();
    assert!(would.files >= 4 && would.bytes > 0, "{would:?}");
    assert_eq!(data_files(&folder), files);
    assert_eq!(
        at(&engine, "SELECT count(*) FROM t", before).await,
        ["8000"]
    );

    let done = engine.vacuum(NOW).await.unwrap();
    assert_eq!(done, would);
    assert_eq!(data_files(&folder) as u64, files as u64 - done.files);
    assert!(young.exists() && folder.join("notes.txt").exists());
    for engine in [&engine, &open(&folder)] {
        assert_eq!(number(engine, "SELECT count(*) FROM t").await, 7996);
        let gone = engine.query_at("SELECT 1", before, StatementOptions::new());
        let gone = gone.await.unwrap_err();
        assert!(gone.to_string().contains("not kept any more"), "{gone}");
    }
    assert_eq!(engine.vacuum(NOW).await.unwrap().files, 0);
    run(&engine, "INSERT INTO t VALUES (1, 1)").await;
    assert_eq!(number(&open(&folder), "SELECT count(*) FROM t").await, 7997);
}

/// Sets the time of a log object back; `docs/format.md` gives its position in the object.
fn make_older(path: &Path, by: Duration) {
    let mut bytes = std::fs::read(path).unwrap();
    let end = bytes.len() - 8;
    let time_us = i64::from_le_bytes(bytes[32..40].try_into().unwrap());
    let time_us = time_us - i64::try_from(by.as_micros()).unwrap();
    bytes[32..40].copy_from_slice(&time_us.to_le_bytes());
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn vacuum_shortens_a_log_that_is_old_enough() {
    const DAYS: Duration = Duration::from_secs(2 * 86_400);
    let folder = fresh_folder();
    // MANUAL: no commits other than those of this test.
    let open = |folder| {
        let engine = EngineBuilder::new()
            .storage(vortex(folder))
            .compaction(CompactionPolicy::MANUAL);
        engine.build().unwrap()
    };
    let engine = open(&folder);
    run(&engine, "CREATE TABLE t (id BIGINT)").await;
    for id in 0..60 {
        run(&engine, &format!("INSERT INTO t VALUES ({id})")).await;
    }
    let log = folder.join("_log");
    let objects = || {
        let entries = std::fs::read_dir(&log).unwrap().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.path()).collect();
        names.sort();
        names
    };
    // Checkpoints are written in the background.
    while !log.join("00000000000000000048.checkpoint").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(engine);

    let engine = open(&folder);
    let young = engine.vacuum(NOW).await.unwrap();
    assert_eq!(young.log_objects, 0, "{young:?}");
    drop(engine);
    let is_object = |path: &&PathBuf| {
        let kind = path.extension().and_then(|kind| kind.to_str());
        matches!(kind, Some("entry" | "checkpoint"))
    };
    for path in objects().iter().filter(is_object) {
        make_older(path, DAYS);
    }
    let left_over = [".new-of-a-crash", ".check-of-a-crash"].map(|name| log.join(name));
    for path in &left_over {
        let old = std::fs::File::create(path).unwrap();
        old.set_modified(SystemTime::now() - DAYS).unwrap();
    }
    let on_its_way = log.join(".new-of-someone");
    std::fs::write(&on_its_way, "half").unwrap();

    let engine = open(&folder);
    let before = objects();
    let dry = VacuumOptions {
        dry_run: true,
        ..NOW
    };
    let would = engine.vacuum(dry).await.unwrap();
    // The left-overs, entries 0 to 47, and the checkpoints of 16 and 32.
    assert_eq!(would.log_objects, 52, "{would:?}");
    assert!(before.iter().filter(is_object).all(|path| path.exists()));
    assert_eq!(engine.vacuum(NOW).await.unwrap(), would);
    assert!(left_over.iter().all(|path| !path.exists()) && on_its_way.exists());
    let kept = |name: &str| log.join(name).exists();
    assert!(!kept("00000000000000000047.entry") && !kept("00000000000000000032.checkpoint"));
    assert!(kept("00000000000000000048.entry") && kept("00000000000000000048.checkpoint"));
    for engine in [&engine, &open(&folder)] {
        assert_eq!(number(engine, "SELECT sum(id) FROM t").await, 59 * 60 / 2);
        assert!(engine.verify().await.unwrap().damages.is_empty());
    }
    run(&engine, "INSERT INTO t VALUES (1000)").await;
    assert_eq!(number(&open(&folder), "SELECT count(*) FROM t").await, 61);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_versions_while_files_are_put_together_and_removed() {
    use futures::StreamExt;
    use tokio::sync::Barrier;
    const ROWS: i64 = 6_000;
    let folder = fresh_folder();
    let engine = open(&folder);
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    for part in 0..3 {
        let from = part * ROWS / 3;
        let to = from + ROWS / 3;
        run(
            &engine,
            &format!("INSERT INTO t SELECT value, 0 FROM range({from}, {to})"),
        )
        .await;
    }
    let (vacuumed, vacuums) = tokio::sync::watch::channel(0);
    let begin = Arc::new(Barrier::new(4));
    let maintenance = tokio::spawn({
        let (engine, begin) = (engine.clone(), Arc::clone(&begin));
        async move {
            begin.wait().await;
            for step in 0..25 {
                run(
                    &engine,
                    &format!("UPDATE t SET n = n + 1 WHERE id % 3 = {}", step % 3),
                )
                .await;
                engine.compact().await.unwrap();
                engine.vacuum(NOW).await.unwrap();
                vacuumed.send_replace(step + 1);
            }
        }
    });
    let readers = (0..3).map(|_| {
        let (engine, begin) = (engine.clone(), Arc::clone(&begin));
        let mut vacuums = vacuums.clone();
        tokio::spawn(async move {
            for read in 0..25 {
                let mut rows = engine.query_stream("SELECT id, n FROM t").await.unwrap();
                if read == 0 {
                    begin.wait().await;
                }
                // The stream waits, before or after its first batch, until two more vacuums are done: at least one of
                // them began after the wait did, and the files of the stream have been replaced. After the last vacuum
                // the wait ends at once.
                let wait_at = read % 2;
                let two_more = *vacuums.borrow() + 2;
                let (mut count, mut batches) = (0, 0);
                loop {
                    if batches == wait_at {
                        let _ = vacuums.wait_for(|done| *done >= two_more).await;
                    }
                    let Some(batch) = rows.next().await else {
                        break;
                    };
                    count += batch.unwrap().num_rows() as i64;
                    batches += 1;
                }
                assert_eq!(count, ROWS);
            }
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
    maintenance.await.unwrap();
    assert_eq!(number(&engine, "SELECT sum(n) FROM t").await, ROWS / 3 * 25);
    // The replaced files have been deleted.
    engine.vacuum(NOW).await.unwrap();
    assert!(data_files(&folder) <= 3, "{}", data_files(&folder));
}

#[tokio::test]
async fn a_statement_can_read_a_table_as_it_was() {
    let folder = fresh_folder();
    let engine = open(&folder);
    run(
        &engine,
        "CREATE TABLE t AS SELECT value AS id, 'a' AS name FROM range(2000)",
    )
    .await;
    let first = engine.version().await.unwrap();
    let time = chrono::DateTime::<chrono::Utc>::from(past_moment().await)
        .format("%Y-%m-%d %H:%M:%S%.6f")
        .to_string();
    run(&engine, "DELETE FROM t WHERE id >= 10").await;
    run(&engine, "ALTER TABLE t RENAME COLUMN name TO title").await;
    let text = async |sql: &str| render(&engine.query(sql).await.unwrap());
    assert_eq!(
        text(&format!(
            "SELECT count(*), max(name) FROM table_at('t', {first})"
        ))
        .await,
        ["2000 | a"]
    );
    assert_eq!(
        text(&format!("SELECT count(*) FROM table_at('t', '{time}')")).await,
        ["2000"]
    );
    assert_eq!(
        text(&format!(
            "SELECT count(*) FROM table_at('t', {first}) o LEFT JOIN t ON t.id = o.id WHERE t.id IS NULL"
        ))
        .await,
        ["1990"]
    );
    // The plan of a repeated query is cached, and reads the versions that the query names.
    let newest = engine.version().await.unwrap();
    for _ in 0..4 {
        let gone = format!(
            "SELECT count(*) FROM table_at('t', {first}) o LEFT JOIN table_at('t', {newest}) n ON n.id = o.id WHERE n.id IS NULL"
        );
        assert_eq!(text(&gone).await, ["1990"]);
        let both = format!(
            "SELECT count(*) FROM table_at('t', {first}) o JOIN table_at('t', {first}) n ON n.id = o.id"
        );
        assert_eq!(text(&both).await, ["2000"]);
    }
    // Deleted rows can be restored from an earlier version.
    let back = format!(
        "INSERT INTO t SELECT o.id, o.name FROM table_at('t', {first}) o \
         WHERE NOT EXISTS (SELECT 1 FROM t WHERE t.id = o.id)"
    );
    assert_eq!(run(&engine, &back).await, 1990);
    assert_eq!(
        number(&engine, "SELECT count(DISTINCT id) FROM t").await,
        2000
    );

    for (sql, says) in [
        ("SELECT * FROM table_at('t')", "takes"),
        ("SELECT * FROM table_at(1, 2)", "takes"),
        ("SELECT * FROM table_at('t', 'never')", "takes"),
        ("SELECT * FROM table_at('t', NULL)", "takes"),
        ("SELECT * FROM table_at('u', 1)", "not found"),
        ("SELECT * FROM table_at('t', 99)", "not there yet"),
    ] {
        let error = engine.query(sql).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{sql}: {error}");
        assert!(error.to_string().contains(says), "{sql}: {error}");
    }
}
