//! Fast paths of common writes, without a plan: INSERT of literals, UPDATE and DELETE by simple conditions.

#[cfg(fuzzing)]
pub(crate) mod fuzz;
pub(crate) mod insert;
pub(super) mod insert_text;
pub(super) mod update_delete;
