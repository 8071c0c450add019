//! Statements and their results: parameters, batches, counts, EXPLAIN, PREPARE, empty results.

use rhei_datafusion::arrow::array::{AsArray, RecordBatch};
use rhei_datafusion::arrow::datatypes::{DataType, UInt64Type};
use rhei_datafusion::datafusion::common::ScalarValue;
use rhei_datafusion::{ErrorKind, OlapEngine, StatementOptions};

use crate::common::{engines, refused, rows, run, small_table};
use crate::sql_file::render;

#[tokio::test]
async fn parameters_are_given_by_place_or_by_name() {
    for (store, engine) in engines() {
        small_table(&engine).await;
        let by_place = vec![ScalarValue::from(2i64), ScalarValue::from(20i64)];
        let found = engine
            .query_with_params("SELECT n FROM t WHERE id = $1 AND n = $2", by_place)
            .await
            .unwrap();
        assert_eq!(render(&found), ["20"], "{store}");
        let by_name = vec![
            ("id", ScalarValue::from(2i64)),
            ("add", ScalarValue::from(5i64)),
        ];
        let changed = engine
            .execute_with_params("UPDATE t SET n = n + $add WHERE id = $id", by_name)
            .await
            .unwrap();
        assert_eq!(changed, 1, "{store}");
        let text = vec![ScalarValue::from("it's; DROP TABLE t; --")];
        let found = engine
            .query_with_params("SELECT $1 AS s", text)
            .await
            .unwrap();
        assert_eq!(render(&found), ["it's; DROP TABLE t; --"], "{store}");
        let again = vec![ScalarValue::from(9i64)];
        engine
            .execute_with_params("INSERT INTO t VALUES ($1, $1 * 10)", again)
            .await
            .unwrap();
        let null = vec![ScalarValue::from(10i64), ScalarValue::Int64(None)];
        engine
            .execute_with_params("INSERT INTO t (n, id) VALUES ($2, $1)", null)
            .await
            .unwrap();
        let upsert =
            "INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = excluded.n + $2";
        engine
            .execute_with_params(
                upsert,
                vec![ScalarValue::from(9i64), ScalarValue::from(1i64)],
            )
            .await
            .unwrap();
        let merge = "MERGE INTO t USING (SELECT $1 AS id) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = $2";
        engine
            .execute_with_params(
                merge,
                vec![ScalarValue::from(1i64), ScalarValue::from(-1i64)],
            )
            .await
            .unwrap();
        let removed = engine
            .execute_with_params("DELETE FROM t WHERE id = $1", vec![ScalarValue::from(3i32)])
            .await;
        assert_eq!(removed.unwrap(), 1, "{store}");
        assert_eq!(
            rows(&engine, "SELECT * FROM t ORDER BY id").await,
            ["1 | -1", "2 | 25", "9 | 2", "10 | NULL"],
            "{store}"
        );
        // NULL equals nothing.
        let null = vec![ScalarValue::Int64(None)];
        assert_eq!(
            engine
                .execute_with_params("DELETE FROM t WHERE n = $1", null)
                .await
                .unwrap(),
            0,
            "{store}"
        );
        let batch = StatementOptions::new().params(vec![ScalarValue::from(7i64)]);
        let counts = engine
            .execute_batch_with("UPDATE t SET n = $1; DELETE FROM t WHERE n = $1", batch)
            .await
            .unwrap();
        assert_eq!(counts, [4, 4], "{store}");
    }
}

