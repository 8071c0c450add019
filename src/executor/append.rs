//! `load_arrow`, `load_stream` and `create_table_from`: append the program's Arrow batches.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::future::Either;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use roaring::RoaringTreemap;

use super::Executor;
use super::commit::{MAX_ATTEMPTS, SHARED_ATTEMPTS, retries_exhausted};
use super::tables::{any_name, definition, find, identifier};
use crate::change::{Action, ChangeSet, Conflict};
use crate::error::DfOlapError;
use crate::fragment::Fragment;
use crate::snapshot::{RelationId, Snapshot, Table, Version};
use crate::sql::{BufferedRows, KeysOfRows, NewRows, conform};
use crate::store::CommitOutcome;

/// Rows that were written as fragments, but are not committed yet.
struct Written {
    name: String,
    table: Arc<Table>,
    fragments: Vec<Arc<Fragment>>,
    /// The keys of the rows, if the table enforces its key, and where they are accounted for.
    keys: KeysOfRows,
    _held: Option<BufferedRows>,
}

impl Written {
    fn rows(&self) -> u64 {
        self.fragments.iter().map(|f| u64::from(f.rows())).sum()
    }

    /// The table in a snapshot, if it still has the columns for which the rows were written.
    fn table_in(&self, snapshot: &Snapshot) -> Option<Arc<Table>> {
        let table = snapshot.tables.get(&self.table.id)?;
        (table.definition == self.table.definition).then(|| Arc::clone(table))
    }
}

impl Executor {
    /// Appends batches to a table, converted to the table's current schema.
    pub(super) async fn append_batches(
        &self,
        name: &str,
        batches: &[RecordBatch],
    ) -> Result<u64, DfOlapError> {
        let mut lost = Conflict("");
        // The commit detects concurrent changes, so the first attempt uses the last known snapshot, without a refresh.
        let mut known = self.store.known();
        let mut ready: Option<(Written, Option<Arc<Snapshot>>)> = None;
        for attempt in 0..MAX_ATTEMPTS {
            let may_be_stale = known.is_some();
            let (written, base) = match ready.take() {
                Some(ready) => ready,
                None => {
                    let base = match known.take() {
                        Some(known) => known,
                        None => self.store.snapshot().await?,
                    };
                    match self.written(&base, name, batches).await {
                        Ok(written) => (written, Some(base)),
                        // On the newest snapshot it may be right.
                        Err(_) if may_be_stale => continue,
                        Err(error) => return Err(error),
                    }
                }
            };
            let _gate = self.gate(&written, attempt).await;
            let base = match base {
                Some(base) => base,
                None => self.store.snapshot().await?,
            };
            let Some(table) = written.table_in(&base) else {
                // It is written again, in the columns that the table has now.
                continue;
            };
            let no_new_keys = match self.check_keys(&written, &table).await {
                Ok(no_new_keys) => no_new_keys,
                Err(_) if may_be_stale => {
                    ready = Some((written, None));
                    continue;
                }
                Err(error) => return Err(error),
            };
            match self.append(&base, &written, no_new_keys).await? {
                Ok(count) => return Ok(count),
                Err(conflict) => lost = conflict,
            }
            ready = Some((written, None));
        }
        Err(retries_exhausted(&lost))
    }

    /// Writes batches as fragments of a table of a snapshot.
    async fn written(
        &self,
        base: &Arc<Snapshot>,
        name: &str,
        batches: &[RecordBatch],
    ) -> Result<Written, DfOlapError> {
        let (name, table) = find(base, name)?;
        let rows = stream::iter(batches.iter().cloned().map(Ok)).boxed();
        self.write_rows(name, table, rows).await
    }

