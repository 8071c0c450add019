//! What a fuzzer calls with events that no tool wrote.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};

use super::options::{BytesEncoding, DecimalEncoding, EventFormat, EventReader};
use super::reader::Reading;
use crate::fragment::ColumnId;
use crate::snapshot::{RelationId, Snapshot, Table, TableDefinition, Version};

const FORMATS: [EventFormat; 6] = [
    EventFormat::Rhei,
    EventFormat::Debezium,
    EventFormat::DebeziumFlattened,
    EventFormat::Maxwell,
    EventFormat::Canal,
    EventFormat::Wal2json,
];

/// Reads a text as events of each format, into a table with a column of each type.
///
/// # Panics
/// Where a text ends in a panic.
pub fn events(text: &str) {
    let snapshot = snapshot();
    for format in FORMATS {
        let reader = EventReader::new(format)
            .first_seq(1)
            .only_table("t")
            .decimals(DecimalEncoding::Base64)
            .time_unit(TimeUnit::Microsecond)
            .bytes(BytesEncoding::Hex)
            .wrapped_unsigned()
            .ignore_ddl()
            .ignore_tombstones();
        let Ok(mut reading) = Reading::new(&reader, &snapshot, text.as_bytes()) else {
            continue;
        };
        let is_read = loop {
            match reading.step(16) {
                Ok(true) => {}
                Ok(false) => break true,
                Err(_) => break false,
            }
        };
        if !is_read {
            continue;
        }
        let read = reading.finish().expect("what was read is batches");
        let batches = &read.changes.tables;
        let rows: usize = batches.iter().map(|batch| batch.rows.num_rows()).sum();
        assert_eq!(rows as u64, read.rows, "each row is in a batch");
    }
}

fn snapshot() -> Snapshot {
    let types = [
        ("id", DataType::Int64),
        ("b", DataType::Boolean),
        ("i", DataType::Int8),
        ("u", DataType::UInt64),
        ("f", DataType::Float32),
        ("d", DataType::Float64),
        ("p", DataType::Decimal128(10, 2)),
        ("q", DataType::Decimal256(60, -3)),
        ("s", DataType::Utf8),
        ("y", DataType::Binary),
        ("e", DataType::Date32),
        ("m", DataType::Time64(TimeUnit::Microsecond)),
        (
            "t",
            DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into())),
        ),
        ("o", DataType::Duration(TimeUnit::Second)),
        (
            "l",
            DataType::List(Field::new("item", DataType::Boolean, true).into()),
        ),
        (
            "r",
            DataType::Struct(vec![Field::new("a", DataType::Utf8, true)].into()),
        ),
        (
            "v",
            DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano),
        ),
    ];
    let fields = types.map(|(name, of)| -> FieldRef { Arc::new(Field::new(name, of, true)) });
    let definition = TableDefinition::from_fields(&fields, vec![ColumnId(0)]);
    let id = RelationId::fresh();
    let table = Table::empty(id, Arc::new(definition), Version(1));
    let mut snapshot = Snapshot::default();
    Arc::make_mut(&mut snapshot.names).insert("t".to_string(), id);
    snapshot.tables.insert(id, Arc::new(table));
    snapshot
}
