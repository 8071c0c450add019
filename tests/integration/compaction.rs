//! When small fragments are merged, and the progress that is reported.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rhei_datafusion::arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use rhei_datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use rhei_datafusion::arrow::datatypes::{DataType, Field};
use rhei_datafusion::{CompactionPolicy, DataFusionEngine, EngineBuilder, OlapEngine};

use crate::common::{data_files, fresh_folder, number, quiet, rows, run, vortex};

fn open(folder: &Path, policy: CompactionPolicy) -> DataFusionEngine {
    let builder = EngineBuilder::new().storage(vortex(folder));
    builder.compaction(policy).build().unwrap()
}

/// Makes commits of 999 rows, each small enough to be stored in the log.
async fn fill(engine: &DataFusionEngine, commits: u32) {
    run(engine, "CREATE TABLE t (id BIGINT)").await;
    for n in 1..=commits {
        let sql = format!("INSERT INTO t SELECT value FROM range({n}000, {n}999)");
        run(engine, &sql).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_compaction_policy_is_kept_and_progress_is_told() {
    let folder = fresh_folder();
    let lazy = open(&folder, CompactionPolicy::MANUAL);
    fill(&lazy, 26).await;
    quiet().await;
    assert_eq!(data_files(&folder), 0);
    let told = std::sync::Mutex::new(Vec::new());
    let done = lazy.compact_with(|at| {
        told.lock()
            .unwrap()
            .push((at.table.to_string(), at.rows_done, at.rows_in_all));
    });
    let done = done.await.unwrap();
    assert_eq!(done.rows, 26 * 999);
    let told = told.into_inner().unwrap();
    assert_eq!(told.first().unwrap(), &("t".to_string(), 0, 26 * 999));
    assert_eq!(told.last().unwrap(), &("t".to_string(), 26 * 999, 26 * 999));
    assert!(told.is_sorted_by_key(|(_, rows, _)| *rows), "{told:?}");

    // Each commit writes a file; two files of one size become one, or are left as they are.
    let files_left = async |small_neighbours| {
        let folder = fresh_folder();
        let eager = CompactionPolicy {
            rows_in_log: 1,
            small_neighbours,
            ..CompactionPolicy::default()
        };
        let eager = open(&folder, eager);
        run(&eager, "CREATE TABLE t (id BIGINT)").await;
        for n in 1..=9 {
            let sql = format!("INSERT INTO t SELECT value FROM range({n}000, {n}999)");
            run(&eager, &sql).await;
            quiet().await;
        }
        assert_eq!(number(&eager, "SELECT count(*) FROM t").await, 9 * 999);
        eager.compact().await.unwrap().fragments_before
    };
    // Of 5994, 1998 and 999 rows.
    assert_eq!(files_left(2).await, 3);
    assert_eq!(files_left(100).await, 9);
}

#[tokio::test(start_paused = true)]
async fn wide_rows_do_not_pile_up_in_the_log() {
    let folder = fresh_folder();
    let engine = DataFusionEngine::with_storage(vortex(&folder)).unwrap();
    run(&engine, "CREATE TABLE t (id BIGINT, text TEXT)").await;
    for n in 0..12 {
        let sql = format!(
            "INSERT INTO t SELECT value, repeat('x', 2000) || value FROM range({n}00, {n}99)"
        );
        run(&engine, &sql).await;
    }
    // Each commit is below a megabyte and has few rows; together the commits exceed the size that a checkpoint may
    // have.
    for n in 0..12 {
        let sql = format!(
            "INSERT INTO t SELECT value, repeat('y', 4000) || value FROM range({n}00, {n}99)"
        );
        run(&engine, &sql).await;
    }
    quiet().await;
    assert!(data_files(&folder) > 0, "all rows are still in the log");
}

/// The value slot of a NULL decimal may hold any number, in a program's arrays as well as in the result of an
/// expression.
#[tokio::test]
async fn decimals_that_are_null_are_written_whatever_stands_in_their_place() {
    let null = |at: usize| {
        Some(NullBuffer::from(
            (0..4).map(|n| n != at).collect::<Vec<_>>(),
        ))
    };
    let decimals = |at: usize| {
        let values = (0..4).map(|n| if n == at { i128::MAX } else { n as i128 * 100 });
        Decimal128Array::new(values.collect(), null(at))
            .with_precision_and_scale(12, 2)
            .unwrap()
    };
    let field = Arc::new(Field::new("item", DataType::Decimal128(12, 2), true));
    let lists = ListArray::new(
        Arc::clone(&field),
        OffsetBuffer::new(vec![0, 1, 2, 3, 4].into()),
        Arc::new(decimals(2)),
        null(0),
    );
    let parts = Field::new("d", DataType::Decimal128(12, 2), true);
    let structs = StructArray::new(vec![parts].into(), vec![Arc::new(decimals(3))], null(1));
    let batch = RecordBatch::try_from_iter([
        (
            "id",
            Arc::new(Int64Array::from(vec![0, 1, 2, 3])) as ArrayRef,
        ),
        ("d", Arc::new(decimals(1))),
        ("l", Arc::new(lists)),
        ("s", Arc::new(structs)),
    ]);
    let folder = fresh_folder();
    let engine = open(&folder, CompactionPolicy::MANUAL);
    let columns = "id BIGINT, d DECIMAL(12, 2), l DECIMAL(12, 2)[], s STRUCT(d DECIMAL(12, 2))";
    run(&engine, &format!("CREATE TABLE t ({columns})")).await;
    engine.load_arrow("t", &[batch.unwrap()]).await.unwrap();
    let expected = [
        "0 | 0.00 | NULL | {d: 0.00}",
        "1 | NULL | [1.00] | NULL",
        "2 | 2.00 | [NULL] | {d: 2.00}",
        "3 | 3.00 | [3.00] | {d: NULL}",
    ];
    let query = "SELECT * FROM t ORDER BY id";
    assert_eq!(rows(&engine, query).await, expected);
    engine.compact().await.unwrap();
    assert_eq!(data_files(&folder), 1);
    assert_eq!(rows(&engine, query).await, expected);
    assert!(engine.verify().await.unwrap().damages.is_empty());
}

/// Each INSERT makes a file, and each UPDATE adds a row in the log after it.
#[tokio::test(start_paused = true)]
async fn files_are_merged_though_rows_in_the_log_lie_between_them() {
    let folder = fresh_folder();
    let engine = open(&folder, CompactionPolicy::default());
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    for n in 0..60 {
        let first = n * 2000;
        let rows = format!("INSERT INTO t SELECT value, 0 FROM range({first}, {first} + 2000)");
        run(&engine, &rows).await;
        run(&engine, &format!("UPDATE t SET n = 1 WHERE id = {first}")).await;
        quiet().await;
    }
    let counts = "SELECT count(*), sum(n), count(DISTINCT id) FROM t";
    assert_eq!(rows(&engine, counts).await, ["120000 | 60 | 120000"]);
    let left = engine.compact().await.unwrap().fragments_before;
    assert!((2..20).contains(&left), "{left} fragments");
}

/// A file beside others is rewritten when a tenth of it is deleted.
#[tokio::test(start_paused = true)]
async fn a_worn_file_is_rewritten_alone() {
    let folder = fresh_folder();
    let engine = open(&folder, CompactionPolicy::default());
    run(&engine, "CREATE TABLE t (id BIGINT)").await;
    for first in [0, 300_000, 600_000] {
        let rows = format!("INSERT INTO t SELECT value FROM range({first}, {first} + 300000)");
        run(&engine, &rows).await;
    }
    let deleted = "DELETE FROM t WHERE id < 600000 AND id >= 300000 AND id % 12 = 0";
    run(&engine, deleted).await;
    quiet().await;
    assert_eq!(data_files(&folder), 3);
    run(
        &engine,
        "DELETE FROM t WHERE id < 600000 AND id >= 300000 AND id % 12 = 1",
    )
    .await;
    quiet().await;
    assert_eq!(data_files(&folder), 4);
    assert_eq!(number(&engine, "SELECT count(*) FROM t").await, 850_000);
}

/// An array of Arrow's type Utf8 holds 2 GiB, and a reader puts up to 8,192 rows of a file into one array.
#[tokio::test]
async fn a_folder_with_more_than_two_gibibytes_in_few_texts_is_read_and_compacted() {
    let folder = fresh_folder();
    let engine = open(&folder, CompactionPolicy::MANUAL);
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(100 << 20)]));
    let batch = |id| {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![id]));
        RecordBatch::try_from_iter([("id", ids), ("text", Arc::clone(&text))]).unwrap()
    };
    let schema = batch(0).schema();
    engine.create_table("t", &schema, &[]).await.unwrap();
    let batches: Vec<RecordBatch> = (0..21).map(batch).collect();
    engine.load_arrow("t", &batches).await.unwrap();
    let lengths = "SELECT count(*), count(DISTINCT id), min(octet_length(text)), \
                   max(octet_length(text)) FROM t";
    let expected = ["21 | 21 | 104857600 | 104857600"];
    assert_eq!(rows(&engine, lengths).await, expected);
    assert_eq!(data_files(&folder), 3);

    // Files that are full are merged with none, nor does the last one wait for company.
    assert_eq!(engine.compact().await.unwrap().fragments_before, 0);
    engine.load_arrow("t", &[batch(21)]).await.unwrap();
    run(&engine, "DELETE FROM t WHERE id = 1").await;
    let reopened = open(&folder, CompactionPolicy::MANUAL);
    let there = "SELECT count(*), sum(id) FROM t";
    assert_eq!(rows(&reopened, there).await, ["21 | 230"]);
    let done = reopened.compact().await.unwrap();
    assert_eq!((done.fragments_before, done.fragments_after), (3, 2));
    assert_eq!(reopened.compact().await.unwrap().fragments_before, 0);
    assert_eq!(rows(&reopened, there).await, ["21 | 230"]);

    // A file that was full, and of which little is left, is small.
    let policy = CompactionPolicy {
        small_neighbours: 3,
        ..CompactionPolicy::default()
    };
    let eager = open(&folder, policy);
    run(&eager, "DELETE FROM t WHERE id NOT IN (0, 10, 20)").await;
    let files = async || {
        let plan = rows(&eager, "EXPLAIN FORMAT INDENT SELECT text FROM t").await;
        plan.join("\n").matches(".vortex").count()
    };
    while files().await > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        rows(&eager, lengths).await,
        ["3 | 3 | 104857600 | 104857600"]
    );
}

