//! The values of one column while events are read.

use std::sync::Arc;

use arrow::array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Decimal256Builder,
    Float32Builder, Float64Builder, Int64Builder, StringBuilder, Time64NanosecondBuilder,
    UInt64Builder,
};
use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, StringArray, make_array, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, DecimalType, TimeUnit};
use arrow::error::ArrowError;

use super::convert::{boolean, date, decimal, float, integer, number_text, text, time, units};
use super::encoding::{Decimals, Encoding, Refused};
use super::json::Scalar;
use super::nested::{Nested, Part};
use super::{literal, numbers};

/// The values of a column. Where a value does not fit the column's type, a NULL stands in its place.
#[derive(Debug)]
pub(super) struct Values {
    to: DataType,
    builder: Builder,
    len: usize,
}

#[derive(Debug)]
enum Builder {
    Bool(BooleanBuilder),
    /// All signed integers.
    Int(Int64Builder),
    /// All unsigned integers.
    UInt(UInt64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    /// Decimals of up to 38 digits.
    Decimal128(Decimal128Builder, i8),
    Decimal256(Decimal256Builder, i8),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64NanosecondBuilder),
    /// Timestamps and durations, as numbers of this unit.
    Units(Int64Builder, TimeUnit),
    /// Lists, structs and maps.
    Nested(Nested),
    /// Other types: what Arrow casts from text.
    Cast(StringBuilder),
    /// A column that the table does not have: its type is that of all its values.
    Inferred(StringBuilder, Kinds),
}

/// What kinds of values a column without a type has.
#[derive(Debug, Default)]
struct Kinds {
    bools: bool,
    integers: bool,
    numbers: bool,
    others: bool,
}

impl Values {
    /// No values of a type; of any type, for a column that the table does not have.
    pub fn new(data_type: Option<&DataType>) -> Self {
        let Some(data_type) = data_type else {
            return Self {
                to: DataType::Null,
                builder: Builder::Inferred(StringBuilder::new(), Kinds::default()),
                len: 0,
            };
        };
        let to = match data_type {
            DataType::Dictionary(_, values) => values.as_ref().clone(),
            other => other.clone(),
        };
        let builder = match &to {
            DataType::Boolean => Builder::Bool(BooleanBuilder::new()),
            DataType::Float32 => Builder::Float32(Float32Builder::new()),
            DataType::Float64 => Builder::Float64(Float64Builder::new()),
            of if of.is_signed_integer() => Builder::Int(Int64Builder::new()),
            of if of.is_unsigned_integer() => Builder::UInt(UInt64Builder::new()),
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => {
                let of = DataType::Decimal128(*precision, *scale);
                Builder::Decimal128(Decimal128Builder::new().with_data_type(of), *scale)
            }
            DataType::Decimal256(_, scale) => {
                Builder::Decimal256(Decimal256Builder::new().with_data_type(to.clone()), *scale)
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Builder::Text(StringBuilder::new())
            }
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Builder::Bytes(BinaryBuilder::new()),
            DataType::Date32 | DataType::Date64 => Builder::Date(Date32Builder::new()),
            DataType::Time32(_) | DataType::Time64(_) => {
                Builder::Time(Time64NanosecondBuilder::new())
            }
            DataType::Timestamp(unit, _) | DataType::Duration(unit) => {
                Builder::Units(Int64Builder::new(), *unit)
            }
            of => match Nested::new(of, &|of| Box::new(Self::new(Some(of)))) {
                Some(nested) => Builder::Nested(nested),
                None => Builder::Cast(StringBuilder::new()),
            },
        };
        Self {
            to,
            builder,
            len: 0,
        }
    }

    pub fn append_null(&mut self) {
        self.len += 1;
        match &mut self.builder {
            Builder::Bool(to) => to.append_null(),
            Builder::Int(to) | Builder::Units(to, _) => to.append_null(),
            Builder::UInt(to) => to.append_null(),
            Builder::Float32(to) => to.append_null(),
            Builder::Float64(to) => to.append_null(),
            Builder::Decimal128(to, _) => to.append_null(),
            Builder::Decimal256(to, _) => to.append_null(),
            Builder::Text(to) | Builder::Cast(to) | Builder::Inferred(to, _) => to.append_null(),
            Builder::Nested(to) => to.append_null(),
            Builder::Bytes(to) => to.append_null(),
            Builder::Date(to) => to.append_null(),
            Builder::Time(to) => to.append_null(),
        }
    }

