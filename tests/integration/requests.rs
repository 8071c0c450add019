//! The requests that a durable database sends to a bucket, one by one.

use std::sync::Arc;
use std::time::Duration;

use rhei_datafusion::object_store::memory::InMemory;
use rhei_datafusion::{DataFusionEngine, DfOlapError, EngineBuilder, OlapEngine, StorageMode};

use crate::common::{number, run};
use crate::faults::store::{Fault, FaultyStore, RequestKind};

fn open(store: &Arc<FaultyStore>) -> DataFusionEngine {
    let url = "s3://bucket/database".to_string();
    EngineBuilder::new()
        .storage(StorageMode::Vortex { url })
        .object_store("s3://bucket".parse().unwrap(), Arc::clone(store) as _)
        .build()
        .unwrap()
}

fn counting(inner: InMemory) -> Arc<FaultyStore> {
    FaultyStore::new(inner, usize::MAX, Fault::Before)
}

#[tokio::test]
async fn a_small_commit_is_one_put_and_lists_nothing() {
    let store = counting(InMemory::new());
    let engine = open(&store);
    run(&engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
    run(&engine, "INSERT INTO t SELECT value, 0 FROM range(50000)").await;
    for sql in [
        "INSERT INTO t VALUES (-1, 0), (-2, 0)",
        "UPDATE t SET n = 1 WHERE id = 25000",
        "DELETE FROM t WHERE id = 30000",
        "INSERT INTO t VALUES (7, 70) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
        "CREATE VIEW v AS SELECT * FROM t",
        "ALTER TABLE t ADD COLUMN x INT",
    ] {
        store.take_requests();
        run(&engine, sql).await;
        let asked = store.take_requests();
        let count = |what: RequestKind| asked.iter().filter(|(kind, _)| *kind == what).count();
        assert_eq!(count(RequestKind::Put), 1, "{sql}: {asked:?}");
        assert_eq!(count(RequestKind::List), 0, "{sql}: {asked:?}");
    }
}

/// An INSERT that the fast path cannot do is planned on the snapshot that the fast path has read already.
#[tokio::test]
async fn an_insert_of_literals_that_takes_a_plan_asks_for_no_more() {
    let store = counting(InMemory::new());
    let engine = open(&store);
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT DEFAULT 7)").await;
    let mut asked = Vec::new();
    for sql in [
        "INSERT INTO t VALUES (1, 7)",
        "INSERT INTO t (id) VALUES (2)",
    ] {
        store.take_requests();
        run(&engine, sql).await;
        asked.push(
            store
                .take_requests()
                .into_iter()
                .map(|(kind, _)| kind)
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(asked[0], asked[1]);
    assert_eq!(number(&engine, "SELECT sum(n) FROM t").await, 14);
}

#[tokio::test]
async fn counting_all_rows_opens_no_file() {
    let store = counting(InMemory::new());
    let engine = open(&store);
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    run(&engine, "INSERT INTO t SELECT value, 0 FROM range(50000)").await;
    run(&engine, "DELETE FROM t WHERE id % 100 = 7").await;
    run(&engine, "INSERT INTO t VALUES (-1, 0)").await;
    let engine = open(&store);
    number(&engine, "SELECT count(*) FROM t").await;
    store.take_requests();
    assert_eq!(number(&engine, "SELECT count(*) FROM t").await, 49_501);
    let asked = store.take_requests();
    assert!(
        asked.iter().all(|(_, path)| !path.ends_with(".vortex")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn opening_a_database_of_many_commits_reads_few_objects() {
    let store = counting(InMemory::new());
    let engine = open(&store);
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    // A checkpoint is large against the entries.
    let columns: Vec<String> = (0..1000).map(|n| format!("column_{n} BIGINT")).collect();
    let wide = format!("CREATE TABLE wide ({})", columns.join(", "));
    run(&engine, &wide).await;
    for commits in 1..=1000 {
        run(&engine, &format!("INSERT INTO t VALUES ({commits}, 0)")).await;
        if commits % 90 != 0 && commits != 1000 {
            continue;
        }
        store.take_requests();
        let other = open(&store);
        let count = number(&other, "SELECT count(*) FROM t").await;
        assert_eq!(count, commits);
        let mut asked = store.take_requests();
        // The other engine may be making a checkpoint.
        asked.retain(|(kind, _)| *kind != RequestKind::Put);
        assert!(asked.len() <= 20, "{}: {asked:?}", asked.len());
    }
}

/// The program's runtime ends while a commit waits for storage: the caller, outside of that runtime, learns that the
/// commit is in doubt.
#[test]
fn a_commit_whose_runtime_ends_is_in_doubt() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let filled = InMemory::new();
    let first = counting(filled);
    runtime.block_on(async {
        let engine = open(&first);
        run(&engine, "CREATE TABLE t (id BIGINT)").await;
    });
    // The next PUT gets no answer.
    let store = FaultyStore::new(first.inner.fork(), usize::MAX, Fault::Silence);
    let engine = Arc::new(open(&store));
    let ended = std::thread::scope(|scope| {
        let handle = runtime.handle().clone();
        let asked = scope.spawn({
            let (engine, store) = (Arc::clone(&engine), Arc::clone(&store));
            move || {
                handle.block_on(async {
                    number(&engine, "SELECT count(*) FROM t").await;
                    store.fail_puts();
                    engine.execute("INSERT INTO t VALUES (1)").await
                })
            }
        });
        while !store.has_met_a_put() {
            std::thread::sleep(Duration::from_millis(1));
        }
        runtime.shutdown_background();
        asked.join().unwrap()
    });
    let Err(DfOlapError::CommitUnknown { id, .. }) = ended else {
        panic!("{ended:?}");
    };
    // Another runtime finds out the outcome.
    store.mend();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let outcome = engine.commit_outcome(id).await.unwrap();
        let rows = number(&engine, "SELECT count(*) FROM t").await;
        assert_eq!(rows, i64::from(outcome.is_some()));
    });
}
