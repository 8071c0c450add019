//! The fast path of `INSERT INTO t VALUES (literals)`: the same rows without a plan.
//!
//! Literals become arrays by the rules of a planned INSERT: a number is an `i64`, else a `u64`, else a decimal if its
//! column is a decimal or an `f64` has too few digits, else an `f64`; a string is text. Each value is then cast to its
//! column by the same kernel. All other values, and all failures, are left to the planned INSERT, which also words the
//! errors.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray, StringViewArray,
};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::sql::sqlparser::ast;

use crate::snapshot::{Relation, Table, TableDefinition};
use crate::sql::execution::Run;
use crate::sql::planner::literals::{decimal, is_long, wide_decimal};
use crate::sql::write::rows::shape;
use crate::sql::write::target::default_keyword;

/// The table, columns and literals of an INSERT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Literals {
    pub table: String,
    /// Empty if the values are those of all columns.
    pub columns: Vec<Name>,
    /// The number of values in a row.
    pub width: usize,
    /// Row after row; `None` for DEFAULT.
    pub cells: Vec<Option<Cell>>,
}

/// The name of a column, as it is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Name {
    pub name: String,
    pub is_quoted: bool,
}

impl Name {
    /// The position of the column that is meant, as in [`Planner::column_name`](crate::sql::planner::Planner).
    fn position(&self, definition: &TableDefinition, in_any_case: bool) -> Option<usize> {
        let mut names = definition.columns.iter().map(|column| column.field.name());
        let exact = names.clone().position(|name| *name == self.name);
        if exact.is_some() || self.is_quoted || !in_any_case {
            return exact;
        }
        let is_meant = |name: &String| name.eq_ignore_ascii_case(&self.name);
        let one = names.position(is_meant)?;
        // Several are an error of the planned INSERT.
        names.all(|name| !is_meant(name)).then_some(one)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Value(ScalarValue),
    /// A number that is not a 64-bit integer: its text, and the nearest double.
    Number(String, ScalarValue),
}

/// The value of a number literal for a column of this type, which is not a float.
fn number_in(text: &str, double: &ScalarValue, data_type: &DataType) -> Option<ScalarValue> {
    match () {
        () if data_type.is_decimal() => wide_decimal(text),
        () if is_long(text) => decimal(text),
        () => Some(double.clone()),
    }
}

/// The literals of an INSERT; `None` for any other form of INSERT.
pub(crate) fn literals(
    insert: &ast::Insert,
    normalize: impl Fn(&ast::Ident) -> String,
    params: Option<&ParamValues>,
) -> Option<Literals> {
    let ast::Insert {
        insert_token: _,
        optimizer_hints: _,
        or: None,
        ignore: false,
        into: _,
        table: ast::TableObject::TableName(name),
        table_alias: None,
        columns,
        overwrite: false,
        source: Some(source),
        assignments,
        partitioned: None,
        after_columns,
        has_table_keyword: _,
        on: None,
        returning: None,
        output: None,
        replace_into: false,
        priority: None,
        insert_alias: None,
        settings: None,
        format_clause: None,
        multi_table_insert_type: None,
        multi_table_into_clauses: _,
        multi_table_when_clauses: _,
        multi_table_else_clause: _,
    } = insert
    else {
        return None;
    };
    if !(assignments.is_empty() && after_columns.is_empty()) {
        return None;
    }
    let values = plain_values(source)?;
    let [part] = name.0.as_slice() else {
        return None;
    };
    let name = normalize(part.as_ident()?);
    let columns = columns
        .iter()
        .map(|column| match column.0.as_slice() {
            [part] => {
                let ident = part.as_ident()?;
                Some(Name {
                    name: normalize(ident),
                    is_quoted: ident.quote_style.is_some(),
                })
            }
            _ => None,
        })
        .collect::<Option<Vec<_>>>()?;
    let width = values.rows.first()?.content.len();
    if values.rows.iter().any(|row| row.content.len() != width) {
        return None;
    }
    let cells = values.rows.iter().flat_map(|row| &row.content);
    let cells = cells
        .map(|value| match default_keyword(value) {
            true => Some(None),
            false => literal(value, params).map(Some),
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Literals {
        table: name,
        columns,
        width,
        cells,
    })
}

/// The rows of an INSERT of literals, and their table; `None` if the INSERT needs a plan.
pub(crate) fn rows(run: &Run, literals: &Literals) -> Option<(Arc<Table>, RecordBatch)> {
    let Literals {
        table: name,
        columns: named,
        width,
        cells,
    } = literals;
    let options = &run.state().config_options().sql_parser;
    if options.parse_float_as_decimal {
        return None;
    }
    let Some(Relation::Table(table)) = run.context.snapshot.relation(name) else {
        return None;
    };

    // The position of each column in a row of values. A column without a position takes NULL if it has no DEFAULT.
    let definition = &table.definition;
    let expected = match named.len() {
        0 => definition.columns.len(),
        some => some,
    };
    if expected != *width {
        return None;
    }
    let mut places: Vec<usize> = Vec::with_capacity(named.len());
    for name in named {
        let place = name.position(definition, options.enable_ident_normalization)?;
        if places.contains(&place) {
            return None;
        }
        places.push(place);
    }
    let count = cells.len() / width;
    let arrays = definition
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| -> Option<ArrayRef> {
            let data_type = column.field.data_type();
            let place = match places.as_slice() {
                [] => Some(index),
                places => places.iter().position(|place| *place == index),
            };
            let Some(place) = place else {
                return match column.default {
                    Some(_) => None,
                    None => Some(arrow::array::new_null_array(data_type, count)),
                };
            };
            let of_column = cells.iter().skip(place).step_by(*width);
            let is_floating = data_type.is_floating();
            let mut numbers = Vec::new();
            if !is_floating {
                for cell in of_column.clone() {
                    if let Some(Cell::Number(text, double)) = cell {
                        numbers.push(number_in(text, double, data_type)?);
                    }
                }
            }
            let mut numbers = numbers.iter();
            let values = of_column
                .map(|cell| match cell {
                    None if column.default.is_some() => None,
                    None => Some(&ScalarValue::Null),
                    Some(Cell::Value(value)) => Some(value),
                    Some(Cell::Number(_, double)) if is_floating => Some(double),
                    Some(Cell::Number(..)) => numbers.next(),
                })
                .collect::<Option<Vec<_>>>()?;
            as_they_are(&values, data_type).or_else(|| cast(&values, data_type))
        })
        .collect::<Option<Vec<_>>>()?;
    let batch = shape(name, definition, &arrays, count).ok()?;
    Some((table, batch))
}

/// The values as an array, if each value has the column's type already or converts to it directly.
fn as_they_are(values: &[&ScalarValue], data_type: &DataType) -> Option<ArrayRef> {
    fn each<T>(
        values: &[&ScalarValue],
        of: impl Fn(&ScalarValue) -> Option<T>,
    ) -> Option<Vec<Option<T>>> {
        let mut found = Vec::with_capacity(values.len());
        for value in values {
            found.push(match value {
                ScalarValue::Null => None,
                value => Some(of(value)?),
            });
        }
        Some(found)
    }
    use ScalarValue as S;
    let whole = |value: &S| match value {
        S::Int64(Some(whole)) => Some(*whole),
        _ => None,
    };
    Some(match data_type {
        DataType::Int64 => Arc::new(Int64Array::from(each(values, whole)?)),
        DataType::Int32 => {
            let narrow = each(values, |value| i32::try_from(whole(value)?).ok())?;
            Arc::new(Int32Array::from(narrow))
        }
        DataType::Float64 => Arc::new(Float64Array::from(each(values, |value| match value {
            S::Float64(Some(real)) => Some(*real),
            S::Int64(Some(whole)) => Some(*whole as f64),
            _ => None,
        })?)),
        DataType::Boolean => Arc::new(BooleanArray::from(each(values, |value| match value {
            S::Boolean(Some(is)) => Some(*is),
            _ => None,
        })?)),
        DataType::Utf8 | DataType::Utf8View => {
            let mut texts = Vec::with_capacity(values.len());
            for value in values {
                texts.push(match value {
                    S::Null => None,
                    S::Utf8(Some(text)) => Some(text.as_str()),
                    _ => return None,
                });
            }
            match data_type {
                DataType::Utf8 => Arc::new(StringArray::from(texts)),
                _ => Arc::new(StringViewArray::from(texts)),
            }
        }
        _ => return None,
    })
}

/// The values cast to the column's type, as in a planned INSERT.
fn cast(values: &[&ScalarValue], data_type: &DataType) -> Option<ArrayRef> {
    let values = values
        .iter()
        .map(|value| match value.data_type() == *data_type {
            true => Some((*value).clone()),
            false => value.cast_to(data_type).ok(),
        })
        .collect::<Option<Vec<_>>>()?;
    match values.as_slice() {
        [one] => one.to_array().ok(),
        _ => ScalarValue::iter_to_array(values).ok(),
    }
}

fn plain_values(source: &ast::Query) -> Option<&ast::Values> {
    let ast::Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks,
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators,
    } = source
    else {
        return None;
    };
    match body.as_ref() {
        ast::SetExpr::Values(values)
            if locks.is_empty()
                && pipe_operators.is_empty()
                && !values.value_keyword
                && !values.rows.is_empty() =>
        {
            Some(values)
        }
        _ => None,
    }
}