    /// Appends a value. If it is refused, a NULL has to be appended in its place.
    pub fn append(&mut self, value: &Scalar<'_>, as_: Encoding) -> Result<(), Refused> {
        if *value == Scalar::Null {
            self.append_null();
            return Ok(());
        }
        self.append_value(value, as_)?;
        self.len += 1;
        Ok(())
    }

    fn append_value(&mut self, value: &Scalar<'_>, as_: Encoding) -> Result<(), Refused> {
        let unfit = Refused::Unfit;
        match &mut self.builder {
            Builder::Bool(to) => to.append_value(boolean(value).ok_or(unfit)?),
            Builder::Int(to) => {
                let value = integer(value, as_.decimals)?;
                let most = i128::MAX >> (128 - bits(&self.to));
                if !(-most - 1..=most).contains(&value) {
                    return Err(unfit);
                }
                to.append_value(value as i64);
            }
            Builder::UInt(to) => {
                let value = integer(value, as_.decimals)?;
                let wrapped = i64::try_from(value).ok();
                let wrapped = wrapped.filter(|_| as_.wraps && self.to == DataType::UInt64);
                let value = match wrapped {
                    Some(value) => i128::from(value as u64),
                    None => value,
                };
                let most = i128::from(u64::MAX >> (64 - bits(&self.to)));
                if !(0..=most).contains(&value) {
                    return Err(unfit);
                }
                to.append_value(value as u64);
            }
            Builder::Float32(to) => {
                let text = number_text(value, as_.decimals)?;
                to.append_value(float::<f32>(&text, f32::is_infinite).ok_or(unfit)?);
            }
            Builder::Float64(to) => {
                let text = number_text(value, as_.decimals)?;
                to.append_value(float::<f64>(&text, f64::is_infinite).ok_or(unfit)?);
            }
            Builder::Decimal128(to, scale) => {
                let value = decimal(value, as_.decimals, *scale)?.to_i128();
                let value = value.ok_or(Refused::Unfit)?;
                let (precision, scale) = precision_and_scale(&self.to);
                Decimal128Type::validate_decimal_precision(value, precision, scale)
                    .map_err(|_| Refused::Unfit)?;
                to.append_value(value);
            }
            Builder::Decimal256(to, scale) => {
                let value = decimal(value, as_.decimals, *scale)?;
                let (precision, scale) = precision_and_scale(&self.to);
                Decimal256Type::validate_decimal_precision(value, precision, scale)
                    .map_err(|_| Refused::Unfit)?;
                to.append_value(value);
            }
            Builder::Text(to) => to.append_value(text(value, as_.decimals).ok_or(unfit)?),
            Builder::Bytes(to) => {
                let Scalar::Text(text) = value else {
                    return Err(unfit);
                };
                let bytes = as_.bytes.decode(text).ok_or(Refused::Unfit)?;
                match self.to {
                    DataType::FixedSizeBinary(size) if usize::try_from(size) != Ok(bytes.len()) => {
                        return Err(unfit);
                    }
                    _ => to.append_value(bytes),
                }
            }
            Builder::Date(to) => to.append_value(date(value, as_.times).ok_or(unfit)?),
            Builder::Time(to) => {
                let of_column = match self.to {
                    DataType::Time32(unit) | DataType::Time64(unit) => unit,
                    _ => TimeUnit::Nanosecond,
                };
                let time = time(value, as_.times, of_column)?;
                if time % numbers::nanos(of_column) != 0 {
                    return Err(unfit);
                }
                to.append_value(time);
            }
            Builder::Units(to, unit) => {
                let is_moment = matches!(self.to, DataType::Timestamp(..));
                to.append_value(units(value, as_.times, *unit, is_moment)?);
            }
            Builder::Nested(to) => match value {
                Scalar::Nested(json) => to.append(json, as_)?,
                // The source has text, in JSON or as PostgreSQL writes arrays.
                Scalar::Text(text) => match literal::to_json(text, &self.to) {
                    Some(json) => to.append(&json, as_)?,
                    None => to.append(text, as_)?,
                },
                _ => return Err(unfit),
            },
            Builder::Cast(to) => {
                let text = match value {
                    Scalar::Text(text) => text.as_ref(),
                    Scalar::Number(text) if !self.to.is_temporal() => text,
                    _ => return Err(unfit),
                };
                let one = StringArray::from(vec![text]);
                let is_fit = cast(&one, &self.to).is_ok_and(|value| value.is_valid(0));
                if !is_fit {
                    return Err(unfit);
                }
                to.append_value(text);
            }
            Builder::Inferred(to, kinds) => {
                match value {
                    Scalar::Bool(_) => kinds.bools = true,
                    Scalar::Number(text) if text.parse::<i64>().is_ok() => kinds.integers = true,
                    Scalar::Number(_) => kinds.numbers = true,
                    _ => kinds.others = true,
                }
                to.append_value(text(value, Decimals::Text).ok_or(unfit)?);
            }
        }
        Ok(())
    }

