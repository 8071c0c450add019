//! Untrusted SQL has no access outside of the engine, and no statement crashes the process.

use std::time::Duration;

use futures::StreamExt;
use rhei_datafusion::{
    CancelHandle, DataFusionEngine, EngineBuilder, ErrorKind, OlapEngine, StatementOptions,
};

use crate::chains::on_one_another;
use crate::common::{HANG, count_batches, kind, number, passed, run, the_number, works};

#[tokio::test]
async fn nothing_outside_is_reached_by_default() {
    let engine = DataFusionEngine::new();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret.csv");
    std::fs::write(&secret, "a\n1\n").unwrap();
    let path = secret.display();
    let out = folder.path().join("out.csv");
    let out_path = out.display();
    for sql in [
        format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{path}'"),
        format!("CREATE UNBOUNDED EXTERNAL TABLE x (a INT) STORED AS CSV LOCATION '{path}'"),
        format!("/* hello */ COPY (SELECT 1) TO '{out_path}'"),
        format!("COPY (SELECT 1) TO '{out_path}' STORED AS PARQUET"),
        format!("EXPLAIN COPY (SELECT 1) TO '{out_path}'"),
        format!("EXPLAIN ANALYZE COPY (SELECT 1) TO '{out_path}'"),
        format!("SELECT * FROM '{path}'"),
        format!("SELECT * FROM \"{path}\""),
        "SELECT * FROM 'https://example.org/x.parquet'".to_string(),
        "SET datafusion.runtime.memory_limit = '1K'".to_string(),
        "SET datafusion.execution.batch_size = 1".to_string(),
        "SET datafusion.runtime.temp_directory = '/'".to_string(),
        "RESET datafusion.runtime.memory_limit".to_string(),
    ] {
        assert_eq!(kind(&engine, &sql).await, ErrorKind::Denied, "{sql}");
    }
    for sql in [
        format!("PREPARE p AS COPY (SELECT 1) TO '{out_path}'"),
        format!("SELECT * FROM read_csv('{path}')"),
        "CREATE FUNCTION f() RETURNS INT RETURN 1".to_string(),
        format!("CREATE TABLE x AS SELECT * FROM '{path}'"),
        format!("CREATE VIEW x AS SELECT * FROM '{path}'"),
        format!("INSERT INTO x SELECT * FROM '{path}'"),
        "CREATE DATABASE d".to_string(),
        "CREATE SCHEMA s".to_string(),
    ] {
        kind(&engine, &sql).await;
    }
    assert!(!out.exists());
    works(&engine).await;
}

#[tokio::test]
async fn long_chains_and_deep_nesting_are_refused_before_anything_recurses() {
    let engine = DataFusionEngine::new();
    for sql in [
        format!("SELECT 1{}", "+1".repeat(20_000)),
        format!("SELECT true{}", " AND true".repeat(20_000)),
        format!("SELECT true{}", " OR true".repeat(200_000)),
        format!("SELECT 'a'{}", "||'a'".repeat(20_000)),
        format!("SELECT {}1", "- ".repeat(20_000)),
        format!("SELECT {}true", "NOT ".repeat(20_000)),
        format!("SELECT 1{}", "::int".repeat(20_000)),
        format!("SELECT a{}", ".a".repeat(20_000)),
        format!("SELECT 1{}", " IS NULL".repeat(20_000)),
        format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000)),
        format!("SELECT {}1{}", "[".repeat(20_000), "]".repeat(20_000)),
        format!("SELECT {}1{}", "abs(".repeat(20_000), ")".repeat(20_000)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(20_000)),
        format!("SELECT 1 FROM t{}", " CROSS JOIN t".repeat(20_000)),
        format!("SELECT 1 FROM t{}", ", t".repeat(20_000)),
        format!(
            "SELECT {}1{}",
            "CASE WHEN true THEN ".repeat(20_000),
            " END".repeat(20_000)
        ),
        format!(
            "SELECT {}1{}",
            "(SELECT ".repeat(20_000),
            ")".repeat(20_000)
        ),
    ] {
        assert_eq!(
            kind(&engine, &sql).await,
            ErrorKind::ResourcesExhausted,
            "{}",
            &sql[..60]
        );
    }
    works(&engine).await;
}

