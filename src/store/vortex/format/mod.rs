//! The bodies of the log's objects, byte by byte; `docs/format.md` describes them.

pub(super) mod blobs;
pub(super) mod checkpoint;
pub(super) mod codec;
mod data_file;
pub(super) mod entry;
pub(super) mod ipc;
