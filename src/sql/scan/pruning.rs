//! Prunes fragments by the value range of each column.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, TryCastExpr};
use datafusion::physical_expr::utils::{conjunction, split_conjunction};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use crate::fragment::{ColumnId, ValueRange};
use crate::snapshot::Table;

/// The indices of the fragments that may hold a row for which `predicate` is true; all fragments if that is unknown.
pub(crate) fn prune(
    table: &Table,
    schema: &SchemaRef,
    predicate: Arc<dyn PhysicalExpr>,
) -> Vec<usize> {
    let all = 0..table.fragments.len();
    let conditions = split_conjunction(&predicate).into_iter().cloned();
    let conditions = conditions.filter(|condition| keeps_order(condition, schema));
    let predicate = conjunction(conditions);
    let Ok(predicate) = PruningPredicateBuilder::new()
        .with_file_schema(Arc::clone(schema))
        .try_build(predicate)
    else {
        return all.collect();
    };
    if predicate.always_true() {
        return all.collect();
    }
    match predicate.prune(&FragmentRanges(table)) {
        Ok(kept) => all
            .zip(kept)
            .filter(|(_, keep)| *keep)
            .map(|(i, _)| i)
            .collect(),
        Err(_) => all.collect(),
    }
}

/// Whether each cast in a condition preserves the order of values, so that a cast range is still a range. Casts to a
/// time of day or to a boolean, and between text and other types, do not.
fn keeps_order(condition: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> bool {
    let is_moment = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..)
        )
    };
    let mut keeps = true;
    let visited = condition.apply(|part| {
        let cast = part.downcast_ref::<CastExpr>();
        let cast = cast.map(|cast| (cast.expr(), cast.cast_type()));
        let tried = part.downcast_ref::<TryCastExpr>();
        let cast = cast.or_else(|| tried.map(|cast| (cast.expr(), cast.cast_type())));
        if let Some((from, to)) = cast {
            keeps &= from.data_type(schema).is_ok_and(|from| {
                from == *to
                    || from.is_numeric() && to.is_numeric()
                    || is_moment(&from) && is_moment(to)
                    || from.is_string() && to.is_string()
            });
        }
        Ok(match keeps {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    });
    keeps && visited.is_ok()
}

/// The fragments' value ranges, as DataFusion's [`PruningStatistics`]. The ranges include deleted rows, so they may be
/// too wide but never too narrow.
struct FragmentRanges<'a>(&'a Table);

impl FragmentRanges<'_> {
    fn column_id(&self, column: &Column) -> Option<(ColumnId, &DataType)> {
        let column = self.0.definition.column(&column.name)?;
        Some((column.id, column.field.data_type()))
    }

    fn values(
        &self,
        column: &Column,
        value: impl Fn(&ValueRange) -> ScalarValue,
    ) -> Option<ArrayRef> {
        let (id, data_type) = self.column_id(column)?;
        let unknown = ScalarValue::try_from(data_type).ok()?;
        let values = self
            .0
            .fragments
            .iter()
            .map(|live| live.fragment.range(id).map_or(unknown.clone(), &value));
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for FragmentRanges<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |range| range.min.clone())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |range| range.max.clone())
    }

    fn num_containers(&self) -> usize {
        self.0.fragments.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (id, _) = self.column_id(column)?;
        let counts = self.0.fragments.iter();
        let counts = counts.map(|live| live.fragment.range(id).map(|range| range.nulls));
        Some(Arc::new(UInt64Array::from_iter(counts)))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts = self.0.fragments.iter();
        let counts = counts.map(|live| u64::from(live.fragment.rows()));
        Some(Arc::new(UInt64Array::from_iter_values(counts)))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