    /// The values, in the column's type or in one that fits it without loss.
    pub fn finish(self) -> Result<ArrayRef, ArrowError> {
        Ok(match self.builder {
            Builder::Bool(mut values) => Arc::new(values.finish()),
            Builder::Int(mut values) => Arc::new(values.finish()),
            Builder::UInt(mut values) => Arc::new(values.finish()),
            Builder::Float32(mut values) => Arc::new(values.finish()),
            Builder::Float64(mut values) => Arc::new(values.finish()),
            Builder::Decimal128(mut values, _) => Arc::new(values.finish()),
            Builder::Decimal256(mut values, _) => Arc::new(values.finish()),
            Builder::Text(mut values) => Arc::new(values.finish()),
            Builder::Bytes(mut values) => {
                let values = values.finish();
                match self.to {
                    DataType::FixedSizeBinary(size) => {
                        let values = values.iter();
                        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                            values, size,
                        )?)
                    }
                    _ => Arc::new(values),
                }
            }
            Builder::Date(mut values) => Arc::new(values.finish()),
            Builder::Time(mut values) => Arc::new(values.finish()),
            Builder::Units(mut values, _) => {
                let data = values.finish().into_data().into_builder();
                make_array(data.data_type(self.to).build()?)
            }
            Builder::Nested(values) => values.finish()?,
            Builder::Cast(mut values) => {
                let texts = values.finish();
                match texts.null_count() == texts.len() {
                    true => new_null_array(&self.to, texts.len()),
                    false => cast(&texts, &self.to)?,
                }
            }
            Builder::Inferred(mut values, kinds) => kinds.of(Arc::new(values.finish()))?,
        })
    }
}

impl Kinds {
    /// The texts in the type of all values.
    fn of(&self, texts: ArrayRef) -> Result<ArrayRef, ArrowError> {
        let to = match self {
            Self { others: true, .. } => return Ok(texts),
            Self {
                bools: true,
                integers: false,
                numbers: false,
                ..
            } => DataType::Boolean,
            Self { bools: true, .. } => return Ok(texts),
            Self { numbers: true, .. } => DataType::Float64,
            Self { integers: true, .. } => DataType::Int64,
            _ => DataType::Null,
        };
        if to == DataType::Null {
            return Ok(new_null_array(&to, texts.len()));
        }
        let values = cast(&texts, &to)?;
        // Numbers that a double cannot hold stay text.
        let is_exact = to != DataType::Float64
            || texts
                .as_string::<i32>()
                .iter()
                .flatten()
                .all(is_exact_as_double);
        Ok(if is_exact { values } else { texts })
    }
}

/// Whether a double has the digits of a number.
fn is_exact_as_double(text: &str) -> bool {
    let digits = text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E'));
    let is_finite = text.parse().is_ok_and(f64::is_finite);
    is_finite && digits.filter(u8::is_ascii_digit).count() <= 15
}

/// The width of an integer type.
fn bits(data_type: &DataType) -> usize {
    8 * data_type.primitive_width().unwrap_or(8)
}

fn precision_and_scale(of: &DataType) -> (u8, i8) {
    match of {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => (*precision, *scale),
        _ => (0, 0),
    }
}

impl Part for Values {
    fn len(&self) -> usize {
        self.len
    }

    fn append_null(&mut self) {
        self.append_null();
    }

    fn append(&mut self, value: &Scalar<'_>, as_: Encoding) -> Result<(), Refused> {
        self.append(value, as_)
    }

    fn finish(self: Box<Self>) -> Result<ArrayRef, ArrowError> {
        (*self).finish()
    }
}
