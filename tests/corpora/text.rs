//! Formats values as DataFusion's test files do.

use bigdecimal::BigDecimal;
use rhei_datafusion::DfOlapError;
use rhei_datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use rhei_datafusion::arrow::compute::cast;
use rhei_datafusion::arrow::datatypes::{DataType, Schema};
use rhei_datafusion::arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use sqllogictest::{ColumnType, Normalizer};

/// A column type, as sqllogictest's type letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type(char);

impl ColumnType for Type {
    fn from_char(value: char) -> Option<Self> {
        Some(Self(match value {
            'B' | 'D' | 'I' | 'P' | 'R' | 'T' => value,
            _ => '?',
        }))
    }

    fn to_char(&self) -> char {
        self.0
    }
}

pub fn types(schema: &Schema) -> Vec<Type> {
    let fields = schema.fields().iter();
    fields
        .map(|field| Type(letter(field.data_type())))
        .collect()
}

fn letter(data_type: &DataType) -> char {
    match data_type {
        DataType::Boolean => 'B',
        data_type if data_type.is_integer() => 'I',
        data_type if data_type.is_floating() || data_type.is_decimal() => 'R',
        data_type if data_type.is_string() => 'T',
        DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => 'D',
        DataType::Timestamp(..) => 'P',
        DataType::Dictionary(key, value) if key.is_integer() && value.is_string() => 'T',
        _ => '?',
    }
}

/// The texts of each row; a multi-line text (a plan) gives one row for each of its lines.
pub fn rows(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>, DfOlapError> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let columns = batch.columns().iter();
            let values = columns.map(|column| value(column, row));
            let mut values = values.collect::<Result<Vec<_>, DfOlapError>>()?;
            let last = values.pop().unwrap_or_default();
            if !last.contains('\n') {
                values.push(last);
                rows.push(values);
                continue;
            }
            rows.push(values);
            for (place, line) in last.split('\n').enumerate() {
                let text = line.trim_start();
                let indent = "-".repeat(line.len() - text.len());
                rows.push(vec![format!("{:02}){indent}{text}", place + 1)]);
            }
        }
    }
    Ok(rows)
}

fn value(array: &ArrayRef, row: usize) -> Result<String, DfOlapError> {
    if array.is_null(row) {
        return Ok("NULL".to_string());
    }
    let options = FormatOptions::default()
        .with_null("NULL")
        .with_duration_format(DurationFormat::Pretty);
    let shown = || -> Result<String, DfOlapError> {
        let formatter = ArrayFormatter::try_new(array, &options)?;
        Ok(formatter.value(row).to_string())
    };
    Ok(match array.data_type() {
        DataType::Null => "NULL".to_string(),
        data_type if data_type.is_floating() => {
            let double = cast(&array.slice(row, 1), &DataType::Float64)?;
            let double = double.as_primitive::<rhei_datafusion::arrow::datatypes::Float64Type>();
            match double.value(0) {
                value if value.is_nan() => "NaN".to_string(),
                f64::INFINITY => "Infinity".to_string(),
                f64::NEG_INFINITY => "-Infinity".to_string(),
                // `number` formats a 32-bit float from its own digits; as a double the float would show more.
                _ => plain(&number(array, row)?, 12),
            }
        }
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => plain(&shown()?, i64::from(*scale)),
        data_type if data_type.is_string() => match shown()? {
            text if text.is_empty() => "(empty)".to_string(),
            text => text.trim_end_matches('\n').replace('\0', "\\0"),
        },
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            value(dictionary.values(), dictionary.normalized_keys()[row])?
        }
        _ => shown()?,
    })
}

fn number(array: &ArrayRef, row: usize) -> Result<String, DfOlapError> {
    use rhei_datafusion::arrow::datatypes::{Float16Type, Float32Type, Float64Type};
    Ok(match array.data_type() {
        DataType::Float16 => array.as_primitive::<Float16Type>().value(row).to_string(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).to_string(),
        _ => array.as_primitive::<Float64Type>().value(row).to_string(),
    })
}

/// A number without an exponent and with at most `digits` decimals.
fn plain(number: &str, digits: i64) -> String {
    match number.parse::<BigDecimal>() {
        Ok(number) => number.round(digits).normalized().to_plain_string(),
        Err(_) => number.to_string(),
    }
}

#[allow(clippy::ptr_arg, reason = "what sqllogictest asks for")]
pub fn normalize(text: &String) -> String {
    text.trim_end().to_string()
}

/// Whether the rows match the expected rows of a file; `<slt:ignore>` matches any text.
pub fn are_same(normalize: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    let expected: Vec<_> = expected.iter().map(normalize).collect();
    let actual = actual.iter().map(|row| normalize(&row.join(" ")));
    let actual: Vec<_> = actual.collect();
    if !expected.iter().any(|line| line.contains("<slt:ignore>")) {
        return actual == expected;
    }
    let (actual, expected) = (actual.join("\n"), expected.join("\n"));
    let mut rest = actual.as_str();
    for (place, part) in expected.split("<slt:ignore>").enumerate() {
        match rest.find(part) {
            Some(at) if place > 0 || at == 0 => rest = &rest[at + part.len()..],
            _ => return false,
        }
    }
    true
}

pub fn sorted(rows: &str) -> Vec<&str> {
    let mut rows: Vec<_> = rows.lines().map(str::trim_end).collect();
    rows.sort_unstable();
    rows
}
