//! What a statement uses up: time, until its deadline or its cancellation, and its turns on a thread.

pub(crate) mod cooperative;
pub(crate) mod interrupt;
