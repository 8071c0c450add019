//! Two changes in a chosen order: the first computes its result, the second commits, then the first commits.
//!
//! The SQL function `pause()` holds the first change. `isolation.rs` has many tasks that run freely.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use futures::FutureExt;
use rhei_datafusion::datafusion::arrow::datatypes::DataType;
use rhei_datafusion::datafusion::common::ScalarValue;
use rhei_datafusion::datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use rhei_datafusion::{DfOlapError, OlapEngine, SharedDataFusionEngine};

use crate::common::{HANG, at_once, engines, number, pairs, rows, run};

/// `pause()` blocks until it is released, and returns 0.
#[derive(Clone, Default)]
struct Pause(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    /// How often the pause was reached.
    entered: usize,
    released: bool,
}

impl Pause {
    fn register(engine: &SharedDataFusionEngine) -> Self {
        let pause = Self::default();
        let held = pause.clone();
        let hold = move |_: &[ColumnarValue]| {
            let (state, changed) = &*held.0;
            let mut state = state.lock().unwrap();
            state.entered += 1;
            drop(changed.wait_while(state, |state| !state.released).unwrap());
            Ok(ColumnarValue::Scalar(ScalarValue::from(0i64)))
        };
        let function = create_udf(
            "pause",
            vec![],
            DataType::Int64,
            Volatility::Volatile,
            Arc::new(hold),
        );
        engine.register_udf(function).unwrap();
        pause
    }

    fn times(&self) -> usize {
        self.0.0.lock().unwrap().entered
    }

    async fn entered(&self) {
        while self.times() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        self.0.0.0.lock().unwrap().released = true;
        self.0.0.1.notify_all();
    }
}

/// On drop, releases a paused statement, also where the test panics.
struct Release(Pause);

/// Starts the statements of `first`, which pauses at its end; runs `second` to its end; lets `first` go on.
async fn overtaken(
    engine: &SharedDataFusionEngine,
    first: &str,
    second: impl Future<Output = ()>,
) -> Result<Vec<u64>, DfOlapError> {
    overtaken_and_counted(engine, first, second).await.0
}

/// The same; also returns how often `first` ran.
async fn overtaken_and_counted(
    engine: &SharedDataFusionEngine,
    first: &str,
    second: impl Future<Output = ()>,
) -> (Result<Vec<u64>, DfOlapError>, usize) {
    let pause = Pause::register(engine);
    let release = Release(pause.clone());
    let paused = {
        let (engine, sql) = (engine.clone(), format!("{first}; SELECT pause()"));
        tokio::spawn(async move { engine.execute_batch(&sql).await })
    };
    let waited = tokio::time::timeout(HANG, pause.entered()).await;
    waited.unwrap_or_else(|_| panic!("{first} did not reach its pause"));
    let second = tokio::time::timeout(HANG, second).await;
    drop(release);
    second.unwrap_or_else(|_| panic!("a change had to wait for {first}"));
    (paused.await.unwrap(), pause.times())
}

type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

fn sql<'a>(engine: &'a SharedDataFusionEngine, sql: &'a str) -> Boxed<'a> {
    async move {
        run(engine, sql).await;
    }
    .boxed()
}

