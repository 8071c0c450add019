//! A repeated query answers from the current tables, although its optimized plan is cached.

use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use rhei_datafusion::DataFusionEngine;
use rhei_datafusion::arrow::datatypes::DataType;
use rhei_datafusion::datafusion;
use rhei_datafusion::datafusion::common::ScalarValue;

use crate::common::{engines, past_moment, refused, rows, run, vortex};

/// The rows of a query; four runs must give the same rows.
async fn stable_rows(engine: &DataFusionEngine, sql: &str) -> Vec<String> {
    let first = rows(engine, sql).await;
    for _ in 0..3 {
        assert_eq!(rows(engine, sql).await, first, "{sql}");
    }
    first
}

#[tokio::test]
async fn a_query_sees_every_change_of_rows_and_tables() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, x BIGINT)").await;
        let sql = "SELECT * FROM t WHERE x > (SELECT avg(x) - 1 FROM t) ORDER BY id";
        assert_eq!(stable_rows(&engine, sql).await, [""; 0], "{store}");
        run(&engine, "INSERT INTO t VALUES (1, 10), (2, 20)").await;
        assert_eq!(stable_rows(&engine, sql).await, ["2 | 20"], "{store}");
        run(&engine, "UPDATE t SET x = 20 WHERE id = 1").await;
        assert_eq!(
            stable_rows(&engine, sql).await,
            ["1 | 20", "2 | 20"],
            "{store}"
        );
        run(&engine, "ALTER TABLE t ADD COLUMN y TEXT").await;
        assert_eq!(
            stable_rows(&engine, sql).await,
            ["1 | 20 | NULL", "2 | 20 | NULL"],
            "{store}"
        );
        run(&engine, "ALTER TABLE t DROP COLUMN y").await;
        assert_eq!(
            stable_rows(&engine, sql).await,
            ["1 | 20", "2 | 20"],
            "{store}"
        );
        run(&engine, "DROP TABLE t").await;
        assert!(
            refused(&engine, sql).await.to_string().contains('t'),
            "{store}"
        );
        run(&engine, "CREATE TABLE t (x TEXT, id BIGINT)").await;
        run(&engine, "INSERT INTO t VALUES ('7', 3)").await;
        assert_eq!(
            stable_rows(&engine, "SELECT * FROM t WHERE x > '1'").await,
            ["7 | 3"],
            "{store}"
        );
        run(&engine, "DROP TABLE t").await;
        run(&engine, "CREATE VIEW t AS SELECT 1 AS id, 5 AS x").await;
        assert_eq!(
            stable_rows(&engine, "SELECT id, x FROM t").await,
            ["1 | 5"],
            "{store}"
        );
        run(
            &engine,
            "CREATE OR REPLACE VIEW t AS SELECT 2 AS id, 6 AS x",
        )
        .await;
        assert_eq!(
            stable_rows(&engine, "SELECT id, x FROM t").await,
            ["2 | 6"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn clocks_and_dice_are_asked_each_time() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT)").await;
        run(&engine, "INSERT INTO t VALUES (1)").await;
        for sql in ["SELECT now(), id FROM t", "SELECT random(), id FROM t"] {
            let mut seen = std::collections::HashSet::new();
            for _ in 0..5 {
                seen.extend(rows(&engine, sql).await);
                past_moment().await;
            }
            assert_eq!(seen.len(), 5, "{store}: {sql}");
        }
    }
}

#[tokio::test]
async fn a_function_that_takes_the_place_of_another_is_the_one_called() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT)").await;
        run(&engine, "INSERT INTO t VALUES (1)").await;
        for answer in [1, 2, 3] {
            let always = move |_: &[ColumnarValue]| {
                Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(answer))))
            };
            let function = create_udf(
                "answer",
                vec![DataType::Int64],
                DataType::Int64,
                Volatility::Immutable,
                std::sync::Arc::new(always),
            );
            engine.register_udf(function).unwrap();
            assert_eq!(
                stable_rows(&engine, "SELECT answer(id) FROM t").await,
                [answer.to_string()],
                "{store}"
            );
        }
    }
}

#[tokio::test]
async fn parameters_are_those_of_the_call() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, name TEXT)").await;
        run(
            &engine,
            "INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, NULL)",
        )
        .await;
        for _ in 0..4 {
            for (id, name) in [(1, "one"), (2, "two"), (3, "NULL")] {
                let params = vec![ScalarValue::Int64(Some(id))];
                let found = engine
                    .query_with_params("SELECT name FROM t WHERE id = $1", params)
                    .await;
                assert_eq!(crate::sql_file::render(&found.unwrap()), [name], "{store}");
            }
        }
    }
}

#[tokio::test]
async fn a_kept_plan_keeps_no_rows_alive() {
    let folder = crate::common::fresh_folder();
    let engine = DataFusionEngine::with_storage(vortex(&folder)).unwrap();
    run(&engine, "CREATE TABLE t (id BIGINT)").await;
    run(&engine, "INSERT INTO t SELECT value FROM range(10000)").await;
    assert_eq!(
        stable_rows(&engine, "SELECT count(*), sum(id) FROM t").await,
        ["10000 | 49995000"]
    );
    let files = crate::common::data_files(&folder);
    run(&engine, "TRUNCATE TABLE t").await;
    let now = rhei_datafusion::VacuumOptions {
        retention: std::time::Duration::ZERO,
        dry_run: false,
    };
    engine.vacuum(now).await.unwrap();
    assert!(
        files > 0 && crate::common::data_files(&folder) == 0,
        "{files} files were there"
    );
}
