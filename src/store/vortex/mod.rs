//! The durable store: immutable Vortex files and a commit log, in a folder or below a prefix of an object store.
//!
//! # Layout
//! - `_log/`: the entries and checkpoints of [`crate::store::log`]. An entry is one commit of the whole database;
//!   [`format`] defines its body.
//! - `<table's id>/<fragment's id>.vortex`: rows that were too many to be inlined in an entry.
//! - `<table's id>/<fragment's id>.keys`: an index of the keys of these rows.
//! - `<table's id>/<an id of its own>.keys`: an index of the keys of several files.
//!
//! # What is guaranteed
//! - V1 A snapshot is what the entries up to its version say, and nothing else: no folder is listed to find data.
//! - V2 A commit is one entry. Changes that wait at the same time share one, and succeed or fail each for itself.
//! - V3 A commit that was begun is carried to its end in a task of its own, even if the caller is dropped.
//! - V4 While a commit's outcome is unknown, nothing else is committed: it is settled first.

mod adopt;
mod checkpoints;
mod compact;
mod database;
mod decimals;
mod expr;
mod files;
mod format;
#[cfg(fuzzing)]
mod fuzz;
mod keys;
mod live_rows;
mod lookup;
mod merge_keys;
mod read;
mod remake_keys;
mod scan;
mod store;
mod vacuum;
mod verify;
mod versions;
mod write;

#[cfg(fuzzing)]
pub use fuzz::log_objects;
#[cfg(test)]
pub(crate) use store::VortexStore;
pub(crate) use store::open;
