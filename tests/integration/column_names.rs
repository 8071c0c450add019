//! The columns of a result have the names that DataFusion gives them.

use std::sync::Arc;

use rhei_datafusion::OlapEngine;
use rhei_datafusion::arrow::array::RecordBatch;
use rhei_datafusion::datafusion::datasource::MemTable;
use rhei_datafusion::datafusion::prelude::SessionContext;

use crate::common::{engines, run};

#[tokio::test]
async fn columns_have_the_names_that_datafusion_gives_them() {
    for (store, engine) in engines() {
        run(
            &engine,
            "CREATE TABLE t AS SELECT n AS id, n % 3 AS a, n * 2 AS b, 'x' || n AS s, n::DECIMAL(10, 2) AS d, [n] AS l
             FROM generate_series(1, 9) AS q (n)",
        )
        .await;
        let rows = engine.query("SELECT * FROM t").await.unwrap();
        let table = MemTable::try_new(rows[0].schema(), vec![rows]).unwrap();
        let datafusion = SessionContext::new();
        datafusion.register_table("t", Arc::new(table)).unwrap();
        for list in [
            "a + 1, -a, a - b * 2, (a + b) - 1, a * -1, d * 2 + a, -d, s || 'y' || s, a + 1 + b + 2",
            "1 + 1, -(-3), 2 * 3 - 1, 1.5 + 1, 'a' || 'b', repeat('x', 3), range(1, 3), 0.1 + 0.2",
            "abs(a - 1), concat(s, 'z'), lpad(s, 5, '-'), CASE WHEN a + 1 > 2 THEN -a END, a + 1 IN (1, 2), to_timestamp(id)",
            "sum(a), sum(a + 1), avg(-a), count(*), count(a + b), min(a * 2) + 1, sum(DISTINCT a), max(d - 1)",
            "array_agg(a ORDER BY -id), first_value(a ORDER BY b - a DESC), string_agg(s, ',' ORDER BY id + 1)",
            "sum(a) FILTER (WHERE a + 1 > 1), count(DISTINCT a * 2)",
            "row_number() OVER (ORDER BY -a), sum(a) OVER (ORDER BY a + 1), max(a + b) OVER (PARTITION BY a - b)",
            "lag(a - 1) OVER (ORDER BY id), sum(a) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
            "CAST(a AS DOUBLE) + 1, a::TEXT, l[1] + 1, NOT a > 1, a BETWEEN b - 1 AND b + 1, s LIKE 'x%'",
            "(SELECT max(a + 1) FROM t), a + 1 > (SELECT min(-a) FROM t)",
        ] {
            let sql = format!("SELECT {list} FROM t");
            let expected = datafusion.sql(&sql).await.unwrap();
            let expected: Vec<_> = expected
                .schema()
                .fields()
                .iter()
                .map(|f| f.name().clone())
                .collect();
            let rows = engine.query(&sql).await.unwrap();
            assert_eq!(names(&rows), expected, "{store}: {sql}");
        }
        for sql in [
            "SELECT -a, count(*) FROM t GROUP BY -a ORDER BY -a",
            "SELECT a + 1, sum(b - 1) FROM t GROUP BY a + 1 HAVING sum(b - 1) > 0 ORDER BY sum(b - 1) DESC",
            "SELECT DISTINCT a * 2, -b FROM t",
            "SELECT a + 1 FROM t UNION ALL SELECT b - 1 FROM t",
            "WITH c AS (SELECT a + 1, b FROM t) SELECT * FROM c",
            "SELECT a, sum(b), grouping(a) FROM t GROUP BY ROLLUP (a) ORDER BY 3, 2, 1",
            "SELECT a + 1, sum(b) * 2, count(*) FROM t GROUP BY a ORDER BY 2, 1",
            "SELECT * FROM (SELECT max(b) - 1, a FROM t GROUP BY a ORDER BY 1 LIMIT 2) AS q",
        ] {
            // Stock DataFusion does not plan some ORDER BY clauses with a column position.
            let unordered = sql
                .replace(" ORDER BY 2, 1", "")
                .replace(" ORDER BY 1 LIMIT 2", "");
            let expected = datafusion.sql(&unordered).await.unwrap();
            let expected: Vec<_> = expected
                .schema()
                .fields()
                .iter()
                .map(|f| f.name().clone())
                .collect();
            let rows = engine.query(sql).await.unwrap();
            assert_eq!(names(&rows), expected, "{store}: {sql}");
        }
    }
}

fn names(rows: &[RecordBatch]) -> Vec<String> {
    let schema = rows[0].schema();
    schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect()
}

#[tokio::test]
async fn two_columns_of_a_result_may_have_one_name() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t AS SELECT 1 AS x, 2 AS y").await;
        for (sql, expected) in [
            ("SELECT x, x FROM t", vec!["x", "x"]),
            ("SELECT x, x + 0 AS x, y FROM t", vec!["x", "x", "y"]),
            ("SELECT *, x FROM t", vec!["x", "y", "x"]),
            ("SELECT x AS y, * FROM t", vec!["y", "x", "y"]),
            (
                "SELECT min(CAST(x AS VARCHAR)), min(x) FROM t",
                vec!["min(t.x)", "min(t.x)"],
            ),
            (
                "SELECT x, x FROM t UNION ALL SELECT y, y FROM t",
                vec!["x", "x"],
            ),
            ("SELECT x, x FROM t WHERE x > 5", vec!["x", "x"]),
            ("DELETE FROM t RETURNING x, y, x", vec!["x", "y", "x"]),
        ] {
            let rows = engine.query(sql).await.unwrap();
            assert_eq!(names(&rows), expected, "{store}: {sql}");
        }
    }
}
