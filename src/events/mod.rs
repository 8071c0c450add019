//! The events of change data capture tools, in JSON, as [`Changes`]: feature `json`.
//!
//! [`reader`] splits a text into events; a module for each format ([`rhei`], [`debezium`], [`maxwell`], [`canal`],
//! [`wal2json`]) says which row changes an event is; [`rows`] collects them by table, and [`values`] decodes each value
//! for the type of its column.

mod canal;
mod convert;
mod debezium;
mod debezium_schema;
mod encoding;
mod event;
#[cfg(fuzzing)]
mod fuzz;
mod json;
mod literal;
mod maxwell;
mod nested;
mod numbers;
mod options;
mod reader;
mod rhei;
mod rows;
mod tables;
mod values;
mod wal2json;

#[cfg(fuzzing)]
pub use self::fuzz::events;
pub use self::options::{
    BytesEncoding, DecimalEncoding, EventFormat, EventReader, IgnoredEvent, ReadChanges,
};
pub(crate) use self::reader::Reading;
