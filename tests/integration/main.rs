//! All integration tests, in one binary: DataFusion is linked once.

mod common;
mod sql_file;
mod sql_files;
