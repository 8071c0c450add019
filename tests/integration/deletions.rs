//! Deletion vectors in DataFusion: statistics, counts, and rows that stay deleted.

use std::sync::Arc;

use rhei_datafusion::arrow::datatypes::{DataType, Field, Schema};
use rhei_datafusion::{OlapEngine, SharedDataFusionEngine};

use crate::common::{engines, number, pairs, rows, run};

const NOTHING: [&str; 0] = [];

/// 200,000 rows in several fragments, some of them deleted, in a table with or without a key.
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
        // A plain INSERT does not check the key.
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
