//! Several processes write to one database in parallel: no change is lost or made twice, and changes that commute cause
//! no error.
//!
//! `COMMITS=1000` in the environment makes it a long run (of nextest, with `--profile long`).

use std::process::{Child, Command, Stdio};

use rhei_datafusion::{DataFusionEngine, StorageMode};

use crate::common::{fresh_folder, number, rows, run};

const URL: &str = "URL_OF_THE_DATABASE";
const WRITER: &str = "NUMBER_OF_THE_WRITER";
const PROCESSES: i64 = 4;

fn open(url: &str) -> DataFusionEngine {
    DataFusionEngine::with_storage(StorageMode::Vortex { url: url.into() }).unwrap()
}

/// The number of rounds that each process runs.
fn commits() -> Option<i64> {
    Some(std::env::var("COMMITS").ok()?.parse().unwrap())
}

/// Not a test of its own: one of the processes.
#[tokio::test]
async fn one_of_the_writers() {
    let (Ok(url), Ok(writer)) = (std::env::var(URL), std::env::var(WRITER)) else {
        return;
    };
    let writer: i64 = writer.parse().unwrap();
    let engine = open(&url);
    for step in 0..commits().unwrap() {
        run(&engine, "UPDATE counters SET n = n + 1 WHERE id = 0").await;
        let (from, to) = ((step + writer) % 10, (step * 3 + writer + 1) % 10);
        let moved = format!(
            "UPDATE accounts SET sum = sum - 1 WHERE id = {from}; UPDATE accounts SET sum = sum + 1 WHERE id = {to}; \
             INSERT INTO events VALUES ({writer}, {step})"
        );
        engine.execute_batch(&moved).await.unwrap();
        // Each writer deletes only rows of its own.
        let own = writer * 1_000_000 + step;
        assert_eq!(
            run(&engine, &format!("DELETE FROM stock WHERE id = {own}")).await,
            1
        );
        if step % 20 == 19 {
            engine.compact().await.unwrap();
        }
    }
}

fn start(url: &str, writer: i64, each: i64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["processes::one_of_the_writers", "--exact", "--nocapture"])
        .env(URL, url)
        .env(WRITER, writer.to_string())
        .env("COMMITS", each.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn write_at_once(url: &str, each: i64) {
    let each = commits().unwrap_or(each);
    let engine = open(url);
    for sql in [
        "CREATE TABLE counters (id BIGINT, n BIGINT)",
        "INSERT INTO counters VALUES (0, 0)",
        "CREATE TABLE accounts (id BIGINT PRIMARY KEY, sum BIGINT)",
        "INSERT INTO accounts SELECT value, 100 FROM range(10)",
        "CREATE TABLE events (writer BIGINT, step BIGINT)",
        "CREATE TABLE stock (id BIGINT)",
    ] {
        run(&engine, sql).await;
    }
    for writer in 0..PROCESSES {
        let from = writer * 1_000_000;
        let to = from + 2_000;
        run(
            &engine,
            &format!("INSERT INTO stock SELECT value FROM range({from}, {to})"),
        )
        .await;
    }
    let writers: Vec<_> = (0..PROCESSES)
        .map(|writer| start(url, writer, each))
        .collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success(), "a writer failed");
    }
    for engine in [&engine, &open(url)] {
        assert_eq!(
            number(engine, "SELECT n FROM counters").await,
            PROCESSES * each
        );
        assert_eq!(number(engine, "SELECT sum(sum) FROM accounts").await, 1000);
        assert_eq!(
            rows(
                engine,
                "SELECT count(*), count(DISTINCT writer * 1000000 + step) FROM events"
            )
            .await,
            [format!("{0} | {0}", PROCESSES * each)]
        );
        let kept = PROCESSES * (2_000 - each);
        assert_eq!(
            rows(
                engine,
                "SELECT count(*), count(DISTINCT id), min(id % 1000000) FROM stock"
            )
            .await,
            [format!("{kept} | {kept} | {each}")]
        );
    }
}

#[tokio::test]
async fn processes_that_write_to_one_folder_at_once_lose_nothing() {
    let folder = fresh_folder();
    write_at_once(folder.to_str().unwrap(), 60).await;
}

#[cfg(feature = "cloud-storage")]
#[tokio::test]
async fn processes_that_write_to_one_bucket_at_once_lose_nothing() {
    let Some(url) = crate::s3::fresh_url() else {
        return;
    };
    write_at_once(&url, 10).await;
}
