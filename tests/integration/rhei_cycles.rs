//! Cycles of Rhei's sync as one commit each: BEGIN, COMMIT and ROLLBACK through its trait, where the engine is told so.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arrow_58::array::{Int64Array, StringArray};
use arrow_58::datatypes::{DataType, Field, Schema};
use arrow_58::record_batch::RecordBatch;
use rhei_core::OlapEngine;
use rhei_datafusion::{
    DataFusionEngine, DfOlapError, EngineBuilder, ErrorKind, SharedDataFusionEngine, StorageMode,
};
use tokio::sync::oneshot;

use crate::common::{fresh_folder, rows, vortex};

fn url(folder: &str) -> StorageMode {
    StorageMode::Vortex {
        url: format!("file://{folder}?rhei_cycle=commit"),
    }
}

fn engines_by_cycle() -> Vec<SharedDataFusionEngine> {
    let folder = fresh_folder().display().to_string();
    let of = |builder: EngineBuilder| SharedDataFusionEngine::new(builder.build().unwrap());
    let mut engines = vec![
        of(EngineBuilder::new().commit_rhei_cycles(true)),
        of(EngineBuilder::new().storage(url(&folder))),
    ];
    #[cfg(feature = "cloud-storage")]
    if let Some(bucket) = crate::s3::fresh_url() {
        let url = format!("{bucket}?rhei_cycle=commit");
        let bucket = EngineBuilder::new().storage(StorageMode::Vortex { url });
        engines.push(of(bucket));
    }
    engines
}

fn people(rows: &[(i64, &str)]) -> RecordBatch {
    let ids = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
    let names = StringArray::from_iter_values(rows.iter().map(|row| row.1));
    let fields = vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
    ];
    let schema = Arc::new(Schema::new(fields));
    RecordBatch::try_new(schema, vec![Arc::new(ids), Arc::new(names)]).unwrap()
}

async fn with_people(engine: &SharedDataFusionEngine) {
    let schema = people(&[]).schema();
    let key = ["id".to_string()];
    engine.create_table("people", &schema, &key).await.unwrap();
    let first = people(&[(1, "Ada"), (2, "Grace")]);
    engine.load_arrow("people", &[first]).await.unwrap();
}

const ALL: &str = "SELECT * FROM people ORDER BY id";

async fn seen(engine: &SharedDataFusionEngine) -> Vec<String> {
    let batches = OlapEngine::query(engine, ALL).await.unwrap();
    let mut seen = Vec::new();
    for batch in batches {
        let ids = batch.column(0).as_any().downcast_ref::<Int64Array>();
        let names = batch.column(1).as_any().downcast_ref::<StringArray>();
        let ids = ids.unwrap().iter().flatten();
        let names = names.unwrap().iter().flatten();
        seen.extend(ids.zip(names).map(|(id, name)| format!("{id} | {name}")));
    }
    seen
}

async fn run(engine: &SharedDataFusionEngine, sql: &str) -> Result<u64, DfOlapError> {
    OlapEngine::execute(engine, sql).await
}

#[tokio::test]
async fn what_lies_between_begin_and_commit_is_one_commit() {
    for engine in engines_by_cycle() {
        assert!(engine.supports_transactions());
        with_people(&engine).await;
        let before = engine.version().await.unwrap();
        run(&engine, "BEGIN TRANSACTION").await.unwrap();
        let more = people(&[(2, "Grace H."), (3, "Edsger")]);
        assert_eq!(engine.load_arrow("people", &[more]).await.unwrap(), 2);
        let again = "INSERT INTO people VALUES (3, 'E. W.'), (4, 'Barbara')";
        assert_eq!(run(&engine, again).await.unwrap(), 2);
        let update = "UPDATE people SET name = 'B. L.' WHERE id = 4";
        assert_eq!(run(&engine, update).await.unwrap(), 1);
        let delete = "DELETE FROM people WHERE id = 1";
        assert_eq!(run(&engine, delete).await.unwrap(), 1);
        // A statement that fails does nothing, and the others stay.
        let error = run(&engine, "UPDATE people SET gone = 1 WHERE id = 2").await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("gone"), "{error}");
        OlapEngine::query(&engine, "EXPLAIN INSERT INTO people VALUES (9, 'x')")
            .await
            .unwrap();

        // Nobody sees anything of it.
        assert_eq!(seen(&engine).await, ["1 | Ada", "2 | Grace"]);
        let others = engine.clone();
        let others = tokio::spawn(async move { seen(&others).await });
        assert_eq!(others.await.unwrap(), ["1 | Ada", "2 | Grace"]);
        assert_eq!(engine.version().await.unwrap(), before);

        run(&engine, "COMMIT").await.unwrap();
        let all = ["2 | Grace H.", "3 | E. W.", "4 | B. L."];
        assert_eq!(rows(&engine, ALL).await, all);
        assert_eq!(engine.version().await.unwrap().0, before.0 + 1);
        let error = run(&engine, "COMMIT").await.unwrap_err().to_string();
        assert!(error.contains("send BEGIN first"), "{error}");
    }
}

