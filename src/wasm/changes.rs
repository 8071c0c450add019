//! Changes from the JSON events of other tools: the options and the answer of a call, as JSON.

use std::collections::BTreeMap;

use arrow::datatypes::TimeUnit;
use futures::TryFutureExt;
use js_sys::Array;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wasm_bindgen::prelude::*;

use super::RawEngine;
use super::error::invalid;
use super::option_names::in_javascript;
use crate::cdc::{Applied, Changes, History, Obstacle, Progress, UnknownColumns};
use crate::error::DfOlapError;
use crate::events::{BytesEncoding, DecimalEncoding, EventFormat, EventReader, ReadChanges};
use crate::snapshot::Watermark;

#[wasm_bindgen]
impl RawEngine {
    /// Applies the events of another tool to the tables, with the watermark of their source. `options` is JSON: see
    /// [`ApplyOptions`]. Returns JSON.
    #[wasm_bindgen(js_name = applyChanges)]
    pub fn apply_changes(&self, call: u32, source: String, events: Vec<u8>, options: String) {
        let engine = self.engine.clone();
        let work = async move {
            let (reader, policies) = ApplyOptions::parse(&options)?.split()?;
            let mut read = engine.read_changes(&reader, events).await?;
            let changes = policies(std::mem::take(&mut read.changes));
            let applied = engine.apply_changes(&source, changes).await?;
            Ok(answer(&read, &applied).into())
        };
        self.begin(call, work.map_err(in_javascript));
    }

    /// The watermark of a source as a text, and its position, or `null`.
    pub fn watermark(&self, call: u32, source: String) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            match engine.watermark(&source).await? {
                Some(watermark) => Ok(shown(&watermark).into()),
                None => Ok(JsValue::NULL),
            }
        });
    }

    /// For each source its name and its watermark, as [`watermark`](Self::watermark) has it.
    pub fn watermarks(&self, call: u32) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            let all = engine.watermarks().await?;
            let all = all
                .iter()
                .map(|(source, of)| Array::of2(&source.into(), &shown(of)));
            Ok(all.collect::<Array>().into())
        });
    }

    /// Sets the watermark of a source to a sequence number, or removes it.
    #[wasm_bindgen(js_name = resetWatermark)]
    pub fn reset_watermark(&self, call: u32, source: String, to: Option<String>) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            let to = seq(to.map(Value::String), "the new watermark")?;
            engine.reset_watermark(&source, to).await?;
            Ok(JsValue::UNDEFINED)
        });
    }
}

/// The sequence number of a watermark as a text, and its position.
fn shown(watermark: &Watermark) -> Array {
    let position = watermark.position.as_deref();
    let position = position.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let seq = JsValue::from(watermark.seq.to_string());
    Array::of2(&seq, &position.into())
}

/// The options of a call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ApplyOptions {
    format: Format,
    first_seq: Option<Value>,
    seqs: Option<Vec<Value>>,
    #[serde(default)]
    tables: BTreeMap<String, String>,
    only_table: Option<String>,
    #[serde(default)]
    histories: BTreeMap<String, Kept>,
    decimals: Option<Decimals>,
    time_unit: Option<Unit>,
    #[serde(default)]
    time_units: BTreeMap<String, Unit>,
    bytes: Option<Bytes>,
    unavailable: Option<String>,
    #[serde(default)]
    wrapped_unsigned: bool,
    #[serde(default)]
    ignore_ddl: bool,
    #[serde(default)]
    ignore_tombstones: bool,
    after: Option<Value>,
    upto: Option<Value>,
    position: Option<String>,
    unknown_columns: Option<Unknown>,
    #[serde(default)]
    skip: Vec<Skip>,
    #[serde(default)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Format {
    Rhei,
    Debezium,
    DebeziumFlattened,
    Maxwell,
    Canal,
    Wal2json,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    key: Vec<String>,
    #[serde(default = "yes")]
    tombstones: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decimals {
    Base64,
    Text,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    S,
    Ms,
    Us,
    Ns,
}

