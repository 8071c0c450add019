//! The values of a batch of changes in the types of its table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType,
};
use arrow::util::display::array_value_to_string;

use super::decode::{Decoded, Op};
use super::target::Target;
use crate::cdc::UnknownColumns;
use crate::cdc::columns::OLD;
use crate::error::DfOlapError;
use crate::snapshot::TableDefinition;
use crate::sql::write::rows::same_values;

/// A batch of changes in the types of its table.
#[derive(Debug)]
pub(super) struct ChangeBatch {
    pub decoded: Decoded,
    /// For each column of the table, what the batch sends.
    sent: Vec<Option<Sent>>,
    /// For each column of the key, its values before the changes.
    pub old: Vec<Option<ArrayRef>>,
    /// The rows with a value that does not fit its column, and the reason.
    pub bad: BTreeMap<usize, String>,
    /// A column that a new row cannot fill: NOT NULL, without a DEFAULT, and missing from the batch.
    pub unfillable: Option<String>,
    /// The columns that the table does not have.
    pub ignored: Vec<String>,
}

#[derive(Debug)]
struct Sent {
    values: ArrayRef,
    unchanged: Option<BooleanBuffer>,
}

impl ChangeBatch {
    /// Converts the values of a batch. The engine itself writes the columns `generated`. `at` names the source and
    /// table in errors.
    pub fn new(
        at: &str,
        target: &Target,
        mut decoded: Decoded,
        generated: &[usize],
        unknown: UnknownColumns,
    ) -> Result<Self, DfOlapError> {
        let (definition, key) = (&target.table.definition, &target.key);
        let mut given = std::mem::take(&mut decoded.columns);
        let mut given_old = Vec::new();
        for (name, array) in std::mem::take(&mut decoded.old) {
            let index = position(definition, &name);
            let place = key.iter().position(|of_key| Some(*of_key) == index);
            let column = format!("{OLD}{name}");
            if let Some(place) = place {
                given_old.push((place, column, array));
            } else if position(definition, &column).is_some() {
                // An ordinary column whose name begins in the same way.
                given.push((column, array));
            } else if array.null_count() < array.len() {
                return Err(DfOlapError::SchemaMismatch(format!(
                    "{at}: {column} is the old value of a key column, and the table's key has no column '{name}'"
                )));
            }
        }
        let mut batch = Self {
            sent: definition.columns.iter().map(|_| None).collect(),
            old: key.iter().map(|_| None).collect(),
            bad: std::mem::take(&mut decoded.bad),
            unfillable: None,
            ignored: Vec::new(),
            decoded,
        };
        for (name, array) in given {
            let Some(index) = position(definition, &name) else {
                if unknown == UnknownColumns::Refuse {
                    return Err(unknown_column(at, &name));
                }
                batch.ignored.push(name);
                continue;
            };
            if generated.contains(&index) {
                return Err(DfOlapError::SchemaMismatch(format!(
                    "{at}: the changes have a column '{name}', which the engine writes; leave it out"
                )));
            }
            let is_key = key.contains(&index);
            let values = batch.convert(at, definition, index, &array, &name, is_key)?;
            let unchanged = batch.decoded.unchanged.get(&name).cloned();
            // A key is always sent.
            let unchanged = unchanged.filter(|_| !is_key);
            if !is_key {
                batch.check_nulls(definition, index, &values, unchanged.as_ref());
            }
            batch.sent[index] = Some(Sent { values, unchanged });
        }
        for (place, name, array) in given_old {
            let old = batch.convert(at, definition, key[place], &array, &name, true)?;
            batch.old[place] = Some(old);
        }
        for name in batch.decoded.unchanged.keys() {
            if position(definition, name).is_none() && unknown == UnknownColumns::Refuse {
                return Err(unknown_column(at, name));
            }
        }
        for index in key {
            let name = definition.columns[*index].field.name();
            if batch.sent[*index].is_none()
                && batch.decoded.ops.iter().any(|op| *op != Op::Truncate)
            {
                return Err(DfOlapError::SchemaMismatch(format!(
                    "{at}: the changes lack the key column '{name}'"
                )));
            }
        }
        let mut columns = definition.columns.iter().zip(&batch.sent).enumerate();
        let unfillable = columns.find(|(index, (column, sent))| {
            let is_missing = sent.is_none() && !generated.contains(index);
            is_missing && !column.field.is_nullable() && column.default.is_none()
        });
        batch.unfillable = unfillable.map(|(_, (column, _))| column.field.name().clone());
        Ok(batch)
    }

    /// The number of the table's columns.
    pub fn columns(&self) -> usize {
        self.sent.len()
    }

    /// The values of a column of the table, if the batch sends it.
    pub fn values(&self, column: usize) -> Option<&ArrayRef> {
        self.sent[column].as_ref().map(|sent| &sent.values)
    }

    /// Whether a row sends a column of the table.
    pub fn sends(&self, column: usize, row: usize) -> bool {
        let sent = self.sent[column].as_ref();
        sent.is_some_and(|sent| !sent.unchanged.as_ref().is_some_and(|rows| rows.value(row)))
    }

    /// Whether every row sends a column of the table.
    pub fn sends_all(&self, column: usize) -> bool {
        let sent = self.sent[column].as_ref();
        sent.is_some_and(|sent| sent.unchanged.is_none())
    }

    /// Whether a row names columns as unchanged.
    pub fn is_partial(&self, row: usize) -> bool {
        let partial = self.decoded.partial.as_ref();
        partial.is_some_and(|rows| rows.value(row))
    }

