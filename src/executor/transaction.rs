//! Several calls that become one change: what Rhei sends between BEGIN and COMMIT.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::FutureExt;

use super::Executor;
use super::batch::{names_written, with_change};
use super::call::CallContext;
use crate::change::ChangeSet;
use crate::error::DfOlapError;
use crate::options::StatementOptions;
use crate::snapshot::Snapshot;
use crate::sql::{Limited, parse};

/// Writes that are not committed yet. Each sees the changes of those before; queries see none.
#[derive(Debug)]
pub(crate) struct Transaction {
    base: Arc<Snapshot>,
    /// The base with the changes.
    working: Arc<Snapshot>,
    change: ChangeSet,
    tables: BTreeSet<String>,
    /// The calls that succeeded. They are made again if others committed in between.
    steps: Vec<Step>,
}

impl Transaction {
    /// The tables that it wrote.
    pub fn tables(&self) -> &BTreeSet<String> {
        &self.tables
    }
}

/// A call within a [`Transaction`].
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Statements.
    Text(String),
    /// Rows for a table, in the place of those with the same key.
    Rows(String, Vec<RecordBatch>),
}

/// What a call does.
struct Stepped {
    working: Arc<Snapshot>,
    change: ChangeSet,
    tables: BTreeSet<String>,
    rows: u64,
}

impl Executor {
    pub(super) async fn begin_transaction(&self) -> Result<Transaction, DfOlapError> {
        let base = self.store.snapshot().await?;
        Ok(Transaction {
            working: Arc::clone(&base),
            base,
            change: ChangeSet::default(),
            tables: BTreeSet::new(),
            steps: Vec::new(),
        })
    }

    /// Makes a call within a transaction, which is as before if the call fails. Returns the rows that it affected.
    pub(super) async fn step_in(
        self: &Arc<Self>,
        transaction: &mut Transaction,
        step: Step,
    ) -> Result<u64, DfOlapError> {
        let done = self.stepped(&step, &transaction.working).await?;
        transaction.working = done.working;
        transaction.change.actions.extend(done.change.actions);
        transaction.tables.extend(done.tables);
        transaction.steps.push(step);
        Ok(done.rows)
    }

    /// Commits the changes of a transaction. If others committed since it began, its calls are made again on what is
    /// there now.
    pub(super) async fn commit_transaction(
        self: &Arc<Self>,
        transaction: Transaction,
    ) -> Result<(), DfOlapError> {
        let transaction = &transaction;
        let change = |base: Arc<Snapshot>| {
            async move {
                if base.version == transaction.base.version {
                    return Ok((transaction.change.clone(), ()));
                }
                let (mut working, mut change) = (base, ChangeSet::default());
                for step in &transaction.steps {
                    let done = self.stepped(step, &working).await?;
                    working = done.working;
                    change.actions.extend(done.change.actions);
                }
                Ok((change, ()))
            }
            .boxed()
        };
        self.commit(&transaction.tables, &Arc::default(), change)
            .await?;
        Ok(())
    }

    async fn stepped(
        self: &Arc<Self>,
        step: &Step,
        on: &Arc<Snapshot>,
    ) -> Result<Stepped, DfOlapError> {
        let on = Arc::clone(on);
        match step {
            Step::Text(sql) => {
                let work =
                    self.run_text(sql, StatementOptions::replacing(), |executor, call, sql| {
                        async move {
                            let statements = parse(sql, &call.session.limits)?;
                            let done = executor.batch_effect(call, &statements, on).await?;
                            Ok(Stepped {
                                working: done.working,
                                change: done.change,
                                tables: names_written(&statements),
                                rows: done.counts.iter().sum(),
                            })
                        }
                        .boxed()
                    });
                Ok(work.await?.0)
            }
            Step::Rows(table, batches) => {
                let call = CallContext::new(self.session(), "", StatementOptions::new());
                let mut limited = Limited::new(&call.stop, call.is_long);
                let work = self.replacing(&call, table, batches, Arc::clone(&on));
                let effect = limited.run(work.boxed()).await?;
                Ok(Stepped {
                    working: with_change(on, &effect.change)?,
                    change: effect.change,
                    tables: BTreeSet::from([table.clone(), table.to_ascii_lowercase()]),
                    rows: effect.rows,
                })
            }
        }
    }
}
