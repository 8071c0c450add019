//! Error messages and kinds that programs depend on.

use std::error::Error;

use rhei_datafusion::{DataFusionEngine, DfOlapError, ErrorKind, OlapEngine};

use crate::common::{engines, pairs, refused, run};

async fn table(engine: &DataFusionEngine) {
    run(
        engine,
        "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL, s TEXT)",
    )
    .await;
    run(engine, "INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b')").await;
}

#[tokio::test]
async fn an_unknown_column_is_told_as_no_field_named() {
    for (store, engine) in engines() {
        table(&engine).await;
        let mut wrong = Vec::new();
        for sql in [
            "SELECT nope FROM t",
            "SELECT t.nope FROM t",
            "SELECT id FROM t WHERE nope = 1",
            "SELECT count(*) FROM t GROUP BY nope",
            "SELECT id FROM t ORDER BY nope",
            "INSERT INTO t (id, nope) VALUES (3, 1)",
            "INSERT INTO t (id, n, nope) SELECT 1, 2, 3",
            "INSERT INTO t SELECT nope, 1, 'x' FROM t",
            "INSERT INTO t VALUES (3, 1, 'x') RETURNING nope",
            "INSERT INTO t VALUES (1, 1, 'x') ON CONFLICT (nope) DO NOTHING",
            "INSERT INTO t VALUES (1, 1, 'x') ON CONFLICT (id) DO UPDATE SET nope = 1",
            "INSERT INTO t VALUES (1, 1, 'x') ON CONFLICT (id) DO UPDATE SET n = excluded.nope",
            "INSERT INTO t VALUES (1, 1, 'x') ON CONFLICT (id) DO UPDATE SET n = 1 WHERE nope = 1",
            "UPDATE t SET nope = 1",
            "UPDATE t SET n = nope",
            "UPDATE t SET n = 1 WHERE nope = 1",
            "UPDATE t SET n = 1 WHERE id IN (SELECT nope FROM t)",
            "UPDATE t SET n = s.nope FROM t AS s WHERE s.id = t.id",
            "UPDATE t SET n = 1 RETURNING nope",
            "DELETE FROM t WHERE nope = 1",
            "DELETE FROM t USING t AS s WHERE t.id = s.nope",
            "DELETE FROM t RETURNING nope",
            "MERGE INTO t USING t AS s ON t.id = s.nope WHEN MATCHED THEN DELETE",
            "MERGE INTO t USING t AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET nope = 1",
            "MERGE INTO t USING t AS s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (nope) VALUES (1)",
            "ALTER TABLE t DROP COLUMN nope",
            "ALTER TABLE t RENAME COLUMN nope TO m",
            "CREATE VIEW v AS SELECT nope FROM t",
            "CREATE TABLE u AS SELECT nope FROM t",
            "PREPARE p AS SELECT nope FROM t",
            "PREPARE p AS UPDATE t SET nope = $1",
        ] {
            let error = refused(&engine, sql).await;
            let text = error.to_string();
            // Columns that the engine adds internally must not appear in the message.
            let shown = text.contains("__row_address") || text.contains('\u{1}');
            let told = text.contains("No field named") && text.contains("nope");
            if !told || shown || error.kind() != ErrorKind::Invalid {
                wrong.push(format!("{sql}\n  {error:?}\n  {text:?}"));
            }
        }
        assert!(wrong.is_empty(), "{store}:\n{}", wrong.join("\n"));
        let error = engine.drop_column("t", "nope").await.unwrap_err();
        assert!(
            error.to_string().contains("No field named nope"),
            "{store}: {error}"
        );
    }
}

fn says_not_found(error: &DfOlapError) -> bool {
    let text = error.to_string();
    text.contains("not found")
        && text.contains("nope")
        && !text.contains("column")
        && error.kind() == ErrorKind::Invalid
}

#[tokio::test]
async fn an_unknown_table_is_told_as_not_found_without_the_word_column() {
    for (store, engine) in engines() {
        table(&engine).await;
        for sql in [
            "SELECT * FROM nope",
            "SELECT nope.id FROM nope",
            "SELECT * FROM t JOIN nope ON t.id = nope.id",
            "SELECT * FROM t WHERE id IN (SELECT id FROM nope)",
            "SELECT * FROM public.nope",
            "SELECT * FROM \"Nope nope\"",
            "INSERT INTO nope VALUES (1)",
            "INSERT INTO nope (id) VALUES (1) ON CONFLICT DO NOTHING",
            "INSERT INTO t SELECT * FROM nope",
            "UPDATE nope SET a = 1",
            "UPDATE t SET n = 1 FROM nope WHERE nope.id = t.id",
            "DELETE FROM nope",
            "DELETE FROM t USING nope WHERE nope.id = t.id",
            "MERGE INTO nope USING t ON true WHEN MATCHED THEN DELETE",
            "MERGE INTO t USING nope ON t.id = nope.id WHEN MATCHED THEN DELETE",
            "TRUNCATE TABLE nope",
            "DROP TABLE nope",
            "ALTER TABLE nope RENAME TO other",
            "ALTER TABLE nope ADD COLUMN a INT",
            "CREATE VIEW v AS SELECT * FROM nope",
            "CREATE TABLE u AS SELECT * FROM nope",
            "EXPLAIN SELECT * FROM nope",
            "EXPLAIN INSERT INTO nope VALUES (1)",
            "PREPARE p AS SELECT * FROM nope",
            "PREPARE p AS DELETE FROM nope",
        ] {
            let error = refused(&engine, sql).await;
            assert!(says_not_found(&error), "{store}: {sql}: {error}");
        }
        for error in [
            engine.table_schema("nope").await.unwrap_err(),
            engine.drop_table("nope").await.unwrap_err(),
            engine
                .add_column(
                    "nope",
                    "a",
                    &rhei_datafusion::arrow::datatypes::DataType::Int64,
                )
                .await
                .unwrap_err(),
            engine.drop_column("nope", "a").await.unwrap_err(),
            engine
                .load_arrow("nope", &[pairs([(1, 1)])])
                .await
                .unwrap_err(),
        ] {
            assert!(says_not_found(&error), "{store}: {error}");
        }
    }
}