    /// A column in its table's type. The rows whose value does not fit are bad.
    fn convert(
        &mut self,
        at: &str,
        definition: &TableDefinition,
        index: usize,
        array: &ArrayRef,
        name: &str,
        is_key: bool,
    ) -> Result<ArrayRef, DfOlapError> {
        let to = definition.columns[index].field.data_type();
        let from = array.data_type();
        let Some((values, lost)) = lossless(array, to)? else {
            return Err(DfOlapError::SchemaMismatch(format!(
                "{at}: column '{name}' is {to}, the changes have {from}"
            )));
        };
        let unchanged = self.decoded.unchanged.get(name).cloned();
        for row in lost.values().set_indices() {
            let counts = match self.decoded.ops[row] {
                Op::Insert | Op::Update | Op::Upsert => true,
                Op::Delete => is_key,
                Op::Truncate => false,
            };
            // What stands in place of a value that was not sent is no value.
            let is_sent = is_key || !unchanged.as_ref().is_some_and(|rows| rows.value(row));
            if counts && is_sent {
                let value = array_value_to_string(array, row)?;
                self.set_bad(row, || {
                    format!("column '{name}' is {to}, and {value} ({from}) does not fit it")
                });
            }
        }
        Ok(values)
    }

    /// Finds NULL in columns that are NOT NULL, other than the key's.
    fn check_nulls(
        &mut self,
        definition: &TableDefinition,
        index: usize,
        values: &ArrayRef,
        unchanged: Option<&BooleanBuffer>,
    ) {
        let column = &definition.columns[index];
        if column.field.is_nullable() || values.logical_null_count() == 0 {
            return;
        }
        let Some(nulls) = values.logical_nulls() else {
            return;
        };
        for row in 0..values.len() {
            let writes = matches!(self.decoded.ops[row], Op::Insert | Op::Update | Op::Upsert);
            let is_sent = !unchanged.is_some_and(|rows| rows.value(row));
            if writes && is_sent && nulls.is_null(row) {
                self.set_bad(row, || {
                    format!(
                        "column '{}' is NOT NULL, and the value is NULL",
                        column.field.name()
                    )
                });
            }
        }
    }

    fn set_bad(&mut self, row: usize, why: impl FnOnce() -> String) {
        self.bad.entry(row).or_insert_with(why);
    }
}

/// An array in another type, and the rows whose value does not fit that type; `None` if values of these types never
/// fit.
pub(super) fn lossless(
    array: &ArrayRef,
    to: &DataType,
) -> Result<Option<(ArrayRef, BooleanArray)>, DfOlapError> {
    let from = array.data_type();
    let rows = |lost: &dyn Fn(usize) -> bool| -> BooleanArray {
        BooleanArray::from((0..array.len()).map(lost).collect::<Vec<bool>>())
    };
    if from == to {
        let lost = match from {
            DataType::Decimal32(..) => too_long::<Decimal32Type>(array),
            DataType::Decimal64(..) => too_long::<Decimal64Type>(array),
            DataType::Decimal128(..) => too_long::<Decimal128Type>(array),
            DataType::Decimal256(..) => too_long::<Decimal256Type>(array),
            _ => rows(&|_| false),
        };
        return Ok(Some((Arc::clone(array), lost)));
    }
    if *from == DataType::Null {
        return Ok(Some((new_null_array(to, array.len()), rows(&|_| false))));
    }
    if same_values(from, to) {
        let cast = cast_with_options(array, to, &CastOptions::default())?;
        let (before, after) = (array.logical_nulls(), cast.logical_nulls());
        let is_null =
            |nulls: &Option<NullBuffer>, row| nulls.as_ref().is_some_and(|n| n.is_null(row));
        let lost = rows(&|row| is_null(&after, row) && !is_null(&before, row));
        return Ok(Some((cast, lost)));
    }
    if !is_of_one_family(from, to) {
        return Ok(None);
    }
    let cast = cast_with_options(array, to, &CastOptions::default())?;
    let back = cast_with_options(&cast, from, &CastOptions::default())?;
    Ok(Some((cast, distinct(&back, array)?)))
}

/// The rows whose decimal has more digits than its type.
fn too_long<T: DecimalType>(array: &ArrayRef) -> BooleanArray {
    let values = array.as_primitive::<T>();
    let (DataType::Decimal32(precision, scale)
    | DataType::Decimal64(precision, scale)
    | DataType::Decimal128(precision, scale)
    | DataType::Decimal256(precision, scale)) = array.data_type()
    else {
        return BooleanArray::from(vec![false; array.len()]);
    };
    let lost = values.iter().map(|value| {
        value.is_some_and(|value| T::validate_decimal_precision(value, *precision, *scale).is_err())
    });
    BooleanArray::from(lost.collect::<Vec<bool>>())
}

fn unknown_column(at: &str, name: &str) -> DfOlapError {
    DfOlapError::SchemaMismatch(format!(
        "{at}: the changes have a column '{name}' that the table has not; add it, or choose Changes::unknown_columns"
    ))
}

fn position(definition: &TableDefinition, name: &str) -> Option<usize> {
    let mut columns = definition.columns.iter();
    columns.position(|column| column.field.name() == name)
}

/// Whether values of one type may be exact in the other: numbers, and moments of one kind.
fn is_of_one_family(from: &DataType, to: &DataType) -> bool {
    use DataType as D;
    let is_family = match (from, to) {
        (D::Timestamp(_, from), D::Timestamp(_, to)) => from.is_some() == to.is_some(),
        (D::Date32 | D::Date64, D::Date32 | D::Date64)
        | (D::Time32(_) | D::Time64(_), D::Time32(_) | D::Time64(_))
        | (D::Duration(_), D::Duration(_)) => true,
        _ => from.is_numeric() && to.is_numeric(),
    };
    is_family && can_cast_types(from, to) && can_cast_types(to, from)
}
