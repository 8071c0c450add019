//! Result streams: lazy, with backpressure, on the snapshot of their start, with an error in its place.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt, TryStreamExt};
use rhei_datafusion::{
    DfOlapError, ErrorKind, OlapEngine, RecordBatchBoxStream, SharedDataFusionEngine,
};

use crate::common::{at_once, count_batches, engines, number, pairs, passed, quiet, rows, run};
use crate::sql_file::render;

async fn open(engine: &SharedDataFusionEngine, sql: &str) -> RecordBatchBoxStream {
    engine
        .query_stream(sql)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// All remaining rows of a stream, sorted.
async fn drained(stream: RecordBatchBoxStream) -> Vec<String> {
    let mut rows = render(&stream.try_collect::<Vec<_>>().await.unwrap());
    rows.sort();
    rows
}

/// The counter's value once all work has stopped; hangs where work never stops.
async fn settled(counter: &AtomicUsize) -> usize {
    quiet().await;
    counter.load(Ordering::SeqCst)
}

/// A table of 300,000 rows in more than one fragment; `n` is 0.
async fn large(engine: &SharedDataFusionEngine) {
    run(engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    engine
        .load_arrow("t", &[pairs((0..300_000).map(|id| (id, 0)))])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stream_keeps_its_snapshot_whatever_becomes_of_the_table() {
    for (store, engine) in engines() {
        for changes in [
            "UPDATE t SET n = 1, id = -id",
            "UPDATE t SET n = n + 1 WHERE id % 7 = 0; INSERT INTO t VALUES (-1, 1)",
            "DELETE FROM t WHERE id % 3 = 0; DELETE FROM t WHERE id % 5 = 1",
            "DELETE FROM t",
            "TRUNCATE TABLE t",
            "DROP TABLE t",
            "DROP TABLE t; CREATE TABLE t (n TEXT, other DOUBLE); INSERT INTO t VALUES ('x', 1.5)",
            "CREATE OR REPLACE TABLE t AS SELECT 'x' AS id, 'y' AS n",
            "ALTER TABLE t RENAME TO u; CREATE TABLE t (id BIGINT, n BIGINT); INSERT INTO t VALUES (7, 7)",
            "ALTER TABLE t DROP COLUMN n; ALTER TABLE t ADD COLUMN n TEXT DEFAULT 'x'",
            "ALTER TABLE t RENAME COLUMN n TO m; ALTER TABLE t RENAME COLUMN id TO n",
        ] {
            run(&engine, "DROP TABLE IF EXISTS t").await;
            run(&engine, "DROP TABLE IF EXISTS u").await;
            large(&engine).await;
            let mut whole = open(&engine, "SELECT id, n FROM t").await;
            let filtered = open(
                &engine,
                "SELECT sum(id), max(n), count(*) FROM t WHERE id % 2 = 0",
            )
            .await;
            let first = whole.next().await.unwrap().unwrap();
            for change in changes.split("; ") {
                run(&engine, change).await;
            }
            let mut seen = vec![first];
            seen.extend(whole.try_collect::<Vec<_>>().await.unwrap());
            let mut lines = render(&seen);
            assert_eq!(lines.len(), 300_000, "{store}: {changes}");
            lines.sort();
            lines.dedup();
            assert_eq!(lines.len(), 300_000, "{store}: {changes}");
            assert!(
                lines
                    .iter()
                    .all(|line| line.ends_with(" | 0") && !line.starts_with('-')),
                "{store}: {changes}"
            );
            assert_eq!(
                drained(filtered).await,
                ["22499850000 | 0 | 150000"],
                "{store}: {changes}"
            );
        }
    }
}

#[tokio::test]
async fn rows_of_many_small_commits_come_in_full_batches() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE small (id BIGINT, name TEXT)").await;
        for id in 0..200 {
            run(
                &engine,
                &format!("INSERT INTO small VALUES ({id}, 'a'), ({id}, NULL)"),
            )
            .await;
        }
        run(&engine, "DELETE FROM small WHERE id = 7").await;
        for (sql, expected) in [
            ("SELECT * FROM small", 398),
            ("SELECT id FROM small LIMIT 300", 300),
            ("SELECT name FROM small WHERE id < 100", 198),
        ] {
            let batches = engine.query(sql).await.unwrap();
            let count: usize = batches.iter().map(|batch| batch.num_rows()).sum();
            assert_eq!((batches.len(), count), (1, expected), "{store}: {sql}");
        }
        let ordered =
            "SELECT count(*), count(DISTINCT id), count(name) FROM (SELECT * FROM small LIMIT 301)";
        assert_eq!(rows(&engine, ordered).await, ["301 | 151 | 151"], "{store}");
    }
}

#[tokio::test]
async fn a_stream_outlives_its_engine() {
    for (store, engine) in engines() {
        large(&engine).await;
        let stream = open(&engine, "SELECT id FROM t").await;
        drop(engine);
        assert_eq!(drained(stream).await.len(), 300_000, "{store}");
    }
}

#[tokio::test]
async fn many_streams_each_see_their_own_version() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
        engine
            .load_arrow("t", &[pairs((0..1_000).map(|id| (id, 0)))])
            .await
            .unwrap();
        let mut streams = Vec::new();
        for version in 0..30i64 {
            streams.push((
                version,
                open(&engine, "SELECT n, count(*) FROM t GROUP BY n").await,
            ));
            streams.push((
                version,
                open(&engine, "SELECT DISTINCT n, 1000 - n FROM t").await,
            ));
            run(&engine, "UPDATE t SET n = n + 1").await;
            run(&engine, &format!("DELETE FROM t WHERE id = {version}")).await;
        }
        // The newest stream first: streams need no order.
        for (version, stream) in streams.into_iter().rev() {
            assert_eq!(
                drained(stream).await,
                [format!("{version} | {}", 1_000 - version)],
                "{store}"
            );
        }
    }
}

