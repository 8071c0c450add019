//! Filter pushdown: static conditions and runtime filters, matched by column index.
//!
//! Those of the query go to the sources that apply them themselves ([`conditions`]). Those that come to be while it
//! runs (what a join's build side holds, what a TopK has found so far; as in DuckDB and Trino) are routed from their
//! maker to the sources under it ([`runtime`]): rows that are dropped there are never joined or sorted, and fragments
//! out of a range are never read.
//!
//! DataFusion has a rule for both (`FilterPushdown`). It finds the columns of a filter by name, and takes the wrong one
//! where two have the same, as in a join of a table with itself: rows are lost. Here columns go by their place.

mod conditions;
mod runtime;

pub(crate) use conditions::ScanConditions;
pub(crate) use runtime::RuntimeFilters;
