//! All native integration tests, in one binary, so that DataFusion is linked once.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "native tests; a panic is how a claim fails"
)]

mod adoption;
mod api;
mod appends;
mod atomicity;
mod chains;
mod changes;
mod column_names;
mod common;
mod compaction;
mod conclusions;
mod corruption;
mod deletions;
mod durable;
mod earlier_version;
mod enforced;
mod events;
mod external;
#[cfg(feature = "cloud-storage")]
mod faults;
mod history;
mod isolation;
mod join_order;
mod kept_plans;
mod key_files;
mod kill;
mod literals;
mod loading;
mod merged_keys;
mod messages;
mod model;
mod model_expr;
mod model_keys;
mod model_statements;
mod processes;
#[cfg(feature = "cloud-storage")]
mod proxy;
mod races;
#[cfg(feature = "cloud-storage")]
mod requests;
#[cfg(feature = "rhei")]
mod rhei;
#[cfg(feature = "rhei")]
mod rhei_cycles;
#[cfg(feature = "rhei")]
mod rhei_statements;
#[cfg(feature = "rhei")]
mod rhei_sync;
#[cfg(feature = "rhei")]
mod rhei_types;
#[cfg(feature = "cloud-storage")]
mod s3;
mod safety;
mod settings;
mod short_ways;
mod slices;
mod sql_file;
mod sql_files;
mod statements;
mod stops;
mod streaming;
mod syscalls;
mod tables;
mod texts;
mod tpch;
mod traps;
