//! Reads the reserved columns of a batch of changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBufferBuilder, UInt64Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, UInt64Type};
use arrow::record_batch::RecordBatch;

use crate::cdc::columns::{AT, OLD, OP, SEQ, UNCHANGED};
use crate::error::DfOlapError;
use crate::snapshot::TableDefinition;

/// The operation of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Insert,
    Update,
    Delete,
    Upsert,
    Truncate,
}

impl Op {
    fn of(text: &str) -> Option<Self> {
        let is = |letter: &str, word: &str| {
            text.eq_ignore_ascii_case(letter) || text.eq_ignore_ascii_case(word)
        };
        Some(match () {
            () if is("I", "insert") => Self::Insert,
            () if is("U", "update") => Self::Update,
            () if is("D", "delete") => Self::Delete,
            () if is("P", "upsert") => Self::Upsert,
            () if is("T", "truncate") => Self::Truncate,
            () => return None,
        })
    }
}

/// A batch of changes, its reserved columns read.
#[derive(Debug)]
pub(super) struct Decoded {
    pub ops: Vec<Op>,
    pub seqs: Option<UInt64Array>,
    /// The time of each row.
    pub at: Option<ArrayRef>,
    /// The other columns, by name.
    pub columns: Vec<(String, ArrayRef)>,
    /// The old values of key columns, by the column's name.
    pub old: Vec<(String, ArrayRef)>,
    /// For columns that some rows do not send, the rows that do not.
    pub unchanged: HashMap<String, BooleanBuffer>,
    /// The rows that name an unchanged column.
    pub partial: Option<BooleanBuffer>,
    /// The rows with a value that does not fit its column, and the reason.
    pub bad: BTreeMap<usize, String>,
}

impl Decoded {
    /// Reads a batch. `at` names the source and table in errors.
    pub fn read(at: &str, batch: &RecordBatch) -> Result<Self, DfOlapError> {
        let mut decoded = Self {
            ops: Vec::new(),
            seqs: None,
            at: None,
            columns: Vec::new(),
            old: Vec::new(),
            unchanged: HashMap::new(),
            partial: None,
            bad: BTreeMap::new(),
        };
        let mut ops = None;
        let schema = batch.schema_ref();
        for (index, (field, array)) in schema.fields().iter().zip(batch.columns()).enumerate() {
            let name = field.name().as_str();
            if schema.fields()[..index].iter().any(|f| f.name() == name) {
                return Err(DfOlapError::SchemaMismatch(format!(
                    "{at}: the changes have two columns '{name}'"
                )));
            }
            match name {
                OP => ops = Some(array),
                SEQ => decoded.seqs = Some(sequence(at, array)?),
                AT => decoded.at = Some(Arc::clone(array)),
                UNCHANGED => decoded.read_unchanged(at, array)?,
                _ => match name.strip_prefix(OLD) {
                    Some(of) => decoded.old.push((of.to_string(), Arc::clone(array))),
                    None => decoded.columns.push((name.to_string(), Arc::clone(array))),
                },
            }
        }
        decoded.ops = match ops {
            Some(ops) => operations(at, ops)?,
            None => vec![Op::Upsert; batch.num_rows()],
        };
        Ok(decoded)
    }

    /// Gives the columns the names that they have in their table. `at` names the source and table in errors.
    pub fn name_as(&mut self, at: &str, definition: &TableDefinition) -> Result<(), DfOlapError> {
        for columns in [&mut self.columns, &mut self.old] {
            for (name, _) in columns.iter_mut() {
                let meant = definition.name_meant(name);
                if meant != name {
                    *name = meant.to_string();
                }
            }
            for (at_column, (name, _)) in columns.iter().enumerate() {
                if columns[..at_column].iter().any(|(other, _)| other == name) {
                    return Err(DfOlapError::SchemaMismatch(format!(
                        "{at}: two columns of the changes are the column '{name}' of the table, in any case; leave one out"
                    )));
                }
            }
        }
        let other_names = self.unchanged.keys();
        let other_names = other_names.filter(|name| definition.name_meant(name) != name.as_str());
        for name in other_names.cloned().collect::<Vec<String>>() {
            if let Some(rows) = self.unchanged.remove(&name) {
                let meant = self
                    .unchanged
                    .entry(definition.name_meant(&name).to_string());
                meant.and_modify(|all| *all = &*all | &rows).or_insert(rows);
            }
        }
        Ok(())
    }

