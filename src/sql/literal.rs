//! The short way of `INSERT INTO t VALUES (literals)`: no plan, the same rows.
//!
//! Literals become arrays by the rules of the planned way: a number is an `i64`, else a `u64`, else an `f64`; a string is
//! text; each is then cast to its column by the same kernel. Whatever is not that plain, or fails on the way, is left to the
//! planned way, which also words the errors.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::sql::sqlparser::ast;

use super::rows::shape;
use super::run::Run;
use super::target::default_keyword;
use crate::snapshot::{Relation, Table};

/// The table and the rows of an INSERT of literals; `None` where it is anything else.
pub(crate) fn rows(run: &Run<'_>, insert: &ast::Insert) -> Option<(Arc<Table>, RecordBatch)> {
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
    let name = run.normalize(part.as_ident()?);
    let Some(Relation::Table(table)) = run.snapshot.relation(&name) else {
        return None;
    };

    // Which place of a row of values each column takes; a column without one takes NULL if it has no default.
    let definition = &table.definition;
    let mut places = Vec::with_capacity(definition.columns.len());
    if columns.is_empty() {
        places.extend((0..definition.columns.len()).map(Some));
    } else {
        let mut named = Vec::with_capacity(columns.len());
        for column in columns {
            let [part] = column.0.as_slice() else {
                return None;
            };
            let name = run.normalize(part.as_ident()?);
            if definition.column(&name).is_none() || named.contains(&name) {
                return None;
            }
            named.push(name);
        }
        for column in &definition.columns {
            let place = named.iter().position(|name| name == column.field.name());
            if place.is_none() && column.default.is_some() {
                return None;
            }
            places.push(place);
        }
    }
    let width = if columns.is_empty() {
        places.len()
    } else {
        columns.len()
    };
    if values.rows.iter().any(|row| row.content.len() != width) {
        return None;
    }

    let arrays = definition
        .columns
        .iter()
        .zip(places)
        .map(|(column, place)| -> Option<ArrayRef> {
            let data_type = column.field.data_type();
            let Some(place) = place else {
                return Some(arrow::array::new_null_array(data_type, values.rows.len()));
            };
            let scalars = values
                .rows
                .iter()
                .map(|row| {
                    let value = &row.content[place];
                    let scalar = match default_keyword(value) {
                        true if column.default.is_some() => return None,
                        true => ScalarValue::Null,
                        false => literal(value, run.params.as_ref())?,
                    };
                    if scalar.data_type() == *data_type {
                        Some(scalar)
                    } else {
                        scalar.cast_to(data_type).ok()
                    }
                })
                .collect::<Option<Vec<_>>>()?;
            match scalars.as_slice() {
                [one] => one.to_array().ok(),
                _ => ScalarValue::iter_to_array(scalars).ok(),
            }
        })
        .collect::<Option<Vec<_>>>()?;
    let batch = shape(&name, definition, &arrays, values.rows.len()).ok()?;
    Some((table, batch))
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

/// The value of a literal or of a parameter that was given.
pub(crate) fn literal(expr: &ast::Expr, params: Option<&ParamValues>) -> Option<ScalarValue> {
    match expr {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Null => Some(ScalarValue::Null),
            ast::Value::Boolean(value) => Some(ScalarValue::Boolean(Some(*value))),
            ast::Value::SingleQuotedString(text) => Some(ScalarValue::Utf8(Some(text.clone()))),
            ast::Value::Number(digits, false) => number(digits, false),
            ast::Value::Placeholder(name) => {
                let value = params?.get_placeholders_with_values(name).ok()?;
                Some(value.value().clone())
            }
            _ => None,
        },
        ast::Expr::UnaryOp {
            op: ast::UnaryOperator::Minus,
            expr,
        } => match expr.as_ref() {
            ast::Expr::Value(value) => match &value.value {
                ast::Value::Number(digits, false) => number(digits, true),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn number(digits: &str, negative: bool) -> Option<ScalarValue> {
    if digits.contains('_') {
        return None;
    }
    let signed = match negative {
        true => format!("-{digits}"),
        false => digits.to_string(),
    };
    if let Ok(whole) = signed.parse::<i64>() {
        return Some(ScalarValue::Int64(Some(whole)));
    }
    if let Ok(whole) = signed.parse::<u64>() {
        return Some(ScalarValue::UInt64(Some(whole)));
    }
    signed
        .parse::<f64>()
        .ok()
        .map(|real| ScalarValue::Float64(Some(real)))
}
