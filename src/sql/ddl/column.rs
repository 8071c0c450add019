//! Checks of column definitions: name, type, DEFAULT, NOT NULL, primary key.

use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast;

use crate::error::DfOlapError;
use crate::fragment::ColumnId;
use crate::snapshot::Column;
use crate::sql::execution::Run;

/// The most bytes in the name of a table, view or column.
const MAX_NAME_BYTES: usize = 200;

pub(crate) fn check_name(what: &str, name: &str) -> Result<(), DfOlapError> {
    let bad = if name.is_empty() {
        "is empty"
    } else if name.len() > MAX_NAME_BYTES {
        "is longer than 200 bytes"
    } else if name.chars().any(char::is_control) {
        "has a control character"
    } else if name.starts_with("__row_address") {
        "is taken by the engine"
    } else {
        return Ok(());
    };
    Err(DfOlapError::Invalid(format!(
        "the {what} name '{}' {bad}",
        name.escape_debug()
    )))
}

/// The ids of the key's columns. An unknown or repeated column is an error.
pub(crate) fn key_of(columns: &[Column], key: &[String]) -> Result<Vec<ColumnId>, DfOlapError> {
    let mut ids = Vec::new();
    for name in key {
        match columns.iter().find(|c| c.field.name() == name) {
            Some(column) if ids.contains(&column.id) => {
                return Err(DfOlapError::Invalid(format!(
                    "PRIMARY KEY names '{name}' twice"
                )));
            }
            Some(column) => ids.push(column.id),
            None => {
                return Err(DfOlapError::ColumnNotFound(format!(
                    "{name} for the PRIMARY KEY"
                )));
            }
        }
    }
    Ok(ids)
}

pub(crate) fn plain_field(name: &str, data_type: &DataType, nullable: bool) -> Field {
    Field::new(name, data_type.clone(), nullable)
}

/// Refuses types that a table cannot store.
pub(crate) fn check_type(name: &str, data_type: &DataType) -> Result<(), DfOlapError> {
    match data_type {
        DataType::Null => Err(DfOlapError::Invalid(format!(
            "column '{name}' has no type; cast its NULL to one"
        ))),
        DataType::Dictionary(_, values) if matches!(values.as_ref(), DataType::Dictionary(..)) => {
            Err(DfOlapError::Unsupported(format!(
                "column '{name}' is a dictionary of a dictionary, which a table does not hold; cast it to the type of its values"
            )))
        }
        DataType::Dictionary(_, values) => check_type(name, values),
        DataType::Struct(fields) => {
            let mut fields = fields.iter();
            fields.try_for_each(|field| check_type(name, field.data_type()))
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => check_type(name, item.data_type()),
        _ => Ok(()),
    }
}

pub(crate) fn default_of(column: &ast::ColumnDef) -> Option<ast::Expr> {
    column
        .options
        .iter()
        .find_map(|option| match &option.option {
            ast::ColumnOption::Default(expr) => Some(expr.clone()),
            _ => None,
        })
}

pub(crate) fn not_null(column: &ast::ColumnDef) -> bool {
    column
        .options
        .iter()
        .any(|option| matches!(option.option, ast::ColumnOption::NotNull))
}

/// The value of a DEFAULT, cast to the column's type. A value that cannot be cast is an error.
pub(crate) fn constant(
    run: &Run,
    default: &ast::Expr,
    column: &str,
    data_type: &DataType,
) -> Result<ScalarValue, DfOlapError> {
    run.constant(default)
        .and_then(|value| Ok(value.cast_to(data_type)?))
        .map_err(|error| {
            DfOlapError::Invalid(format!(
                "the DEFAULT of column '{column}' ({default}): {error}"
            ))
        })
}
