//! How a format writes values that JSON has no type for, and how Debezium marks a value that it does not send.

use std::borrow::Cow;

use arrow::datatypes::TimeUnit;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::json::Scalar;
use super::options::{BytesEncoding, DecimalEncoding, EventReader, UNAVAILABLE};

/// The UUID that it writes for that in a list of UUIDs.
const UNAVAILABLE_UUID: &str = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    pub bytes: Bytes,
    pub decimals: Decimals,
    pub times: Times,
    /// Whether a negative number is one of 2^63 and more, if the column is unsigned.
    pub wraps: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    Base64,
    Base64Url,
    Hex,
    /// Each character is a byte.
    Latin1,
    /// As the text itself.
    Utf8,
}

/// What a text in a column of decimals is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decimals {
    Text,
    /// An unscaled number with this scale, or with that of the table's column.
    Base64(Option<i32>),
    /// A number with its scale beside it, `{"scale": 2, "value": "MDk="}`, or text.
    Variable,
    /// Nobody said.
    Unknown,
}

/// What a number in a column of times is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// In this unit, dates too: so it is said of the column.
    Unit(TimeUnit),
    /// In this unit, unless it is a date: so it is said of all columns.
    Usual(TimeUnit),
    /// A number of days since 1970.
    Days,
    /// In the unit of the table's column.
    OfColumn,
    /// Nobody said.
    Unknown,
}

impl Encoding {
    /// Decimals and times are texts; bytes are written like this.
    pub const fn plain(bytes: Bytes) -> Self {
        Self {
            bytes,
            decimals: Decimals::Text,
            times: Times::OfColumn,
            wraps: false,
        }
    }

    /// What Debezium writes without a schema.
    pub fn debezium(reader: &EventReader) -> Self {
        Self {
            bytes: match reader.bytes {
                BytesEncoding::Base64 => Bytes::Base64,
                BytesEncoding::Base64Url => Bytes::Base64Url,
                BytesEncoding::Hex => Bytes::Hex,
            },
            decimals: match reader.decimals {
                Some(DecimalEncoding::Base64) => Decimals::Base64(None),
                Some(DecimalEncoding::Text) => Decimals::Text,
                None => Decimals::Unknown,
            },
            times: reader.time_unit.map_or(Times::Unknown, Times::Usual),
            wraps: reader.wraps_unsigned,
        }
    }
}

impl Bytes {
    /// The bytes that a text stands for.
    pub fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Base64Url => URL_SAFE.decode(text).ok(),
            Self::Hex => hex::decode(text.strip_prefix("\\x").unwrap_or(text)).ok(),
            Self::Latin1 => text
                .chars()
                .map(|c| u8::try_from(u32::from(c)).ok())
                .collect(),
            Self::Utf8 => Some(text.as_bytes().to_vec()),
        }
    }
}

/// Why a value was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It does not fit the type.
    Unfit,
    /// The events do not say what it means, but the caller can.
    Unknown(&'static str),
}

/// The forms of Debezium's mark of a value that it does not send.
#[derive(Debug)]
pub(super) struct Unavailable {
    texts: Vec<String>,
    /// Lists and maps without spaces.
    nested: Vec<String>,
}

impl Unavailable {
    pub fn new(placeholder: &str) -> Self {
        let base64 = STANDARD.encode(placeholder);
        let codes: Vec<String> = placeholder.bytes().map(|byte| byte.to_string()).collect();
        let quoted = serde_json::Value::from(placeholder).to_string();
        let mut nested = vec![
            format!("[{quoted}]"),
            format!("[\"{base64}\"]"),
            format!("[{}]", codes.join(",")),
            format!("{{{quoted}:{quoted}}}"),
        ];
        if placeholder == UNAVAILABLE {
            nested.push(format!("[\"{UNAVAILABLE_UUID}\"]"));
        }
        let url = URL_SAFE.encode(placeholder);
        let nested = nested.iter().map(|mark| without_spaces(mark).into_owned());
        let nested = nested.collect();
        Self {
            texts: vec![
                placeholder.to_string(),
                base64,
                url,
                hex::encode(placeholder),
            ],
            nested,
        }
    }

    pub fn is(&self, value: &Scalar<'_>) -> bool {
        match value {
            Scalar::Text(text) => self.texts.iter().any(|mark| mark == text),
            Scalar::Nested(text) => {
                // The longest form, with a space after each comma.
                let most = self.nested.iter().map(|mark| 2 * mark.len()).max();
                if text.len() > most.unwrap_or(0) {
                    return false;
                }
                let text = without_spaces(text);
                self.nested.iter().any(|mark| *mark == text)
            }
            _ => false,
        }
    }
}

fn without_spaces(text: &str) -> Cow<'_, str> {
    match text.contains(char::is_whitespace) {
        true => text.chars().filter(|c| !c.is_whitespace()).collect(),
        false => Cow::Borrowed(text),
    }
}
