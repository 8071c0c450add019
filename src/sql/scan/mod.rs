//! Table scans: fragments without deleted rows, with row addresses on demand.
//!
//! [`FragmentSource`] is the data source under a `DataSourceExec`, so that DataFusion's optimizer, metrics and display
//! treat a table like any other scan. [`filter`] applies conditions, to as few rows and columns as possible. Batches
//! without deletions and conditions are returned unchanged. Fragments are pruned in [`crate::sql::scan::provider`],
//! and again by runtime filters while the query runs.

mod filter;
pub(crate) mod locate;
pub(crate) mod provider;
pub(crate) mod pruning;
mod read;
mod source;
mod statistics;
mod stream;

pub(crate) use read::{ROW_ADDRESS, read_rows, stored_batches, with_row_address};
pub(crate) use source::FragmentSource;
