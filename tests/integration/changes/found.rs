//! Rows are found by key, whatever the type of the key, in whatever order the rows came, in memory and in files.

use std::sync::Arc;

use rhei_datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use rhei_datafusion::arrow::compute::concat_batches;
use rhei_datafusion::{Changes, DataFusionEngine, OlapEngine};

use super::events::SOURCE;
use crate::common::{engines, rows, run};

/// The columns of a key, the PRIMARY KEY, and the values of the key of row `k`.
const KEYS: [(&str, &str, &str); 14] = [
    ("a BIGINT", "a", "k - 2500"),
    ("a INT UNSIGNED", "a", "arrow_cast(k, 'UInt32')"),
    ("a SMALLINT", "a", "CAST(k AS SMALLINT)"),
    ("a DATE", "a", "CAST(CAST(k AS INT) AS DATE)"),
    ("a TIMESTAMP", "a", "to_timestamp_micros(k * 1000003)"),
    ("a DECIMAL(8, 2)", "a", "CAST(k AS DECIMAL(8, 2)) / 4"),
    ("a DECIMAL(30, 2)", "a", "CAST(k AS DECIMAL(30, 2)) / 4"),
    ("a DOUBLE", "a", "k / 8.0 - 100"),
    ("a TEXT", "a", "md5(CAST(k AS TEXT))"),
    ("a TEXT", "a", "lpad(CAST(k AS TEXT), 8, '0')"),
    ("a BYTEA", "a", "digest(CAST(k AS TEXT), 'md5')"),
    ("a BIGINT, b TEXT", "a, b", "k / 100, CAST(k % 100 AS TEXT)"),
    (
        "a TEXT, b TEXT",
        "b, a",
        "CAST(k / 100 AS TEXT), CAST(k % 100 AS TEXT)",
    ),
    ("a BOOLEAN, b INT", "a, b", "k % 2 = 0, CAST(k / 2 AS INT)"),
];
/// Enough rows for an index beside their file.
const ROWS: u64 = 9001;

async fn one(engine: &DataFusionEngine, sql: &str) -> RecordBatch {
    let found = engine
        .query(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    concat_batches(&found[0].schema(), &found).unwrap()
}

/// Rows of a query as changes.
fn changes(op: &str, first: u64, rows: &RecordBatch) -> Changes {
    let count = rows.num_rows();
    let columns = rows.schema_ref().fields().iter().zip(rows.columns());
    let columns = columns.map(|(field, array)| (field.name().clone(), Arc::clone(array)));
    let numbers = UInt64Array::from_iter_values(first..first + count as u64);
    let ops = StringArray::from(vec![op; count]);
    let columns = columns.chain([
        ("_op".to_string(), Arc::new(ops) as ArrayRef),
        ("_seq".to_string(), Arc::new(numbers)),
    ]);
    Changes::new().table("t", RecordBatch::try_from_iter(columns).unwrap())
}

async fn apply_to_keys(engine: &DataFusionEngine, place: &str, of_key: &str, names: &str) {
    // Every sixteenth row, and rows that are not there; each key is that of `k` rows.
    let some =
        format!("SELECT {of_key}, k, 1 AS v FROM (SELECT value * 16 + 3 AS k FROM range(600))");
    let some = format!("SELECT * FROM ({some}) AS some ({names}, k, v)");
    let some = one(engine, &some).await;
    let inside = "SELECT count(DISTINCT k) FROM t WHERE k % 16 = 3";
    let before = rows(engine, inside).await;
    let applied = engine
        .apply_changes(SOURCE, changes("upsert", 1, &some))
        .await
        .unwrap();
    assert_eq!(applied.inserted + applied.replaced, 600, "{place}");
    assert_eq!(before, [applied.replaced.to_string()], "{place}");
    let sums = "SELECT count(*), count(DISTINCT k), sum(v) FROM t";
    let all = ROWS + applied.inserted;
    assert_eq!(
        rows(engine, sums).await,
        [format!("{all} | {all} | 600")],
        "{place}"
    );

    // Again, now that some of the rows are in the log.
    let applied = engine
        .apply_changes(SOURCE, changes("update", 601, &some))
        .await
        .unwrap();
    assert_eq!(
        (applied.updated, applied.absent_updates),
        (600, 0),
        "{place}"
    );
    assert_eq!(
        rows(engine, sums).await,
        [format!("{all} | {all} | 600")],
        "{place}"
    );
    engine.compact().await.unwrap();
    let applied = engine
        .apply_changes(SOURCE, changes("delete", 1201, &some))
        .await
        .unwrap();
    assert_eq!(
        (applied.deleted, applied.absent_deletes),
        (600, 0),
        "{place}"
    );
    let left = "SELECT count(*), coalesce(sum(v), 0) FROM t";
    assert_eq!(
        rows(engine, left).await,
        [format!("{} | 0", all - 600)],
        "{place}"
    );
    let applied = engine
        .apply_changes(SOURCE, changes("delete", 1801, &some))
        .await
        .unwrap();
    assert_eq!(
        (applied.deleted, applied.absent_deletes),
        (0, 600),
        "{place}"
    );
    engine.reset_watermark(SOURCE, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_found_by_keys_of_each_type_in_any_order() {
    for (store, engine) in engines() {
        for (columns, key, of_key) in KEYS {
            let names = columns
                .split(", ")
                .filter_map(|column| column.split(' ').next());
            let names: Vec<&str> = names.filter(|name| matches!(*name, "a" | "b")).collect();
            for order in ["k", "(k * 1009) % 9001"] {
                let place = format!("{store}: {columns} by {order}");
                let table =
                    format!("CREATE TABLE t ({columns}, k BIGINT, v BIGINT, PRIMARY KEY ({key}))");
                run(&engine, &table).await;
                let rows = format!("SELECT value AS k FROM range({ROWS})");
                let fill =
                    format!("INSERT INTO t SELECT {of_key}, k, 0 FROM ({rows}) ORDER BY {order}");
                run(&engine, &fill).await;
                apply_to_keys(&engine, &place, of_key, &names.join(", ")).await;
                run(&engine, "DROP TABLE t").await;
            }
        }
    }
}
