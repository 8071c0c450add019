//! Changes from the JSON events of other tools.

mod decoded;
mod reading;
mod samples;

use rhei_datafusion::{
    Applied, Changes, DataFusionEngine, DfOlapError, EventFormat, EventReader, ReadChanges,
};

pub const SOURCE: &str = "shop";

/// The file of events of a tool, as that tool writes them.
pub fn sample(name: &str) -> String {
    let path = format!("{}/tests/data/events/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

pub fn reader(format: EventFormat) -> EventReader {
    EventReader::new(format).first_seq(1)
}

pub async fn read(
    engine: &DataFusionEngine,
    reader: &EventReader,
    events: &str,
) -> Result<ReadChanges, DfOlapError> {
    engine.read_changes(reader, events).await
}

/// Reads events and applies them.
pub async fn apply(
    engine: &DataFusionEngine,
    reader: &EventReader,
    events: &str,
    policy: impl Fn(Changes) -> Changes,
) -> Result<Applied, DfOlapError> {
    let read = read(engine, reader, events).await?;
    engine.apply_changes(SOURCE, policy(read.changes)).await
}