#[tokio::test]
async fn chains_within_the_limits_run() {
    let engine = DataFusionEngine::new();
    run(&engine, "CREATE TABLE t (id BIGINT, v BIGINT)").await;
    let rows: Vec<String> = (0..5_000).map(|i| format!("({i}, {i})")).collect();
    assert_eq!(
        run(
            &engine,
            &format!("INSERT INTO t VALUES {}", rows.join(", "))
        )
        .await,
        5_000
    );
    let list: Vec<String> = (0..5_000).map(|i| i.to_string()).collect();
    assert_eq!(
        run(
            &engine,
            &format!("DELETE FROM t WHERE id IN ({})", list.join(","))
        )
        .await,
        5_000
    );
    assert_eq!(
        number(&engine, &format!("SELECT 1{}", "+1".repeat(300))).await,
        301
    );
    run(&engine, "INSERT INTO t VALUES (1, 1)").await;
    run(&engine, "CREATE TABLE decimals (d DECIMAL(18, 2))").await;
    run(&engine, "INSERT INTO decimals VALUES (0.5)").await;
    for links in [200, 900] {
        // Chains of literals with a decimal column at their end, at their start, or without one.
        for sum in [
            format!("0.5{} + d", " + 0.5".repeat(links)),
            format!("d{}", " + 0.5".repeat(links + 1)),
            format!("0.5{}", " + 0.5".repeat(links + 1)),
            // A literal with more digits than a double holds is a decimal from the start.
            format!("0.5{} + d", " + 0.50000000000000000001".repeat(links)),
            format!("d{} + 0.5", " + d".repeat(links)),
            format!(
                "d{}{} + 0.5",
                " + d * 1".repeat(links / 10),
                " + d".repeat(links - links / 10)
            ),
        ] {
            let sql = format!("SELECT CAST(round({sum}) AS BIGINT) FROM decimals");
            assert_eq!(number(&engine, &sql).await, links as i64 / 2 + 1);
        }
    }
    for links in [200, 900] {
        let sum = format!("SELECT id{} FROM t", " + v".repeat(links));
        assert_eq!(number(&engine, &sum).await, links as i64 + 1);
        let joined = "|| 'x'".repeat(links);
        let joined = format!("SELECT CAST(length('x' {joined}) AS BIGINT) FROM t");
        assert_eq!(number(&engine, &joined).await, links as i64 + 1);
        let all: Vec<String> = (0..links / 3)
            .map(|i| format!("id + v <> {}", i + 10))
            .collect();
        let all = format!("SELECT count(*) FROM t WHERE {}", all.join(" AND "));
        assert_eq!(number(&engine, &all).await, 1);
    }
    let any: Vec<String> = (0..200)
        .map(|i| format!("(id = {i} AND v = {i})"))
        .collect();
    run(
        &engine,
        &format!("DELETE FROM t WHERE {}", any.join(" OR ")),
    )
    .await;
}

#[tokio::test]
async fn plans_that_grow_exponentially_are_refused() {
    let engine = DataFusionEngine::new();
    let mut sql = String::from("WITH c0 AS (SELECT 1 AS a)");
    for i in 1..=22 {
        sql += &format!(
            ", c{i} AS (SELECT x.a FROM c{0} x JOIN c{0} y ON x.a = y.a)",
            i - 1
        );
    }
    sql += " SELECT * FROM c22";
    assert_eq!(kind(&engine, &sql).await, ErrorKind::ResourcesExhausted);
    run(&engine, "CREATE VIEW v0 AS SELECT 1 AS a").await;
    let mut refused = false;
    for i in 1..=22 {
        let sql = format!(
            "CREATE VIEW v{i} AS SELECT x.a FROM v{0} x JOIN v{0} y ON x.a = y.a",
            i - 1
        );
        if let Err(error) = engine.execute(&sql).await {
            assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
            refused = true;
            break;
        }
    }
    assert!(refused);
    works(&engine).await;
}

