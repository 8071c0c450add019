//! SQL text and its syntax tree: parsed within limits, and respelled so that DataFusion's planner reads it as it is
//! meant.

pub(crate) mod desugar;
pub(crate) mod dialect;
mod grouping_sets;
pub(crate) mod ignored_names;
pub(crate) mod named_casts;
pub(crate) mod order_by_all;
mod parameters;
pub(crate) mod parse;
mod row_values;
pub(crate) mod selects;
pub(crate) mod sql_text;
mod struct_types;
mod unsupported;
