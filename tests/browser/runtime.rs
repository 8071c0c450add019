//! Tests of the wasm runtime: tasks, event-loop turns, cancellation and nesting limits.

use std::time::Duration;

use futures::StreamExt;
use rhei_datafusion::datafusion::common::ScalarValue;
use rhei_datafusion::{
    CancelHandle, DataFusionEngine, EngineBuilder, ErrorKind, OlapEngine, StatementOptions,
    StorageMode, drive,
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::chains::on_one_another;

fn spread() -> DataFusionEngine {
    EngineBuilder::new().target_partitions(4).build().unwrap()
}

async fn number(engine: &DataFusionEngine, sql: &str) -> i64 {
    let rows = drive(engine.query(sql)).await.unwrap();
    match ScalarValue::try_from_array(rows[0].column(0), 0).unwrap() {
        ScalarValue::Int64(Some(number)) => number,
        other => panic!("{sql}: {other:?}"),
    }
}

/// Plans whose parts run as separate tasks.
#[wasm_bindgen_test]
async fn plans_that_spawn_tasks_run() {
    let engine = spread();
    drive(
        engine
            .execute("CREATE TABLE t AS SELECT value AS id, value % 7 AS seven FROM range(50000)"),
    )
    .await
    .unwrap();
    let union = "SELECT count(*) FROM (SELECT id FROM t UNION ALL SELECT seven FROM t)";
    assert_eq!(number(&engine, union).await, 100_000);
    let join = "SELECT count(*) FROM t a JOIN t b ON a.id = b.id WHERE b.seven = 3";
    assert_eq!(number(&engine, join).await, 7143);
    let sorted = "SELECT CAST(max(r) AS BIGINT) FROM (SELECT row_number() OVER (PARTITION BY seven ORDER BY id) AS r FROM t)";
    assert_eq!(number(&engine, sorted).await, 7143);
    let plan = drive(engine.query("EXPLAIN ANALYZE SELECT seven, count(*) FROM t GROUP BY seven"));
    assert_eq!(plan.await.unwrap()[0].num_rows(), 1);
}

/// A cancel handle that a timer of the page triggers at its tenth tick.
fn tenth_turn() -> (CancelHandle, impl Drop) {
    struct Interval(i32, #[allow(dead_code)] Closure<dyn FnMut()>);
    impl Drop for Interval {
        fn drop(&mut self) {
            clear_interval(self.0);
        }
    }
    let cancel = CancelHandle::new();
    let (handle, mut turns) = (cancel.clone(), 0);
    let tick = Closure::<dyn FnMut()>::new(move || {
        turns += 1;
        if turns == 10 {
            handle.cancel();
        }
    });
    let id = set_interval(&tick, 5);
    (cancel, Interval(id, tick))
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setInterval)]
    fn set_interval(callback: &Closure<dyn FnMut()>, milliseconds: i32) -> i32;
    #[wasm_bindgen(js_name = clearInterval)]
    fn clear_interval(id: i32);
}

const LONG: &str =
    "SELECT count(*) FROM range(2000) a, range(100000000) b WHERE a.value + b.value = -1";

/// Runs an endless query and expects that the page's timer cancels it, i.e. that the event loop gets its turns.
async fn ends_with_the_tenth_turn(engine: &DataFusionEngine, sql: &str) {
    let (cancel, _interval) = tenth_turn();
    let options = StatementOptions::new().cancel(&cancel);
    let stopped = drive(engine.query_with(sql, options)).await.unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Cancelled, "{stopped}");
}

#[wasm_bindgen_test]
async fn the_page_has_its_turns_while_a_query_runs_and_a_deadline_stops_it() {
    let engine = spread();
    ends_with_the_tenth_turn(&engine, LONG).await;
    let options = StatementOptions::new().timeout(Duration::from_millis(400));
    let stopped = drive(engine.query_with(LONG, options)).await.unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Timeout, "{stopped}");
    assert_eq!(number(&engine, "SELECT 7").await, 7);
}

#[wasm_bindgen_test]
async fn the_page_has_its_turns_while_rows_are_read() {
    let engine = spread();
    let of = |rows: u64| {
        format!("SELECT count(*) FROM range({rows}) WHERE value % 7 = 3 AND value % 11 = 5")
    };
    ends_with_the_tenth_turn(&engine, &of(100_000_000_000)).await;
    assert_eq!(number(&engine, &of(5_000_000)).await, 64_935);
}