#[tokio::test]
async fn the_first_batch_of_an_endless_result_arrives_at_once() {
    for (store, engine) in engines() {
        large(&engine).await;
        for sql in [
            "SELECT * FROM range(100000000000)",
            "SELECT a.value, b.value FROM range(1000) a CROSS JOIN range(100000000000) b",
            "SELECT t.id, b.value FROM t CROSS JOIN range(100000000000) b",
            "SELECT value FROM range(100000000000) WHERE value % 3 = 1 UNION ALL SELECT id FROM t",
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT n FROM r",
        ] {
            // A stream that computed all rows first would never give a batch.
            let mut stream = open(&engine, sql).await;
            for _ in 0..3 {
                assert!(
                    stream.next().await.unwrap().unwrap().num_rows() > 0,
                    "{store}: {sql}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_computes_no_faster_than_it_is_read() {
    for (store, engine) in engines() {
        large(&engine).await;
        for sql in [
            "SELECT counted(value) FROM range(100000000000)",
            "SELECT counted(id) FROM t",
            "SELECT counted(b.value) FROM range(100) a CROSS JOIN range(100000000000) b",
            "SELECT counted(value) AS v FROM range(100000000000) UNION ALL SELECT counted(id) FROM t",
        ] {
            let calls = count_batches(&engine);
            let mut stream = open(&engine, sql).await;
            stream.next().await.unwrap().unwrap();
            let ahead = settled(&calls).await;
            assert!(
                (1..=30).contains(&ahead),
                "{store}: {sql}: {ahead} batches for one"
            );
            for _ in 0..5 {
                stream.next().await.unwrap().unwrap();
            }
            let further = settled(&calls).await;
            assert!(
                (6..=ahead + 30).contains(&further),
                "{store}: {sql}: {further} batches for six"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_stream_stops_its_work() {
    for (store, engine) in engines() {
        large(&engine).await;
        for sql in [
            "SELECT counted(value) FROM range(100000000000)",
            "SELECT sum(counted(value)) FROM range(100000000000)",
            "SELECT value % 7, max(counted(value)) FROM range(100000000000) GROUP BY value % 7",
            "SELECT sum(counted(a.id)) FROM t a CROSS JOIN range(1000000000) b",
        ] {
            let calls = count_batches(&engine);
            let mut stream = open(&engine, sql).await;
            // An aggregate gives no batch before the end of its input, which never comes.
            tokio::select! {
                _ = stream.next() => {}
                () = passed(&calls, 0) => {}
            }
            assert!(calls.load(Ordering::SeqCst) > 0, "{store}: {sql}");
            drop(stream);
            settled(&calls).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_of_a_query_stops_its_work() {
    for (store, engine) in engines() {
        let calls = count_batches(&engine);
        let query = engine.query("SELECT sum(counted(value)) FROM range(100000000000)");
        tokio::select! {
            ended = query => panic!("{store}: {ended:?}"),
            () = passed(&calls, 0) => {}
        }
        let stopped = settled(&calls).await;
        assert!(stopped > 0, "{store}");
        run(&engine, "CREATE TABLE t (id BIGINT)").await;
        let insert = engine.execute(
            "INSERT INTO t SELECT value FROM range(100000000000) WHERE counted(value) < 0",
        );
        tokio::select! {
            ended = insert => panic!("{store}: {ended:?}"),
            () = passed(&calls, stopped) => {}
        }
        assert!(settled(&calls).await > stopped, "{store}");
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t").await,
            0,
            "{store}"
        );
    }
}

#[tokio::test]
async fn an_error_in_the_middle_arrives_after_good_batches_and_nothing_follows() {
    const BAD: i64 = 500_000;
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, s TEXT)").await;
        let filled = format!(
            "INSERT INTO t SELECT value, CASE value WHEN {BAD} THEN 'many' ELSE CAST(value AS VARCHAR) END FROM range(600000)"
        );
        assert_eq!(run(&engine, &filled).await, 600_000);
        let mut stream = open(&engine, "SELECT id, CAST(s AS BIGINT) AS n FROM t").await;
        let mut good = 0;
        let error = loop {
            match stream
                .next()
                .await
                .expect("the stream ended without its error")
            {
                Ok(batch) => {
                    assert!(batch.num_rows() > 0);
                    assert!(
                        render(&[batch.slice(0, 1)])
                            .iter()
                            .all(|line| !line.contains("NULL"))
                    );
                    good += batch.num_rows();
                }
                Err(error) => break error,
            }
        };
        assert!((1..600_000).contains(&good), "{store}: {good} good rows");
        assert!(error.to_string().contains("many"), "{store}: {error}");
        let error = error
            .downcast_ref::<DfOlapError>()
            .expect("the engine's own error type");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{store}");
        for _ in 0..3 {
            assert!(
                stream.next().await.is_none(),
                "{store}: something followed the error"
            );
        }
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t").await,
            600_000,
            "{store}"
        );
    }
}

#[tokio::test]
async fn a_statement_that_cannot_be_planned_fails_before_there_is_a_stream() {
    for (store, engine) in engines() {
        for sql in ["SELECT nope", "SELECT * FROM nope", "SELEC 1", ""] {
            assert!(engine.query_stream(sql).await.is_err(), "{store}: {sql}");
        }
    }
}

#[tokio::test]
async fn a_write_with_returning_streams_its_rows_and_is_done_before_the_first() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
        let inserted = open(
            &engine,
            "INSERT INTO t SELECT value, value * 10 FROM range(4) RETURNING id, n + 1",
        )
        .await;
        // The statement's result is never read; its rows are inserted nevertheless.
        drop(inserted);
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t").await,
            4,
            "{store}"
        );
        let updated = open(&engine, "UPDATE t SET n = -n WHERE id > 1 RETURNING *").await;
        let deleted = open(&engine, "DELETE FROM t WHERE id = 3 RETURNING n").await;
        assert_eq!(drained(updated).await, ["2 | -20", "3 | -30"], "{store}");
        assert_eq!(drained(deleted).await, ["-30"], "{store}");
        assert_eq!(
            drained(open(&engine, "DELETE FROM t WHERE id = 3 RETURNING n").await).await,
            [""; 0],
            "{store}"
        );
        assert_eq!(
            drained(open(&engine, "DELETE FROM t WHERE id = 2").await).await,
            ["1"],
            "{store}"
        );
        assert_eq!(
            rows(&engine, "SELECT * FROM t ORDER BY id").await,
            ["0 | 0", "1 | 10"],
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn half_read_streams_block_no_one() {
    for (store, engine) in engines() {
        large(&engine).await;
        let mut held = Vec::new();
        for _ in 0..20 {
            let mut stream =
                open(&engine, "SELECT a.id, b.n FROM t a JOIN t b ON a.id = b.id").await;
            held.push((stream.next().await.unwrap().unwrap().num_rows(), stream));
        }
        at_once(4, |task| {
            let engine = engine.clone();
            async move {
                assert_eq!(
                    run(
                        &engine,
                        &format!("UPDATE t SET n = 1 WHERE id % 4 = {task}")
                    )
                    .await,
                    75_000
                );
            }
        })
        .await;
        assert_eq!(
            number(&engine, "SELECT sum(n) FROM t").await,
            300_000,
            "{store}"
        );
        for (first, stream) in held.into_iter().take(2) {
            let rest = drained(stream).await;
            assert_eq!(first + rest.len(), 300_000, "{store}");
            assert!(rest.iter().all(|line| line.ends_with(" | 0")), "{store}");
        }
    }
}
