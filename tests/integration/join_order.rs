//! Joins run in the cheapest order, and rows that match no join are not passed on by the scan; the answers are those of
//! DataFusion, which does neither here.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rhei_datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use rhei_datafusion::datafusion::datasource::MemTable;
use rhei_datafusion::datafusion::prelude::SessionContext;
use rhei_datafusion::{DataFusionEngine, OlapEngine};

use crate::common::{engines, number, pairs, rows, run};
use crate::sql_file::render;

/// `(k, m, v, s)`: two keys with NULLs and duplicates, a number, a text.
fn table(rng: &mut StdRng, rows: usize, keys: i64) -> RecordBatch {
    let mut numbers = |below: i64, nulls: f64| -> Vec<Option<i64>> {
        (0..rows)
            .map(|_| (!rng.random_bool(nulls)).then(|| rng.random_range(0..below)))
            .collect()
    };
    let (k, m, v) = (numbers(keys, 0.05), numbers(7, 0.1), numbers(100, 0.0));
    let s = v.iter().map(|v| v.map(|v| format!("s{}", v % 9)));
    let s: StringArray = s.collect();
    let column = |values: Vec<Option<i64>>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let columns = [
        ("k", column(k)),
        ("m", column(m)),
        ("v", column(v)),
        ("s", Arc::new(s) as _),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

const TABLES: [(&str, usize, i64); 5] = [
    ("huge", 6000, 1500),
    ("large", 1500, 1500),
    ("middle", 300, 400),
    ("small", 40, 60),
    ("tiny", 5, 8),
];

/// A query over three to seven tables in any order, each joined to an earlier one, with conditions of all kinds.
fn query(rng: &mut StdRng) -> String {
    let count = rng.random_range(3..=7);
    let mut from = Vec::new();
    let mut conditions = Vec::new();
    for index in 0..count {
        // Few large tables: with `m` alone as key the row count multiplies.
        let (name, ..) = match index {
            0 => TABLES[rng.random_range(0..2)],
            _ => TABLES[rng.random_range(1..5)],
        };
        from.push(format!("{name} t{index}"));
        if index > 0 {
            let other = rng.random_range(0..index);
            conditions.push(format!("t{index}.k = t{other}.k"));
            if rng.random_bool(0.3) {
                conditions.push(format!("t{index}.m = t{other}.m"));
            }
        }
    }
    let any = |rng: &mut StdRng| format!("t{}", rng.random_range(0..count));
    for _ in 0..rng.random_range(0..4) {
        let (one, other, inner) = (any(rng), any(rng), TABLES[rng.random_range(0..5)].0);
        let limit = rng.random_range(0..100);
        let condition = [
            format!("{one}.v < {limit}"),
            format!("{one}.s <> 's{}'", limit % 9),
            format!("{one}.v <= {other}.v + {limit}"),
            format!("({one}.v < 50 AND {other}.m > 2 OR {one}.m = 1)"),
            format!("{one}.k IN (SELECT k FROM {inner} WHERE v < {limit})"),
            format!("{one}.m NOT IN (SELECT m FROM {inner} WHERE v < {limit} AND m IS NOT NULL)"),
            format!("{one}.m NOT IN (SELECT m FROM {inner} WHERE v < 3)"),
            format!("EXISTS (SELECT 1 FROM {inner} i WHERE i.k = {one}.k AND i.v <> {one}.v)"),
            format!("NOT EXISTS (SELECT 1 FROM {inner} i WHERE i.k = {one}.k AND i.m = {other}.m)"),
            format!("EXISTS (SELECT 1 FROM {inner} i WHERE i.v > {limit})"),
            format!("{one}.v > (SELECT avg(v) FROM {inner} i WHERE i.k = {one}.k)"),
        ];
        conditions.push(condition.choose(rng).unwrap().clone());
    }
    let (from, conditions) = (from.join(", "), conditions.join(" AND "));
    let sums: Vec<_> = (0..count).map(|index| format!("sum(t{index}.v)")).collect();
    let tail = match rng.random_bool(0.5) {
        true => "",
        false => " GROUP BY t0.m",
    };
    format!(
        "SELECT count(*), {} FROM {from} WHERE {conditions}{tail}",
        sums.join(", ")
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_joins_have_the_rows_that_datafusion_finds() {
    let seed = std::env::var("JOINS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random);
    println!("JOINS_SEED={seed}");
    let rng = &mut StdRng::seed_from_u64(seed);
    let peer = SessionContext::new();
    let engines = engines();
    for (name, rows, keys) in TABLES {
        let batch = table(rng, rows, keys);
        let kept = MemTable::try_new(batch.schema(), vec![vec![batch.clone()]]).unwrap();
        peer.register_table(name, Arc::new(kept)).unwrap();
        for (_, engine) in &engines {
            let schema = batch.schema();
            engine.create_table(name, &schema, &[]).await.unwrap();
            // Several fragments, with deleted rows in some.
            let cut = rows / 3;
            for piece in [batch.slice(0, cut), batch.slice(cut, rows - cut)] {
                engine.load_arrow(name, &[piece]).await.unwrap();
            }
            run(
                engine,
                &format!("INSERT INTO {name} SELECT k, m, 1000, s FROM {name} WHERE v < 5"),
            )
            .await;
            run(engine, &format!("DELETE FROM {name} WHERE v = 1000")).await;
        }
    }
    for _ in 0..60 {
        let sql = query(rng);
        let expected = peer.sql(&sql).await.unwrap().collect().await.unwrap();
        let mut expected = render(&expected);
        expected.sort();
        for (store, engine) in &engines {
            let mut found = rows(engine, &sql).await;
            found.sort();
            assert_eq!(found, expected, "{store}: {sql}");
        }
    }
}

/// Orders, their lines, and customers in a few groups: lines are the most rows, and few lines belong to the queried
/// group.
async fn shop(engine: &DataFusionEngine) {
    for (table, key) in [
        ("lines", "order_id"),
        ("orders", "customer_id"),
        ("customers", "group_id"),
    ] {
        run(
            engine,
            &format!("CREATE TABLE {table} (id BIGINT, {key} BIGINT)"),
        )
        .await;
    }
    run(engine, "CREATE TABLE groups (id BIGINT, name TEXT)").await;
    run(
        engine,
        "INSERT INTO lines SELECT value, value / 4 FROM range(80000)",
    )
    .await;
    run(
        engine,
        "INSERT INTO orders SELECT value, value / 10 FROM range(20000)",
    )
    .await;
    run(
        engine,
        "INSERT INTO customers SELECT value, value % 50 FROM range(2000)",
    )
    .await;
    run(
        engine,
        "INSERT INTO groups SELECT value, concat('g', value) FROM range(50)",
    )
    .await;
}

/// The lines of a query's physical plan.
async fn plan(engine: &DataFusionEngine, sql: &str) -> String {
    let all = rows(engine, &format!("EXPLAIN FORMAT INDENT {sql}")).await;
    let physical = all
        .iter()
        .find_map(|row| row.strip_prefix("physical_plan | "));
    physical.unwrap().replace("\\n", "\n")
}

#[tokio::test]
async fn the_order_of_the_text_does_not_matter() {
    for (store, engine) in engines() {
        shop(&engine).await;
        let tables = ["lines l", "orders o", "customers c", "groups g"];
        let rest = "WHERE l.order_id = o.id AND o.customer_id = c.id AND c.group_id = g.id AND g.name = 'g7'";
        let mut plans = Vec::new();
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [0, 3, 1, 2], [1, 0, 3, 2]] {
            let from = order.map(|table| tables[table]).join(", ");
            let sql = format!("SELECT count(*) FROM {from} {rest}");
            assert_eq!(number(&engine, &sql).await, 1600, "{store}: {sql}");
            let physical = plan(&engine, &sql).await;
            let joins: Vec<_> = physical
                .split(", on=[(")
                .skip(1)
                .map(|on| on.split(']').next().unwrap())
                .collect();
            let without_places = |on: &str| {
                on.chars()
                    .filter(|c| !c.is_ascii_digit())
                    .collect::<String>()
            };
            plans.push(joins.into_iter().map(without_places).collect::<Vec<_>>());
        }
        assert_eq!(plans[0].len(), 3, "{store}");
        // The largest table is joined last, so its join is at the top of the plan.
        assert!(plans[0][0].contains("order_id"), "{store}: {:?}", plans[0]);
        assert!(
            plans.iter().all(|plan| *plan == plans[0]),
            "{store}: {plans:#?}"
        );
    }
}

#[tokio::test]
async fn a_semi_join_that_keeps_little_is_made_first() {
    for (store, engine) in engines() {
        shop(&engine).await;
        let sql = "SELECT count(*) FROM customers c JOIN orders o ON c.id = o.customer_id JOIN lines l ON l.order_id = o.id \
                   WHERE o.id IN (SELECT id FROM groups)";
        assert_eq!(number(&engine, sql).await, 200, "{store}");
        let plan = plan(&engine, sql).await;
        let depth = |what: &str| {
            let line = plan.lines().rfind(|line| line.contains(what));
            let line = line.unwrap_or_else(|| panic!("{store}: no {what} in\n{plan}"));
            line.len() - line.trim_start().len()
        };
        assert!(depth("Semi") > depth("order_id"), "{store}:\n{plan}");
    }
}

/// The number of rows that reach the probe sides of a query's joins.
async fn probed(engine: &DataFusionEngine, sql: &str) -> u64 {
    let plan = rows(engine, &format!("EXPLAIN ANALYZE {sql}"))
        .await
        .join("\n");
    let counts = plan.split(", input_rows=").skip(1).map(|rest| {
        let text = rest
            .split([',', ']'])
            .next()
            .unwrap()
            .replace(" K", "e3")
            .replace(" M", "e6");
        text.trim()
            .parse::<f64>()
            .unwrap_or_else(|_| panic!("{text} in\n{plan}"))
    });
    counts.sum::<f64>() as u64
}

#[tokio::test]
async fn rows_that_no_join_wants_are_not_handed_over() {
    let engine = DataFusionEngine::new();
    run(&engine, "CREATE TABLE large (id BIGINT, n BIGINT)").await;
    engine
        .load_arrow(
            "large",
            &[pairs((0..200_000).map(|id| (id, id * 7919 % 1000)))],
        )
        .await
        .unwrap();
    run(&engine, "CREATE TABLE few (n BIGINT)").await;
    run(&engine, "INSERT INTO few VALUES (3), (500), (NULL)").await;
    // Matching rows spread over the whole table, and in one place.
    for (sql, found) in [
        (
            "SELECT count(*) FROM large JOIN few ON large.n = few.n",
            400,
        ),
        ("SELECT count(*) FROM large JOIN few ON large.id = few.n", 2),
        (
            "SELECT count(*) FROM large WHERE n IN (SELECT n FROM few)",
            400,
        ),
        (
            "SELECT count(*) FROM few, (SELECT n, count(*) FROM large GROUP BY n) l WHERE l.n = few.n",
            2,
        ),
    ] {
        assert_eq!(number(&engine, sql).await, found, "{sql}");
        let probed = probed(&engine, sql).await;
        assert!(probed <= 2 * found as u64 + 1100, "{sql}: {probed} rows");
    }
    // Where most rows match, the scan passes on all of them, and the answer is the same.
    run(&engine, "CREATE TABLE many (n BIGINT)").await;
    run(&engine, "INSERT INTO many SELECT value FROM range(900)").await;
    let sql = "SELECT count(*) FROM large JOIN many ON large.n = many.n";
    assert_eq!(number(&engine, sql).await, 180_000);
}

#[tokio::test]
async fn a_limit_below_a_join_counts_rows_that_the_join_does_not_want() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE large (id BIGINT, n BIGINT)").await;
        engine
            .load_arrow("large", &[pairs((0..100_000).map(|id| (id, id % 10)))])
            .await
            .unwrap();
        run(&engine, "CREATE TABLE few (n BIGINT)").await;
        run(&engine, "INSERT INTO few VALUES (3)").await;
        let sql = "SELECT count(*) FROM (SELECT * FROM large LIMIT 50) l JOIN few ON l.n = few.n";
        assert_eq!(number(&engine, sql).await, 5, "{store}");
    }
}

#[tokio::test]
async fn the_first_rows_of_an_order_are_found_over_many_fragments() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
        for piece in 0..20_i64 {
            let ids = piece * 1000..(piece + 1) * 1000;
            engine
                .load_arrow("t", &[pairs(ids.map(|id| (id, id * 31 % 20_000)))])
                .await
                .unwrap();
        }
        run(&engine, "DELETE FROM t WHERE id >= 19990 OR n < 3").await;
        for (sql, expected) in [
            (
                "SELECT id FROM t ORDER BY id DESC LIMIT 2",
                ["19989", "19988"],
            ),
            ("SELECT id FROM t ORDER BY id LIMIT 2", ["1", "2"]),
            ("SELECT n FROM t ORDER BY n LIMIT 2", ["3", "4"]),
            (
                "SELECT n FROM t ORDER BY n DESC LIMIT 2 OFFSET 1",
                ["19998", "19997"],
            ),
        ] {
            assert_eq!(rows(&engine, sql).await, expected, "{store}: {sql}");
        }
    }
}

