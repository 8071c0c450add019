//! Debezium's events: the envelope, and rows that `ExtractNewRecordState` flattened
//! (<https://debezium.io/documentation/reference/transformations/event-flattening.html>).

use std::collections::HashMap;

use arrow::datatypes::TimeUnit;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::encoding::{Encoding, Times, Unavailable};
use super::event::{Context, Event, needed, wrong};
use super::json::{Scalar, Text, for_each, invalid, read as parts};
use super::options::{EventReader, IgnoredEvent};
use super::rows::{Moment, Op, TableRows};
use crate::error::DfOlapError;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    op: Option<Text<'a>>,
    #[serde(borrow, default)]
    before: Option<&'a RawValue>,
    #[serde(borrow, default)]
    after: Option<&'a RawValue>,
    #[serde(borrow, default)]
    source: Option<Source<'a>>,
    #[serde(default)]
    ts_ms: Option<i64>,
    /// Of an event that begins or ends a transaction.
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    /// Of an event that changes a table.
    #[serde(borrow, default)]
    ddl: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "tableChanges")]
    table_changes: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow, default)]
    db: Option<Text<'a>>,
    #[serde(borrow, default)]
    schema: Option<Text<'a>>,
    #[serde(borrow, default)]
    table: Option<Text<'a>>,
    #[serde(default)]
    ts_ms: Option<i64>,
    /// Where the change is in the log of PostgreSQL.
    #[serde(borrow, default)]
    lsn: Option<&'a RawValue>,
    /// Where it is in the log of MySQL.
    #[serde(borrow, default)]
    file: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pos: Option<&'a RawValue>,
    #[serde(borrow, default)]
    row: Option<&'a RawValue>,
}

impl<'a> Source<'a> {
    fn place(&self) -> [Option<&'a str>; 4] {
        let parts = [self.lsn, self.file, self.pos, self.row];
        parts.map(|part| part.map(RawValue::get).filter(|part| *part != "null"))
    }

    fn names(&self) -> [Option<&str>; 3] {
        let names = [&self.db, &self.schema, &self.table];
        names.map(|name| name.as_deref())
    }
}

/// The event without its schema, and the schema, if the event has a schema and a payload and nothing else.
fn unwrap(event: &RawValue) -> Result<(Option<&RawValue>, Option<&RawValue>), DfOlapError> {
    let text = event.get();
    if text == "null" {
        return Ok((None, None));
    }
    // Most events without a wrapper need no scan for one.
    if !text.contains("\"payload\"") || !text.contains("\"schema\"") {
        return Ok((Some(event), None));
    }
    let (mut schema, mut payload, mut others) = (None, None, 0);
    for_each(event, |name, value| {
        match name {
            "schema" => schema = Some(value),
            "payload" => payload = Some(value),
            _ => others += 1,
        }
        Ok(())
    })?;
    let (Some(schema), Some(payload), 0) = (schema, payload, others) else {
        return Ok((Some(event), None));
    };
    let payload = Some(payload).filter(|payload| payload.get() != "null");
    Ok((
        payload,
        Some(schema).filter(|schema| schema.get() != "null"),
    ))
}

/// Whether an event may be a delete.
pub(super) fn may_move(event: &RawValue) -> bool {
    event.get().contains("\"d\"")
}

/// Whether two events are the delete and the insert that a connector makes of one change of a row's key: they have one
/// place in the log of their database.
pub(super) fn is_moved(delete: &RawValue, insert: &RawValue) -> bool {
    fn envelope(event: &RawValue) -> Option<Envelope<'_>> {
        parts(unwrap(event).ok()?.0?).ok()
    }
    let (Some(delete), Some(insert)) = (envelope(delete), envelope(insert)) else {
        return false;
    };
    let are_ops = delete.op.as_deref() == Some("d") && insert.op.as_deref() == Some("c");
    let (Some(from), Some(to)) = (delete.source, insert.source) else {
        return false;
    };
    let place = from.place();
    let is_known = place.iter().any(Option::is_some);
    are_ops && is_known && place == to.place() && from.names() == to.names()
}

