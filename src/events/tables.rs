//! The row changes of events, by table.

use std::collections::HashMap;

use super::encoding::Unavailable;
use super::options::EventReader;
use super::rows::{Moment, Op, TableRows};
use crate::cdc::Changes;
use crate::error::DfOlapError;
use crate::snapshot::Snapshot;

/// The row changes of all tables.
#[derive(Debug)]
pub(super) struct Tables<'a> {
    reader: &'a EventReader,
    snapshot: &'a Snapshot,
    /// The place of a table, by its namespace and its name in the source.
    places: HashMap<String, HashMap<String, usize>>,
    tables: Vec<TableRows>,
    unavailable: Unavailable,
    /// The number of row changes.
    pub rows: u64,
}

impl<'a> Tables<'a> {
    pub fn new(reader: &'a EventReader, snapshot: &'a Snapshot) -> Self {
        Self {
            reader,
            snapshot,
            places: HashMap::new(),
            tables: Vec::new(),
            unavailable: Unavailable::new(&reader.unavailable),
            rows: 0,
        }
    }

    /// Begins a change of a row of a table; [`TableRows::end`] ends it.
    pub fn begin(
        &mut self,
        namespace: &str,
        table: &str,
        op: Op,
        seq: Option<u64>,
        at: Moment,
    ) -> Result<(&mut TableRows, &Unavailable), DfOlapError> {
        let place = self.place(namespace, table)?;
        self.rows += 1;
        let rows = &mut self.tables[place];
        rows.begin(op, seq, at);
        Ok((rows, &self.unavailable))
    }

    /// The place of a table of the source.
    fn place(&mut self, namespace: &str, table: &str) -> Result<usize, DfOlapError> {
        let known = self.places.get(namespace).and_then(|of| of.get(table));
        if let Some(place) = known {
            return Ok(*place);
        }
        let place = self.new_place(namespace, table)?;
        let of_namespace = self.places.entry(namespace.to_string()).or_default();
        of_namespace.insert(table.to_string(), place);
        Ok(place)
    }

    fn new_place(&mut self, namespace: &str, table: &str) -> Result<usize, DfOlapError> {
        let (target, is_chosen) = self.target(namespace, table);
        let found = self.snapshot.table_named(&target);
        // Two names of a table in the source may be one here.
        let name = found.as_ref().map_or(&target, |(name, _)| name);
        if let Some(place) = self.tables.iter().position(|rows| rows.name == *name) {
            let other = &self.tables[place].source;
            if !is_chosen {
                return Err(DfOlapError::Invalid(format!(
                    "the tables {} and {namespace}.{table} of the source would both go to the table {name}; call \
                     EventReader::table for them",
                    other
                )));
            }
            return Ok(place);
        }
        let name = name.clone();
        let history = self.reader.histories.get(&target);
        let history = history
            .or_else(|| self.reader.histories.get(&name))
            .cloned();
        let source = format!("{namespace}.{table}");
        let table = found.map(|(_, table)| table);
        self.tables
            .push(TableRows::new(name, source, table, history));
        Ok(self.tables.len() - 1)
    }

    /// The name of the table to which a table of the source goes, and whether the caller chose it.
    fn target(&self, namespace: &str, table: &str) -> (String, bool) {
        if let Some(only) = &self.reader.only_table {
            return (only.clone(), true);
        }
        let chosen = self.reader.tables.get(&format!("{namespace}.{table}"));
        match chosen.or_else(|| self.reader.tables.get(table)) {
            Some(target) => (target.clone(), true),
            None => (table.to_string(), false),
        }
    }

    /// All changes.
    pub fn finish(self) -> Result<Changes, DfOlapError> {
        let mut changes = Changes::new();
        for table in self.tables {
            table.finish(&mut changes.tables)?;
        }
        Ok(changes)
    }
}
