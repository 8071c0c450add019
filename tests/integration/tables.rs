//! Tables and their columns through the API: create, list, find, alter, rename.

use std::sync::Arc;

use rhei_datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use rhei_datafusion::{DfOlapError, ErrorKind, OlapEngine};

use crate::common::{engines, number, pairs, refused, rows, run, small_table};

fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
    let fields = fields
        .iter()
        .map(|(name, data_type, nullable)| Field::new(*name, data_type.clone(), *nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn key(columns: &[&str]) -> Vec<String> {
    columns.iter().map(ToString::to_string).collect()
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
        // Key columns are NOT NULL, even where the schema allows NULL.
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
        small_table(&engine).await;
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
        small_table(&engine).await;
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
        small_table(&engine).await;
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
