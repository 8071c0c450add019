//! All integration tests, in one binary: DataFusion is linked once.

mod common;
mod safety;
mod sql_file;
mod sql_files;
