//! A durable database in a bucket of a real S3 server, where the environment names one (`S3_TEST_URL` and the `AWS_…`
//! variables, which `scripts/s3_server start` prints).

use std::sync::Arc;
use std::time::Duration;

use rhei_datafusion::object_store::memory::InMemory;
use rhei_datafusion::{
    DataFusionEngine, DfOlapError, EngineBuilder, ErrorKind, OlapEngine, SharedDataFusionEngine,
    StatementOptions, StorageMode, VacuumOptions, Version,
};

use crate::common::{engines_write_at_once, number, rows, run};
use crate::sql_file::render;
use crate::sql_files;

/// A fresh prefix in the bucket of the tests. `None` where no server is configured.
pub fn fresh_url() -> Option<String> {
    match std::env::var("S3_TEST_URL") {
        Ok(url) => Some(format!("{url}/{}", uuid::Uuid::new_v4())),
        Err(_) => {
            println!("NOT RUN: S3_TEST_URL names no server");
            None
        }
    }
}

fn open(url: &str) -> SharedDataFusionEngine {
    let mode = StorageMode::Vortex { url: url.into() };
    SharedDataFusionEngine::new(DataFusionEngine::with_storage(mode).unwrap())
}

#[tokio::test]
async fn a_database_in_a_bucket_is_there_for_whoever_opens_it_next() {
    let Some(url) = fresh_url() else { return };
    let engine = open(&url);
    for sql in [
        "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)",
        "INSERT INTO t VALUES (-1, 'one'), (-2, NULL)",
        "INSERT INTO t SELECT value, 'row ' || value FROM range(30000)",
        "DELETE FROM t WHERE id % 10 = 3",
        "UPDATE t SET name = upper(name) WHERE id < 100",
        "CREATE VIEW v AS SELECT count(*) AS n FROM t",
    ] {
        run(&engine, sql).await;
    }
    for id in 0..20 {
        run(
            &engine,
            &format!("INSERT INTO t VALUES ({}, 'late')", 100_000 + id),
        )
        .await;
    }
    let sql = "SELECT count(*), sum(id), min(name), max(name) FROM t";
    let before = rows(&engine, sql).await;
    let version = engine.version().await.unwrap();
    drop(engine);
    let engine = open(&url);
    assert_eq!(rows(&engine, sql).await, before);
    assert_eq!(number(&engine, "SELECT n FROM v").await, 27_022);
    engine.compact().await.unwrap();
    assert_eq!(rows(&engine, sql).await, before);
    let done = engine
        .vacuum(VacuumOptions {
            retention: Duration::ZERO,
            dry_run: false,
        })
        .await
        .unwrap();
    assert!(done.files >= 1, "{done:?}");
    assert_eq!(rows(&open(&url), sql).await, before);
    let gone = engine.query_at(sql, version, StatementOptions::new()).await;
    assert!(gone.is_err());
    let first = engine
        .query_at(sql, Version(1), StatementOptions::new())
        .await;
    assert!(first.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn engines_that_write_to_one_bucket_at_once_lose_nothing() {
    let Some(url) = fresh_url() else { return };
    engines_write_at_once(|| open(&url), 4, 12).await;
}

#[tokio::test]
async fn the_sql_files_have_the_same_answers_in_a_bucket() {
    let Some(url) = fresh_url() else { return };
    sql_files::run_all(8, |file| vec![("s3", open(&format!("{url}/{file}")))]).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_bucket_is_said_by_name_and_no_secret_shows() {
    const SECRET: &str = "wJalrXUtnFEMI-marked-bPxRfiCY";
    let Some(url) = fresh_url() else { return };
    let try_it = async |url: &str, options: &[(&str, &str)]| -> DfOlapError {
        let mut builder = EngineBuilder::new().storage(StorageMode::Vortex { url: url.into() });
        for (key, value) in options {
            builder = builder.s3_option(*key, *value);
        }
        let shown = format!("{builder:?}");
        assert!(!shown.contains(SECRET), "{shown}");
        let error = match builder.build() {
            Err(error) => error,
            Ok(engine) => {
                let shown = format!("{engine:?}");
                assert!(!shown.contains(SECRET), "{shown}");
                engine.execute("CREATE TABLE t (a INT)").await.unwrap_err()
            }
        };
        let mut texts = vec![error.to_string(), format!("{error:?}")];
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            texts.push(format!("{cause} {cause:?}"));
            source = cause.source();
        }
        for text in texts {
            assert!(!text.contains(SECRET), "{text}");
        }
        error
    };
    let wrong_key = [("AWS_SECRET_ACCESS_KEY", SECRET)];
    let error = try_it(&url, &wrong_key).await;
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Denied, "{text}");
    assert!(text.contains("AWS_SECRET_ACCESS_KEY"), "{text}");
    let error = try_it("s3://there-is-no-such-bucket/x", &[]).await;
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
    assert!(
        text.contains("there-is-no-such-bucket") && text.contains("bucket"),
        "{text}"
    );
    let with_secret = format!("s3://key:{SECRET}@bucket/prefix");
    let text = try_it(&with_secret, &[]).await.to_string();
    assert!(text.contains("credentials"), "{text}");
    let text = try_it(&url, &[("AWS_SECRT", SECRET)]).await.to_string();
    assert!(text.contains("AWS_SECRT"), "{text}");
}

#[tokio::test]
async fn an_object_store_of_the_callers_holds_a_database() {
    let store = Arc::new(InMemory::new());
    let open = || {
        let url = "s3://anything/at/all".to_string();
        EngineBuilder::new()
            .storage(StorageMode::Vortex { url })
            .object_store("s3://anything".parse().unwrap(), Arc::clone(&store) as _)
            .build()
            .unwrap()
    };
    run(&open(), "CREATE TABLE t AS SELECT 7 AS a").await;
    assert_eq!(
        render(&open().query("SELECT a FROM t").await.unwrap()),
        ["7"]
    );
}
