//! `CdcEvent` of Rhei (`rhei_core::CdcEvent`, version 2).

use arrow::datatypes::TimeUnit;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::encoding::{Bytes, Encoding};
use super::event::{Context, Event, needed, wrong};
use super::json::{Text, for_each, read as parts};
use super::rows::Op;
use crate::error::DfOlapError;

#[derive(Deserialize)]
struct CdcEvent<'a> {
    seq: i64,
    timestamp: i64,
    #[serde(borrow)]
    operation: Text<'a>,
    #[serde(borrow)]
    table: Text<'a>,
    #[serde(borrow, default)]
    old_data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    new_data: Option<&'a RawValue>,
}

pub(super) fn read(event: &RawValue, context: &mut Context<'_>) -> Result<Event, DfOlapError> {
    let event: CdcEvent<'_> = parts(event)?;
    let op = match &*event.operation {
        "Insert" => Op::Insert,
        "Update" => Op::Update,
        "Delete" => Op::Delete,
        other => {
            return Err(wrong(format!(
                "its operation is '{other}'; Insert, Update and Delete are known"
            )));
        }
    };
    let own = u64::try_from(event.seq)
        .map_err(|_| wrong(format!("its seq is {}, which is negative", event.seq)))?;
    let seq = context.seq.unwrap_or(own);
    let at = Some((event.timestamp, TimeUnit::Second));
    let encoding = Encoding::plain(Bytes::Utf8);
    let (rows, _) = context.tables.begin("", &event.table, op, Some(seq), at)?;
    let row = match op {
        Op::Delete => needed(event.old_data, "old_data")?,
        _ => needed(event.new_data, "new_data")?,
    };
    for_each(row, |name, value| rows.set(name, value, encoding))?;
    if let (Op::Update, Some(old)) = (op, event.old_data) {
        for_each(old, |name, value| rows.set_old(name, value, encoding))?;
    }
    rows.end();
    Ok(Event::Rows)
}
