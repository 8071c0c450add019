//! The format version 2 of wal2json (<https://github.com/eulerto/wal2json>): one object for each row.

use arrow::datatypes::TimeUnit;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::encoding::{Bytes, Encoding};
use super::event::{Context, Event, needed, wrong};
use super::json::{Text, read as parts};
use super::numbers;
use super::options::IgnoredEvent;
use super::rows::Op;
use crate::error::DfOlapError;

#[derive(Deserialize)]
struct Action<'a> {
    #[serde(borrow)]
    action: Text<'a>,
    #[serde(borrow, default)]
    schema: Option<Text<'a>>,
    #[serde(borrow, default)]
    table: Option<Text<'a>>,
    /// With the option `include-timestamp`.
    #[serde(borrow, default)]
    timestamp: Option<Text<'a>>,
    /// The row after the change, without large values that did not change.
    #[serde(borrow, default)]
    columns: Option<Vec<Column<'a>>>,
    /// The row before the change, or its key.
    #[serde(borrow, default)]
    identity: Option<Vec<Column<'a>>>,
}

#[derive(Deserialize)]
struct Column<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    value: &'a RawValue,
}

pub(super) fn read(event: &RawValue, context: &mut Context<'_>) -> Result<Event, DfOlapError> {
    let event: Action<'_> = parts(event)?;
    let op = match &*event.action {
        "I" => Op::Insert,
        "U" => Op::Update,
        "D" => Op::Delete,
        "T" => Op::Truncate,
        "B" | "C" => return Ok(Event::Ignored(IgnoredEvent::Transaction)),
        "M" => return Ok(Event::Ignored(IgnoredEvent::Message)),
        other => return Err(wrong(format!("its action '{other}' is not known"))),
    };
    let schema = event.schema.as_deref().unwrap_or("");
    let table = needed(event.table.as_deref(), "table")?;
    let at = match event.timestamp.as_deref() {
        None => None,
        Some(text) => match numbers::moment(text, TimeUnit::Microsecond) {
            Some(at) => Some((at, TimeUnit::Microsecond)),
            None => return Err(wrong(format!("its timestamp '{text}' is no moment"))),
        },
    };
    let encoding = Encoding::plain(Bytes::Hex);
    let seq = context.seq;
    let (rows, _) = context.tables.begin(schema, table, op, seq, at)?;
    let row = match op {
        Op::Truncate => Vec::new(),
        Op::Delete => needed(event.identity.as_ref(), "identity")?
            .iter()
            .collect(),
        _ => needed(event.columns.as_ref(), "columns")?
            .iter()
            .collect::<Vec<_>>(),
    };
    for column in row {
        rows.set(&column.name, column.value, encoding)?;
    }
    if op == Op::Update {
        for column in event.identity.iter().flatten() {
            rows.set_old(&column.name, column.value, encoding)?;
        }
        for name in rows.column_names() {
            if !rows.has(&name) {
                rows.set_unchanged(&name)?;
            }
        }
    }
    rows.end();
    Ok(Event::Rows)
}
