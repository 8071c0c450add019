//! UPDATE, DELETE, TRUNCATE, and what all writes share: a write is a SELECT over row addresses, followed by one commit.
//!
//! DataFusion's own hooks hand over the plain filters of a DELETE and lose the rest: `WHERE id IN (SELECT …)` arrives
//! as no filter at all, which means every row. So a statement is rewritten, as parsed, into a SELECT whose target is
//! the same table with its row addresses. All that a SELECT can say in FROM and WHERE then works, with DataFusion's
//! semantics.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt64Type;
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast;
use futures::{StreamExt, stream};
use roaring::RoaringTreemap;

use super::fast_path;
use super::fast_path::update_delete::Matched;
use super::rows::shape;
use super::target::{Target, assignments, quoted, refuse, select};
use crate::change::{Action, ChangeSet, deletions};
use crate::error::DfOlapError;
use crate::snapshot::{Table, TableDefinition};
use crate::sql::execution::{Effect, Run, unsupported};
use crate::sql::planner::literals::meet_decimals;
use crate::sql::planner::{Planner, ROWS};
use crate::sql::resources::buffered_rows::BufferedRows;
use crate::sql::scan::ROW_ADDRESS;

pub(crate) async fn delete(
    run: &Run,
    with: &Option<ast::With>,
    statement: &ast::Delete,
) -> Result<Effect, DfOlapError> {
    if with.is_none()
        && let Some(matched) = fast_path::update_delete::delete(run, statement).await
    {
        return matched_effect(run, matched).await;
    }
    let (plan, target) = {
        let planner = run.planner();
        let target = delete_target(&planner, statement)?;
        (plan_delete(&planner, with, statement)?, target)
    };
    let mut dead = RoaringTreemap::new();
    let mut old = BufferedRows::new(run.runtime());
    let mut rows = run.stream(plan).await?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let addresses = batch.column(0).as_primitive::<UInt64Type>();
        // USING may match a row more than once; it dies once.
        let first: BooleanArray = addresses
            .values()
            .iter()
            .map(|address| Some(dead.insert(*address)))
            .collect();
        if statement.returning.is_some() {
            let batch = filter_record_batch(&batch, &first)?;
            let definition = &target.table.definition;
            old.push(shape(
                &target.name,
                definition,
                &batch.columns()[1..],
                batch.num_rows(),
            )?)?;
        }
    }
    let returning = match &statement.returning {
        Some(items) => Some(returning(run, &target, old.batches, items).await?),
        None => None,
    };
    Ok(Effect {
        change: ChangeSet {
            actions: deletions(&target.table, &dead),
        },
        rows: dead.len(),
        returning,
    })
}

fn delete_target(planner: &Planner, statement: &ast::Delete) -> Result<Target> {
    if !statement.tables.is_empty() {
        return Err(unsupported("DELETE of several tables").into());
    }
    let (ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from)) =
        &statement.from;
    match from.as_slice() {
        [table] if table.joins.is_empty() => Target::new(planner, &table.relation),
        _ => Err(unsupported("DELETE from several tables; use USING").into()),
    }
}

pub(crate) fn plan_delete(
    planner: &Planner,
    with: &Option<ast::With>,
    statement: &ast::Delete,
) -> Result<LogicalPlan> {
    refuse("DELETE with ORDER BY", !statement.order_by.is_empty())?;
    refuse("DELETE with LIMIT", statement.limit.is_some())?;
    refuse("DELETE with OUTPUT", statement.output.is_some())?;
    let target = delete_target(planner, statement)?;
    let mut projection = vec![target.item(ROW_ADDRESS)];
    if statement.returning.is_some() {
        projection.extend(target.columns());
    }
    let mut from = vec![target.from()];
    from.extend(statement.using.iter().flatten().cloned());
    planner.query(select(with, projection, from, statement.selection.clone())?)
}

pub(crate) async fn update(
    run: &Run,
    with: &Option<ast::With>,
    statement: &ast::Update,
) -> Result<Effect, DfOlapError> {
    if with.is_none()
        && let Some(matched) = fast_path::update_delete::update(run, statement).await
    {
        return matched_effect(run, matched).await;
    }
    let (plan, target) = {
        let planner = run.planner();
        let target = update_target(&planner, statement)?;
        (plan_update(&planner, with, statement)?, target)
    };
    let mut dead = RoaringTreemap::new();
    let mut new = BufferedRows::new(run.runtime());
    let mut rows = run.stream(plan).await?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        target.claim(&mut dead, &batch, "UPDATE")?;
        let definition = &target.table.definition;
        new.push(shape(
            &target.name,
            definition,
            &batch.columns()[1..],
            batch.num_rows(),
        )?)?;
    }
    let count = dead.len();
    let returning = match &statement.returning {
        Some(items) => Some(returning(run, &target, new.batches.clone(), items).await?),
        None => None,
    };
    let mut actions = deletions(&target.table, &dead);
    actions.extend(append(run, &target.table, new).await?);
    Ok(Effect {
        change: ChangeSet { actions },
        rows: count,
        returning,
    })
}

async fn matched_effect(run: &Run, matched: Matched) -> Result<Effect, DfOlapError> {
    let table = &matched.target.table;
    let mut actions = deletions(table, &matched.dead);
    actions.extend(append(run, table, matched.new).await?);
    Ok(Effect {
        change: ChangeSet { actions },
        rows: matched.dead.len(),
        returning: None,
    })
}

fn update_target(planner: &Planner, statement: &ast::Update) -> Result<Target> {
    if !statement.table.joins.is_empty() {
        return Err(unsupported("UPDATE of a join; use FROM").into());
    }
    Target::new(planner, &statement.table.relation)
}

