//! Building an engine, sharing it, sessions, functions.
//!
//! Tables and columns are in `tables.rs`, statements in `statements.rs`, batches in `loading.rs`, the texts of errors
//! in `messages.rs`.

use std::sync::Arc;
use std::time::Duration;

use rhei_datafusion::arrow::array::{AsArray, Int64Array};
use rhei_datafusion::arrow::datatypes::{DataType, Int64Type};
use rhei_datafusion::datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use rhei_datafusion::datafusion::prelude::{col, lit};
use rhei_datafusion::{
    DataFusionEngine, DfOlapError, EngineBuilder, ErrorKind, OlapEngine, SharedDataFusionEngine,
    StorageMode,
};

use crate::common::{engines, number, refused, run, small_table};
use crate::sql_file::render;

#[tokio::test]
async fn a_session_context_reads_its_snapshot_and_writes_nothing() {
    for (store, engine) in engines() {
        small_table(&engine).await;
        let context = engine.session_context().await.unwrap();
        run(&engine, "UPDATE t SET n = 0").await;
        run(&engine, "CREATE TABLE later (a INT)").await;
        let frame = context
            .table("t")
            .await
            .unwrap()
            .filter(col("n").gt(lit(5)))
            .unwrap();
        assert_eq!(frame.clone().count().await.unwrap(), 2, "{store}");
        let sum = context
            .sql("SELECT sum(n) FROM t")
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
        assert_eq!(
            sum[0].column(0).as_primitive::<Int64Type>().value(0),
            30,
            "{store}"
        );
        assert!(context.table("later").await.is_err(), "{store}");
        let version = engine.version().await.unwrap();
        for sql in [
            "INSERT INTO t VALUES (9, 9)",
            "UPDATE t SET n = 7",
            "DELETE FROM t",
            "DELETE FROM t WHERE id = 1",
            "TRUNCATE TABLE t",
            "DROP TABLE t",
            "CREATE TABLE made (a INT)",
            "CREATE TABLE made AS SELECT 1 AS a",
            "CREATE VIEW made AS SELECT 1 AS a",
        ] {
            let result = match context.sql(sql).await {
                Ok(frame) => frame.collect().await,
                Err(error) => Err(error),
            };
            assert!(result.is_err(), "{store}: {sql} succeeded");
        }
        assert_eq!(frame.count().await.unwrap(), 2, "{store}");
        assert_eq!(engine.version().await.unwrap(), version, "{store}");
        assert_eq!(engine.tables().await.unwrap(), ["later", "t"], "{store}");
    }
}

#[tokio::test]
async fn a_registered_function_is_known_to_reads_and_writes() {
    for (store, engine) in engines() {
        small_table(&engine).await;
        let twice = |args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let doubled: Int64Array = arrays[0].as_primitive::<Int64Type>().unary(|n| n * 2);
            Ok(ColumnarValue::Array(Arc::new(doubled)))
        };
        refused(&engine, "SELECT twice(1)").await;
        let function = create_udf(
            "twice",
            vec![DataType::Int64],
            DataType::Int64,
            Volatility::Immutable,
            Arc::new(twice),
        );
        engine.register_udf(function).unwrap();
        assert_eq!(number(&engine, "SELECT twice(21)").await, 42, "{store}");
        assert_eq!(
            run(&engine, "UPDATE t SET n = twice(n) WHERE twice(id) = 4").await,
            1,
            "{store}"
        );
        assert_eq!(
            number(&engine, "SELECT n FROM t WHERE id = 2").await,
            40,
            "{store}"
        );
        let context = engine.session_context().await.unwrap();
        assert_eq!(
            render(
                &context
                    .sql("SELECT twice(4)")
                    .await
                    .unwrap()
                    .collect()
                    .await
                    .unwrap()
            ),
            ["8"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn clones_of_a_shared_engine_are_one_engine() {
    for (store, engine) in engines() {
        let clone: SharedDataFusionEngine = engine.clone();
        small_table(&clone).await;
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t").await,
            3,
            "{store}"
        );
        run(&clone, "PREPARE p AS SELECT count(*) FROM t").await;
        drop(clone);
        assert_eq!(number(&engine, "EXECUTE p").await, 3, "{store}");
        assert!(
            !engine.supports_transactions() && !engine.0.supports_transactions(),
            "{store}"
        );
    }
}

#[tokio::test]
async fn engines_are_in_memory_by_default_and_apart() {
    let made = [
        DataFusionEngine::new(),
        DataFusionEngine::default(),
        DataFusionEngine::with_storage(StorageMode::default()).unwrap(),
    ];
    for engine in &made {
        assert_eq!(*engine.storage_mode(), StorageMode::InMemory);
        assert!(engine.tables().await.unwrap().is_empty());
        small_table(engine).await;
    }
    assert_eq!(
        *SharedDataFusionEngine::default().storage_mode(),
        StorageMode::InMemory
    );
}

#[test]
fn a_limit_of_zero_is_refused() {
    let zero = [
        (
            "target_partitions",
            EngineBuilder::new().target_partitions(0),
        ),
        ("batch_size_rows", EngineBuilder::new().batch_size_rows(0)),
        (
            "memory_limit_bytes",
            EngineBuilder::new().memory_limit_bytes(0),
        ),
        ("max_sql_bytes", EngineBuilder::new().max_sql_bytes(0)),
        ("max_chain", EngineBuilder::new().max_chain(0)),
        ("max_plan_nodes", EngineBuilder::new().max_plan_nodes(0)),
        (
            "statement_timeout",
            EngineBuilder::new().statement_timeout(Duration::ZERO),
        ),
    ];
    let mut accepted = Vec::new();
    for (limit, builder) in zero {
        match builder.build() {
            Ok(_) => accepted.push(limit),
            Err(error) => assert!(
                error.kind() == ErrorKind::Invalid && error.to_string().contains(limit),
                "{error}"
            ),
        }
    }
    assert!(accepted.is_empty(), "zero was accepted for {accepted:?}");
}

#[test]
fn a_storage_that_there_is_not_is_refused_by_name() {
    for url in ["", "ftp://host/x", "gs://bucket/x"] {
        let error = DataFusionEngine::with_storage(StorageMode::Vortex {
            url: url.to_string(),
        })
        .unwrap_err();
        assert!(
            matches!(error, DfOlapError::StorageConfig(_)),
            "{url}: {error:?}"
        );
        assert!(error.to_string().contains(url), "{error}");
    }
}

#[tokio::test]
async fn a_folder_is_made_by_path_or_by_url() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("new").join("data");
    for url in [
        place.display().to_string(),
        format!("file://{}", place.display()),
    ] {
        let engine = DataFusionEngine::with_storage(StorageMode::Vortex { url }).unwrap();
        engine
            .execute("CREATE TABLE IF NOT EXISTS t (a INT)")
            .await
            .unwrap();
        assert_eq!(engine.tables().await.unwrap(), ["t"]);
    }
    assert!(place.join("_log").is_dir());
}