#[tokio::test]
async fn a_condition_that_may_fail_is_not_asked_about_rows_that_are_out() {
    let engine = DataFusionEngine::new();
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    engine
        .load_arrow("t", &[pairs((0..10_000).map(|id| (id, id % 10)))])
        .await
        .unwrap();
    run(&engine, "DELETE FROM t WHERE id = 17").await;
    for (sql, found) in [
        ("SELECT count(*) FROM t WHERE n <> 0 AND 8 / n >= 4", 2000),
        (
            "SELECT count(*) FROM t WHERE n <> 0 AND id < 9990 AND id % n = 0 AND id > 100",
            4617,
        ),
        (
            "SELECT count(*) FROM t WHERE id <> 0 AND n = 9 AND 1000000 / id > 0",
            1000,
        ),
    ] {
        assert_eq!(number(&engine, sql).await, found, "{sql}");
    }
    let error = engine
        .query("SELECT count(*) FROM t WHERE n < 5 AND 8 / n >= 4")
        .await;
    assert!(error.unwrap_err().to_string().contains("zero"));
}

#[tokio::test]
async fn a_batch_of_which_little_is_left_is_put_together_with_others() {
    let engine = DataFusionEngine::new();
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    for piece in 0..300_i64 {
        engine
            .load_arrow("t", &[pairs((0..100).map(|id| (piece * 100 + id, id)))])
            .await
            .unwrap();
    }
    let batches = engine.query("SELECT id FROM t WHERE n = 3").await.unwrap();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 300);
    assert!(batches.len() <= 4, "{} batches", batches.len());
    let first = number(
        &engine,
        "SELECT min(id) FROM (SELECT id FROM t WHERE n = 3 LIMIT 7)",
    )
    .await;
    assert_eq!(first % 100, 3);
    assert_eq!(
        number(
            &engine,
            "SELECT count(*) FROM (SELECT id FROM t WHERE n = 3 LIMIT 7)"
        )
        .await,
        7
    );
}

