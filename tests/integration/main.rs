//! All integration tests, in one binary: DataFusion is linked once.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "native tests; a panic is how a claim fails"
)]

mod api;
mod appends;
mod common;
mod isolation;
mod literals;
mod loading;
mod messages;
mod model;
mod model_expr;
mod races;
mod safety;
mod sql_file;
mod sql_files;
mod streaming;
mod traps;