    pub fn rows(&self) -> usize {
        self.ops.len()
    }

    pub fn seq(&self, row: usize) -> Option<u64> {
        self.seqs.as_ref().map(|seqs| seqs.value(row))
    }

    fn read_unchanged(&mut self, at: &str, array: &ArrayRef) -> Result<(), DfOlapError> {
        let wrong = || {
            DfOlapError::SchemaMismatch(format!(
                "{at}: {UNCHANGED} is a list of text, the names of columns, and not {}",
                array.data_type()
            ))
        };
        let names = match array.data_type() {
            DataType::Null => return Ok(()),
            DataType::List(item) | DataType::LargeList(item)
                if is_text(item.data_type()) || item.data_type().is_null() =>
            {
                let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
                cast(array, &list)?
            }
            _ => return Err(wrong()),
        };
        let lists = names.as_list::<i32>();
        let names = lists.values().as_string::<i32>();
        let rows = lists.len();
        let none = || {
            let mut none = BooleanBufferBuilder::new(rows);
            none.append_n(rows, false);
            none
        };
        let mut partial = none();
        let mut of_columns: HashMap<&str, BooleanBufferBuilder> = HashMap::new();
        for (row, ends) in lists.value_offsets().windows(2).enumerate() {
            if lists.is_null(row) {
                continue;
            }
            for place in ends[0] as usize..ends[1] as usize {
                if names.is_valid(place) {
                    partial.set_bit(row, true);
                    let of_column = of_columns.entry(names.value(place)).or_insert_with(none);
                    of_column.set_bit(row, true);
                }
            }
        }
        if !of_columns.is_empty() {
            self.partial = Some(partial.finish());
        }
        self.unchanged = of_columns
            .into_iter()
            .map(|(name, mut rows)| (name.to_string(), rows.finish()))
            .collect();
        Ok(())
    }
}

/// Whether changes reserve the name of a column of a table with the key columns `key`.
pub(super) fn is_reserved(definition: &TableDefinition, key: &[usize], name: &str) -> bool {
    let is_old = name.strip_prefix(OLD).is_some_and(|of| {
        let mut key = key.iter();
        key.any(|index| definition.columns[*index].field.name() == of)
    });
    matches!(name, OP | SEQ | AT | UNCHANGED) || is_old
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => other.is_string(),
    }
}

fn operations(at: &str, array: &ArrayRef) -> Result<Vec<Op>, DfOlapError> {
    if !is_text(array.data_type()) {
        return Err(DfOlapError::SchemaMismatch(format!(
            "{at}: {OP} is text, and not {}",
            array.data_type()
        )));
    }
    let texts = cast(array, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let read = texts.iter().enumerate().map(|(row, text)| {
        text.and_then(Op::of).ok_or_else(|| {
            let shown = text.map_or("NULL".to_string(), |text| format!("'{}'", text.escape_debug()));
            DfOlapError::Invalid(format!(
                "{at}: {OP} of row {row} is {shown}; give insert, update, delete, upsert or truncate"
            ))
        })
    });
    read.collect()
}

fn sequence(at: &str, array: &ArrayRef) -> Result<UInt64Array, DfOlapError> {
    if !array.data_type().is_integer() {
        return Err(DfOlapError::SchemaMismatch(format!(
            "{at}: {SEQ} is an integer, and not {}",
            array.data_type()
        )));
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let seqs = cast_with_options(array, &DataType::UInt64, &options)
        .map_err(|error| DfOlapError::Invalid(format!("{at}: {SEQ}: {error}")))?;
    if seqs.null_count() > 0 {
        return Err(DfOlapError::Invalid(format!("{at}: {SEQ} has a NULL")));
    }
    Ok(seqs.as_primitive::<UInt64Type>().clone())
}
