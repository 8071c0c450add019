//! The keys of changes, numbered.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, ArrayRef};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::interleave;
use arrow::row::{Row, RowConverter, Rows, SortField};

use super::decode::Op;
use super::target::Target;
use super::values::ChangeBatch;
use crate::error::DfOlapError;
use crate::key_index::digest::one_zero;
use crate::sql::write::new_keys::shown;

/// The number of no key.
pub(super) const NONE: u32 = u32::MAX;

/// The distinct keys of the changes of a table, numbered from 0.
#[derive(Debug)]
pub(super) struct Keys {
    /// For each batch and row the number of its key; `NONE` for a truncate, a key with a NULL, and a row that is left
    /// out.
    pub new: Vec<Vec<u32>>,
    /// For each batch and row the number of its key before the change; `NONE` if the change does not change the key.
    pub old: Vec<Vec<u32>>,
    /// The keys: one array for each column of the key.
    pub columns: Vec<ArrayRef>,
    names: Vec<String>,
}

impl Keys {
    /// Numbers the keys of the rows `active` of each batch.
    pub fn of(
        target: &Target,
        batches: &[ChangeBatch],
        active: &[BooleanBuffer],
    ) -> Result<Self, DfOlapError> {
        let (definition, key) = (&target.table.definition, &target.key);
        if key.is_empty() {
            return Ok(Self::none(batches));
        }
        let fields = key.iter().map(|index| {
            let column = &definition.columns[*index];
            SortField::new(column.field.data_type().clone())
        });
        let converter = RowConverter::new(fields.collect())?;
        // The new and, if there are any, the old keys of each batch.
        let mut sources: Vec<Source> = Vec::new();
        for (place, batch) in batches.iter().enumerate() {
            let sent = key.iter().map(|index| batch.values(*index).cloned());
            let Some(new) = sent.collect::<Option<Vec<ArrayRef>>>() else {
                // Only truncates.
                continue;
            };
            if batch.old.iter().any(Option::is_some) {
                let old = batch.old.iter().zip(&new);
                let old = old.map(|(old, new)| match old {
                    Some(old) => where_null(old, new),
                    None => Ok(new.clone()),
                });
                let old = old.collect::<Result<Vec<ArrayRef>, DfOlapError>>()?;
                sources.push(Source::new(place, true, &converter, old)?);
            }
            sources.push(Source::new(place, false, &converter, new)?);
        }

        let mut keys = Self::none(batches);
        let names = key.iter().map(|index| &definition.columns[*index].field);
        keys.names = names.map(|field| field.name().clone()).collect();
        let mut numbers: HashMap<Row<'_>, u32> = HashMap::new();
        let mut places: Vec<(usize, usize)> = Vec::new();
        for (at, source) in sources.iter().enumerate() {
            let batch = source.batch;
            let numbered = match source.is_old {
                true => &mut keys.old[batch],
                false => &mut keys.new[batch],
            };
            for row in active[batch].set_indices() {
                let op = batches[batch].decoded.ops[row];
                let is_update = matches!(op, Op::Update | Op::Upsert);
                if source.is_null(row) || op == Op::Truncate || source.is_old && !is_update {
                    continue;
                }
                let next = numbers.len() as u32;
                let number = *numbers.entry(source.rows.row(row)).or_insert_with(|| {
                    places.push((at, row));
                    next
                });
                numbered[row] = number;
            }
        }
        for (old, new) in keys.old.iter_mut().zip(&keys.new) {
            for (old, new) in old.iter_mut().zip(new) {
                if *old == *new {
                    *old = NONE;
                }
            }
        }
        if !places.is_empty() {
            for column in 0..key.len() {
                let arrays: Vec<&dyn Array> =
                    sources.iter().map(|s| s.columns[column].as_ref()).collect();
                keys.columns.push(interleave(&arrays, &places)?);
            }
        }
        Ok(keys)
    }

    /// No keys.
    fn none(batches: &[ChangeBatch]) -> Self {
        let numbers = || batches.iter().map(|batch| vec![NONE; batch.decoded.rows()]);
        Self {
            new: numbers().collect(),
            old: numbers().collect(),
            columns: Vec::new(),
            names: Vec::new(),
        }
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, |column| column.len())
    }

    /// Whether one change may move a row to a key from which another change moves a row.
    pub fn may_displace(&self) -> bool {
        let moves = || {
            let of_batches = self.old.iter().zip(&self.new);
            let moves = of_batches.flat_map(|(old, new)| old.iter().zip(new));
            moves.filter(|(old, _)| **old != NONE)
        };
        let to: HashSet<u32> = moves().map(|(_, new)| *new).collect();
        moves().any(|(old, _)| to.contains(old))
    }

    /// A key as text, for an error.
    pub fn shown(&self, number: u32) -> String {
        let names = self.names.iter().map(String::as_str);
        shown(names, &self.columns, number as usize)
    }
}

/// The values of `old`, and those of `new` where it has none.
fn where_null(old: &ArrayRef, new: &ArrayRef) -> Result<ArrayRef, DfOlapError> {
    let nulls = old.logical_nulls();
    let is_null = |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    let places = (0..old.len()).map(|row| (usize::from(is_null(row)), row));
    Ok(interleave(&[old, new], &places.collect::<Vec<_>>())?)
}

/// The new or the old keys of a batch.
struct Source {
    batch: usize,
    is_old: bool,
    columns: Vec<ArrayRef>,
    rows: Rows,
    nulls: Option<NullBuffer>,
}

impl Source {
    fn new(
        batch: usize,
        is_old: bool,
        converter: &RowConverter,
        columns: Vec<ArrayRef>,
    ) -> Result<Self, DfOlapError> {
        let nulls = columns.iter().fold(None, |all, column| {
            NullBuffer::union(all.as_ref(), column.logical_nulls().as_ref())
        });
        let comparable: Vec<ArrayRef> = columns.iter().map(one_zero).collect();
        Ok(Self {
            batch,
            is_old,
            rows: converter.convert_columns(&comparable)?,
            columns,
            nulls,
        })
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }
}