#[tokio::test]
async fn the_messages_in_the_documentation_are_those_of_the_engine() {
    let page = include_str!("../../docs/errors.md");
    let cells = |line: &'static str| -> Option<[&'static str; 3]> {
        let line = line.strip_prefix("| `")?.strip_suffix(" |")?;
        let (sql, rest) = line.split_once("` | `")?;
        let (kind, message) = rest.split_once("` | ")?;
        Some([sql, kind, message])
    };
    for (store, engine) in engines() {
        table(&engine).await;
        let mut wrong = Vec::new();
        let mut count = 0;
        for [sql, kind, message] in page.lines().filter_map(cells) {
            count += 1;
            let error = refused(&engine, sql).await;
            let text = error.to_string();
            let mut rest = text.as_str();
            let is_there = message
                .split('…')
                .all(|part| match rest.split_once(part.trim()) {
                    Some((_, after)) => {
                        rest = after;
                        true
                    }
                    None => false,
                });
            if !is_there || error.kind().code() != kind || text.contains("caused by") {
                wrong.push(format!("{sql}\n  {kind}: {message}\n  {error:?}\n  {text}"));
            }
        }
        assert!(wrong.is_empty(), "{store}:\n{}", wrong.join("\n"));
        assert!(count >= 25, "{count} messages");
    }
}

