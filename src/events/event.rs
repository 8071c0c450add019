//! What the formats share.

use serde_json::value::RawValue;

use super::debezium_schema::Schemas;
use super::options::{EventReader, IgnoredEvent};
use super::tables::Tables;
use crate::error::DfOlapError;

/// What an event is.
#[derive(Debug)]
pub(super) enum Event {
    /// Row changes, which are taken.
    Rows,
    Ignored(IgnoredEvent),
}

/// What the formats need to read an event.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub reader: &'a EventReader,
    pub tables: Tables<'a>,
    pub schemas: Schemas,
    /// The number of the event, if events are numbered by the reader.
    pub seq: Option<u64>,
    /// A delete whose row the next row of the events is, under another key.
    pub moved: Option<&'a RawValue>,
}

/// An error about an event.
pub(super) fn wrong(what: impl Into<String>) -> DfOlapError {
    DfOlapError::Invalid(what.into())
}

/// A part of an event that has to be there.
pub(super) fn needed<T>(part: Option<T>, name: &str) -> Result<T, DfOlapError> {
    part.ok_or_else(|| wrong(format!("it has no '{name}'")))
}
