//! Mistakes that engines like this one are known to make, each with the claim that it is not made here.
//!
//! First what DataFusion's own DML hooks lose, then what an earlier version of this crate did, then what others met who put
//! deletion vectors under DataFusion. Races are in `isolation.rs` and `races.rs`, what EXPLAIN leaves alone also in `api.rs`.

use std::sync::Arc;

use rhei_datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use rhei_datafusion::{DataFusionEngine, ErrorKind, OlapEngine, SharedDataFusionEngine};

use crate::common::{engines, number, pairs, refused, rows, run};

const NOTHING: [&str; 0] = [];

/// Five rows `(id, n, s)`, and `s` with the ids 2 and 4.
async fn tables(engine: &DataFusionEngine) {
    run(engine, "CREATE TABLE t (id BIGINT, n BIGINT, s TEXT)").await;
    run(engine, "INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, NULL, NULL), (4, 40, 'd'), (5, 50, 'e')").await;
    run(engine, "CREATE TABLE s (id BIGINT, n BIGINT)").await;
    run(engine, "INSERT INTO s VALUES (2, 200), (4, 400)").await;
}

async fn ids(engine: &DataFusionEngine) -> String {
    rows(engine, "SELECT id FROM t ORDER BY id").await.join(" ")
}

/// Runs a DELETE on the five rows: how many it counts, and which it leaves.
async fn delete_leaves(sql: &str, count: u64, left: &str) {
    for (store, engine) in engines() {
        tables(&engine).await;
        assert_eq!(run(&engine, sql).await, count, "{store}: {sql}");
        assert_eq!(ids(&engine).await, left, "{store}: {sql}");
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t").await,
            5 - count as i64,
            "{store}: {sql}"
        );
    }
}

#[tokio::test]
async fn a_delete_whose_condition_is_a_subquery_spares_the_rows_that_it_does_not_name() {
    delete_leaves("DELETE FROM t WHERE id IN (SELECT id FROM s)", 2, "1 3 5").await;
    delete_leaves("DELETE FROM t WHERE id NOT IN (SELECT id FROM s)", 3, "2 4").await;
    delete_leaves(
        "DELETE FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.id = t.id)",
        2,
        "1 3 5",
    )
    .await;
    delete_leaves(
        "DELETE FROM t WHERE NOT EXISTS (SELECT 1 FROM s WHERE s.id = t.id)",
        3,
        "2 4",
    )
    .await;
    delete_leaves(
        "DELETE FROM t WHERE id IN (SELECT id FROM s WHERE s.n > 300)",
        1,
        "1 2 3 5",
    )
    .await;
    delete_leaves(
        "DELETE FROM t WHERE id IN (SELECT id FROM s WHERE false)",
        0,
        "1 2 3 4 5",
    )
    .await;
    delete_leaves(
        "DELETE FROM t WHERE n = (SELECT max(n) FROM t)",
        1,
        "1 2 3 4",
    )
    .await;
    delete_leaves(
        "DELETE FROM t WHERE n > (SELECT avg(n) FROM t) OR id IN (SELECT id FROM s)",
        3,
        "1 3",
    )
    .await;
    // NOT IN a list with a NULL is never true.
    delete_leaves(
        "DELETE FROM t WHERE id NOT IN (SELECT n FROM t)",
        0,
        "1 2 3 4 5",
    )
    .await;
}