#[tokio::test]
async fn an_error_names_the_value_or_the_place() {
    for (store, engine) in engines() {
        table(&engine).await;
        for (sql, words) in [
            (
                "INSERT INTO t VALUES (NULL, 1, 'x')",
                &["NOT NULL", "t.id"][..],
            ),
            ("INSERT INTO t (id) VALUES (5)", &["NOT NULL", "t.n"]),
            ("UPDATE t SET n = NULL WHERE id = 1", &["NOT NULL", "t.n"]),
            ("INSERT INTO t VALUES ('many', 1, 'x')", &["many"]),
            ("INSERT INTO t VALUES (1, 2)", &["t", "3", "2"]),
            ("INSERT INTO t (id, id) VALUES (1, 2)", &["id", "twice"]),
            ("UPDATE t SET n = 1, n = 2", &["n", "twice"]),
            (
                "UPDATE t SET n = s.n FROM (VALUES (1, 5), (1, 6)) AS s(id, n) WHERE s.id = t.id",
                &["t", "more than once"],
            ),
            ("CREATE TABLE t (id INT)", &["'t'", "already exists"]),
            ("SELECT 1; SELECT 2", &["execute_batch"]),
            ("BEGIN", &["BEGIN", "execute_batch"]),
            ("DELETE FROM t LIMIT 1", &["DELETE with LIMIT"]),
            ("UPDATE t SET n = 1 LIMIT 1", &["UPDATE with LIMIT"]),
            ("SELEC 1", &["SELEC"]),
            ("SELECT nope(1)", &["nope"]),
        ] {
            let text = refused(&engine, sql).await.to_string();
            for word in words {
                assert!(
                    text.contains(word),
                    "{store}: {sql}: '{word}' is missing in: {text}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_kind_of_an_error_says_what_to_do_next() {
    for (store, engine) in engines() {
        table(&engine).await;
        for (kind, sql) in [
            (ErrorKind::Invalid, "SELEC 1"),
            (ErrorKind::Invalid, "SELECT nope"),
            (ErrorKind::Invalid, "SELECT 1 / (n - n) FROM t"),
            (ErrorKind::Invalid, "SELECT CAST(s AS BIGINT) FROM t"),
            (ErrorKind::Invalid, "SELECT id + true FROM t"),
            (ErrorKind::Invalid, "SELECT (SELECT id FROM t)"),
            (ErrorKind::Invalid, "INSERT INTO t VALUES (1)"),
            (
                ErrorKind::Invalid,
                "SELECT * FROM t AS a, t AS b WHERE id = 1",
            ),
            (ErrorKind::Unsupported, "DELETE FROM t LIMIT 1"),
            (ErrorKind::Unsupported, "BEGIN"),
            (ErrorKind::Unsupported, "CREATE INDEX i ON t (id)"),
            (ErrorKind::Unsupported, "GRANT SELECT ON t TO x"),
            (ErrorKind::Denied, "COPY t TO '/nowhere/x.csv'"),
            (
                ErrorKind::Denied,
                "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/nowhere/x.csv'",
            ),
            (ErrorKind::Denied, "SET datafusion.execution.batch_size = 1"),
            (
                ErrorKind::ResourcesExhausted,
                "SELECT repeat('x', 2000000000)",
            ),
        ] {
            let error = refused(&engine, sql).await;
            assert_eq!(error.kind(), kind, "{store}: {sql}: {error}");
        }
    }
}

#[tokio::test]
async fn the_sources_of_an_error_do_not_repeat_it() {
    for (store, engine) in engines() {
        table(&engine).await;
        for sql in [
            "SELEC 1",
            "SELECT nope FROM t",
            "SELECT * FROM nope",
            "SELECT CAST(s AS BIGINT) FROM t",
            "SELECT 1 / (n - n) FROM t",
            "INSERT INTO t VALUES ('many', 1, 'x')",
            "INSERT INTO t VALUES (NULL, 1, 'x')",
            "SELECT repeat('x', 2000000000)",
            "SELECT repeat(s, 2000000000) FROM t",
            "COPY t TO '/nowhere/x.csv'",
        ] {
            let error = refused(&engine, sql).await;
            let mut texts = vec![error.to_string()];
            let mut source = error.source();
            while let Some(cause) = source {
                texts.push(cause.to_string());
                source = cause.source();
            }
            for (place, text) in texts.iter().enumerate() {
                assert!(!text.is_empty(), "{store}: {sql}");
                for before in &texts[..place] {
                    assert!(
                        !before.contains(text.as_str()),
                        "{store}: {sql}: repeated in {texts:#?}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn nothing_that_a_user_writes_is_an_internal_error() {
    for (store, engine) in engines() {
        table(&engine).await;
        for sql in [
            "SELECT avg('a')",
            "SELECT array_append(1, 2)",
            "SELECT sum('a') OVER (ORDER BY 1 RANGE BETWEEN '1' PRECEDING AND CURRENT ROW)",
            "SELECT true AND 'a'",
            "SELECT (VALUES (1), (2))",
            "SELECT CAST('a' AS UUID)",
            "SELECT ntile(0) OVER ()",
            "SELECT lag(id, 1, 'a') OVER () FROM t",
            "SELECT substr('abc', 'x')",
            "SELECT extract(foo FROM DATE '2024-01-01')",
            "SELECT date_trunc('foo', DATE '2024-01-01')",
            "SELECT percentile_cont(2) WITHIN GROUP (ORDER BY id) FROM t",
            "SELECT [1, 'a']",
            "SELECT [1, 2][1:'a']",
            "SELECT 1 WHERE 'a'",
            "SELECT sum(sum(id)) FROM t",
            "SELECT id FROM t GROUP BY 2",
            "SELECT id FROM t ORDER BY 2",
            "SELECT id FROM t LIMIT -1",
            "SELECT id FROM t LIMIT 'a'",
            "SELECT id FROM t LIMIT (SELECT 1)",
            "SELECT row_number() FROM t",
            "SELECT id FROM t WHERE row_number() OVER () = 1",
            "SELECT id FROM t WHERE sum(id) = 1",
            "SELECT grouping(id) FROM t",
            "SELECT unnest(1)",
            "SELECT sum(unnest([1, 2]))",
            "SELECT named_struct('a', 1)['b']",
            "SELECT map([1], [1, 2])",
            "SELECT make_date(2024, 13, 1)",
            "SELECT regexp_replace('a', '(', 'b')",
            "SELECT regexp_like('a', '[')",
            "SELECT regexp_match('a', '*')",
            "SELECT 'a' SIMILAR TO '('",
            "SELECT chr(-1)",
            "SELECT arrow_cast(1, 'Foo')",
            "SELECT decode('zz', 'hex')",
            "SELECT round(1.5, 'a')",
            "SELECT corr(id, 'a') FROM t",
            "SELECT (SELECT x FROM (VALUES (1), (2)) AS q (x))",
            "SELECT t.id, q.value FROM t, generate_series(1, t.id) AS q",
            "CREATE TABLE d AS SELECT arrow_cast(arrow_cast('a', 'Dictionary(Int32, Utf8)'),
                                                'Dictionary(Int32, Dictionary(Int32, Utf8))') AS d",
        ] {
            let error = refused(&engine, sql).await;
            let text = error.to_string();
            assert_ne!(error.kind(), ErrorKind::Internal, "{store}: {sql}: {text}");
            let sends = ["issue tracker", "Internal error", "bug in DataFusion"];
            assert!(
                !sends.iter().any(|words| text.contains(words)),
                "{store}: {sql}: {text}"
            );
        }
    }
}
