//! Reads from conditions which keys they ask for.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator};

use crate::cdc::columns::VALID_TO;
use crate::fragment::ColumnId;
use crate::snapshot::{Column, Table, TableDefinition};

/// More keys than this are found by reading all keys.
const MAX_KEYS: usize = 1000;
/// So few rows are read as fast as a key is looked up.
const FEW_ROWS: u64 = 4096;
/// So many rows are read as fast as a further key is looked up with its row.
const ROWS_OF_KEY: u64 = 256;

/// Whether a lookup of so many keys is faster than reading the fragments at `places`.
pub(crate) fn is_worth_a_lookup(table: &Table, places: &[usize], keys: usize) -> bool {
    let fragments = places.iter().map(|place| &table.fragments[*place]);
    let rows = fragments.map(|live| u64::from(live.fragment.rows()));
    let enough = FEW_ROWS.max(keys as u64 * ROWS_OF_KEY);
    rows.sum::<u64>() > enough
}

/// Keys that conditions ask for.
pub(crate) struct KeysOfConditions {
    /// The columns of the key.
    pub key: Vec<usize>,
    /// One array for each column of the key.
    pub values: Vec<ArrayRef>,
    /// Only rows in which this column is NULL are asked for.
    pub null: Option<ColumnId>,
}

/// The keys of all rows for which all of the conditions may be true; `None` if the conditions do not say. The key is
/// that of the table, or what the conditions take for it in a table that keeps the history of its rows.
pub(crate) fn keys_of(
    definition: &TableDefinition,
    conditions: &[Expr],
) -> Option<KeysOfConditions> {
    let parts: Vec<&Expr> = conditions.iter().flat_map(split_conjunction).collect();
    let (key, null) = match definition.key_indices() {
        key if key.is_empty() => key_of_history(definition, &parts)?,
        key => (key, None),
    };
    let columns = key.iter().map(|index| {
        let values = equal_to(&parts, &definition.columns[*index])?;
        (values.len() <= if key.len() == 1 { MAX_KEYS } else { 1 }).then_some(values)
    });
    let columns = columns.collect::<Option<Vec<Vec<ScalarValue>>>>()?;
    let arrays = columns.into_iter().zip(&key).map(|(values, index)| {
        let array = ScalarValue::iter_to_array(values).ok()?;
        let data_type = definition.columns[*index].field.data_type();
        (array.data_type() == data_type).then_some(array)
    });
    let values = arrays.collect::<Option<Vec<ArrayRef>>>()?;
    Some(KeysOfConditions { key, values, null })
}

/// The values of a column for which all of the conditions may be true.
fn equal_to(parts: &[&Expr], column: &Column) -> Option<Vec<ScalarValue>> {
    // Of floats, several NaN are equal that have other digests.
    let is_usable = !column.field.data_type().is_floating();
    let mut parts = parts.iter().filter(|_| is_usable);
    parts.find_map(|part| values_of(part, column))
}

/// The columns that are compared with values, if the open rows of a history are asked for by `_rhei_valid_to IS NULL`,
/// and that column: such a table has no key, for it has several rows of each.
fn key_of_history(
    definition: &TableDefinition,
    parts: &[&Expr],
) -> Option<(Vec<usize>, Option<ColumnId>)> {
    let mut columns = definition.columns.iter();
    let valid_to = columns.find(|column| column.field.name() == VALID_TO)?;
    let is_open = |part: &&Expr| matches!(part, Expr::IsNull(expr) if is_column(expr, valid_to));
    if !parts.iter().any(is_open) {
        return None;
    }
    let columns = definition.columns.iter().enumerate();
    let compared =
        columns.filter(|(_, column)| column.id != valid_to.id && equal_to(parts, column).is_some());
    let key: Vec<usize> = compared.map(|(index, _)| index).collect();
    (!key.is_empty()).then_some((key, Some(valid_to.id)))
}

/// The values of the column for which the condition may be true; `None` if it may be true for others.
fn values_of(condition: &Expr, column: &Column) -> Option<Vec<ScalarValue>> {
    match condition {
        Expr::Alias(alias) => values_of(&alias.expr, column),
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            let mut values = values_of(left, column)?;
            values.extend(values_of(right, column)?);
            Some(values)
        }
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => {
            let value = match (is_column(left, column), is_column(right, column)) {
                (true, _) => literal(right, column),
                (_, true) => literal(left, column),
                _ => None,
            };
            Some(vec![value?])
        }
        Expr::InList(list) if !list.negated && is_column(&list.expr, column) => {
            let values = list.list.iter().map(|value| literal(value, column));
            values.collect()
        }
        _ => None,
    }
}

/// Whether it is the column, perhaps as another type that has all of its values.
fn is_column(expr: &Expr, column: &Column) -> bool {
    match expr {
        Expr::Column(named) => named.name == *column.field.name(),
        Expr::Cast(Cast { expr, field }) => {
            let is_wider = has_all_values_of(field.data_type(), column.field.data_type());
            is_wider && matches!(expr.as_ref(), Expr::Column(_)) && is_column(expr, column)
        }
        _ => false,
    }
}

fn has_all_values_of(wide: &DataType, narrow: &DataType) -> bool {
    let (more, less) = (wide.primitive_width(), narrow.primitive_width());
    match (
        wide.is_integer() && narrow.is_integer(),
        narrow.is_unsigned_integer(),
    ) {
        (false, _) => are_texts(wide, narrow),
        (true, true) if wide.is_signed_integer() => more > less,
        (true, is_unsigned) => wide.is_unsigned_integer() == is_unsigned && more >= less,
    }
}

fn are_texts(a: &DataType, b: &DataType) -> bool {
    let is_text =
        |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    is_text(a) && is_text(b)
}

/// Whether a value of one type has at most one equal value of the other.
pub(crate) fn are_alike(a: &DataType, b: &DataType) -> bool {
    a == b || a.is_integer() && b.is_integer() || are_texts(a, b)
}

/// A literal as a value of the column.
fn literal(expr: &Expr, column: &Column) -> Option<ScalarValue> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    let data_type = column.field.data_type();
    if value.is_null() || !are_alike(&value.data_type(), data_type) {
        return None;
    }
    let of_column = value.cast_to(data_type).ok()?;
    let back = of_column.cast_to(&value.data_type()).ok()?;
    (back == *value).then_some(of_column)
}
