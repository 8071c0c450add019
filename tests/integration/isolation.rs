//! Concurrent readers and writers: no change is lost, no row is counted twice.
//!
//! Many tasks run freely here. `races.rs` has two statements in a chosen order, `atomicity.rs` readers of a change of
//! several tables.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rhei_datafusion::arrow::record_batch::RecordBatch;
use rhei_datafusion::{ErrorKind, OlapEngine, SharedDataFusionEngine};

use crate::common::{at_once, engines, number, pairs, rows, run};

const TASKS: usize = 8;

pub async fn counters(engine: &SharedDataFusionEngine, rows: i64) {
    run(engine, "CREATE TABLE c (id BIGINT PRIMARY KEY, n BIGINT)").await;
    engine
        .load_arrow("c", &[pairs((0..rows).map(|id| (id, 0)))])
        .await
        .unwrap();
}

/// Tells the readers on drop that the writers are done, also where a writer panics.
pub struct Writing(pub Arc<AtomicBool>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn increments_of_different_rows_are_all_kept() {
    for (store, engine) in engines() {
        counters(&engine, 8).await;
        at_once(TASKS, |task| {
            let engine = engine.clone();
            async move {
                for step in 0..25 {
                    let sql = format!("UPDATE c SET n = n + 1 WHERE id = {}", (task + step) % 8);
                    assert_eq!(run(&engine, &sql).await, 1);
                }
            }
        })
        .await;
        assert_eq!(
            number(&engine, "SELECT sum(n) FROM c").await,
            200,
            "{store}"
        );
        assert_eq!(
            number(&engine, "SELECT count(*) FROM c WHERE n = 25").await,
            8,
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn increments_of_one_row_are_all_kept() {
    for (store, engine) in engines() {
        counters(&engine, 3).await;
        at_once(TASKS, |_| {
            let engine = engine.clone();
            async move {
                for _ in 0..25 {
                    assert_eq!(run(&engine, "UPDATE c SET n = n + 1 WHERE id = 1").await, 1);
                }
            }
        })
        .await;
        assert_eq!(
            rows(&engine, "SELECT id, n FROM c ORDER BY id").await,
            ["0 | 0", "1 | 200", "2 | 0"],
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inserts_of_many_tasks_all_arrive() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE c (id BIGINT, n BIGINT)").await;
        at_once(TASKS, |task| {
            let engine = engine.clone();
            async move {
                for step in 0..50i64 {
                    let id = task as i64 * 50 + step;
                    let inserted = match step % 3 {
                        0 => engine.load_arrow("c", &[pairs([(id, 1)])]).await.unwrap(),
                        _ => run(&engine, &format!("INSERT INTO c VALUES ({id}, 1)")).await,
                    };
                    assert_eq!(inserted, 1);
                }
            }
        })
        .await;
        let all = "SELECT count(*), count(DISTINCT id), min(id), max(id), sum(n) FROM c";
        assert_eq!(
            rows(&engine, all).await,
            ["400 | 400 | 0 | 399 | 400"],
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deletes_of_different_rows_all_succeed_and_count_exactly() {
    for (store, engine) in engines() {
        counters(&engine, 4_000).await;
        let counts = at_once(TASKS, |task| {
            let engine = engine.clone();
            async move {
                let mut removed = 0;
                for step in 0..8 {
                    let sql = format!("DELETE FROM c WHERE id % 80 = {}", task * 8 + step);
                    let count = run(&engine, &sql).await;
                    assert_eq!(count, 50);
                    removed += count;
                }
                removed
            }
        })
        .await;
        assert_eq!(counts.iter().sum::<u64>(), 3_200, "{store}");
        assert_eq!(
            number(&engine, "SELECT count(*) FROM c").await,
            800,
            "{store}"
        );
        assert_eq!(
            number(&engine, "SELECT count(*) FROM c WHERE id % 80 < 64").await,
            0,
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deletes_of_the_same_rows_count_each_row_once() {
    for (store, engine) in engines() {
        counters(&engine, 2_000).await;
        let removed = at_once(TASKS, |task| {
            let engine = engine.clone();
            async move {
                let mut ids = Vec::new();
                for step in 0..6 {
                    let low = step * 250 + task * 20;
                    let sql = format!(
                        "DELETE FROM c WHERE id >= {low} AND id < {} RETURNING id",
                        low + 400
                    );
                    ids.extend(rows(&engine, &sql).await);
                    let sql = format!("DELETE FROM c WHERE id >= {low} AND id < {}", low + 500);
                    ids.extend((0..run(&engine, &sql).await).map(|_| String::new()));
                }
                ids
            }
        })
        .await;
        let removed: Vec<String> = removed.into_iter().flatten().collect();
        let named: Vec<&String> = removed.iter().filter(|id| !id.is_empty()).collect();
        assert_eq!(
            named.iter().collect::<HashSet<_>>().len(),
            named.len(),
            "{store}: a row was returned twice"
        );
        let left = number(&engine, "SELECT count(*) FROM c").await;
        assert_eq!(removed.len() as i64, 2_000 - left, "{store}");
    }
}

const UPSERT: &str =
    "INSERT INTO t VALUES (1, 1), (2, 1), (3, 1) ON CONFLICT (id) DO UPDATE SET n = t.n + 1";
const MERGE: &str = "MERGE INTO t USING (VALUES (1), (2), (3)) AS s(id) ON t.id = s.id \
    WHEN MATCHED THEN UPDATE SET n = t.n + 1 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, 1)";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn upserts_and_merges_of_the_same_keys_leave_one_row_for_each_and_lose_nothing() {
    for statements in [[UPSERT, UPSERT], [MERGE, MERGE], [UPSERT, MERGE]] {
        for (store, engine) in engines() {
            run(&engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
            at_once(TASKS, |task| {
                let engine = engine.clone();
                async move {
                    for step in 0..10 {
                        assert_eq!(run(&engine, statements[(task + step) % 2]).await, 3);
                    }
                }
            })
            .await;
            let all = rows(&engine, "SELECT * FROM t ORDER BY id").await;
            assert_eq!(
                all,
                ["1 | 80", "2 | 80", "3 | 80"],
                "{store}: {statements:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inserts_that_ignore_conflicts_insert_each_key_once() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
        let counts = at_once(TASKS, |task| {
            let engine = engine.clone();
            async move {
                let mut inserted = 0;
                for key in 0..15 {
                    let sql =
                        format!("INSERT INTO t VALUES ({key}, {task}) ON CONFLICT DO NOTHING");
                    inserted += run(&engine, &sql).await;
                }
                inserted
            }
        })
        .await;
        assert_eq!(counts.iter().sum::<u64>(), 15, "{store}");
        assert_eq!(
            rows(&engine, "SELECT count(*), count(DISTINCT id) FROM t").await,
            ["15 | 15"],
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inserts_that_race_with_columns_come_and_gone_count_exactly() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT)").await;
        let writing = Arc::new(AtomicBool::new(true));
        let altering = {
            let (engine, writing) = (engine.clone(), Arc::clone(&writing));
            tokio::spawn(async move {
                while writing.load(Ordering::Acquire) {
                    run(&engine, "ALTER TABLE t ADD COLUMN extra TEXT DEFAULT 'x'").await;
                    run(&engine, "ALTER TABLE t DROP COLUMN extra").await;
                }
            })
        };
        let inserted = {
            let _writing = Writing(writing);
            at_once(4, |task| {
                let engine = engine.clone();
                async move {
                    let mut inserted = 0;
                    for step in 0..40 {
                        let result = match step % 3 {
                            0 => {
                                engine
                                    .execute(&format!("INSERT INTO t VALUES ({task})"))
                                    .await
                            }
                            1 => {
                                engine
                                    .execute(&format!("INSERT INTO t (id) VALUES ({task})"))
                                    .await
                            }
                            _ => {
                                engine
                                    .execute(&format!("UPDATE t SET id = {task} WHERE id = -1"))
                                    .await
                            }
                        };
                        match result {
                            Ok(count) => inserted += count,
                            Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid, "{error}"),
                        }
                    }
                    inserted
                }
            })
            .await
        };
        altering.await.unwrap();
        let inserted: u64 = inserted.iter().sum();
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t").await as u64,
            inserted,
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inserts_that_race_with_drop_table_succeed_or_say_that_it_is_gone() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT)").await;
        let writing = Arc::new(AtomicBool::new(true));
        // The numbers of INSERTs that found the table and that did not.
        let [there, gone] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let inserting: Vec<_> = (0..5)
            .map(|task| {
                let (engine, writing) = (engine.clone(), Arc::clone(&writing));
                let (there, gone) = (Arc::clone(&there), Arc::clone(&gone));
                tokio::spawn(async move {
                    let mut inserted = 0;
                    while writing.load(Ordering::Acquire) {
                        match engine
                            .execute(&format!("INSERT INTO t VALUES ({task})"))
                            .await
                        {
                            Ok(count) => {
                                inserted += count;
                                there.fetch_add(1, Ordering::Release);
                            }
                            Err(error) => {
                                let text = error.to_string();
                                assert!(
                                    text.contains("not found") && !text.contains("column"),
                                    "{text}"
                                );
                                gone.fetch_add(1, Ordering::Release);
                            }
                        }
                        tokio::task::yield_now().await;
                    }
                    inserted
                })
            })
            .collect();
        let one_more = async |counter: &AtomicUsize| {
            let before = counter.load(Ordering::Acquire);
            while counter.load(Ordering::Acquire) == before {
                let ended = inserting.iter().any(|task| task.is_finished());
                assert!(!ended, "{store}: an INSERT failed");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        {
            let _writing = Writing(writing);
            for _ in 0..20 {
                let made =
                    "DROP TABLE IF EXISTS t; CREATE TABLE t (id BIGINT); INSERT INTO t VALUES (-1)";
                assert_eq!(
                    engine.execute_batch(made).await.unwrap(),
                    [0, 0, 1],
                    "{store}"
                );
                one_more(&there).await;
                engine.drop_table("t").await.unwrap();
                one_more(&gone).await;
            }
            run(&engine, "CREATE TABLE t AS SELECT CAST(-1 AS BIGINT) AS id").await;
        }
        let mut inserted = 0;
        for task in inserting {
            inserted += task.await.unwrap();
        }
        assert!(inserted > 0, "{store}: not one INSERT met a table");
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t WHERE id = -1").await,
            1,
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn any_number_of_readers_and_writers_work_at_once() {
    for (store, engine) in engines() {
        counters(&engine, 100).await;
        let answers = at_once(24, |task| {
            let engine = engine.clone();
            async move {
                let mut batches: Vec<RecordBatch> = Vec::new();
                for step in 0..8 {
                    match task % 4 {
                        0 => assert_eq!(
                            run(
                                &engine,
                                &format!("UPDATE c SET n = n + 1 WHERE id = {step}")
                            )
                            .await,
                            1
                        ),
                        1 => assert_eq!(
                            run(&engine, &format!("INSERT INTO c VALUES (-{}, 0)", task + 1)).await,
                            1
                        ),
                        2 => assert_eq!(run(&engine, "DELETE FROM c WHERE id = 1000").await, 0),
                        _ => batches
                            .extend(engine.query("SELECT * FROM c WHERE id >= 0").await.unwrap()),
                    }
                }
                batches.iter().map(RecordBatch::num_rows).sum::<usize>()
            }
        })
        .await;
        assert_eq!(answers.iter().sum::<usize>(), 6 * 8 * 100, "{store}");
        assert_eq!(
            rows(&engine, "SELECT count(*), sum(n) FROM c").await,
            ["148 | 48"],
            "{store}"
        );
    }
}
