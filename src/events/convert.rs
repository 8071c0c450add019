//! Values of events as numbers, texts, dates and times.

use std::borrow::Cow;
use std::str::FromStr;

use arrow::datatypes::{TimeUnit, i256};

use super::encoding::{Bytes, Decimals, Refused, Times};
use super::json::Scalar;
use super::numbers;

const UNKNOWN_DECIMAL: &str =
    "may be a decimal or one in Base64, which the event does not tell; call EventReader::decimals";
const UNKNOWN_UNIT: &str =
    "is a time whose unit the event does not tell; call EventReader::time_unit";

pub(super) fn boolean(value: &Scalar<'_>) -> Option<bool> {
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

pub(super) fn integer(value: &Scalar<'_>, decimals: Decimals) -> Result<i128, Refused> {
    let found = match value {
        Scalar::Number(text) => whole(text),
        Scalar::Bool(value) => Some(i128::from(*value)),
        Scalar::Text(text) if matches!(decimals, Decimals::Text | Decimals::Variable) => {
            whole(text)
        }
        _ => decimal(value, decimals, 0)?.to_i128(),
    };
    found.ok_or(Refused::Unfit)
}

fn whole(text: &str) -> Option<i128> {
    match text.parse::<i64>() {
        Ok(value) => Some(i128::from(value)),
        Err(_) => numbers::decimal(text, 0)?.to_i128(),
    }
}

/// A number as it is written.
pub(super) fn number_text<'a>(
    value: &'a Scalar<'_>,
    decimals: Decimals,
) -> Result<Cow<'a, str>, Refused> {
    match (value, decimals) {
        (Scalar::Bool(_), _) => Err(Refused::Unfit),
        // Words such as NaN are no Base64 of a number.
        (Scalar::Text(text), _) if is_no_number(text) => Ok(Cow::Borrowed(text)),
        (Scalar::Text(_), Decimals::Unknown | Decimals::Base64(None)) => {
            Err(Refused::Unknown(UNKNOWN_DECIMAL))
        }
        (Scalar::Nested(json), _) => {
            let (bytes, scale) = variable(json).ok_or(Refused::Unfit)?;
            let value = numbers::unscaled(&bytes, 0, 0).ok_or(Refused::Unfit)?;
            Ok(Cow::Owned(numbers::decimal_text(value, scale)))
        }
        _ => text(value, decimals).ok_or(Refused::Unfit),
    }
}

fn is_no_number(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

/// The nearest number, unless it is infinite because the text's number is too large.
pub(super) fn float<F: FromStr + Copy>(text: &str, is_infinite: fn(F) -> bool) -> Option<F> {
    let value = text.parse::<F>().ok()?;
    let says_so = !text.bytes().any(|byte| byte.is_ascii_digit());
    (says_so || !is_infinite(value)).then_some(value)
}

/// A decimal as an integer with `scale` digits after the point.
pub(super) fn decimal(value: &Scalar<'_>, decimals: Decimals, scale: i8) -> Result<i256, Refused> {
    let found = match (value, decimals) {
        (Scalar::Number(text), _) => numbers::decimal(text, scale),
        (Scalar::Text(text), Decimals::Text | Decimals::Variable) => numbers::decimal(text, scale),
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
    #[serde(deny_unknown_fields)]
    struct Variable {
        scale: i32,
        value: String,
    }
    let found: Variable = serde_json::from_str(text).ok()?;
    if !numbers::is_scale(found.scale) {
        return None;
    }
    Some((Bytes::Base64.decode(&found.value)?, found.scale))
}

/// A value as text.
pub(super) fn text<'a>(value: &'a Scalar<'_>, decimals: Decimals) -> Option<Cow<'a, str>> {
    let (bytes, scale) = match value {
        Scalar::Null => return None,
        Scalar::Bool(true) => return Some(Cow::Borrowed("true")),
        Scalar::Bool(false) => return Some(Cow::Borrowed("false")),
        Scalar::Number(text) => return Some(Cow::Borrowed(text)),
        Scalar::Text(text) => match decimals {
            Decimals::Base64(Some(scale)) => (Bytes::Base64.decode(text)?, scale),
            _ => return Some(Cow::Borrowed(text)),
        },
        Scalar::Nested(text) => match decimals {
            Decimals::Variable => variable(text)?,
            _ => return Some(Cow::Borrowed(text)),
        },
    };
    let value = numbers::unscaled(&bytes, 0, 0)?;
    Some(Cow::Owned(numbers::decimal_text(value, scale)))
}

/// A date as days since 1970. A number of another unit is that of a midnight.
pub(super) fn date(value: &Scalar<'_>, times: Times) -> Option<i32> {
    match value {
        Scalar::Number(text) => match times {
            Times::Unit(unit) => {
                let of_day = 86_400 * (numbers::nanos(TimeUnit::Second) / numbers::nanos(unit));
                let number: i64 = text.parse().ok()?;
                let days = (number % of_day == 0).then_some(number / of_day)?;
                i32::try_from(days).ok()
            }
            _ => text.parse().ok(),
        },
        Scalar::Text(text) => numbers::date(text),
        _ => None,
    }
}

/// A number of the unit that the events or the column have, and that unit.
fn number_in(text: &str, times: Times, of_column: TimeUnit) -> Result<(i64, TimeUnit), Refused> {
    let number: i64 = text.parse().map_err(|_| Refused::Unfit)?;
    match times {
        Times::Unit(unit) | Times::Usual(unit) => Ok((number, unit)),
        Times::OfColumn => Ok((number, of_column)),
        Times::Days => {
            let seconds = number.checked_mul(86_400).ok_or(Refused::Unfit)?;
            Ok((seconds, TimeUnit::Second))
        }
        Times::Unknown => Err(Refused::Unknown(UNKNOWN_UNIT)),
    }
}

/// A time of day in nanoseconds.
pub(super) fn time(value: &Scalar<'_>, times: Times, of_column: TimeUnit) -> Result<i64, Refused> {
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
pub(super) fn units(
    value: &Scalar<'_>,
    times: Times,
    to: TimeUnit,
    is_moment: bool,
) -> Result<i64, Refused> {
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