#[tokio::test]
async fn a_rollback_leaves_everything_as_it_was() {
    for engine in engines_by_cycle() {
        with_people(&engine).await;
        run(&engine, "BEGIN TRANSACTION").await.unwrap();
        run(&engine, "DELETE FROM people").await.unwrap();
        run(&engine, "ROLLBACK").await.unwrap();
        assert_eq!(seen(&engine).await, ["1 | Ada", "2 | Grace"]);
        // What was not ended is rolled back: a cycle that was cut off.
        run(&engine, "begin transaction;").await.unwrap();
        run(&engine, "DELETE FROM people").await.unwrap();
        let error = run(&engine, "BEGIN TRANSACTION").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let error = run(&engine, "DELETE FROM people").await.unwrap_err();
        assert!(error.to_string().contains("another BEGIN came"), "{error}");
        run(&engine, "BEGIN TRANSACTION").await.unwrap();
        run(&engine, "DELETE FROM people WHERE id = 1")
            .await
            .unwrap();
        run(&engine, "COMMIT").await.unwrap();
        assert_eq!(rows(&engine, ALL).await, ["2 | Grace"]);
    }
}

#[tokio::test]
async fn what_others_commit_in_between_stays() {
    for engine in engines_by_cycle() {
        with_people(&engine).await;
        run(&engine, "BEGIN TRANSACTION").await.unwrap();
        let concat = "UPDATE people SET name = name || '!' WHERE id = 1";
        run(&engine, concat).await.unwrap();
        let more = people(&[(2, "G."), (3, "Edsger")]);
        engine.load_arrow("people", &[more]).await.unwrap();
        let others = engine.clone();
        let others = tokio::spawn(async move {
            run(&others, "UPDATE people SET name = 'Lovelace' WHERE id = 1")
                .await
                .unwrap();
            run(&others, "INSERT INTO people VALUES (3, 'other'), (4, 'D')")
                .await
                .unwrap();
        });
        others.await.unwrap();
        run(&engine, "COMMIT").await.unwrap();
        let all = ["1 | Lovelace!", "2 | G.", "3 | Edsger", "4 | D"];
        assert_eq!(rows(&engine, ALL).await, all);

        run(&engine, "BEGIN TRANSACTION").await.unwrap();
        run(&engine, "DELETE FROM people WHERE id = 1")
            .await
            .unwrap();
        let others = engine.clone();
        let others = tokio::spawn(async move { run(&others, "DROP TABLE people").await });
        others.await.unwrap().unwrap();
        let error = run(&engine, "COMMIT").await.unwrap_err();
        assert!(matches!(error, DfOlapError::TableNotFound(_)));
        assert!(error.to_string().contains("people"), "{error}");
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_rolls_its_transaction_back() {
    for engine in engines_by_cycle() {
        with_people(&engine).await;
        run(&engine, "BEGIN TRANSACTION").await.unwrap();
        run(&engine, "DELETE FROM people").await.unwrap();
        {
            let endless = "INSERT INTO people SELECT value, 'x' FROM range(1000000000000) WHERE value % 7 = 8";
            let mut endless = pin!(run(&engine, endless));
            let polled = endless
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Pending));
            // No second call at the same time.
            let error = run(&engine, "DELETE FROM people").await.unwrap_err();
            assert!(error.to_string().contains("wait for it"), "{error}");
        }
        // What belongs to it is not done by itself.
        let error = run(&engine, "DELETE FROM people").await.unwrap_err();
        assert!(
            error.to_string().contains("a call of it was cut off"),
            "{error}"
        );
        let error = run(&engine, "COMMIT").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(seen(&engine).await, ["1 | Ada", "2 | Grace"]);
        run(&engine, "DELETE FROM people WHERE id = 1")
            .await
            .unwrap();
        assert_eq!(seen(&engine).await, ["2 | Grace"]);
    }
}

