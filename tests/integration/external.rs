//! SQL that reads and writes files where the builder allows it, and external tables over files.

use rhei_datafusion::{DataFusionEngine, EngineBuilder, ErrorKind, OlapEngine};

use crate::common::{kind, number, rows, run};

fn reads_and_writes() -> DataFusionEngine {
    let builder = EngineBuilder::new().allow_external_reads(true);
    builder.allow_external_writes(true).build().unwrap()
}

#[tokio::test]
async fn files_are_read_and_written_where_the_builder_allows_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("in.csv"), "a,b\n1,x\n2,y\n").unwrap();
    let engine = reads_and_writes();
    assert_eq!(
        number(&engine, &format!("SELECT sum(a) FROM '{}'", path("in.csv"))).await,
        3
    );
    run(
        &engine,
        &format!("CREATE TABLE t AS SELECT * FROM '{}'", path("in.csv")),
    )
    .await;
    assert_eq!(
        run(
            &engine,
            &format!("INSERT INTO t SELECT * FROM '{}'", path("in.csv"))
        )
        .await,
        2
    );
    let external = format!(
        "EXTERNAL TABLE e (a BIGINT, b TEXT) STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true')",
        path("in.csv")
    );
    run(&engine, &format!("CREATE {external}")).await;
    assert_eq!(
        kind(&engine, &format!("CREATE {external}")).await,
        ErrorKind::Invalid
    );
    run(
        &engine,
        &external.replace("EXTERNAL TABLE e", "CREATE EXTERNAL TABLE IF NOT EXISTS e"),
    )
    .await;
    assert_eq!(
        number(&engine, "SELECT count(*) FROM t JOIN e ON t.a = e.a").await,
        4
    );
    assert_eq!(kind(&engine, "DROP TABLE e, t").await, ErrorKind::Invalid);
    run(&engine, "DROP TABLE e").await;
    for missing in [
        "SELECT * FROM e".to_string(),
        format!("SELECT * FROM '{}'", path("missing.csv")),
    ] {
        let error = engine.query(&missing).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{missing}: {error}");
        assert!(
            error.to_string().contains("not found"),
            "{missing}: {error}"
        );
    }
    // An external table has all files that are in its folder at the time of the query.
    for files in 1..4 {
        let file = path(&format!("parts/{files}.parquet"));
        run(&engine, &format!("COPY (SELECT 1 AS a) TO '{file}'")).await;
        let parts = format!(
            "CREATE EXTERNAL TABLE IF NOT EXISTS parts STORED AS PARQUET LOCATION '{}'",
            path("parts/")
        );
        run(&engine, &parts).await;
        assert_eq!(number(&engine, "SELECT count(*) FROM parts").await, files);
    }
    run(
        &engine,
        &format!("COPY (SELECT * FROM t) TO '{}'", path("out.csv")),
    )
    .await;
    assert_eq!(
        number(
            &engine,
            &format!("SELECT count(*) FROM '{}'", path("out.csv"))
        )
        .await,
        4
    );

    // The same query gives the same result in COPY, CREATE TABLE AS and on its own.
    let query = "SELECT CAST(1234567890123456.78 AS DECIMAL(18, 2)) AS d, a, CAST(a AS TEXT) AS t, count(*) AS n FROM t \
                 GROUP BY a, CAST(a AS TEXT) ORDER BY ALL";
    let file = path("query.parquet");
    run(&engine, &format!("COPY ({query}) TO '{file}'")).await;
    run(&engine, &format!("CREATE TABLE copied AS {query}")).await;
    let expected = rows(&engine, query).await;
    assert!(
        expected[0].starts_with("1234567890123456.78 | "),
        "{expected:?}"
    );
    for from in [format!("'{file}'"), "copied".to_string()] {
        let found = rows(&engine, &format!("SELECT * FROM {from} ORDER BY a")).await;
        assert_eq!(found, expected, "{from}");
    }

    let reader = EngineBuilder::new()
        .allow_external_reads(true)
        .build()
        .unwrap();
    let copy = format!("COPY (SELECT 1) TO '{}'", path("no.csv"));
    assert_eq!(kind(&reader, &copy).await, ErrorKind::Denied);
    assert!(!folder.path().join("no.csv").exists());
}

