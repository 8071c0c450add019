//! An analytical SQL engine over Arrow inside your program.
//!
//! [`DataFusionEngine`] keeps tables in memory or durably in Vortex files ([`StorageMode`]), answers all of
//! DataFusion's SELECT, and changes tables by a complete DML layer (INSERT with ON CONFLICT, UPDATE … FROM, DELETE …
//! USING, MERGE, RETURNING), each statement atomic and counted exactly. Any number of readers and writers work at once:
//! a query sees one snapshot of all tables, and its stream keeps that snapshot to its last batch.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
//! use rhei_datafusion::{DataFusionEngine, OlapEngine};
//!
//! let engine = DataFusionEngine::new();
//! engine.execute("CREATE TABLE users (id BIGINT PRIMARY KEY, name TEXT)").await?;
//! engine.execute("INSERT INTO users VALUES (1, 'Ada'), (2, 'Grace')").await?;
//! let changed = engine.execute("UPDATE users SET name = upper(name) WHERE id = 2").await?;
//! assert_eq!(changed, 1);
//! let rows = engine.query("SELECT name FROM users ORDER BY id").await?;
//! assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 2);
//! # Ok(()) }
//! ```
//!
//! SQL from a stranger reaches no file and no network, and every statement runs within limits on memory, text and plan
//! size; [`EngineBuilder`] sets them. Errors are [`DfOlapError`]; [`DfOlapError::kind`] says what to do next.

#![cfg_attr(
    any(target_arch = "wasm32", not(feature = "vortex")),
    allow(dead_code, reason = "what only the durable store uses")
)]

mod builder;
pub mod cdc;
mod change;
pub mod engine;
pub mod error;
#[cfg(feature = "json")]
mod events;
mod executor;
mod fragment;
mod gates;
mod history;
mod ingest;
mod key_index;
mod olap;
mod options;
mod outcome;
#[cfg(all(feature = "rhei", not(target_arch = "wasm32")))]
pub mod rhei;
mod runtime;
mod snapshot;
mod sql;
pub mod storage;
mod store;
#[cfg(all(feature = "vortex", not(target_arch = "wasm32")))]
#[cfg(test)]
mod tests;
mod upkeep;
#[cfg(all(target_arch = "wasm32", feature = "javascript"))]
mod wasm;

pub use builder::EngineBuilder;
pub use cdc::{Applied, Changes, History, Obstacle, Progress, SkippedChange, UnknownColumns};
pub use engine::{DataFusionEngine, SharedDataFusionEngine};
pub use error::{DfOlapError, ErrorKind};
#[cfg(feature = "json")]
pub use events::{
    BytesEncoding, DecimalEncoding, EventFormat, EventReader, IgnoredEvent, ReadChanges,
};
pub use olap::{OlapEngine, RecordBatchBoxStream};
pub use options::{CancelHandle, CompactionPolicy, Durability, Refresh, StatementOptions};
#[cfg(target_arch = "wasm32")]
pub use runtime::drive;
pub use snapshot::{Version, Watermark};
pub use storage::StorageMode;
pub use upkeep::{
    At, Compaction, CompactionProgress, Vacuum, VacuumOptions, Verification, VersionEntry,
};

pub use {arrow, datafusion, object_store};

/// What is called with bytes and texts from a fuzzer; see `tests/fuzz`.
#[cfg(all(fuzzing, feature = "vortex", not(target_arch = "wasm32")))]
pub mod fuzzing {
    #[cfg(feature = "json")]
    pub use crate::events::events;
    pub use crate::sql::{insert, statements};
    pub use crate::store::log_objects;
}

/// The examples of the README and of the chapters of `docs/`.
#[cfg(all(doctest, feature = "vortex", not(target_arch = "wasm32")))]
mod book {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/sql.md")]
    struct Sql;
    #[doc = include_str!("../docs/storage.md")]
    struct Storage;
    #[doc = include_str!("../docs/isolation.md")]
    struct Isolation;
    #[doc = include_str!("../docs/changes.md")]
    struct Changes;
    #[doc = include_str!("../docs/limits.md")]
    struct Limits;
    #[doc = include_str!("../docs/rhei.md")]
    struct Rhei;
    #[doc = include_str!("../docs/errors.md")]
    struct Errors;
    #[doc = include_str!("../docs/browser.md")]
    struct Browser;
    #[doc = include_str!("../docs/benchmarks.md")]
    struct Benchmarks;
    #[doc = include_str!("../docs/testing.md")]
    struct Testing;
}
