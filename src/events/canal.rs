//! Flat messages of Canal (`FlatMessage` of alibaba/canal): one message has the rows of one statement, whose values are
//! texts.

use std::collections::HashMap;

use arrow::datatypes::TimeUnit;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::encoding::{Bytes, Encoding};
use super::event::{Context, Event, needed, wrong};
use super::json::{Scalar, Text, for_each, invalid, read as parts};
use super::options::IgnoredEvent;
use super::rows::Op;
use crate::error::DfOlapError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FlatMessage<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(default)]
    is_ddl: bool,
    #[serde(borrow, default)]
    database: Option<Text<'a>>,
    #[serde(borrow, default)]
    table: Option<Text<'a>>,
    /// When the statement was executed, in milliseconds.
    #[serde(default)]
    es: Option<i64>,
    #[serde(borrow, default)]
    data: Option<Vec<&'a RawValue>>,
    /// For each row, the columns that changed, with their values before.
    #[serde(borrow, default)]
    old: Option<Vec<Option<&'a RawValue>>>,
    /// The MySQL type of each column.
    #[serde(borrow, default)]
    mysql_type: Option<&'a RawValue>,
}

pub(super) fn read(event: &RawValue, context: &mut Context<'_>) -> Result<Event, DfOlapError> {
    let event: FlatMessage<'_> = parts(event)?;
    let op = match &*event.kind {
        "INSERT" => Op::Insert,
        "UPDATE" => Op::Update,
        "DELETE" => Op::Delete,
        "TRUNCATE" => Op::Truncate,
        _ if event.is_ddl => return Ok(Event::Ignored(IgnoredEvent::Ddl)),
        // Statements in the log of statements, which change rows that the log of rows has too.
        "QUERY" | "TRANSACTIONBEGIN" | "TRANSACTIONEND" | "GTID" | "XACOMMIT" | "XAROLLBACK" => {
            return Ok(Event::Ignored(IgnoredEvent::Transaction));
        }
        "MHEARTBEAT" => return Ok(Event::Ignored(IgnoredEvent::Heartbeat)),
        other => return Err(wrong(format!("its type '{other}' is not known"))),
    };
    let database = needed(event.database, "database")?;
    let table = needed(event.table, "table")?;
    let at = event.es.map(|es| (es, TimeUnit::Millisecond));
    let seq = context.seq;
    if op == Op::Truncate {
        let (rows, _) = context.tables.begin(&database, &table, op, seq, at)?;
        rows.end();
        return Ok(Event::Rows);
    }
    let mut labels = HashMap::new();
    if let Some(types) = event.mysql_type {
        for_each(types, |name, of| {
            if let Ok(Scalar::Text(of)) = Scalar::of(of)
                && let Some(found) = Labels::of(&of)
            {
                labels.insert(name.to_string(), found);
            }
            Ok(())
        })?;
    }
    let data = needed(event.data, "data")?;
    let old = event.old.unwrap_or_default();
    for (place, row) in data.into_iter().enumerate() {
        let (rows, _) = context.tables.begin(&database, &table, op, seq, at)?;
        for_each(row, |name, value| {
            let value = read_value(name, value, &labels)?;
            rows.set_value(name, &value, ENCODING)
        })?;
        if let Some(old) = old.get(place).copied().flatten() {
            for_each(old, |name, value| {
                let value = read_value(name, value, &labels)?;
                rows.set_old_value(name, &value, ENCODING)
            })?;
        }
        rows.end();
    }
    Ok(Event::Rows)
}

const ENCODING: Encoding = Encoding::plain(Bytes::Latin1);

/// A value; a number of labels as their text.
fn read_value<'a>(
    name: &str,
    value: &'a RawValue,
    labels: &HashMap<String, Labels>,
) -> Result<Scalar<'a>, DfOlapError> {
    let value = Scalar::of(value).map_err(invalid)?;
    let (Some(labels), Scalar::Text(text)) = (labels.get(name), &value) else {
        return Ok(value);
    };
    let Ok(number) = text.parse() else {
        return Ok(value);
    };
    match labels.text(number) {
        Some(text) => Ok(Scalar::Text(text.into())),
        None => Err(wrong(format!(
            "column '{name}' has the number {number} of an ENUM or SET, and its mysqlType has no label for it"
        ))),
    }
}

/// The labels of a column of the type ENUM or SET, whose values are sent as numbers.
struct Labels {
    is_set: bool,
    labels: Vec<String>,
}

impl Labels {
    /// The labels in a type: `enum('a','b')`.
    fn of(mysql_type: &str) -> Option<Self> {
        let (kind, list) = mysql_type.split_once('(')?;
        let is_set = match kind.trim() {
            kind if kind.eq_ignore_ascii_case("enum") => false,
            kind if kind.eq_ignore_ascii_case("set") => true,
            _ => return None,
        };
        let (mut labels, mut label) = (Vec::new(), String::new());
        let mut is_inside = false;
        let mut signs = list.chars().peekable();
        while let Some(sign) = signs.next() {
            match sign {
                '\'' if is_inside && signs.peek() == Some(&'\'') => {
                    signs.next();
                    label.push('\'');
                }
                '\'' => {
                    if is_inside {
                        labels.push(std::mem::take(&mut label));
                    }
                    is_inside = !is_inside;
                }
                sign if is_inside => label.push(sign),
                _ => {}
            }
        }
        Some(Self { is_set, labels })
    }

    /// The text of a number: of the label at that place, or of the labels whose bits are set.
    fn text(&self, number: u64) -> Option<String> {
        if !self.is_set {
            // 0 is MySQL's text for a value that is none of the labels.
            return match number {
                0 => Some(String::new()),
                _ => self.labels.get(usize::try_from(number).ok()? - 1).cloned(),
            };
        }
        let bits = u64::BITS - number.leading_zeros();
        if bits as usize > self.labels.len() {
            return None;
        }
        let labels = self.labels.iter().enumerate();
        let set = labels.filter(|(bit, _)| number >> bit & 1 == 1);
        Some(
            set.map(|(_, label)| label.as_str())
                .collect::<Vec<_>>()
                .join(","),
        )
    }
}