#[tokio::test]
async fn functions_that_make_huge_values_are_refused() {
    let engine = DataFusionEngine::new();
    run(&engine, "CREATE TABLE n (n BIGINT, s TEXT)").await;
    run(&engine, "INSERT INTO n VALUES (2000000000, 'x')").await;
    for sql in [
        "SELECT repeat('x', 2000000000)",
        "SELECT repeat(s, n) FROM n",
        "SELECT length(repeat('x', 2000000000))",
        "SELECT lpad('x', 2000000000, 'y')",
        "SELECT rpad(s, n, s) FROM n",
        "SELECT range(0, 2000000000)",
        "SELECT generate_series(0, n) FROM n",
        "SELECT range(n) FROM n",
        "SELECT unnest(range(1000000)) FROM range(100000000)",
        "SELECT repeat('x', 1000000), value FROM range(100000)",
        "INSERT INTO n SELECT value, repeat('x', 1000000) FROM range(100000)",
        "SELECT array_repeat(1, 2000000000)",
        "SELECT list_repeat(s, n) FROM n",
        "SELECT array_resize([1], 2000000000, 0)",
        "SELECT array_resize(['x'], 1000, repeat('y', 1000000))",
        "SELECT array_replace_all(array_repeat('x', 1000), 'x', repeat('y', 1000000))",
        "SELECT to_char(now(), repeat('%c', 10000)) FROM range(8192)",
        "SELECT array_to_string([range(1000)], repeat('y', 1000000))",
        "SELECT range(TIMESTAMP '2000-01-01', TIMESTAMP '2030-01-01', INTERVAL '1 nanosecond')",
        "SELECT replace(repeat('x', 1000000), 'x', repeat('y', 1000000))",
        "INSERT INTO n SELECT n, repeat(s, n) FROM n",
        "UPDATE n SET s = repeat(s, n)",
        "SELECT regexp_replace(repeat('x', 1000000), 'x', repeat('y', 1000000), 'g')",
        "SELECT regexp_replace(repeat('x', 100000), '(x+)', repeat('\\1', 10000))",
        "SELECT array_to_string(range(1000000), repeat('y', 1000000))",
        "SELECT array_to_string(array_repeat(NULL, 1000000), ',', repeat('y', 1000000))",
        "SELECT concat_ws(repeat('y', 100000000), 'a', 'b', 'c', 'd')",
        "SELECT length(concat(value, b.s)) FROM range(100000), (SELECT repeat('x', 200000000) AS s) AS b",
        "SELECT length(b.s || value) FROM range(100000), (SELECT repeat('x', 200000000) AS s) AS b",
        "SELECT count(*) FROM range(100000) WHERE concat(value, repeat('x', 1000000)) = 'x'",
        "SELECT count(*) FROM range(100000) WHERE upper((SELECT repeat('x', 200000000))) = value::text",
        "SELECT value, (SELECT repeat('x', 200000000)) FROM range(100000)",
        "SELECT max(concat(value, repeat('x', 1000000))) FROM range(100000)",
        "SELECT array_agg(repeat('x', 1000000)) FROM range(100000)",
        "SELECT value FROM range(100000) ORDER BY concat(value, repeat('x', 1000000))",
        "SELECT string_agg(value::text, repeat('x', 1000000)) FROM range(100000)",
    ] {
        assert_eq!(
            kind(&engine, sql).await,
            ErrorKind::ResourcesExhausted,
            "{sql}"
        );
    }
    let mut doubled = String::from("WITH d0 AS (SELECT repeat('x', 100000000) AS s)");
    for i in 1..=12 {
        doubled += &format!(", d{i} AS (SELECT s || s AS s FROM d{})", i - 1);
    }
    doubled += " SELECT length(s) FROM d12";
    assert_eq!(kind(&engine, &doubled).await, ErrorKind::ResourcesExhausted);
    // Reasonable sizes still run.
    assert_eq!(
        number(&engine, "SELECT CAST(length(repeat('ab', 1000)) AS BIGINT)").await,
        2_000
    );
    assert_eq!(
        number(
            &engine,
            "SELECT CAST(length(replace(repeat('x', 100000), 'x', 'yz')) AS BIGINT)"
        )
        .await,
        200_000
    );
    assert_eq!(
        number(&engine, "SELECT CAST(length('a' || 'b' || 3) AS BIGINT)").await,
        3
    );
    for (sql, length) in [
        (
            "regexp_replace(repeat('x', 100000), 'x', 'yz', 'g')",
            200_000,
        ),
        (
            "regexp_replace(repeat('x', 100000), 'x', repeat('y', 10000))",
            109_999,
        ),
        ("array_to_string(range(100000), ', ')", 688_888),
        ("(SELECT repeat('x', 100000))", 100_000),
        (
            "(SELECT string_agg('x', repeat('y', 1000)) FROM range(100))",
            99_100,
        ),
    ] {
        let sql = format!("SELECT CAST(length({sql}) AS BIGINT)");
        assert_eq!(number(&engine, &sql).await, length, "{sql}");
    }
    works(&engine).await;
}