#[tokio::test]
async fn rows_are_added_to_an_external_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let engine = reads_and_writes();
    run(
        &engine,
        "CREATE TABLE t (id BIGINT, d DECIMAL(18, 2), name TEXT)",
    )
    .await;
    run(
        &engine,
        "INSERT INTO t VALUES (10, 0.5, 'ten'), (11, NULL, NULL)",
    )
    .await;
    for format in ["CSV", "PARQUET"] {
        let e = format!("e_{format}").to_lowercase();
        let made = format!(
            "CREATE EXTERNAL TABLE {e} (id BIGINT, d DECIMAL(18, 2), name TEXT) STORED AS {format} LOCATION '{}/'",
            path(format)
        );
        run(&engine, &made).await;
        let insert = format!("INSERT INTO {e}");
        for (rows, sql) in [
            (
                1,
                format!("{insert} VALUES (1, 1234567890123456.78, 'one')"),
            ),
            (2, format!("{insert} SELECT * FROM t")),
            (
                2,
                format!(
                    "WITH q AS (SELECT id + 10 AS id FROM t) {insert} (name, id) SELECT 'q', id FROM q"
                ),
            ),
            (0, format!("{insert} SELECT * FROM t WHERE id > 100")),
            // An INSERT may read the table that it appends to.
            (1, format!("{insert} (id) SELECT max(id) + 1 FROM {e}")),
        ] {
            assert_eq!(run(&engine, &sql).await, rows, "{sql}");
        }
        run(
            &engine,
            &format!("PREPARE p_{e} AS {insert} (id, name) VALUES ($1, $2)"),
        )
        .await;
        assert_eq!(
            run(&engine, &format!("EXECUTE p_{e}(30, 'prepared')")).await,
            1
        );

        let all = format!("SELECT * FROM {e} ORDER BY id");
        let expected = [
            "1 | 1234567890123456.78 | one",
            "10 | 0.50 | ten",
            "11 | NULL | NULL",
            "20 | NULL | q",
            "21 | NULL | q",
            "22 | NULL | NULL",
            "30 | NULL | prepared",
        ];
        assert_eq!(rows(&engine, &all).await, expected, "{format}");
        // Other statements cannot change the table, and a refused statement leaves it unchanged.
        for (wanted, sql) in [
            (ErrorKind::Unsupported, format!("DELETE FROM {e}")),
            (ErrorKind::Unsupported, format!("UPDATE {e} SET id = 1")),
            (ErrorKind::Unsupported, format!("TRUNCATE {e}")),
            (
                ErrorKind::Unsupported,
                format!("{insert} VALUES (5, 5, '5') RETURNING id"),
            ),
            (
                ErrorKind::Unsupported,
                format!("{insert} VALUES (5, 5, '5') ON CONFLICT DO NOTHING"),
            ),
            (ErrorKind::Unsupported, format!("{insert} DEFAULT VALUES")),
            (
                ErrorKind::Unsupported,
                format!("EXPLAIN ANALYZE {insert} VALUES (5, 5, '5')"),
            ),
            (
                ErrorKind::Invalid,
                format!("{insert} (id, missing) VALUES (5, 5)"),
            ),
            (ErrorKind::Invalid, format!("{insert} VALUES (5)")),
            (
                ErrorKind::Invalid,
                format!("{insert} VALUES ('five', 5, '5')"),
            ),
            (
                ErrorKind::Invalid,
                format!("{insert} SELECT * FROM missing"),
            ),
        ] {
            assert_eq!(kind(&engine, &sql).await, wanted, "{sql}");
        }
        run(&engine, &format!("EXPLAIN {insert} VALUES (5, 5, '5')")).await;
        let batch = format!("INSERT INTO t VALUES (12, 12, NULL); {insert} VALUES (5, 5, '5')");
        let error = engine.execute_batch(&batch).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert_eq!(number(&engine, "SELECT count(*) FROM t").await, 2);
        assert_eq!(rows(&engine, &all).await, expected, "{format}");

        // Another engine finds the files; an engine that may not write adds none.
        let reader = EngineBuilder::new().allow_external_reads(true);
        let reader = reader.build().unwrap();
        run(&reader, &made).await;
        assert_eq!(rows(&reader, &all).await, expected, "{format}");
        for sql in [
            format!("{insert} VALUES (5, 5, '5')"),
            format!("{insert} SELECT 5, 5, '5'"),
        ] {
            assert_eq!(kind(&reader, &sql).await, ErrorKind::Denied, "{sql}");
        }
        assert_eq!(rows(&reader, &all).await, expected, "{format}");
    }
}

/// As in DataFusion, rows are not appended to a single file, and a refused statement leaves the file unchanged.
#[tokio::test]
async fn an_external_table_of_one_file_is_not_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.csv");
    std::fs::write(&file, "a,b\n1,x\n").unwrap();
    let engine = reads_and_writes();
    let made = format!(
        "CREATE EXTERNAL TABLE e (a BIGINT, b TEXT) STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true')",
        file.display()
    );
    run(&engine, &made).await;
    for sql in [
        "INSERT INTO e VALUES (2, 'y')",
        "INSERT OVERWRITE e SELECT 2, 'y'",
    ] {
        let found = kind(&engine, sql).await;
        assert!(
            matches!(found, ErrorKind::Invalid | ErrorKind::Unsupported),
            "{sql}: {found:?}"
        );
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a,b\n1,x\n");
    assert_eq!(number(&engine, "SELECT count(*) FROM e").await, 1);
}
