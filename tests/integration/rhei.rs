//! The trait of Rhei 2, on Arrow 58.

use std::sync::Arc;

use arrow_58::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, StringArray};
use arrow_58::compute::cast;
use arrow_58::datatypes::{
    DataType, Field, Fields, Int32Type, IntervalUnit, Schema, SchemaRef, TimeUnit,
};
use arrow_58::record_batch::RecordBatch;
use futures::StreamExt;
use rhei_core::OlapEngine;
use rhei_datafusion::{DataFusionEngine, DfOlapError, ErrorKind, SharedDataFusionEngine};

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
async fn a_nul_byte_in_a_name_is_an_error() {
    let engine = DataFusionEngine::new();
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let inner = Fields::from(vec![Field::new("in\0ner", DataType::Int32, true)]);
    let zone = Some(Arc::from("UTC\0"));
    for data_type in [
        DataType::Struct(inner.clone()),
        DataType::List(Arc::new(Field::new("item", DataType::Struct(inner), true))),
        DataType::Timestamp(TimeUnit::Second, zone),
    ] {
        let error = OlapEngine::add_column(&engine, "t", "c", &data_type)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("NUL"), "{data_type}: {error}");
    }
    let columns = schema(&[("a\0b", DataType::Int32)]);
    let error = OlapEngine::create_table(&engine, "t", &columns, &[])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("a\\0b"), "{error}");
    let batch = RecordBatch::try_from_iter([("a\0b", ids)]).unwrap();
    let error = OlapEngine::load_arrow(&engine, "t", &[batch])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("a\\0b"), "{error}");
}

/// The types that a schema of Rhei may have.
fn types() -> Vec<DataType> {
    use DataType as D;
    let item = |data_type| Arc::new(Field::new("item", data_type, true));
    let mut types = vec![
        D::Boolean,
        D::Int8,
        D::Int16,
        D::Int32,
        D::Int64,
        D::UInt8,
        D::UInt16,
        D::UInt32,
        D::UInt64,
        D::Float16,
        D::Float32,
        D::Float64,
        D::Utf8,
        D::LargeUtf8,
        D::Binary,
        D::LargeBinary,
        D::FixedSizeBinary(2),
        D::Date32,
        D::Date64,
        D::Time32(TimeUnit::Second),
        D::Time64(TimeUnit::Nanosecond),
        D::Decimal32(9, 2),
        D::Decimal64(18, 2),
        D::Decimal128(20, 3),
        D::Decimal256(50, 3),
        D::Duration(TimeUnit::Millisecond),
        D::Interval(IntervalUnit::MonthDayNano),
        D::List(item(D::Int32)),
        D::LargeList(item(D::Utf8)),
        D::FixedSizeList(item(D::Int32), 2),
        D::Struct(Fields::from(vec![
            Field::new("a", D::Int32, true),
            Field::new("b", D::Utf8, true),
        ])),
        D::Dictionary(Box::new(D::Int32), Box::new(D::Utf8)),
    ];
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        types.push(D::Timestamp(unit, None));
        types.push(D::Timestamp(unit, Some("UTC".into())));
    }
    types
}

/// Two values and a NULL.
fn values(data_type: &DataType) -> ArrayRef {
    use DataType as D;
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(0)]));
    match data_type {
        D::Utf8 | D::LargeUtf8 | D::Binary | D::LargeBinary | D::Dictionary(..) => {
            let texts = StringArray::from(vec![Some("it's \u{1F600}"), None, Some("")]);
            cast(&texts, data_type).unwrap()
        }
        D::FixedSizeBinary(_) => {
            let bytes = vec![Some(&b"ab"[..]), None, Some(&b"\0\xff"[..])];
            let bytes = arrow_58::array::FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                bytes.into_iter(),
                2,
            );
            Arc::new(bytes.unwrap())
        }
        D::Interval(_) => {
            use arrow_58::datatypes::IntervalMonthDayNano;
            let one = IntervalMonthDayNano::new(1, -2, 3);
            let zero = IntervalMonthDayNano::new(0, 0, 0);
            Arc::new(arrow_58::array::IntervalMonthDayNanoArray::from(vec![
                Some(one),
                None,
                Some(zero),
            ]))
        }
        D::Date64 => cast(&cast(&numbers, &D::Date32).unwrap(), data_type).unwrap(),
        D::Float16 => cast(&cast(&numbers, &D::Float32).unwrap(), data_type).unwrap(),
        D::Date32 | D::Time32(_) | D::Boolean => cast(&numbers, data_type).unwrap(),
        D::Duration(_) | D::Timestamp(..) | D::Time64(_) => {
            cast(&cast(&numbers, &D::Int64).unwrap(), data_type).unwrap()
        }
        D::List(_) => Arc::new(arrow_58::array::ListArray::from_iter_primitive::<
            Int32Type,
            _,
            _,
        >([
            Some(vec![Some(1), None]),
            None,
            Some(Vec::new()),
        ])),
        D::LargeList(_) => {
            let lists = values(&D::List(Arc::new(Field::new("item", D::Int32, true))));
            cast(&lists, data_type).unwrap()
        }
        D::FixedSizeList(_, length) => {
            Arc::new(arrow_58::array::FixedSizeListArray::from_iter_primitive::<
                Int32Type,
                _,
                _,
            >(
                [
                    Some(vec![Some(1), None]),
                    None,
                    Some(vec![Some(2), Some(3)]),
                ],
                *length,
            ))
        }
        D::Struct(fields) => {
            let columns = fields.iter().map(|field| values(field.data_type()));
            let nulls = arrow_58::buffer::NullBuffer::from(vec![true, false, true]);
            Arc::new(arrow_58::array::StructArray::new(
                fields.clone(),
                columns.collect(),
                Some(nulls),
            ))
        }
        _ => cast(&numbers, data_type).unwrap(),
    }
}

#[tokio::test]
async fn every_type_goes_in_and_comes_out() {
    let mut refused = Vec::new();
    for (store, engine) in engines() {
        for data_type in types() {
            let places: ArrayRef = Arc::new(Int32Array::from(vec![0, 1, 2]));
            let batch = RecordBatch::try_from_iter_with_nullable([
                ("place", places, true),
                ("value", values(&data_type), true),
            ]);
            let batch = batch.unwrap();
            // As a part of a longer array too.
            let batches = [batch.slice(0, 1), batch.slice(1, 2)];
            let created = OlapEngine::create_table(&engine, "t", &batch.schema(), &[]).await;
            if let Err(error) = created {
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{store}: {error}");
                refused.push(format!("{store}: {data_type}"));
                continue;
            }
            OlapEngine::load_arrow(&engine, "t", &batches)
                .await
                .unwrap();
            let read = OlapEngine::query(&engine, "SELECT * FROM t ORDER BY place")
                .await
                .unwrap();
            let read = arrow_58::compute::concat_batches(&batch.schema(), &read).unwrap();
            assert_eq!(read, batch, "{store}: {data_type}");
            OlapEngine::execute(&engine, "DROP TABLE t").await.unwrap();
        }
    }
    // What a Vortex file does not hold.
    assert_eq!(
        refused,
        [
            "vortex: FixedSizeBinary(2)",
            "vortex: Duration(ms)",
            "vortex: Interval(MonthDayNano)"
        ]
    );
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
