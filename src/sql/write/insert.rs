//! INSERT: plans the source to the table's columns with their defaults, and resolves conflicts of keys.
//!
//! ON CONFLICT, INSERT OR REPLACE and INSERT OR IGNORE find conflicts by the primary key. A plain INSERT checks the key
//! only if the table enforces it ([`super::enforce`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::{ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast;

use super::enforce::{assigns_key, enforce_key};
use super::fast_path::insert::Literals;
use super::fast_path::insert_text;
use super::new_keys::no_new_keys;
use super::target::{Target, default_expr, default_keyword, known_column, quoted};
use super::upsert::{OnConflict, on_conflict, replace, resolve};
use super::{RowChanges, WritePlan, fast_path, for_each_batch, returning, split_projection};
use crate::change::Action;
use crate::error::{DfOlapError, refuse, unsupported};
use crate::snapshot::TableDefinition;
use crate::sql::execution::session::Session;
use crate::sql::execution::{Effect, Run};
use crate::sql::planner::Planner;
use crate::sql::planner::literals::meet_decimals;
use crate::sql::syntax::selects::all_selects;

/// The literals of a plain INSERT, read from its text; `None` if the text needs the general parser. `any_length`: also
/// of a text that is longer than texts may be.
pub(crate) fn read_literals(sql: &str, session: &Session, any_length: bool) -> Option<Literals> {
    let options = &session.state.config_options().sql_parser;
    let is_allowed = any_length || sql.len() <= session.limits.text.text_bytes;
    is_allowed.then(|| insert_text::read(sql, options.enable_ident_normalization))?
}

/// The effect of an INSERT of literals; `None` if the INSERT needs a plan.
pub(crate) async fn effect_of_literals(
    run: &Run,
    literals: &Literals,
) -> Result<Option<Effect>, DfOlapError> {
    let Some((table, batch)) = fast_path::insert::rows(run, literals) else {
        return Ok(None);
    };
    let rows = batch.num_rows() as u64;
    let mut changes = RowChanges::new(run);
    changes.new.push(batch)?;
    let mut actions: Vec<Action> = Vec::new();
    let target = || Target::named(&literals.table, Arc::clone(&table));
    if run.replaces && !table.definition.primary_key.is_empty() {
        return Ok(Some(replace(run, &target(), changes.new).await?));
    }
    if table.definition.enforces_key {
        actions.extend(enforce_key(run, &target(), &changes).await?);
    }
    actions.extend(changes.into_actions(run, &table).await?);
    Ok(Some(Effect::of(actions, rows)))
}

pub(crate) async fn effect(
    run: &Run,
    with: &Option<ast::With>,
    insert: &ast::Insert,
) -> Result<Effect, DfOlapError> {
    if with.is_none()
        && let Some(literals) = fast_path::insert::literals(
            insert,
            |ident| run.normalize(ident),
            run.context.params.as_ref(),
        )
        && let Some(effect) = effect_of_literals(run, &literals).await?
    {
        return Ok(effect);
    }
    let WritePlan { plan, target } = plan(&run.planner(), with, insert)?;
    let mut on_conflict = on_conflict(&run.planner(), &target, insert)?;
    let has_key = !target.table.definition.primary_key.is_empty();
    if run.replaces && has_key && !insert.overwrite && matches!(on_conflict, OnConflict::Append) {
        on_conflict = OnConflict::Replace;
    }
    let mut changes = RowChanges::new(run);
    for_each_batch(run, plan, |batch| changes.new.push(target.rows(&batch, 0)?)).await?;
    let id = target.table.id;
    let mut actions = Vec::new();
    match on_conflict {
        OnConflict::Append if insert.overwrite => {
            let emptied = target.emptied();
            enforce_key(run, &emptied, &changes).await?;
            actions.push(Action::Truncate { id });
        }
        OnConflict::Append => actions.extend(enforce_key(run, &target, &changes).await?),
        _ if changes.new.batches.is_empty() => {}
        on_conflict => {
            let may_change_keys = match &on_conflict {
                OnConflict::Update(update) => {
                    assigns_key(&run.planner(), &target, &update.assignments)?
                }
                _ => false,
            };
            changes = resolve(run, &target, changes.new, on_conflict).await?;
            if may_change_keys {
                enforce_key(run, &target, &changes).await?;
            }
            if changes.new.rows() > 0 {
                actions.push(no_new_keys(&target.table, &changes.new));
            }
        }
    }
    let rows = changes.new.rows();
    let returning = returning(run, &target, &changes.new, &insert.returning).await?;
    actions.extend(changes.into_actions(run, &target.table).await?);
    Ok(Effect {
        returning,
        ..Effect::of(actions, rows)
    })
}

