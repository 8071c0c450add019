//! The fast path of an UPDATE or DELETE of one table by a simple condition: expressions over fragments, without a
//! plan.
//!
//! Names, parameters, types and pruning are the same as in a planned statement; the condition and the new values are
//! the same physical expressions, evaluated on the same batches. A statement takes a plan if it has a subquery, a
//! join, RETURNING or a function whose value may change between calls, if it would read many rows (a plan uses all
//! cores) or many files, or if anything fails on the way: the planned statement also words the errors.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{and, filter_record_batch, prep_null_mask_filter};
use arrow::datatypes::{DataType, UInt64Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result, TableReference};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::sql::sqlparser::ast;

use crate::error::DfOlapError;
use crate::runtime;
use crate::snapshot::{Table, row_address};
use crate::sql::execution::Run;
use crate::sql::expressions::overflow::{check_condition, check_expr};
use crate::sql::planner::Planner;
use crate::sql::planner::literals::{NUMBER, meet_decimals_in};
use crate::sql::resources::cooperative::Pace;
use crate::sql::scan::locate::{KeysOfConditions, KeysToFind, is_worth_a_lookup, keys_of};
use crate::sql::scan::pruning::prune;
use crate::sql::scan::stored_batches;
use crate::sql::write::RowChanges;
use crate::sql::write::rows::shape;
use crate::sql::write::target::{Target, assignments};
use crate::store::Found;

/// The most in-memory rows that the fast path reads on one thread. If there are more threads, more rows are left to a
/// plan.
const MAX_ROWS: u64 = 1 << 18;
/// The most files that the fast path searches, one after the other.
const MAX_FILES: usize = 4;

/// The target of `DELETE FROM t WHERE condition` and the rows that it removes; `None` if the statement needs a plan.
pub(crate) async fn delete(run: &Run, statement: &ast::Delete) -> Option<(Target, RowChanges)> {
    let ast::Delete {
        delete_token: _,
        optimizer_hints: _,
        tables,
        from,
        using: None,
        selection: Some(selection),
        returning: None,
        output: None,
        order_by,
        limit: None,
    } = statement
    else {
        return None;
    };
    let (ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from)) = from;
    let [table] = from.as_slice() else {
        return None;
    };
    if !(tables.is_empty() && order_by.is_empty() && table.joins.is_empty()) {
        return None;
    }
    let matched = matched(run, &table.relation, selection, None);
    matched.await.ok()?
}

/// The target of `UPDATE t SET … WHERE condition` and the rows that it changes; `None` if the statement needs a plan.
pub(crate) async fn update(run: &Run, statement: &ast::Update) -> Option<(Target, RowChanges)> {
    let ast::Update {
        update_token: _,
        optimizer_hints: _,
        table,
        assignments,
        from: None,
        selection: Some(selection),
        returning: None,
        output: None,
        or: None,
        order_by,
        limit: None,
    } = statement
    else {
        return None;
    };
    if !(order_by.is_empty() && table.joins.is_empty()) {
        return None;
    }
    let matched = matched(run, &table.relation, selection, Some(assignments));
    matched.await.ok()?
}

async fn matched(
    run: &Run,
    factor: &ast::TableFactor,
    selection: &ast::Expr,
    assigned: Option<&[ast::Assignment]>,
) -> Result<Option<(Target, RowChanges)>, DfOlapError> {
    let Some(Change {
        target,
        condition,
        values,
    }) = supported_change(run, factor, selection, assigned)?
    else {
        return Ok(None);
    };
    let table = Arc::clone(&target.table);
    let places = prune(
        &table,
        &table.definition.schema,
        Arc::clone(&condition.plain),
    );
    let mut matched = Matched {
        target,
        changes: RowChanges::new(run),
    };
    let values = assigned.map(|_| &values);
    if let Some(found) = by_key(run, &table, &places, condition.keys.as_ref()).await? {
        let addresses = found.column(table.definition.columns.len());
        let addresses = addresses.as_primitive::<UInt64Type>();
        matched.take(&found, None, |row| addresses.value(row), &condition, values)?;
        return Ok(Some((matched.target, matched.changes)));
    }
    let is_in_file = |place: &usize| table.fragments[*place].fragment.file().is_some();
    let (in_files, in_memory): (Vec<usize>, Vec<usize>) = places.into_iter().partition(is_in_file);
    let rows: u64 = in_memory
        .iter()
        .map(|place| table.fragments[*place].rows())
        .sum();
    let is_for_many_threads = rows > MAX_ROWS && !runtime::SINGLE_THREADED;
    if is_for_many_threads || in_files.len() > MAX_FILES {
        return Ok(None);
    }
    let mut pace = Pace::new();
    for stored in stored_batches(&table, &in_memory) {
        run.check_stop()?;
        pace.keep().await;
        let stored = stored?;
        let alive = stored.live_rows();
        let address = |index| stored.address(index);
        matched.take(&stored.batch, alive, address, &condition, values)?;
    }
    for place in in_files {
        run.check_stop()?;
        let Some(found) = run
            .context
            .store
            .find(&table, place, &condition.plain)
            .await?
        else {
            return Ok(None);
        };
        for Found { batch, positions } in found {
            let address = |index| row_address(place, 0) + positions.value(index);
            matched.take(&batch, None, address, &condition, values)?;
        }
    }
    Ok(Some((matched.target, matched.changes)))
}

