//! The optimizer's conclusions from a plan and from table statistics hold, also where rows are in files and many
//! partitions work in parallel.

use rhei_datafusion::{DataFusionEngine, EngineBuilder, OlapEngine};

use crate::common::{HANG, fresh_folder, number, pairs, rows, run, vortex};
use crate::sql_file::render;

/// An engine whose table `t (id, n)` is one file, with unsorted values of `n`.
async fn in_a_file() -> DataFusionEngine {
    let engine = DataFusionEngine::with_storage(vortex(&fresh_folder())).unwrap();
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    let rows = (0..5000).map(|id| (id, id * 7919 % 5000));
    engine.load_arrow("t", &[pairs(rows)]).await.unwrap();
    engine.compact().await.unwrap();
    engine
}

#[tokio::test]
async fn rows_of_files_are_ordered_by_what_a_condition_leaves_many_values() {
    let engine = in_a_file().await;
    run(
        &engine,
        "CREATE TABLE moments AS
         SELECT id, to_timestamp(n * 100) AS ts FROM t ORDER BY id",
    )
    .await;
    engine.compact().await.unwrap();
    let day = "CAST(ts AS DATE) = DATE '1970-01-02'";
    let first = format!("SELECT ts FROM moments WHERE {day} ORDER BY ts LIMIT 3");
    assert_eq!(
        rows(&engine, &first).await,
        [
            "1970-01-02T00:00:00",
            "1970-01-02T00:01:40",
            "1970-01-02T00:03:20"
        ]
    );
    let groups = format!("SELECT count(*) FROM (SELECT ts FROM moments WHERE {day} GROUP BY ts) g");
    assert_eq!(number(&engine, &groups).await, 864);
    let halves = "SELECT n FROM t WHERE n / 2 = 7 ORDER BY n";
    assert_eq!(rows(&engine, halves).await, ["14", "15"]);
    let halves = "SELECT n FROM t WHERE n / 2 = 7 ORDER BY n DESC";
    assert_eq!(rows(&engine, halves).await, ["15", "14"]);
}

#[tokio::test]
async fn a_column_that_files_do_not_have_has_no_value() {
    let engine = in_a_file().await;
    run(&engine, "ALTER TABLE t ADD COLUMN c BIGINT").await;
    let sql = "SELECT count(DISTINCT c), count(c), sum(c), min(c), count(*) FROM t";
    let found = render(&engine.query(sql).await.unwrap());
    assert_eq!(found, ["0 | 0 | NULL | NULL | 5000"]);
}

#[tokio::test]
async fn a_partition_without_rows_to_join_does_not_stop_the_others() {
    let engine = EngineBuilder::new().target_partitions(4).build().unwrap();
    for (table, count, keys) in [("b", 300_000, 3), ("t", 200_000, 50), ("u", 200_000, 70)] {
        run(
            &engine,
            &format!("CREATE TABLE {table} (id BIGINT, n BIGINT)"),
        )
        .await;
        let rows: Vec<_> = (0..count).map(|n| (n % keys, n)).collect();
        for piece in rows.chunks(50_000) {
            let piece = pairs(piece.iter().copied());
            engine.load_arrow(table, &[piece]).await.unwrap();
        }
    }
    run(&engine, "CREATE TABLE s (id BIGINT)").await;
    run(&engine, "INSERT INTO s VALUES (1)").await;
    let groups = "(SELECT id, count(*) AS n FROM t GROUP BY id)";
    let joined = "(SELECT t.id, t.n FROM t JOIN u ON t.n = u.n AND t.id = u.id)";
    let few = format!("(SELECT x.id FROM {groups} x JOIN s ON s.id = x.id)");
    for sql in [
        format!("SELECT count(*) FROM b JOIN {groups} x ON b.id = x.id JOIN s ON s.id = x.id"),
        format!(
            "SELECT count(*) FROM (SELECT id FROM b WHERE n % 2 = 7) b JOIN {few} y ON b.id = y.id"
        ),
        format!(
            "SELECT count(*) FROM (SELECT id FROM b WHERE n % 2 = 7) b RIGHT JOIN {few} y ON b.id = y.id"
        ),
        format!("SELECT count(*) FROM {few} y LEFT JOIN b ON b.id = y.id"),
        format!(
            "SELECT count(*) FROM b JOIN {joined} x ON b.id = x.id AND b.n = x.n JOIN s ON s.id = x.id"
        ),
    ] {
        let found = tokio::time::timeout(HANG, engine.query(&sql)).await;
        assert!(found.expect(&sql).is_ok(), "{sql}");
    }
}

#[tokio::test]
async fn as_many_tables_as_one_likes_are_planned_soon() {
    let engine = DataFusionEngine::new();
    run(&engine, "CREATE TABLE t (id BIGINT, name TEXT)").await;
    run(
        &engine,
        "INSERT INTO t SELECT value, 'n' || value FROM range(2000)",
    )
    .await;
    for (count, column) in [(70, "id"), (30, "name")] {
        let joins: String = (1..count)
            .map(|at| format!(" JOIN t t{at} ON t{}.{column} = t{at}.{column}", at - 1))
            .collect();
        let sql = format!("SELECT count(*) FROM t t0{joins}");
        assert_eq!(
            number(&engine, &sql).await,
            2000,
            "{count} tables by {column}"
        );
    }
}