impl From<Unit> for TimeUnit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::S => Self::Second,
            Unit::Ms => Self::Millisecond,
            Unit::Us => Self::Microsecond,
            Unit::Ns => Self::Nanosecond,
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Bytes {
    Base64,
    Base64UrlSafe,
    Hex,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Unknown {
    Refuse,
    Add,
    Ignore,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Skip {
    UnknownTable,
    NoKey,
    NullKey,
    NoRow,
    BadValue,
}

/// A sequence number: a number, or a text where it is a bigint.
fn seq(value: Option<Value>, name: &str) -> Result<Option<u64>, DfOlapError> {
    let Some(value) = value else {
        return Ok(None);
    };
    let found = match &value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    found.map(Some).ok_or_else(|| {
        invalid(format!(
            "{name} is a whole number from 0 to 2^64 - 1, and not {value}"
        ))
    })
}

impl ApplyOptions {
    fn parse(json: &str) -> Result<Self, DfOlapError> {
        serde_json::from_str(json).map_err(|error| {
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or_default();
            invalid(format!("the options of applyChanges: {what}"))
        })
    }

    /// How events are read, and what is said of their changes.
    fn split(self) -> Result<(EventReader, impl FnOnce(Changes) -> Changes), DfOlapError> {
        let mut reader = EventReader::new(match self.format {
            Format::Rhei => EventFormat::Rhei,
            Format::Debezium => EventFormat::Debezium,
            Format::DebeziumFlattened => EventFormat::DebeziumFlattened,
            Format::Maxwell => EventFormat::Maxwell,
            Format::Canal => EventFormat::Canal,
            Format::Wal2json => EventFormat::Wal2json,
        });
        if let Some(first) = seq(self.first_seq, "firstSeq")? {
            reader = reader.first_seq(first);
        }
        if let Some(seqs) = self.seqs {
            let seqs = seqs
                .into_iter()
                .map(|value| seq(Some(value), "a number of seqs"));
            let seqs = seqs.collect::<Result<Option<Vec<u64>>, _>>()?;
            reader = reader.seqs(seqs.unwrap_or_default());
        }
        for (from, to) in self.tables {
            reader = reader.table(from, to);
        }
        if let Some(table) = self.only_table {
            reader = reader.only_table(table);
        }
        for (table, kept) in self.histories {
            let history = History::by(kept.key);
            reader = reader.history(
                table,
                match kept.tombstones {
                    true => history,
                    false => history.without_tombstones(),
                },
            );
        }
        if let Some(decimals) = self.decimals {
            reader = reader.decimals(match decimals {
                Decimals::Base64 => DecimalEncoding::Base64,
                Decimals::Text => DecimalEncoding::Text,
            });
        }
        if let Some(unit) = self.time_unit {
            reader = reader.time_unit(unit.into());
        }
        for (column, unit) in self.time_units {
            reader = reader.time_unit_of(column, unit.into());
        }
        if let Some(bytes) = self.bytes {
            reader = reader.bytes(match bytes {
                Bytes::Base64 => BytesEncoding::Base64,
                Bytes::Base64UrlSafe => BytesEncoding::Base64Url,
                Bytes::Hex => BytesEncoding::Hex,
            });
        }
        if let Some(placeholder) = self.unavailable {
            reader = reader.unavailable(placeholder);
        }
        if self.wrapped_unsigned {
            reader = reader.wrapped_unsigned();
        }
        if self.ignore_ddl {
            reader = reader.ignore_ddl();
        }
        if self.ignore_tombstones {
            reader = reader.ignore_tombstones();
        }
        let after = seq(self.after, "after")?;
        let upto = seq(self.upto, "upto")?;
        let policies = move |mut changes: Changes| {
            if let Some(after) = after {
                changes = changes.after(after);
            }
            if let Some(upto) = upto {
                changes = changes.upto(upto);
            }
            if let Some(position) = self.position {
                changes = changes.position(position);
            }
            if let Some(policy) = self.unknown_columns {
                changes = changes.unknown_columns(match policy {
                    Unknown::Refuse => UnknownColumns::Refuse,
                    Unknown::Add => UnknownColumns::Add,
                    Unknown::Ignore => UnknownColumns::Ignore,
                });
            }
            for skip in self.skip {
                changes = changes.skip(match skip {
                    Skip::UnknownTable => Obstacle::UnknownTable,
                    Skip::NoKey => Obstacle::NoKey,
                    Skip::NullKey => Obstacle::NullKey,
                    Skip::NoRow => Obstacle::NoRow,
                    Skip::BadValue => Obstacle::BadValue,
                });
            }
            match self.strict {
                true => changes.strict(),
                false => changes,
            }
        };
        Ok((reader, policies))
    }
}

/// What was read and applied. Sequence numbers are texts, because they may be greater than 2^53.
fn answer(read: &ReadChanges, applied: &Applied) -> String {
    let ignored = read.ignored.iter();
    let ignored: Map<String, Value> = ignored
        .map(|(kind, count)| (kind.name().to_string(), json!(count)))
        .collect();
    let skips = applied.skips.iter().map(|skip| {
        json!({
            "reason": reason(skip.obstacle),
            "message": skip.message,
            "table": skip.table,
            "seq": skip.seq.map(|seq| seq.to_string()),
        })
    });
    json!({
        "events": read.events,
        "changes": read.rows,
        "ignored": ignored,
        "progress": match applied.progress {
            Progress::Now => "now",
            Progress::Partly => "partly",
            Progress::Before => "before",
        },
        "version": applied.version.0,
        "watermark": applied.watermark.map(|seq| seq.to_string()),
        "before": applied.before,
        "inserted": applied.inserted,
        "updated": applied.updated,
        "replaced": applied.replaced,
        "deleted": applied.deleted,
        "truncated": applied.truncated,
        "absentUpdates": applied.absent_updates,
        "absentDeletes": applied.absent_deletes,
        "skipped": applied.skipped,
        "skips": skips.collect::<Vec<_>>(),
        "ignoredColumns": applied.ignored_columns,
        "addedColumns": applied.added_columns,
    })
    .to_string()
}

const fn reason(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::UnknownTable => "unknown-table",
        Obstacle::NoKey => "no-key",
        Obstacle::NullKey => "null-key",
        Obstacle::NoRow => "no-row",
        Obstacle::BadValue => "bad-value",
    }
}