#[tokio::test]
async fn an_update_whose_condition_is_a_subquery_spares_the_rows_that_it_does_not_name() {
    for (store, engine) in engines() {
        tables(&engine).await;
        assert_eq!(
            run(&engine, "UPDATE t SET n = 0 WHERE id IN (SELECT id FROM s)").await,
            2,
            "{store}"
        );
        let update = "UPDATE t SET n = (SELECT max(s.n) FROM s WHERE s.id = t.id) WHERE EXISTS (SELECT 1 FROM s WHERE s.id = t.id + 1)";
        assert_eq!(run(&engine, update).await, 2, "{store}");
        let left = rows(&engine, "SELECT id, n FROM t ORDER BY id").await;
        assert_eq!(
            left,
            ["1 | NULL", "2 | 0", "3 | NULL", "4 | 0", "5 | 50"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn a_condition_that_is_never_true_touches_no_row() {
    for never in [
        "false",
        "1 = 2",
        "NULL",
        "n = NULL",
        "n <> NULL",
        "id < 1 AND id > 5",
        "n IS NULL AND n > 0",
        "s = 'a' AND s = 'b'",
    ] {
        delete_leaves(&format!("DELETE FROM t WHERE {never}"), 0, "1 2 3 4 5").await;
        for (store, engine) in engines() {
            tables(&engine).await;
            assert_eq!(
                run(&engine, &format!("UPDATE t SET n = 0 WHERE {never}")).await,
                0,
                "{store}: {never}"
            );
            assert_eq!(
                number(&engine, "SELECT sum(n) FROM t").await,
                120,
                "{store}: {never}"
            );
        }
    }
    delete_leaves("DELETE FROM t WHERE true", 5, "").await;
    delete_leaves("DELETE FROM t", 5, "").await;
}

/// Deletes by each condition; told together is what else than `left` was left.
async fn deletes_leave(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (condition, left) in cases {
        for (store, engine) in engines() {
            tables(&engine).await;
            let deleted = engine
                .execute(&format!("DELETE FROM t WHERE {condition}"))
                .await;
            let ids = ids(&engine).await;
            if ids != *left {
                wrong.push(format!(
                    "{store}: {condition}: {deleted:?}, left {ids:?} and not {left:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_condition_on_null_that_is_neither_true_nor_false_spares_the_row() {
    deletes_leave(&[
        ("n NOT IN (10) OR n NOT IN (20, 30)", "3"),
        ("NOT (n IN (10) AND n IN (20))", "3"),
        ("NOT (n IN (10, 20) AND n NOT IN (10, 20, 30))", "3"),
        ("(n IN (10, 20) AND n IN (30, 40)) IS NULL", "1 2 4 5"),
        ("n ^ n = 0", "3"),
        ("NOT (s ~ '.*')", "1 2 3 4 5"),
        ("NOT (s LIKE '%')", "1 2 3 4 5"),
        ("n = n", "3"),
        ("NOT (n = 10 AND n = 20)", "3"),
        ("n >= 10 OR n < 10", "3"),
        ("n * 0 = 0", "3"),
        ("NOT (n BETWEEN 50 AND 10)", "3"),
    ])
    .await;
}

#[tokio::test]
async fn not_in_a_subquery_with_a_null_is_never_true() {
    deletes_leave(&[
        ("id NOT IN (SELECT n FROM t)", "1 2 3 4 5"),
        ("NOT (id IN (SELECT n FROM t))", "1 2 3 4 5"),
        ("n NOT IN (SELECT n FROM s)", "3"),
        ("n NOT IN (SELECT n FROM s WHERE false)", ""),
        ("3 NOT IN (SELECT n FROM t)", "1 2 3 4 5"),
        ("NOT (3 IN (SELECT n FROM t))", "1 2 3 4 5"),
        ("3 NOT IN (SELECT x.n FROM t AS x WHERE x.id = t.id)", "3"),
    ])
    .await;
}

#[tokio::test]
async fn a_limit_on_a_write_is_refused_and_never_dropped() {
    for sql in [
        "DELETE FROM t LIMIT 1",
        "DELETE FROM t ORDER BY id LIMIT 1",
        "UPDATE t SET n = 0 LIMIT 1",
        "WITH x AS (SELECT 1) DELETE FROM t LIMIT 1",
    ] {
        for (store, engine) in engines() {
            tables(&engine).await;
            refused(&engine, sql).await;
            assert_eq!(
                number(&engine, "SELECT sum(n) FROM t").await,
                120,
                "{store}: {sql}"
            );
        }
    }
}

#[tokio::test]
async fn explaining_or_preparing_a_write_writes_nothing() {
    for (store, engine) in engines() {
        tables(&engine).await;
        for sql in [
            "DELETE FROM t",
            "UPDATE t SET n = 0",
            "TRUNCATE TABLE t",
            "INSERT INTO t SELECT * FROM t",
        ] {
            let _ = engine.query(&format!("EXPLAIN {sql}")).await;
            let _ = engine.query(&format!("EXPLAIN ANALYZE {sql}")).await;
            run(&engine, &format!("PREPARE p AS {sql}")).await;
            run(&engine, "DEALLOCATE p").await;
            // Planned, started, never read.
            drop(engine.query_stream(&format!("EXPLAIN ANALYZE {sql}")).await);
            assert_eq!(
                rows(&engine, "SELECT count(*), sum(n) FROM t").await,
                ["5 | 120"],
                "{store}: {sql}"
            );
        }
    }
}

#[tokio::test]
async fn a_condition_over_two_tables_is_kept_whole_and_its_qualifiers_too() {
    delete_leaves(
        "DELETE FROM t USING s WHERE t.id = s.id AND s.n > 300",
        1,
        "1 2 3 5",
    )
    .await;
    delete_leaves(
        "DELETE FROM t USING s WHERE t.id < s.id AND s.id = 4 AND t.n > 10",
        1,
        "1 3 4 5",
    )
    .await;
    delete_leaves(
        "DELETE FROM t USING s AS x JOIN s AS y ON x.id < y.id WHERE t.id = x.id",
        1,
        "1 3 4 5",
    )
    .await;
    // `n` of the other table, not of the target.
    delete_leaves(
        "DELETE FROM t USING s WHERE t.id = s.id AND s.n = 200",
        1,
        "1 3 4 5",
    )
    .await;
    for (store, engine) in engines() {
        tables(&engine).await;
        assert_eq!(
            run(
                &engine,
                "UPDATE t SET n = s.n + t.n FROM s WHERE s.id = t.id AND s.n < 300"
            )
            .await,
            1,
            "{store}"
        );
        assert_eq!(run(&engine, "UPDATE t AS target SET n = other.n FROM t AS other WHERE other.id = target.id + 1 AND target.id = 4").await, 1);
        let left = rows(&engine, "SELECT id, n FROM t ORDER BY id").await;
        assert_eq!(
            left,
            ["1 | 10", "2 | 220", "3 | NULL", "4 | 50", "5 | 50"],
            "{store}"
        );
        let twice = refused(&engine, "UPDATE t SET n = s.n FROM s WHERE t.id < s.id").await;
        assert_eq!(twice.kind(), ErrorKind::Invalid, "{store}");
    }
}

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
async fn any_condition_works_not_only_column_equals_literal() {
    for (condition, count, left) in [
        ("n > 10 OR s = 'a'", 4, "3"),
        ("NOT (n = 10)", 3, "1 3"),
        ("n BETWEEN 20 AND 40", 2, "1 3 5"),
        ("s LIKE '%b%'", 1, "1 3 4 5"),
        ("id IN (1, 5)", 2, "2 3 4"),
        ("n + id = 22", 1, "1 3 4 5"),
        ("upper(s) = 'D'", 1, "1 2 3 5"),
        ("CASE WHEN id = 3 THEN true ELSE n = 50 END", 2, "1 2 4"),
        ("10 = n", 1, "2 3 4 5"),
        ("coalesce(n, 0) = 0", 1, "1 2 4 5"),
        ("n IS DISTINCT FROM 10", 4, "1"),
    ] {
        delete_leaves(&format!("DELETE FROM t WHERE {condition}"), count, left).await;
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

/// 200,000 rows in several fragments, some of them deleted, by a table with or without a key.
async fn with_deletions(engine: &SharedDataFusionEngine, key: &[String]) {
    let fields = [
        Field::new("id", DataType::Int64, false),
        Field::new("n", DataType::Int64, true),
    ];
    engine
        .create_table("t", &Arc::new(Schema::new(fields.to_vec())), key)
        .await
        .unwrap();
    for part in 0..4 {
        let ids = part * 50_000..(part + 1) * 50_000;
        engine
            .load_arrow("t", &[pairs(ids.map(|id| (id, id % 100)))])
            .await
            .unwrap();
    }
    assert_eq!(run(engine, "DELETE FROM t WHERE id % 10 = 3").await, 20_000);
    assert_eq!(run(engine, "DELETE FROM t WHERE id < 10").await, 9);
    assert_eq!(run(engine, "DELETE FROM t WHERE id >= 199990").await, 9);
}

#[tokio::test]
async fn what_statistics_could_answer_is_right_after_deletes() {
    for key in [vec![], vec!["id".to_string()]] {
        for (store, engine) in engines() {
            with_deletions(&engine, &key).await;
            for (sql, expected) in [
                ("SELECT count(*) FROM t", "179982"),
                (
                    "SELECT count(1), count(n), count(id) FROM t",
                    "179982 | 179982 | 179982",
                ),
                ("SELECT min(id), max(id) FROM t", "10 | 199989"),
                ("SELECT count(*) FROM t WHERE id % 10 = 3", "0"),
                ("SELECT count(*) FROM t WHERE n = 3", "0"),
                ("SELECT count(*) FROM t WHERE id < 20", "9"),
                (
                    "SELECT count(*) FROM (SELECT * FROM t LIMIT 199000)",
                    "179982",
                ),
                ("SELECT count(*) FROM (SELECT 1 FROM t LIMIT 5)", "5"),
                ("SELECT count(*) FROM (SELECT * FROM t OFFSET 179980)", "2"),
                ("SELECT count(*) FROM t a JOIN t b ON a.id = b.id", "179982"),
                (
                    "SELECT count(*) FROM t WHERE EXISTS (SELECT 1 FROM t WHERE id = 3)",
                    "0",
                ),
                (
                    "SELECT (SELECT count(*) FROM t) - (SELECT count(DISTINCT id) FROM t)",
                    "0",
                ),
            ] {
                assert_eq!(rows(&engine, sql).await, [expected], "{store}: {sql}");
            }
            assert_eq!(
                rows(&engine, "SELECT * FROM t WHERE id = 13").await,
                NOTHING,
                "{store}"
            );
        }
    }
}

#[tokio::test]
async fn a_delete_reports_the_rows_that_it_removed_whatever_way_it_took() {
    for key in [vec![], vec!["id".to_string()]] {
        for (store, engine) in engines() {
            with_deletions(&engine, &key).await;
            for (sql, count) in [
                ("DELETE FROM t WHERE id = 13", 0),
                ("DELETE FROM t WHERE id = 14", 1),
                ("DELETE FROM t WHERE id = 14", 0),
                ("DELETE FROM t WHERE id IN (11, 12, 13, 14)", 2),
                ("DELETE FROM t WHERE id BETWEEN 49990 AND 50009", 18),
                (
                    "DELETE FROM t USING (VALUES (20), (20), (21)) AS x(id) WHERE t.id = x.id",
                    2,
                ),
                ("UPDATE t SET n = -1 WHERE id BETWEEN 100 AND 109", 9),
                ("DELETE FROM t WHERE n = -1", 9),
                ("DELETE FROM t WHERE id > 100000", 89_990),
                ("DELETE FROM t", 89_960),
                ("DELETE FROM t", 0),
            ] {
                assert_eq!(run(&engine, sql).await, count, "{store}: {sql}");
            }
            assert_eq!(
                number(&engine, "SELECT count(*) FROM t").await,
                0,
                "{store}"
            );
        }
    }
}

#[tokio::test]
async fn equal_rows_of_a_table_without_a_key_are_told_apart() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
        for _ in 0..3 {
            run(
                &engine,
                "INSERT INTO t VALUES (1, 1), (1, 1), (2, NULL), (2, NULL)",
            )
            .await;
        }
        assert_eq!(
            run(&engine, "UPDATE t SET n = 5 WHERE id = 1").await,
            6,
            "{store}"
        );
        assert_eq!(
            run(&engine, "DELETE FROM t WHERE n IS NULL").await,
            6,
            "{store}"
        );
        assert_eq!(
            run(&engine, "INSERT INTO t VALUES (1, 5)").await,
            1,
            "{store}"
        );
        assert_eq!(
            rows(&engine, "SELECT id, n, count(*) FROM t GROUP BY id, n").await,
            ["1 | 5 | 7"],
            "{store}"
        );
        assert_eq!(
            run(&engine, "DELETE FROM t WHERE n = 5").await,
            7,
            "{store}"
        );
    }
}

#[tokio::test]
async fn replacing_a_key_that_several_rows_hold_leaves_one_row() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
        // A plain INSERT does not look at the key.
        assert_eq!(
            run(&engine, "INSERT INTO t VALUES (1, 1), (1, 2), (2, 2)").await,
            3
        );
        assert_eq!(
            run(&engine, "INSERT OR REPLACE INTO t VALUES (1, 9), (3, 9)").await,
            2,
            "{store}"
        );
        assert_eq!(
            rows(&engine, "SELECT * FROM t ORDER BY id, n").await,
            ["1 | 9", "2 | 2", "3 | 9"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn deleted_rows_stay_deleted_when_their_values_come_again() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
        for round in 0..40 {
            assert_eq!(
                run(
                    &engine,
                    &format!("INSERT INTO t VALUES (1, {round}), (2, {round})")
                )
                .await,
                2
            );
            assert_eq!(
                rows(&engine, "SELECT count(*), min(n), max(n) FROM t").await,
                [format!("2 | {round} | {round}")],
                "{store}"
            );
            assert_eq!(
                run(&engine, &format!("DELETE FROM t WHERE n = {round}")).await,
                2,
                "{store}"
            );
            assert_eq!(
                number(&engine, "SELECT count(*) FROM t").await,
                0,
                "{store}"
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
        // Microseconds as a plain number, as some senders write them.
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
        // An event with a column that the table has not is told from one that fails.
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
