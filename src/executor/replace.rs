//! Rows that replace those with the same key: how Rhei, which sends rows again after a restart, loads them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::FutureExt;

use super::Executor;
use super::call::CallContext;
use crate::error::DfOlapError;
use crate::options::StatementOptions;
use crate::snapshot::Snapshot;
use crate::sql::{Effect, Limited, effect_of_rows};

impl Executor {
    /// Adds rows to a table, which replace those with the same key. A table without a key gets all of them.
    pub(super) async fn replace_batches(
        &self,
        name: &str,
        batches: &[RecordBatch],
    ) -> Result<u64, DfOlapError> {
        let call = CallContext::new(self.session(), "", StatementOptions::new());
        let mut limited = Limited::new(&call.stop, call.is_long);
        let names = BTreeSet::from([name.to_string(), name.to_ascii_lowercase()]);
        let work = self.commit(&names, call.stop.latch(), |base| {
            let effect = self.replacing(&call, name, batches, base);
            effect
                .map(|effect| effect.map(|effect| (effect.change, effect.rows)))
                .boxed()
        });
        Ok(limited.run(work.boxed()).await?.1)
    }

    /// What [`replace_batches`](Self::replace_batches) does to a snapshot.
    pub(super) async fn replacing(
        &self,
        call: &CallContext,
        name: &str,
        batches: &[RecordBatch],
        on: Arc<Snapshot>,
    ) -> Result<Effect, DfOlapError> {
        effect_of_rows(&self.begin(call, on), name, batches).await
    }
}
