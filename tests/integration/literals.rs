//! The fast path of `INSERT … VALUES (literals)` gives the same result as the planned path.

use rhei_datafusion::{DataFusionEngine, OlapEngine};

use crate::common::run;
use crate::sql_file::render;

/// The result of an INSERT: the rows, or the kind of its error.
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
        "-9223372036854775809",
        "-12345678901234567.25",
        "0.30000000000000004",
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
            for insert in [
                format!("INSERT INTO t VALUES ({literal}, 1), ({literal}, 2)"),
                format!("INSERT INTO t (b, a) VALUES (1, {literal})"),
            ] {
                let planned = outcome(column, &format!("WITH w AS (SELECT 1) {insert}")).await;
                // With a comment the statement goes through the parser, still without a plan.
                for short in [insert.clone(), format!("/* */ {insert}")] {
                    let found = outcome(column, &short).await;
                    if found != planned {
                        differ.push(format!("{column}: {short}: {found:?}, planned {planned:?}"));
                    }
                }
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[tokio::test]
async fn a_text_that_is_read_without_the_parser_says_what_the_parser_reads() {
    let texts = [
        "insert into T (A, b) values (1, 2)",
        "INSERT INTO t(a,b)VALUES(1,2)",
        "INSERT\tINTO\nt VALUES\r\n(1,2) ; ",
        "INSERT INTO \"t\" (\"a\", b) VALUES (1, 2)",
        "INSERT INTO \"T\" VALUES (1, 2)",
        "INSERT INTO t (\"A\", b) VALUES (1, 2)",
        "INSERT INTO t VALUES (1, 2), (3, 4),",
        "INSERT INTO t VALUES (1, 2), (3)",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t VALUES (1, 2, 3)",
        "INSERT INTO t (a) VALUES (1)",
        "INSERT INTO t (a, a) VALUES (1, 2)",
        "INSERT INTO t (a, z) VALUES (1, 2)",
        "INSERT INTO t () VALUES (1, 2)",
        "INSERT INTO t VALUES ()",
        "INSERT INTO t VALUES",
        "INSERT INTO z VALUES (1, 2)",
        "INSERT INTO t VALUES (1, 2) x",
        "INSERT INTO t VALUES (1, 2);; ",
        "INSERT INTO t VALUES (1, 2); SELECT 1",
        "INSERT INTO t VALUES (1, 2) RETURNING a",
        "INSERT INTO t VALUES (1, 2) -- said",
        "INSERT INTO t VALUES (1, 2) ON CONFLICT DO NOTHING",
        "INSERT INTO t AS x VALUES (1, 2)",
        "INSERT INTO t x VALUES (1, 2)",
        "INSERT INTO TABLE t VALUES (1, 2)",
        "INSERT INTO select VALUES (1, 2)",
        "INSERT INTO public.t VALUES (1, 2)",
        "INSERT INTO t VALUES (1e2, 2E0)",
        "INSERT INTO t VALUES (1., .5)",
        "INSERT INTO t VALUES (1.5.5, 2)",
        "INSERT INTO t VALUES (1a, 2)",
        "INSERT INTO t VALUES (1L, 2)",
        "INSERT INTO t VALUES (- 1, 2)",
        "INSERT INTO t VALUES (--1\n1, 2)",
        "INSERT INTO t VALUES (-NULL, 2)",
        "INSERT INTO t VALUES (null, Default)",
        "INSERT INTO t VALUES (nulls, 2)",
        "INSERT INTO t VALUES ('1' '2', 2)",
        "INSERT INTO t VALUES ('1, 2)",
        "INSERT INTO t VALUES (N'1', 2)",
        "INSERT INTO t VALUES (E'1', 2)",
        "INSERT INTO t VALUES ('1'::INT, 2)",
        "INSERT INTO t VALUES (1 , 2 )",
        "INSERT INTO t VALUES (1\u{a0}, 2)",
        "INSERT INTO t VALUES ($1, 2)",
        "INSERT INTO t VALUES (TRUE, FALSE)",
        "INSERT INTO té VALUES (1, 2)",
        "INSERT OVERWRITE t VALUES (1, 2)",
        "INSERT INTO t DEFAULT VALUES",
        "INSERTINTO t VALUES (1, 2)",
        "",
    ];
    for text in texts {
        let short = outcome("BIGINT", text).await;
        let parsed = outcome("BIGINT", &format!("/* */ {text}")).await;
        assert_eq!(short, parsed, "{text:?}");
    }
    for value in [
        "''", "'a''b'", "''''", "'é'", "'a\\nb'", "'\\''", "'a;b'", "'a -- b'", "'\n'",
    ] {
        let text = format!("INSERT INTO t VALUES ({value}, 1)");
        let short = outcome("TEXT", &text).await;
        let parsed = outcome("TEXT", &format!("/* */ {text}")).await;
        assert_eq!(short, parsed, "{text:?}");
    }
}
