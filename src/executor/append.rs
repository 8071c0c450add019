//! `load_arrow`, `load_stream` and `create_table_from`: append the program's Arrow batches.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use roaring::RoaringTreemap;

use super::Executor;
use super::commit::{MAX_ATTEMPTS, retries_exhausted};
use super::tables::{any_name, definition, find, identifier};
use crate::change::{Action, ChangeSet, Conflict};
use crate::error::DfOlapError;
use crate::fragment::Fragment;
use crate::snapshot::{RelationId, Snapshot, Table, Version};
use crate::sql::{KeysOfRows, NewRows, conform};
use crate::store::CommitOutcome;

/// Rows that were written as fragments, but are not committed yet.
struct Append {
    base: Arc<Snapshot>,
    name: String,
    count: u64,
    actions: Vec<Action>,
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
        for _ in 0..MAX_ATTEMPTS {
            let rows = stream::iter(batches.iter().cloned().map(Ok)).boxed();
            let append = match known.take() {
                Some(known) => match self.prepare_append(known, name, rows).await {
                    Ok(append) => append,
                    // The known snapshot may be stale: try again on a fresh snapshot.
                    Err(_) => continue,
                },
                None => {
                    let snapshot = self.store.snapshot().await?;
                    self.prepare_append(snapshot, name, rows).await?
                }
            };
            match self.append(append).await? {
                Ok(count) => return Ok(count),
                Err(conflict) => lost = conflict,
            }
        }
        Err(retries_exhausted(&lost))
    }

    /// Appends the batches of a stream to a table. The stream can be read only once, so a concurrent change of the
    /// table's columns is an error.
    pub(super) async fn append_stream(
        &self,
        name: &str,
        batches: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<u64, DfOlapError> {
        let snapshot = self.store.snapshot().await?;
        let append = self.prepare_append(snapshot, name, batches).await?;
        match self.append(append).await? {
            Ok(count) => Ok(count),
            Err(Conflict(why)) => Err(DfOlapError::Conflict(format!(
                "table {name} was changed while the stream was read: {why}; load it again"
            ))),
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
        let (fragments, _) = self.write_rows(name, &table, batches).await?;
        let count = fragments.iter().map(|f| u64::from(f.rows())).sum();
        let create = Action::CreateTable {
            name: name.to_string(),
            id,
            definition: Arc::clone(&definition),
        };
        let append = Action::Append {
            id,
            definition: Arc::clone(&definition),
            fragments,
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

    async fn prepare_append(
        &self,
        base: Arc<Snapshot>,
        name: &str,
        batches: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<Append, DfOlapError> {
        let (name, table) = find(&base, name)?;
        let (fragments, no_new_keys) = self.write_rows(&name, &table, batches).await?;
        let count = fragments.iter().map(|f| u64::from(f.rows())).sum();
        let append = Action::Append {
            id: table.id,
            definition: Arc::clone(&table.definition),
            fragments,
        };
        Ok(Append {
            base,
            name,
            count,
            actions: no_new_keys.into_iter().chain([append]).collect(),
        })
    }

    /// Writes the rows of a stream as fragments. If the table enforces its key, the keys of the rows are checked, and
    /// the action is returned that conflicts if others add rows with these keys.
    async fn write_rows(
        &self,
        name: &str,
        table: &Arc<Table>,
        batches: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<(Vec<Arc<Fragment>>, Option<Action>), DfOlapError> {
        let definition = &table.definition;
        let keys = Mutex::new(KeysOfRows::default());
        let rows = batches.map(|batch| {
            let batch = conform(name, definition, &batch?)?;
            if definition.enforces_key {
                keys.lock().add(definition, &batch);
            }
            Ok(batch)
        });
        let fragments = self.store.write(table, rows.boxed()).await?;
        let new = NewRows {
            name,
            table,
            store: self.store.as_ref(),
            stop: &|| Ok(()),
        };
        let keys = keys.into_inner();
        let no_new_keys = new.check(&keys, &RoaringTreemap::new()).await?;
        Ok((fragments, no_new_keys))
    }

    /// Commits an append, which conflicts only with a change of the table's columns or a DROP.
    async fn append(&self, append: Append) -> Result<Result<u64, Conflict>, DfOlapError> {
        if append.count == 0 {
            return Ok(Ok(0));
        }
        let change = ChangeSet {
            actions: append.actions,
        };
        let gate = self.gates.of(&append.name);
        let _shared = gate.read().await;
        match self
            .store
            .commit(&append.base, change, &Arc::default())
            .await?
        {
            CommitOutcome::Committed(_) => Ok(Ok(append.count)),
            CommitOutcome::Conflict(conflict) => Ok(Err(conflict)),
        }
    }
}
