//! Upserts: ON CONFLICT, INSERT OR REPLACE, INSERT OR IGNORE.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::{concat_batches, filter_record_batch, is_not_null, is_null};
use arrow::datatypes::{DataType, SchemaRef, UInt64Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, JoinType, Result, ScalarValue, TableReference, plan_err};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, when};
use datafusion::prelude::lit;
use datafusion::sql::sqlparser::ast;

use super::by_key::{Stored, column_of, join_by_key};
use super::new_keys::no_new_keys;
use super::target::{Target, assignments, known_column};
use super::unique_keys::{SameKey, unique_by_key};
use super::{RowChanges, for_each_batch};
use crate::error::{DfOlapError, unsupported};
use crate::fragment::by_bytes;
use crate::snapshot::TableDefinition;
use crate::sql::execution::{Effect, Run};
use crate::sql::expressions::fallible::{and_then, cannot_fail};
use crate::sql::planner::Planner;
use crate::sql::resources::buffered_rows::BufferedRows;
use crate::sql::scan::ROW_ADDRESS;
use crate::sql::scan::locate::{KeysToFind, Missing};

/// The conflict resolution of an INSERT.
pub(crate) enum OnConflict {
    /// The row is added.
    Append,
    Nothing,
    Replace,
    Update(Box<ast::DoUpdate>),
}

pub(crate) fn on_conflict(
    planner: &Planner,
    target: &Target,
    insert: &ast::Insert,
) -> Result<OnConflict> {
    let mut chosen = Vec::new();
    if insert.replace_into {
        chosen.push(OnConflict::Replace);
    }
    if insert.ignore {
        chosen.push(OnConflict::Nothing);
    }
    match insert.or {
        None => {}
        Some(ast::SqliteOnConflict::Replace) => chosen.push(OnConflict::Replace),
        Some(ast::SqliteOnConflict::Ignore) => chosen.push(OnConflict::Nothing),
        Some(other) => return Err(unsupported(&format!("INSERT {other}")).into()),
    }
    match &insert.on {
        None => {}
        Some(ast::OnInsert::OnConflict(on)) => {
            check_conflict_target(planner, target, &on.conflict_target)?;
            chosen.push(match &on.action {
                ast::OnConflictAction::DoNothing => OnConflict::Nothing,
                ast::OnConflictAction::DoUpdate(update) => {
                    OnConflict::Update(Box::new(update.clone()))
                }
            });
        }
        Some(_) => return Err(unsupported("ON DUPLICATE KEY UPDATE").into()),
    }
    if chosen.len() > 1 || (insert.overwrite && !chosen.is_empty()) {
        return Err(unsupported("more than one way to resolve a conflict").into());
    }
    match chosen.pop() {
        None => Ok(OnConflict::Append),
        Some(_) if target.table.definition.primary_key.is_empty() => {
            Err(DfOlapError::Invalid(format!(
                "table {} has no PRIMARY KEY, so no row of it can conflict",
                target.name
            ))
            .into())
        }
        Some(chosen) => Ok(chosen),
    }
}

/// ON CONFLICT may name all columns of the primary key, or none.
fn check_conflict_target(
    planner: &Planner,
    target: &Target,
    named: &Option<ast::ConflictTarget>,
) -> Result<()> {
    let definition = &target.table.definition;
    match named {
        None => Ok(()),
        Some(ast::ConflictTarget::OnConstraint(name)) => {
            Err(unsupported(&format!("ON CONFLICT ON CONSTRAINT {name}")).into())
        }
        Some(ast::ConflictTarget::Columns(columns)) => {
            let named = columns
                .iter()
                .map(|c| planner.column_name(&definition.columns, c));
            let mut named = named.collect::<Result<Vec<String>>>()?;
            for name in &named {
                known_column(definition, name)?;
            }
            let key = definition.key_indices().into_iter();
            let mut key: Vec<String> = key
                .map(|index| definition.columns[index].field.name().clone())
                .collect();
            named.sort();
            key.sort();
            if named == key {
                return Ok(());
            }
            Err(DfOlapError::Invalid(format!(
                "ON CONFLICT ({}) is not the PRIMARY KEY ({}) of {}",
                named.join(", "),
                key.join(", "),
                target.name
            ))
            .into())
        }
    }
}

