//! Arrow 58, in which Rhei speaks, and the Arrow of this crate.
//!
//! Schemas and arrays cross by the C Data Interface, whose two structs both versions declare. Buffers are moved and
//! not copied: the array of one version keeps that of the other alive, and drops it through its release callback.

#![allow(
    unsafe_code,
    reason = "two versions of one crate share structs of the C Data Interface"
)]

use std::mem::transmute;
use std::sync::Arc;

use arrow::array::{ArrayData, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow::compute::cast;
use arrow::datatypes as types_59;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_58::array as array_58;
use arrow_58::datatypes as types_58;
use arrow_58::ffi as ffi_58;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};

use crate::error::DfOlapError;

// SAFETY of all `transmute` here: both structs are `repr(C)` and declared by the C Data Interface, in both versions
// with the same fields; each holds the release callback of the version that made it, which frees it wherever it is
// dropped.
const _: () = assert!(size_of::<FFI_ArrowArray>() == size_of::<ffi_58::FFI_ArrowArray>());
const _: () = assert!(size_of::<FFI_ArrowSchema>() == size_of::<ffi_58::FFI_ArrowSchema>());

fn failed(error: impl std::fmt::Display) -> DfOlapError {
    DfOlapError::Invalid(format!("between Arrow 58 and 59: {error}"))
}

/// The schema of results for Rhei, and their conversion.
pub(super) struct ToRhei {
    schema: types_58::SchemaRef,
    /// The types that columns are cast to first.
    types: Vec<DataType>,
}

impl ToRhei {
    /// Texts and bytes are plain arrays for Rhei, whatever a plan makes of them.
    pub fn new(schema: &Schema) -> Result<Self, DfOlapError> {
        let fields = schema.fields().iter().map(plain_field);
        let fields: Vec<FieldRef> = fields.collect();
        // Arrow panics at a NUL byte in a time zone; one in a name is an error there.
        if let Some(zone) = fields.iter().find_map(|field| nul_in(field.data_type())) {
            return Err(nul_in_zone(&zone));
        }
        let types = fields.iter().map(|field| field.data_type().clone());
        let types = types.collect();
        let fields = fields.iter().map(|field| field_to_rhei(field));
        let fields = fields.collect::<Result<Vec<_>, DfOlapError>>()?;
        let schema = types_58::Schema::new_with_metadata(fields, schema.metadata().clone());
        Ok(Self {
            schema: Arc::new(schema),
            types,
        })
    }

    pub fn batch(&self, batch: &RecordBatch) -> Result<array_58::RecordBatch, DfOlapError> {
        let fields = self.schema.fields().iter().zip(&self.types);
        let columns = batch.columns().iter().zip(fields);
        let columns = columns.map(|(column, (field, data_type))| {
            let plain = match column.data_type() == data_type {
                true => column.to_data(),
                false => cast(column, data_type)?.to_data(),
            };
            let array = FFI_ArrowArray::new(&plain);
            // SAFETY: see the head of this file; `field` has the type of the array.
            let data = unsafe {
                let array: ffi_58::FFI_ArrowArray = transmute(array);
                ffi_58::from_ffi_and_data_type(array, field.data_type().clone())
            };
            Ok(array_58::make_array(data.map_err(failed)?))
        });
        let columns = columns.collect::<Result<Vec<_>, DfOlapError>>()?;
        let options = array_58::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::clone(&self.schema);
        array_58::RecordBatch::try_new_with_options(schema, columns, &options).map_err(failed)
    }
}

/// Batches for Rhei.
pub(super) fn batches_to_rhei(
    batches: &[RecordBatch],
) -> Result<Vec<array_58::RecordBatch>, DfOlapError> {
    let Some(first) = batches.first() else {
        return Ok(Vec::new());
    };
    let to = ToRhei::new(first.schema_ref())?;
    batches.iter().map(|batch| to.batch(batch)).collect()
}

