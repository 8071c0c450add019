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

/// A table as it was, the arguments of [`TABLE_AT`](super::TABLE_AT) that ask for it, and the snapshot that keeps its
/// files.
#[derive(Debug, Clone)]
pub(crate) struct PastTable {
    pub arguments: [ScalarValue; 2],
    pub table: Arc<Table>,
    pub snapshot: Arc<Snapshot>,
}

/// One statement's snapshot, its time, its parameters, and the tables that it may read beside those of the snapshot.
#[derive(Clone)]
pub(crate) struct StatementContext {
    pub state: Arc<SessionState>,
    pub store: Arc<dyn Store>,
    pub snapshot: Arc<Snapshot>,
    /// What `now()` is.
    pub now: DateTime<Utc>,
    /// The values of `$1`, `$2` … or `$name`.
    pub params: Option<ParamValues>,
    /// External tables, and files that the statement names.
    pub externals: Externals,
    /// Whether files were looked for under the names of tables.
    pub files_looked_for: bool,
    /// Earlier versions of tables, that the statement asks for.
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