    /// Appends the batches of a stream to a table. The stream can be read only once, so a concurrent change of the
    /// table's columns is an error.
    pub(super) async fn append_stream(
        &self,
        name: &str,
        batches: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<u64, DfOlapError> {
        let base = self.store.snapshot().await?;
        let (name, table) = find(&base, name)?;
        let written = self.write_rows(name, table, batches).await?;
        let mut base = Some(base);
        let mut lost = Conflict("its columns are others");
        for attempt in 0..MAX_ATTEMPTS {
            let _gate = self.gate(&written, attempt).await;
            let base = match base.take() {
                Some(base) => base,
                None => self.store.snapshot().await?,
            };
            let Some(table) = written.table_in(&base) else {
                return Err(DfOlapError::Conflict(format!(
                    "table {} was changed while the stream was read: {}; load it again",
                    written.name, lost.0
                )));
            };
            let no_new_keys = self.check_keys(&written, &table).await?;
            match self.append(&base, &written, no_new_keys).await? {
                Ok(count) => return Ok(count),
                Err(conflict) => lost = conflict,
            }
        }
        Err(retries_exhausted(&lost))
    }

    /// The gate of the table, exclusively after some conflicts: then no writer is on its way that was there before.
    async fn gate(&self, written: &Written, attempt: usize) -> impl Sized + use<> {
        let gate = self.gates.of(&written.name);
        match attempt < SHARED_ATTEMPTS {
            true => Either::Left(gate.read_owned().await),
            false => Either::Right(gate.write_owned().await),
        }
    }

    /// Creates a table that holds the rows of a stream, in one commit.
    pub(super) async fn create_filled(
        &self,
        table: &str,
        schema: &SchemaRef,
        primary_key: &[String],
        batches: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<u64, DfOlapError> {
        let name = &identifier("table", table)?.to_ascii_lowercase();
        let definition = definition(schema, primary_key, any_name)?;
        let definition = self.enforcing_key(name, definition)?;
        let name_taken_error = || DfOlapError::Invalid(format!("table '{name}' already exists"));
        let base = self.store.snapshot().await?;
        if base.relation(name).is_some() {
            return Err(name_taken_error());
        }
        let (id, definition) = (RelationId::fresh(), Arc::new(definition));
        let table = Arc::new(Table::empty(
            id,
            Arc::clone(&definition),
            Version::default(),
        ));
        let written = self.write_rows(name.clone(), table, batches).await?;
        self.check_keys(&written, &written.table).await?;
        let count = written.rows();
        let create = Action::CreateTable {
            name: name.to_string(),
            id,
            definition: Arc::clone(&definition),
        };
        let append = Action::Append {
            id,
            definition: Arc::clone(&definition),
            fragments: written.fragments.clone(),
        };
        let change = ChangeSet {
            actions: vec![create, append],
        };
        let gate = self.gates.of(name);
        let _shared = gate.read().await;
        match self.store.commit(&base, change, &Arc::default()).await? {
            CommitOutcome::Committed(_) => Ok(count),
            CommitOutcome::Conflict(_) => Err(name_taken_error()),
        }
    }

    /// Writes the rows of a stream as fragments.
    async fn write_rows(
        &self,
        name: String,
        table: Arc<Table>,
        batches: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<Written, DfOlapError> {
        let definition = &table.definition;
        let buffer = || BufferedRows::new(self.session().state.runtime_env());
        let held = definition.enforces_key.then(|| Mutex::new(buffer()));
        let rows = batches.map(|batch| {
            let batch = conform(&name, definition, &batch?)?;
            if let Some(held) = &held {
                let keys = batch.project(&definition.key_indices())?;
                held.lock().push(keys)?;
            }
            Ok(batch)
        });
        let fragments = self.store.write(&table, rows.boxed()).await?;
        let held = held.map(Mutex::into_inner);
        let keys = held.as_ref().map_or(&[][..], |held| &held.batches);
        Ok(Written {
            keys: KeysOfRows::of_keys(keys),
            _held: held,
            name,
            table,
            fragments,
        })
    }

    /// Checks the keys of written rows, if their table enforces its key. Returns the action that conflicts if others
    /// add rows with these keys.
    async fn check_keys(
        &self,
        written: &Written,
        table: &Arc<Table>,
    ) -> Result<Option<Action>, DfOlapError> {
        let new = NewRows {
            name: &written.name,
            table,
            store: self.store.as_ref(),
            stop: &|| Ok(()),
        };
        new.check(&written.keys, &RoaringTreemap::new()).await
    }

    /// Commits an append. It conflicts only with a change of the table's columns or a DROP, and with new rows of others
    /// that may have the same keys, if the table enforces its key.
    async fn append(
        &self,
        base: &Arc<Snapshot>,
        written: &Written,
        no_new_keys: Option<Action>,
    ) -> Result<Result<u64, Conflict>, DfOlapError> {
        let count = written.rows();
        if count == 0 {
            return Ok(Ok(0));
        }
        let append = Action::Append {
            id: written.table.id,
            definition: Arc::clone(&written.table.definition),
            fragments: written.fragments.clone(),
        };
        let change = ChangeSet {
            actions: no_new_keys.into_iter().chain([append]).collect(),
        };
        match self.store.commit(base, change, &Arc::default()).await? {
            CommitOutcome::Committed(_) => Ok(Ok(count)),
            CommitOutcome::Conflict(conflict) => Ok(Err(conflict)),
        }
    }
}