#[tokio::test]
async fn as_many_tables_are_joined_as_are_named() {
    let engine = DataFusionEngine::new();
    for table in 0..30 {
        run(
            &engine,
            &format!("CREATE TABLE t{table} (id BIGINT, n BIGINT)"),
        )
        .await;
        let rows = (0..200).map(|id| (id, id + table));
        engine
            .load_arrow(&format!("t{table}"), &[pairs(rows)])
            .await
            .unwrap();
    }
    for count in [10, 11, 30] {
        // All joins use one key, so each table can be joined with each.
        let from: Vec<_> = (0..count).map(|table| format!("t{table}")).collect();
        let equal: Vec<_> = (1..count)
            .map(|table| format!("t0.id = t{table}.id"))
            .collect();
        let sql = format!(
            "SELECT count(*) FROM {} WHERE {}",
            from.join(", "),
            equal.join(" AND ")
        );
        assert_eq!(number(&engine, &sql).await, 200, "{count}");
    }
}

#[tokio::test]
async fn the_last_rows_of_many_small_appends_are_found() {
    let engine = DataFusionEngine::new();
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    for piece in 0..3000_i64 {
        let rows = (0..3).map(|row| (piece * 3 + row, row));
        engine.load_arrow("t", &[pairs(rows)]).await.unwrap();
    }
    let newest = "SELECT id FROM t ORDER BY id DESC LIMIT 3";
    assert_eq!(rows(&engine, newest).await, ["8999", "8998", "8997"]);
    let newest = "SELECT id FROM t WHERE n = 1 ORDER BY id DESC LIMIT 2";
    assert_eq!(rows(&engine, newest).await, ["8998", "8995"]);
    run(&engine, "DELETE FROM t WHERE id > 8000").await;
    assert_eq!(rows(&engine, newest).await, ["7999", "7996"]);
}