/// Joins new rows to the existing rows with the same keys, and resolves the conflicts.
pub(crate) async fn resolve(
    run: &Run,
    target: &Target,
    mut new: BufferedRows,
    on_conflict: OnConflict,
) -> Result<RowChanges, DfOlapError> {
    let definition = &target.table.definition;
    let key = definition.key_indices();
    let source = std::mem::take(&mut new.batches);
    drop(new);
    let of_same_key = match on_conflict {
        OnConflict::Append | OnConflict::Nothing => SameKey::First,
        OnConflict::Replace => SameKey::Last,
        OnConflict::Update(_) => SameKey::Refused("ON CONFLICT DO UPDATE"),
    };
    let mut source = unique_by_key(run, target, source, of_same_key).await?;
    // A join may take several batches in another order.
    if !matches!(on_conflict, OnConflict::Replace)
        && source.len() > 1
        && let [all] = by_bytes(&source)?[..]
    {
        source = vec![concat_batches(&definition.schema, all)?];
    }
    // Of rows with much text only the keys are one batch: a text array holds 2 GiB.
    let keys_of = |batch: &RecordBatch| batch.project(&key);
    let keys = source.iter().map(keys_of).collect::<Result<Vec<_>, _>>()?;
    let keys = concat_batches(&Arc::new(definition.schema.project(&key)?), &keys)?;
    let wanted = KeysToFind {
        table: &target.table,
        key: &key,
        values: keys.columns(),
        null: None,
        store: run.context.store.as_ref(),
        stop: &|| run.check_stop(),
    };
    if matches!(on_conflict, OnConflict::Replace)
        && let Some(addresses) = wanted.addresses(Missing::MadeIfWorthwhile).await?
    {
        let mut changes = RowChanges::new(run);
        changes.dead.extend(addresses.into_iter().flatten());
        changes.add_all(source)?;
        return Ok(changes);
    }
    // Only DO UPDATE reads more of an existing row than its address.
    let needed = match &on_conflict {
        OnConflict::Update(_) => (0..definition.columns.len()).collect(),
        _ => key.clone(),
    };
    let found = wanted.rows(&needed).await?;
    let rows = match &on_conflict {
        OnConflict::Replace => (keys.schema(), vec![keys]),
        _ => (Arc::clone(&definition.schema), source.clone()),
    };
    let plan = plan_conflicts(&run.planner(), target, rows, found, &on_conflict)?;
    let columns = Columns::of(definition);
    let mut changes = RowChanges::new(run);
    for_each_batch(run, plan, |batch| {
        let addresses = batch.column(0);
        let fresh = filter_record_batch(&batch, &is_null(addresses)?)?;
        let taken = filter_record_batch(&batch, &is_not_null(addresses)?)?;
        match &on_conflict {
            OnConflict::Append | OnConflict::Nothing => {
                changes.new.push(target.rows(&fresh, columns.inserted)?)?;
            }
            OnConflict::Replace => {
                let addresses = taken.column(0).as_primitive::<UInt64Type>();
                changes.dead.extend(addresses.values());
            }
            OnConflict::Update(_) => {
                changes.new.push(target.rows(&fresh, columns.inserted)?)?;
                let applies = taken.column(columns.applies).as_boolean();
                let applies: BooleanArray = applies.iter().map(|a| Some(a == Some(true))).collect();
                let taken = filter_record_batch(&taken, &applies)?;
                target.claim(&mut changes.dead, &taken, "ON CONFLICT DO UPDATE")?;
                changes.new.push(target.rows(&taken, columns.updated)?)?;
            }
        }
        Ok(())
    })
    .await?;
    if matches!(on_conflict, OnConflict::Replace) {
        // Add each new row once, however many existing rows have its key.
        changes.add_all(source)?;
    }
    Ok(changes)
}

/// The effect of putting rows in the place of those with the same keys. Of rows with one key the last one counts.
pub(crate) async fn replace(
    run: &Run,
    target: &Target,
    new: BufferedRows,
) -> Result<Effect, DfOlapError> {
    let changes = resolve(run, target, new, OnConflict::Replace).await?;
    let rows = changes.new.rows();
    let mut actions = vec![no_new_keys(&target.table, &changes.new)];
    actions.extend(changes.into_actions(run, &target.table).await?);
    Ok(Effect::of(actions, rows))
}

/// The indices of the output columns of [`plan_conflicts`], after the row address.
struct Columns {
    /// The first column of the row to insert.
    inserted: usize,
    /// The first column of the row that DO UPDATE makes.
    updated: usize,
    /// Whether DO UPDATE applies.
    applies: usize,
}

