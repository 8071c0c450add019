//! The row changes of one table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::builder::{ListBuilder, StringBuilder};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use serde_json::value::RawValue;

use super::encoding::{Bytes, Encoding, Refused};
use super::json::{self, Scalar};
use super::values::Values;
use crate::cdc::columns::{AT, OLD, OP, SEQ, UNCHANGED, VALID_FROM};
use crate::cdc::{History, TableChanges};
use crate::error::DfOlapError;
use crate::snapshot::Table;

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Insert,
    Update,
    Delete,
    Upsert,
    Truncate,
}

impl Op {
    const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Upsert => "upsert",
            Self::Truncate => "truncate",
        }
    }

    const fn writes(self) -> bool {
        matches!(self, Self::Insert | Self::Update | Self::Upsert)
    }
}

/// The time of an event.
pub(super) type Moment = Option<(i64, TimeUnit)>;

#[derive(Debug)]
struct Column {
    name: String,
    values: Values,
    /// The number of rows that have a value or a NULL.
    filled: usize,
}

impl Column {
    fn new(name: &str, data_type: Option<&DataType>, rows: usize) -> Self {
        let mut values = Values::new(data_type);
        (0..rows).for_each(|_| values.append_null());
        Self {
            name: name.to_string(),
            values,
            filled: rows,
        }
    }

    fn append_null(&mut self) {
        self.values.append_null();
        self.filled += 1;
    }
}

/// Rows from `begin` on that send the same columns.
#[derive(Debug)]
struct Span {
    begin: usize,
    /// For each column, as far as there were columns; `None` as long as no row sends any.
    sent: Option<Vec<bool>>,
}

/// The changes of one table.
#[derive(Debug)]
pub(super) struct TableRows {
    /// The name of the table in the engine.
    pub name: String,
    /// The table of the first event, in the source.
    pub source: String,
    table: Option<Arc<Table>>,
    history: Option<History>,
    key: Vec<String>,
    ops: Vec<Op>,
    seqs: Vec<Option<u64>>,
    times: Vec<Moment>,
    columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    /// The column that comes next if events list them in one order.
    expected: usize,
    old: Vec<Column>,
    unchanged: Vec<Vec<String>>,
    bad: BTreeMap<usize, String>,
    spans: Vec<Span>,
    sent: Vec<bool>,
}

impl TableRows {
    pub fn new(
        name: String,
        source: String,
        table: Option<Arc<Table>>,
        history: Option<History>,
    ) -> Self {
        let key = match (&history, &table) {
            (Some(history), Some(table)) => {
                let names = history.key.iter();
                let names = names.map(|name| table.definition.name_meant(name).to_string());
                names.collect()
            }
            (Some(history), None) => history.key.clone(),
            (None, Some(table)) => {
                let key = table.definition.key_indices().into_iter();
                let fields = key.map(|index| &table.definition.columns[index].field);
                fields.map(|field| field.name().clone()).collect()
            }
            (None, None) => Vec::new(),
        };
        Self {
            name,
            source,
            table,
            history,
            key,
            ops: Vec::new(),
            seqs: Vec::new(),
            times: Vec::new(),
            columns: Vec::new(),
            by_name: HashMap::new(),
            expected: 0,
            old: Vec::new(),
            unchanged: Vec::new(),
            bad: BTreeMap::new(),
            spans: Vec::new(),
            sent: Vec::new(),
        }
    }

    pub fn begin(&mut self, op: Op, seq: Option<u64>, at: Moment) {
        self.ops.push(op);
        self.seqs.push(seq);
        self.times.push(at);
        self.expected = 0;
    }

    fn row(&self) -> usize {
        self.ops.len() - 1
    }

    /// The columns of the table that the engine does not write itself; none if there is no such table.
    pub fn column_names(&self) -> Vec<String> {
        let columns = self
            .table
            .iter()
            .flat_map(|table| &table.definition.columns);
        let names = columns.map(|column| column.field.name().clone());
        match &self.history {
            None => names.collect(),
            Some(_) => names.filter(|name| !is_of_history(name)).collect(),
        }
    }

    /// The name of the column that a name in an event means.
    fn meant<'a>(&'a self, name: &'a str) -> &'a str {
        let table = self.table.as_ref();
        table.map_or(name, |table| table.definition.name_meant(name))
    }

    /// Whether the table has a column of this name.
    pub fn has_column(&self, name: &str) -> bool {
        self.data_type(name).is_some()
    }

    /// Whether a column is a part of the key.
    pub fn is_key(&self, name: &str) -> bool {
        let is_key = |name: &str| self.key.iter().any(|key| key == name);
        is_key(name) || is_key(self.meant(name))
    }

