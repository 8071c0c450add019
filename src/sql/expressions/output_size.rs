//! Estimates the output size of a function call for one batch from its arguments.
//!
//! Estimates are cheap and intended as upper bounds. Where that bound exceeds the limit, the estimates of `replace`
//! and `regexp_replace` count the matches, so that harmless calls are not refused. A constant argument is read once
//! and never expanded to one value per row.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;
use regex::Regex;

use crate::error::DfOlapError;

/// The maximum output size of one function call for one batch, in bytes.
pub(crate) const MAX_MADE_BYTES: u64 = 256 << 20;

/// Estimates the output bytes of a call from its arguments and the number of rows.
pub(crate) type Estimate = fn(&[ColumnarValue], usize) -> u64;

/// Refuses a call whose output would exceed [`MAX_MADE_BYTES`].
pub(crate) fn refuse_over(function: &str, bytes: u64) -> Result<()> {
    if bytes <= MAX_MADE_BYTES {
        return Ok(());
    }
    Err(DfOlapError::ResourcesExhausted(format!(
        "{function} would make {bytes} bytes for one batch, more than the {MAX_MADE_BYTES} allowed"
    ))
    .into())
}

/// An argument: one value per row, or one constant for all rows.
struct Arg {
    values: ArrayRef,
    is_constant: bool,
}

impl Arg {
    fn row(&self, row: usize) -> usize {
        if self.is_constant { 0 } else { row }
    }

    /// The bytes of the value of a row.
    fn bytes(&self, row: usize) -> f64 {
        value_bytes(&self.values, self.row(row))
    }

    /// The number in each row, 0 for NULL or a value that is not a number.
    fn numbers(&self) -> impl Fn(usize) -> f64 {
        let numbers = self.number_or_null();
        move |row| numbers(row).unwrap_or(0.0)
    }

    /// The number in each row; dates and timestamps in nanoseconds.
    fn number_or_null(&self) -> impl Fn(usize) -> Option<f64> {
        let unit = nanoseconds(self.values.data_type());
        let plain = match self.values.data_type() {
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
                cast(&self.values, &DataType::Int64).and_then(|w| cast(&w, &DataType::Float64))
            }
            _ => cast(&self.values, &DataType::Float64),
        };
        let plain: Option<Float64Array> = plain
            .ok()
            .and_then(|plain| plain.as_primitive_opt::<Float64Type>().cloned());
        let is_constant = self.is_constant;
        move |row| {
            let plain = plain.as_ref()?;
            let row = if is_constant { 0 } else { row };
            plain.is_valid(row).then(|| plain.value(row) * unit)
        }
    }

    /// The text in each row.
    fn texts(&self) -> Option<impl Fn(usize) -> Option<String>> {
        let texts = cast(&self.values, &DataType::Utf8View).ok()?;
        let is_constant = self.is_constant;
        Some(move |row: usize| {
            let row = if is_constant { 0 } else { row };
            let texts = texts.as_string_view();
            texts.is_valid(row).then(|| texts.value(row).to_string())
        })
    }
}

/// The arguments, and the number of output rows, which is one if all arguments are constants.
fn args_of(args: &[ColumnarValue], rows: usize) -> Option<(Vec<Arg>, usize)> {
    let read = args
        .iter()
        .map(|arg| {
            Some(match arg {
                ColumnarValue::Array(array) => Arg {
                    values: Arc::clone(array),
                    is_constant: false,
                },
                ColumnarValue::Scalar(value) => Arg {
                    values: value.to_array().ok()?,
                    is_constant: true,
                },
            })
        })
        .collect::<Option<Vec<_>>>()?;
    let rows = match read.iter().all(|arg| arg.is_constant) {
        true => rows.min(1),
        false => rows,
    };
    Some((read, rows))
}

fn sum(rows: usize, bytes: impl Fn(usize) -> f64) -> u64 {
    (0..rows).map(bytes).sum::<f64>() as u64
}

/// The bytes of all arguments, concatenated.
pub(crate) fn joined(args: &[ColumnarValue], rows: usize) -> u64 {
    let rows = match args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_))) {
        true => rows.min(1),
        false => rows,
    };
    let bytes = args.iter().map(|arg| match arg {
        ColumnarValue::Array(array) => total_bytes(array),
        ColumnarValue::Scalar(value) => (value.size() as u64).saturating_mul(rows as u64),
    });
    bytes.fold(0, u64::saturating_add)
}

