//! [`StatementContext`]: the snapshot, time, parameters and external tables of one statement.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::SessionState;

use crate::snapshot::{Snapshot, Table};
use crate::store::Store;

/// Tables that are in no snapshot, by name.
pub(crate) type Externals = HashMap<String, Arc<dyn TableProvider>>;

/// An earlier version of a table, the arguments of the [`TABLE_AT`](super::TABLE_AT) call that reads it, and the
/// snapshot that keeps the table's files.
#[derive(Debug, Clone)]
pub(crate) struct PastTable {
    pub arguments: [ScalarValue; 2],
    pub table: Arc<Table>,
    pub snapshot: Arc<Snapshot>,
}

/// One statement's snapshot, time and parameters, and the tables outside of the snapshot that it may read.
#[derive(Clone)]
pub(crate) struct StatementContext {
    pub state: Arc<SessionState>,
    pub store: Arc<dyn Store>,
    pub snapshot: Arc<Snapshot>,
    /// The value of `now()`.
    pub now: DateTime<Utc>,
    /// The values of `$1`, `$2` … or `$name`.
    pub params: Option<ParamValues>,
    /// External tables, and files that the statement names.
    pub externals: Externals,
    /// Whether table names that look like paths were looked up as files.
    pub files_looked_for: bool,
    /// The earlier versions of tables that the statement reads.
    pub past: Vec<PastTable>,
    /// How many relations the statement may read.
    pub max_relations: u64,
}

impl StatementContext {
    /// The context of a statement that reads the tables of a snapshot and no others.
    pub fn new(
        state: Arc<SessionState>,
        store: Arc<dyn Store>,
        snapshot: Arc<Snapshot>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            state,
            store,
            snapshot,
            now,
            params: None,
            externals: Externals::new(),
            files_looked_for: false,
            past: Vec::new(),
            max_relations: u64::MAX,
        }
    }
}