/// The live rows of the table that have one of the keys, with their addresses after their columns; `None` if there are
/// no keys, or if they are found as well by reading the fragments at `places`.
async fn by_key(
    run: &Run,
    table: &Arc<Table>,
    places: &[usize],
    keys: Option<&KeysOfConditions>,
) -> Result<Option<RecordBatch>, DfOlapError> {
    let worth = |keys: &&KeysOfConditions| is_worth_a_lookup(table, places, keys.values[0].len());
    let Some(keys) = keys.filter(worth) else {
        return Ok(None);
    };
    let wanted = KeysToFind {
        table,
        key: &keys.key,
        values: &keys.values,
        null: keys.null,
        store: run.context.store.as_ref(),
        stop: &|| run.check_stop(),
    };
    let all: Vec<usize> = (0..table.definition.columns.len()).collect();
    wanted.rows(&all).await
}

/// A statement that the fast path supports.
struct Change {
    target: Target,
    condition: Condition,
    /// The new values of an UPDATE, by column index.
    values: HashMap<usize, Arc<dyn PhysicalExpr>>,
}

fn supported_change(
    run: &Run,
    factor: &ast::TableFactor,
    selection: &ast::Expr,
    assigned: Option<&[ast::Assignment]>,
) -> Result<Option<Change>, DfOlapError> {
    let planner = run.planner();
    let target = Target::new(&planner, factor)?;
    let definition = &target.table.definition;
    let alias = TableReference::bare(target.alias.clone());
    let schema = DFSchema::try_from_qualified_schema(alias, &definition.schema)?;
    let expressions = Expressions {
        run,
        target: &target,
        planner: &planner,
        schema: &schema,
    };

    let Some(condition) = expressions.condition(selection)? else {
        return Ok(None);
    };
    let mut values: HashMap<usize, Arc<dyn PhysicalExpr>> = HashMap::new();
    if let Some(assigned) = assigned {
        let mut new = assignments(&planner, &target, assigned)?;
        for (index, column) in definition.columns.iter().enumerate() {
            if let Some(value) = new.remove(column.field.name()) {
                let Some(value) = expressions.value(value, column.field.data_type())? else {
                    return Ok(None);
                };
                values.insert(index, value);
            }
        }
    }
    Ok(Some(Change {
        target,
        condition,
        values,
    }))
}

/// The rows that a statement has matched so far.
struct Matched {
    target: Target,
    changes: RowChanges,
}

impl Matched {
    /// Adds the live rows of a batch for which the condition is true, and their new values.
    fn take(
        &mut self,
        batch: &RecordBatch,
        alive: Option<BooleanArray>,
        address: impl Fn(usize) -> u64,
        condition: &Condition,
        values: Option<&HashMap<usize, Arc<dyn PhysicalExpr>>>,
    ) -> Result<(), DfOlapError> {
        let hit = condition.checked.evaluate(batch)?;
        let hit = hit.into_array(batch.num_rows())?;
        let mut hit = definite(hit.as_boolean());
        if hit.true_count() == 0 {
            return Ok(());
        }
        if let Some(alive) = alive {
            hit = and(&hit, &alive)?;
        }
        let rows = hit.values().set_indices();
        self.changes.dead.extend(rows.map(address));
        if let Some(values) = values {
            let rows = filter_record_batch(batch, &hit)?;
            self.changes
                .new
                .push(changed(&self.target, &rows, values)?)?;
        }
        Ok(())
    }
}