/// Like [`joined`], with the first argument as separator between the others.
pub(crate) fn joined_with_separator(args: &[ColumnarValue], rows: usize) -> u64 {
    let times = args.len().saturating_sub(2) as u64;
    let separators = joined(&args[..args.len().min(1)], rows).saturating_mul(times);
    joined(args, rows).saturating_add(separators)
}

/// The bytes of the first argument, repeated as often as the second argument says.
pub(crate) fn repeated(args: &[ColumnarValue], rows: usize) -> u64 {
    let Some((args, rows)) = args_of(args, rows) else {
        return 0;
    };
    let [what, times, ..] = args.as_slice() else {
        return 0;
    };
    let times = times.numbers();
    sum(rows, |row| what.bytes(row).max(8.0) * times(row).max(0.0))
}

/// The list in the first argument, lengthened to the second argument by the third.
pub(crate) fn resized(args: &[ColumnarValue], rows: usize) -> u64 {
    let Some((args, rows)) = args_of(args, rows) else {
        return 0;
    };
    let [list, length, fill @ ..] = args.as_slice() else {
        return 0;
    };
    let length = length.numbers();
    sum(rows, |row| {
        let fill = fill.first().map_or(0.0, |fill| fill.bytes(row));
        list.bytes(row) + length(row).max(0.0) * fill.max(8.0)
    })
}

/// The list in the first argument with the third argument in place of as many items as the fourth says, one without it.
pub(crate) fn with_item_replaced(args: &[ColumnarValue], rows: usize) -> u64 {
    let Some((args, rows)) = args_of(args, rows) else {
        return 0;
    };
    let [list, _, to, most @ ..] = args.as_slice() else {
        return 0;
    };
    let most = most.first().map(Arg::numbers);
    sum(rows, |row| {
        let items = list_length(&list.values, list.row(row));
        let most = most.as_ref().map_or(1.0, |most| most(row).max(0.0));
        list.bytes(row) + items.min(most) * to.bytes(row)
    })
}

/// The list in the first argument with the third argument in place of each item.
pub(crate) fn with_items_replaced(args: &[ColumnarValue], rows: usize) -> u64 {
    let Some((args, rows)) = args_of(args, rows) else {
        return 0;
    };
    let [list, _, to, ..] = args.as_slice() else {
        return 0;
    };
    sum(rows, |row| {
        let items = list_length(&list.values, list.row(row));
        list.bytes(row) + items * to.bytes(row)
    })
}

/// The format in the second argument, filled in.
pub(crate) fn formatted(args: &[ColumnarValue], rows: usize) -> u64 {
    // The longest item of chrono's formats, `%+`, makes 35 bytes of two.
    const GROWTH: f64 = 18.0;
    let Some((args, rows)) = args_of(args, rows) else {
        return 0;
    };
    let Some(format) = args.get(1) else {
        return 0;
    };
    sum(rows, |row| format.bytes(row) * GROWTH)
}

/// The length in the second argument, in characters of four bytes each.
pub(crate) fn padded(args: &[ColumnarValue], rows: usize) -> u64 {
    let Some((args, rows)) = args_of(args, rows) else {
        return 0;
    };
    let Some(length) = args.get(1).map(Arg::numbers) else {
        return 0;
    };
    sum(rows, |row| length(row).max(0.0) * 4.0)
}

/// Assumes as many replacements as fit into the text; counts the actual matches if that estimate exceeds the limit.
pub(crate) fn replaced(args: &[ColumnarValue], rows: usize) -> u64 {
    let Some((args, rows)) = args_of(args, rows) else {
        return 0;
    };
    let [text, from, to] = args.as_slice() else {
        return 0;
    };
    let guess = sum(rows, |row| {
        text.bytes(row) / from.bytes(row).max(1.0) * to.bytes(row)
    });
    if guess <= MAX_MADE_BYTES {
        return guess;
    }
    let (Some(text), Some(from)) = (text.texts(), from.texts()) else {
        return guess;
    };
    sum(rows, |row| match (text(row), from(row)) {
        (Some(text), Some(from)) => {
            let found = match from.as_str() {
                "" => 0,
                from => text.matches(from).count(),
            };
            text.len() as f64 + found as f64 * to.bytes(row)
        }
        _ => 0.0,
    })
}

