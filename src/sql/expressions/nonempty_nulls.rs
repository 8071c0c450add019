//! Keeps functions from using the undefined values that an Arrow array has in its NULL slots.
//!
//! `date_trunc` truncates the value in a NULL slot too. For a `max(ts)` of no values that value is the least i64, so
//! the truncation overflows, and panics in a build with overflow checks. So NULL slots are set to 0 before the call.
//! An element appended to the NULL of `nullif(list, other)` is appended to the list in the NULL slot, so such a list
//! is made empty. A field of a NULL struct has the value in the NULL slot, so the fields are made NULL. This module
//! can go when DataFusion ignores the values in NULL slots.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StructArray, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, nullif, take};
use arrow::datatypes::{ArrowNativeType, DataType, Int64Type};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{ColumnarValue, Expr, LogicalPlan};

use super::passthrough::passed;
use super::rewrite::rewrite;

/// Clears the NULL slots of the arguments of those functions of an optimized plan that read NULL slots.
pub(crate) fn clear_behind_nulls(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, looks_behind, |expr, _| {
        expr.transform_up(|expr| match expr {
            Expr::ScalarFunction(mut call) if reads(call.func.name()) => {
                call.args = call.args.into_iter().map(clear).collect();
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            Expr::Alias(mut alias) if is_unnested(&alias.name) => {
                *alias.expr = clear(*alias.expr);
                Ok(Transformed::yes(Expr::Alias(alias)))
            }
            expr => Ok(Transformed::no(expr)),
        })
    })
}

fn looks_behind(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => reads(call.func.name()),
        Expr::Alias(alias) => is_unnested(&alias.name),
        _ => false,
    }
}

/// Whether a column is the input of DataFusion's unnest, which turns the fields of a struct into columns.
fn is_unnested(name: &str) -> bool {
    name.starts_with("__unnest_placeholder(")
}

fn clear(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(..) => expr,
        expr => passed(expr, "cleared", cleared),
    }
}

/// Whether a function reads the values in NULL slots.
fn reads(function: &str) -> bool {
    [
        "date_trunc",
        "array_append",
        "array_prepend",
        "array_repeat",
        "get_field",
        "map_extract",
    ]
    .contains(&function)
}

fn cleared(value: ColumnarValue, _: usize) -> Result<ColumnarValue> {
    let ColumnarValue::Array(array) = value else {
        return Ok(value);
    };
    let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(ColumnarValue::Array(array));
    };
    Ok(ColumnarValue::Array(match array.data_type() {
        DataType::Timestamp(..) => zeroed(&array, nulls)?,
        DataType::List(_) => emptied(&array, nulls, array.as_list::<i32>().offsets())?,
        DataType::LargeList(_) => emptied(&array, nulls, array.as_list::<i64>().offsets())?,
        DataType::Map(..) => emptied(&array, nulls, array.as_map().offsets())?,
        DataType::Struct(_) => all_null(&array, nulls)?,
        _ => array,
    }))
}

fn zeroed(array: &ArrayRef, nulls: &NullBuffer) -> Result<ArrayRef> {
    let numbers = cast(array, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>().values().iter();
    let numbers = numbers.zip(nulls).map(|(number, is_valid)| match is_valid {
        true => *number,
        false => 0,
    });
    let numbers = Int64Array::new(numbers.collect(), Some(nulls.clone()));
    Ok(cast(&numbers, array.data_type())?)
}

fn emptied<Offset: ArrowNativeType>(
    array: &ArrayRef,
    nulls: &NullBuffer,
    offsets: &[Offset],
) -> Result<ArrayRef> {
    let mut rows = offsets.windows(2).zip(nulls);
    if rows.all(|(ends, is_valid)| is_valid || ends[0] == ends[1]) {
        return Ok(Arc::clone(array));
    }
    let rows = nulls.iter().zip(0_u64..);
    let rows = rows.map(|(is_valid, row)| is_valid.then_some(row));
    Ok(take(array, &UInt64Array::from_iter(rows), None)?)
}

/// Makes the fields of each NULL struct NULL.
fn all_null(array: &ArrayRef, nulls: &NullBuffer) -> Result<ArrayRef> {
    let is_known = |column: &ArrayRef| {
        let known = column.nulls().is_some_and(|known| known.contains(nulls));
        known || column.data_type() == &DataType::Null
    };
    let structs = array.as_struct();
    if structs.columns().iter().all(is_known) {
        return Ok(Arc::clone(array));
    }
    let is_null = BooleanArray::new(!nulls.inner(), None);
    let columns = structs
        .columns()
        .iter()
        .map(|column| match is_known(column) {
            true => Ok(Arc::clone(column)),
            false => nullif(column, &is_null),
        });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let nulls = Some(nulls.clone());
    Ok(Arc::new(StructArray::try_new(
        structs.fields().clone(),
        columns,
        nulls,
    )?))
}
