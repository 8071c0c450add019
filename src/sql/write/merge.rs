//! MERGE: the source joined to the target with its row addresses; each WHEN clause is an arm.
//!
//! The join keeps the unmatched rows of a side if a clause needs them. A first projection decides the arm of each row,
//! a filter drops rows without an arm, and a second projection computes the values of the arm. So the values of an arm
//! are computed only for the rows of that arm.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result, TableReference, plan_err};
use datafusion::logical_expr::{Case, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::lit;
use datafusion::sql::planner::PlannerContext;
use datafusion::sql::sqlparser::ast;
use roaring::RoaringTreemap;

use super::enforce::{assigns_key, enforce_keys};
use super::new_keys::KeysOfRows;
use super::target::{
    Target, assignments, default_expr, default_keyword, known_column, quoted, select,
};
use super::target_by_key::with_rows_found;
use super::{RowChanges, WritePlan, for_each_batch};
use crate::change::Action;
use crate::error::{DfOlapError, refuse, unsupported};
use crate::sql::execution::{Effect, Run};
use crate::sql::expressions::fallible::and_then;
use crate::sql::planner::Planner;
use crate::sql::planner::literals::meet_decimals;
use crate::sql::scan::ROW_ADDRESS;

/// The column that is TRUE in each row of the source, and NULL in a null-extended row.
const SOURCE_ROW: &str = "\u{1}source_row";
/// The column with the number of the clause that applies to a row.
const ARM: &str = "\u{1}arm";
/// The index of the arm in the plan's output, after the row address.
const ARM_COLUMN: usize = 1;
/// The index of the table's first column in the plan's output, after the row address and the arm.
const COLUMNS: usize = 2;

pub(crate) async fn effect(
    run: &Run,
    with: &Option<ast::With>,
    merge: &ast::Merge,
) -> Result<Effect, DfOlapError> {
    let WritePlan { plan, target } = plan(&run.planner(), with, merge)?;
    let (plan, _held) = with_rows_found(run, &target, plan).await?;
    let mut changes = RowChanges::new(run);
    let mut deleted = 0;
    let (definition, mut new_keys) = (&target.table.definition, KeysOfRows::default());
    let updates_keys = updates_keys(&run.planner(), &target, merge)?;
    // The rows whose keys are free: those of rows that are updated are not, unless they are among the new keys.
    let mut freed = RoaringTreemap::new();
    for_each_batch(run, plan, |batch| {
        let of_kind = |wanted: fn(&ast::MergeAction) -> bool| -> Result<RecordBatch, DfOlapError> {
            let arms = batch.column(ARM_COLUMN).as_primitive::<Int32Type>();
            let chosen: BooleanArray = arms
                .values()
                .iter()
                .map(|arm| Some(wanted(&merge.clauses[*arm as usize].action)))
                .collect();
            Ok(filter_record_batch(&batch, &chosen)?)
        };
        let inserts = of_kind(|action| matches!(action, ast::MergeAction::Insert(_)))?;
        let updates = of_kind(|action| matches!(action, ast::MergeAction::Update(_)))?;
        let deletes = of_kind(|action| matches!(action, ast::MergeAction::Delete { .. }))?;
        target.claim(&mut changes.dead, &updates, "MERGE")?;
        target.claim(&mut changes.dead, &deletes, "MERGE")?;
        deleted += deletes.num_rows() as u64;
        freed.extend(deletes.column(0).as_primitive::<UInt64Type>().values());
        if updates_keys {
            freed.extend(updates.column(0).as_primitive::<UInt64Type>().values());
        }
        let updates = target.rows(&updates, COLUMNS)?;
        let inserts = target.rows(&inserts, COLUMNS)?;
        if definition.enforces_key {
            new_keys.add(definition, &inserts);
        }
        if updates_keys {
            new_keys.add(definition, &updates);
        }
        changes.new.push(updates)?;
        changes.new.push(inserts)
    })
    .await?;
    let rows = deleted + changes.new.rows();
    let mut actions = Vec::new();
    let mut kinds = merge.clauses.iter().map(|clause| clause.clause_kind);
    if rows > 0 && kinds.any(not_matched_by_target) {
        actions.push(Action::NoNewRows {
            id: target.table.id,
        });
    }
    actions.extend(enforce_keys(run, &target, &new_keys, &freed).await?);
    actions.extend(changes.into_actions(run, &target.table).await?);
    Ok(Effect::of(actions, rows))
}

/// `SELECT address, arm, values FROM target JOIN source ON …`.
pub(crate) fn plan(
    planner: &Planner,
    with: &Option<ast::With>,
    merge: &ast::Merge,
) -> Result<WritePlan> {
    refuse("MERGE with OUTPUT or RETURNING", merge.output.is_some())?;
    if merge.clauses.is_empty() {
        return plan_err!("MERGE INTO needs at least one WHEN clause");
    }
    let target = Target::new(planner, &merge.table)?;
    let joined = joined(planner, with, merge, &target)?;
    let arms = Arms {
        planner,
        target: &target,
        schema: Arc::clone(joined.schema()),
    };
    let context = context(planner, with)?;

    // The condition of each arm, and the new values of each column by arm.
    let mut choice = Vec::new();
    let mut values = vec![Vec::new(); target.table.definition.columns.len()];
    for (number, clause) in (0i32..).zip(&merge.clauses) {
        choice.push((arms.condition(clause, &context)?, lit(number)));
        for (index, value) in arms.values(clause, &context)? {
            values[index].push((number, value));
        }
    }

    let mut all: Vec<Expr> = arms
        .schema
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    all.push(
        cases(
            None,
            choice,
            lit(datafusion::common::ScalarValue::Int32(None)),
        )
        .alias(ARM),
    );
    let arm = || Expr::Column(Column::new_unqualified(ARM));
    let chosen = LogicalPlanBuilder::from(joined)
        .project(all)?
        .filter(arm().is_not_null())?;

    let mut out = vec![arms.target_column(ROW_ADDRESS), arm()];
    for (column, values) in target.table.definition.columns.iter().zip(values) {
        let name = column.field.name();
        let branches = values
            .into_iter()
            .map(|(number, value)| (lit(number), value))
            .collect::<Vec<_>>();
        let unchanged = arms.target_column(name);
        let value = match branches.is_empty() {
            true => unchanged,
            false => cases(Some(arm()), branches, unchanged),
        };
        out.push(value.alias(name));
    }
    Ok(WritePlan {
        plan: meet_decimals(chosen.project(out)?.build()?)?,
        target,
    })
}

/// Whether a clause may change the key of a row, where the table enforces it.
fn updates_keys(
    planner: &Planner,
    target: &Target,
    merge: &ast::Merge,
) -> Result<bool, DfOlapError> {
    for clause in &merge.clauses {
        if let ast::MergeAction::Update(update) = &clause.action
            && assigns_key(planner, target, &update.assignments)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn not_matched_by_target(kind: ast::MergeClauseKind) -> bool {
    matches!(
        kind,
        ast::MergeClauseKind::NotMatched | ast::MergeClauseKind::NotMatchedByTarget
    )
}

/// `SELECT * FROM target … JOIN (SELECT *, TRUE AS source_row FROM source) ON …`.
fn joined(
    planner: &Planner,
    with: &Option<ast::With>,
    merge: &ast::Merge,
    target: &Target,
) -> Result<LogicalPlan> {
    let mut inner = merge.source.clone();
    let alias = match &mut inner {
        ast::TableFactor::Table { name, alias, .. } => match alias {
            Some(alias) => planner.normalize(&alias.name),
            None => planner.table_name(name)?,
        },
        ast::TableFactor::Derived {
            alias: Some(alias), ..
        } => planner.normalize(&alias.name),
        other => return Err(unsupported(&format!("MERGE USING {other}")).into()),
    };
    let marked = select(
        &None,
        vec![
            ast::SelectItem::Wildcard(ast::WildcardAdditionalOptions::default()),
            ast::SelectItem::ExprWithAlias {
                expr: ast::Expr::value(ast::Value::Boolean(true)),
                alias: quoted(SOURCE_ROW),
            },
        ],
        vec![ast::TableWithJoins {
            relation: inner,
            joins: Vec::new(),
        }],
        None,
    )?;
    let source = ast::TableFactor::Derived {
        lateral: false,
        subquery: Box::new(marked),
        alias: Some(ast::TableAlias {
            explicit: true,
            name: quoted(&alias),
            columns: Vec::new(),
            at: None,
        }),
        sample: None,
    };
    let on = ast::JoinConstraint::On(merge.on.as_ref().clone());
    let kinds = merge.clauses.iter().map(|clause| clause.clause_kind);
    let by_source = kinds
        .clone()
        .any(|kind| kind == ast::MergeClauseKind::NotMatchedBySource);
    let by_target = kinds.clone().any(not_matched_by_target);
    let operator = match (by_source, by_target) {
        (true, true) => ast::JoinOperator::FullOuter(on),
        (true, false) => ast::JoinOperator::LeftOuter(on),
        (false, true) => ast::JoinOperator::RightOuter(on),
        (false, false) => ast::JoinOperator::Inner(on),
    };
    let mut from = target.from();
    from.joins.push(ast::Join {
        relation: source,
        global: false,
        join_operator: operator,
    });
    let everything = ast::SelectItem::Wildcard(ast::WildcardAdditionalOptions::default());
    planner.query(select(with, vec![everything], vec![from], None)?)
}

/// A context in which the clauses see the CTEs before MERGE.
fn context(planner: &Planner, with: &Option<ast::With>) -> Result<PlannerContext> {
    let mut context = planner.planner_context();
    let Some(with) = with else {
        return Ok(context);
    };
    refuse("WITH RECURSIVE before MERGE", with.recursive)?;
    for cte in &with.cte_tables {
        let plan = planner.query_in(cte.query.as_ref().clone(), &context)?;
        let name = planner.normalize(&cte.alias.name);
        let plan = LogicalPlanBuilder::from(plan)
            .alias(name.as_str())?
            .build()?;
        context.insert_cte(name, plan);
    }
    Ok(context)
}

struct Arms<'a> {
    planner: &'a Planner,
    target: &'a Target,
    /// Target columns, row address, source columns, source mark.
    schema: DFSchemaRef,
}

impl Arms<'_> {
    fn target_column(&self, name: &str) -> Expr {
        let alias = TableReference::bare(self.target.alias.clone());
        Expr::Column(Column::new(Some(alias), name))
    }

    /// Whether a clause applies to a row: the row is matched or unmatched as the clause's kind requires, and the
    /// clause's AND condition is true.
    fn condition(&self, clause: &ast::MergeClause, context: &PlannerContext) -> Result<Expr> {
        let (qualifier, field) = self
            .schema
            .qualified_field_with_unqualified_name(SOURCE_ROW)?;
        let in_source = Expr::Column(Column::from((qualifier, field)));
        let in_target = self.target_column(ROW_ADDRESS);
        let kind = match clause.clause_kind {
            ast::MergeClauseKind::Matched => in_target.is_not_null().and(in_source.is_not_null()),
            ast::MergeClauseKind::NotMatched | ast::MergeClauseKind::NotMatchedByTarget => {
                in_target.is_null()
            }
            ast::MergeClauseKind::NotMatchedBySource => in_source.is_null(),
        };
        match &clause.predicate {
            None => Ok(kind),
            Some(predicate) => {
                let predicate = self.expr(predicate.clone(), clause.clause_kind, context)?;
                and_then(kind, predicate)
            }
        }
    }

    /// The new values of a clause, by column index; an INSERT has a value for each column.
    fn values(
        &self,
        clause: &ast::MergeClause,
        context: &PlannerContext,
    ) -> Result<Vec<(usize, Expr)>> {
        let definition = &self.target.table.definition;
        let matched = clause.clause_kind;
        match &clause.action {
            ast::MergeAction::Delete { .. } if not_matched_by_target(matched) => {
                plan_err!("MERGE: WHEN NOT MATCHED has no row to DELETE")
            }
            ast::MergeAction::Delete { .. } => Ok(Vec::new()),
            ast::MergeAction::Update(_) if not_matched_by_target(matched) => {
                plan_err!("MERGE: WHEN NOT MATCHED has no row to UPDATE")
            }
            ast::MergeAction::Update(update) => {
                refuse("MERGE UPDATE … WHERE", update.update_predicate.is_some())?;
                refuse("MERGE UPDATE … DELETE", update.delete_predicate.is_some())?;
                let mut new = assignments(self.planner, self.target, &update.assignments)?;
                let mut values = Vec::new();
                for (index, column) in definition.columns.iter().enumerate() {
                    if let Some(value) = new.remove(column.field.name()) {
                        values.push((index, self.value(value, matched, index, context)?));
                    }
                }
                Ok(values)
            }
            ast::MergeAction::Insert(_) if !not_matched_by_target(matched) => {
                plan_err!("MERGE: only WHEN NOT MATCHED may INSERT")
            }
            ast::MergeAction::Insert(insert) => self.inserted(insert, matched, context),
        }
    }

    fn inserted(
        &self,
        insert: &ast::MergeInsertExpr,
        kind: ast::MergeClauseKind,
        context: &PlannerContext,
    ) -> Result<Vec<(usize, Expr)>> {
        let definition = &self.target.table.definition;
        refuse("MERGE INSERT … WHERE", insert.insert_predicate.is_some())?;
        let ast::MergeInsertKind::Values(rows) = &insert.kind else {
            return Err(unsupported("MERGE INSERT ROW").into());
        };
        let [row] = rows.rows.as_slice() else {
            return plan_err!("MERGE INSERT takes exactly one row of values");
        };
        let mut named = Vec::new();
        for name in &insert.columns {
            let Some(ident) = name.0.last().and_then(|part| part.as_ident()) else {
                return plan_err!("'{name}' is not a column");
            };
            let name = self.planner.column_name(&definition.columns, ident)?;
            known_column(definition, &name)?;
            if named.contains(&name) {
                return plan_err!("column '{name}' is named twice in MERGE INSERT");
            }
            named.push(name);
        }
        if named.is_empty() {
            let all = definition.columns.iter();
            named.extend(all.map(|column| column.field.name().clone()));
        }
        if named.len() != row.content.len() {
            return plan_err!(
                "MERGE INSERT has {} columns but {} values",
                named.len(),
                row.content.len()
            );
        }
        let mut values = Vec::new();
        for (index, column) in definition.columns.iter().enumerate() {
            let name = column.field.name();
            let value = match named.iter().position(|n| n == name) {
                Some(place) if !default_keyword(&row.content[place]) => row.content[place].clone(),
                _ => default_expr(definition, name)?,
            };
            values.push((index, self.value(value, kind, index, context)?));
        }
        Ok(values)
    }

    fn value(
        &self,
        value: ast::Expr,
        kind: ast::MergeClauseKind,
        column: usize,
        context: &PlannerContext,
    ) -> Result<Expr> {
        let data_type = self.target.table.definition.columns[column]
            .field
            .data_type();
        self.expr(value, kind, context)?
            .cast_to(data_type, &self.schema)
    }

    /// Plans an expression of a clause over the columns that the clause can see: those of both sides, or of one side.
    fn expr(
        &self,
        expr: ast::Expr,
        kind: ast::MergeClauseKind,
        context: &PlannerContext,
    ) -> Result<Expr> {
        // The target's columns come first, its row address the last of them.
        let of_target = self.target.table.definition.columns.len() + 1;
        let (sees_target, clause) = match kind {
            ast::MergeClauseKind::Matched => {
                return self.planner.expr(expr, &self.schema, context);
            }
            ast::MergeClauseKind::NotMatched | ast::MergeClauseKind::NotMatchedByTarget => {
                (false, "WHEN NOT MATCHED has no row of the target")
            }
            ast::MergeClauseKind::NotMatchedBySource => {
                (true, "WHEN NOT MATCHED BY SOURCE has no row of the source")
            }
        };
        let fields = self.schema.iter().enumerate();
        let seen = fields
            .filter(|(index, _)| (*index < of_target) == sees_target)
            .map(|(_, (qualifier, field))| (qualifier.cloned(), Arc::clone(field)))
            .collect();
        let seen = DFSchema::new_with_metadata(seen, self.schema.metadata().clone())?;
        let planned = self.planner.expr(expr.clone(), &seen, context);
        if planned.is_err()
            && self
                .planner
                .expr(expr.clone(), &self.schema, context)
                .is_ok()
        {
            return plan_err!("MERGE: {clause}, and '{expr}' names a column of it");
        }
        planned
    }
}

fn cases(of: Option<Expr>, branches: Vec<(Expr, Expr)>, otherwise: Expr) -> Expr {
    Expr::Case(Case {
        expr: of.map(Box::new),
        when_then_expr: branches
            .into_iter()
            .map(|(when, then)| (Box::new(when), Box::new(then)))
            .collect(),
        else_expr: Some(Box::new(otherwise)),
    })
}
