//! The fast path of an UPDATE or DELETE by a simple condition gives the same result as the planned path.

use rhei_datafusion::{DataFusionEngine, OlapEngine, SharedDataFusionEngine};

use crate::common::{engines, run};
use crate::sql_file::render;

/// A CTE in front forces a statement onto the planned path.
const PLANNED: &str = "WITH w AS (SELECT 1) ";

async fn filled(engine: &DataFusionEngine) {
    run(
        engine,
        "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT, i INT, x DOUBLE, s TEXT, d DATE, m DECIMAL(10,2), b BOOLEAN NOT NULL)",
    )
    .await;
    run(
        engine,
        "INSERT INTO t SELECT value, CASE WHEN value % 5 = 0 THEN NULL ELSE value % 7 END, CAST(value % 11 AS INT), \
         value / 4.0, CASE WHEN value % 6 = 0 THEN NULL ELSE 's' || (value % 9) END, \
         CAST('2024-01-01' AS DATE) + CAST(value % 30 AS INT), CAST(value AS DECIMAL(10,2)) / 4, value % 2 = 0 \
         FROM range(300)",
    )
    .await;
    // Several fragments, deletions in some, and a column that was added after most rows.
    run(engine, "DELETE FROM t WHERE id % 10 = 3").await;
    run(engine, "ALTER TABLE t ADD COLUMN late TEXT DEFAULT 'old'").await;
    run(engine, "INSERT INTO t SELECT value, 1, 1, 1.0, 'new', CAST('2025-01-01' AS DATE), 1.00, true, 'new' FROM range(300, 340)").await;
}

async fn outcome(engine: &SharedDataFusionEngine, sql: &str) -> (Result<u64, String>, Vec<String>) {
    let result = engine
        .execute(sql)
        .await
        .map_err(|error| error.kind().to_string());
    let rows = engine.query("SELECT * FROM t ORDER BY id").await.unwrap();
    (result, render(&rows))
}

#[tokio::test]
async fn updates_and_deletes_do_the_same_with_and_without_a_plan() {
    let conditions = [
        "id = 7",
        "id = 7.0",
        "id = '7'",
        "id = NULL",
        "id > 290 AND n IS NOT NULL",
        "n = 3",
        "n <> 3",
        "NOT (n = 3)",
        "n IS NULL",
        "n IN (1, 2, NULL)",
        "n NOT IN (1, 2, NULL)",
        "n NOT IN (1) OR n NOT IN (2, 3)",
        "x > 70.5",
        "s = 's3'",
        "s LIKE 's%'",
        "s IS NULL OR b",
        "upper(s) = 'S3'",
        "d = '2024-01-05'",
        "d < CAST('2024-01-03' AS DATE)",
        "m = 1.25",
        "m BETWEEN 1 AND 2",
        "b",
        "NOT b",
        "late = 'old'",
        "late = 'new' AND id < 320",
        "coalesce(n, 0) = 0",
        "CASE WHEN n IS NULL THEN true ELSE n > 5 END",
        "id % 7 = 0",
        "id + n > 330",
        "CAST(s AS BIGINT) = 1",
        "length(s) = 2 AND substr(s, 2, 1) = '4'",
        "t.id = 12",
        "nope = 1",
        "other.id = 1",
        "n",
        "1",
        "true",
        "false",
        "NULL",
        "id / (id - 5) = 1",
        "random() < 2",
        "id IN (SELECT id FROM t WHERE n = 1)",
        "id = (SELECT max(id) FROM t)",
    ];
    let changes = [
        "DELETE FROM t WHERE {}",
        "UPDATE t SET n = 0 WHERE {}",
        "UPDATE t SET n = n + 1, s = s || '!', x = x * 2 WHERE {}",
        "UPDATE t SET i = id, n = i WHERE {}",
        "UPDATE t SET i = 3000000000 WHERE {}",
        "UPDATE t SET b = NULL WHERE {}",
        "UPDATE t SET s = DEFAULT, late = DEFAULT, m = '1.239' WHERE {}",
        "UPDATE t SET d = 'no date' WHERE {}",
        "UPDATE t SET id = id, n = length(s) WHERE {}",
    ];
    let mut differ = Vec::new();
    for change in changes {
        for condition in conditions {
            let sql = change.replace("{}", condition);
            for ((store, short), (_, planned)) in engines().into_iter().zip(engines()) {
                filled(&short).await;
                filled(&planned).await;
                let (a, b) = (
                    outcome(&short, &sql).await,
                    outcome(&planned, &format!("{PLANNED}{sql}")).await,
                );
                if a != b {
                    differ.push(format!("{store}: {sql}: {:?}, planned {:?}", a.0, b.0));
                }
            }
        }
    }
    assert!(
        differ.is_empty(),
        "{} differ:\n{}",
        differ.len(),
        differ.join("\n")
    );
}
