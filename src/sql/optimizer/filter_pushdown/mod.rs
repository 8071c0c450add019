//! Filter pushdown: static conditions and runtime filters, matched by column index.
//!
//! The static conditions of a query go to the sources that apply them themselves ([`conditions`]). Runtime filters
//! (the key range of a join's build side, the rows that a TopK has found so far; as in DuckDB and Trino) are routed
//! from the node that produces them to the sources below it ([`runtime`]): dropped rows are never joined or sorted,
//! and fragments out of range are never read.
//!
//! DataFusion has a rule for both (`FilterPushdown`). It finds the columns of a filter by name, and takes the wrong
//! column where two have the same name, as in a self-join: rows are lost. Here columns are matched by index.

mod conditions;
mod runtime;

pub(crate) use conditions::ScanConditions;
pub(crate) use runtime::RuntimeFilters;
