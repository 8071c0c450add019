//! Table scans: fragments without deleted rows, with row addresses on demand.
//!
//! [`FragmentSource`] is the data source under a `DataSourceExec`, so that DataFusion's optimizer, metrics and display
//! treat a table as they treat any other scan. Conditions are applied here ([`filter`]), to as few rows and columns as
//! need be. Batches without deletions and conditions are handed over as they are. Which fragments are read at all is
//! decided in [`crate::sql::scan::provider`], and again when a condition comes to be while the query runs.

mod filter;
pub(crate) mod provider;
pub(crate) mod pruning;
mod read;
mod source;
mod statistics;
mod stream;

pub(crate) use read::{ROW_ADDRESS, stored_batches, with_row_address};
pub(crate) use source::FragmentSource;
