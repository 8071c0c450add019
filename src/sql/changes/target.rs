//! The table of changes.

use std::sync::Arc;

use crate::snapshot::Table;

/// The table of changes, and the columns that identify a row in them.
pub(super) struct Target {
    /// The table, as the changes name it.
    pub name: String,
    pub table: Arc<Table>,
    /// None if the table has no key.
    pub key: Vec<usize>,
}