#[tokio::test]
async fn what_a_topk_or_a_join_wants_is_not_worked_out_for_rows_that_are_out() {
    let engine = DataFusionEngine::new();
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    for piece in 0..6_i64 {
        let ids = piece * 5000..(piece + 1) * 5000;
        let rows = ids.map(|id| (id, id % 10));
        engine.load_arrow("t", &[pairs(rows)]).await.unwrap();
    }
    run(&engine, "CREATE TABLE few (n BIGINT)").await;
    run(&engine, "INSERT INTO few VALUES (9), (8)").await;
    for (sql, found) in [
        (
            "SELECT id FROM t WHERE n <> 0 ORDER BY 100 / n, id LIMIT 2",
            ["9", "19"],
        ),
        (
            "SELECT id FROM t JOIN few ON t.n = few.n ORDER BY 100 / t.n, id LIMIT 2",
            ["9", "19"],
        ),
        (
            "SELECT id FROM t JOIN few ON few.n = 81 / t.n WHERE t.n <> 0 ORDER BY id LIMIT 2",
            ["9", "19"],
        ),
    ] {
        assert_eq!(rows(&engine, sql).await, found, "{sql}");
    }
}

#[tokio::test]
async fn a_join_by_what_may_fail_stays_behind_what_was_written_before_it() {
    for (store, engine) in engines() {
        for table in ["t", "s", "c"] {
            run(
                &engine,
                &format!("CREATE TABLE {table} (id BIGINT, n BIGINT)"),
            )
            .await;
        }
        let all = (0..10_000).map(|id| (id, id % 10));
        engine.load_arrow("t", &[pairs(all.clone())]).await.unwrap();
        engine
            .load_arrow("s", &[pairs(all.filter(|(_, n)| *n != 0))])
            .await
            .unwrap();
        let few = (1..3000).map(|id| (id, 24 + id));
        engine.load_arrow("c", &[pairs(few)]).await.unwrap();
        // The one row of c is the cheapest to begin with; joining it first would evaluate 100 / t.n for rows of t with
        // n = 0.
        let sql =
            "SELECT count(*) FROM t JOIN s ON t.id = s.id JOIN c ON c.n = 100 / t.n WHERE c.id = 1";
        assert_eq!(number(&engine, sql).await, 1000, "{store}");
    }
}