/// Like [`replaced`], for a regular expression, whose replacement may reference captured groups.
pub(crate) fn regexp_replaced(args: &[ColumnarValue], rows: usize) -> u64 {
    let Some((args, rows)) = args_of(args, rows) else {
        return 0;
    };
    let [text, pattern, to, flags @ ..] = args.as_slice() else {
        return 0;
    };
    // The worst case: a match at each position, and each byte of the replacement a group reference, which repeats the
    // match.
    let guess = sum(rows, |row| {
        let (text, to) = (text.bytes(row), to.bytes(row));
        text * (1.0 + to) + (text + 1.0) * to
    });
    if guess <= MAX_MADE_BYTES {
        return guess;
    }
    let (Some(texts), Some(patterns), Some(tos)) = (text.texts(), pattern.texts(), to.texts())
    else {
        return guess;
    };
    let flags = flags.first().and_then(Arg::texts);
    // A group lies within its match, and matches do not overlap, so each group reference adds at most the whole text.
    let made = |text: f64, to: &str, found: f64| {
        let names = to.bytes().filter(|b| matches!(b, b'\\' | b'$')).count();
        text * (1.0 + names as f64) + found * to.len() as f64
    };
    let mut compiled: HashMap<String, Option<Regex>> = HashMap::new();
    let mut bytes = 0.0;
    for row in 0..rows {
        let (Some(text), Some(pattern), Some(to)) = (texts(row), patterns(row), tos(row)) else {
            continue;
        };
        let flags = flags.as_ref().and_then(|flags| flags(row));
        let flags = flags.unwrap_or_default();
        let key = match flags.replace('g', "") {
            none if none.is_empty() => pattern,
            flags => format!("(?{flags}){pattern}"),
        };
        let regex = compiled
            .entry(key)
            .or_insert_with_key(|key| Regex::new(key).ok());
        let found = match regex {
            Some(regex) if flags.contains('g') => regex.find_iter(&text).count(),
            // Without the flag `g` only the first match is replaced; an invalid pattern (`None`) is an error of the
            // function itself.
            Some(_) => 1,
            None => 0,
        };
        bytes += made(text.len() as f64, &to, found as f64);
        if bytes > MAX_MADE_BYTES as f64 {
            break;
        }
    }
    bytes as u64
}

/// The list in the first argument as text, with the second argument as separator.
pub(crate) fn list_to_text(args: &[ColumnarValue], rows: usize) -> u64 {
    // The longest primitive item as text: a 256-bit number.
    const ITEM_BYTES: f64 = 80.0;
    let Some((args, rows)) = args_of(args, rows) else {
        return 0;
    };
    let [list, separator, null @ ..] = args.as_slice() else {
        return 0;
    };
    sum(rows, |row| {
        let items = leaves(&list.values, list.row(row));
        let null = null.first().map_or(0.0, |null| null.bytes(row));
        list.bytes(row) + items * (ITEM_BYTES + separator.bytes(row) + null)
    })
}

/// Eight bytes for each number between the first two arguments, in steps of the third.
pub(crate) fn ranged(args: &[ColumnarValue], rows: usize) -> u64 {
    let Some((args, rows)) = args_of(args, rows) else {
        return 0;
    };
    let (start, stop) = match args.as_slice() {
        [stop] => (None, stop.number_or_null()),
        [start, stop, ..] => (Some(start.number_or_null()), stop.number_or_null()),
        [] => return 0,
    };
    let step: Box<dyn Fn(usize) -> Option<f64>> = match args.get(2) {
        None => Box::new(|_| Some(1.0)),
        Some(step) if step.values.data_type().is_numeric() => Box::new(step.number_or_null()),
        Some(step) => Box::new(|row| interval(&step.values, step.row(row))),
    };
    // A NULL argument gives no items; the function itself refuses a step of 0.
    let length = |row| {
        let start = match &start {
            None => 0.0,
            Some(start) => start(row)?,
        };
        let step = step(row).filter(|step| *step != 0.0)?;
        Some((stop(row)? - start) / step)
    };
    sum(rows, |row| length(row).unwrap_or(0.0).max(0.0) * 8.0)
}

