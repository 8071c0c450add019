//! PRIMARY KEY … ENFORCED: no two rows of a table have the same key, in whatever way rows are written.

use futures::StreamExt;
use rhei_datafusion::arrow::datatypes::{DataType, Field, Schema};
use rhei_datafusion::{DataFusionEngine, DfOlapError, EngineBuilder, ErrorKind, OlapEngine};
use std::sync::Arc;

use crate::common::{at_once, engines, fresh_folder, pairs, refused, rows, run, vortex};

/// Statements that would give two rows the same key, and the key.
const REFUSED: [(&str, &str); 15] = [
    ("INSERT INTO t VALUES (3, 0)", "id = 3"),
    ("INSERT INTO t VALUES (100, 0), (100, 1)", "id = 100"),
    ("INSERT INTO t (n, id) SELECT 0, 4", "id = 4"),
    ("INSERT INTO t SELECT id + 5, 0 FROM t", "id = "),
    ("INSERT INTO t SELECT id, 0 FROM t WHERE id = 7", "id = 7"),
    ("INSERT OVERWRITE t SELECT id % 3, 0 FROM t", "id = "),
    ("UPDATE t SET id = 5 WHERE id = 6", "id = 5"),
    ("UPDATE t SET id = id + 1 WHERE id < 5", "id = 5"),
    ("UPDATE t SET id = 200 WHERE id < 5", "id = 200"),
    (
        "UPDATE t SET id = s.k FROM (SELECT 9 AS k) s WHERE id = 1",
        "id = 9",
    ),
    (
        "INSERT INTO t VALUES (3, 0) ON CONFLICT (id) DO UPDATE SET id = 8",
        "id = 8",
    ),
    (
        "MERGE INTO t USING (SELECT 2 AS k) s ON false WHEN NOT MATCHED THEN INSERT VALUES (s.k, 0)",
        "id = 2",
    ),
    (
        "MERGE INTO t USING (SELECT 2 AS k) s ON t.id = s.k WHEN MATCHED THEN UPDATE SET id = 1",
        "id = 1",
    ),
    (
        "MERGE INTO t USING (SELECT 1 AS k, 'old' AS w UNION ALL SELECT 1, 'new') s ON t.id = s.k AND s.w = 'old' \
         WHEN MATCHED THEN UPDATE SET n = 1 WHEN NOT MATCHED THEN INSERT VALUES (s.k, 2)",
        "id = 1",
    ),
    (
        "CREATE OR REPLACE TABLE t (id BIGINT PRIMARY KEY ENFORCED) AS SELECT n FROM t",
        "id = 0",
    ),
];

/// Statements that leave each key once.
const ACCEPTED: [&str; 9] = [
    "INSERT INTO t VALUES (3, 1) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
    "INSERT OR REPLACE INTO t VALUES (4, 1)",
    "INSERT OR IGNORE INTO t VALUES (5, 1), (5, 2)",
    "UPDATE t SET id = id + 1",
    "UPDATE t SET id = 20000 - id WHERE id <= 20",
    "DELETE FROM t WHERE id = 30",
    "INSERT INTO t VALUES (30, 7)",
    "UPDATE t SET n = 3 WHERE id = 40",
    "INSERT OVERWRITE t SELECT id, n + 1 FROM t",
];

/// As many rows as fit into an entry of the log, and so many that they are in a file with an index.
const SIZES: [u64; 2] = [60, 10_007];

async fn state(engine: &DataFusionEngine) -> Vec<String> {
    let all = "SELECT count(*), count(DISTINCT id), sum(id), sum(n) FROM t";
    rows(engine, all).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_row_with_the_same_key_is_refused_and_named() {
    for (store, engine) in engines() {
        for (declared, size) in [
            (
                "CREATE TABLE t (id BIGINT PRIMARY KEY ENFORCED, n BIGINT)",
                SIZES[0],
            ),
            (
                "CREATE TABLE t (id BIGINT, n BIGINT, PRIMARY KEY (id) ENFORCED)",
                SIZES[1],
            ),
        ] {
            run(&engine, declared).await;
            let fill = format!("INSERT INTO t SELECT value * 101 % {size}, 0 FROM range({size})");
            run(&engine, &fill).await;
            let before = state(&engine).await;
            for (sql, key) in REFUSED {
                let error = refused(&engine, sql).await;
                let place = format!("{store}, {size} rows, {sql}: {error}");
                assert_eq!(error.kind(), ErrorKind::Invalid, "{place}");
                let text = error.to_string();
                assert!(
                    text.contains("PRIMARY KEY") && text.contains(key),
                    "{place}"
                );
                assert_eq!(state(&engine).await, before, "{place}");
            }
            let loaded = engine
                .load_arrow("t", &[pairs([(500_000, 0), (7, 0)])])
                .await;
            let error = loaded.unwrap_err().to_string();
            assert!(error.contains("id = 7"), "{error}");
            let twice = [pairs([(77_777, 0)]), pairs([(77_777, 0)])];
            let error = engine.load_arrow("t", &twice).await.unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("two of the new rows") && error.contains("id = 77777"),
                "{error}"
            );
            assert_eq!(state(&engine).await, before, "{store}");
            for sql in ACCEPTED {
                run(&engine, sql).await;
                let unique = "SELECT count(*) = count(DISTINCT id) FROM t";
                assert_eq!(rows(&engine, unique).await, ["true"], "{store}, {sql}");
            }
            assert_eq!(
                engine
                    .load_arrow("t", &[pairs([(500_000, 0)])])
                    .await
                    .unwrap(),
                1
            );
            run(&engine, "DROP TABLE t").await;
        }
    }
}

