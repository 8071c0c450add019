//! Parsing: SQL text to syntax trees within limits, and rewrites of these for DataFusion's planner.

pub(crate) mod desugar;
pub(crate) mod dialect;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod grouping_sets;
pub(crate) mod ignored_names;
pub(crate) mod named_casts;
pub(crate) mod order_by_all;
mod parameters;
pub(crate) mod parse;
mod row_values;
pub(crate) mod selects;
pub(crate) mod sorted_inputs;
pub(crate) mod sql_text;
mod struct_types;
mod unsupported;
