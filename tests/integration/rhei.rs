//! The trait of Rhei 2, on Arrow 58.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_58::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow_58::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_58::record_batch::RecordBatch;
use futures::StreamExt;
use rhei_core::OlapEngine;
use rhei_datafusion::{
    DataFusionEngine, DfOlapError, EngineBuilder, ErrorKind, SharedDataFusionEngine,
};

use crate::common::{engines, rows};

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    let fields = fields.iter();
    let fields = fields.map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}

fn key(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_string()).collect()
}

fn people(rows: &[(i64, &str)]) -> RecordBatch {
    let ids = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
    let names = StringArray::from_iter_values(rows.iter().map(|row| row.1));
    let schema = schema(&[("id", DataType::Int64), ("userName", DataType::Utf8)]);
    RecordBatch::try_new(schema, vec![Arc::new(ids), Arc::new(names)]).unwrap()
}

async fn create<E: OlapEngine>(engine: &E) {
    let schema = people(&[]).schema();
    engine
        .create_table("people", &schema, &key(&["id"]))
        .await
        .unwrap();
}

/// What a type of Rhei does with the engine.
async fn used_by_rhei<E: OlapEngine>(engine: &E) {
    assert!(!engine.supports_transactions());
    assert!(!engine.table_exists("people").await.unwrap());
    create(engine).await;
    assert!(engine.table_exists("people").await.unwrap());
    let first = people(&[(1, "Ada"), (2, "Grace")]);
    assert_eq!(engine.load_arrow("people", &[first]).await.unwrap(), 2);
    let update = "UPDATE people SET userName = 'O''Hara' WHERE id = 2";
    assert_eq!(engine.execute(update).await.unwrap(), 1);
    engine
        .add_column(
            "people",
            "seenAt",
            &DataType::Timestamp(TimeUnit::Microsecond, None),
        )
        .await
        .unwrap();

    let sql = "SELECT upper(userName) AS name, count(*) AS n, max(seenAt) FROM people GROUP BY userName ORDER BY 1";
    let batches = engine.query(sql).await.unwrap();
    let batch = arrow_58::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let names = batch.column(0).as_any().downcast_ref::<StringArray>();
    let names: Vec<&str> = names.unwrap().iter().flatten().collect();
    assert_eq!(names, ["ADA", "O'HARA"]);
    let counts = batch.column(1).as_any().downcast_ref::<Int64Array>();
    assert_eq!(counts.unwrap().values(), &[1, 1]);
    assert_eq!(batch.column(2).null_count(), 2);

    let mut stream = engine
        .query_stream("SELECT id, userName FROM people ORDER BY id")
        .await
        .unwrap();
    let mut ids = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch.unwrap();
        assert_eq!(batch.schema().field(1).name(), "userName");
        ids.extend(
            batch
                .column(0)
                .as_primitive::<arrow_58::datatypes::Int64Type>()
                .values()
                .iter()
                .copied(),
        );
    }
    assert_eq!(ids, [1, 2]);
    engine.drop_column("people", "seenAt").await.unwrap();
    assert_eq!(
        engine
            .execute("DELETE FROM people WHERE id = 1")
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn both_engines_are_engines_of_rhei() {
    for (_, engine) in engines() {
        used_by_rhei::<SharedDataFusionEngine>(&engine).await;
    }
    used_by_rhei::<DataFusionEngine>(&DataFusionEngine::new()).await;
}

#[tokio::test]
async fn of_many_rows_with_one_key_the_last_one_stays() {
    const ROWS: i64 = 30_000;
    let key_of = |order: &str, row: i64| match order {
        "each twice, in no order" => row * 7919 % (ROWS / 2),
        "each twice, in order" => row / 2,
        _ => -row,
    };
    for (store, engine) in engines() {
        for order in ["each twice, in no order", "each twice, in order", "falling"] {
            create(&engine).await;
            let mut last: BTreeMap<i64, i64> = BTreeMap::new();
            last.extend((0..ROWS).map(|row| (key_of(order, row), row)));
            let names: Vec<String> = (0..ROWS).map(|row| row.to_string()).collect();
            let all = names.iter().zip(0..ROWS);
            let all: Vec<(i64, &str)> = all
                .map(|(name, row)| (key_of(order, row), name.as_str()))
                .collect();
            let (first, second) = all.split_at(9_000);
            let batches = [people(first), people(second)];
            OlapEngine::load_arrow(&engine, "people", &batches)
                .await
                .unwrap();
            let found = rows(&engine, "SELECT * FROM people ORDER BY id").await;
            let expected: Vec<String> = last
                .iter()
                .map(|(id, row)| format!("{id} | {row}"))
                .collect();
            assert!(found == expected, "{store}: {order}");
            OlapEngine::execute(&engine, "DROP TABLE people")
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn keys_of_new_rows_count_as_memory() {
    let engine = EngineBuilder::new()
        .memory_limit_bytes(4 << 20)
        .build()
        .unwrap();
    create(&engine).await;
    let in_order: Vec<(i64, &str)> = (0..50_000).map(|id| (id, "")).collect();
    let falling: Vec<(i64, &str)> = in_order.iter().rev().copied().collect();
    let error = OlapEngine::load_arrow(&engine, "people", &[people(&falling)]).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::ResourcesExhausted);
    assert_eq!(rows(&engine, "SELECT count(*) FROM people").await, ["0"]);
    // Keys in order need not be held.
    let loaded = OlapEngine::load_arrow(&engine, "people", &[people(&in_order)]).await;
    assert_eq!(loaded.unwrap(), 50_000);
}

#[tokio::test]
async fn rows_that_come_again_replace_those_with_their_key() {
    for (store, engine) in engines() {
        create(&engine).await;
        for (name, again) in [("Ada", "Grace"), ("Barbara", "Barbara")] {
            let batches = [people(&[(1, name), (2, "x")]), people(&[(2, again)])];
            let loaded = OlapEngine::load_arrow(&engine, "people", &batches)
                .await
                .unwrap();
            assert_eq!(loaded, 3, "{store}");
            let all = rows(&engine, "SELECT * FROM people ORDER BY id").await;
            assert_eq!(
                all,
                [format!("1 | {name}"), format!("2 | {again}")],
                "{store}"
            );
        }
        // Without a plan, with one, of a query, and with columns that are not given.
        for (sql, expected) in [
            (
                "INSERT INTO people (id, userName) VALUES (2, 'a'), (3, 'b')",
                ["1 | Barbara", "2 | a", "3 | b"],
            ),
            (
                "INSERT INTO people (id, userName) VALUES (2, upper('c'))",
                ["1 | Barbara", "2 | C", "3 | b"],
            ),
            (
                "INSERT INTO people SELECT id, 'd' FROM people WHERE id = 1",
                ["1 | d", "2 | C", "3 | b"],
            ),
            (
                "INSERT INTO people (id) VALUES (1)",
                ["1 | NULL", "2 | C", "3 | b"],
            ),
            (
                "INSERT INTO people (userName, id) VALUES ('e', 1), ('f', 1)",
                ["1 | f", "2 | C", "3 | b"],
            ),
        ] {
            let count = OlapEngine::execute(&engine, sql).await.unwrap();
            assert_eq!(
                count,
                if sql.contains("'b'") { 2 } else { 1 },
                "{store}: {sql}"
            );
            let all = rows(&engine, "SELECT * FROM people ORDER BY id").await;
            assert_eq!(all, expected, "{store}: {sql}");
        }
        // For others a plain INSERT appends, and so it does in a table without a key.
        rhei_datafusion::OlapEngine::execute(&engine, "INSERT INTO people VALUES (1, 'two')")
            .await
            .unwrap();
        let twice = rows(&engine, "SELECT count(*) FROM people WHERE id = 1").await;
        assert_eq!(twice, ["2"], "{store}");
        let plain = people(&[(1, "x")]);
        OlapEngine::create_table(&engine, "plain", &plain.schema(), &[])
            .await
            .unwrap();
        for _ in 0..2 {
            let loaded =
                OlapEngine::load_arrow(&engine, "plain", std::slice::from_ref(&plain)).await;
            assert_eq!(loaded.unwrap(), 1, "{store}");
            OlapEngine::execute(&engine, "INSERT INTO plain VALUES (1, 'y')")
                .await
                .unwrap();
        }
        let all = rows(&engine, "SELECT count(*) FROM plain").await;
        assert_eq!(all, ["4"], "{store}");
        // EXPLAIN of an INSERT, which Rhei asks for before an update, changes nothing.
        let explain = "EXPLAIN INSERT INTO people (id, userName) VALUES (1, 'z')";
        assert!(
            !OlapEngine::query(&engine, explain)
                .await
                .unwrap()
                .is_empty()
        );
        let twice = rows(&engine, "SELECT count(*) FROM people WHERE id = 1").await;
        assert_eq!(twice, ["2"], "{store}");
        // All rows that hold the key become one.
        OlapEngine::load_arrow(&engine, "people", &[people(&[(1, "one")])])
            .await
            .unwrap();
        let one = rows(&engine, "SELECT * FROM people WHERE id = 1").await;
        assert_eq!(one, ["1 | one"], "{store}");
    }
}

#[tokio::test]
async fn a_table_is_created_again_with_its_columns_in_any_order() {
    for (store, engine) in engines() {
        create(&engine).await;
        let (id, name, more) = (
            ("id", DataType::Int64),
            ("userName", DataType::Utf8),
            ("n", DataType::Int32),
        );
        let again = schema(&[name.clone(), id.clone()]);
        OlapEngine::create_table(&engine, "people", &again, &key(&["id"]))
            .await
            .unwrap();
        OlapEngine::add_column(&engine, "people", "n", &DataType::Int32)
            .await
            .unwrap();
        let again = schema(&[id.clone(), more, name.clone()]);
        OlapEngine::create_table(&engine, "people", &again, &key(&["id"]))
            .await
            .unwrap();
        // A program registers a column as its database has it, though `add_column` made it one that may be NULL.
        let fields = again.fields().iter();
        let strict = fields.map(|field| field.as_ref().clone().with_nullable(false));
        let strict = Arc::new(Schema::new(strict.collect::<Vec<Field>>()));
        OlapEngine::create_table(&engine, "people", &strict, &key(&["id"]))
            .await
            .unwrap();
        for (other, of) in [
            (schema(&[id.clone(), name.clone()]), key(&["id"])),
            (again.clone(), key(&["userName"])),
            (again, key(&[])),
        ] {
            let error = OlapEngine::create_table(&engine, "people", &other, &of)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{store}: {error}");
        }
    }
}

/// As rhei-sync 2.0.0 reads it.
fn is_stale(error: &DfOlapError) -> bool {
    let text = error.to_string();
    let names_columns = ["column", "No field named", "schema mismatch"];
    text.contains("not found") && names_columns.iter().any(|part| text.contains(part))
        || text.contains("No field named")
        || text.contains("schema mismatch")
        || text.contains("not in INSERT column list")
}

#[tokio::test]
async fn only_an_unknown_column_reads_like_one() {
    let unknown = [
        "UPDATE column_schema SET nothing = 1 WHERE id = 1",
        "INSERT INTO column_schema (id, nothing) VALUES (1, 2)",
        "INSERT INTO column_schema (id, nothing) VALUES (1, lower('X'))",
        "DELETE FROM column_schema WHERE nothing = 1",
        "EXPLAIN INSERT INTO column_schema (id, nothing) VALUES (1, 2)",
    ];
    let other = [
        "SELECT * FROM column_schemas",
        "UPDATE columns_not_found SET id = 1",
        "INSERT INTO column_schema (id) VALUES ('not a number')",
        "INSERT INTO column_schema (id, column_not_found) VALUES (1, 'schema mismatch', 2)",
        "UPDATE column_schema SET id = 'No field named x' WHERE id = 1",
        "DELETE FROM column_schema WHERE column_not_found_fn(id)",
        "SELECT ambiguous FROM column_schema",
        "SELECT column_not_found FROM",
        "SELECT CAST('schema mismatch' AS BIGINT)",
        "SELECT * FROM 'column/not_found.parquet'",
        "INSERT INTO column_schema (id) VALUES (NULL)",
        "ALTER TABLE column_schema ADD COLUMN id BIGINT",
        "CREATE TABLE column_schema (x INT)",
        "EXECUTE column_not_found",
    ];
    for (store, engine) in engines() {
        let columns = schema(&[
            ("id", DataType::Int64),
            ("column_not_found", DataType::Utf8),
            ("Ambiguous", DataType::Utf8),
            ("AMBIGUOUS", DataType::Utf8),
        ]);
        OlapEngine::create_table(&engine, "column_schema", &columns, &key(&["id"]))
            .await
            .unwrap();
        OlapEngine::execute(&engine, "INSERT INTO column_schema (id) VALUES (1)")
            .await
            .unwrap();
        for sql in unknown {
            let error = OlapEngine::execute(&engine, sql).await.unwrap_err();
            assert!(is_stale(&error), "{store}: {sql}: {error}");
        }
        for sql in other {
            let error = match sql.starts_with("SELECT") {
                true => OlapEngine::query(&engine, sql).await.unwrap_err(),
                false => OlapEngine::execute(&engine, sql).await.unwrap_err(),
            };
            assert!(!is_stale(&error), "{store}: {sql}: {error}");
        }
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        for (name, array, stale) in [
            ("nothing", Arc::clone(&ids), true),
            ("column_not_found", Arc::clone(&ids), false),
        ] {
            let batch = RecordBatch::try_from_iter([("id", Arc::clone(&ids)), (name, array)]);
            let loaded = OlapEngine::load_arrow(&engine, "column_schema", &[batch.unwrap()]).await;
            let error = loaded.unwrap_err();
            assert_eq!(is_stale(&error), stale, "{store}: {name}: {error}");
        }
        let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
        let error = OlapEngine::load_arrow(&engine, "column_schemas", &[batch])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{store}: {error}");
        assert!(!is_stale(&error), "{store}: {error}");
        assert_eq!(
            rows(&engine, "SELECT count(*) FROM column_schema").await,
            ["1"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn texts_come_as_plain_arrays_whatever_the_plan_makes() {
    for (store, engine) in engines() {
        create(&engine).await;
        OlapEngine::load_arrow(
            &engine,
            "people",
            &[people(&[(1, "a longer text than a view has in it")])],
        )
        .await
        .unwrap();
        let sql = "SELECT userName, substr(userName, 3) AS rest, concat(userName, '!') AS more, \
                   arrow_cast(userName, 'Utf8View') AS seen, arrow_cast('ab', 'BinaryView') AS bytes, \
                   [arrow_cast(userName, 'Utf8View')] AS list FROM people";
        let batches = OlapEngine::query(&engine, sql).await.unwrap();
        let types: Vec<String> = batches[0]
            .schema()
            .fields()
            .iter()
            .map(|of| of.data_type().to_string())
            .collect();
        for (at, column) in batches[0].columns().iter().take(4).enumerate() {
            let texts = column.as_any().downcast_ref::<StringArray>();
            assert!(texts.is_some(), "{store}: column {at}: {types:?}");
        }
        assert_eq!(
            batches[0].column(4).as_binary::<i32>().value(0),
            b"ab",
            "{store}: {types:?}"
        );
        assert_eq!(
            batches[0]
                .column(5)
                .as_list::<i32>()
                .values()
                .as_string::<i32>()
                .len(),
            1,
            "{store}"
        );
    }
}
