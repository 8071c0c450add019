//! Resources of a statement: time (timeout, cancellation, cooperative scheduling) and memory.

pub(crate) mod buffered_rows;
pub(crate) mod cooperative;
pub(crate) mod interrupt;
