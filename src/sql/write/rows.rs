//! Shapes rows to a table's schema: casts, checks of NOT NULL and of the digits of decimals.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow::util::display::FormatOptions;

use crate::error::DfOlapError;
use crate::snapshot::{Column, TableDefinition};

/// Gives planned columns, in the table's order, the table's schema, and casts where a type differs. A NULL in a NOT
/// NULL column is an error.
pub(crate) fn shape(
    table: &str,
    definition: &TableDefinition,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<RecordBatch, DfOlapError> {
    let columns = definition
        .columns
        .iter()
        .zip(columns)
        .map(|(column, array)| {
            check_nulls(table, column, array)?;
            if array.data_type() == column.field.data_type() {
                check_digits(table, column, array)?;
                Ok(Arc::clone(array))
            } else {
                let cast = checked_cast(table, column, array)?;
                check_digits(table, column, &cast)?;
                Ok(cast)
            }
        })
        .collect::<Result<Vec<_>, DfOlapError>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(&definition.schema),
        columns,
        &options,
    )?)
}

fn check_nulls(table: &str, column: &Column, array: &ArrayRef) -> Result<(), DfOlapError> {
    if !column.field.is_nullable() && array.logical_null_count() > 0 {
        return Err(DfOlapError::Invalid(format!(
            "NOT NULL: {table}.{} takes no NULL; give it a value or a DEFAULT",
            column.field.name()
        )));
    }
    Ok(())
}

/// Refuses a decimal with more digits than its column has, which Arrow lets a program put into an array.
fn check_digits(table: &str, column: &Column, array: &ArrayRef) -> Result<(), DfOlapError> {
    let checked = match array.data_type() {
        DataType::Decimal32(precision, _) => array
            .as_primitive::<Decimal32Type>()
            .validate_decimal_precision(*precision),
        DataType::Decimal64(precision, _) => array
            .as_primitive::<Decimal64Type>()
            .validate_decimal_precision(*precision),
        DataType::Decimal128(precision, _) => array
            .as_primitive::<Decimal128Type>()
            .validate_decimal_precision(*precision),
        DataType::Decimal256(precision, _) => array
            .as_primitive::<Decimal256Type>()
            .validate_decimal_precision(*precision),
        _ => Ok(()),
    };
    checked
        .map_err(|error| DfOlapError::Invalid(format!("{table}.{}: {error}", column.field.name())))
}

fn checked_cast(table: &str, column: &Column, array: &ArrayRef) -> Result<ArrayRef, DfOlapError> {
    let options = CastOptions {
        safe: false,
        format_options: FormatOptions::default(),
    };
    cast_with_options(array, column.field.data_type(), &options).map_err(|error| {
        DfOlapError::Invalid(format!(
            "{table}.{}: cannot cast {} to {}: {error}",
            column.field.name(),
            array.data_type(),
            column.field.data_type()
        ))
    })
}

/// Gives a caller's batch the schema of a table: finds columns by name in any order, fills missing columns with NULL
/// where that is allowed, and casts another encoding of the same values (a dictionary, a view, a wider offset).
///
/// # Errors
/// [`DfOlapError::SchemaMismatch`] for a column that the table does not have, that the data lacks, or that has another
/// type; `Invalid` for a NULL in a NOT NULL column, or a decimal with more digits than its column.
pub(crate) fn conform(
    table: &str,
    definition: &TableDefinition,
    batch: &RecordBatch,
) -> Result<RecordBatch, DfOlapError> {
    let theirs = batch.schema_ref();
    if Arc::ptr_eq(theirs, &definition.schema) || theirs.fields() == definition.schema.fields() {
        return shape(table, definition, batch.columns(), batch.num_rows());
    }
    for (index, field) in theirs.fields().iter().enumerate() {
        if theirs.fields()[..index]
            .iter()
            .any(|f| f.name() == field.name())
        {
            return Err(DfOlapError::SchemaMismatch(format!(
                "the data has two fields '{}'",
                field.name()
            )));
        }
        if definition.column(field.name()).is_none() {
            return Err(DfOlapError::SchemaMismatch(format!(
                "the data has a field '{}' that table {table} has not",
                field.name()
            )));
        }
    }
    let columns = definition
        .columns
        .iter()
        .map(|column| {
            let name = column.field.name();
            let expected = column.field.data_type();
            match theirs.fields().iter().position(|f| f.name() == name) {
                Some(index) => {
                    let array = batch.column(index);
                    let found = array.data_type();
                    if found == expected || same_values(found, expected) {
                        Ok(Arc::clone(array))
                    } else {
                        Err(DfOlapError::SchemaMismatch(format!(
                            "{table}.{name} is {expected}, the data has {found}"
                        )))
                    }
                }
                None if column.field.is_nullable() && column.default.is_none() => {
                    Ok(arrow::array::new_null_array(expected, batch.num_rows()))
                }
                None => Err(DfOlapError::SchemaMismatch(format!(
                    "the data lacks {table}.{name}, which is NOT NULL or has a DEFAULT"
                ))),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    shape(table, definition, &columns, batch.num_rows())
}

/// True if the two types hold the same values in another encoding.
pub(crate) fn same_values(found: &DataType, expected: &DataType) -> bool {
    fn plain(data_type: &DataType) -> DataType {
        match data_type {
            DataType::Dictionary(_, values) => plain(values),
            DataType::RunEndEncoded(_, values) => plain(values.data_type()),
            DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
            DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
            DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
                DataType::new_list(plain(item.data_type()), true)
            }
            other => other.clone(),
        }
    }
    can_cast_types(found, expected)
        && (plain(found) == plain(expected) || found.equals_datatype(expected))
}
