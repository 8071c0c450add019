//! x
use crate::common::{engines, rows, run};
#[tokio::test]
async fn probe() {
    for (_, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT, s TEXT)").await;
        run(&engine, "INSERT INTO t VALUES (1, NULL, NULL), (2, 1, 'a'), (3, 5, 'b')").await;
        run(&engine, "CREATE TABLE u (k BIGINT, g BIGINT)").await;
        run(&engine, "INSERT INTO u VALUES (1, 1), (NULL, 2)").await;
        for c in [
            "n NOT IN (1) OR n NOT IN (2, 3)",
            "n NOT IN (1, 2) OR n NOT IN (3, 4)",
            "NOT (n IN (1) AND n IN (2))",
            "NOT (n IN (1, 2) AND n IN (3, 4))",
            "NOT (n IN (1, 2) AND n NOT IN (1, 2, 3))",
            "(n IN (1, 2) AND n IN (3, 4)) IS NULL",
            "3 NOT IN (SELECT k FROM u)",
            "NOT (3 IN (SELECT k FROM u))",
            "id NOT IN (SELECT k FROM u WHERE u.g = t.id)",
            "3 NOT IN (SELECT k FROM u WHERE u.g = t.id)",
            "n NOT IN (SELECT k FROM u WHERE k IS NOT NULL)",
            "n <> 1 OR n <> 2",
            "NOT (n = 1 AND n = 2)",
            "NOT (n > 5 AND n < 3)",
            "n >= 1 OR n < 1",
            "n = n",
            "NOT (n <> n)",
            "n * 0 = 0",
            "n % 1 = 0",
            "(n = 1 OR n <> 1) IS NULL",
            "NOT (n = 1 AND n <> 1)",
            "n & 0 = 0",
            "n - n = 0",
            "s LIKE '%'",
            "NOT (s NOT LIKE '%')",
            "s || '' LIKE '%%'",
            "regexp_like(s, '.*')",
            "s ~ '.*'",
            "n BETWEEN 5 AND 1 OR NOT (n BETWEEN 5 AND 1)",
            "NOT (n BETWEEN 5 AND 1)",
            "CASE WHEN n = 1 THEN true ELSE n <> 1 END",
            "coalesce(n = 1, n <> 1)",
            "power(n, 0) = 1",
            "NOT (n IS NULL AND n = 1)",
            "(n = 1) = (n = 1)",
            "(n = 1) OR NOT (n = 1)",
            "n # n = 0", "n ^ n = 0", "n | n >= n",
        ] {
            let r = match rhei_datafusion::OlapEngine::query(&*engine, &format!("SELECT id FROM t WHERE {c} ORDER BY id")).await { Ok(b) => crate::sql_file::render(&b).join(" "), Err(e) => e.to_string() };
            let p = match rhei_datafusion::OlapEngine::query(&*engine, &format!("SELECT ({c}) FROM t ORDER BY id")).await { Ok(b) => crate::sql_file::render(&b).join(" "), Err(e) => e.to_string() };
            println!("{c:60} where: {r:10} value: {}", p.chars().take(100).collect::<String>());
        }
        let _ = rows(&engine, "SELECT 1").await;
    }
}
