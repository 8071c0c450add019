//! `apply_changes` and `reset_watermark`: the changes of a source with its watermark, in one commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt;

use super::Executor;
use super::call::CallContext;
use crate::cdc::{Applied, Changes, Progress};
use crate::change::{Action, ChangeSet};
use crate::error::{DfOlapError, ErrorKind};
#[cfg(feature = "json")]
use crate::events::{EventReader, ReadChanges, Reading};
use crate::options::StatementOptions;
#[cfg(feature = "json")]
use crate::sql::Pace;
use crate::sql::{Limited, check_source, effect_of_changes};

impl Executor {
    /// Applies the changes of a source that were not applied before.
    pub(super) async fn run_changes(
        self: &Arc<Self>,
        source: &str,
        changes: &Changes,
    ) -> Result<Applied, DfOlapError> {
        let known = || self.store.known().map(|snapshot| snapshot.version);
        let before = known();
        let applied = self.try_changes(source, changes).await;
        // The snapshot may be old if the engine does not look for new ones before each statement.
        let may_be_old = match &applied {
            Ok(applied) => applied.progress == Progress::Before,
            Err(error) => error.kind() == ErrorKind::Invalid,
        };
        if !may_be_old || self.store.upkeep().refresh().await.is_err() || known() == before {
            return applied;
        }
        self.try_changes(source, changes).await
    }

    async fn try_changes(
        self: &Arc<Self>,
        source: &str,
        changes: &Changes,
    ) -> Result<Applied, DfOlapError> {
        let call = CallContext::new(self.session(), "", StatementOptions::new());
        let mut limited = Limited::new(&call.stop, call.is_long);
        // A table may exist under either name.
        let names = changes.tables.iter().map(|of| &of.table);
        let names: BTreeSet<String> = names
            .flat_map(|name| [name.clone(), name.to_ascii_lowercase()])
            .collect();
        let work = self.commit(&names, call.stop.latch(), |base| {
            let begin = |snapshot| self.begin(&call, snapshot);
            effect_of_changes(begin, base, source, changes).boxed()
        });
        let (snapshot, mut applied) = limited.run(work.boxed()).await?;
        applied.version = snapshot.version;
        Ok(applied)
    }

    /// Reads the events of another tool into changes, for the tables as they are.
    #[cfg(feature = "json")]
    pub(super) async fn changes_of(
        &self,
        reader: &EventReader,
        events: &[u8],
    ) -> Result<ReadChanges, DfOlapError> {
        /// After so many events others have their turn.
        const AT_ONCE: usize = 256;
        let snapshot = self.store.snapshot().await?;
        let mut reading = Reading::new(reader, &snapshot, events)?;
        let mut pace = Pace::new();
        while reading.step(AT_ONCE)? {
            pace.keep().await;
        }
        reading.finish()
    }

    /// Sets or removes the watermark of a source.
    pub(super) async fn set_watermark(
        &self,
        source: &str,
        seq: Option<u64>,
    ) -> Result<(), DfOlapError> {
        check_source(source)?;
        self.commit(&BTreeSet::new(), &Arc::default(), |base| {
            let set = Action::SetWatermark {
                source: source.to_string(),
                seq,
                position: None,
            };
            let is_set = base.watermark(source).is_some() || seq.is_some();
            let actions = if is_set { vec![set] } else { Vec::new() };
            async move { Ok((ChangeSet { actions }, ())) }.boxed()
        })
        .await?;
        Ok(())
    }
}