fn insert_target(planner: &Planner, insert: &ast::Insert) -> Result<Target> {
    let ast::TableObject::TableName(name) = &insert.table else {
        return Err(unsupported("INSERT INTO a function or query").into());
    };
    let (name, table) = planner.table(name)?;
    let alias = match &insert.table_alias {
        Some(alias) => planner.normalize(&alias.alias),
        None => name.clone(),
    };
    Ok(Target { name, table, alias })
}

/// The SELECT whose rows are inserted, in the order and types of the table's columns.
pub(crate) fn plan(
    planner: &Planner,
    with: &Option<ast::With>,
    insert: &ast::Insert,
) -> Result<WritePlan> {
    refuse_unsupported(insert)?;
    let target = insert_target(planner, insert)?;
    let listed = listed_columns(planner, &target, insert)?;
    let source = match &insert.source {
        Some(source) => {
            let fields = listed.iter().map(|index| {
                let column = &target.table.definition.columns[*index];
                Arc::clone(&column.field)
            });
            plan_source(planner, with, source, &target, &fields.collect::<Vec<_>>())?
        }
        None => LogicalPlanBuilder::empty(true).build()?,
    };
    let given = source.schema().fields().len();
    if given != listed.len() {
        return plan_err!(
            "INSERT INTO {} has {} columns but its query gives {given}",
            target.name,
            listed.len()
        );
    }
    Ok(WritePlan {
        plan: project_to_columns(planner, source, &target.table.definition, &listed)?,
        target,
    })
}

fn refuse_unsupported(insert: &ast::Insert) -> Result<(), DfOlapError> {
    refuse("INSERT with PARTITION", insert.partitioned.is_some())?;
    refuse("INSERT … SET", !insert.assignments.is_empty())?;
    refuse("INSERT with PRIORITY", insert.priority.is_some())?;
    refuse("INSERT with a row alias", insert.insert_alias.is_some())?;
    refuse("INSERT with SETTINGS", insert.settings.is_some())?;
    refuse("INSERT with FORMAT", insert.format_clause.is_some())?;
    refuse("INSERT with OUTPUT", insert.output.is_some())?;
    refuse(
        "INSERT into several tables",
        insert.multi_table_insert_type.is_some(),
    )?;
    refuse("columns after PARTITION", !insert.after_columns.is_empty())
}

/// The indices of the table's columns that the source gives, in its order: the listed columns, or all.
fn listed_columns(planner: &Planner, target: &Target, insert: &ast::Insert) -> Result<Vec<usize>> {
    let definition = &target.table.definition;
    if insert.columns.is_empty() && insert.source.is_some() {
        return Ok((0..definition.columns.len()).collect());
    }
    let mut listed = Vec::with_capacity(insert.columns.len());
    for name in &insert.columns {
        let [part] = name.0.as_slice() else {
            return Err(unsupported(&format!("the qualified column '{name}' in INSERT")).into());
        };
        let Some(ident) = part.as_ident() else {
            return Err(unsupported(&format!("'{name}' as a column of INSERT")).into());
        };
        let name = planner.column_name(&definition.columns, ident)?;
        known_column(definition, &name)?;
        let index = definition.schema.index_of(&name)?;
        if listed.contains(&index) {
            return plan_err!(
                "column '{name}' is named twice in INSERT INTO {}",
                target.name
            );
        }
        listed.push(index);
    }
    Ok(listed)
}

