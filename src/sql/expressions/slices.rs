//! Works around arrow-cast, which casts sliced lists to fixed-size lists with the wrong rows.
//!
//! For a slice of a list array, arrow-cast 59 reads the values from the start of the original array: other rows'
//! values. So a slice is copied before such a cast. This module can go when arrow-cast handles slices correctly.

use arrow::array::{Array, AsArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{Cast, ColumnarValue, Expr, LogicalPlan, TryCast};

use super::passthrough::passed;
use super::rewrite::rewrite;

/// Copies the operand of each cast of an optimized plan to a type that contains fixed-size lists.
pub(crate) fn copy_before_casts(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, to_fixed_size, |expr, _| {
        expr.transform_up(|expr| {
            if !to_fixed_size(&expr) {
                return Ok(Transformed::no(expr));
            }
            let copy = |inner: Box<Expr>| Box::new(passed(*inner, "copied", copied));
            Ok(Transformed::yes(match expr {
                Expr::Cast(cast) => Expr::Cast(Cast {
                    expr: copy(cast.expr),
                    ..cast
                }),
                Expr::TryCast(cast) => Expr::TryCast(TryCast {
                    expr: copy(cast.expr),
                    ..cast
                }),
                other => other,
            }))
        })
    })
}

fn to_fixed_size(expr: &Expr) -> bool {
    let (inner, field) = match expr {
        Expr::Cast(cast) => (&cast.expr, &cast.field),
        Expr::TryCast(cast) => (&cast.expr, &cast.field),
        _ => return false,
    };
    !matches!(inner.as_ref(), Expr::Literal(..)) && has_fixed_size(field.data_type())
}

fn has_fixed_size(data_type: &DataType) -> bool {
    match data_type {
        DataType::FixedSizeList(..) => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => {
            has_fixed_size(item.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|field| has_fixed_size(field.data_type())),
        DataType::Dictionary(_, values) => has_fixed_size(values),
        _ => false,
    }
}

/// Whether an array contains a list array whose first offset is not 0.
fn begins_within(array: &dyn Array) -> bool {
    match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            list.offsets()[0] != 0 || begins_within(list.values())
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            list.offsets()[0] != 0 || begins_within(list.values())
        }
        DataType::FixedSizeList(..) => begins_within(array.as_fixed_size_list().values()),
        DataType::Map(..) => {
            let map = array.as_map();
            map.offsets()[0] != 0 || begins_within(map.entries())
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns();
            columns.iter().any(|column| begins_within(column))
        }
        DataType::Dictionary(..) => begins_within(array.as_any_dictionary().values()),
        _ => false,
    }
}

fn copied(value: ColumnarValue, _: usize) -> Result<ColumnarValue> {
    Ok(match value {
        ColumnarValue::Array(array) if begins_within(&array) => {
            let rows = UInt64Array::from_iter_values(0..array.len() as u64);
            ColumnarValue::Array(take(&array, &rows, None)?)
        }
        value => value,
    })
}
