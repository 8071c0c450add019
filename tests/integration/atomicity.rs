//! Readers see a change of several tables or statements entirely or not at all, also after an error and after a dropped
//! future.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;

use futures::TryStreamExt;
use rhei_datafusion::{OlapEngine, SharedDataFusionEngine};

use crate::common::{at_once, engines, number, pairs, refused, rows, run};
use crate::isolation::{Writing, counters};
use crate::sql_file::render;

/// Runs `sql` repeatedly until `writing` is false; each answer must be `expected`. Drops `turn` after two answers.
/// Returns the number of answers.
async fn always(
    engine: SharedDataFusionEngine,
    writing: Arc<AtomicBool>,
    turn: Arc<()>,
    sql: &str,
    expected: i64,
) -> usize {
    let (mut answers, mut turn) = (0, Some(turn));
    loop {
        let last = !writing.load(Ordering::Acquire);
        assert_eq!(number(&engine, sql).await, expected, "{sql}");
        answers += 1;
        if answers == 2 {
            drop(turn.take());
        }
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
        // Each reader holds a clone until it had two answers or failed.
        let turn = Arc::new(());
        let turns = Arc::downgrade(&turn);
        let readers: Vec<_> = [
            "SELECT (SELECT sum(n) FROM a) + (SELECT sum(n) FROM b)",
            "SELECT sum(n) FROM (SELECT n FROM b UNION ALL SELECT n FROM a)",
            "SELECT sum(a.n + b.n) FROM a JOIN b ON a.id = b.id",
        ]
        .into_iter()
        .map(|sql| {
            let (writing, turn) = (Arc::clone(&writing), Arc::clone(&turn));
            tokio::spawn(always(engine.clone(), writing, turn, sql, 8_000))
        })
        .collect();
        drop(turn);
        {
            let _writing = Writing(writing);
            at_once(4, |task| {
                let (engine, turns) = (engine.clone(), Weak::clone(&turns));
                async move {
                    for step in 0.. {
                        if step >= 15 && turns.strong_count() == 0 {
                            break;
                        }
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
        let turn = Arc::new(());
        let turns = Arc::downgrade(&turn);
        let both = "SELECT generation FROM a UNION ALL SELECT generation FROM b";
        let distinct: &'static str =
            Box::leak(format!("SELECT count(DISTINCT generation) FROM ({both})").into());
        let reader = tokio::spawn(always(
            engine.clone(),
            Arc::clone(&writing),
            Arc::clone(&turn),
            distinct,
            1,
        ));
        let streaming = {
            let (engine, writing) = (engine.clone(), Arc::clone(&writing));
            tokio::spawn(async move {
                let (mut answers, mut turn) = (0, Some(turn));
                while writing.load(Ordering::Acquire) {
                    let mut stream = engine.query_stream(both).await.unwrap();
                    let mut seen = Vec::new();
                    while let Some(batch) = stream.try_next().await.unwrap() {
                        seen.extend(render(&[batch]));
                        tokio::task::yield_now().await;
                    }
                    assert_eq!(seen.len(), 1_000);
                    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 1);
                    answers += 1;
                    if answers == 2 {
                        drop(turn.take());
                    }
                }
            })
        };
        {
            let _writing = Writing(writing);
            for generation in 1.. {
                if generation > 30 && turns.strong_count() == 0 {
                    break;
                }
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

/// Polls `future` at most `polls` times and then drops it, which gives `None`: right after the last poll, or, with
/// `again`, at its next wake-up.
async fn polled<T>(mut polls: u64, again: bool, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        match future.as_mut().poll(context).map(Some) {
            Poll::Pending if polls == 0 && !again => Poll::Ready(None),
            poll => poll,
        }
    })
    .await
}

/// Proves V3.
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
            let polls = if step % 2 == 0 { step / 2 } else { u64::MAX };
            match polled(polls, false, engine.execute_batch(&both)).await {
                Some(counts) => {
                    counts.unwrap();
                    finished += 1;
                }
                None => dropped += 1,
            }
            let short =
                engine.execute_batch("INSERT INTO a VALUES (0, 0); DELETE FROM a WHERE n = 0");
            let _ = polled(step % 10, step >= 30, short).await;
            assert_eq!(
                number(&engine, "SELECT count(*) FROM a WHERE n = 0").await,
                0,
                "{store}"
            );
            // One query reads both counts: a dropped future's change may be committed between two queries.
            let counts = "SELECT (SELECT count(*) FROM a) AS a, (SELECT count(*) FROM b) AS b";
            let counts = rows(&engine, counts).await;
            let (a, b) = counts[0].split_once(" | ").unwrap();
            let (a, b): (u64, u64) = (a.parse().unwrap(), b.parse().unwrap());
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