#[wasm_bindgen_test]
async fn a_handle_stops_a_query_while_another_goes_on() {
    let engine = spread();
    let cancel = CancelHandle::new();
    let long = drive(engine.query_with(LONG, StatementOptions::new().cancel(&cancel)));
    let others = async {
        for round in 0..5 {
            let sql = format!("SELECT sum(value) + {round} FROM range(1000)");
            assert_eq!(number(&engine, &sql).await, 499_500 + round);
        }
        cancel.cancel();
    };
    let (stopped, ()) = futures::future::join(long, others).await;
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[wasm_bindgen_test]
async fn a_stream_that_is_not_read_makes_nothing() {
    let engine = DataFusionEngine::new();
    let sql = "SELECT a.value FROM range(1000000) a, range(1000000) b";
    let mut rows = drive(engine.query_stream(sql)).await.unwrap();
    let first = drive(rows.next()).await.unwrap().unwrap();
    assert!(first.num_rows() > 0);
    assert_eq!(number(&engine, "SELECT count(*) FROM range(10)").await, 10);
    drop(rows);
}

#[wasm_bindgen_test]
async fn clocks_and_chance_work() {
    let engine = spread();
    let year = number(&engine, "SELECT CAST(extract(year FROM now()) AS BIGINT)").await;
    assert!((2025..2200).contains(&year), "{year}");
    let different = "SELECT count(DISTINCT random()) FROM range(100)";
    assert!(number(&engine, different).await > 90);
    assert_eq!(
        number(&engine, "SELECT count(DISTINCT uuid()) FROM range(100)").await,
        100
    );
}

#[wasm_bindgen_test]
async fn a_statement_nested_too_deep_is_an_error_and_no_trap() {
    let engine = DataFusionEngine::new();
    for (sql, what) in [
        (
            format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)),
            "parentheses",
        ),
        (format!("SELECT 1{}", " + 1".repeat(5000)), "a sum"),
        (
            format!("SELECT true{}", " AND true".repeat(5000)),
            "a chain of AND",
        ),
        (
            format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(2000)),
            "a union",
        ),
        (
            format!("SELECT {}1{}", "abs(".repeat(300), ")".repeat(300)),
            "calls",
        ),
    ] {
        if let Err(error) = drive(engine.query(&sql)).await {
            assert_ne!(error.kind(), ErrorKind::Internal, "{what}: {error}");
        }
        assert_eq!(number(&engine, "SELECT 7").await, 7, "after {what}");
    }
}

/// Nests each kind of expression up to the limit: the stack must suffice.
#[wasm_bindgen_test]
async fn a_statement_nested_as_deep_as_is_allowed_runs() {
    let engine = DataFusionEngine::new();
    for (open, inner, close, deepest) in [
        ("(", "TRUE", ")", 60),
        ("abs(", "1", ")", 60),
        ("TRUE IN ((", "TRUE", "))", 30),
        ("CASE WHEN ", "TRUE", " THEN TRUE END", 60),
        ("NOT ", "TRUE", "", 60),
        ("CAST(", "1", " AS INT)", 60),
        ("{a: ", "1", "}", 60),
        ("[", "1", "]", 60),
        ("EXISTS (SELECT ", "1", ")", 24),
        ("(SELECT ", "1", ")", 8),
        ("(", "1", ")::INT", 60),
        ("coalesce(NULL, ", "1", ")", 60),
    ] {
        let sql = format!(
            "SELECT {}{inner}{}",
            open.repeat(deepest),
            close.repeat(deepest)
        );
        let rows = drive(engine.query(&sql)).await;
        assert_eq!(rows.unwrap()[0].num_rows(), 1, "{open}");
    }
}

/// Nests as many queries as the limit allows: the plan must fit on the stack, or the query must be refused.
#[wasm_bindgen_test]
async fn queries_deep_in_one_another_run_or_are_refused() {
    let engine = DataFusionEngine::new();
    for step in [
        "SELECT DISTINCT x + 1 AS x FROM {} WHERE x > 0",
        "SELECT x, count(*) AS n FROM {} GROUP BY x HAVING count(*) > 0 ORDER BY x LIMIT 5",
        "SELECT x FROM (VALUES (1), (2)) AS v (x) WHERE x <= (SELECT max(x) FROM {})",
        "SELECT a.x FROM {} AS a LEFT JOIN (VALUES (1)) AS b (x) ON a.x = b.x",
        "SELECT x FROM {} UNION SELECT 2",
    ] {
        for count in [20, 63] {
            let sql = on_one_another("SELECT 1 AS x", step, count);
            match drive(engine.query(&sql)).await {
                Ok(_) => {}
                Err(error) if count > 20 => {
                    assert_eq!(
                        error.kind(),
                        ErrorKind::ResourcesExhausted,
                        "{step}: {error}"
                    );
                }
                Err(error) => panic!("{step}: {error}"),
            }
            assert_eq!(number(&engine, "SELECT 7").await, 7, "after {step}");
        }
    }
}

#[wasm_bindgen_test]
async fn durable_storage_is_refused_by_name() {
    let url = "/tmp/db".to_string();
    let refused = DataFusionEngine::with_storage(StorageMode::Vortex { url }).unwrap_err();
    assert!(refused.to_string().contains("InMemory"), "{refused}");
}
