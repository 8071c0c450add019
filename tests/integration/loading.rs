//! `load_arrow` and `load_stream`: batch columns are matched to table columns by name, and all batches are loaded or
//! none.

use std::sync::Arc;

use futures::stream;
use rhei_datafusion::arrow::array::{
    ArrayRef, Decimal128Array, Decimal256Array, DictionaryArray, Int32Array, Int64Array,
    LargeStringArray, RecordBatch, StringArray, StringViewArray, new_null_array,
};
use rhei_datafusion::arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, i256};
use rhei_datafusion::arrow::error::ArrowError;
use rhei_datafusion::datafusion::error::DataFusionError;
use rhei_datafusion::{DataFusionEngine, DfOlapError, ErrorKind, OlapEngine};

use crate::common::{engines, pairs, rows, run};

fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
    let fields = fields
        .iter()
        .map(|(name, data_type, nullable)| Field::new(*name, data_type.clone(), *nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

async fn people(engine: &DataFusionEngine) {
    let columns = [
        ("id", DataType::Int64, false),
        ("name", DataType::Utf8, true),
        ("n", DataType::Int64, true),
    ];
    engine
        .create_table("people", &schema(&columns), &["id".to_string()])
        .await
        .unwrap();
}

/// The error of loading `columns` into `people`; checks that the table is unchanged.
async fn refused(engine: &DataFusionEngine, columns: Vec<(&str, ArrayRef)>) -> DfOlapError {
    let version = engine.version().await.unwrap();
    // A good batch before the bad one must not be kept.
    let good = batch(vec![
        ("id", ints(&[100])),
        ("name", texts(&["good"])),
        ("n", ints(&[1])),
    ]);
    let error = engine
        .load_arrow("people", &[good, batch(columns)])
        .await
        .unwrap_err();
    assert_eq!(engine.version().await.unwrap(), version);
    assert_eq!(
        rows(engine, "SELECT * FROM people WHERE id >= 100").await,
        [""; 0]
    );
    error
}

#[tokio::test]
async fn columns_are_found_by_name_in_any_order() {
    for (store, engine) in engines() {
        people(&engine).await;
        let batches = [
            batch(vec![
                ("id", ints(&[1])),
                ("name", texts(&["a"])),
                ("n", ints(&[10])),
            ]),
            batch(vec![
                ("n", ints(&[20])),
                ("name", texts(&["b"])),
                ("id", ints(&[2])),
            ]),
            batch(vec![("name", texts(&["c"])), ("id", ints(&[3]))]),
            batch(vec![("id", ints(&[4]))]),
        ];
        assert_eq!(engine.load_arrow("people", &batches).await.unwrap(), 4);
        let all = rows(&engine, "SELECT * FROM people ORDER BY id").await;
        assert_eq!(
            all,
            [
                "1 | a | 10",
                "2 | b | 20",
                "3 | c | NULL",
                "4 | NULL | NULL"
            ],
            "{store}"
        );
    }
}

#[tokio::test]
async fn what_does_not_fit_is_a_schema_mismatch_that_names_table_and_column() {
    for (store, engine) in engines() {
        people(&engine).await;
        let wrong: [(&str, Vec<(&str, ArrayRef)>); 5] = [
            ("id", vec![("name", texts(&["x"]))]),
            ("extra", vec![("id", ints(&[1])), ("extra", ints(&[1]))]),
            ("n", vec![("id", ints(&[1])), ("n", texts(&["1"]))]),
            ("name", vec![("id", ints(&[1])), ("name", ints(&[1]))]),
            ("id", vec![("id", Arc::new(Int32Array::from(vec![1])))]),
        ];
        for (column, columns) in wrong {
            let error = refused(&engine, columns).await;
            let text = error.to_string();
            assert!(
                matches!(error, DfOlapError::SchemaMismatch(_)),
                "{store}: {error:?}"
            );
            assert!(
                text.contains("schema mismatch")
                    && text.contains("people")
                    && text.contains(column),
                "{text}"
            );
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }
}

#[tokio::test]
async fn a_column_given_twice_is_refused() {
    for (store, engine) in engines() {
        people(&engine).await;
        let twice = schema(&[
            ("id", DataType::Int64, false),
            ("n", DataType::Int64, true),
            ("n", DataType::Int64, true),
        ]);
        let twice = RecordBatch::try_new(twice, vec![ints(&[1]), ints(&[2]), ints(&[3])]).unwrap();
        let loaded = engine.load_arrow("people", &[twice]).await;
        assert!(
            loaded.is_err(),
            "{store}: {:?}",
            rows(&engine, "SELECT * FROM people").await
        );
    }
}

#[tokio::test]
async fn a_null_where_none_may_be_is_refused() {
    for (store, engine) in engines() {
        people(&engine).await;
        let id = Arc::new(Int64Array::from(vec![Some(1), None]));
        let error = refused(&engine, vec![("id", id)]).await;
        let text = error.to_string();
        assert!(
            text.contains("NOT NULL") && text.contains("people.id"),
            "{store}: {text}"
        );
        assert_eq!(error.kind(), ErrorKind::Invalid, "{store}");
        let keyed: DictionaryArray<Int32Type> = [Some("x"), None].into_iter().collect();
        run(&engine, "CREATE TABLE named (name TEXT NOT NULL)").await;
        let error = engine
            .load_arrow("named", &[batch(vec![("name", Arc::new(keyed))])])
            .await
            .unwrap_err();
        assert!(error.to_string().contains("named.name"), "{store}: {error}");
    }
}

/// Arrow lets a program build such arrays.
#[tokio::test]
async fn a_decimal_with_more_digits_than_its_column_is_refused() {
    for (store, engine) in engines() {
        run(
            &engine,
            "CREATE TABLE t (d DECIMAL(3, 1), w DECIMAL(50, 0))",
        )
        .await;
        let narrow = |value: i128| {
            let array = Decimal128Array::from(vec![None, Some(value)]);
            Arc::new(array.with_precision_and_scale(3, 1).unwrap()) as ArrayRef
        };
        let wide = |digits: usize| {
            let value = i256::from_string(&format!("1{}", "0".repeat(digits - 1))).unwrap();
            let array = Decimal256Array::from(vec![Some(value), None]);
            Arc::new(array.with_precision_and_scale(50, 0).unwrap()) as ArrayRef
        };
        for (d, w, column) in [(1000, 50, "t.d"), (-1000, 1, "t.d"), (999, 51, "t.w")] {
            let rows = batch(vec![("d", narrow(d)), ("w", wide(w))]);
            let error = engine.load_arrow("t", &[rows]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{store}: {error}");
            assert!(error.to_string().contains(column), "{store}: {error}");
        }
        let rows = batch(vec![("d", narrow(-999)), ("w", wide(50))]);
        assert_eq!(engine.load_arrow("t", &[rows]).await.unwrap(), 2, "{store}");
        assert_eq!(
            crate::common::rows(&engine, "SELECT d FROM t WHERE d IS NOT NULL")
                .await
                .len(),
            1,
            "{store}"
        );
    }
}

#[tokio::test]
async fn another_encoding_of_the_same_values_is_accepted() {
    for (store, engine) in engines() {
        let columns = [
            ("plain", DataType::Utf8, true),
            ("seen", DataType::Utf8View, true),
            ("large", DataType::LargeUtf8, true),
        ];
        engine
            .create_table("t", &schema(&columns), &[])
            .await
            .unwrap();
        let keyed: DictionaryArray<Int32Type> = ["b", "a", "b"].into_iter().collect();
        let encodings: [ArrayRef; 4] = [
            texts(&["b", "a", "b"]),
            Arc::new(StringViewArray::from(vec!["b", "a", "b"])),
            Arc::new(LargeStringArray::from(vec!["b", "a", "b"])),
            Arc::new(keyed),
        ];
        for encoded in &encodings {
            let columns = ["large", "plain", "seen"].map(|name| (name, Arc::clone(encoded)));
            assert_eq!(
                engine
                    .load_arrow("t", &[batch(columns.to_vec())])
                    .await
                    .unwrap(),
                3,
                "{store}"
            );
        }
        let all = rows(
            &engine,
            "SELECT plain, seen, large, count(*) FROM t GROUP BY plain, seen, large ORDER BY 1",
        )
        .await;
        assert_eq!(all, ["a | a | a | 4", "b | b | b | 8"], "{store}");
        let kept = engine.query("SELECT * FROM t").await.unwrap()[0].schema();
        let types: Vec<&DataType> = kept.fields().iter().map(|f| f.data_type()).collect();
        assert_eq!(
            types,
            columns.iter().map(|c| &c.1).collect::<Vec<_>>(),
            "{store}"
        );
    }
}

#[tokio::test]
async fn nothing_to_load_is_no_error_and_no_change() {
    for (store, engine) in engines() {
        people(&engine).await;
        let version = engine.version().await.unwrap();
        assert_eq!(
            engine.load_arrow("people", &[]).await.unwrap(),
            0,
            "{store}"
        );
        let empty = RecordBatch::new_empty(engine.table_schema("people").await.unwrap());
        assert_eq!(
            engine
                .load_arrow("people", &[empty.clone(), empty])
                .await
                .unwrap(),
            0,
            "{store}"
        );
        let nothing = stream::empty::<Result<RecordBatch, DfOlapError>>();
        assert_eq!(
            engine.load_stream("people", nothing).await.unwrap(),
            0,
            "{store}"
        );
        assert_eq!(engine.version().await.unwrap(), version, "{store}");
    }
}

#[tokio::test]
async fn loading_into_a_table_that_is_not_there_says_so() {
    for (store, engine) in engines() {
        for batches in [vec![], vec![pairs([(1, 1)])]] {
            let text = engine
                .load_arrow("nope", &batches)
                .await
                .unwrap_err()
                .to_string();
            assert!(
                text.contains("not found") && text.contains("nope") && !text.contains("column"),
                "{store}: {text}"
            );
        }
        run(&engine, "CREATE VIEW v AS SELECT 1 AS id, 2 AS n").await;
        engine
            .load_arrow("v", &[pairs([(1, 1)])])
            .await
            .unwrap_err();
    }
}

#[tokio::test]
async fn a_load_without_a_column_that_has_a_default_is_not_filled_with_null() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT DEFAULT 7)").await;
        let loaded = engine
            .load_arrow("t", &[batch(vec![("id", ints(&[1]))])])
            .await;
        match loaded {
            Ok(_) => assert_eq!(rows(&engine, "SELECT * FROM t").await, ["1 | 7"], "{store}"),
            Err(error) => assert!(error.to_string().contains("t.n"), "{store}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_stream_is_one_change_of_all_its_batches() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
        let version = engine.version().await.unwrap();
        let batches =
            stream::iter((0..50).map(|i| Ok::<_, DfOlapError>(pairs([(i, i), (i + 50, i)]))));
        assert_eq!(
            engine.load_stream("t", batches).await.unwrap(),
            100,
            "{store}"
        );
        assert_eq!(engine.version().await.unwrap().0, version.0 + 1, "{store}");
        assert_eq!(
            rows(&engine, "SELECT count(DISTINCT id), sum(n) FROM t").await,
            ["100 | 2450"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn an_error_of_the_stream_is_returned_in_its_own_words_and_nothing_is_appended() {
    async fn check<E: Into<DfOlapError> + Send + 'static>(engine: &DataFusionEngine, error: E) {
        let items = vec![
            Ok(pairs([(1, 1)])),
            Ok(pairs([(2, 2)])),
            Err(error),
            Ok(pairs([(3, 3)])),
        ];
        let error = engine
            .load_stream("t", stream::iter(items))
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("the pipe broke at 17"),
            "{error}"
        );
        assert_eq!(rows(engine, "SELECT count(*) FROM t").await, ["0"]);
    }
    for (_, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
        let version = engine.version().await.unwrap();
        let words = "the pipe broke at 17".to_string();
        check(&engine, DfOlapError::Invalid(words.clone())).await;
        check(&engine, DataFusionError::Execution(words.clone())).await;
        check(&engine, ArrowError::ComputeError(words.clone())).await;
        check(&engine, ArrowError::ExternalError(words.clone().into())).await;
        check(&engine, std::io::Error::other(words)).await;
        assert_eq!(engine.version().await.unwrap(), version);
    }
}

#[tokio::test]
async fn a_stream_that_does_not_fit_appends_nothing() {
    for (store, engine) in engines() {
        people(&engine).await;
        let good = batch(vec![("id", ints(&[1]))]);
        let bad = batch(vec![("id", ints(&[2])), ("extra", ints(&[2]))]);
        let batches = stream::iter([Ok::<_, DfOlapError>(good), Ok(bad)]);
        let error = engine.load_stream("people", batches).await.unwrap_err();
        assert!(error.to_string().contains("extra"), "{store}: {error}");
        assert_eq!(
            rows(&engine, "SELECT count(*) FROM people").await,
            ["0"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn every_type_comes_back_as_it_was_loaded() {
    for (store, engine) in engines() {
        let source = "SELECT CAST(1 AS TINYINT) AS i8, CAST(2 AS SMALLINT) AS i16, CAST(3 AS INT) AS i32, \
            CAST(4 AS BIGINT) AS i64, CAST(5 AS INT UNSIGNED) AS u32, CAST(1.5 AS FLOAT) AS f32, CAST(2.5 AS DOUBLE) AS f64, \
            true AS b, 'text' AS s, arrow_cast('view', 'Utf8View') AS sv, X'00ff' AS bin, DATE '2024-02-29' AS d, \
            TIMESTAMP '2024-02-29T12:00:00' AS ts, TIME '12:00:01' AS t, CAST(12.345 AS DECIMAL(10, 3)) AS dec, \
            [1, 2, NULL] AS l, named_struct('a', 1, 'b', 'x') AS st, arrow_cast('k', 'Dictionary(Int32, Utf8)') AS dict";
        let made = engine.query(source).await.unwrap();
        let made = made.iter().find(|b| b.num_rows() == 1).unwrap().clone();
        let nullable: Vec<Field> = made
            .schema()
            .fields()
            .iter()
            .map(|f| f.as_ref().clone().with_nullable(true))
            .collect();
        let nullable = Arc::new(Schema::new(nullable));
        let nulls = nullable
            .fields()
            .iter()
            .map(|f| new_null_array(f.data_type(), 1))
            .collect();
        let nulls = RecordBatch::try_new(Arc::clone(&nullable), nulls).unwrap();
        engine.create_table("t", &nullable, &[]).await.unwrap();
        assert_eq!(
            engine
                .load_arrow("t", &[made.clone(), nulls.clone()])
                .await
                .unwrap(),
            2,
            "{store}"
        );
        let back = engine
            .query("SELECT * FROM t WHERE i8 IS NOT NULL")
            .await
            .unwrap();
        assert_eq!(back[0].columns(), made.columns(), "{store}");
        assert_eq!(back[0].schema().fields(), nullable.fields(), "{store}");
        let back = engine
            .query("SELECT * FROM t WHERE i8 IS NULL")
            .await
            .unwrap();
        assert_eq!(back[0].columns(), nulls.columns(), "{store}");
        assert_eq!(run(&engine, "UPDATE t SET i8 = 9").await, 2, "{store}");
        let back = engine.query("SELECT * FROM t WHERE b").await.unwrap();
        assert_eq!(&back[0].columns()[1..], &made.columns()[1..], "{store}");
    }
}

#[tokio::test]
async fn a_table_made_of_a_stream_is_there_with_all_of_its_rows_or_not_at_all() {
    let columns = schema(&[
        ("id", DataType::Int64, false),
        ("name", DataType::Utf8, true),
    ]);
    let piece = |from: i64| {
        let ids: Vec<i64> = (from..from + 1000).collect();
        batch(vec![("id", ints(&ids)), ("name", texts(&["x"; 1000]))])
    };
    for (store, engine) in engines() {
        let version = engine.version().await.unwrap().0;
        let whole = stream::iter((0..3).map(|i| Ok::<_, ArrowError>(piece(i * 1000))));
        let key = ["id".to_string()];
        let made = engine.create_table_from("t", &columns, &key, whole).await;
        assert_eq!(made.unwrap(), 3000, "{store}");
        assert_eq!(engine.version().await.unwrap().0, version + 1, "{store}");
        assert_eq!(rows(&engine, "SELECT count(*) FROM t").await, ["3000"]);

        let broken = [Ok(piece(0)), Err(ArrowError::CsvError("torn".into()))];
        let broken = engine.create_table_from("u", &columns, &[], stream::iter(broken));
        let error = broken.await.unwrap_err();
        assert!(error.to_string().contains("torn"), "{error}");
        assert!(!engine.table_exists("u").await.unwrap(), "{store}");

        // Another statement creates the table while the stream is read: that table's rows stay.
        let slow = stream::once(async {
            run(&engine, "CREATE TABLE v (id BIGINT)").await;
            run(&engine, "INSERT INTO v VALUES (7)").await;
            Ok::<_, ArrowError>(piece(0))
        });
        let late = engine.create_table_from("v", &columns, &[], Box::pin(slow));
        assert_eq!(late.await.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(rows(&engine, "SELECT * FROM v").await, ["7"], "{store}");
    }
}

#[tokio::test]
async fn a_table_made_of_a_stream_has_columns_of_any_name() {
    for (store, engine) in engines() {
        let made = |name: &str| {
            let columns = schema(&[(name, DataType::Int64, true)]);
            let rows = batch(vec![(name, ints(&[1, 2]))]);
            (columns, stream::iter([Ok::<_, ArrowError>(rows)]))
        };
        for (at, name) in ["First name", "Größe", "a.b", "say \"hi\"", "select"]
            .iter()
            .enumerate()
        {
            let (columns, rows_of) = made(name);
            let table = format!("t{at}");
            let loaded = engine
                .create_table_from(&table, &columns, &[], rows_of)
                .await;
            assert_eq!(loaded.unwrap(), 2, "{store}: {name}");
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            run(
                &engine,
                &format!("UPDATE {table} SET {quoted} = 5 WHERE {quoted} = 1"),
            )
            .await;
            engine
                .load_arrow(&table, &[batch(vec![(name, ints(&[7]))])])
                .await
                .unwrap();
            let sql = format!("SELECT {quoted} FROM {table} ORDER BY {quoted}");
            assert_eq!(
                rows(&engine, &sql).await,
                ["2", "5", "7"],
                "{store}: {name}"
            );
        }
        let (columns, rows_of) = made(" ");
        let error = engine.create_table_from("u", &columns, &[], rows_of).await;
        assert!(
            error.unwrap_err().to_string().contains("no name"),
            "{store}"
        );
        let (columns, _) = made("First name");
        let error = engine.create_table("u", &columns, &[]).await.unwrap_err();
        assert!(
            error.to_string().contains("'First name'"),
            "{store}: {error}"
        );
    }
}
