//! Bugs of an earlier version of this crate, and the statements that its users send.

use std::sync::Arc;

use rhei_datafusion::OlapEngine;
use rhei_datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use crate::common::{engines, number, refused, rows, run};
use crate::traps::tables;

#[tokio::test]
async fn null_is_stored_as_null_and_a_quote_as_a_quote() {
    for (store, engine) in engines() {
        tables(&engine).await;
        assert_eq!(run(&engine, "UPDATE t SET s = NULL WHERE id = 1").await, 1);
        assert_eq!(
            run(&engine, "UPDATE t SET s = 'NULL' WHERE id = 2").await,
            1
        );
        assert_eq!(
            run(&engine, "UPDATE t SET s = 'O''Brien' WHERE id = 4").await,
            1
        );
        assert_eq!(
            rows(&engine, "SELECT id FROM t WHERE s IS NULL ORDER BY id").await,
            ["1", "3"],
            "{store}"
        );
        assert_eq!(
            rows(&engine, "SELECT id FROM t WHERE s = 'NULL'").await,
            ["2"],
            "{store}"
        );
        assert_eq!(
            run(&engine, "UPDATE t SET n = 1 WHERE s = 'O''Brien'").await,
            1,
            "{store}"
        );
        assert_eq!(
            run(&engine, "DELETE FROM t WHERE s = 'O''Brien'").await,
            1,
            "{store}"
        );
    }
}

#[tokio::test]
async fn columns_of_every_type_can_be_updated() {
    for (store, engine) in engines() {
        let types = [
            ("i", "INT", "7"),
            ("d", "DATE", "DATE '2024-02-29'"),
            ("ts", "TIMESTAMP", "TIMESTAMP '2024-02-29T01:02:03'"),
            ("dec", "DECIMAL(10, 2)", "12.34"),
            ("b", "BOOLEAN", "true"),
            ("f", "DOUBLE", "1.5"),
            ("sm", "SMALLINT", "-3"),
            ("bin", "BYTEA", "X'00ff'"),
            ("txt", "TEXT", "'x'"),
        ];
        let columns: Vec<String> = types
            .iter()
            .map(|(name, sql, _)| format!("{name} {sql}"))
            .collect();
        run(
            &engine,
            &format!("CREATE TABLE t (id INT, {})", columns.join(", ")),
        )
        .await;
        run(&engine, "INSERT INTO t (id) VALUES (1), (2)").await;
        for (name, _, value) in types {
            assert_eq!(
                run(
                    &engine,
                    &format!("UPDATE t SET {name} = {value} WHERE id = 1")
                )
                .await,
                1,
                "{store}: {name}"
            );
            let found = format!("SELECT count(*) FROM t WHERE {name} = {value} AND id = 1");
            assert_eq!(number(&engine, &found).await, 1, "{store}: {name}");
        }
        let all: Vec<&str> = types.iter().map(|(name, ..)| *name).collect();
        let left = rows(
            &engine,
            &format!("SELECT {} FROM t WHERE id = 2", all.join(", ")),
        )
        .await;
        assert_eq!(left, [["NULL"; 9].join(" | ")], "{store}");
    }
}