/// The nanoseconds of an interval, with the shortest months (28 days).
fn interval(step: &ArrayRef, row: usize) -> Option<f64> {
    let of = |months: i32, days: i32, nanoseconds: f64| {
        (f64::from(months) * 28.0 + f64::from(days)) * DAY + nanoseconds
    };
    match ScalarValue::try_from_array(step, row) {
        Ok(ScalarValue::IntervalMonthDayNano(Some(step))) => {
            Some(of(step.months, step.days, step.nanoseconds as f64))
        }
        Ok(ScalarValue::IntervalDayTime(Some(step))) => {
            Some(of(0, step.days, f64::from(step.milliseconds) * 1e6))
        }
        Ok(ScalarValue::IntervalYearMonth(Some(months))) => Some(of(months, 0, 0.0)),
        _ => None,
    }
}

/// The nanoseconds of a day.
const DAY: f64 = 86_400e9;

/// The nanoseconds of one unit of a date or timestamp; 1 for other types.
fn nanoseconds(of: &DataType) -> f64 {
    use arrow::datatypes::TimeUnit::{Microsecond, Millisecond, Second};
    match of {
        DataType::Date32 => DAY,
        DataType::Timestamp(Second, _) => 1e9,
        DataType::Timestamp(Millisecond, _) | DataType::Date64 => 1e6,
        DataType::Timestamp(Microsecond, _) => 1e3,
        _ => 1.0,
    }
}

/// How many items the list in a row has.
fn list_length(array: &ArrayRef, row: usize) -> f64 {
    if array.is_null(row) {
        return 0.0;
    }
    let items = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value_length(row) as usize,
        DataType::LargeList(_) => array.as_list::<i64>().value_length(row) as usize,
        DataType::FixedSizeList(_, length) => usize::try_from(*length).unwrap_or_default(),
        _ => 1,
    };
    items as f64
}

/// How many items the list in a row has that are not lists themselves, through all levels.
fn leaves(array: &ArrayRef, row: usize) -> f64 {
    if array.is_null(row) {
        return 1.0;
    }
    let items = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(row),
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        DataType::FixedSizeList(..) => array.as_fixed_size_list().value(row),
        _ => return 1.0,
    };
    match items.data_type().is_nested() {
        true => (0..items.len()).map(|item| leaves(&items, item)).sum(),
        false => items.len() as f64,
    }
}

/// The approximate bytes of one value.
fn value_bytes(array: &ArrayRef, row: usize) -> f64 {
    if array.is_null(row) {
        return 0.0;
    }
    let bytes = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value_length(row) as usize,
        DataType::LargeUtf8 => array.as_string::<i64>().value_length(row) as usize,
        DataType::Utf8View => array.as_string_view().views()[row] as u32 as usize,
        DataType::Binary => array.as_binary::<i32>().value_length(row) as usize,
        DataType::BinaryView => array.as_binary_view().views()[row] as u32 as usize,
        DataType::List(_) => total_bytes(&array.as_list::<i32>().value(row)) as usize,
        DataType::LargeList(_) => total_bytes(&array.as_list::<i64>().value(row)) as usize,
        other => other.primitive_width().unwrap_or(16),
    };
    bytes as f64
}

/// The bytes of all values of an array. A value that several rows of a view or dictionary array share counts once per
/// row.
pub(crate) fn total_bytes(array: &ArrayRef) -> u64 {
    // The low 32 bits of a view are the length of its value.
    let shown = |views: &[u128]| views.iter().map(|view| u64::from(*view as u32)).sum();
    match array.data_type() {
        DataType::Utf8View => shown(array.as_string_view().views()),
        DataType::BinaryView => shown(array.as_binary_view().views()),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = dictionary.values();
            let keys = dictionary.normalized_keys().into_iter().enumerate();
            keys.filter(|(row, _)| array.is_valid(*row))
                .map(|(_, key)| value_bytes(values, key) as u64)
                .sum()
        }
        _ => array.to_data().get_slice_memory_size().unwrap_or_default() as u64,
    }
}
