//! A change of several tables or statements is seen whole or not at all, by readers, after an error, after a dropped future.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::TryStreamExt;
use rhei_datafusion::{OlapEngine, SharedDataFusionEngine};

use crate::common::{at_once, engines, number, pairs, refused, rows, run};
use crate::isolation::{Writing, counters};
use crate::sql_file::render;

/// Reads until `writing` ends; each answer has to be `expected`. Returns how many answers there were.
async fn always(
    engine: SharedDataFusionEngine,
    writing: Arc<AtomicBool>,
    sql: &str,
    expected: i64,
) -> usize {
    let mut answers = 0;
    loop {
        let last = !writing.load(Ordering::Acquire);
        assert_eq!(number(&engine, sql).await, expected, "{sql}");
        answers += 1;
        if last {
            return answers;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transfers_between_two_tables_never_show_half_done() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE a (id BIGINT, n BIGINT)").await;
        run(&engine, "CREATE TABLE b (id BIGINT, n BIGINT)").await;
        for table in ["a", "b"] {
            engine
                .load_arrow(table, &[pairs((0..4).map(|id| (id, 1_000)))])
                .await
                .unwrap();
        }
        let writing = Arc::new(AtomicBool::new(true));
        let readers: Vec<_> = [
            "SELECT (SELECT sum(n) FROM a) + (SELECT sum(n) FROM b)",
            "SELECT sum(n) FROM (SELECT n FROM b UNION ALL SELECT n FROM a)",
            "SELECT sum(a.n + b.n) FROM a JOIN b ON a.id = b.id",
        ]
        .into_iter()
        .map(|sql| tokio::spawn(always(engine.clone(), Arc::clone(&writing), sql, 8_000)))
        .collect();
        {
            let _writing = Writing(writing);
            at_once(4, |task| {
                let engine = engine.clone();
                async move {
                    for step in 0..15 {
                        let (from, to) = if (task + step) % 2 == 0 {
                            ("a", "b")
                        } else {
                            ("b", "a")
                        };
                        let counts = engine
                            .execute_batch(&format!(
                                "UPDATE {from} SET n = n - {step} WHERE id = {0};
                                 UPDATE {to} SET n = n + {step} WHERE id = {0};",
                                step % 4
                            ))
                            .await;
                        assert_eq!(counts.unwrap(), [1, 1]);
                    }
                }
            })
            .await;
        }
        for reader in readers {
            assert!(reader.await.unwrap() > 1, "{store}: a reader had no turn");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_query_and_its_stream_see_one_snapshot_of_all_tables() {
    for (store, engine) in engines() {
        run(
            &engine,
            "CREATE TABLE a AS SELECT value AS id, 0 AS generation FROM range(500)",
        )
        .await;
        run(
            &engine,
            "CREATE TABLE b AS SELECT value AS id, 0 AS generation FROM range(500)",
        )
        .await;
        let writing = Arc::new(AtomicBool::new(true));
        let both = "SELECT generation FROM a UNION ALL SELECT generation FROM b";
        let distinct: &'static str =
            Box::leak(format!("SELECT count(DISTINCT generation) FROM ({both})").into());
        let reader = tokio::spawn(always(engine.clone(), Arc::clone(&writing), distinct, 1));
        let streaming = {
            let (engine, writing) = (engine.clone(), Arc::clone(&writing));
            tokio::spawn(async move {
                while writing.load(Ordering::Acquire) {
                    let mut stream = engine.query_stream(both).await.unwrap();
                    let mut seen = Vec::new();
                    while let Some(batch) = stream.try_next().await.unwrap() {
                        seen.extend(render(&[batch]));
                        tokio::task::yield_now().await;
                    }
                    assert_eq!(seen.len(), 1_000);
                    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 1);
                }
            })
        };
        {
            let _writing = Writing(writing);
            for generation in 1..=30 {
                let sql = format!(
                    "UPDATE b SET generation = {generation}; UPDATE a SET generation = {generation}"
                );
                assert_eq!(
                    engine.execute_batch(&sql).await.unwrap(),
                    [500, 500],
                    "{store}"
                );
            }
        }
        reader.await.unwrap();
        streaming.await.unwrap();
    }
}

/// What `future` yields if polled no more than so often; `None` if it was dropped before.
async fn polled<T>(mut polls: u64, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        match future.as_mut().poll(context).map(Some) {
            Poll::Pending if polls == 0 => Poll::Ready(None),
            poll => poll,
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_dropped_future_leaves_all_or_nothing() {
    const ROWS: u64 = 5_000;
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE a (id BIGINT, n BIGINT)").await;
        run(&engine, "CREATE TABLE b (id BIGINT, n BIGINT)").await;
        let insert = format!("INSERT INTO a SELECT value, 1 FROM range({ROWS}) GROUP BY value");
        let both =
            format!("{insert}; INSERT INTO b SELECT * FROM a LIMIT {ROWS}; UPDATE b SET n = n + 1");
        let (mut finished, mut dropped) = (0, 0);
        for step in 0..60u64 {
            let patience = Duration::from_micros(step * 400);
            let polls = if step % 2 == 0 { step / 2 } else { u64::MAX };
            match polled(polls, engine.execute_batch(&both)).await {
                Some(counts) => {
                    counts.unwrap();
                    finished += 1;
                }
                None => dropped += 1,
            }
            let timed =
                engine.execute_batch("INSERT INTO a VALUES (0, 0); DELETE FROM a WHERE n = 0");
            let _ = tokio::time::timeout(patience, timed).await;
            assert_eq!(
                number(&engine, "SELECT count(*) FROM a WHERE n = 0").await,
                0,
                "{store}"
            );
            let (a, b) = ("SELECT count(*) FROM a", "SELECT count(*) FROM b");
            let (a, b) = (
                number(&engine, a).await as u64,
                number(&engine, b).await as u64,
            );
            assert!(a == b && a % ROWS == 0, "{store}: {a} and {b} rows");
            let possible = finished * ROWS..=(finished + dropped) * ROWS;
            assert!(
                possible.contains(&a),
                "{store}: {a} rows, {finished} finished and {dropped} dropped"
            );
        }
        assert!(
            finished > 0 && dropped > 1,
            "{store}: {finished} finished, {dropped} dropped"
        );
    }
}

#[tokio::test]
async fn a_batch_that_fails_changes_nothing() {
    for (store, engine) in engines() {
        counters(&engine, 3).await;
        let before = engine.version().await.unwrap();
        for third in [
            "INSERT INTO c SELECT CAST('x' AS BIGINT), 0",
            "INSERT INTO nope VALUES (1)",
            "INSERT INTO c VALUES (NULL, 0)",
            "BEGIN",
            "SELECT 1 / (n - n) FROM made",
        ] {
            let sql = format!(
                "CREATE TABLE made AS SELECT * FROM c; UPDATE c SET n = 7; {third}; DELETE FROM c"
            );
            engine.execute_batch(&sql).await.unwrap_err();
            assert_eq!(engine.version().await.unwrap(), before, "{store}: {third}");
            assert_eq!(engine.tables().await.unwrap(), ["c"], "{store}: {third}");
            assert_eq!(
                rows(&engine, "SELECT * FROM c ORDER BY id").await,
                ["0 | 0", "1 | 0", "2 | 0"],
                "{store}"
            );
            assert!(
                refused(&engine, "SELECT * FROM made")
                    .await
                    .to_string()
                    .contains("not found")
            );
        }
    }
}