/// A type without children of one version in the other. Through the C Data Interface it would be a text that is written
/// and parsed, for each column of each query.
macro_rules! flat_type {
    ($name:ident, $from:ident, $to:ident) => {
        fn $name(data_type: &$from::DataType) -> Option<$to::DataType> {
            use $from::DataType as From;
            use $to::DataType as To;

            let time = |unit: &$from::TimeUnit| match unit {
                $from::TimeUnit::Second => $to::TimeUnit::Second,
                $from::TimeUnit::Millisecond => $to::TimeUnit::Millisecond,
                $from::TimeUnit::Microsecond => $to::TimeUnit::Microsecond,
                $from::TimeUnit::Nanosecond => $to::TimeUnit::Nanosecond,
            };
            let interval = |unit: &$from::IntervalUnit| match unit {
                $from::IntervalUnit::YearMonth => $to::IntervalUnit::YearMonth,
                $from::IntervalUnit::DayTime => $to::IntervalUnit::DayTime,
                $from::IntervalUnit::MonthDayNano => $to::IntervalUnit::MonthDayNano,
            };
            Some(match data_type {
                From::Null => To::Null,
                From::Boolean => To::Boolean,
                From::Int8 => To::Int8,
                From::Int16 => To::Int16,
                From::Int32 => To::Int32,
                From::Int64 => To::Int64,
                From::UInt8 => To::UInt8,
                From::UInt16 => To::UInt16,
                From::UInt32 => To::UInt32,
                From::UInt64 => To::UInt64,
                From::Float16 => To::Float16,
                From::Float32 => To::Float32,
                From::Float64 => To::Float64,
                From::Date32 => To::Date32,
                From::Date64 => To::Date64,
                From::Time32(unit) => To::Time32(time(unit)),
                From::Time64(unit) => To::Time64(time(unit)),
                From::Timestamp(unit, zone) => To::Timestamp(time(unit), zone.clone()),
                From::Duration(unit) => To::Duration(time(unit)),
                From::Interval(unit) => To::Interval(interval(unit)),
                From::Decimal32(digits, scale) => To::Decimal32(*digits, *scale),
                From::Decimal64(digits, scale) => To::Decimal64(*digits, *scale),
                From::Decimal128(digits, scale) => To::Decimal128(*digits, *scale),
                From::Decimal256(digits, scale) => To::Decimal256(*digits, *scale),
                From::Utf8 => To::Utf8,
                From::LargeUtf8 => To::LargeUtf8,
                From::Utf8View => To::Utf8View,
                From::Binary => To::Binary,
                From::LargeBinary => To::LargeBinary,
                From::BinaryView => To::BinaryView,
                From::FixedSizeBinary(length) => To::FixedSizeBinary(*length),
                _ => return None,
            })
        }
    };
}

flat_type!(flat_to_rhei, types_59, types_58);
flat_type!(flat_from_rhei, types_58, types_59);

fn field_to_rhei(field: &Field) -> Result<types_58::Field, DfOlapError> {
    let Some(data_type) = flat_to_rhei(field.data_type()) else {
        let field = FFI_ArrowSchema::try_from(field).map_err(failed)?;
        // SAFETY: see the head of this file.
        let field: ffi_58::FFI_ArrowSchema = unsafe { transmute(field) };
        return types_58::Field::try_from(&field).map_err(failed);
    };
    if field.name().contains('\0') {
        return Err(nul_in_name(field.name()));
    }
    let field_58 = types_58::Field::new(field.name(), data_type, field.is_nullable());
    Ok(field_58.with_metadata(field.metadata().clone()))
}

fn field_from_rhei(field: &types_58::Field) -> Result<Field, DfOlapError> {
    check(field)?;
    let Some(data_type) = flat_from_rhei(field.data_type()) else {
        let field = ffi_58::FFI_ArrowSchema::try_from(field).map_err(failed)?;
        // SAFETY: see the head of this file.
        let field: FFI_ArrowSchema = unsafe { transmute(field) };
        return Field::try_from(&field).map_err(failed);
    };
    let field_59 = Field::new(field.name(), data_type, field.is_nullable());
    Ok(field_59.with_metadata(field.metadata().clone()))
}

/// A field whose type has plain arrays in the place of views.
fn plain_field(field: &FieldRef) -> FieldRef {
    let data_type = plain(field.data_type());
    match data_type == *field.data_type() {
        true => Arc::clone(field),
        false => Arc::new(Field::clone(field).with_data_type(data_type)),
    }
}

fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) => DataType::LargeList(plain_field(item)),
        DataType::FixedSizeList(item, length) => {
            DataType::FixedSizeList(plain_field(item), *length)
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(plain_field(entries), *sorted),
        DataType::Dictionary(keys, values) => {
            DataType::Dictionary(keys.clone(), Box::new(plain(values)))
        }
        other => other.clone(),
    }
}

/// A time zone with a NUL byte in a type.
fn nul_in(data_type: &DataType) -> Option<Arc<str>> {
    match data_type {
        DataType::Timestamp(_, Some(zone)) => zone.contains('\0').then(|| Arc::clone(zone)),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => nul_in(item.data_type()),
        DataType::Struct(fields) => fields.iter().find_map(|field| nul_in(field.data_type())),
        DataType::Union(fields, _) => {
            let mut fields = fields.iter();
            fields.find_map(|(_, field)| nul_in(field.data_type()))
        }
        DataType::Dictionary(_, values) => nul_in(values),
        DataType::RunEndEncoded(_, values) => nul_in(values.data_type()),
        _ => None,
    }
}

fn nul_in_zone(zone: &str) -> DfOlapError {
    DfOlapError::Invalid(format!(
        "the time zone '{}' has a NUL byte; leave it out",
        zone.escape_debug()
    ))
}

fn nul_in_name(name: &str) -> DfOlapError {
    DfOlapError::Invalid(format!(
        "the column name '{}' has a NUL byte; leave it out",
        name.escape_debug()
    ))
}

/// A schema of Rhei in this crate's Arrow.
pub(super) fn schema_from_rhei(schema: &types_58::Schema) -> Result<SchemaRef, DfOlapError> {
    let fields = schema.fields().iter().map(|field| field_from_rhei(field));
    let fields = fields.collect::<Result<Vec<_>, DfOlapError>>()?;
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    Ok(Arc::new(schema))
}

/// A type of Rhei in this crate's Arrow.
pub(super) fn type_from_rhei(data_type: &types_58::DataType) -> Result<DataType, DfOlapError> {
    let field = field_from_rhei(&types_58::Field::new("type", data_type.clone(), true))?;
    Ok(field.data_type().clone())
}

/// Batches of Rhei in this crate's Arrow.
pub(super) fn batches_from_rhei(
    batches: &[array_58::RecordBatch],
) -> Result<Vec<RecordBatch>, DfOlapError> {
    let mut known: Option<(types_58::SchemaRef, SchemaRef)> = None;
    let batches = batches.iter().map(|batch| {
        let schema = match &known {
            Some((theirs, ours)) if *theirs == batch.schema() => Arc::clone(ours),
            _ => {
                let ours = schema_from_rhei(batch.schema_ref())?;
                known = Some((batch.schema(), Arc::clone(&ours)));
                ours
            }
        };
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| {
            let array = ffi_58::FFI_ArrowArray::new(&column.to_data());
            // SAFETY: see the head of this file; `field` has the type of the array.
            let data: ArrayData = unsafe {
                let array: FFI_ArrowArray = transmute(array);
                from_ffi_and_data_type(array, field.data_type().clone())
            }?;
            Ok(make_array(data))
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, DfOlapError>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&schema),
            columns,
            &options,
        )?)
    });
    batches.collect()
}

/// Refuses what the C Data Interface cannot carry: Arrow 58 panics at a NUL byte in a name.
fn check(field: &types_58::Field) -> Result<(), DfOlapError> {
    if field.name().contains('\0') {
        return Err(nul_in_name(field.name()));
    }
    check_type(field.data_type())
}