/// A task that began a transaction, and goes on with it when it is told.
async fn begun(
    engine: &SharedDataFusionEngine,
    table: &str,
) -> (
    oneshot::Sender<()>,
    tokio::task::JoinHandle<Result<u64, DfOlapError>>,
) {
    let (begun, has_begun) = oneshot::channel();
    let (go_on, told) = oneshot::channel();
    let engine = engine.clone();
    let insert = format!("INSERT INTO {table} VALUES (1, 'of a task')");
    let task = tokio::spawn(async move {
        run(&engine, "BEGIN TRANSACTION").await?;
        run(&engine, &insert).await?;
        begun.send(()).unwrap();
        told.await.unwrap();
        match run(&engine, "COMMIT").await {
            Ok(done) => Ok(done),
            Err(error) => {
                // It can begin again.
                run(&engine, "ROLLBACK").await?;
                run(&engine, "BEGIN TRANSACTION").await?;
                run(&engine, "COMMIT").await?;
                Err(error)
            }
        }
    });
    has_begun.await.unwrap();
    (go_on, task)
}

#[tokio::test]
async fn cycles_of_several_tasks_run_side_by_side_and_a_silent_one_gives_way() {
    for engine in engines_by_cycle() {
        let mut tasks = Vec::new();
        for at in 0..9 {
            let table = format!("t{at}");
            let create = format!("CREATE TABLE {table} (id BIGINT, name TEXT)");
            run(&engine, &create).await.unwrap();
            tasks.push((table.clone(), begun(&engine, &table).await));
        }
        for (at, (table, (go_on, task))) in tasks.into_iter().enumerate().rev() {
            go_on.send(()).unwrap();
            let done = task.await.unwrap();
            let all = rows(&engine, &format!("SELECT * FROM {table}")).await;
            if at == 0 {
                let error = done.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Conflict);
                assert!(error.to_string().contains("was silent while 8 others"));
                assert!(all.is_empty());
            } else {
                assert_eq!(done.unwrap(), 0);
                assert_eq!(all, ["1 | of a task"]);
            }
        }
    }
}

#[tokio::test]
async fn an_older_cycle_does_not_go_on_top_of_a_newer_one() {
    for engine in engines_by_cycle() {
        with_people(&engine).await;
        let (go_on, older) = begun(&engine, "people").await;
        run(&engine, "BEGIN TRANSACTION").await.unwrap();
        let newer = "INSERT INTO people VALUES (1, 'newer')";
        run(&engine, newer).await.unwrap();
        run(&engine, "COMMIT").await.unwrap();
        go_on.send(()).unwrap();
        let error = older.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("table people"), "{error}");
        assert_eq!(rows(&engine, ALL).await, ["1 | newer", "2 | Grace"]);
    }
}

#[tokio::test]
async fn without_being_told_each_statement_is_a_commit() {
    for mode in [StorageMode::InMemory, vortex(&fresh_folder())] {
        let engine = DataFusionEngine::with_storage(mode).unwrap();
        assert!(!engine.supports_transactions());
        let error = OlapEngine::execute(&engine, "BEGIN TRANSACTION").await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("execute_batch"), "{error}");
    }
}

#[test]
fn the_query_part_of_a_url_is_read_or_refused() {
    let of = |url: &str| StorageMode::Vortex { url: url.into() };
    let place = |url: &str| of(url).local_base_path();
    let expected = Some(PathBuf::from("/data/olap"));
    assert_eq!(place("file:///data/olap?rhei_cycle=commit"), expected);
    // A path is no URL.
    assert_eq!(
        place("/data/olap?rhei_cycle=commit"),
        Some(PathBuf::from("/data/olap?rhei_cycle=commit"))
    );
    for (url, named) in [
        ("file:///data/olap?rhei_cycle=once", "'file:///data/olap?…'"),
        ("file:///data/olap?", "'file:///data/olap?…'"),
        ("s3://bucket/prefix?secret", "'s3://bucket/prefix?…'"),
        ("s3://user:se?cret@bucket/prefix", "'s3://…'"),
        ("s3://user:cret@bucket/prefix?x", "'s3://…@bucket/prefix?…'"),
    ] {
        let error = of(url).classify().unwrap_err();
        assert!(error.contains("?rhei_cycle=commit"), "{error}");
        assert!(error.contains(named), "{error}");
        for text in [error, format!("{:?}", of(url))] {
            assert!(!text.contains("cret") && !text.contains("user"), "{text}");
        }
    }
    #[cfg(feature = "cloud-storage")]
    assert_eq!(
        of("s3://bucket/prefix?rhei_cycle=commit").cloud_base_url(),
        Some("s3://bucket/prefix")
    );
}