#[tokio::test]
async fn question_marks_are_parameters_in_the_order_of_the_text() {
    for (store, engine) in engines() {
        small_table(&engine).await;
        let whole = |values: &[i64]| -> Vec<ScalarValue> {
            values.iter().copied().map(ScalarValue::from).collect()
        };
        let text = "INSERT INTO t VALUES (?, ?), (?, ?)";
        let made = engine.execute_with_params(text, whole(&[10, 20, 30, 40]));
        assert_eq!(made.await.unwrap(), 2, "{store}");
        let text = "UPDATE t SET n = ? WHERE id = ?";
        let changed = engine.execute_with_params(text, whole(&[21, 10]));
        assert_eq!(changed.await.unwrap(), 1, "{store}");
        // Parameter positions continue from statement to statement of a batch.
        let text = "DELETE FROM t WHERE id = ?; UPDATE t SET n = ? WHERE id IN (?, ?)";
        let params = StatementOptions::new().params(whole(&[1, 5, 2, 10]));
        let changed = engine.execute_batch_with(text, params).await.unwrap();
        assert_eq!(changed, [1, 2], "{store}");
        let text = "WITH c AS (SELECT id, n FROM t WHERE id > ?) SELECT id + ? FROM c WHERE n > ? ORDER BY 1";
        let found = engine.query_with_params(text, whole(&[9, 100, 30]));
        assert_eq!(render(&found.await.unwrap()), ["130"], "{store}");
        for text in ["SELECT ?, $2", "SELECT $a, ?"] {
            let found = engine.query_with_params(text, whole(&[1, 2])).await;
            let error = found.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{store}: {error}");
            assert!(error.to_string().contains("both '?' and '$"), "{error}");
        }
        let few = engine.query_with_params("SELECT ?, ?", whole(&[1])).await;
        let error = few.unwrap_err();
        assert!(error.to_string().contains("$2"), "{store}: {error}");
    }
}

