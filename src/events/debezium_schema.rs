//! The schemas in Debezium's events: how the values of each column are written.

use std::collections::HashMap;

use arrow::datatypes::TimeUnit;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::encoding::{Bytes, Decimals, Encoding, Times};
use super::json::read as parts;
use super::numbers::is_scale;
use crate::error::DfOlapError;

/// The schemas that were read, by their text.
#[derive(Debug, Default)]
pub(super) struct Schemas {
    known: Vec<Schema>,
}

#[derive(Debug)]
struct Schema {
    text: String,
    columns: HashMap<String, Encoding>,
}

/// How many schemas are kept: more are read again.
const MOST: usize = 256;

#[derive(Deserialize)]
struct Field {
    #[serde(default, rename = "type")]
    kind: String,
    /// Of a list.
    #[serde(default)]
    items: Option<Box<Field>>,
    #[serde(default)]
    fields: Vec<Field>,
    #[serde(default)]
    field: Option<String>,
    /// What the value means: `org.apache.kafka.connect.data.Decimal`.
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    parameters: HashMap<String, String>,
}

impl Schemas {
    /// The encodings of a row's columns, by the text of the event's schema. A row is the part `after` or `before` of
    /// the event, or the event itself if it is flattened.
    pub fn encodings(
        &mut self,
        schema: &RawValue,
        usual: Encoding,
    ) -> Result<&HashMap<String, Encoding>, DfOlapError> {
        let text = schema.get();
        if let Some(place) = self.known.iter().position(|known| known.text == text) {
            return Ok(&self.known[place].columns);
        }
        let event: Field = parts(schema)?;
        let row = event.fields.iter().find(|part| {
            matches!(part.field.as_deref(), Some("after" | "before")) && !part.fields.is_empty()
        });
        let columns = row.map_or(&event.fields, |row| &row.fields);
        let columns = columns.iter().filter_map(|column| {
            let name = column.field.clone()?;
            Some((name, column.encoding(usual)))
        });
        if self.known.len() == MOST {
            self.known.clear();
        }
        let columns = columns.collect();
        self.known.push(Schema {
            text: text.to_string(),
            columns,
        });
        Ok(&self.known[self.known.len() - 1].columns)
    }
}

impl Field {
    fn encoding(&self, usual: Encoding) -> Encoding {
        if let Some(items) = &self.items {
            return items.encoding(usual);
        }
        let name = self.name.as_deref().unwrap_or("");
        Encoding {
            bytes: match self.kind.as_str() {
                // JSON has Base64 for bytes, whatever `binary.handling.mode` is.
                "bytes" => Bytes::Base64,
                _ => usual.bytes,
            },
            decimals: match name {
                "org.apache.kafka.connect.data.Decimal" => {
                    let scale = self.parameters.get("scale");
                    let scale = scale.and_then(|scale| scale.parse().ok());
                    Decimals::Base64(scale.filter(|scale| is_scale(*scale)))
                }
                "io.debezium.data.VariableScaleDecimal" => Decimals::Variable,
                _ => Decimals::Text,
            },
            times: match name.rsplit('.').next().unwrap_or("") {
                "Timestamp" | "Time" => Times::Unit(TimeUnit::Millisecond),
                "MicroTimestamp" | "MicroTime" | "MicroDuration" => {
                    Times::Unit(TimeUnit::Microsecond)
                }
                "NanoTimestamp" | "NanoTime" | "NanoDuration" => Times::Unit(TimeUnit::Nanosecond),
                "Date" => Times::Days,
                _ => Times::Unknown,
            },
            ..usual
        }
    }
}
