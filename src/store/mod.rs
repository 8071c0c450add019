//! Where fragments and commits live. Nothing above this layer knows which store it has.
//!
//! A store keeps one current snapshot and replaces it by exactly one atomic act, the commit. See [`memory`] for the store
//! that both targets share.

#[cfg(test)]
mod log;
mod memory;

use std::fmt::Debug;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::change::{ChangeSet, Conflict};
use crate::error::DfOlapError;
use crate::snapshot::{Fragment, Snapshot, TableDefinition};

pub(crate) use memory::MemoryStore;

/// The seam between the engine and what keeps its data.
#[async_trait]
pub(crate) trait Store: Debug + Send + Sync {
    /// The newest committed snapshot.
    async fn snapshot(&self) -> Result<Arc<Snapshot>, DfOlapError>;

    /// Writes rows, already in the shape of `definition`, as fragments. They belong to no table until a commit names them.
    async fn write(
        &self,
        definition: &TableDefinition,
        rows: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<Vec<Arc<Fragment>>, DfOlapError>;

    /// Makes `change`, which was worked out on `base`, visible as a whole, or tells why it cannot be.
    async fn commit(
        &self,
        base: &Arc<Snapshot>,
        change: ChangeSet,
    ) -> Result<CommitOutcome, DfOlapError>;
}

/// How a commit ended.
#[derive(Debug)]
#[must_use]
pub(crate) enum CommitOutcome {
    Committed(Arc<Snapshot>),
    /// Another change got there first and the two do not commute: nothing was changed, run the statement again.
    Conflict(Conflict),
}
