//! The short way of `INSERT … VALUES (literals)` means what the planned way means.

use rhei_datafusion::{DataFusionEngine, OlapEngine};

use crate::common::run;
use crate::sql_file::render;

/// What an INSERT came to: the rows, or the kind of its error.
async fn outcome(column: &str, insert: &str) -> Result<Vec<String>, String> {
    let engine = DataFusionEngine::new();
    run(&engine, &format!("CREATE TABLE t (a {column}, b BIGINT)")).await;
    match engine.execute(insert).await {
        Ok(count) => {
            let rows = engine
                .query("SELECT a, arrow_typeof(a), b FROM t")
                .await
                .unwrap();
            let rows = render(&rows);
            assert_eq!(rows.len() as u64, count);
            Ok(rows)
        }
        Err(error) => {
            let rows = engine.query("SELECT * FROM t").await.unwrap();
            assert!(
                render(&rows).is_empty(),
                "{insert}: an error changed something"
            );
            Err(error.kind().to_string())
        }
    }
}

#[tokio::test]
async fn literals_become_the_same_values_with_and_without_a_plan() {
    let types = [
        "BIGINT",
        "INT",
        "SMALLINT",
        "TINYINT",
        "BIGINT UNSIGNED",
        "DOUBLE",
        "REAL",
        "BOOLEAN",
        "TEXT",
        "DECIMAL(10,2)",
        "DECIMAL(38,0)",
        "DATE",
        "TIME",
        "TIMESTAMP",
        "TIMESTAMPTZ",
        "BYTEA",
        "BIGINT NOT NULL",
        "BIGINT DEFAULT 7",
        "TEXT NOT NULL DEFAULT 'x'",
        "BIGINT[]",
    ];
    let literals = [
        "1",
        "-1",
        "0",
        "300",
        "-300",
        "3000000000",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1.5",
        "-1.5",
        "1e3",
        "0.1",
        "2.675",
        "1e400",
        "true",
        "false",
        "NULL",
        "DEFAULT",
        "''",
        "'abc'",
        "'12'",
        "'1.5'",
        "'true'",
        "'t'",
        "'2024-02-29'",
        "'2024-02-30'",
        "'12:34:56'",
        "'2024-01-31T12:34:56.5'",
        "'2024-01-31 12:34:56+02:00'",
        "'O''Brien'",
        "'NULL'",
        "-0.0",
        "-'1'",
        "+1",
        "1_000",
        "X'00ff'",
        "DATE '2024-01-31'",
        "1 + 1",
    ];
    let mut differ = Vec::new();
    for column in types {
        for literal in literals {
            let insert = format!("INSERT INTO t VALUES ({literal}, 1), ({literal}, 2)");
            let short = outcome(column, &insert).await;
            let planned = outcome(column, &format!("WITH w AS (SELECT 1) {insert}")).await;
            if short != planned {
                differ.push(format!(
                    "{column} {literal}: {short:?}, planned {planned:?}"
                ));
            }
            let insert = format!("INSERT INTO t (b, a) VALUES (1, {literal})");
            let short = outcome(column, &insert).await;
            let planned = outcome(column, &format!("WITH w AS (SELECT 1) {insert}")).await;
            if short != planned {
                differ.push(format!(
                    "(b, a) {column} {literal}: {short:?}, planned {planned:?}"
                ));
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
