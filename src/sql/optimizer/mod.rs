//! Rewrites of logical and physical plans: workarounds for wrong results and errors of DataFusion's optimizer, and
//! optimizations.

pub(crate) mod count_from_metadata;
pub(crate) mod decorrelation;
pub(crate) mod filter_projections;
pub(crate) mod filter_pushdown;
pub(crate) mod functional_dependencies;
pub(crate) mod global_aggregates;
pub(crate) mod join_order;
pub(crate) mod null_equal_keys;
pub(crate) mod plan_cache;
pub(crate) mod struct_fields;
pub(crate) mod union_order;
mod wrapped_rule;
