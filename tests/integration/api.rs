//! The engine's calls: tables, columns, parameters, sessions and what an engine is built with.
//!
//! Loading batches is in `loading.rs`, the texts of errors in `messages.rs`.

use std::sync::Arc;
use std::time::Duration;

use rhei_datafusion::arrow::array::{AsArray, Int64Array, RecordBatch};
use rhei_datafusion::arrow::datatypes::{
    DataType, Field, Int64Type, Schema, SchemaRef, UInt64Type,
};
use rhei_datafusion::datafusion::common::ScalarValue;
use rhei_datafusion::datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use rhei_datafusion::datafusion::prelude::{col, lit};
use rhei_datafusion::{
    DataFusionEngine, DfOlapError, EngineBuilder, ErrorKind, OlapEngine, SharedDataFusionEngine,
    StatementOptions, StorageMode,
};

use crate::common::{engines, number, pairs, refused, rows, run};
use crate::sql_file::render;

fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
    let fields = fields
        .iter()
        .map(|(name, data_type, nullable)| Field::new(*name, data_type.clone(), *nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn key(columns: &[&str]) -> Vec<String> {
    columns.iter().map(ToString::to_string).collect()
}

/// `(id BIGINT PRIMARY KEY, n BIGINT)` with the rows 1, 2 and 3.
async fn table(engine: &DataFusionEngine) {
    run(engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
    run(engine, "INSERT INTO t VALUES (1, 10), (2, 20), (3, NULL)").await;
}

#[tokio::test]
async fn creating_a_table_again_with_the_same_schema_changes_nothing() {
    for (store, engine) in engines() {
        let columns = schema(&[("id", DataType::Int64, false), ("n", DataType::Int64, true)]);
        engine
            .create_table("t", &columns, &key(&["id"]))
            .await
            .unwrap();
        engine.load_arrow("t", &[pairs([(1, 1)])]).await.unwrap();
        let version = engine.version().await.unwrap();
        engine
            .create_table("t", &columns, &key(&["id"]))
            .await
            .unwrap();
        engine
            .create_table("T", &columns, &key(&["id"]))
            .await
            .unwrap();
        // The key's columns are NOT NULL, whatever the schema says of them.
        let loose = schema(&[("id", DataType::Int64, true), ("n", DataType::Int64, true)]);
        engine
            .create_table("t", &loose, &key(&["id"]))
            .await
            .unwrap();
        let described = Schema::new_with_metadata(
            columns.fields().clone(),
            [("a".to_string(), "b".to_string())].into(),
        );
        engine
            .create_table("t", &Arc::new(described), &key(&["id"]))
            .await
            .unwrap();
        assert_eq!(engine.version().await.unwrap(), version, "{store}");
        assert_eq!(rows(&engine, "SELECT * FROM t").await, ["1 | 1"], "{store}");
    }
}

#[tokio::test]
async fn creating_a_table_again_with_another_schema_is_a_schema_mismatch() {
    for (store, engine) in engines() {
        table(&engine).await;
        let version = engine.version().await.unwrap();
        for (columns, primary) in [
            (vec![("id", DataType::Int64, false)], vec!["id"]),
            (
                vec![("id", DataType::Int64, false), ("n", DataType::Int32, true)],
                vec!["id"],
            ),
            (
                vec![
                    ("id", DataType::Int64, false),
                    ("n", DataType::Int64, false),
                ],
                vec!["id"],
            ),
            (
                vec![("n", DataType::Int64, true), ("id", DataType::Int64, false)],
                vec!["id"],
            ),
            (
                vec![("id", DataType::Int64, false), ("n", DataType::Int64, true)],
                vec![],
            ),
            (
                vec![
                    ("id", DataType::Int64, false),
                    ("n", DataType::Int64, true),
                    ("x", DataType::Utf8, true),
                ],
                vec!["id"],
            ),
        ] {
            let error = engine
                .create_table("t", &schema(&columns), &key(&primary))
                .await
                .unwrap_err();
            assert!(
                matches!(error, DfOlapError::SchemaMismatch(_)),
                "{store}: {columns:?}: {error:?}"
            );
            assert!(
                error.to_string().contains("schema mismatch"),
                "{store}: {error}"
            );
        }
        assert_eq!(engine.version().await.unwrap(), version, "{store}");
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t").await,
            3,
            "{store}"
        );
    }
}

#[tokio::test]
async fn names_that_are_not_plain_are_refused() {
    for (store, engine) in engines() {
        for name in [
            "", " ", "a b", "a-b", "a.b", "a\"b", "a;b", "../a", "ä", "a\0", "a/b", "t'", "表",
        ] {
            let fine = schema(&[("id", DataType::Int64, true)]);
            let error = engine.create_table(name, &fine, &[]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{store}: table {name:?}");
            let column = schema(&[("id", DataType::Int64, true), (name, DataType::Int64, true)]);
            engine.create_table("t", &column, &[]).await.unwrap_err();
            assert!(
                engine.tables().await.unwrap().is_empty(),
                "{store}: {name:?}"
            );
        }
        let fine = schema(&[
            ("_1", DataType::Int64, true),
            ("Zz_9", DataType::Int64, true),
        ]);
        engine.create_table("_0_aZ", &fine, &[]).await.unwrap();
        engine
            .add_column("_0_aZ", "a b", &DataType::Int64)
            .await
            .unwrap_err();
        for wrong in [
            engine.create_table("u", &schema(&[]), &[]).await,
            engine
                .create_table("u", &schema(&[("a", DataType::Null, true)]), &[])
                .await,
            engine
                .create_table(
                    "u",
                    &schema(&[("a", DataType::Int64, true), ("a", DataType::Int64, true)]),
                    &[],
                )
                .await,
            engine.create_table("u", &fine, &key(&["nope"])).await,
            engine.create_table("u", &fine, &key(&["_1", "_1"])).await,
        ] {
            assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Invalid, "{store}");
        }
        assert_eq!(engine.tables().await.unwrap(), ["_0_az"], "{store}");
    }
}

#[tokio::test]
async fn a_mixed_case_table_name_in_a_call_is_the_table_that_sql_finds() {
    for (store, engine) in engines() {
        let columns = schema(&[("id", DataType::Int64, false), ("n", DataType::Int64, true)]);
        engine.create_table("MyTable", &columns, &[]).await.unwrap();
        assert_eq!(
            engine
                .load_arrow("MYTABLE", &[pairs([(1, 1)])])
                .await
                .unwrap(),
            1
        );
        assert_eq!(run(&engine, "INSERT INTO MyTable VALUES (2, 2)").await, 1);
        assert_eq!(
            number(&engine, "SELECT count(*) FROM mytable").await,
            2,
            "{store}"
        );
        assert!(
            engine.table_exists("MyTable").await.unwrap()
                && engine.table_exists("mytable").await.unwrap(),
            "{store}"
        );
        engine
            .add_column("MyTable", "extra", &DataType::Utf8)
            .await
            .unwrap();
        engine.drop_column("mYtAbLe", "n").await.unwrap();
        assert_eq!(
            engine.table_schema("MyTable").await.unwrap().fields().len(),
            2,
            "{store}"
        );
        run(&engine, "CREATE TABLE \"Quoted\" (id BIGINT, n BIGINT)").await;
        assert_eq!(
            engine
                .load_arrow("Quoted", &[pairs([(7, 7)])])
                .await
                .unwrap(),
            1
        );
        assert_eq!(
            number(&engine, "SELECT id FROM \"Quoted\"").await,
            7,
            "{store}"
        );
        refused(&engine, "SELECT id FROM Quoted").await;
        assert!(!engine.table_exists("quoted").await.unwrap(), "{store}");
        engine.drop_table("MyTable").await.unwrap();
        assert_eq!(engine.tables().await.unwrap(), ["Quoted"], "{store}");
    }
}

#[tokio::test]
async fn tables_are_listed_sorted_and_views_are_not_among_them() {
    for (store, engine) in engines() {
        for sql in [
            "CREATE TABLE b (a INT)",
            "CREATE TABLE c (a INT)",
            "CREATE TABLE a (a INT)",
            "CREATE VIEW v AS SELECT 1 AS x",
        ] {
            run(&engine, sql).await;
        }
        assert_eq!(engine.tables().await.unwrap(), ["a", "b", "c"], "{store}");
        engine.drop_table("b").await.unwrap();
        assert_eq!(engine.tables().await.unwrap(), ["a", "c"], "{store}");
        assert!(
            !engine.table_exists("v").await.unwrap() && !engine.table_exists("b").await.unwrap(),
            "{store}"
        );
        let expected = schema(&[("a", DataType::Int32, true)]);
        assert_eq!(engine.table_schema("a").await.unwrap(), expected, "{store}");
    }
}

#[tokio::test]
async fn a_column_added_is_null_in_old_rows_and_one_dropped_never_comes_back() {
    for (store, engine) in engines() {
        table(&engine).await;
        engine.add_column("t", "s", &DataType::Utf8).await.unwrap();
        assert_eq!(run(&engine, "INSERT INTO t VALUES (4, 40, 'new')").await, 1);
        let all = "SELECT * FROM t ORDER BY id";
        assert_eq!(
            rows(&engine, all).await,
            [
                "1 | 10 | NULL",
                "2 | 20 | NULL",
                "3 | NULL | NULL",
                "4 | 40 | new"
            ],
            "{store}"
        );
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t WHERE s IS NULL").await,
            3,
            "{store}"
        );
        engine.drop_column("t", "n").await.unwrap();
        assert!(
            refused(&engine, "SELECT n FROM t")
                .await
                .to_string()
                .contains("No field named"),
            "{store}"
        );
        engine.add_column("t", "n", &DataType::Int64).await.unwrap();
        assert_eq!(
            rows(&engine, "SELECT count(n), count(*) FROM t").await,
            ["0 | 4"],
            "{store}"
        );
        assert_eq!(
            run(&engine, "UPDATE t SET n = 1 WHERE n IS NULL").await,
            4,
            "{store}"
        );
        engine.drop_column("t", "n").await.unwrap();
        engine.add_column("t", "n", &DataType::Utf8).await.unwrap();
        assert_eq!(
            rows(&engine, "SELECT id, s, n FROM t ORDER BY id").await[3],
            "4 | new | NULL",
            "{store}"
        );
        engine
            .add_column("t", "n", &DataType::Utf8)
            .await
            .unwrap_err();
        let key = engine.drop_column("t", "id").await.unwrap_err();
        assert!(key.to_string().contains("PRIMARY KEY"), "{store}: {key}");
    }
}

#[tokio::test]
async fn a_renamed_column_and_a_renamed_table_keep_their_rows() {
    for (store, engine) in engines() {
        table(&engine).await;
        run(&engine, "ALTER TABLE t RENAME COLUMN n TO amount").await;
        run(&engine, "ALTER TABLE t RENAME TO account").await;
        assert_eq!(
            run(
                &engine,
                "UPDATE account SET amount = amount + 1 WHERE amount = 20"
            )
            .await,
            1
        );
        let all = rows(&engine, "SELECT id, amount FROM account ORDER BY id").await;
        assert_eq!(all, ["1 | 10", "2 | 21", "3 | NULL"], "{store}");
        assert!(!engine.table_exists("t").await.unwrap(), "{store}");
        refused(&engine, "SELECT n FROM account").await;
        run(&engine, "ALTER TABLE account RENAME COLUMN id TO pk").await;
        let upsert = "INSERT INTO account VALUES (1, 5) ON CONFLICT (pk) DO UPDATE SET amount = excluded.amount";
        assert_eq!(run(&engine, upsert).await, 1);
        assert_eq!(
            rows(&engine, "SELECT * FROM account WHERE pk = 1").await,
            ["1 | 5"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn parameters_are_given_by_place_or_by_name() {
    for (store, engine) in engines() {
        table(&engine).await;
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
async fn parameters_that_are_missing_or_too_many_are_errors() {
    for (store, engine) in engines() {
        table(&engine).await;
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
        table(&engine).await;
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
        table(&engine).await;
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
        table(&engine).await;
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
        table(&engine).await;
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
        table(&engine).await;
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

#[tokio::test]
async fn a_session_context_reads_its_snapshot_and_writes_nothing() {
    for (store, engine) in engines() {
        table(&engine).await;
        let context = engine.session_context().await.unwrap();
        run(&engine, "UPDATE t SET n = 0").await;
        run(&engine, "CREATE TABLE later (a INT)").await;
        let frame = context
            .table("t")
            .await
            .unwrap()
            .filter(col("n").gt(lit(5)))
            .unwrap();
        assert_eq!(frame.clone().count().await.unwrap(), 2, "{store}");
        let sum = context
            .sql("SELECT sum(n) FROM t")
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
        assert_eq!(
            sum[0].column(0).as_primitive::<Int64Type>().value(0),
            30,
            "{store}"
        );
        assert!(context.table("later").await.is_err(), "{store}");
        let version = engine.version().await.unwrap();
        for sql in [
            "INSERT INTO t VALUES (9, 9)",
            "UPDATE t SET n = 7",
            "DELETE FROM t",
            "DELETE FROM t WHERE id = 1",
            "TRUNCATE TABLE t",
            "DROP TABLE t",
            "CREATE TABLE made (a INT)",
            "CREATE TABLE made AS SELECT 1 AS a",
            "CREATE VIEW made AS SELECT 1 AS a",
        ] {
            let result = match context.sql(sql).await {
                Ok(frame) => frame.collect().await,
                Err(error) => Err(error),
            };
            assert!(result.is_err(), "{store}: {sql} succeeded");
        }
        assert_eq!(frame.count().await.unwrap(), 2, "{store}");
        assert_eq!(engine.version().await.unwrap(), version, "{store}");
        assert_eq!(engine.tables().await.unwrap(), ["later", "t"], "{store}");
    }
}

#[tokio::test]
async fn a_registered_function_is_known_to_reads_and_writes() {
    for (store, engine) in engines() {
        table(&engine).await;
        let twice = |args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let doubled: Int64Array = arrays[0].as_primitive::<Int64Type>().unary(|n| n * 2);
            Ok(ColumnarValue::Array(Arc::new(doubled)))
        };
        refused(&engine, "SELECT twice(1)").await;
        let function = create_udf(
            "twice",
            vec![DataType::Int64],
            DataType::Int64,
            Volatility::Immutable,
            Arc::new(twice),
        );
        engine.register_udf(function).unwrap();
        assert_eq!(number(&engine, "SELECT twice(21)").await, 42, "{store}");
        assert_eq!(
            run(&engine, "UPDATE t SET n = twice(n) WHERE twice(id) = 4").await,
            1,
            "{store}"
        );
        assert_eq!(
            number(&engine, "SELECT n FROM t WHERE id = 2").await,
            40,
            "{store}"
        );
        let context = engine.session_context().await.unwrap();
        assert_eq!(
            render(
                &context
                    .sql("SELECT twice(4)")
                    .await
                    .unwrap()
                    .collect()
                    .await
                    .unwrap()
            ),
            ["8"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn clones_of_a_shared_engine_are_one_engine() {
    for (store, engine) in engines() {
        let clone: SharedDataFusionEngine = engine.clone();
        table(&clone).await;
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t").await,
            3,
            "{store}"
        );
        run(&clone, "PREPARE p AS SELECT count(*) FROM t").await;
        drop(clone);
        assert_eq!(number(&engine, "EXECUTE p").await, 3, "{store}");
        assert!(
            !engine.supports_transactions() && !engine.0.supports_transactions(),
            "{store}"
        );
    }
}

#[tokio::test]
async fn engines_are_in_memory_by_default_and_apart() {
    let made = [
        DataFusionEngine::new(),
        DataFusionEngine::default(),
        DataFusionEngine::with_storage(StorageMode::default()).unwrap(),
    ];
    for engine in &made {
        assert_eq!(*engine.storage_mode(), StorageMode::InMemory);
        assert!(engine.tables().await.unwrap().is_empty());
        table(engine).await;
    }
    assert_eq!(
        *SharedDataFusionEngine::default().storage_mode(),
        StorageMode::InMemory
    );
}

#[test]
fn a_limit_of_zero_is_refused() {
    let zero = [
        (
            "target_partitions",
            EngineBuilder::new().target_partitions(0),
        ),
        ("batch_size_rows", EngineBuilder::new().batch_size_rows(0)),
        (
            "memory_limit_bytes",
            EngineBuilder::new().memory_limit_bytes(0),
        ),
        ("max_sql_bytes", EngineBuilder::new().max_sql_bytes(0)),
        ("max_chain", EngineBuilder::new().max_chain(0)),
        ("max_plan_nodes", EngineBuilder::new().max_plan_nodes(0)),
        (
            "statement_timeout",
            EngineBuilder::new().statement_timeout(Duration::ZERO),
        ),
    ];
    let mut accepted = Vec::new();
    for (limit, builder) in zero {
        match builder.build() {
            Ok(_) => accepted.push(limit),
            Err(error) => assert!(
                error.kind() == ErrorKind::Invalid && error.to_string().contains(limit),
                "{error}"
            ),
        }
    }
    assert!(accepted.is_empty(), "zero was accepted for {accepted:?}");
}

#[test]
fn a_storage_that_this_version_has_not_is_refused_by_name_and_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("data");
    for url in [
        place.display().to_string(),
        format!("file://{}", place.display()),
    ] {
        let error =
            DataFusionEngine::with_storage(StorageMode::Vortex { url: url.clone() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(
            error.to_string().contains("Vortex") && error.to_string().contains(&url),
            "{error}"
        );
    }
    assert!(!place.exists());
    for url in ["", "ftp://host/x", "gs://bucket/x"] {
        let error = DataFusionEngine::with_storage(StorageMode::Vortex {
            url: url.to_string(),
        })
        .unwrap_err();
        assert!(
            matches!(error, DfOlapError::StorageConfig(_)),
            "{url}: {error:?}"
        );
        assert!(error.to_string().contains(url), "{error}");
    }
}
