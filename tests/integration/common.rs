//! Engines to test, one for each kind of storage, and helpers that read answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use rhei_datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use rhei_datafusion::arrow::datatypes::{DataType, Int64Type};
use rhei_datafusion::arrow::record_batch::RecordBatch;
use rhei_datafusion::datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use rhei_datafusion::{
    DataFusionEngine, DfOlapError, ErrorKind, OlapEngine, SharedDataFusionEngine, StorageMode,
};

use crate::sql_file::render;

/// A test that takes longer than this hangs, even on a slow machine.
pub const HANG: Duration = Duration::from_secs(60);

/// Each storage mode's name and a fresh engine on it.
pub fn engines() -> Vec<(&'static str, SharedDataFusionEngine)> {
    let shared = SharedDataFusionEngine::new;
    let vortex = DataFusionEngine::with_storage(vortex(&fresh_folder())).unwrap();
    vec![
        ("memory", shared(DataFusionEngine::new())),
        ("vortex", shared(vortex)),
    ]
}

pub fn vortex(folder: &Path) -> StorageMode {
    StorageMode::Vortex {
        url: folder.display().to_string(),
    }
}

/// An empty folder of this process. Also removes the folders of processes that have ended.
pub fn fresh_folder() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("databases");
    if NUMBER.load(Ordering::Relaxed) == 0 {
        for entry in std::fs::read_dir(&all).into_iter().flatten().flatten() {
            let process = entry.file_name();
            if !Path::new("/proc").join(&process).exists() {
                // Another test may be removing the same folder.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
    let folder = all.join(std::process::id().to_string()).join(number);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The number of data files in a database's folder.
pub fn data_files(folder: &Path) -> usize {
    let tables = std::fs::read_dir(folder).unwrap().flatten();
    let tables = tables.filter(|entry| entry.file_name() != "_log" && entry.path().is_dir());
    let files = tables.flat_map(|table| std::fs::read_dir(table.path()).unwrap());
    files.count()
}

/// The single BIGINT of a query with one row.
pub async fn number(engine: &DataFusionEngine, sql: &str) -> i64 {
    let rows = engine
        .query(sql)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
    the_number(&rows)
}

pub fn the_number(rows: &[RecordBatch]) -> i64 {
    let filled: Vec<&RecordBatch> = rows.iter().filter(|b| b.num_rows() > 0).collect();
    assert_eq!(filled.len(), 1, "one row expected");
    assert_eq!(filled[0].num_rows(), 1, "one row expected");
    let column = filled[0].column(0);
    assert!(!column.is_null(0), "NULL");
    column.as_primitive::<Int64Type>().value(0)
}

pub async fn run(engine: &DataFusionEngine, sql: &str) -> u64 {
    engine
        .execute(sql)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// The rows of a query, one line each, values separated by ` | `.
pub async fn rows(engine: &DataFusionEngine, sql: &str) -> Vec<String> {
    render(
        &engine
            .query(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}")),
    )
}

/// The error of a statement that must not succeed.
pub async fn refused(engine: &DataFusionEngine, sql: &str) -> DfOlapError {
    match engine.execute(sql).await {
        Ok(count) => panic!("{sql}: succeeded with {count}"),
        Err(error) => error,
    }
}

/// The kind of the error of a statement that must fail, and not with an internal error.
pub async fn kind(engine: &DataFusionEngine, sql: &str) -> ErrorKind {
    let start: String = sql.chars().take(80).collect();
    match engine.execute(sql).await {
        Ok(_) => panic!("succeeded: {start}"),
        Err(error) => {
            let kind = error.kind();
            assert_ne!(kind, ErrorKind::Internal, "{start}: {error}");
            kind
        }
    }
}

/// `(id BIGINT, n BIGINT)` as a batch.
pub fn pairs(rows: impl IntoIterator<Item = (i64, i64)>) -> RecordBatch {
    let (ids, numbers): (Vec<i64>, Vec<i64>) = rows.into_iter().unzip();
    let column = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    RecordBatch::try_from_iter([("id", column(ids)), ("n", column(numbers))]).unwrap()
}

/// Runs `work` for each number below `tasks`, all in parallel, each as its own task.
pub async fn at_once<F>(tasks: usize, work: impl Fn(usize) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let tasks: Vec<_> = (0..tasks).map(|task| tokio::spawn(work(task))).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

/// `(id BIGINT PRIMARY KEY, n BIGINT)` with the rows 1, 2 and 3.
pub async fn small_table(engine: &DataFusionEngine) {
    run(engine, "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)").await;
    run(engine, "INSERT INTO t VALUES (1, 10), (2, 20), (3, NULL)").await;
}

/// Registers `counted(x)`, which returns `x` and counts the batches it is called with.
pub fn count_batches(engine: &DataFusionEngine) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let count = move |args: &[ColumnarValue]| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(args[0].clone())
    };
    let types = vec![DataType::Int64];
    let function = create_udf(
        "counted",
        types,
        DataType::Int64,
        Volatility::Volatile,
        Arc::new(count),
    );
    engine.register_udf(function).unwrap();
    calls
}

/// Waits until a counter exceeds a number.
pub async fn passed(counter: &AtomicUsize, number: usize) {
    while counter.load(Ordering::SeqCst) <= number {
        tokio::task::yield_now().await;
    }
}

/// Waits until no task is ready and no worker thread is busy. For tests whose clock is paused: the clock advances only
/// then.
pub async fn quiet() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// The current time, returned once the clock shows a later microsecond, so that later commits have a later time.
pub async fn past_moment() -> SystemTime {
    let moment = SystemTime::now();
    while SystemTime::now() < moment + Duration::from_micros(1) {
        tokio::task::yield_now().await;
    }
    moment
}

/// Several engines write to one database in parallel, each in its own task and `each` steps long. Afterwards every
/// engine, and one that is opened then, must see the right counter and all rows that were not deleted.
pub async fn engines_write_at_once(
    open: impl Fn() -> SharedDataFusionEngine,
    writers: i64,
    each: i64,
) {
    let engines: Vec<_> = (0..writers).map(|_| open()).collect();
    run(&engines[0], "CREATE TABLE counters (id BIGINT, n BIGINT)").await;
    run(&engines[0], "CREATE TABLE events (writer BIGINT, i BIGINT)").await;
    run(&engines[0], "INSERT INTO counters VALUES (0, 0)").await;
    let tasks = engines.iter().enumerate().map(|(writer, engine)| {
        let engine = engine.clone();
        tokio::spawn(async move {
            for i in 0..each {
                run(&engine, "UPDATE counters SET n = n + 1").await;
                run(
                    &engine,
                    &format!("INSERT INTO events VALUES ({writer}, {i})"),
                )
                .await;
                if i % 2 == 1 {
                    let gone = format!(
                        "DELETE FROM events WHERE writer = {writer} AND i = {}",
                        i - 1
                    );
                    assert_eq!(run(&engine, &gone).await, 1);
                }
            }
        })
    });
    for writer in tasks.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    for engine in engines.iter().chain([&open()]) {
        assert_eq!(
            number(engine, "SELECT n FROM counters").await,
            writers * each
        );
        assert_eq!(
            rows(
                engine,
                "SELECT writer, count(*), sum(i) FROM events GROUP BY writer ORDER BY writer"
            )
            .await,
            (0..writers)
                .map(|w| format!("{w} | {} | {}", each / 2, (each / 2).pow(2)))
                .collect::<Vec<_>>()
        );
    }
}

/// Checks that the engine still answers.
pub async fn works(engine: &DataFusionEngine) {
    assert_eq!(number(engine, "SELECT 20 + 1").await, 21);
}
