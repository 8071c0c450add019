//! Each type of Arrow 58 goes into the engine through the trait of Rhei, and comes out of it.

use std::sync::Arc;

use arrow_58::array::{
    Array, ArrayRef, Int32Array, Int32Builder, MapBuilder, MapFieldNames, StringArray,
    StringBuilder,
};
use arrow_58::compute::cast;
use arrow_58::datatypes::{DataType, Field, Fields, Int32Type, IntervalUnit, Schema, TimeUnit};
use arrow_58::record_batch::RecordBatch;
use rhei_core::OlapEngine;
use rhei_datafusion::{DataFusionEngine, ErrorKind};

use crate::common::engines;

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
    let columns = Arc::new(Schema::new(vec![Field::new("a\0b", DataType::Int32, true)]));
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

/// A map from texts to numbers.
fn map() -> DataType {
    let entries = [
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", DataType::Int32, true),
    ];
    let entries = DataType::Struct(Fields::from(entries.to_vec()));
    DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
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
        D::Utf8View,
        D::BinaryView,
        D::Date32,
        D::Date64,
        D::Time32(TimeUnit::Second),
        D::Time32(TimeUnit::Millisecond),
        D::Time64(TimeUnit::Microsecond),
        D::Time64(TimeUnit::Nanosecond),
        D::Decimal32(9, 2),
        D::Decimal64(18, 2),
        D::Decimal128(20, 3),
        D::Decimal256(50, 3),
        D::Duration(TimeUnit::Second),
        D::Duration(TimeUnit::Millisecond),
        D::Duration(TimeUnit::Microsecond),
        D::Duration(TimeUnit::Nanosecond),
        D::Interval(IntervalUnit::YearMonth),
        D::Interval(IntervalUnit::DayTime),
        D::Interval(IntervalUnit::MonthDayNano),
        D::List(item(D::Int32)),
        D::LargeList(item(D::Utf8)),
        D::FixedSizeList(item(D::Int32), 2),
        D::Struct(Fields::from(vec![
            Field::new("a", D::Int32, true),
            Field::new("b", D::Utf8, true),
        ])),
        D::Dictionary(Box::new(D::Int32), Box::new(D::Utf8)),
        map(),
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
        D::Utf8
        | D::LargeUtf8
        | D::Utf8View
        | D::Binary
        | D::LargeBinary
        | D::BinaryView
        | D::Dictionary(..) => {
            let texts = StringArray::from(vec![
                Some("it's longer than a view \u{1F600}"),
                None,
                Some(""),
            ]);
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
        D::Interval(IntervalUnit::DayTime) => {
            use arrow_58::datatypes::IntervalDayTime;
            let one = IntervalDayTime::new(-1, 2);
            Arc::new(arrow_58::array::IntervalDayTimeArray::from(vec![
                Some(one),
                None,
                Some(IntervalDayTime::new(0, 0)),
            ]))
        }
        D::Interval(IntervalUnit::MonthDayNano) => {
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
        D::Map(..) => {
            let names = MapFieldNames {
                entry: "entries".into(),
                key: "keys".into(),
                value: "values".into(),
            };
            let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), Int32Builder::new());
            maps.keys().append_value("a");
            maps.values().append_value(1);
            maps.keys().append_value("b");
            maps.values().append_null();
            maps.append(true).unwrap();
            maps.append(false).unwrap();
            maps.append(true).unwrap();
            Arc::new(maps.finish())
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
            let read = arrow_58::compute::concat_batches(&read[0].schema(), &read).unwrap();
            // Views come as plain arrays.
            let expected = match data_type {
                DataType::Utf8View => cast(batch.column(1), &DataType::Utf8).unwrap(),
                DataType::BinaryView => cast(batch.column(1), &DataType::Binary).unwrap(),
                _ => Arc::clone(batch.column(1)),
            };
            assert_eq!(read.column(0), batch.column(0), "{store}: {data_type}");
            assert_eq!(read.column(1), &expected, "{store}: {data_type}");
            let (field, types) = (read.schema(), batch.schema());
            assert_eq!(field.field(1).name(), types.field(1).name());
            assert_eq!(field.field(1).data_type(), expected.data_type());
            OlapEngine::execute(&engine, "DROP TABLE t").await.unwrap();
        }
    }
    // What a Vortex file does not hold.
    let expected = [
        "FixedSizeBinary(2)",
        "Duration(s)",
        "Duration(ms)",
        "Duration(µs)",
        "Duration(ns)",
        "Interval(YearMonth)",
        "Interval(DayTime)",
        "Interval(MonthDayNano)",
    ];
    assert_eq!(refused, expected.map(|name| format!("vortex: {name}")));
}