/// Plans a source whose columns become the columns of `fields`.
fn plan_source(
    planner: &Planner,
    with: &Option<ast::With>,
    source: &ast::Query,
    target: &Target,
    fields: &[FieldRef],
) -> Result<LogicalPlan> {
    let mut source = source.clone();
    fill_defaults(&mut source, target, fields)?;
    hoist(&mut source, with);
    tell_apart(&mut source.body);
    let mut context = planner.planner_context();
    if let ast::SetExpr::Values(values) = source.body.as_ref() {
        for row in &values.rows {
            if row.content.len() != fields.len() {
                return plan_err!(
                    "INSERT INTO {} has {} columns but {} values",
                    target.name,
                    fields.len(),
                    row.content.len()
                );
            }
        }
        // All columns are nullable here: NOT NULL is checked on the rows, with an error that names the table's column.
        let nullable = fields
            .iter()
            .map(|f| f.as_ref().clone().with_nullable(true));
        let schema = DFSchema::from_unqualified_fields(nullable.collect(), HashMap::new())?;
        context.set_table_schema(Some(Arc::new(schema)));
    }
    planner.query_in(source, &context)
}

/// Casts the columns of `source` to the `listed` columns of the table, and gives the other columns their DEFAULT.
fn project_to_columns(
    planner: &Planner,
    source: LogicalPlan,
    definition: &TableDefinition,
    listed: &[usize],
) -> Result<LogicalPlan> {
    let (given, source) = split_projection(source);
    let schema = Arc::clone(source.schema());
    let columns = definition.columns.iter().enumerate();
    let exprs = columns.map(|(index, column)| {
        let data_type = column.field.data_type();
        let name = column.field.name();
        let expr = match listed.iter().position(|listed| *listed == index) {
            Some(place) => given[place].clone().cast_to(data_type, &schema)?,
            None => {
                let empty = DFSchema::empty();
                let default = default_expr(definition, name)?;
                planner
                    .expr(default, &empty, &planner.planner_context())?
                    .cast_to(data_type, &empty)?
            }
        };
        Ok(expr.alias(name))
    });
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    meet_decimals(LogicalPlanBuilder::from(source).project(exprs)?.build()?)
}

/// Puts the CTEs before INSERT in front of the CTEs of its source.
fn hoist(source: &mut ast::Query, with: &Option<ast::With>) {
    let Some(outer) = with else { return };
    match &mut source.with {
        None => source.with = Some(outer.clone()),
        Some(inner) => {
            inner.recursive |= outer.recursive;
            inner
                .cte_tables
                .splice(0..0, outer.cte_tables.iter().cloned());
        }
    }
}

/// Gives aliases to the literals of a SELECT, and to repeated expressions: DataFusion refuses `SELECT 1, 1`, and an
/// INSERT ignores these names.
fn tell_apart(body: &mut ast::SetExpr) {
    for select in all_selects(body) {
        let mut seen = HashSet::new();
        for (index, item) in select.projection.iter_mut().enumerate() {
            if let ast::SelectItem::UnnamedExpr(expr) = item
                && (matches!(expr, ast::Expr::Value(_)) || !seen.insert(expr.to_string()))
            {
                *item = ast::SelectItem::ExprWithAlias {
                    alias: quoted(&format!("{expr}:{index}")),
                    expr: expr.clone(),
                };
            }
        }
    }
}

/// Replaces the keyword DEFAULT in VALUES by the column's default.
fn fill_defaults(source: &mut ast::Query, target: &Target, fields: &[FieldRef]) -> Result<()> {
    let ast::SetExpr::Values(values) = source.body.as_mut() else {
        return Ok(());
    };
    for row in &mut values.rows {
        for (value, field) in row.content.iter_mut().zip(fields) {
            if default_keyword(value) {
                *value = default_expr(&target.table.definition, field.name())?;
            }
        }
    }
    Ok(())
}
