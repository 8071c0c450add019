//! PRIMARY KEY … ENFORCED: no two rows of a table have the same key.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::sql::sqlparser::ast;
use roaring::RoaringTreemap;

use super::RowChanges;
use super::new_keys::{KeysOfRows, new_keys_action, shown};
use super::target::{Target, assignments};
use crate::change::Action;
use crate::error::DfOlapError;
use crate::key_index::digest::Digests;
use crate::snapshot::{Table, TableDefinition};
use crate::sql::execution::Run;
use crate::sql::planner::Planner;
use crate::sql::scan::locate::KeysToFind;
use crate::store::Store;

/// Where new rows go.
pub(crate) struct NewRows<'a> {
    pub name: &'a str,
    pub table: &'a Arc<Table>,
    pub store: &'a dyn Store,
    /// Fails if the statement is to end.
    pub stop: &'a (dyn Fn() -> Result<(), DfOlapError> + Sync),
}

impl NewRows<'_> {
    /// If the table enforces its key: fails if two new rows have the same key, or if a row of the table that does not
    /// die has the key of a new row. Returns the action that conflicts if others add such a row.
    pub async fn check(
        &self,
        keys: &KeysOfRows,
        dead: &RoaringTreemap,
    ) -> Result<Option<Action>, DfOlapError> {
        if !self.table.definition.enforces_key || keys.batches().is_empty() {
            return Ok(None);
        }
        let mut digests: Option<Digests> = None;
        for batch in keys.batches() {
            let of_batch = Digests::of(batch, self.table.key_seed());
            let of_batch = of_batch.ok_or_else(|| no_digests(self.name))?;
            of_batch.gather(&mut digests);
        }
        let Some(digests) = digests else {
            return Ok(None);
        };
        if let Some(number) = digests.first_again() {
            let (batch, row) = keys.place(number);
            return Err(DfOlapError::Invalid(format!(
                "PRIMARY KEY: two of the new rows of {} have {}; leave one out, or use ON CONFLICT",
                self.name,
                self.shown(batch, row)
            )));
        }
        let key = self.table.definition.key_indices();
        let mut rest = BTreeSet::new();
        for values in keys.parts() {
            let values = values?;
            let (taken, not_searched) = self.wanted(&key, &values).first_taken(dead).await?;
            if let Some(number) = taken {
                return Err(self.taken(&values, number));
            }
            rest.extend(not_searched);
        }
        if let Some(batch) = keys.batches().first() {
            let taken = self
                .wanted(&key, batch)
                .first_read(rest, &digests, dead)
                .await?;
            if let Some(number) = taken {
                let (batch, row) = keys.place(number);
                return Err(self.taken(batch, row));
            }
        }
        Ok(Some(new_keys_action(self.table, keys.batches())))
    }

    fn wanted<'a>(&'a self, key: &'a [usize], values: &'a [ArrayRef]) -> KeysToFind<'a> {
        KeysToFind {
            table: self.table,
            key,
            values,
            null: None,
            store: self.store,
            stop: self.stop,
        }
    }

    fn taken(&self, values: &[ArrayRef], number: usize) -> DfOlapError {
        DfOlapError::Invalid(format!(
            "PRIMARY KEY: {} has a row with {} already; use ON CONFLICT, or another key",
            self.name,
            self.shown(values, number)
        ))
    }

    /// A key as text, for an error.
    fn shown(&self, values: &[ArrayRef], number: usize) -> String {
        let definition = &self.table.definition;
        let key = definition.key_indices().into_iter();
        let names = key.map(|at| definition.columns[at].field.name().as_str());
        shown(names, values, number)
    }
}

fn no_digests(name: &str) -> DfOlapError {
    DfOlapError::Unsupported(format!(
        "{name}: a PRIMARY KEY of this type cannot be ENFORCED; use numbers, texts, dates or times"
    ))
}

/// Fails if keys of these types cannot be enforced.
pub(crate) fn check_key_types(name: &str, definition: &TableDefinition) -> Result<(), DfOlapError> {
    let empty = RecordBatch::new_empty(Arc::clone(&definition.schema));
    let key = definition.key_indices().into_iter();
    let key: Vec<ArrayRef> = key.map(|at| Arc::clone(empty.column(at))).collect();
    match Digests::of(&key, 0) {
        Some(_) => Ok(()),
        None => Err(no_digests(name)),
    }
}

/// [`NewRows::check`] for the new rows of a statement.
pub(crate) async fn enforce_key(
    run: &Run,
    target: &Target,
    changes: &RowChanges,
) -> Result<Option<Action>, DfOlapError> {
    let definition = &target.table.definition;
    if !definition.enforces_key {
        return Ok(None);
    }
    let keys = KeysOfRows::of(definition, &changes.new.batches);
    enforce_keys(run, target, &keys, &changes.dead).await
}

/// [`NewRows::check`] for rows whose keys are new in the table.
pub(crate) async fn enforce_keys(
    run: &Run,
    target: &Target,
    keys: &KeysOfRows,
    dead: &RoaringTreemap,
) -> Result<Option<Action>, DfOlapError> {
    let rows = NewRows {
        name: &target.name,
        table: &target.table,
        store: run.context.store.as_ref(),
        stop: &|| run.check_stop(),
    };
    rows.check(keys, dead).await
}

/// Whether assignments may change the key of a row, where the table enforces it.
pub(crate) fn assigns_key(
    planner: &Planner,
    target: &Target,
    assigned: &[ast::Assignment],
) -> Result<bool, DfOlapError> {
    let definition = &target.table.definition;
    if !definition.enforces_key {
        return Ok(false);
    }
    let new = assignments(planner, target, assigned)?;
    let mut key = definition.key_indices().into_iter();
    Ok(key.any(|at| new.contains_key(definition.columns[at].field.name())))
}
