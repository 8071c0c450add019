//! What a statement uses up: time, until its deadline or its cancellation, turns on a thread, and memory.

pub(crate) mod buffered_rows;
pub(crate) mod cooperative;
pub(crate) mod interrupt;