#[tokio::test]
async fn clauses_of_insert_are_done_and_never_ignored() {
    for (store, engine) in engines() {
        run(
            &engine,
            "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT DEFAULT 7)",
        )
        .await;
        assert_eq!(
            run(&engine, "INSERT INTO t (id) VALUES (1)").await,
            1,
            "{store}"
        );
        assert_eq!(
            run(&engine, "INSERT INTO t (n, id) SELECT 20, 2").await,
            1,
            "{store}"
        );
        assert_eq!(
            run(
                &engine,
                "INSERT INTO t VALUES (1, 0), (3, 30) ON CONFLICT DO NOTHING"
            )
            .await,
            1,
            "{store}"
        );
        assert_eq!(
            rows(&engine, "INSERT INTO t VALUES (4, 40) RETURNING n, id").await,
            ["40 | 4"],
            "{store}"
        );
        assert_eq!(
            run(
                &engine,
                "INSERT INTO t SELECT id + 10, n FROM t ORDER BY id LIMIT 2"
            )
            .await,
            2,
            "{store}"
        );
        let all = rows(&engine, "SELECT * FROM t ORDER BY id").await;
        assert_eq!(
            all,
            ["1 | 7", "2 | 20", "3 | 30", "4 | 40", "11 | 7", "12 | 20"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn a_write_behind_a_comment_or_a_cte_is_done_and_counted() {
    for (store, engine) in engines() {
        tables(&engine).await;
        assert_eq!(
            run(&engine, "-- add\nINSERT INTO s VALUES (6, 600)").await,
            1,
            "{store}"
        );
        assert_eq!(
            run(&engine, "/* add */ INSERT INTO s VALUES (7, 700)").await,
            1,
            "{store}"
        );
        assert_eq!(
            run(
                &engine,
                "WITH x AS (SELECT 8 AS id) INSERT INTO s SELECT id, 800 FROM x"
            )
            .await,
            1,
            "{store}"
        );
        assert_eq!(
            run(
                &engine,
                "WITH x AS (SELECT 1 AS id) UPDATE t SET n = 0 WHERE id IN (SELECT id FROM x)"
            )
            .await,
            1
        );
        assert_eq!(
            run(
                &engine,
                "WITH x AS (SELECT 5 AS id) DELETE FROM t WHERE id IN (SELECT id FROM x)"
            )
            .await,
            1
        );
        assert_eq!(
            run(&engine, "  \n\t UPDATE t SET n = 1 WHERE id = 1;").await,
            1,
            "{store}"
        );
        assert_eq!(
            rows(&engine, "SELECT count(*), sum(n) FROM t").await,
            ["4 | 61"],
            "{store}"
        );
        assert_eq!(
            rows(&engine, "SELECT count(*), sum(id) FROM s").await,
            ["5 | 27"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn a_write_that_fails_leaves_the_table_as_it_was() {
    for (store, engine) in engines() {
        tables(&engine).await;
        for sql in [
            "UPDATE t SET n = 1 / (id - 3)",
            "UPDATE t SET n = CAST(s AS BIGINT)",
            "DELETE FROM t WHERE 1 / (id - 5) > 0",
            "INSERT OVERWRITE t SELECT id, 1 / (id - 2), 'x' FROM t",
            "CREATE OR REPLACE TABLE t AS SELECT 1 / (id - 2) AS x FROM t",
            "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = 1 / (s.id - 4)",
        ] {
            refused(&engine, sql).await;
            assert_eq!(
                rows(&engine, "SELECT count(*), sum(n) FROM t").await,
                ["5 | 120"],
                "{store}: {sql}"
            );
        }
    }
}

#[tokio::test]
async fn the_statements_of_a_temporal_sync_keep_one_open_version_of_a_row() {
    let valid = |name| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), true);
    let fields = vec![
        Field::new("pk", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
        valid("_rhei_valid_from"),
        valid("_rhei_valid_to"),
        Field::new("_rhei_operation", DataType::Utf8, true),
    ];
    for (store, engine) in engines() {
        engine
            .create_table("t", &Arc::new(Schema::new(fields.clone())), &[])
            .await
            .unwrap();
        for (second, name) in ["one", "O''Brien", "three"].iter().enumerate() {
            let now = format!("TIMESTAMP '2024-01-01T00:00:0{second}.000001'");
            let columns = "pk, name, _rhei_valid_from, _rhei_valid_to, _rhei_operation";
            let insert =
                format!("INSERT INTO t ({columns}) VALUES (1, '{name}', {now}, NULL, 'UPDATE')");
            let version = engine.version().await.unwrap();
            run(&engine, &format!("EXPLAIN {insert}")).await;
            assert_eq!(engine.version().await.unwrap(), version, "{store}");
            let close = format!(
                "UPDATE t SET _rhei_valid_to = {now} WHERE pk = 1 AND _rhei_valid_to IS NULL"
            );
            assert_eq!(run(&engine, &close).await, u64::from(second > 0), "{store}");
            assert_eq!(run(&engine, &insert).await, 1, "{store}");
        }
        // Microseconds as a plain number, as some clients send them.
        let close = "UPDATE t SET _rhei_valid_to = to_timestamp_micros(1704067209000000) WHERE pk = 1 AND _rhei_valid_to IS NULL";
        assert_eq!(run(&engine, close).await, 1, "{store}");
        assert_eq!(run(&engine, close).await, 0, "{store}");
        let history = rows(
            &engine,
            "SELECT name, _rhei_valid_from, _rhei_valid_to FROM t ORDER BY _rhei_valid_from",
        )
        .await;
        assert_eq!(
            history,
            [
                "one | 2024-01-01T00:00:00.000001 | 2024-01-01T00:00:01.000001",
                "O'Brien | 2024-01-01T00:00:01.000001 | 2024-01-01T00:00:02.000001",
                "three | 2024-01-01T00:00:02.000001 | 2024-01-01T00:00:09",
            ],
            "{store}"
        );
        // The error for an event with an unknown column differs from that of a failing event.
        let dry = "EXPLAIN INSERT INTO t (pk, gone) VALUES (1, 2)";
        assert!(
            refused(&engine, dry)
                .await
                .to_string()
                .contains("No field named"),
            "{store}"
        );
    }
}
