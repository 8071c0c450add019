//! A durable store under every fault: every kind of change, at every call to the store, with every kind of fault. A
//! change is made once or not at all, and the caller learns which.

mod late_stops;
pub mod store;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use rhei_datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
use rhei_datafusion::object_store::ObjectStore;
use rhei_datafusion::object_store::memory::InMemory;
use rhei_datafusion::{
    Changes, DataFusionEngine, DfOlapError, EngineBuilder, ErrorKind, OlapEngine, StorageMode,
    VacuumOptions,
};

use self::store::{CarelessStore, Fault, FaultyStore};
use crate::common::{HANG, number, rows, run};

const CHANGES: [&str; 16] = [
    "INSERT INTO t VALUES (100001, 1), (100002, 2)",
    "INSERT INTO t SELECT value + 200000, 0 FROM range(2000)",
    "UPDATE t SET n = n + 1 WHERE id < 20 OR id = 700",
    "DELETE FROM t WHERE id % 2 = 0",
    "MERGE INTO t USING (SELECT value AS id FROM range(5, 15)) s ON t.id = s.id \
     WHEN MATCHED THEN UPDATE SET n = 77 WHEN NOT MATCHED THEN INSERT VALUES (s.id, 78)",
    "INSERT INTO t VALUES (3, 33), (100003, 3) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
    "CREATE TABLE u AS SELECT id FROM t WHERE id < 5",
    "DROP TABLE t",
    "ALTER TABLE t ADD COLUMN x INT DEFAULT 3",
    "CREATE OR REPLACE VIEW v AS SELECT id FROM t WHERE n = 0",
    "INSERT INTO t VALUES (300001, 1); UPDATE t SET n = 5 WHERE id = 300001; DELETE FROM t WHERE id = 4",
    COMPACTION,
    VACUUM,
    CREATE_FIRST_TABLE,
    APPLY,
    APPLY_TO_MANY,
];
const COMPACTION: &str = "compaction";
const VACUUM: &str = "vacuum";
/// Changes of a source, of which some were applied before; few and many.
const APPLY: &str = "apply changes";
const APPLY_TO_MANY: &str = "apply many changes";
/// The first table of a new database.
const CREATE_FIRST_TABLE: &str = "CREATE TABLE first (a INT)";

/// An engine whose answer timeout is the longest time that a test may take.
fn engine(store: Arc<dyn ObjectStore>) -> DataFusionEngine {
    engine_that_waits(store, HANG)
}

fn engine_that_waits(store: Arc<dyn ObjectStore>, answer_timeout: Duration) -> DataFusionEngine {
    let url = "s3://bucket/some/database".to_string();
    EngineBuilder::new()
        .storage(StorageMode::Vortex { url })
        .object_store("s3://bucket".parse().unwrap(), store)
        .answer_timeout(answer_timeout)
        .build()
        .unwrap()
}

async fn change(engine: &DataFusionEngine, sql: &str) -> Result<(), DfOlapError> {
    match sql {
        COMPACTION => engine.compact().await.map(|_| ()),
        VACUUM => engine
            .vacuum(VacuumOptions {
                retention: Duration::ZERO,
                dry_run: false,
            })
            .await
            .map(|_| ()),
        APPLY => apply(engine, 1..9).await,
        APPLY_TO_MANY => apply(engine, 2..2000).await,
        sql if sql.contains("; ") => engine.execute_batch(sql).await.map(|_| ()),
        sql => engine.execute(sql).await.map(|_| ()),
    }
}

/// Applies the changes of these numbers: change `i` sets n of row `i`, but each third one deletes the row.
async fn apply(engine: &DataFusionEngine, seqs: Range<u64>) -> Result<(), DfOlapError> {
    let ops = seqs.clone().map(|seq| match seq % 3 {
        0 => "delete",
        _ => "upsert",
    });
    let ids = || seqs.clone().map(|seq| seq as i64);
    let numbers = ids().map(|seq| 1000 + seq);
    let rows = RecordBatch::try_from_iter([
        (
            "_op",
            Arc::new(StringArray::from_iter_values(ops)) as ArrayRef,
        ),
        (
            "_seq",
            Arc::new(UInt64Array::from_iter_values(seqs.clone())),
        ),
        ("id", Arc::new(Int64Array::from_iter_values(ids()))),
        ("n", Arc::new(Int64Array::from_iter_values(numbers))),
    ]);
    let changes = Changes::new()
        .table("t", rows?)
        .position(format!("{seqs:?}"));
    engine.apply_changes("source", changes).await.map(|_| ())
}