#[tokio::test]
async fn a_key_that_is_not_enforced_is_the_programs_word() {
    for (_, engine) in engines() {
        for declared in [
            "PRIMARY KEY",
            "PRIMARY KEY NOT ENFORCED",
            "PRIMARY KEY NOT DEFERRABLE",
        ] {
            run(
                &engine,
                &format!("CREATE TABLE t (id BIGINT {declared}, n BIGINT)"),
            )
            .await;
            run(&engine, "INSERT INTO t VALUES (1, 1), (1, 2)").await;
            run(&engine, "DROP TABLE t").await;
        }
        for late in ["DEFERRABLE", "INITIALLY DEFERRED"] {
            let error = refused(
                &engine,
                &format!("CREATE TABLE t (id BIGINT PRIMARY KEY {late})"),
            )
            .await;
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        }
        let nested = "CREATE TABLE t (id BIGINT[] PRIMARY KEY ENFORCED)";
        let error = refused(&engine, nested).await;
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
}

#[tokio::test]
async fn keys_of_several_columns_and_of_text_are_enforced() {
    for (_, engine) in engines() {
        run(
            &engine,
            "CREATE TABLE t (a TEXT, b INT, c INT, PRIMARY KEY (b, a) ENFORCED)",
        )
        .await;
        run(
            &engine,
            "INSERT INTO t VALUES ('x', 1, 0), ('x', 2, 0), ('y', 1, 0)",
        )
        .await;
        let error = refused(&engine, "INSERT INTO t VALUES ('y', 2, 0), ('y', 1, 0)").await;
        assert!(error.to_string().contains("b = 1, a = y"), "{error}");
        let error = refused(&engine, "UPDATE t SET a = 'y' WHERE b = 1 AND a = 'x'").await;
        assert!(error.to_string().contains("b = 1, a = y"), "{error}");
        run(&engine, "INSERT INTO t VALUES ('y', 2, 0)").await;
        assert_eq!(rows(&engine, "SELECT count(*) FROM t").await, ["4"]);
        // The same letters, parted elsewhere.
        run(
            &engine,
            "CREATE TABLE u (a TEXT, b TEXT, PRIMARY KEY (a, b) ENFORCED)",
        )
        .await;
        for key in ["('a', 'bc')", "('ab', 'c')", "('', 'abc'), ('abc', '')"] {
            run(&engine, &format!("INSERT INTO u VALUES {key}")).await;
        }
        let error = refused(&engine, "INSERT INTO u VALUES ('ab', 'c')").await;
        assert!(error.to_string().contains("a = ab, b = c"), "{error}");
    }
}

#[tokio::test]
async fn the_setting_holds_for_new_tables_and_is_kept_with_them() {
    let folder = fresh_folder();
    let build = |enforce| {
        let builder = EngineBuilder::new().storage(vortex(&folder));
        builder.enforce_primary_keys(enforce).build().unwrap()
    };
    let engine = build(true);
    let fields = vec![
        Field::new("id", DataType::Int64, false),
        Field::new("n", DataType::Int64, true),
    ];
    let schema = Arc::new(Schema::new(fields));
    let key = ["id".to_string()];
    engine
        .create_table("by_method", &schema, &key)
        .await
        .unwrap();
    let twice = futures::stream::iter([Ok::<_, DfOlapError>(pairs([(1, 1), (1, 2)]))]).boxed();
    let error = engine
        .create_table_from("filled", &schema, &key, twice)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("id = 1"), "{error}");
    run(
        &engine,
        "CREATE TABLE by_sql (id BIGINT PRIMARY KEY, n BIGINT)",
    )
    .await;
    run(
        &engine,
        "CREATE TABLE free (id BIGINT PRIMARY KEY NOT ENFORCED, n BIGINT)",
    )
    .await;
    run(&engine, "ALTER TABLE by_sql ADD COLUMN m INT").await;
    for _ in 0..20 {
        run(&engine, "INSERT INTO free VALUES (1, 1)").await;
    }
    drop(engine);
    let engine = build(false);
    for table in ["by_method", "by_sql"] {
        run(
            &engine,
            &format!("INSERT INTO {table} (id, n) VALUES (1, 1)"),
        )
        .await;
        let again = format!("INSERT INTO {table} (id, n) VALUES (1, 1)");
        let error = refused(&engine, &again).await;
        assert!(error.to_string().contains("id = 1"), "{error}");
    }
    run(&engine, "INSERT INTO free VALUES (1, 1)").await;
}

/// Of writers that add the same keys at once, one wins each key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_once_never_add_a_key_twice() {
    const WRITERS: usize = 6;
    const KEYS: usize = 25;
    for (store, engine) in engines() {
        run(
            &engine,
            "CREATE TABLE t (id BIGINT PRIMARY KEY ENFORCED, n BIGINT)",
        )
        .await;
        let won = at_once(WRITERS, |writer| {
            let engine = engine.clone();
            async move {
                let mut won = 0;
                for key in 0..KEYS {
                    let key = (key + writer * 5) % KEYS;
                    let added = match writer % 2 {
                        0 => {
                            engine
                                .load_arrow("t", &[pairs([(key as i64, writer as i64)])])
                                .await
                        }
                        _ => {
                            let sql = format!("INSERT INTO t VALUES ({key}, {writer})");
                            engine.execute(&sql).await
                        }
                    };
                    match added {
                        Ok(_) => won += 1,
                        Err(error) => assert!(error.to_string().contains("PRIMARY KEY"), "{error}"),
                    }
                }
                won
            }
        })
        .await;
        assert_eq!(won.iter().sum::<usize>(), KEYS, "{store}");
        let unique = "SELECT count(*), count(DISTINCT id) FROM t";
        assert_eq!(
            rows(&engine, unique).await,
            [format!("{KEYS} | {KEYS}")],
            "{store}"
        );
    }
}
