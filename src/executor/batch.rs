//! `execute_batch`: several statements, each on the result of those before, as one change.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{FutureExt, TryStreamExt, future};

use super::Executor;
use super::call::CallContext;
use crate::change::ChangeSet;
use crate::error::DfOlapError;
use crate::options::StatementOptions;
use crate::snapshot::Snapshot;
use crate::sql::{Effect, Statement, parse};

impl Executor {
    /// Runs all statements of a text as one change. Returns the rows that each affected.
    pub(super) async fn run_batch(
        self: &Arc<Self>,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Vec<u64>, DfOlapError> {
        let work = self.run_text(sql, options, |executor, call, sql| {
            async move {
                let statements = parse(sql, &call.session.limits)?;
                let names = names_written(&statements);
                let effect = |base| {
                    async {
                        let done = executor.batch_effect(call, &statements, base).await?;
                        Ok((done.change, done.counts))
                    }
                    .boxed()
                };
                let (_, counts) = executor.commit(&names, call.stop.latch(), effect).await?;
                Ok(counts)
            }
            .boxed()
        });
        Ok(work.await?.0)
    }

    /// What statements do to a snapshot.
    pub(super) async fn batch_effect(
        &self,
        call: &CallContext,
        statements: &[Statement],
        base: Arc<Snapshot>,
    ) -> Result<Batch, DfOlapError> {
        let mut working = base;
        let mut change = ChangeSet::default();
        let mut counts = Vec::with_capacity(statements.len());
        for statement in statements {
            let mut run = self.begin(call, Arc::clone(&working));
            run.open(statement).await?;
            let effect = match statement {
                Statement::Write(write) => run.effect(write).await?,
                Statement::Query(_) | Statement::Explain(..) => {
                    let rows = run.rows(statement).await?;
                    rows.try_for_each(|_| future::ready(Ok(()))).await?;
                    Effect::default()
                }
                _ => {
                    return Err(DfOlapError::Unsupported(
                        "PREPARE, EXECUTE and SET are not supported in execute_batch".into(),
                    ));
                }
            };
            drop(run);
            counts.push(effect.rows);
            working = with_change(working, &effect.change)?;
            change.actions.extend(effect.change.actions);
        }
        Ok(Batch {
            working,
            change,
            counts,
        })
    }
}

/// What the statements of a batch do.
pub(super) struct Batch {
    /// The snapshot that they leave.
    #[cfg_attr(not(feature = "rhei"), expect(dead_code))]
    pub working: Arc<Snapshot>,
    pub change: ChangeSet,
    /// The rows that each affected.
    pub counts: Vec<u64>,
}

/// A snapshot with a change that was computed on it.
pub(super) fn with_change(
    on: Arc<Snapshot>,
    change: &ChangeSet,
) -> Result<Arc<Snapshot>, DfOlapError> {
    if change.is_empty() {
        return Ok(on);
    }
    match change.apply(&on, &on) {
        Ok(next) => Ok(Arc::new(next)),
        Err(conflict) => Err(DfOlapError::Other(format!(
            "a statement of a batch: {}",
            conflict.0
        ))),
    }
}

/// The tables and views that statements write.
pub(super) fn names_written(statements: &[Statement]) -> BTreeSet<String> {
    let writes = statements.iter().filter_map(|statement| match statement {
        Statement::Write(write) => Some(write.target()),
        _ => None,
    });
    writes.collect()
}
