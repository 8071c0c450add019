//! Runs statements against the store. A read streams from one snapshot. A write is computed on a snapshot and committed
//! optimistically: after a conflict the write is computed again on the newer snapshot.

mod append;
mod batch;
mod call;
mod calls;
mod changes;
mod commit;
#[cfg(feature = "rhei")]
mod replace;
mod tables;
#[cfg(feature = "rhei")]
mod transaction;
#[cfg(feature = "rhei")]
mod transactions;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::Utc;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::prelude::SessionContext;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::{Mutex, RwLock};

use crate::change::{Action, ChangeSet};
use crate::error::{DfOlapError, unsupported};
use crate::gates::Gates;
use crate::options::StatementOptions;
use crate::outcome::Outcome;
use crate::snapshot::Snapshot;
use crate::sql::{
    Created, Limited, Literals, Prepared, Run, Session, SnapshotCatalog, SnapshotStream, Statement,
    StatementContext, Write, effect_of_literals, parse_one, read_literals,
};
use crate::store::Store;
use crate::upkeep::At;

use call::{CallContext, LONG_TEXT_BYTES, on_lane};
pub(crate) use calls::EngineCalls;
#[cfg(feature = "rhei")]
pub(crate) use transaction::Step;
#[cfg(feature = "rhei")]
pub(crate) use transactions::Transactions;

#[derive(Debug)]
pub(crate) struct Executor {
    session: RwLock<Session>,
    store: Arc<dyn Store>,
    prepared: Mutex<HashMap<String, Arc<Prepared>>>,
    gates: Gates,
}

impl Executor {
    pub fn new(session: Session, store: Arc<dyn Store>) -> Self {
        Self {
            session: RwLock::new(session),
            store,
            prepared: Mutex::default(),
            gates: Gates::default(),
        }
    }

    /// Runs the one query of a text on an earlier snapshot.
    async fn run_at(
        self: &Arc<Self>,
        sql: &str,
        at: At,
        options: StatementOptions,
    ) -> Result<Outcome, DfOlapError> {
        let work = self.run_text(sql, options, move |executor, call, sql| {
            async move {
                let statement = parse_one(sql, &call.session.limits)?;
                if !matches!(statement, Statement::Query(_) | Statement::Explain(..)) {
                    return Err(DfOlapError::Invalid(
                        "only a query can be run on an earlier version".into(),
                    ));
                }
                let snapshot = executor.store.snapshot_at(at).await?;
                let (rows, snapshot) = executor.read(call, &statement, snapshot).await?;
                Ok(Started::Rows(rows, snapshot))
            }
            .boxed()
        });
        let (started, limited) = work.await?;
        Ok(started.outcome(limited))
    }