    fn data_type(&self, name: &str) -> Option<DataType> {
        let table = self.table.as_ref()?;
        let column = table.definition.column(self.meant(name))?;
        Some(column.field.data_type().clone())
    }

    /// The place of a column, which is added if it is new.
    fn place(&mut self, name: &str) -> usize {
        let next = self.columns.get(self.expected);
        if next.is_some_and(|column| column.name == name) {
            self.expected += 1;
            return self.expected - 1;
        }
        if let Some(place) = self.by_name.get(name) {
            self.expected = place + 1;
            return *place;
        }
        let meant = self.meant(name).to_string();
        let place = match self.by_name.get(&meant) {
            // Under another name.
            Some(place) => *place,
            None => {
                let column = Column::new(&meant, self.data_type(&meant).as_ref(), self.row());
                self.columns.push(column);
                self.by_name.insert(meant, self.columns.len() - 1);
                self.columns.len() - 1
            }
        };
        self.by_name.insert(name.to_string(), place);
        self.expected = place + 1;
        place
    }

    /// The value of a column after the change. Deletes and truncates take those of the key alone.
    pub fn set(
        &mut self,
        name: &str,
        value: &RawValue,
        encoding: Encoding,
    ) -> Result<(), DfOlapError> {
        self.set_value(name, &Scalar::of(value).map_err(json::invalid)?, encoding)
    }

    pub fn set_value(
        &mut self,
        name: &str,
        value: &Scalar<'_>,
        encoding: Encoding,
    ) -> Result<(), DfOlapError> {
        let row = self.row();
        if !self.ops[row].writes() && self.table.is_some() && !self.is_key(name) {
            return Ok(());
        }
        let place = self.place(name);
        let column = &mut self.columns[place];
        if column.filled > row {
            return Err(DfOlapError::Invalid(format!(
                "table {}: column '{name}' is there twice",
                self.name
            )));
        }
        let appended = column.values.append(value, encoding);
        self.take(appended, name, value, |rows| &mut rows.columns[place])
    }

    /// The value of a key column before the change. Other columns, and changes other than updates, need none.
    pub fn set_old(
        &mut self,
        name: &str,
        value: &RawValue,
        encoding: Encoding,
    ) -> Result<(), DfOlapError> {
        self.set_old_value(name, &Scalar::of(value).map_err(json::invalid)?, encoding)
    }

    pub fn set_old_value(
        &mut self,
        name: &str,
        value: &Scalar<'_>,
        encoding: Encoding,
    ) -> Result<(), DfOlapError> {
        let row = self.row();
        let is_update = matches!(self.ops[row], Op::Update | Op::Upsert);
        if !is_update || !self.is_key(name) {
            return Ok(());
        }
        let name = &self.meant(name).to_string();
        let known = self.old.iter().position(|column| column.name == *name);
        let place = match known {
            Some(place) => place,
            None => {
                let data_type = self.data_type(name);
                self.old.push(Column::new(name, data_type.as_ref(), 0));
                self.old.len() - 1
            }
        };
        let column = &mut self.old[place];
        while column.filled < row {
            column.append_null();
        }
        if column.filled > row {
            return Ok(());
        }
        let appended = column.values.append(value, encoding);
        self.take(appended, name, value, |rows| &mut rows.old[place])
    }

    /// Counts a value that was appended; a value that does not fit makes the row bad.
    fn take(
        &mut self,
        appended: Result<(), Refused>,
        name: &str,
        value: &Scalar<'_>,
        column: impl Fn(&mut Self) -> &mut Column,
    ) -> Result<(), DfOlapError> {
        match appended {
            Ok(()) => column(self).filled += 1,
            Err(Refused::Unfit) => {
                column(self).append_null();
                let why = self.unfit(name, &value.shown());
                self.bad.entry(self.row()).or_insert(why);
            }
            Err(Refused::Unknown(why)) => {
                return Err(DfOlapError::Invalid(format!(
                    "table {}, column '{name}': {} {why}",
                    self.name,
                    value.shown()
                )));
            }
        }
        Ok(())
    }

    fn unfit(&self, name: &str, value: &str) -> String {
        match self.data_type(name) {
            Some(data_type) => {
                format!("column '{name}' is {data_type}, and {value} does not fit it")
            }
            None => format!("column '{name}': {value} does not fit it"),
        }
    }

    /// Says that the source did not send a column, because it did not change.
    pub fn set_unchanged(&mut self, name: &str) -> Result<(), DfOlapError> {
        let row = self.row();
        self.set_value(name, &Scalar::Null, Encoding::plain(Bytes::Utf8))?;
        self.unchanged.resize(row + 1, Vec::new());
        let name = self.meant(name).to_string();
        self.unchanged[row].push(name);
        Ok(())
    }