/// A checkpoint has all columns of all tables; an INSERT writes an entry of a few hundred bytes.
#[tokio::test]
async fn checkpoints_of_a_large_state_are_rarer_when_entries_are_small() {
    let folder = fresh_folder();
    let engine = open(&folder, CompactionPolicy::MANUAL);
    let columns: Vec<String> = (0..1000).map(|n| format!("column_{n} BIGINT")).collect();
    run(
        &engine,
        &format!("CREATE TABLE wide ({})", columns.join(", ")),
    )
    .await;
    run(&engine, "CREATE TABLE t (id BIGINT)").await;
    for id in 0..300 {
        run(&engine, &format!("INSERT INTO t VALUES ({id})")).await;
    }
    let sizes = |kind: &str| {
        let objects = std::fs::read_dir(folder.join("_log")).unwrap().flatten();
        let of_kind = objects.filter(|object| {
            let path = object.path();
            path.extension().is_some_and(|found| found == kind)
        });
        let sizes: Vec<u64> = of_kind
            .map(|object| object.metadata().unwrap().len())
            .collect();
        sizes
    };
    // They are made in the background.
    while sizes("checkpoint").is_empty() {
        tokio::task::yield_now().await;
    }
    let (entries, checkpoints) = (sizes("entry"), sizes("checkpoint"));
    let most = 2 * entries.iter().sum::<u64>() + checkpoints.iter().max().unwrap();
    assert!(
        checkpoints.iter().sum::<u64>() <= most,
        "{checkpoints:?}, at most {most}"
    );
    let reopened = open(&folder, CompactionPolicy::MANUAL);
    assert_eq!(
        number(&reopened, "SELECT sum(id) FROM t").await,
        299 * 300 / 2
    );
}