async fn table(engine: &SharedDataFusionEngine) {
    run(engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
    engine
        .load_arrow("t", &[pairs((1..=3).map(|id| (id, id * 10)))])
        .await
        .unwrap();
}

/// Lets `second` overtake `first`; checks the row count of `first` and the final contents of the table.
async fn order(first: &str, second: &str, count: u64, expected: &[&str]) {
    for (store, engine) in engines() {
        table(&engine).await;
        let counts = overtaken(&engine, first, sql(&engine, second)).await;
        let counts = counts.unwrap_or_else(|e| panic!("{first} | {second}: {e}"));
        assert_eq!(counts[0], count, "{store}: {first} | {second}");
        let left = rows(&engine, "SELECT * FROM t ORDER BY id").await;
        assert_eq!(left, expected, "{store}: {first} | {second}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_update_that_was_overtaken_is_worked_out_again() {
    let increment = "UPDATE t SET n = n + 1 WHERE id = 2";
    order(
        increment,
        "UPDATE t SET n = n * 2 WHERE id = 2",
        1,
        &["1 | 10", "2 | 41", "3 | 30"],
    )
    .await;
    order(
        increment,
        "DELETE FROM t WHERE id = 2",
        0,
        &["1 | 10", "3 | 30"],
    )
    .await;
    order(
        increment,
        "DELETE FROM t WHERE id = 1",
        1,
        &["2 | 21", "3 | 30"],
    )
    .await;
    order(increment, "TRUNCATE TABLE t", 0, &[]).await;
    order(
        "UPDATE t SET id = id + 10",
        "INSERT INTO t VALUES (4, 4)",
        3,
        &["4 | 4", "11 | 10", "12 | 20", "13 | 30"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_delete_that_was_overtaken_counts_what_it_removes_itself() {
    order(
        "DELETE FROM t WHERE id > 1",
        "DELETE FROM t WHERE id = 3",
        1,
        &["1 | 10"],
    )
    .await;
    order(
        "DELETE FROM t WHERE n > 15",
        "UPDATE t SET n = 0 WHERE id = 2",
        1,
        &["1 | 10", "2 | 0"],
    )
    .await;
    order(
        "DELETE FROM t WHERE id > 1",
        "DELETE FROM t WHERE id = 1",
        2,
        &[],
    )
    .await;
    order("DELETE FROM t", "TRUNCATE TABLE t", 0, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_truncate_that_was_overtaken_counts_the_rows_of_now() {
    order("TRUNCATE TABLE t", "INSERT INTO t VALUES (4, 4)", 4, &[]).await;
    order("TRUNCATE TABLE t", "DELETE FROM t WHERE id = 1", 2, &[]).await;
    order(
        "INSERT OVERWRITE t SELECT id, 0 FROM t",
        "INSERT INTO t VALUES (4, 4)",
        4,
        &["1 | 0", "2 | 0", "3 | 0", "4 | 0"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upsert_that_was_overtaken_sees_the_rows_of_now() {
    let kept = ["1 | 10", "2 | 20", "3 | 30"];
    let with = |four: &'static str| [&kept[..], &[four]].concat();
    let upsert = "INSERT INTO t VALUES (4, 1) ON CONFLICT (id) DO UPDATE SET n = t.n + 1";
    order(upsert, "INSERT INTO t VALUES (4, 7)", 1, &with("4 | 8")).await;
    order(upsert, upsert, 1, &with("4 | 2")).await;
    order(
        "INSERT INTO t VALUES (4, 1) ON CONFLICT DO NOTHING",
        "INSERT INTO t VALUES (4, 7)",
        0,
        &with("4 | 7"),
    )
    .await;
    order(
        "INSERT OR REPLACE INTO t VALUES (4, 1)",
        "INSERT INTO t VALUES (4, 7)",
        1,
        &with("4 | 1"),
    )
    .await;
    let merge = "MERGE INTO t USING (SELECT 4 AS id) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = t.n + 1 \
                 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, 1)";
    order(merge, upsert, 1, &with("4 | 2")).await;
    order(upsert, merge, 1, &with("4 | 2")).await;
    order(
        merge,
        "UPDATE t SET id = 4 WHERE id = 3",
        1,
        &["1 | 10", "2 | 20", "4 | 31"],
    )
    .await;
}

/// Checks how often `first` runs if `second` overtakes it, in a table with the key columns `key`.
async fn runs(key: &str, first: &str, second: &str, times: usize) {
    for (store, engine) in engines() {
        let columns = "id BIGINT, name TEXT, n BIGINT";
        run(
            &engine,
            &format!("CREATE TABLE t ({columns}, PRIMARY KEY ({key}))"),
        )
        .await;
        run(&engine, "INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20)").await;
        let second = async {
            let ran = engine.execute_batch(second).await;
            ran.unwrap_or_else(|e| panic!("{second}: {e}"));
        };
        let (done, found) = overtaken_and_counted(&engine, first, second.boxed()).await;
        done.unwrap_or_else(|e| panic!("{store}: {first}: {e}"));
        assert_eq!(found, times, "{store}: PRIMARY KEY ({key}): {first}");
        let twice = format!("SELECT {key} FROM t GROUP BY {key} HAVING count(*) > 1");
        assert_eq!(rows(&engine, &twice).await, [""; 0], "{store}: {first}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn upserts_run_again_only_if_rows_with_their_keys_were_added() {
    let upserts = [
        "INSERT OR REPLACE INTO t VALUES (4, 'd', 1), (1, 'a', 1)",
        "INSERT INTO t VALUES (4, 'd', 1) ON CONFLICT DO UPDATE SET n = t.n + 1",
        "INSERT INTO t VALUES (4, 'd', 1) ON CONFLICT DO NOTHING",
    ];
    for key in ["id", "name", "id, name"] {
        for first in upserts {
            let others = "INSERT INTO t VALUES (3, 'c', 3), (5, 'e', 5)";
            runs(key, first, others, 1).await;
            runs(key, first, &format!("{others} ON CONFLICT DO NOTHING"), 1).await;
            let same = "INSERT INTO t VALUES (3, 'c', 3), (4, 'd', 4)";
            runs(key, first, same, 2).await;
            let gone = format!("{same}; DELETE FROM t WHERE n = 4");
            runs(key, first, &gone, 1).await;
            runs(
                key,
                first,
                "UPDATE t SET id = 4, name = 'd' WHERE id = 2",
                2,
            )
            .await;
            runs(key, first, "UPDATE t SET n = 0 WHERE id = 2", 1).await;
        }
    }
    // Rows in files are not read in a commit: their range of keys decides.
    let many = |from: u64| {
        format!("INSERT INTO t SELECT value, 'many', 0 FROM range({from}, {from} + 100000)")
    };
    let upsert = "INSERT OR REPLACE INTO t VALUES (4, 'd', 1)";
    runs("id", upsert, &many(5), 1).await;
    runs("id", upsert, &many(4), 2).await;
    // A NULL that is no key, and a key of another type of digest.
    runs("id", upsert, "INSERT INTO t VALUES (7, NULL, NULL)", 1).await;
    let merge = "MERGE INTO t USING (SELECT 4 AS id) AS s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (4)";
    runs("id", merge, "INSERT INTO t VALUES (7, 'x', 0)", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upsert_sees_a_row_that_was_added_and_merged_with_others_meanwhile() {
    let (_, engine) = engines().remove(1);
    table(&engine).await;
    let second = async {
        run(&engine, "INSERT INTO t VALUES (4, 7)").await;
        engine.compact().await.unwrap();
    };
    let upsert = "INSERT INTO t VALUES (4, 1) ON CONFLICT (id) DO UPDATE SET n = t.n + 1";
    let (done, times) = overtaken_and_counted(&engine, upsert, second.boxed()).await;
    assert_eq!((done.unwrap()[0], times), (1, 2));
    let left = rows(&engine, "SELECT * FROM t WHERE id = 4").await;
    assert_eq!(left, ["4 | 8"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_insert_that_was_overtaken_by_a_change_of_shape_is_worked_out_again() {
    order(
        "INSERT INTO t (id) VALUES (4)",
        "ALTER TABLE t ADD COLUMN x BIGINT DEFAULT 5",
        1,
        &["1 | 10 | 5", "2 | 20 | 5", "3 | 30 | 5", "4 | NULL | 5"],
    )
    .await;
    order(
        "INSERT INTO t (id) VALUES (4)",
        "ALTER TABLE t DROP COLUMN n",
        1,
        &["1", "2", "3", "4"],
    )
    .await;
    order(
        "UPDATE t SET n = 0 WHERE id = 1",
        "ALTER TABLE t ADD COLUMN x BIGINT DEFAULT 5",
        1,
        &["1 | 0 | 5", "2 | 20 | 5", "3 | 30 | 5"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_inserted_while_a_table_is_replaced_by_itself_are_kept() {
    let four = ["1 | 10", "2 | 20", "3 | 30", "4 | 4"];
    order(
        "CREATE OR REPLACE TABLE t AS SELECT * FROM t",
        "INSERT INTO t VALUES (4, 4)",
        4,
        &four,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_inserted_while_a_table_is_copied_and_dropped_are_kept() {
    let first = "CREATE TABLE copy AS SELECT * FROM t; DROP TABLE t; ALTER TABLE copy RENAME TO t";
    let four = ["1 | 10", "2 | 20", "3 | 30", "4 | 4"];
    order(first, "INSERT INTO t VALUES (4, 4)", 4, &four).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_not_null_column_never_holds_null_in_rows_inserted_while_it_was_added() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT)").await;
        let add = "ALTER TABLE t ADD COLUMN x BIGINT NOT NULL";
        let added = overtaken(&engine, add, sql(&engine, "INSERT INTO t VALUES (1)")).await;
        assert!(
            added.is_err(),
            "{store}: {:?}",
            rows(&engine, "SELECT * FROM t").await
        );
        assert_eq!(rows(&engine, "SELECT * FROM t").await, ["1"], "{store}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_table_that_was_renamed_meanwhile_is_not_dropped() {
    for (store, engine) in engines() {
        table(&engine).await;
        let dropped = overtaken(
            &engine,
            "DROP TABLE t",
            sql(&engine, "ALTER TABLE t RENAME TO u"),
        )
        .await;
        let tables = engine.tables().await.unwrap();
        assert!(dropped.is_err(), "{store}: {tables:?} is left");
        assert_eq!(tables, ["u"], "{store}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_tables_created_at_once_under_one_name_one_stays() {
    for (store, engine) in engines() {
        let create = "CREATE TABLE t AS SELECT 1 AS a";
        let second = overtaken(
            &engine,
            create,
            sql(&engine, "CREATE TABLE t AS SELECT 2 AS b"),
        )
        .await;
        assert!(
            second.unwrap_err().to_string().contains("already exists"),
            "{store}"
        );
        assert_eq!(rows(&engine, "SELECT b FROM t").await, ["2"], "{store}");
        let again = overtaken(
            &engine,
            "CREATE TABLE IF NOT EXISTS u (a BIGINT)",
            sql(&engine, "CREATE TABLE u (b INT)"),
        )
        .await;
        again.unwrap();
        assert_eq!(
            engine.table_schema("u").await.unwrap().field(0).name(),
            "b",
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_from_arrow_never_wait_for_a_write_and_are_kept() {
    for (store, engine) in engines() {
        table(&engine).await;
        let loading = async {
            assert_eq!(engine.load_arrow("t", &[pairs([(4, 4)])]).await.unwrap(), 1);
        };
        let counts = overtaken(&engine, "UPDATE t SET n = 0", loading)
            .await
            .unwrap();
        assert_eq!(counts[0], 3, "{store}");
        assert_eq!(
            rows(&engine, "SELECT * FROM t ORDER BY id").await,
            ["1 | 0", "2 | 0", "3 | 0", "4 | 4"],
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_one_table_go_on_while_a_write_to_another_takes_its_time() {
    // The slow writer loses this many races in a row to commits of a quick one; then the slow writer locks others out.
    const LOST: usize = 4;
    for (store, engine) in engines() {
        table(&engine).await;
        let quick = Arc::new(AtomicUsize::new(0));
        let tries = Arc::new(AtomicUsize::new(0));
        let slow_is_done = Arc::new(AtomicBool::new(false));
        let slowly = {
            let (quick, tries) = (Arc::clone(&quick), Arc::clone(&tries));
            move |_: &[ColumnarValue]| {
                let before = quick.load(Ordering::SeqCst);
                if tries.fetch_add(1, Ordering::SeqCst) < LOST {
                    tokio::task::block_in_place(|| {
                        while quick.load(Ordering::SeqCst) == before {
                            std::thread::sleep(Duration::from_millis(1));
                        }
                    });
                }
                Ok(ColumnarValue::Scalar(ScalarValue::from(1i64)))
            }
        };
        let slow = create_udf(
            "slow_one",
            vec![],
            DataType::Int64,
            Volatility::Volatile,
            Arc::new(slowly),
        );
        engine.register_udf(slow).unwrap();
        run(&engine, "CREATE TABLE hot (n BIGINT)").await;
        run(&engine, "INSERT INTO hot VALUES (0)").await;
        let writers = async {
            at_once(2, |task| {
                let (engine, quick) = (engine.clone(), Arc::clone(&quick));
                let (tries, slow_is_done) = (Arc::clone(&tries), Arc::clone(&slow_is_done));
                async move {
                    if task == 0 {
                        for _ in 0..3 {
                            tries.store(0, Ordering::SeqCst);
                            let sql = "UPDATE hot SET n = n + slow_one()";
                            assert_eq!(run(&engine, sql).await, 1);
                        }
                        slow_is_done.store(true, Ordering::SeqCst);
                    }
                    while !slow_is_done.load(Ordering::SeqCst) {
                        assert_eq!(run(&engine, "UPDATE hot SET n = n + 1").await, 1);
                        quick.fetch_add(1, Ordering::SeqCst);
                    }
                }
            })
            .await;
        };
        overtaken(&engine, "UPDATE t SET n = 0", writers)
            .await
            .unwrap();
        let quick = quick.load(Ordering::SeqCst);
        assert!(quick >= 3 * LOST, "{store}: {quick} quick ones");
        assert_eq!(
            number(&engine, "SELECT n FROM hot").await,
            quick as i64 + 3,
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_query_that_takes_its_time_holds_up_no_writer() {
    for (store, engine) in engines() {
        table(&engine).await;
        let pause = Pause::register(&engine);
        let release = Release(pause.clone());
        let reading = {
            let engine = engine.clone();
            tokio::spawn(async move { number(&engine, "SELECT sum(n) + pause() FROM t").await })
        };
        pause.entered().await;
        for sql in [
            "UPDATE t SET n = 0",
            "TRUNCATE TABLE t",
            "DROP TABLE t",
            "CREATE TABLE t (id BIGINT)",
        ] {
            let done = tokio::time::timeout(HANG, run(&engine, sql)).await;
            done.unwrap_or_else(|_| panic!("{sql} had to wait"));
        }
        drop(release);
        assert_eq!(reading.await.unwrap(), 60, "{store}");
    }
}

#[tokio::test]
async fn every_change_raises_the_version_and_nothing_else_does() {
    for (store, engine) in engines() {
        let mut version = engine.version().await.unwrap();
        for sql in [
            "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)",
            "CREATE VIEW v AS SELECT * FROM t",
            "INSERT INTO t VALUES (1, 1), (2, 2)",
            "UPDATE t SET n = n + 1 WHERE id = 1",
            "DELETE FROM t WHERE id = 2",
            "INSERT INTO t VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET n = 5",
            "ALTER TABLE t ADD COLUMN x BIGINT",
            "ALTER TABLE t DROP COLUMN x",
            "ALTER TABLE t RENAME COLUMN n TO m",
            "ALTER TABLE t RENAME TO u",
            "ALTER TABLE u RENAME TO t",
            "DROP VIEW v",
            "TRUNCATE TABLE t",
            "INSERT INTO t VALUES (1, 1)",
        ] {
            run(&engine, sql).await;
            let now = engine.version().await.unwrap();
            assert!(now > version, "{store}: {sql}");
            version = now;
        }
        for sql in [
            "SELECT * FROM t",
            "INSERT INTO t SELECT * FROM t WHERE false",
            "UPDATE t SET m = 0 WHERE id = 99",
            "DELETE FROM t WHERE id = 99",
            "CREATE TABLE IF NOT EXISTS t (id BIGINT)",
            "DROP TABLE IF EXISTS nope",
            "EXPLAIN DELETE FROM t",
            "INSERT INTO t VALUES (1, 2) ON CONFLICT DO NOTHING",
            "INSERT INTO t VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET m = 0 WHERE false",
            "MERGE INTO t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, 0)",
        ] {
            assert_eq!(run(&engine, sql).await, 0, "{sql}");
            assert_eq!(engine.version().await.unwrap(), version, "{store}: {sql}");
        }
        for sql in [
            "UPDATE t SET m = 1 / 0",
            "INSERT INTO t VALUES (NULL, 1)",
            "DROP TABLE nope",
            "CREATE TABLE t (id INT)",
        ] {
            engine.execute(sql).await.unwrap_err();
            assert_eq!(engine.version().await.unwrap(), version, "{store}: {sql}");
        }
    }
}
