//! Folders that an older version of this crate wrote: `<table>/*.vortex` and no log.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rhei_datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use rhei_datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rhei_datafusion::arrow::record_batch::RecordBatch;
use rhei_datafusion::{DataFusionEngine, DfOlapError, ErrorKind, OlapEngine, VacuumOptions};
use vortex::VortexSessionDefault;
use vortex::array::stream::ArrayStreamAdapter;
use vortex::arrow::ArrowSessionExt;
use vortex::file::WriteOptionsSessionExt;
use vortex::io::session::RuntimeSessionExt;
use vortex::session::VortexSession;

use crate::common::{fresh_folder, number, rows, run, vortex};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
    ]))
}

/// Writes a file as a plain Vortex writer does.
async fn write(path: &Path, ids: std::ops::Range<i64>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let names = ids
        .clone()
        .map(|id| (id % 3 != 0).then(|| format!("row {id}")));
    let names: StringArray = names.collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(ids)), Arc::new(names)];
    let batch = RecordBatch::try_new(schema(), columns).unwrap();
    let session = VortexSession::default().with_tokio();
    let array = session
        .arrow()
        .from_arrow_record_batch(batch, &schema())
        .unwrap();
    let dtype = session.arrow().from_arrow_schema(&schema()).unwrap();
    let stream = ArrayStreamAdapter::new(dtype, futures::stream::iter([Ok(array)]));
    let mut bytes = Vec::new();
    session
        .write_options()
        .write(&mut bytes, stream)
        .await
        .unwrap();
    std::fs::write(path, bytes).unwrap();
}

async fn old_folder() -> PathBuf {
    let folder = fresh_folder();
    write(&folder.join("users/a.vortex"), 0..3000).await;
    write(&folder.join("users/b.vortex"), 3000..3010).await;
    folder
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let found = std::fs::read_dir(folder).unwrap().flatten();
    let mut found: Vec<_> = found
        .map(|entry| (entry.path(), std::fs::read(entry.path()).unwrap()))
        .collect();
    found.sort();
    found
}

fn open(folder: &Path) -> DataFusionEngine {
    DataFusionEngine::with_storage(vortex(folder)).unwrap()
}

#[tokio::test]
async fn create_table_takes_over_an_old_folder_and_leaves_its_files() {
    let folder = old_folder().await;
    let before = files(&folder.join("users"));
    let engine = open(&folder);
    assert!(engine.tables().await.unwrap().is_empty());
    engine
        .create_table("users", &schema(), &["id".into()])
        .await
        .unwrap();
    assert_eq!(
        rows(
            &engine,
            "SELECT count(*), count(name), sum(id), max(id) FROM users"
        )
        .await,
        ["3010 | 2006 | 4528545 | 3009"]
    );
    run(&engine, "DELETE FROM users WHERE id < 10").await;
    run(&engine, "UPDATE users SET name = 'x' WHERE id = 3005").await;
    run(&engine, "INSERT INTO users VALUES (9999, 'late')").await;
    assert_eq!(number(&engine, "SELECT count(*) FROM users").await, 3001);
    engine
        .create_table("users", &schema(), &["id".into()])
        .await
        .unwrap();
    assert_eq!(number(&engine, "SELECT count(*) FROM users").await, 3001);
    engine.compact().await.unwrap();
    let options = VacuumOptions {
        retention: Duration::ZERO,
        dry_run: false,
    };
    engine.vacuum(options).await.unwrap();
    let again = open(&folder);
    assert_eq!(number(&again, "SELECT count(*) FROM users").await, 3001);
    assert!(again.verify().await.unwrap().damages.is_empty());
    assert_eq!(
        files(&folder.join("users")),
        before,
        "the files were touched"
    );

    // Dropped rows do not come back.
    run(&again, "DROP TABLE users").await;
    again.create_table("users", &schema(), &[]).await.unwrap();
    assert_eq!(number(&again, "SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn a_folder_that_does_not_fit_is_refused_by_file_and_column() {
    let folder = old_folder().await;
    let engine = open(&folder);
    let other = |field: Field| -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            field,
        ]))
    };
    for (field, column) in [
        (Field::new("title", DataType::Utf8, true), "'title'"),
        (Field::new("name", DataType::Int64, true), "'name'"),
        (Field::new("name", DataType::Utf8, false), "'name'"),
    ] {
        let refused = engine
            .create_table("users", &other(field), &[])
            .await
            .unwrap_err();
        assert!(
            matches!(refused, DfOlapError::SchemaMismatch(_)),
            "{refused:?}"
        );
        let text = refused.to_string();
        assert!(text.contains("a.vortex") && text.contains(column), "{text}");
    }
    std::fs::write(folder.join("users/c.vortex"), "no file of ours").unwrap();
    let refused = engine
        .create_table("users", &schema(), &[])
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
    assert!(refused.to_string().contains("c.vortex"), "{refused}");
    assert!(engine.tables().await.unwrap().is_empty());
}

/// Version 2.0.0 wrote `tests/data/version-2.0.0`: two appends, an UPDATE, a DELETE and an INSERT. The expected answer
/// is that version's own.
#[tokio::test]
async fn a_folder_that_version_2_0_0_wrote_has_the_rows_that_it_had_there() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/version-2.0.0/orders");
    let folder = fresh_folder();
    let orders = folder.join("orders");
    std::fs::create_dir(&orders).unwrap();
    for (path, bytes) in files(&data) {
        std::fs::write(orders.join(path.file_name().unwrap()), bytes).unwrap();
    }
    let before = files(&orders);
    let engine = DataFusionEngine::with_storage(vortex(&folder)).unwrap();
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("price", DataType::Float64, true),
        Field::new("day", DataType::Date32, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("ok", DataType::Boolean, true),
    ]));
    let keys = ["id".to_string()];
    engine.create_table("orders", &schema, &keys).await.unwrap();
    let sql = "SELECT count(*), sum(id), count(name), sum(price), min(day), max(at), count(ok) FROM orders";
    let answer = "100 | 5942 | 80 | 1053.25 | 2024-10-04 | 2023-11-14T22:13:20.000099 | 99";
    assert_eq!(rows(&engine, sql).await, [answer]);
    assert_eq!(
        rows(
            &engine,
            "SELECT id, name FROM orders WHERE id IN (7, 8, 1000) ORDER BY id"
        )
        .await,
        ["7 | changed", "1000 | late"]
    );
    run(&engine, "UPDATE orders SET price = 0 WHERE id >= 50").await;
    run(&engine, "DELETE FROM orders WHERE id = 1000").await;
    engine.compact().await.unwrap();
    let sql = "SELECT count(*), sum(id) FROM orders";
    assert_eq!(rows(&engine, sql).await, ["99 | 4942"]);
    assert_eq!(files(&orders), before);
}