pub(super) fn read(event: &RawValue, context: &mut Context<'_>) -> Result<Event, DfOlapError> {
    let (Some(payload), schema) = unwrap(event)? else {
        return Ok(Event::Ignored(IgnoredEvent::Tombstone));
    };
    let envelope: Envelope<'_> = parts(payload)?;
    let moved = match context.moved.take() {
        Some(delete) => unwrap(delete)?.0.map(parts::<Envelope<'_>>).transpose()?,
        None => None,
    };
    let before = moved.as_ref().map_or(envelope.before, |moved| moved.before);
    let op = match envelope.op.as_deref() {
        Some("c") if moved.is_some() => Op::Update,
        Some("c") => Op::Insert,
        Some("r") => Op::Upsert,
        Some("u") => Op::Update,
        Some("d") => Op::Delete,
        Some("t") => Op::Truncate,
        Some("m") => return Ok(Event::Ignored(IgnoredEvent::Message)),
        Some(other) => return Err(wrong(format!("its op '{other}' is not known"))),
        None if envelope.status.is_some() => {
            return Ok(Event::Ignored(IgnoredEvent::Transaction));
        }
        None if envelope.ddl.is_some() || envelope.table_changes.is_some() => {
            return Ok(Event::Ignored(IgnoredEvent::Ddl));
        }
        None if is_heartbeat(payload)? => return Ok(Event::Ignored(IgnoredEvent::Heartbeat)),
        None => {
            return Err(wrong(
                "it has no 'op'; EventFormat::DebeziumFlattened reads events that are flattened",
            ));
        }
    };
    let source = needed(envelope.source, "source")?;
    let table = needed(source.table, "source.table")?;
    let namespace = source.schema.or(source.db);
    let at = source.ts_ms.or(envelope.ts_ms);
    let at = at.map(|at| (at, TimeUnit::Millisecond));
    let row = match op {
        Op::Truncate => None,
        Op::Delete => Some(needed(before, "before")?),
        _ => Some(needed(envelope.after, "after")?),
    };

    let usual = Encoding::debezium(context.reader);
    let encodings = match schema {
        Some(schema) => Some(context.schemas.encodings(schema, usual)?),
        None => None,
    };
    let encoding = |name: &str| encoding_of(context.reader, encodings, &table, name, usual);
    let namespace = namespace.as_deref().unwrap_or("");
    let (rows, unavailable) = context
        .tables
        .begin(namespace, &table, op, context.seq, at)?;
    if let Some(row) = row {
        for_each(row, |name, value| {
            set(rows, unavailable, name, value, encoding(name))
        })?;
    }
    if let Some(before) = before {
        for_each(before, |name, value| {
            rows.set_old(name, value, encoding(name))
        })?;
    }
    rows.end();
    Ok(Event::Rows)
}

/// How a column is written: as the schema says, or the caller.
fn encoding_of(
    reader: &EventReader,
    schema: Option<&HashMap<String, Encoding>>,
    table: &str,
    column: &str,
    usual: Encoding,
) -> Encoding {
    let mut encoding = match schema.and_then(|columns| columns.get(column)) {
        Some(encoding) if encoding.times != Times::Unknown => return *encoding,
        Some(encoding) => *encoding,
        None => usual,
    };
    encoding.times = usual.times;
    if !reader.time_units.is_empty() {
        let of_table = reader.time_units.get(&format!("{table}.{column}"));
        if let Some(unit) = of_table.or_else(|| reader.time_units.get(column)) {
            encoding.times = Times::Unit(*unit);
        }
    }
    encoding
}

/// Whether an event has a time and nothing else.
fn is_heartbeat(event: &RawValue) -> Result<bool, DfOlapError> {
    // The longest one, with some room for spaces.
    const MOST_BYTES: usize = 200;
    if event.get().len() > MOST_BYTES {
        return Ok(false);
    }
    let (mut has_time, mut has_more) = (false, false);
    for_each(event, |name, _| {
        match name {
            "ts_ms" | "ts_us" | "ts_ns" => has_time = true,
            _ => has_more = true,
        }
        Ok(())
    })?;
    Ok(has_time && !has_more)
}

/// The value of a column, unless it is the mark of a value that was not sent.
fn set(
    rows: &mut TableRows,
    unavailable: &Unavailable,
    name: &str,
    value: &RawValue,
    encoding: Encoding,
) -> Result<(), DfOlapError> {
    let value = Scalar::of(value).map_err(invalid)?;
    match unavailable.is(&value) {
        true => rows.set_unchanged(name),
        false => rows.set_value(name, &value, encoding),
    }
}

/// What the fields that begin with two underscores say of a flattened row.
#[derive(Debug, Default)]
struct Marks {
    op: Option<String>,
    is_deleted: bool,
    table: Option<String>,
    schema: Option<String>,
    database: Option<String>,
    at: Moment,
    is_there: bool,
}

impl Marks {
    /// Takes a field, if it is one of these.
    fn take(&mut self, name: &str, value: &Scalar<'_>) {
        let Some(name) = name.strip_prefix("__") else {
            return;
        };
        self.is_there = true;
        let text = match value {
            Scalar::Text(text) => Some(text.to_string()),
            Scalar::Bool(value) => Some(value.to_string()),
            Scalar::Number(text) => Some((*text).to_string()),
            _ => None,
        };
        match name {
            "op" => self.op = text,
            "deleted" => self.is_deleted = text.as_deref() == Some("true"),
            "table" | "source_table" => self.table = text,
            "schema" | "source_schema" => self.schema = text,
            "db" | "source_db" => self.database = text,
            "source_ts_ms" => self.at = moment(text),
            "ts_ms" => self.at = self.at.or(moment(text)),
            _ => {}
        }
    }
}

fn moment(text: Option<String>) -> Moment {
    Some((text?.parse().ok()?, TimeUnit::Millisecond))
}

pub(super) fn read_flattened(
    event: &RawValue,
    context: &mut Context<'_>,
) -> Result<Event, DfOlapError> {
    let (Some(payload), schema) = unwrap(event)? else {
        if context.reader.ignores_tombstones {
            return Ok(Event::Ignored(IgnoredEvent::Tombstone));
        }
        return Err(wrong(
            "it has no value, so the row that it deletes is not known; set delete.tombstone.handling.mode=rewrite, or \
             to rewrite-with-tombstone and call EventReader::ignore_tombstones",
        ));
    };
    if is_heartbeat(payload)? {
        return Ok(Event::Ignored(IgnoredEvent::Heartbeat));
    }
    let mut marks = Marks::default();
    let mut columns = Vec::new();
    for_each(payload, |name, value| {
        let scalar = Scalar::of(value).map_err(invalid)?;
        marks.take(name, &scalar);
        columns.push((name.to_string(), scalar));
        Ok(())
    })?;
    let op = match marks.op.as_deref() {
        _ if marks.is_deleted => Op::Delete,
        Some("c") => Op::Insert,
        Some("u") => Op::Update,
        Some("d") => Op::Delete,
        Some("t") => Op::Truncate,
        Some("r") | None => Op::Upsert,
        Some(other) => return Err(wrong(format!("its __op '{other}' is not known"))),
    };
    if !marks.is_there {
        // The transformation leaves events that are no rows as they are.
        let has = |name: &str| columns.iter().any(|(column, _)| column == name);
        if has("status") && has("event_count") && has("data_collections") {
            return Ok(Event::Ignored(IgnoredEvent::Transaction));
        }
        if has("op") && has("source") && has("message") {
            return Ok(Event::Ignored(IgnoredEvent::Message));
        }
        if has("source") && (has("ddl") || has("tableChanges")) {
            return Ok(Event::Ignored(IgnoredEvent::Ddl));
        }
    }
    let table = match (marks.table, &context.reader.only_table) {
        (Some(table), _) => table,
        (None, Some(only)) => only.clone(),
        (None, None) => {
            return Err(wrong(
                "it has no __table; set add.fields=op,table, or call EventReader::only_table",
            ));
        }
    };
    let usual = Encoding::debezium(context.reader);
    let encodings = match schema {
        Some(schema) => Some(context.schemas.encodings(schema, usual)?),
        None => None,
    };
    let namespace = marks.schema.or(marks.database).unwrap_or_default();
    let (rows, unavailable) =
        context
            .tables
            .begin(&namespace, &table, op, context.seq, marks.at)?;
    for (name, value) in &columns {
        // Fields of the transformation, unless the table keeps them.
        if name.starts_with("__") && !rows.has_column(name) {
            continue;
        }
        let encoding = encoding_of(context.reader, encodings, &table, name, usual);
        match unavailable.is(value) {
            true => rows.set_unchanged(name)?,
            false => rows.set_value(name, value, encoding)?,
        }
    }
    rows.end();
    Ok(Event::Rows)
}