#[tokio::test]
async fn a_statement_over_the_memory_limit_is_an_error_and_the_engine_works_on() {
    let engine = EngineBuilder::new()
        .memory_limit_bytes(16 << 20)
        .build()
        .unwrap();
    for sql in [
        "SELECT string_agg(repeat('x', 1000), ',') FROM range(1000000)",
        "SELECT array_agg(value) FROM range(20000000)",
        "CREATE TABLE big AS SELECT value, repeat('x', 100) AS s FROM range(5000000)",
    ] {
        assert_eq!(
            kind(&engine, sql).await,
            ErrorKind::ResourcesExhausted,
            "{sql}"
        );
        works(&engine).await;
    }
    assert!(engine.tables().await.unwrap().is_empty());
    // A sort that does not fit spills.
    let sorted = "SELECT count(*) FROM (SELECT value, repeat('x', 50) AS s FROM range(400000) ORDER BY s, value DESC)";
    assert_eq!(number(&engine, sorted).await, 400_000);
}

#[tokio::test]
async fn endless_statements_end_at_their_deadline() {
    let engine = EngineBuilder::new()
        .statement_timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    // Statements that end by themselves get all the time they need.
    let patiently = || StatementOptions::new().timeout(HANG);
    let create = engine.execute_with("CREATE TABLE t (n BIGINT)", patiently());
    create.await.unwrap();
    for sql in [
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
        "SELECT count(*) FROM range(100000000) a CROSS JOIN range(100000000) b",
        "SELECT count(*) FROM range(1000000) a JOIN range(1000000) b ON a.value < b.value",
        "INSERT INTO t SELECT a.value FROM range(100000000) a CROSS JOIN range(100000000) b WHERE a.value % 7 > b.value",
        "SELECT count(*) FROM (SELECT unnest(range(1000)) FROM range(100000000000))",
        "SELECT sum(a.value % 7) FROM range(100000000000) a",
    ] {
        assert_eq!(kind(&engine, sql).await, ErrorKind::Timeout, "{sql}");
    }
    let count = engine.query_with("SELECT count(*) FROM t", patiently());
    assert_eq!(the_number(&count.await.unwrap()), 0);
}

#[tokio::test]
async fn a_cancel_handle_stops_a_stream_and_a_write() {
    let engine = DataFusionEngine::new();
    run(&engine, "CREATE TABLE t (n BIGINT)").await;
    let cancel = CancelHandle::new();
    let options = StatementOptions::new().cancel(&cancel);
    let mut rows = engine
        .query_stream_with("SELECT * FROM range(100000000000)", options)
        .await
        .unwrap();
    assert!(rows.next().await.unwrap().is_ok());
    cancel.cancel();
    let error = rows.next().await.unwrap().unwrap_err();
    let error = error
        .downcast_ref::<rhei_datafusion::DfOlapError>()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(rows.next().await.is_none());

    let cancel = CancelHandle::new();
    let later = cancel.clone();
    let calls = count_batches(&engine);
    tokio::spawn(async move {
        // The statement is in the middle of its work now.
        passed(&calls, 0).await;
        later.cancel();
    });
    let sql =
        "INSERT INTO t SELECT a.value FROM (SELECT counted(value) AS value FROM range(100000000)) a
               CROSS JOIN range(1000) b WHERE a.value % 7 > b.value + 7";
    let error = engine
        .execute_with(sql, StatementOptions::new().cancel(&cancel))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(number(&engine, "SELECT count(*) FROM t").await, 0);
}

