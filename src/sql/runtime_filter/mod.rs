//! Filters that come to be while a query runs: what a join's build side holds, or what a TopK has found so far.
//!
//! Rows that such a filter drops are never joined or sorted, and fragments out of its range are never read (as in DuckDB and
//! Trino). DataFusion makes the filters and calls them dynamic; [`route`] brings each to the sources under it, [`apply`] uses it
//! in a scan of fragments.

mod apply;
mod route;

pub(super) use apply::RuntimeFilter;
pub(super) use route::RuntimeFilters;