fn check_type(data_type: &types_58::DataType) -> Result<(), DfOlapError> {
    use types_58::DataType as D;
    match data_type {
        D::Timestamp(_, Some(zone)) if zone.contains('\0') => Err(nul_in_zone(zone)),
        D::List(item)
        | D::LargeList(item)
        | D::ListView(item)
        | D::LargeListView(item)
        | D::FixedSizeList(item, _)
        | D::Map(item, _) => check(item),
        D::Struct(fields) => fields.iter().try_for_each(|field| check(field)),
        D::Union(fields, _) => fields.iter().try_for_each(|(_, field)| check(field)),
        D::Dictionary(_, values) => check_type(values),
        D::RunEndEncoded(ends, values) => check(ends).and_then(|()| check(values)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Int64Array, ListArray, StringArray, StringViewArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    /// The addresses of the buffers of an array and of its children.
    fn addresses(data: &ArrayData) -> Vec<*const u8> {
        let own = data.buffers().iter().map(|buffer| buffer.as_ptr());
        let nulls = data.nulls().map(|nulls| nulls.buffer().as_ptr());
        let children = data.child_data().iter().flat_map(addresses);
        own.chain(nulls).chain(children).collect()
    }

    fn addresses_58(data: &array_58::ArrayData) -> Vec<*const u8> {
        let own = data.buffers().iter().map(|buffer| buffer.as_ptr());
        let nulls = data.nulls().map(|nulls| nulls.buffer().as_ptr());
        let children = data.child_data().iter().flat_map(addresses_58);
        own.chain(nulls).chain(children).collect()
    }

    fn some_batch() -> RecordBatch {
        let lists = [Some(vec![Some(1), None]), None, Some(Vec::new())];
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(lists);
        let columns: [(&str, ArrayRef); 4] = [
            (
                "number",
                Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
            ),
            (
                "text",
                Arc::new(StringArray::from(vec![Some("a"), None, Some("it's")])),
            ),
            (
                "flag",
                Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            ),
            ("list", Arc::new(lists)),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn buffers_are_moved_and_not_copied() {
        let batch = some_batch();
        let theirs = batches_to_rhei(std::slice::from_ref(&batch)).unwrap();
        for (ours, theirs) in batch.columns().iter().zip(theirs[0].columns()) {
            use array_58::Array as _;
            let (ours, theirs) = (ours.to_data(), theirs.to_data());
            assert_eq!(addresses(&ours), addresses_58(&theirs));
        }
        let back = batches_from_rhei(&theirs).unwrap();
        for (before, after) in batch.columns().iter().zip(back[0].columns()) {
            assert_eq!(addresses(&before.to_data()), addresses(&after.to_data()));
        }
        assert_eq!(back[0], batch);
    }

    #[test]
    fn an_array_outlives_the_batch_that_it_came_from() {
        let batch = some_batch();
        let slice = batch.slice(1, 2);
        drop(batch);
        let theirs = batches_to_rhei(std::slice::from_ref(&slice)).unwrap();
        let expected = slice.columns().iter().map(|column| format!("{column:?}"));
        let expected: Vec<String> = expected.collect();
        drop(slice);
        let back = batches_from_rhei(&theirs).unwrap();
        drop(theirs);
        let shown = back[0].columns().iter().map(|column| format!("{column:?}"));
        assert_eq!(shown.collect::<Vec<String>>(), expected);
    }

    #[test]
    fn what_a_batch_says_beside_its_rows_stays() {
        let field = Field::new("n", DataType::Int32, true);
        let field = field.with_metadata([("of".to_string(), "field".to_string())].into());
        let metadata = [("of".to_string(), "schema".to_string())].into();
        let schema = Arc::new(Schema::new_with_metadata(vec![field], metadata));
        let theirs = ToRhei::new(&schema).unwrap().schema;
        assert_eq!(theirs.metadata()["of"], "schema");
        assert_eq!(theirs.field(0).metadata()["of"], "field");
        assert_eq!(schema_from_rhei(&theirs).unwrap(), schema);
        let empty = RecordBatch::new_empty(schema);
        let theirs = batches_to_rhei(std::slice::from_ref(&empty)).unwrap();
        assert_eq!(batches_from_rhei(&theirs).unwrap(), [empty]);
        // Rows without columns.
        let options = RecordBatchOptions::new().with_row_count(Some(7));
        let rows = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options);
        let theirs = batches_to_rhei(&[rows.unwrap()]).unwrap();
        assert_eq!(theirs[0].num_rows(), 7);
        assert_eq!(batches_from_rhei(&theirs).unwrap()[0].num_rows(), 7);
    }

    #[test]
    fn views_become_plain_arrays() {
        let long = "a text that is longer than a view";
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some(long), None]));
        let batch = RecordBatch::try_from_iter([("text", texts)]).unwrap();
        let theirs = batches_to_rhei(&[batch]).unwrap();
        let texts = theirs[0].column(0).as_any();
        let texts = texts.downcast_ref::<array_58::StringArray>().unwrap();
        assert_eq!(texts.iter().collect::<Vec<_>>(), [Some(long), None]);
    }
}