#[tokio::test]
async fn parameters_that_are_missing_or_too_many_are_errors() {
    for (store, engine) in engines() {
        small_table(&engine).await;
        for sql in [
            "SELECT $1 + $2",
            "UPDATE t SET n = $2 WHERE id = $1",
            "INSERT INTO t VALUES ($1, $2)",
            "DELETE FROM t WHERE id = $2",
        ] {
            let error = engine
                .execute_with_params(sql, vec![ScalarValue::from(1i64)])
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{store}: {sql}: {error}");
            let error = refused(&engine, sql).await;
            assert_eq!(error.kind(), ErrorKind::Invalid, "{store}: {sql}: {error}");
        }
        let named = vec![("a", ScalarValue::from(1i64))];
        engine
            .query_with_params("SELECT $b", named)
            .await
            .unwrap_err();
        assert_eq!(
            rows(&engine, "SELECT * FROM t ORDER BY id").await,
            ["1 | 10", "2 | 20", "3 | NULL"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn one_call_takes_one_statement_and_a_batch_any_number() {
    for (store, engine) in engines() {
        small_table(&engine).await;
        for sql in [
            "DELETE FROM t; DELETE FROM t",
            "SELECT 1; SELECT 2",
            "",
            "-- nothing",
            ";",
        ] {
            let error = refused(&engine, sql).await;
            assert_eq!(error.kind(), ErrorKind::Invalid, "{store}: {sql:?}");
            assert_eq!(
                sql.contains("; "),
                error.to_string().contains("execute_batch"),
                "{store}: {error}"
            );
        }
        assert_eq!(
            run(&engine, "-- why\n/* and */ UPDATE t SET n = 0; ").await,
            3,
            "{store}"
        );
        let counts = engine.execute_batch("CREATE TABLE u (a INT); INSERT INTO u VALUES (1), (2); SELECT 1; DELETE FROM u WHERE a = 1;");
        assert_eq!(counts.await.unwrap(), [0, 2, 0, 1], "{store}");
        assert_eq!(
            engine.execute_batch("").await.unwrap(),
            [0u64; 0],
            "{store}"
        );
    }
}

#[tokio::test]
async fn a_query_of_a_write_gives_its_count() {
    for (store, engine) in engines() {
        small_table(&engine).await;
        for (sql, expected) in [
            ("UPDATE t SET n = 1", 3),
            ("UPDATE t SET n = 1 WHERE false", 0),
            ("INSERT INTO t SELECT id + 10, n FROM t", 3),
            ("DELETE FROM t WHERE id > 10", 3),
            (
                "MERGE INTO t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = 0",
                1,
            ),
            ("TRUNCATE TABLE t", 3),
        ] {
            let batches = engine.query(sql).await.unwrap();
            assert_eq!(batches.len(), 1, "{store}: {sql}");
            assert_eq!(
                batches[0].schema().field(0).name(),
                "count",
                "{store}: {sql}"
            );
            assert_eq!(
                batches[0]
                    .column(0)
                    .as_primitive::<UInt64Type>()
                    .values()
                    .as_ref(),
                [expected],
                "{store}: {sql}"
            );
        }
        assert_eq!(run(&engine, "SELECT * FROM t").await, 0, "{store}");
    }
}

#[tokio::test]
async fn a_prepared_write_counts_its_rows_each_time() {
    for (store, engine) in engines() {
        small_table(&engine).await;
        run(&engine, "PREPARE add_row AS INSERT INTO t VALUES ($1, $2)").await;
        run(
            &engine,
            "PREPARE raise (BIGINT) AS UPDATE t SET n = n + $1 WHERE n IS NOT NULL",
        )
        .await;
        run(&engine, "PREPARE remove AS DELETE FROM t WHERE id >= $1").await;
        assert_eq!(run(&engine, "EXECUTE add_row(4, 40)").await, 1, "{store}");
        assert_eq!(run(&engine, "EXECUTE add_row(5, NULL)").await, 1, "{store}");
        assert_eq!(run(&engine, "EXECUTE raise(1)").await, 3, "{store}");
        assert_eq!(run(&engine, "EXECUTE remove(3)").await, 3, "{store}");
        assert_eq!(run(&engine, "EXECUTE remove(3)").await, 0, "{store}");
        refused(&engine, "EXECUTE raise(1, 2)").await;
        refused(&engine, "EXECUTE add_row(7)").await;
        assert_eq!(
            rows(&engine, "SELECT * FROM t ORDER BY id").await,
            ["1 | 11", "2 | 21"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn explain_of_a_write_changes_nothing() {
    for (store, engine) in engines() {
        small_table(&engine).await;
        let version = engine.version().await.unwrap();
        for sql in [
            "INSERT INTO t VALUES (4, 4)",
            "INSERT INTO t VALUES (1, 4) ON CONFLICT (id) DO UPDATE SET n = 4",
            "UPDATE t SET n = 0",
            "DELETE FROM t",
            "MERGE INTO t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN MATCHED THEN DELETE",
        ] {
            for explain in [
                "EXPLAIN",
                "EXPLAIN VERBOSE",
                "EXPLAIN ANALYZE",
                "EXPLAIN FORMAT TREE",
            ] {
                let plan = rows(&engine, &format!("{explain} {sql}")).await;
                assert!(!plan.is_empty(), "{store}: {explain} {sql}");
                assert_eq!(
                    run(&engine, &format!("{explain} {sql}")).await,
                    0,
                    "{store}: {explain} {sql}"
                );
            }
        }
        for sql in [
            "EXPLAIN TRUNCATE TABLE t",
            "EXPLAIN ANALYZE TRUNCATE TABLE t",
            "EXPLAIN DROP TABLE t",
            "EXPLAIN CREATE TABLE u AS SELECT 1 AS a",
            "EXPLAIN ANALYZE CREATE TABLE u AS SELECT 1 AS a",
        ] {
            let _ = engine.query(sql).await;
        }
        assert_eq!(engine.version().await.unwrap(), version, "{store}");
        assert_eq!(
            rows(&engine, "SELECT * FROM t ORDER BY id").await,
            ["1 | 10", "2 | 20", "3 | NULL"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn an_empty_result_keeps_its_schema() {
    for (store, engine) in engines() {
        small_table(&engine).await;
        for sql in [
            "SELECT id, n + 1 AS m FROM t WHERE false",
            "SELECT id, n AS m FROM t WHERE id > 99",
            "DELETE FROM t WHERE false RETURNING id, n AS m",
        ] {
            let batches = engine.query(sql).await.unwrap();
            assert_eq!(
                batches.iter().map(RecordBatch::num_rows).sum::<usize>(),
                0,
                "{store}: {sql}"
            );
            let schema = batches[0].schema();
            let fields: Vec<_> = schema
                .fields()
                .iter()
                .map(|f| (f.name().as_str(), f.data_type()))
                .collect();
            assert_eq!(
                fields,
                [("id", &DataType::Int64), ("m", &DataType::Int64)],
                "{store}: {sql}"
            );
        }
    }
}
