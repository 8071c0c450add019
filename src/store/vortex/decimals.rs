//! Zeroes decimals that do not fit their precision, as in NULL slots, before they are written to a file.
//!
//! An Arrow array has a value in each slot, also in a NULL slot, where the value is arbitrary: for example a result
//! that was computed before the NULL was known. Vortex 0.90 narrows decimals to the fewest bytes that their precision
//! needs, and panics at a value that does not fit, also in a NULL slot. So such values become zero. Values of a column
//! of decimals are checked before they are written; those within lists and structs are not.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, RecordBatch, RecordBatchOptions,
    make_array,
};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, DecimalType};
use arrow::error::ArrowError;

/// The batch, with zero for each decimal that does not fit its precision.
pub(super) fn zero_overflowing_decimals(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    if !schema
        .fields()
        .iter()
        .any(|field| has_decimals(field.data_type()))
    {
        return Ok(batch);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch.columns().iter().map(zero_overflowing);
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new_with_options(schema, columns, &options)
}

fn has_decimals(data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal128(..) | DataType::Decimal256(..) => true,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => has_decimals(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_decimals(field.data_type())),
        DataType::Dictionary(_, values) => has_decimals(values),
        _ => false,
    }
}

fn zero_overflowing(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Decimal128(precision, scale) => {
            let array = array.as_primitive::<Decimal128Type>();
            let fits =
                |value: &i128| Decimal128Type::is_valid_decimal_precision(*value, *precision);
            if array.values().iter().all(fits) {
                return Ok(Arc::new(array.clone()));
            }
            let values = array.values().iter();
            let values = values
                .map(|value| if fits(value) { *value } else { 0 })
                .collect();
            let made = Decimal128Array::new(values, array.nulls().cloned());
            Ok(Arc::new(made.with_precision_and_scale(*precision, *scale)?))
        }
        DataType::Decimal256(precision, scale) => {
            let array = array.as_primitive::<Decimal256Type>();
            let fits = |value: &_| Decimal256Type::is_valid_decimal_precision(*value, *precision);
            if array.values().iter().all(fits) {
                return Ok(Arc::new(array.clone()));
            }
            let values = array.values().iter();
            let values = values
                .map(|value| {
                    if fits(value) {
                        *value
                    } else {
                        Default::default()
                    }
                })
                .collect();
            let made = Decimal256Array::new(values, array.nulls().cloned());
            Ok(Arc::new(made.with_precision_and_scale(*precision, *scale)?))
        }
        data_type if has_decimals(data_type) => {
            let data = array.to_data();
            let parts = data.child_data().iter();
            let parts =
                parts.map(|part| Ok(zero_overflowing(&make_array(part.clone()))?.to_data()));
            let parts = parts.collect::<Result<Vec<_>, ArrowError>>()?;
            Ok(make_array(data.into_builder().child_data(parts).build()?))
        }
        _ => Ok(Arc::clone(array)),
    }
}