impl Columns {
    fn of(definition: &TableDefinition) -> Self {
        let width = definition.columns.len();
        Self {
            inserted: 1,
            updated: 1 + width,
            applies: 1 + 2 * width,
        }
    }
}

/// `SELECT address[, excluded.*[, updated.*, applies]] FROM excluded LEFT JOIN target ON key`.
fn plan_conflicts(
    planner: &Planner,
    target: &Target,
    source: (SchemaRef, Vec<RecordBatch>),
    found: Option<RecordBatch>,
    on_conflict: &OnConflict,
) -> Result<LogicalPlan> {
    const EXCLUDED: &str = "excluded";
    let definition = &target.table.definition;
    let alias = TableReference::bare(target.alias.clone());
    let excluded = TableReference::bare(EXCLUDED);

    let stored = Stored {
        table: &target.table,
        key: &target.table.definition.key_indices(),
        found,
        alias: &alias,
    };
    let joined = join_by_key(planner, stored, source, &excluded, JoinType::Left)?.build()?;

    let mut exprs = vec![column_of(&alias, ROW_ADDRESS)];
    // A row that replaces others is added as it is.
    let whole = !matches!(on_conflict, OnConflict::Replace);
    for column in definition.columns.iter().filter(|_| whole) {
        let name = column.field.name();
        exprs.push(column_of(&excluded, name).alias(format!("new.{name}")));
    }
    if let OnConflict::Update(update) = on_conflict {
        let schema = Arc::clone(joined.schema());
        let context = planner.planner_context();
        let mut new = assignments(planner, target, &update.assignments)?;
        for value in new.values_mut() {
            qualify(value, planner, target);
        }
        let mut applies = column_of(&alias, ROW_ADDRESS).is_not_null();
        if let Some(condition) = &update.selection {
            let mut condition = condition.clone();
            qualify(&mut condition, planner, target);
            let condition = planner.expr(condition, &schema, &context)?;
            let condition = as_condition("DO UPDATE … WHERE", condition, &schema)?;
            applies = and_then(applies, condition)?;
        }
        for column in &definition.columns {
            let (name, data_type) = (column.field.name(), column.field.data_type());
            let expr = match new.remove(name) {
                Some(value) => {
                    let value = planner.expr(value, &schema, &context)?;
                    let value = value.cast_to(data_type, &schema)?;
                    // A value that may fail is computed only for the rows that DO UPDATE changes.
                    match value.exists(|part| Ok(!cannot_fail(part)))? {
                        true => when(applies.clone(), value)
                            .otherwise(lit(ScalarValue::try_from(data_type)?))?,
                        false => value,
                    }
                }
                None => column_of(&alias, name),
            };
            exprs.push(expr.alias(format!("updated.{name}")));
        }
        exprs.push(applies.alias("applies"));
    }
    LogicalPlanBuilder::from(joined).project(exprs)?.build()
}

/// Checks that a condition is BOOLEAN. A bare NULL has no type yet, and becomes a NULL of type BOOLEAN.
fn as_condition(what: &str, condition: Expr, schema: &DFSchema) -> Result<Expr> {
    match condition.get_type(schema)? {
        DataType::Boolean => Ok(condition),
        DataType::Null => Ok(lit(ScalarValue::Boolean(None))),
        other => plan_err!("{what}: a condition is BOOLEAN, and this one is {other}"),
    }
}

/// Qualifies the bare column names in DO UPDATE: they refer to the existing row, not to the row to insert.
fn qualify(expr: &mut ast::Expr, planner: &Planner, target: &Target) {
    struct Qualify<'a> {
        planner: &'a Planner,
        target: &'a Target,
        queries: usize,
    }
    impl ast::VisitorMut for Qualify<'_> {
        type Break = ();

        fn pre_visit_query(&mut self, _: &mut ast::Query) -> ControlFlow<()> {
            self.queries += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &mut ast::Query) -> ControlFlow<()> {
            self.queries -= 1;
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
            if let ast::Expr::Identifier(ident) = expr
                && self.queries == 0
            {
                let definition = &self.target.table.definition;
                // A name of several columns is an error where the expression is planned.
                if let Ok(name) = self.planner.column_name(&definition.columns, ident)
                    && definition.column(&name).is_some()
                {
                    *expr = self.target.column(&name);
                }
            }
            ControlFlow::Continue(())
        }
    }
    let mut visitor = Qualify {
        planner,
        target,
        queries: 0,
    };
    let _ = ast::VisitMut::visit(expr, &mut visitor);
}
