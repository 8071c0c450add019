//! Maxwell's events (<https://maxwells-daemon.io/dataformat/>).

use arrow::datatypes::TimeUnit;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::encoding::{Bytes, Encoding};
use super::event::{Context, Event, needed, wrong};
use super::json::{Scalar, Text, for_each, read as parts};
use super::options::IgnoredEvent;
use super::rows::Op;
use crate::error::DfOlapError;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    database: Option<Text<'a>>,
    #[serde(borrow, default)]
    table: Option<Text<'a>>,
    #[serde(default)]
    ts: Option<i64>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    /// The columns that changed, with their values before.
    #[serde(borrow, default)]
    old: Option<&'a RawValue>,
}

pub(super) fn read(event: &RawValue, context: &mut Context<'_>) -> Result<Event, DfOlapError> {
    let event: Message<'_> = parts(event)?;
    let op = match &*event.kind {
        "insert" => Op::Insert,
        "update" => Op::Update,
        "delete" => Op::Delete,
        "bootstrap-insert" => Op::Upsert,
        "bootstrap-start" | "bootstrap-complete" => {
            return Ok(Event::Ignored(IgnoredEvent::Snapshot));
        }
        "heartbeat" => return Ok(Event::Ignored(IgnoredEvent::Heartbeat)),
        "table-create" | "table-alter" | "table-drop" | "database-create" | "database-alter"
        | "database-drop" => return Ok(Event::Ignored(IgnoredEvent::Ddl)),
        other => return Err(wrong(format!("its type '{other}' is not known"))),
    };
    let database = needed(event.database, "database")?;
    let table = needed(event.table, "table")?;
    let at = event.ts.map(|ts| (ts, TimeUnit::Second));
    let encoding = Encoding::plain(Bytes::Base64);
    let seq = context.seq;
    let (rows, _) = context.tables.begin(&database, &table, op, seq, at)?;
    let data = needed(event.data, "data")?;
    for_each(data, |name, value| rows.set(name, value, encoding))?;
    if let Some(old) = event.old {
        for_each(old, |name, value| {
            // A column that changed, and that the row lacks, is NULL now: `output_nulls` may be off.
            if !rows.has(name) {
                rows.set_value(name, &Scalar::Null, encoding)?;
            }
            rows.set_old(name, value, encoding)
        })?;
    }
    rows.end();
    Ok(Event::Rows)
}
