//! Rows that DataFusion's own DML hooks lose, and NULLs that its optimizer ignores: tests that this engine does
//! neither.
//!
//! Bugs of an earlier version of this crate are in `earlier_version.rs`, deletion vectors in `deletions.rs`, races in
//! `isolation.rs` and `races.rs`, further tests of EXPLAIN without effect in `statements.rs`.

use rhei_datafusion::{DataFusionEngine, ErrorKind, OlapEngine};

use crate::common::{engines, number, refused, rows, run};

/// Table `t` with five rows `(id, n, s)`, and table `s` with the ids 2 and 4.
pub async fn tables(engine: &DataFusionEngine) {
    run(engine, "CREATE TABLE t (id BIGINT, n BIGINT, s TEXT)").await;
    run(engine, "INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, NULL, NULL), (4, 40, 'd'), (5, 50, 'e')").await;
    run(engine, "CREATE TABLE s (id BIGINT, n BIGINT)").await;
    run(engine, "INSERT INTO s VALUES (2, 200), (4, 400)").await;
}

async fn ids(engine: &DataFusionEngine) -> String {
    rows(engine, "SELECT id FROM t ORDER BY id").await.join(" ")
}

/// Runs a DELETE on the five rows; checks its count and the ids that are left.
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

/// Runs a SELECT and a DELETE with each condition, alone and in a join; reports all cases with other rows than
/// expected.
async fn deletes_leave(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (condition, left) in cases {
        let spared: Vec<&str> = left.split(' ').collect();
        let found = ["1", "2", "3", "4", "5"];
        let found: Vec<&str> = found
            .into_iter()
            .filter(|id| !spared.contains(id))
            .collect();
        for join in ["", "USING (VALUES (1)) AS one(k)"] {
            for (store, engine) in engines() {
                tables(&engine).await;
                let from = join.replace("USING", ", ");
                let select = format!("SELECT t.id FROM t {from} WHERE {condition} ORDER BY t.id");
                let selected = rows(&engine, &select).await;
                if selected != found {
                    wrong.push(format!("{store}: {select}: {selected:?} and not {found:?}"));
                }
                let sql = format!("DELETE FROM t {join} WHERE {condition}");
                let deleted = engine.execute(&sql).await;
                let ids = ids(&engine).await;
                if ids != *left {
                    wrong.push(format!(
                        "{store}: {sql}: {deleted:?}, left {ids:?} and not {left:?}"
                    ));
                }
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
            // Planned and started, but never read.
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