/// A database of at least `commits` commits; after 15, the next commit makes a checkpoint.
async fn database(commits: usize) -> InMemory {
    let store = Arc::new(InMemory::new());
    let engine = engine(Arc::clone(&store) as _);
    for sql in [
        "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)",
        "INSERT INTO t SELECT value, 0 FROM range(10)",
        "INSERT INTO t SELECT value, 0 FROM range(500, 2000)",
        "CREATE VIEW v AS SELECT n FROM t",
        "CREATE TABLE other (a INT)",
        "DELETE FROM t WHERE id IN (7, 600)",
    ] {
        run(&engine, sql).await;
    }
    apply(&engine, 1..3).await.unwrap();
    while engine.version().await.unwrap().0 < commits as u64 {
        run(&engine, "INSERT INTO other VALUES (1)").await;
    }
    store.fork()
}

/// All tables with all their rows, and the watermarks.
async fn contents(engine: &DataFusionEngine) -> Vec<String> {
    let mut all = Vec::new();
    for (source, at) in engine.watermarks().await.unwrap() {
        all.push(format!("{source} {} {:?}", at.seq, at.position));
    }
    for name in engine.tables().await.unwrap() {
        all.push(format!(
            "{name} {:?}",
            engine.table_schema(&name).await.unwrap()
        ));
        let mut found = rows(engine, &format!("SELECT * FROM {name}")).await;
        found.sort_unstable();
        all.extend(found);
    }
    if all.iter().any(|line| line.starts_with("t ")) {
        all.extend(rows(engine, "SELECT count(*) FROM v").await);
    }
    all
}

/// A database's contents before and after a change.
struct Case {
    sql: &'static str,
    store: InMemory,
    before: Vec<String>,
    after: Vec<String>,
}

async fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let filled = database(15).await;
    for sql in CHANGES {
        let store = match sql {
            CREATE_FIRST_TABLE => InMemory::new(),
            _ => filled.fork(),
        };
        let before = contents(&engine(Arc::new(store.fork()))).await;
        let changed = engine(Arc::new(store.fork()));
        change(&changed, sql).await.unwrap();
        cases.push(Case {
            sql,
            store: store.fork(),
            before,
            after: contents(&changed).await,
        });
    }
    cases
}

impl Case {
    /// The current contents of a database.
    async fn found(&self, store: &InMemory) -> Vec<String> {
        contents(&engine(Arc::new(store.fork()))).await
    }

    /// Stops the program at call number `at`. False where the change makes fewer calls.
    async fn crash(&self, at: usize, fault: Fault) -> bool {
        let store = FaultyStore::new(self.store.fork(), at, fault);
        let engine = engine(Arc::clone(&store) as _);
        let acknowledged = tokio::select! {
            done = change(&engine, self.sql) => { done.unwrap(); true }
            () = store.crash() => false,
        };
        if acknowledged {
            quiet(&store).await;
        }
        drop(engine);
        let found = self.found(&store.inner).await;
        let place = format!("{}: {fault:?} at call {at}", self.sql);
        if acknowledged {
            assert_eq!(found, self.after, "{place}");
        } else {
            assert!(
                found == self.before || found == self.after,
                "{place}: {found:?}"
            );
        }
        let again = crate::faults::engine(Arc::new(store.inner.fork()));
        run(&again, "CREATE TABLE IF NOT EXISTS other (a INT)").await;
        run(&again, "INSERT INTO other VALUES (2)").await;
        store.met()
    }

    /// Injects a fault into call number `at`. False where the change makes fewer calls.
    async fn fault(&self, at: usize, fault: Fault) -> bool {
        let store = FaultyStore::new(self.store.fork(), at, fault);
        let place = format!("{}: {fault:?} at call {at}", self.sql);
        // The clock of the engine's own threads is not paused, so the timeout is short where an answer never comes.
        let is_silent = matches!(fault, Fault::Late | Fault::Silence | Fault::SilenceAfter);
        let timeout = if is_silent { SILENCE } else { HANG };
        let engine = engine_that_waits(Arc::clone(&store) as _, timeout);
        let done = change(&engine, self.sql).await;
        quiet(&store).await;
        let found = self.found(&store.inner).await;
        match done {
            Ok(()) => assert_eq!(found, self.after, "{place}"),
            Err(error) => {
                let kinds: &[ErrorKind] = match fault {
                    Fault::Short | Fault::Flipped => &[ErrorKind::Corrupt, ErrorKind::Unavailable],
                    _ => &[ErrorKind::Unavailable],
                };
                assert!(kinds.contains(&error.kind()), "{place}: {error}");
                assert_eq!(found, self.before, "{place}: {error}");
                change(&engine, self.sql).await.unwrap();
                assert_eq!(self.found(&store.inner).await, self.after, "{place}, again");
            }
        }
        store.met()
    }
}

