//! JSON that is read as far as it is needed: objects whose values stay text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use crate::error::DfOlapError;

/// A text of JSON, borrowed from the input where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_string())))
            }
        }
        from.deserialize_str(Borrowed)
    }
}

/// A value of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// An object or a list, as it is written.
    Nested(&'a str),
}

impl<'a> Scalar<'a> {
    pub fn of(raw: &'a RawValue) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'{' | b'[') => Self::Nested(text),
            Some(b'"') if !text.contains('\\') => Self::Text(text[1..text.len() - 1].into()),
            Some(b'"') => Self::Text(Cow::Owned(serde_json::from_str(text)?)),
            _ => Self::Number(text),
        })
    }

    /// The value in a message.
    pub fn shown(&self) -> String {
        const MOST: usize = 80;
        match self {
            Self::Null => "NULL".to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) | Self::Nested(text) => short(text, MOST).into_owned(),
            Self::Text(text) => format!("'{}'", short(text, MOST).escape_debug()),
        }
    }
}

/// The beginning of a text.
pub(super) fn short(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Calls `each` with each name and value of an object, in order.
pub(super) fn for_each<'a>(
    object: &'a RawValue,
    each: impl FnMut(&str, &'a RawValue) -> Result<(), DfOlapError>,
) -> Result<(), DfOlapError> {
    struct Each<'e, F> {
        each: F,
        failed: &'e mut Option<DfOlapError>,
    }
    impl<'de, F: FnMut(&str, &'de RawValue) -> Result<(), DfOlapError>> Visitor<'de> for Each<'_, F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                if let Err(error) = (self.each)(&name, value) {
                    *self.failed = Some(error);
                    return Err(de::Error::custom("stopped"));
                }
            }
            Ok(())
        }
    }
    let mut failed = None;
    let mut from = serde_json::Deserializer::from_str(object.get());
    let read = from.deserialize_map(Each {
        each,
        failed: &mut failed,
    });
    match (failed, read) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(invalid(error)),
        (None, Ok(())) => Ok(()),
    }
}

/// An event, or a part of one, as `T`.
pub(super) fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, DfOlapError> {
    serde_json::from_str(raw.get()).map_err(invalid)
}

/// What is wrong with an event, without the line, which is always the first one.
pub(super) fn invalid(error: serde_json::Error) -> DfOlapError {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    DfOlapError::Invalid(what.to_string())
}
