//! Evaluates filter conditions on a stored batch.
//!
//! Filtered rows are not removed at once: a condition reads only the columns that it needs, of the remaining rows, and
//! the output columns are gathered at the end (*late materialization*; Abadi et al., "Materialization Strategies in a
//! Column-Oriented DBMS"). A condition that may fail is never evaluated on a filtered row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::compute::{FilterBuilder, FilterPredicate, and, filter, prep_null_mask_filter, take};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
};
use datafusion::physical_expr::utils::{collect_columns, conjunction, split_conjunction};
use datafusion::physical_expr::{DynamicFilterTracking, PhysicalExpr};
use datafusion::physical_expr_common::physical_expr::snapshot_physical_expr;

use super::read::with_dead_rows;

/// The rows of a large batch on which a runtime filter is tried first.
const TRIED_ROWS: usize = 1024;
/// A runtime filter is applied if it keeps at most one of this many tried rows.
const WORTH: usize = 2;

/// Reads a column of a stored batch by its index in the table.
pub(super) type Stored<'a> = &'a dyn Fn(usize) -> Result<ArrayRef>;

/// A condition, and the columns of the table that it reads.
struct Condition {
    /// Over the columns of `schema`.
    expr: Arc<dyn PhysicalExpr>,
    reads: Vec<usize>,
    schema: SchemaRef,
    may_fail: bool,
}

impl Condition {
    /// Makes a condition of an expression over all columns of a table.
    fn new(expr: &Arc<dyn PhysicalExpr>, table: &Schema) -> Result<Self> {
        let mut reads: Vec<usize> = collect_columns(expr).iter().map(Column::index).collect();
        reads.sort_unstable();
        let moved = Arc::clone(expr).transform_down(|expr| {
            let place = expr
                .downcast_ref::<Column>()
                .and_then(|column| Some((column, reads.binary_search(&column.index()).ok()?)));
            Ok(match place {
                Some((column, place)) => {
                    Transformed::yes(Arc::new(Column::new(column.name(), place)) as _)
                }
                None => Transformed::no(expr),
            })
        });
        Ok(Self {
            expr: moved.data()?,
            schema: Arc::new(with_dead_rows(&table.project(&reads)?)),
            may_fail: may_fail(expr),
            reads,
        })
    }

    /// For each row of the given columns, whether the condition is true; NULL counts as false.
    fn holds(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<BooleanArray> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        let holds = self.expr.evaluate(&batch)?.into_array(rows)?;
        let holds = as_boolean_array(&holds)?;
        Ok(match holds.null_count() {
            0 => holds.clone(),
            _ => prep_null_mask_filter(holds),
        })
    }
}

fn compares(operator: &Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(
        operator,
        Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom
    )
}

