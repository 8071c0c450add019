//! The values of one column while events are read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Decimal256Builder,
    Float32Builder, Float64Builder, Int64Builder, StringBuilder, Time64NanosecondBuilder,
    UInt64Builder,
};
use arrow::array::{Array, ArrayRef, AsArray, make_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, DecimalType, TimeUnit, i256};
use arrow::error::ArrowError;

use super::encoding::{Bytes, Decimals, Encoding, Times};
use super::json::Scalar;
use super::{literal, nested, numbers};

/// The values of a column. Where a value does not fit the column's type, a NULL stands in its place.
#[derive(Debug)]
pub(super) struct Values {
    to: DataType,
    builder: Builder,
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
    /// JSON of lists, structs and maps.
    Nested(StringBuilder),
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

/// Why a value was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It does not fit the type.
    Unfit,
    /// The events do not say what it means, but the caller can.
    Unknown(&'static str),
}

const UNKNOWN_DECIMAL: &str =
    "may be a decimal or one in Base64, which the event does not tell; call EventReader::decimals";
const UNKNOWN_UNIT: &str =
    "is a time whose unit the event does not tell; call EventReader::time_unit";

impl Values {
    /// No values of a type; of any type, for a column that the table does not have.
    pub fn new(data_type: Option<&DataType>) -> Self {
        let Some(data_type) = data_type else {
            return Self {
                to: DataType::Null,
                builder: Builder::Inferred(StringBuilder::new(), Kinds::default()),
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
            of if of.is_nested() => Builder::Nested(StringBuilder::new()),
            _ => Builder::Cast(StringBuilder::new()),
        };
        Self { to, builder }
    }

    pub fn append_null(&mut self) {
        match &mut self.builder {
            Builder::Bool(to) => to.append_null(),
            Builder::Int(to) | Builder::Units(to, _) => to.append_null(),
            Builder::UInt(to) => to.append_null(),
            Builder::Float32(to) => to.append_null(),
            Builder::Float64(to) => to.append_null(),
            Builder::Decimal128(to, _) => to.append_null(),
            Builder::Decimal256(to, _) => to.append_null(),
            Builder::Text(to)
            | Builder::Nested(to)
            | Builder::Cast(to)
            | Builder::Inferred(to, _) => to.append_null(),
            Builder::Bytes(to) => to.append_null(),
            Builder::Date(to) => to.append_null(),
            Builder::Time(to) => to.append_null(),
        }
    }

    /// Appends a value. If it is refused, nothing is appended.
    pub fn append(&mut self, value: &Scalar<'_>, as_: Encoding) -> Result<(), Refused> {
        if *value == Scalar::Null {
            self.append_null();
            return Ok(());
        }
        let unfit = Refused::Unfit;
        match &mut self.builder {
            Builder::Bool(to) => to.append_value(boolean(value).ok_or(unfit)?),
            Builder::Int(to) => {
                let value = integer(value, as_.decimals).ok_or(unfit)?;
                to.append_value(i64::try_from(value).map_err(|_| Refused::Unfit)?);
            }
            Builder::UInt(to) => {
                let value = integer(value, as_.decimals).ok_or(unfit)?;
                let wrapped = i64::try_from(value).ok().filter(|_| as_.wraps);
                let value = match wrapped {
                    Some(value) => value as u64,
                    None => u64::try_from(value).map_err(|_| Refused::Unfit)?,
                };
                to.append_value(value);
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
                to.append_value(as_.bytes.decode(text).ok_or(unfit)?);
            }
            Builder::Date(to) => to.append_value(date(value).ok_or(unfit)?),
            Builder::Time(to) => {
                let of_column = match self.to {
                    DataType::Time32(unit) | DataType::Time64(unit) => unit,
                    _ => TimeUnit::Nanosecond,
                };
                to.append_value(time(value, as_.times, of_column)?);
            }
            Builder::Units(to, unit) => {
                let is_moment = matches!(self.to, DataType::Timestamp(..));
                to.append_value(units(value, as_.times, *unit, is_moment)?);
            }
            Builder::Nested(to) => match value {
                Scalar::Nested(text) => to.append_value(text),
                // The source has text, in JSON or as PostgreSQL writes arrays.
                Scalar::Text(text) => match literal::to_json(text, &self.to) {
                    Some(json) => to.append_value(json),
                    None if is_json(text) => to.append_value(text),
                    None => return Err(unfit),
                },
                _ => return Err(unfit),
            },
            Builder::Cast(to) => match value {
                Scalar::Text(text) => to.append_value(text),
                Scalar::Number(text) if !self.to.is_temporal() => to.append_value(text),
                _ => return Err(unfit),
            },
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

    /// The values as an array, and the rows whose value does not fit the type, with that value.
    pub fn finish(self) -> Result<(ArrayRef, BTreeMap<usize, String>), ArrowError> {
        let mut bad = BTreeMap::new();
        let array: ArrayRef = match self.builder {
            Builder::Bool(mut values) => Arc::new(values.finish()),
            Builder::Int(mut values) => Arc::new(values.finish()),
            Builder::UInt(mut values) => Arc::new(values.finish()),
            Builder::Float32(mut values) => Arc::new(values.finish()),
            Builder::Float64(mut values) => Arc::new(values.finish()),
            Builder::Decimal128(mut values, _) => Arc::new(values.finish()),
            Builder::Decimal256(mut values, _) => Arc::new(values.finish()),
            Builder::Text(mut values) => Arc::new(values.finish()),
            Builder::Bytes(mut values) => Arc::new(values.finish()),
            Builder::Date(mut values) => Arc::new(values.finish()),
            Builder::Time(mut values) => Arc::new(values.finish()),
            Builder::Units(mut values, _) => {
                let data = values.finish().into_data().into_builder();
                make_array(data.data_type(self.to).build()?)
            }
            Builder::Nested(mut values) => {
                let texts = values.finish();
                let (array, rows) = nested::decode(&texts, &self.to)?;
                bad.extend(
                    rows.into_iter()
                        .map(|row| (row, texts.value(row).to_string())),
                );
                array
            }
            Builder::Cast(mut values) => {
                let texts = values.finish();
                let array = cast(&texts, &self.to)?;
                for row in 0..texts.len() {
                    if texts.is_valid(row) && array.is_null(row) {
                        bad.insert(row, format!("'{}'", texts.value(row).escape_debug()));
                    }
                }
                array
            }
            Builder::Inferred(mut values, kinds) => {
                let texts: ArrayRef = Arc::new(values.finish());
                kinds.of(texts)?
            }
        };
        Ok((array, bad))
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
            return Ok(arrow::array::new_null_array(&to, texts.len()));
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
    digits.filter(u8::is_ascii_digit).count() <= 15
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

fn is_json(text: &str) -> bool {
    matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['))
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn boolean(value: &Scalar<'_>) -> Option<bool> {
    match value {
        Scalar::Bool(value) => Some(*value),
        Scalar::Number("1") => Some(true),
        Scalar::Number("0") => Some(false),
        Scalar::Text(text) => match text.to_ascii_lowercase().as_str() {
            "t" | "true" | "1" => Some(true),
            "f" | "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn integer(value: &Scalar<'_>, decimals: Decimals) -> Option<i128> {
    let text: &str = match value {
        Scalar::Number(text) => text,
        Scalar::Bool(value) => return Some(i128::from(*value)),
        Scalar::Text(text) => match decimals {
            Decimals::Base64(Some(_)) => return decimal(value, decimals, 0).ok()?.to_i128(),
            _ => text,
        },
        Scalar::Nested(_) => return decimal(value, decimals, 0).ok()?.to_i128(),
        Scalar::Null => return None,
    };
    match text.parse::<i64>() {
        Ok(value) => Some(i128::from(value)),
        Err(_) => numbers::decimal(text, 0)?.to_i128(),
    }
}

/// A number as it is written.
fn number_text<'a>(value: &'a Scalar<'_>, decimals: Decimals) -> Result<Cow<'a, str>, Refused> {
    text(value, decimals)
        .filter(|_| !matches!(value, Scalar::Bool(_)))
        .ok_or(Refused::Unfit)
}

/// The nearest number, unless it is infinite because the text's number is too large.
fn float<F: std::str::FromStr + Copy>(text: &str, is_infinite: fn(F) -> bool) -> Option<F> {
    let value = text.parse::<F>().ok()?;
    let says_so = !text.bytes().any(|byte| byte.is_ascii_digit());
    (says_so || !is_infinite(value)).then_some(value)
}

/// A decimal as an integer with `scale` digits after the point.
fn decimal(value: &Scalar<'_>, decimals: Decimals, scale: i8) -> Result<i256, Refused> {
    let found = match (value, decimals) {
        (Scalar::Number(text), _) => numbers::decimal(text, scale),
        (Scalar::Text(text), Decimals::Text) => numbers::decimal(text, scale),
        (Scalar::Text(text), Decimals::Base64(from)) => {
            let bytes = Bytes::Base64.decode(text);
            bytes.and_then(|bytes| {
                numbers::unscaled(&bytes, from.unwrap_or(i32::from(scale)), scale)
            })
        }
        (Scalar::Text(_), Decimals::Unknown) => return Err(Refused::Unknown(UNKNOWN_DECIMAL)),
        (Scalar::Nested(text), _) => {
            variable(text).and_then(|(bytes, from)| numbers::unscaled(&bytes, from, scale))
        }
        _ => None,
    };
    found.ok_or(Refused::Unfit)
}

/// Debezium's decimal that has its scale with it: `{"scale": 2, "value": "MDk="}`.
fn variable(text: &str) -> Option<(Vec<u8>, i32)> {
    #[derive(serde::Deserialize)]
    struct Variable {
        scale: i32,
        value: String,
    }
    let found: Variable = serde_json::from_str(text).ok()?;
    Some((Bytes::Base64.decode(&found.value)?, found.scale))
}

/// A value as text.
fn text<'a>(value: &'a Scalar<'_>, decimals: Decimals) -> Option<Cow<'a, str>> {
    let (bytes, scale) = match value {
        Scalar::Null => return None,
        Scalar::Bool(true) => return Some(Cow::Borrowed("true")),
        Scalar::Bool(false) => return Some(Cow::Borrowed("false")),
        Scalar::Number(text) => return Some(Cow::Borrowed(text)),
        Scalar::Text(text) => match decimals {
            Decimals::Base64(Some(scale)) => (Bytes::Base64.decode(text)?, scale),
            _ => return Some(Cow::Borrowed(text)),
        },
        Scalar::Nested(text) => match variable(text) {
            Some(found) if decimals != Decimals::Text => found,
            _ => return Some(Cow::Borrowed(text)),
        },
    };
    let value = numbers::unscaled(&bytes, 0, 0)?;
    Some(Cow::Owned(numbers::decimal_text(value, scale)))
}

fn date(value: &Scalar<'_>) -> Option<i32> {
    match value {
        Scalar::Number(text) => text.parse().ok(),
        Scalar::Text(text) => numbers::date(text),
        _ => None,
    }
}

/// A number of the unit that the events or the column have, and that unit.
fn number_in(text: &str, times: Times, of_column: TimeUnit) -> Result<(i64, TimeUnit), Refused> {
    let unit = match times {
        Times::Unit(unit) => unit,
        Times::OfColumn => of_column,
        Times::Unknown => return Err(Refused::Unknown(UNKNOWN_UNIT)),
    };
    Ok((text.parse().map_err(|_| Refused::Unfit)?, unit))
}

/// A time of day in nanoseconds.
fn time(value: &Scalar<'_>, times: Times, of_column: TimeUnit) -> Result<i64, Refused> {
    let nanos = match value {
        Scalar::Number(text) => {
            let (number, unit) = number_in(text, times, of_column)?;
            numbers::in_unit(number, unit, TimeUnit::Nanosecond)
        }
        Scalar::Text(text) => numbers::time_of_day(text),
        _ => None,
    };
    nanos
        .filter(|nanos| numbers::is_time_of_day(*nanos))
        .ok_or(Refused::Unfit)
}

/// A moment or a duration as a number of units.
fn units(value: &Scalar<'_>, times: Times, to: TimeUnit, is_moment: bool) -> Result<i64, Refused> {
    let found = match value {
        Scalar::Number(text) => {
            let (number, unit) = number_in(text, times, to)?;
            numbers::in_unit(number, unit, to)
        }
        Scalar::Text(text) if is_moment => numbers::moment(text, to),
        _ => None,
    };
    found.ok_or(Refused::Unfit)
}