/// True where the condition is true; false where the condition is false or NULL.
fn definite(hit: &BooleanArray) -> BooleanArray {
    match hit.nulls() {
        Some(_) => prep_null_mask_filter(hit),
        None => hit.clone(),
    }
}

fn changed(
    target: &Target,
    batch: &RecordBatch,
    values: &HashMap<usize, Arc<dyn PhysicalExpr>>,
) -> Result<RecordBatch, DfOlapError> {
    let definition = &target.table.definition;
    let columns = (0..definition.columns.len())
        .map(|index| match values.get(&index) {
            Some(value) => value.evaluate(batch)?.into_array(batch.num_rows()),
            None => Ok(Arc::clone(batch.column(index))),
        })
        .collect::<Result<Vec<ArrayRef>>>()?;
    shape(&target.name, definition, &columns, batch.num_rows())
}

/// The condition that selects the rows to change.
struct Condition {
    /// As written, for pruning.
    plain: Arc<dyn PhysicalExpr>,
    /// With checked arithmetic, for evaluating rows.
    checked: Arc<dyn PhysicalExpr>,
    /// The keys of the rows for which it may be true, if it names them.
    keys: Option<KeysOfConditions>,
}

struct Expressions<'a> {
    run: &'a Run,
    target: &'a Target,
    planner: &'a Planner,
    schema: &'a DFSchema,
}

impl Expressions<'_> {
    fn condition(&self, expr: &ast::Expr) -> Result<Option<Condition>, DfOlapError> {
        let expr = self.expr(expr.clone())?;
        if expr.get_type(self.schema)? != DataType::Boolean {
            return Ok(None);
        }
        let Some(plain) = self.physical(expr.clone())? else {
            return Ok(None);
        };
        let keys = keys_of(&self.target.table.definition, std::slice::from_ref(&expr));
        let checked = check_condition(expr, self.schema)?;
        let checked = match checked.transformed {
            true => self.physical(checked.data)?,
            false => Some(Arc::clone(&plain)),
        };
        Ok(checked.map(|checked| Condition {
            plain,
            checked,
            keys,
        }))
    }

    fn value(
        &self,
        expr: ast::Expr,
        data_type: &DataType,
    ) -> Result<Option<Arc<dyn PhysicalExpr>>, DfOlapError> {
        let context = self.planner.planner_context();
        let expr = self.planner.expr(expr, self.schema, &context)?;
        let expr = meet_decimals_in(expr.cast_to(data_type, self.schema)?, self.schema)?;
        let expr = check_expr(self.planner.coerce(expr, self.schema)?, self.schema)?;
        if expr.column_refs().is_empty() {
            // A constant that fails does so before any row is read.
            self.planner.constant(expr.clone())?;
        }
        self.physical(expr)
    }

    fn expr(&self, expr: ast::Expr) -> Result<Expr, DfOlapError> {
        let context = self.planner.planner_context();
        let expr = self.planner.expr(expr, self.schema, &context)?;
        Ok(self.planner.coerce(expr, self.schema)?)
    }

    fn physical(&self, expr: Expr) -> Result<Option<Arc<dyn PhysicalExpr>>, DfOlapError> {
        if expr.exists(|e| Ok(!is_plain(e)))? {
            return Ok(None);
        }
        let state = self.run.state();
        Ok(Some(state.create_physical_expr(expr, self.schema)?))
    }
}

/// Operators that are functions in DataFusion, and functions that are as fast. Other functions, including user-defined
/// functions, take a plan, which calls them on the engine's own threads.
const QUICK: [&str; 20] = [
    "||",
    "arithmetic",
    "-",
    NUMBER,
    "abs",
    "ceil",
    "floor",
    "round",
    "lower",
    "upper",
    "btrim",
    "ltrim",
    "rtrim",
    "character_length",
    "substr",
    "coalesce",
    "nullif",
    "greatest",
    "least",
    "concat",
];

/// True for a fast expression that depends on nothing but the row.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Alias(_)
        | Expr::BinaryExpr(_)
        | Expr::Like(_)
        | Expr::SimilarTo(_)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::InList(_) => true,
        Expr::ScalarFunction(call) => QUICK.contains(&call.func.name()),
        _ => false,
    }
}