/// A literal, or the value of a bound parameter; `None` for any other expression.
fn literal(expr: &ast::Expr, params: Option<&ParamValues>) -> Option<Cell> {
    let value = match expr {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Null => ScalarValue::Null,
            ast::Value::Boolean(value) => ScalarValue::Boolean(Some(*value)),
            ast::Value::SingleQuotedString(text) => ScalarValue::Utf8(Some(text.clone())),
            ast::Value::Number(digits, false) => return number(digits, false),
            ast::Value::Placeholder(name) => {
                let value = params?.get_placeholders_with_values(name).ok()?;
                value.value().clone()
            }
            _ => return None,
        },
        ast::Expr::UnaryOp {
            op: ast::UnaryOperator::Minus,
            expr,
        } => match expr.as_ref() {
            ast::Expr::Value(value) => match &value.value {
                ast::Value::Number(digits, false) => return number(digits, true),
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    Some(Cell::Value(value))
}

pub(crate) fn number(digits: &str, negative: bool) -> Option<Cell> {
    if digits.contains('_') {
        return None;
    }
    let signed = match negative {
        true => Cow::Owned(format!("-{digits}")),
        false => Cow::Borrowed(digits),
    };
    Some(if let Ok(whole) = signed.parse::<i64>() {
        Cell::Value(ScalarValue::Int64(Some(whole)))
    } else if let Ok(whole) = signed.parse::<u64>() {
        Cell::Value(ScalarValue::UInt64(Some(whole)))
    } else {
        let double = signed.parse().ok()?;
        Cell::Number(signed.into_owned(), ScalarValue::Float64(Some(double)))
    })
}