/// Whether an expression may fail for some row. Only columns, constants, comparisons, IN, LIKE, IS NULL, AND, OR and
/// NOT are known not to fail.
fn may_fail(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let mut may_fail = false;
    let visited = expr.apply(|part| {
        let is_safe = part.downcast_ref::<Column>().is_some()
            || part.downcast_ref::<Literal>().is_some()
            || part.downcast_ref::<NotExpr>().is_some()
            || part.downcast_ref::<IsNullExpr>().is_some()
            || part.downcast_ref::<IsNotNullExpr>().is_some()
            || part.downcast_ref::<InListExpr>().is_some()
            || part.downcast_ref::<LikeExpr>().is_some()
            || part.downcast_ref::<BinaryExpr>().is_some_and(|binary| {
                compares(binary.op()) || matches!(binary.op(), Operator::And | Operator::Or)
            });
        may_fail |= !is_safe;
        Ok(match is_safe {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    });
    may_fail || visited.is_err()
}

/// A runtime filter: a condition that arises while the query runs, and may change.
struct Runtime {
    filter: Arc<dyn PhysicalExpr>,
    tracking: DynamicFilterTracking,
    now: Option<Condition>,
}

/// All conditions of one stream.
pub(super) struct ScanFilter {
    exact: Vec<Condition>,
    runtime: Vec<Runtime>,
    is_new: bool,
    table: SchemaRef,
}

impl ScanFilter {
    /// `exact` are the query's own conditions; `runtime` are optional filters that only save work. Both refer to the
    /// columns of `table`.
    pub fn new(
        exact: &[Arc<dyn PhysicalExpr>],
        runtime: &[Arc<dyn PhysicalExpr>],
        table: SchemaRef,
    ) -> Result<Self> {
        let exact = exact.iter().map(|expr| Condition::new(expr, &table));
        let runtime = runtime.iter().map(|filter| Runtime {
            tracking: DynamicFilterTracking::classify(filter),
            filter: Arc::clone(filter),
            now: None,
        });
        Ok(Self {
            exact: exact.collect::<Result<_>>()?,
            is_new: true,
            runtime: runtime.collect(),
            table,
        })
    }

    /// The schema that all conditions refer to.
    pub fn table(&self) -> &SchemaRef {
        &self.table
    }

    /// Takes the current state of the runtime filters. If a filter has changed, returns the conjunction of all runtime
    /// filters, over the table's columns.
    pub fn refresh(&mut self) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let is_new = std::mem::take(&mut self.is_new);
        let mut has_changed = false;
        for runtime in &mut self.runtime {
            let watcher = runtime.tracking.watcher();
            if !watcher.is_some_and(|watcher| watcher.changed()) && !is_new {
                continue;
            }
            has_changed = true;
            let now = snapshot_physical_expr(Arc::clone(&runtime.filter))?;
            runtime.now = match is_true(&now) {
                true => None,
                false => Some(Condition::new(&per_row_part(&now), &self.table)?),
            };
        }
        if !has_changed {
            return Ok(None);
        }
        let filters = self
            .runtime
            .iter()
            .map(|runtime| Arc::clone(&runtime.filter));
        Ok(Some(snapshot_physical_expr(conjunction(filters))?))
    }

    /// The rows for which all conditions are true.
    pub fn apply(&self, mut rows: Rows, stored: Stored<'_>) -> Result<Rows> {
        let helping = self
            .runtime
            .iter()
            .filter_map(|runtime| runtime.now.as_ref());
        let mut worth = Vec::new();
        for condition in helping {
            let passing = rows.tried(condition, stored)?;
            if passing * WORTH <= TRIED_ROWS {
                worth.push((passing, condition));
            }
        }
        worth.sort_by_key(|(passing, _)| *passing);
        let helping = worth.into_iter().map(|(_, condition)| condition);
        for condition in helping.chain(&self.exact) {
            rows.keep(condition, stored)?;
        }
        Ok(rows)
    }
}

fn is_true(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let literal = expr.downcast_ref::<Literal>();
    literal.is_some_and(|literal| literal.value() == &ScalarValue::Boolean(Some(true)))
}

/// The part of a join's runtime filter to evaluate per row: if the filter looks up keys, the range of the keys adds
/// nothing.
fn per_row_part(filter: &Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    let is_range = |part: &&Arc<dyn PhysicalExpr>| {
        let binary = part.downcast_ref::<BinaryExpr>();
        binary.is_some_and(|binary| compares(binary.op()))
    };
    let (ranges, lookups): (Vec<_>, Vec<_>) =
        split_conjunction(filter).into_iter().partition(is_range);
    let asked = if lookups.is_empty() { ranges } else { lookups };
    conjunction(asked.into_iter().cloned())
}

/// The remaining rows of a stored batch.
pub(super) struct Rows {
    /// Positions in the batch; `None` for all rows.
    chosen: Option<UInt32Array>,
    /// Which of the chosen rows remain; `None` for all.
    mask: Option<BooleanArray>,
    /// The number of chosen rows.
    count: usize,
}

impl Rows {
    /// The live rows of a batch of `count` rows.
    pub fn alive(count: usize, live: Option<BooleanArray>) -> Self {
        Self {
            chosen: None,
            mask: live,
            count,
        }
    }

    /// The number of remaining rows.
    pub fn len(&self) -> usize {
        self.mask
            .as_ref()
            .map_or(self.count, BooleanArray::true_count)
    }

    /// Makes the remaining rows the chosen rows.
    fn apply_mask(&mut self) -> Result<()> {
        let Some(mask) = self.mask.take() else {
            return Ok(());
        };
        if mask.true_count() == self.count {
            return Ok(());
        }
        let chosen: UInt32Array = match &self.chosen {
            None => UInt32Array::from_iter_values(mask.values().set_indices_u32()),
            Some(chosen) => filter(chosen, &mask)?.as_primitive().clone(),
        };
        self.count = chosen.len();
        self.chosen = Some(chosen);
        Ok(())
    }

    /// The columns that a condition reads, for `rows` chosen rows from `start` on.
    fn columns(
        &self,
        condition: &Condition,
        stored: Stored<'_>,
        start: usize,
        rows: usize,
    ) -> Result<Vec<ArrayRef>> {
        let chosen = self.chosen.as_ref().map(|chosen| chosen.slice(start, rows));
        let columns = condition.reads.iter().map(|index| {
            let column = stored(*index)?;
            Ok(match &chosen {
                Some(chosen) => take(&column, chosen, None)?,
                None if rows < column.len() => column.slice(start, rows),
                None => column,
            })
        });
        columns.collect()
    }

    /// How many of [`TRIED_ROWS`] rows a condition keeps; 0 for a small batch, which is not tried.
    fn tried(&self, condition: &Condition, stored: Stored<'_>) -> Result<usize> {
        if self.count <= 2 * TRIED_ROWS {
            return Ok(0);
        }
        let start = (self.count - TRIED_ROWS) / 2;
        let columns = self.columns(condition, stored, start, TRIED_ROWS)?;
        Ok(condition.holds(columns, TRIED_ROWS)?.true_count())
    }

    /// Keeps the rows for which a condition is true.
    fn keep(&mut self, condition: &Condition, stored: Stored<'_>) -> Result<()> {
        let left = self.len();
        if left == 0 {
            return Ok(());
        }
        if condition.may_fail || left * 2 < self.count {
            self.apply_mask()?;
        }
        let columns = self.columns(condition, stored, 0, self.count)?;
        let holds = condition.holds(columns, self.count)?;
        self.mask = Some(match &self.mask {
            Some(mask) => and(mask, &holds)?,
            None => holds,
        });
        Ok(())
    }

    /// Gathers the remaining rows of any column.
    pub fn gatherer(mut self) -> Result<Gatherer> {
        if self.chosen.is_some() {
            self.apply_mask()?;
        }
        Ok(match (self.chosen, self.mask) {
            (Some(chosen), _) => Gatherer::Chosen(chosen),
            (None, Some(mask)) if mask.true_count() < self.count => {
                Gatherer::Masked(FilterBuilder::new(&mask).optimize().build())
            }
            (None, _) => Gatherer::All,
        })
    }
}

pub(super) enum Gatherer {
    All,
    Masked(FilterPredicate),
    Chosen(UInt32Array),
}

impl Gatherer {
    pub fn gather(&self, column: ArrayRef) -> Result<ArrayRef> {
        Ok(match self {
            Self::All => column,
            Self::Masked(mask) => mask.filter(&column)?,
            Self::Chosen(chosen) => take(&column, chosen, None)?,
        })
    }
}