/// The answer timeout where some answers never come.
const SILENCE: Duration = Duration::from_millis(100);

/// Waits until the background work is done: longer than any late answer takes, on a clock that advances only while no
/// task works.
async fn quiet(store: &FaultyStore) {
    let mut calls = usize::MAX;
    while store.calls() != calls && !store.has_crashed() {
        calls = store.calls();
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// For a paused clock, which jumps to the next timer once all work is done: a healthy answer is never late, however
/// slow the machine is, and waiting for a late or missing answer takes no time.
async fn enumerate(faults: &[Fault], crash: bool) {
    let cases = cases().await;
    let all = cases
        .iter()
        .flat_map(|case| faults.iter().map(move |fault| (case, *fault)));
    let met = stream::iter(all)
        .map(|(case, fault)| async move {
            let mut at = 1;
            while match crash {
                true => case.crash(at, fault).await,
                false => case.fault(at, fault).await,
            } {
                at += 1;
            }
            at - 1
        })
        .buffer_unordered(16);
    let met: Vec<usize> = met.collect().await;
    assert!(met.iter().all(|calls| *calls >= 3), "{met:?}");
}

/// Proves V1.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_leaves_all_of_a_change_or_nothing() {
    enumerate(&[Fault::Crash, Fault::CrashAfter], true).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_or_wrong_answer_at_any_call_neither_loses_nor_doubles_a_change() {
    let faults = [
        Fault::Before,
        Fault::After,
        Fault::Refused,
        Fault::RefusedAfter,
    ];
    enumerate(&faults, false).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_late_or_never_neither_loses_nor_doubles_a_change() {
    enumerate(&[Fault::Late, Fault::Silence, Fault::SilenceAfter], false).await;
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_cut_short_or_wrong_is_an_error_and_never_a_wrong_row() {
    enumerate(&[Fault::Short, Fault::Flipped], false).await;
}

/// Storage fails for longer than a commit waits, from any call on; the calls take effect or not.
/// Proves V4.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_became_of_a_commit_in_doubt_is_told_once_storage_is_back() {
    let filled = database(3).await;
    let sql = "INSERT INTO other VALUES (77)";
    let (mut in_doubt, mut made) = (0, 0);
    for fault in [Fault::Outage, Fault::OutageAfter] {
        for at in 1.. {
            let store = FaultyStore::new(filled.fork(), at, fault);
            let url = "s3://bucket/some/database".to_string();
            let engine = EngineBuilder::new()
                .storage(StorageMode::Vortex { url })
                .object_store("s3://bucket".parse().unwrap(), Arc::clone(&store) as _)
                .commit_timeout(Duration::from_millis(30))
                .build()
                .unwrap();
            let done = engine.execute(sql).await;
            store.mend();
            let rows = || number(&engine, "SELECT count(*) FROM other WHERE a = 77");
            let place = format!("{fault:?} from call {at}");
            match done {
                Ok(_) => assert_eq!(rows().await, 1, "{place}"),
                Err(DfOlapError::CommitUnknown { id, .. }) => {
                    in_doubt += 1;
                    let outcome = engine.commit_outcome(id).await.unwrap();
                    made += i64::from(outcome.is_some());
                    assert_eq!(rows().await, i64::from(outcome.is_some()), "{place}");
                    let again = engine.commit_outcome(id).await.unwrap();
                    assert_eq!(again, outcome, "{place}");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{place}: {error}");
                    assert_eq!(rows().await, 0, "{place}");
                }
            }
            run(&engine, "INSERT INTO other VALUES (78)").await;
            if !store.met() {
                break;
            }
        }
    }
    assert!(
        in_doubt >= 2 && made >= 1,
        "{in_doubt} in doubt, {made} made"
    );
}

/// Proves A1.
#[tokio::test]
async fn a_store_without_conditional_writes_is_refused_and_left_empty() {
    let store = CarelessStore::new(false);
    let refused = engine(Arc::clone(&store) as _).version().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
    let text = refused.to_string();
    assert!(
        text.contains("If-None-Match") && text.contains("s3://bucket/some/database"),
        "{text}"
    );
    let left: Vec<_> = store.list(None).collect().await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_store_that_looks_before_it_writes_is_found_out_by_a_race() {
    let careless = engine(CarelessStore::new(true));
    run(&careless, "CREATE TABLE t (a INT)").await;
    let error = careless.check_store().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("32 writers"), "{error}");
    let good = engine(Arc::new(InMemory::new()));
    good.check_store().await.unwrap();
    run(&good, "CREATE TABLE t (a INT)").await;
}
