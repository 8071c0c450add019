//! A durable database on a simulated disk that loses power at each operation, or is full from each operation on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::util::display::array_value_to_string;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionConfig;

use crate::executor::Executor;
use crate::sql::{Limits, Session};
use crate::store::disk::Files;
use crate::store::disk::simulated::SimulatedDisk;
use crate::store::{RetryPolicy, VortexSettings, VortexStore};
use crate::{
    Changes, DataFusionEngine, DfOlapError, Durability, ErrorKind, OlapEngine, StorageMode,
    VacuumOptions,
};

/// Of tables with more rows only sums are compared.
const SHOWN_ROWS: usize = 5000;
const COMPACTION: &str = "compaction";
const VACUUM: &str = "vacuum";
/// Changes of a source; the second time some of them were applied before.
const APPLY: &str = "apply changes";
const APPLY_AGAIN: &str = "apply more changes";
/// Every kind of change, in an order in which each step has an effect.
const STEPS: [&str; 14] = [
    "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)",
    "INSERT INTO t VALUES (1, 10), (2, 20)",
    // In no order, and so many that there is an index of the keys beside their file.
    "INSERT INTO t SELECT 100 + value * 4001 % 9001, 0 FROM range(9001)",
    "DELETE FROM t WHERE id % 10 = 3 OR id >= 1300",
    "UPDATE t SET n = n + 1 WHERE id < 110",
    "MERGE INTO t USING (SELECT 2 AS id UNION ALL SELECT 5) s ON t.id = s.id \
     WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, 50)",
    COMPACTION,
    "INSERT INTO t VALUES (5, 51), (6, 60) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
    APPLY,
    VACUUM,
    APPLY_AGAIN,
    "CREATE TABLE u AS SELECT id FROM t WHERE n > 0",
    "ALTER TABLE t ADD COLUMN x INT DEFAULT 3",
    "DROP TABLE u",
];

fn disk() -> Arc<SimulatedDisk> {
    let disk = Arc::new(SimulatedDisk::default());
    for folder in ["/db", "/db/_log"] {
        disk.create_folder(Path::new(folder)).unwrap();
    }
    disk.sync_folder(Path::new("/")).unwrap();
    disk.sync_folder(Path::new("/db")).unwrap();
    Arc::new(disk.fork())
}

fn open(disk: &Arc<SimulatedDisk>, durability: Durability) -> DataFusionEngine {
    let session = Session::new(
        SessionConfig::new(),
        Arc::new(RuntimeEnv::default()),
        Limits::default(),
    );
    let settings = VortexSettings {
        durability,
        patience: RetryPolicy {
            request_timeout: Duration::from_secs(60),
            retry_deadline: Duration::from_millis(20),
            first_pause: Duration::from_micros(200),
            longest_pause: Duration::from_millis(5),
        },
        ..VortexSettings::default()
    };
    let runtime = session.state.runtime_env();
    let store = VortexStore::on_files(Arc::clone(disk) as _, Path::new("/db"), &settings, runtime);
    let url = "/db".to_string();
    DataFusionEngine::from_parts(
        StorageMode::Vortex { url },
        Arc::new(Executor::new(session, Arc::new(store))),
    )
}

async fn step(engine: &DataFusionEngine, sql: &str) -> Result<(), DfOlapError> {
    match sql {
        COMPACTION => engine.compact().await.map(|_| ()),
        VACUUM => {
            let options = VacuumOptions {
                retention: Duration::ZERO,
                dry_run: false,
            };
            engine.vacuum(options).await.map(|_| ())
        }
        APPLY => apply(engine, &[1, 2]).await,
        APPLY_AGAIN => apply(engine, &[2, 6, 7]).await,
        sql => engine.execute(sql).await.map(|_| ()),
    }
}

/// Applies the changes of these numbers: change `i` sets n of row `i`.
async fn apply(engine: &DataFusionEngine, seqs: &[i64]) -> Result<(), DfOlapError> {
    let numbers = seqs.iter().map(|seq| 1000 + seq);
    let rows = RecordBatch::try_from_iter([
        (
            "_seq",
            Arc::new(Int64Array::from(seqs.to_vec())) as ArrayRef,
        ),
        ("id", Arc::new(Int64Array::from(seqs.to_vec()))),
        ("n", Arc::new(Int64Array::from_iter_values(numbers))),
    ]);
    let changes = Changes::new()
        .table("t", rows?)
        .position(format!("{seqs:?}"));
    engine.apply_changes("source", changes).await.map(|_| ())
}