#[tokio::test]
async fn rows_that_share_a_buffer_are_counted_once_against_the_memory_limit() {
    let engine = EngineBuilder::new()
        .memory_limit_bytes(64 << 20)
        .build()
        .unwrap();
    run(&engine, "CREATE TABLE t (id BIGINT, s TEXT)").await;
    for part in 0..8 {
        let sql = format!(
            "INSERT INTO t SELECT value, repeat('x', 100) FROM range({}, {})",
            part * 10_000,
            (part + 1) * 10_000
        );
        assert_eq!(run(&engine, &sql).await, 10_000);
    }
    run(&engine, "CREATE TABLE u AS SELECT * FROM t").await;
    assert_eq!(run(&engine, "INSERT INTO u SELECT * FROM u").await, 80_000);
    assert_eq!(run(&engine, "UPDATE u SET id = id + 1").await, 160_000);
}

#[tokio::test]
async fn queries_deep_in_one_another_run_or_are_refused() {
    let engine = DataFusionEngine::new();
    let pairs =
        "SELECT a.x FROM (VALUES (1), (2)) AS a (x) JOIN (VALUES (1), (2)) AS b (x) ON a.x = b.x";
    for step in [
        "SELECT DISTINCT x + 1 AS x FROM {} WHERE x > 0",
        "SELECT x, count(*) AS n FROM {} GROUP BY x HAVING count(*) > 0 ORDER BY x LIMIT 5",
        "SELECT x + row_number() OVER (ORDER BY x) AS x FROM {}",
        "SELECT x FROM {} UNION SELECT 2",
        "SELECT x FROM {} WHERE x IN (SELECT 1 UNION SELECT 2) AND EXISTS (SELECT 1)",
        "SELECT x FROM (VALUES (1), (2)) AS v (x) WHERE x <= (SELECT max(x) FROM {})",
        "SELECT a.x FROM {} AS a LEFT JOIN (VALUES (1)) AS b (x) ON a.x = b.x",
    ] {
        let rows = number(&engine, &on_one_another(pairs, step, 120)).await;
        assert!(rows > 0, "{step}");
        let deep = on_one_another(pairs, step, 1_000);
        assert_eq!(
            kind(&engine, &deep).await,
            ErrorKind::ResourcesExhausted,
            "{step}"
        );
        works(&engine).await;
    }
    for operation in ["UNION ALL", "UNION"] {
        let selects: Vec<_> = (0..990).map(|n| format!("SELECT {n} AS x")).collect();
        let chain = selects.join(&format!(" {operation} "));
        let rows = number(&engine, &format!("SELECT count(*) FROM ({chain})")).await;
        assert_eq!(rows, 990, "{operation}");
        run(&engine, &format!("CREATE OR REPLACE VIEW chain AS {chain}")).await;
        assert_eq!(number(&engine, "SELECT count(*) FROM chain").await, 990);
        run(
            &engine,
            "CREATE OR REPLACE VIEW above AS SELECT x FROM chain",
        )
        .await;
        assert_eq!(number(&engine, "SELECT count(*) FROM above").await, 990);
        run(
            &engine,
            &format!("PREPARE again AS SELECT count(*) FROM ({chain}) AS t WHERE x > $1"),
        )
        .await;
        assert_eq!(number(&engine, "EXECUTE again(89)").await, 900);
        run(&engine, "DEALLOCATE again").await;
    }
}