    /// Whether the row has a value, or is said to have none, in a column.
    pub fn has(&self, name: &str) -> bool {
        let place = self.by_name.get(name);
        place.is_some_and(|place| self.columns[*place].filled > self.row())
    }

    /// Ends the change.
    pub fn end(&mut self) {
        let row = self.row();
        self.sent.clear();
        for column in &mut self.columns {
            let is_sent = column.filled > row;
            self.sent.push(is_sent);
            if !is_sent {
                column.append_null();
            }
        }
        if !self.ops[row].writes() {
            if self.spans.is_empty() {
                self.spans.push(Span {
                    begin: row,
                    sent: None,
                });
            }
            return;
        }
        match self.spans.last_mut() {
            Some(span) if span.sent.is_none() => span.sent = Some(self.sent.clone()),
            Some(span)
                if span
                    .sent
                    .as_deref()
                    .is_some_and(|sent| same(sent, &self.sent)) => {}
            _ => self.spans.push(Span {
                begin: row,
                sent: Some(self.sent.clone()),
            }),
        }
    }

    /// The changes as batches: a batch has the columns that its rows send.
    pub fn finish(mut self, to: &mut Vec<TableChanges>) -> Result<(), DfOlapError> {
        let rows = self.ops.len();
        let ops = self.ops.iter().map(|op| op.name());
        let mut reserved: Vec<(String, ArrayRef)> =
            vec![(OP.to_string(), Arc::new(StringArray::from_iter_values(ops)))];
        if self.seqs.iter().any(Option::is_some) {
            let seqs = UInt64Array::from_iter(self.seqs.iter().copied());
            reserved.push((SEQ.to_string(), Arc::new(seqs)));
        }
        if self.history.is_some() {
            reserved.push((AT.to_string(), self.times()?));
        }
        if !self.unchanged.is_empty() {
            let mut lists = ListBuilder::new(StringBuilder::new());
            self.unchanged.resize(rows, Vec::new());
            for names in &self.unchanged {
                names
                    .iter()
                    .for_each(|name| lists.values().append_value(name));
                lists.append(true);
            }
            reserved.push((UNCHANGED.to_string(), Arc::new(lists.finish())));
        }
        for mut column in std::mem::take(&mut self.old) {
            while column.filled < rows {
                column.append_null();
            }
            let values = column.values.finish()?;
            reserved.push((format!("{OLD}{}", column.name), values));
        }
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in std::mem::take(&mut self.columns) {
            let values = column.values.finish()?;
            columns.push((column.name, values));
        }
        let ends = self.spans.iter().skip(1).map(|span| span.begin);
        let ends: Vec<usize> = ends.chain([rows]).collect();
        for (span, end) in self.spans.iter().zip(ends) {
            let is_sent = |place: usize, name: &str| match &span.sent {
                Some(sent) => sent.get(place).copied().unwrap_or(false),
                None => self.table.is_none() || self.is_key(name),
            };
            let sent = columns.iter().enumerate();
            let sent = sent.filter(|(place, (name, _))| is_sent(*place, name));
            let of_span = reserved.iter().chain(sent.map(|(_, column)| column));
            let (mut fields, mut arrays) = (Vec::new(), Vec::new());
            for (name, values) in of_span {
                fields.push(Field::new(name, values.data_type().clone(), true));
                arrays.push(values.slice(span.begin, end - span.begin));
            }
            let bad = self.bad.range(span.begin..end);
            to.push(TableChanges {
                table: self.name.clone(),
                rows: RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?,
                history: self.history.clone(),
                bad: bad
                    .map(|(row, why)| (row - span.begin, why.clone()))
                    .collect(),
            });
        }
        Ok(())
    }

    /// The times of the changes, in the type of the column that says when a row became valid.
    fn times(&self) -> Result<ArrayRef, DfOlapError> {
        let unit = self.times.iter().flatten().map(|(_, unit)| *unit).next();
        let times = self.times.iter().map(|at| at.map(|(time, _)| time));
        let times: ArrayRef = Arc::new(Int64Array::from_iter(times));
        Ok(match (self.data_type(VALID_FROM), unit) {
            (Some(DataType::Timestamp(_, zone)), Some(unit)) => {
                cast(&times, &DataType::Timestamp(unit, zone))?
            }
            _ => times,
        })
    }
}

fn is_of_history(name: &str) -> bool {
    use crate::cdc::columns::{OPERATION, VALID_TO};
    matches!(name, VALID_FROM | VALID_TO | OPERATION)
}

/// Whether the same columns are sent, where the one list may know fewer columns.
fn same(one: &[bool], other: &[bool]) -> bool {
    let most = one.len().max(other.len());
    let at = |list: &[bool], place| list.get(place).copied().unwrap_or(false);
    (0..most).all(|place| at(one, place) == at(other, place))
}