pub(crate) fn plan_update(
    planner: &Planner,
    with: &Option<ast::With>,
    statement: &ast::Update,
) -> Result<LogicalPlan> {
    refuse("UPDATE with ORDER BY", !statement.order_by.is_empty())?;
    refuse("UPDATE with LIMIT", statement.limit.is_some())?;
    refuse("UPDATE with OUTPUT", statement.output.is_some())?;
    refuse("UPDATE OR", statement.or.is_some())?;
    let target = update_target(planner, statement)?;
    let mut new = assignments(planner, &target, &statement.assignments)?;
    let mut projection = vec![target.item(ROW_ADDRESS)];
    for column in &target.table.definition.columns {
        let name = column.field.name();
        projection.push(match new.remove(name) {
            Some(expr) => ast::SelectItem::ExprWithAlias {
                expr,
                alias: quoted(name),
            },
            None => target.item(name),
        });
    }
    let mut from = vec![target.from()];
    match &statement.from {
        Some(
            ast::UpdateTableFromKind::BeforeSet(tables)
            | ast::UpdateTableFromKind::AfterSet(tables),
        ) => from.extend(tables.iter().cloned()),
        None => {}
    }
    let query = select(with, projection, from, statement.selection.clone())?;
    cast_to_columns(planner.query(query)?, &target.table.definition, 1)
}

pub(crate) fn truncate(run: &Run, statement: &ast::Truncate) -> Result<Effect, DfOlapError> {
    refuse("TRUNCATE with PARTITION", statement.partitions.is_some())?;
    refuse("TRUNCATE with IDENTITY", statement.identity.is_some())?;
    refuse(
        "TRUNCATE with CASCADE or RESTRICT",
        statement.cascade.is_some(),
    )?;
    refuse("TRUNCATE ON CLUSTER", statement.on_cluster.is_some())?;
    let [target] = statement.table_names.as_slice() else {
        return Err(unsupported("TRUNCATE of several tables"));
    };
    refuse("TRUNCATE ONLY", target.only)?;
    let table = match run.planner().table(&target.name).map_err(DfOlapError::from) {
        Ok((_, table)) => table,
        Err(DfOlapError::TableNotFound(_)) if statement.if_exists => return Ok(Effect::default()),
        Err(error) => return Err(error),
    };
    Ok(Effect {
        change: ChangeSet {
            actions: vec![Action::Truncate { id: table.id }],
        },
        rows: table.rows,
        returning: None,
    })
}

/// The action that adds gathered rows to a table; none where there are no rows.
pub(crate) async fn append(
    run: &Run,
    table: &Table,
    rows: BufferedRows,
) -> Result<Option<Action>, DfOlapError> {
    if rows.batches.is_empty() {
        return Ok(None);
    }
    let batches = stream::iter(rows.batches.into_iter().map(Ok)).boxed();
    let fragments = run.context.store.write(table, batches).await?;
    Ok(Some(Action::Append {
        id: table.id,
        definition: Arc::clone(&table.definition),
        fragments,
    }))
}

/// The rows of RETURNING: its expressions over the rows that the statement made or removed.
pub(crate) async fn returning(
    run: &Run,
    target: &Target,
    rows: Vec<RecordBatch>,
    items: &[ast::SelectItem],
) -> Result<Vec<RecordBatch>, DfOlapError> {
    let plan = {
        let planner = run
            .planner()
            .with_rows(&target.table.definition.schema, rows)?;
        let from = target.factor(vec![quoted(ROWS)]);
        planner.query(select(&None, items.to_vec(), vec![from], None)?)?
    };
    let mut stream = run.stream(plan).await?;
    let schema = stream.schema();
    let mut gathered = BufferedRows::new(run.runtime());
    while let Some(batch) = stream.next().await {
        gathered.push(batch?)?;
    }
    if gathered.batches.is_empty() {
        return Ok(vec![RecordBatch::new_empty(schema)]);
    }
    Ok(gathered.batches)
}

/// Casts the columns of `plan` from `first` on to those of the table; what cannot be cast is an error when it is met.
/// What the plan itself works out is cast where it is: a literal is then cast as what it was written as.
pub(crate) fn cast_to_columns(
    plan: LogicalPlan,
    definition: &TableDefinition,
    first: usize,
) -> Result<LogicalPlan> {
    let names = plan.schema().columns();
    let (exprs, input) = worked_out(plan);
    let schema = Arc::clone(input.schema());
    let exprs = exprs
        .into_iter()
        .zip(names)
        .enumerate()
        .map(|(index, (expr, name))| match index.checked_sub(first) {
            None => Ok(expr.alias(name.name)),
            Some(index) => {
                let data_type = definition.columns[index].field.data_type();
                Ok(expr.cast_to(data_type, &schema)?.alias(name.name))
            }
        })
        .collect::<Result<Vec<_>>>()?;
    meet_decimals(LogicalPlanBuilder::from(input).project(exprs)?.build()?)
}

/// The expressions that a plan gives, and the plan that they are worked out of.
pub(crate) fn worked_out(plan: LogicalPlan) -> (Vec<Expr>, LogicalPlan) {
    match plan {
        LogicalPlan::Projection(projection) => {
            let exprs = projection.expr.into_iter().map(Expr::unalias);
            (exprs.collect(), Arc::unwrap_or_clone(projection.input))
        }
        plan => {
            let columns = plan.schema().columns();
            (columns.into_iter().map(Expr::Column).collect(), plan)
        }
    }
}
