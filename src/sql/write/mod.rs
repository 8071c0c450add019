//! INSERT, UPDATE, DELETE, MERGE and TRUNCATE: from rows to change sets. Nothing here commits.

pub(crate) mod fast_path;
pub(crate) mod insert;
pub(crate) mod merge;
pub(crate) mod rows;
pub(crate) mod target;
pub(crate) mod update_delete;
mod upsert;