/// All table names, rows and watermarks of a database.
async fn contents(engine: &DataFusionEngine) -> Result<Vec<String>, DfOlapError> {
    let mut all = engine.tables().await?;
    for name in all.clone() {
        let rows = engine.query(&format!("SELECT * FROM {name}")).await?;
        let rows = match rows.iter().map(RecordBatch::num_rows).sum() {
            0..=SHOWN_ROWS => rows,
            _ => {
                let sums = format!("SELECT count(*), sum(id), sum(n * 31 + id % 97) FROM {name}");
                engine.query(&sums).await?
            }
        };
        for batch in rows {
            for row in 0..batch.num_rows() {
                let values = batch.columns().iter();
                let values = values.map(|column| array_value_to_string(column, row));
                let values: Vec<String> = values.collect::<Result<_, _>>()?;
                all.push(format!("{name} {}", values.join(" ")));
            }
        }
    }
    for (source, at) in engine.watermarks().await? {
        all.push(format!("{source} {} {:?}", at.seq, at.position));
    }
    all.sort_unstable();
    Ok(all)
}

/// The contents before the first step and after each step, computed with a database in memory.
async fn expected() -> Vec<Vec<String>> {
    let engine = DataFusionEngine::new();
    let mut states = vec![contents(&engine).await.unwrap()];
    for sql in STEPS {
        if sql != COMPACTION && sql != VACUUM {
            step(&engine, sql).await.unwrap();
        }
        states.push(contents(&engine).await.unwrap());
    }
    states
}

/// Runs the steps until the power fails at operation `at` (after the operation if `done`, else before it), then checks
/// every state in which the disk may be found. Returns whether the power failed, and the errors found.
async fn lose_power(
    at: usize,
    done: bool,
    durability: Durability,
    expected: &[Vec<String>],
) -> (bool, Vec<String>) {
    let disk = disk();
    disk.lose_power(at, done);
    let engine = open(&disk, durability);
    let mut acknowledged = 0;
    for sql in STEPS {
        match step(&engine, sql).await {
            Ok(()) => acknowledged += 1,
            Err(_) => break,
        }
    }
    if acknowledged == STEPS.len() && !disk.is_off() {
        return (false, Vec::new());
    }
    drop(engine);
    let possible = &expected[acknowledged..=(acknowledged + 1).min(STEPS.len())];
    let mut wrong = Vec::new();
    for found in disk.after_power_loss() {
        let place = format!("operation {at} ({done}), {acknowledged} acknowledged");
        let engine = open(&found, durability);
        match contents(&engine).await {
            Ok(there) if possible.contains(&there) => {}
            Ok(there) => wrong.push(format!("{place}: {} rows and tables", there.len())),
            Err(error) => wrong.push(format!("{place}: {error}")),
        }
        match engine.verify().await {
            Ok(verified) if verified.damages.is_empty() => {}
            verified => wrong.push(format!("{place}: {verified:?}")),
        }
        // A new commit must succeed on top of the commits found.
        if let Err(error) = step(&engine, "CREATE TABLE afterwards (a INT)").await {
            wrong.push(format!("{place}, afterwards: {error}"));
        }
    }
    (true, wrong)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_a_loss_of_power_at_any_operation() {
    let expected = expected().await;
    let mut moments = 0;
    for at in 1.. {
        let (went, wrong) = lose_power(at, false, Durability::Synced, &expected).await;
        let (_, after) = lose_power(at, true, Durability::Synced, &expected).await;
        assert!(wrong.is_empty() && after.is_empty(), "{wrong:?} {after:?}");
        if !went {
            break;
        }
        moments += 1;
    }
    assert!(moments > 60, "{moments} operations");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_syncs_a_loss_of_power_is_seen_by_the_same_test() {
    let expected = expected().await;
    let mut wrong = Vec::new();
    for at in (1..60).step_by(7) {
        let durability = Durability::LostOnPowerFailure;
        wrong.extend(lose_power(at, true, durability, &expected).await.1);
    }
    assert!(!wrong.is_empty(), "the test above would find nothing");
}

/// A step that the full disk refuses fails and changes nothing; once there is room, the same step succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_a_change_whole_and_the_engine_goes_on_once_there_is_room() {
    let expected = expected().await;
    let (mut from, mut refusals) = (1, 0);
    loop {
        let disk = disk();
        let engine = open(&disk, Durability::Synced);
        disk.fill(Some(from));
        for (number, sql) in STEPS.iter().enumerate() {
            let Err(error) = step(&engine, sql).await else {
                continue;
            };
            refusals += 1;
            let place = format!("full from operation {from}, {sql}: {error}");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{place}");
            disk.fill(None);
            assert_eq!(
                contents(&engine).await.unwrap(),
                expected[number],
                "{place}"
            );
            step(&engine, sql).await.unwrap();
            assert_eq!(
                contents(&engine).await.unwrap(),
                expected[number + 1],
                "{place}"
            );
        }
        assert_eq!(contents(&engine).await.unwrap(), expected[STEPS.len()]);
        if disk.refused() == 0 {
            break;
        }
        from += 1;
    }
    assert!(refusals > 30, "{refusals} refusals");
}