    /// Runs the one statement of a text.
    async fn run_one(
        self: &Arc<Self>,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Outcome, DfOlapError> {
        let work = self.run_text(sql, options, |executor, call, sql| {
            async move {
                if let Some(literals) = read_literals(sql, &call.session, call.replaces)
                    && !call.session.externals.contains_key(&literals.table)
                {
                    return executor.insert_literals(call, &literals, sql).await;
                }
                let statement = parse_one(sql, &call.session.limits)?;
                executor.run_statement(call, statement).await
            }
            .boxed()
        });
        let (started, limited) = work.await?;
        Ok(started.outcome(limited))
    }

    /// Runs the work of a text within the timeout of its statement. The parser and the planner do not pause, so a long
    /// text has a thread of the engine, and the caller waits.
    async fn run_text<T: Send + 'static>(
        self: &Arc<Self>,
        sql: &str,
        options: StatementOptions,
        work: impl for<'a> FnOnce(
            &'a Arc<Self>,
            &'a CallContext,
            &'a str,
        ) -> BoxFuture<'a, Result<T, DfOlapError>>
        + Send
        + 'static,
    ) -> Result<(T, Limited), DfOlapError> {
        let call = CallContext::new(self.session(), sql, options);
        let mut limited = Limited::new(&call.stop, call.is_long);
        let done = if sql.len() < LONG_TEXT_BYTES {
            limited.run(work(self, &call, sql)).await?
        } else {
            let (executor, call, sql) = (Arc::clone(self), call.clone(), sql.to_string());
            let latch = Arc::clone(call.stop.latch());
            let elsewhere = async move { work(&executor, &call, &sql).await };
            limited.run(on_lane(latch, elsewhere)).await?
        };
        Ok((done, limited))
    }

    /// Runs an INSERT of literals without a plan or, if it needs a plan, parses and plans its text on the same
    /// snapshot.
    async fn insert_literals(
        &self,
        call: &CallContext,
        literals: &Literals,
        sql: &str,
    ) -> Result<Started, DfOlapError> {
        let tables = BTreeSet::from([literals.table.to_ascii_lowercase()]);
        let (_, rows) = self
            .commit(&tables, call.stop.latch(), |base| {
                async move {
                    let mut run = self.begin(call, base);
                    if let Some(effect) = effect_of_literals(&run, literals).await? {
                        return Ok((effect.change, effect.rows));
                    }
                    let Statement::Write(write) = parse_one(sql, &call.session.limits)? else {
                        return Err(unsupported("this form of INSERT"));
                    };
                    run.open_for(&write).await?;
                    let effect = run.effect(&write).await?;
                    Ok((effect.change, effect.rows))
                }
                .boxed()
            })
            .await?;
        Ok(Started::Done(Outcome::Done {
            rows,
            returning: None,
            counts: true,
        }))
    }

    /// Commits the table change that `plan` computes; after a conflict `plan` runs again on the newer snapshot.
    async fn change(
        &self,
        table: &str,
        plan: impl Fn(&Snapshot) -> Result<Vec<Action>, DfOlapError> + Send + Sync,
    ) -> Result<(), DfOlapError> {
        let plan = &plan;
        // The table may exist under either name.
        let names = BTreeSet::from([table.to_string(), table.to_ascii_lowercase()]);
        self.commit(&names, &Arc::default(), |base| {
            async move {
                let actions = plan(&base)?;
                Ok((ChangeSet { actions }, ()))
            }
            .boxed()
        })
        .await?;
        Ok(())
    }

    /// A context on the current snapshot.
    async fn context(&self) -> Result<SessionContext, DfOlapError> {
        let session = self.session();
        let snapshot = self.store.snapshot().await?;
        let now = Utc::now();
        let (state, store) = (Arc::clone(&session.state), Arc::clone(&self.store));
        let context = StatementContext::new(state, store, snapshot, now);
        let catalog = SnapshotCatalog::new(Arc::new(context));
        let state = SessionStateBuilder::new_from_existing(session.state.as_ref().clone())
            .with_catalog_list(Arc::new(catalog))
            .build();
        Ok(SessionContext::new_with_state(state))
    }

    /// Changes the session's functions or settings for all statements that start from now on.
    fn configure<T>(
        &self,
        change: impl FnOnce(&mut SessionState) -> Result<T, DfOlapError>,
    ) -> Result<T, DfOlapError> {
        let mut session = self.session.write();
        let mut state = session.state.as_ref().clone();
        let result = change(&mut state)?;
        session.set_state(state);
        Ok(result)
    }

    fn add_external(&self, created: Created) -> Result<(), DfOlapError> {
        let mut session = self.session.write();
        if session.externals.contains_key(&created.name) && !created.or_replace {
            return match created.if_not_exists {
                true => Ok(()),
                false => Err(DfOlapError::Invalid(format!(
                    "external table '{}' already exists; use IF NOT EXISTS or OR REPLACE",
                    created.name
                ))),
            };
        }
        Arc::make_mut(&mut session.externals).insert(created.name, created.table);
        Ok(())
    }

    /// Removes the external tables that a DROP TABLE names, or runs an INSERT into an external table; `None` if the
    /// statement writes tables of the database.
    async fn write_external(
        &self,
        call: &CallContext,
        write: &Write,
    ) -> Result<Option<Started>, DfOlapError> {
        let mut run = self.begin(call, self.store.snapshot().await?);
        if run.inserts_into_external(write) {
            run.open_for(write).await?;
            let Some(plan) = run.external_insert(write)? else {
                return Ok(None);
            };
            return Ok(Some(Started::Done(Outcome::Done {
                rows: run.counted(plan).await?,
                returning: None,
                counts: true,
            })));
        }
        let names = run.dropped_externals(write)?;
        if names.is_empty() {
            return Ok(None);
        }
        call.change_session()?;
        let mut session = self.session.write();
        for name in &names {
            Arc::make_mut(&mut session.externals).remove(name);
        }
        Ok(Some(Started::done()))
    }

    fn session(&self) -> Session {
        self.session.read().clone()
    }

    fn begin(&self, call: &CallContext, snapshot: Arc<Snapshot>) -> Run {
        let stop = Arc::clone(&call.stop);
        Run::new(
            &call.session,
            snapshot,
            Arc::clone(&self.store),
            call.params.clone(),
            call.now,
            stop,
        )
        .replacing(call.replaces)
    }

    fn run_statement<'a>(
        self: &'a Arc<Self>,
        call: &'a CallContext,
        statement: Statement,
    ) -> BoxFuture<'a, Result<Started, DfOlapError>> {
        async move {
            match statement {
                Statement::Query(_) | Statement::Explain(..) => {
                    let snapshot = self.store.snapshot().await?;
                    let (rows, snapshot) = self.read(call, &statement, snapshot).await?;
                    Ok(Started::Rows(rows, snapshot))
                }
                Statement::Write(write) => {
                    let has_externals = !call.session.externals.is_empty();
                    if has_externals
                        && let Some(started) = self.write_external(call, &write).boxed().await?
                    {
                        return Ok(started);
                    }
                    self.write(call, &write).await
                }
                Statement::Prepare {
                    name,
                    types,
                    statement,
                } => {
                    let run = self.begin(call, self.store.snapshot().await?);
                    let prepared = Prepared::new(&run, types, *statement, call.is_long)?;
                    call.change_session()?;
                    match self.prepared.lock().entry(name) {
                        Entry::Vacant(free) => free.insert(Arc::new(prepared)),
                        Entry::Occupied(taken) => {
                            return Err(DfOlapError::Invalid(format!(
                                "prepared statement '{}' already exists; DEALLOCATE it first",
                                taken.key()
                            )));
                        }
                    };
                    Ok(Started::done())
                }
                Statement::Execute { name, args } => {
                    let prepared = self.prepared.lock().get(&name).cloned().ok_or_else(|| {
                        DfOlapError::Invalid(format!("prepared statement '{name}' not found"))
                    })?;
                    let run = self.begin(call, self.store.snapshot().await?);
                    let call = CallContext {
                        params: Some(prepared.bind(&run, &args)?),
                        ..call.clone()
                    };
                    if !prepared.is_long {
                        let statement = prepared.statement.clone();
                        return self.run_statement(&call, statement).await;
                    }
                    let (executor, latch) = (Arc::clone(self), Arc::clone(call.stop.latch()));
                    let work = async move {
                        let statement = prepared.statement.clone();
                        executor.run_statement(&call, statement).await
                    };
                    on_lane(latch, work.boxed()).await
                }
                Statement::Deallocate { name } => {
                    call.change_session()?;
                    match self.prepared.lock().remove(&name) {
                        Some(_) => Ok(Started::done()),
                        None => Err(DfOlapError::Invalid(format!(
                            "prepared statement '{name}' not found"
                        ))),
                    }
                }
                Statement::External(create) => {
                    let run = self.begin(call, self.store.snapshot().await?);
                    let created = run.create_external(*create).await?;
                    call.change_session()?;
                    self.add_external(created)?;
                    Ok(Started::done())
                }
                Statement::Setting(setting) => {
                    let run = self.begin(call, self.store.snapshot().await?);
                    let change = run.setting(*setting)?;
                    call.change_session()?;
                    self.configure(|state| change.apply(state))?;
                    Ok(Started::done())
                }
            }
        }
        .boxed()
    }

    async fn read(
        &self,
        call: &CallContext,
        statement: &Statement,
        snapshot: Arc<Snapshot>,
    ) -> Result<(SendableRecordBatchStream, Arc<Snapshot>), DfOlapError> {
        let mut run = self.begin(call, Arc::clone(&snapshot));
        run.open(statement).await?;
        Ok((run.rows(statement).await?, snapshot))
    }

    async fn write(&self, call: &CallContext, write: &Write) -> Result<Started, DfOlapError> {
        let (_, (rows, returning)) = self
            .commit(
                &BTreeSet::from([write.target()]),
                call.stop.latch(),
                |base| {
                    async move {
                        let mut run = self.begin(call, base);
                        run.open_for(write).await?;
                        let effect = run.effect(write).await?;
                        Ok((effect.change, (effect.rows, effect.returning)))
                    }
                    .boxed()
                },
            )
            .await?;
        Ok(Started::Done(Outcome::Done {
            rows,
            returning,
            counts: write.counts(),
        }))
    }
}

enum Started {
    Rows(SendableRecordBatchStream, Arc<Snapshot>),
    Done(Outcome),
}

impl Started {
    fn outcome(self, limited: Limited) -> Outcome {
        match self {
            Self::Rows(rows, snapshot) => {
                Outcome::Rows(SnapshotStream::new(rows, snapshot, limited))
            }
            Self::Done(outcome) => outcome,
        }
    }

    fn done() -> Self {
        Self::Done(Outcome::Done {
            rows: 0,
            returning: None,
            counts: false,
        })
    }
}
