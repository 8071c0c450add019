//! Decorrelation: subqueries that DataFusion refuses or gets wrong, rewritten as joins.
//!
//! DataFusion joins correlated subqueries where it can lift their conditions (see [`stock`]). All others become joins
//! here, before its analyzer runs: the subquery is computed for all values of its outer columns at once (see
//! [`push`]) and joined with the outer query on these columns. `EXISTS` becomes a check for a joined row, `IN` and
//! `ANY` are built from `EXISTS` with three-valued logic, and a scalar subquery with two rows is an error when an
//! outer row reads its value.

mod once;
mod one_row;
mod push;
mod references;
mod stock;
mod values;

use std::cell::Cell;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, Result, ScalarValue, not_impl_err, plan_err};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, SortExpr,
};
use datafusion::prelude::lit;

use once::Once;
use one_row::one_value;
use push::{Names, columns, has_at_most_one_row};
use references::{has, has_subquery, references, subquery, subquery_of, with_subquery};
use values::OuterQuery;

use crate::sql::expressions::nulls::maybe_null;

/// Rewrites as joins the subqueries of a plan that DataFusion does not handle correctly.
pub(crate) fn unnest(
    plan: LogicalPlan,
    optimize: &dyn Fn(LogicalPlan) -> Result<LogicalPlan>,
) -> Result<LogicalPlan> {
    let mut found = false;
    plan.apply(|node| {
        found |= matches!(node, LogicalPlan::Subquery(_));
        node.apply_expressions(|expr| {
            found |= has_subquery(expr)?;
            Ok(stop_if(found))
        })?;
        Ok(stop_if(found))
    })?;
    match found {
        true => {
            let unnest = Unnest {
                names: Names::default(),
                depth: Cell::default(),
                once: Once { optimize },
            };
            // A value that became nullable is nullable in all nodes above.
            let plan = unnest.plan(plan)?;
            let plan = plan.transform_up(|node| Ok(Transformed::yes(node.recompute_schema()?)));
            plan.data()
        }
        false => Ok(plan),
    }
}

/// `(SELECT max(outer.x) FROM t)`: an aggregate over outer columns alone belongs to the query that has these columns,
/// which is not supported.
fn refuse_outer(aggregate: &Aggregate) -> Result<()> {
    for expr in &aggregate.aggr_expr {
        if expr.contains_outer() && !expr.any_column_refs() {
            return not_impl_err!(
                "an aggregate of columns of an outer query alone, {}, which belongs to that query; write it there",
                expr.human_display()
            );
        }
    }
    Ok(())
}

/// A scalar subquery's plan with a nullable value, since the value is NULL for no rows. DataFusion takes the value
/// for non-nullable where the column is, at the latest after constant folding.
fn may_be_null(plan: LogicalPlan) -> Result<LogicalPlan> {
    let (qualifier, field) = plan.schema().qualified_field(0);
    if always_has_a_row(&plan) {
        return Ok(plan);
    }
    let column = Column::from((qualifier, field));
    let named =
        maybe_null(Expr::Column(column.clone())).alias_qualified(column.relation, column.name);
    LogicalPlanBuilder::from(plan).project([named])?.build()
}

/// Whether a plan always has a row, whatever its tables hold.
fn always_has_a_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        LogicalPlan::Projection(_) | LogicalPlan::Sort(_) | LogicalPlan::SubqueryAlias(_) => {
            always_has_a_row(plan.inputs()[0])
        }
        _ => false,
    }
}

fn stop_if(found: bool) -> TreeNodeRecursion {
    match found {
        true => TreeNodeRecursion::Stop,
        false => TreeNodeRecursion::Continue,
    }
}

struct Unnest<'a> {
    names: Names,
    /// How many subqueries enclose the current plan.
    depth: Cell<usize>,
    once: Once<'a>,
}

impl Unnest<'_> {
    fn plan(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        plan.transform_up(|node| self.node(node)).data()
    }

    fn node(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let mut found = false;
        node.apply_expressions(|expr| {
            found |= has_subquery(expr)?;
            Ok(stop_if(found))
        })?;
        if let LogicalPlan::Join(join) = &node
            && let Some(joined) = self.lateral(join)?
        {
            return Ok(Transformed::yes(joined));
        }
        if let LogicalPlan::Aggregate(aggregate) = &node {
            refuse_outer(aggregate)?;
        }
        if !found {
            return Ok(Transformed::no(node));
        }
        // Innermost subqueries first.
        let node = node
            .map_expressions(|expr| {
                expr.transform_up(|part| match subquery_of(&part) {
                    Some(inner) => {
                        self.depth.update(|depth| depth + 1);
                        let plan = self.plan(inner.subquery.as_ref().clone());
                        self.depth.update(|depth| depth - 1);
                        let mut plan = plan?;
                        if matches!(part, Expr::ScalarSubquery(_)) {
                            plan = match has_at_most_one_row(&plan)
                                || !references(&plan)?.is_empty()
                            {
                                true => may_be_null(plan)?,
                                false => one_value(plan)?,
                            };
                        }
                        Ok(Transformed::yes(with_subquery(part, subquery(plan)?)))
                    }
                    None => Ok(Transformed::no(part)),
                })
            })
            .data()?
            .recompute_schema()?;
        let node = match node {
            LogicalPlan::Filter(filter) => self.filter(filter)?,
            LogicalPlan::Join(join) => self.join(join)?,
            LogicalPlan::Projection(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Distinct(Distinct::On(_))
            | LogicalPlan::Sort(_) => self.expressions(node)?,
            other => other,
        };
        Ok(Transformed::yes(node))
    }

    fn filter(&self, filter: Filter) -> Result<LogicalPlan> {
        let schema = Arc::clone(filter.input.schema());
        let mut input = Arc::unwrap_or_clone(filter.input);
        let (mut kept, mut made, mut found) = (Vec::new(), Vec::new(), false);
        for conjunct in split_conjunction_owned(filter.predicate) {
            let conjunct = if_true(conjunct);
            let stock = self.is_stock(&conjunct, &schema)?;
            found |= !stock;
            // Volatile conjuncts are evaluated last, since the rows below the joins are read twice.
            match stock && !conjunct.is_volatile() {
                true => kept.push(conjunct),
                false => made.push(conjunct),
            }
        }
        if !found {
            kept.append(&mut made);
            let predicate = conjunction(kept).unwrap_or_else(|| lit(true));
            return Ok(LogicalPlan::Filter(Filter::try_new(
                predicate,
                Arc::new(input),
            )?));
        }
        // Filter first, so that fewer rows are joined.
        if let Some(kept) = conjunction(kept) {
            input = LogicalPlanBuilder::from(input).filter(kept)?.build()?;
        }
        let mut around = OuterQuery::new(input);
        let made = made.into_iter();
        let conditions = made.map(|conjunct| self.expression(&mut around, conjunct));
        let conditions = conditions.collect::<Result<Vec<_>>>()?;
        let mut plan = LogicalPlanBuilder::from(around.plan);
        if let Some(condition) = conjunction(conditions) {
            plan = plan.filter(condition)?;
        }
        plan.project(columns(&schema.columns()).collect::<Vec<_>>())?
            .build()
    }

    /// Whether DataFusion handles all subqueries of this condition correctly.
    fn is_stock(&self, conjunct: &Expr, schema: &DFSchema) -> Result<bool> {
        let mut stock = true;
        let mut conditions = false;
        conjunct.apply(|part| {
            match part {
                Expr::ScalarSubquery(inner) => stock &= stock::joins_scalar(inner, schema)?,
                Expr::SetComparison(_) => stock = false,
                Expr::Exists(_) | Expr::InSubquery(_) => conditions = true,
                _ => {}
            }
            Ok(stop_if(!stock))
        })?;
        // Where EXISTS or IN meets a scalar subquery, two DataFusion rules would have to rewrite one condition.
        Ok(stock && (!conditions || stock::joins_condition(conjunct, schema)?))
    }

    /// Joins the subqueries in the expressions of a projection, aggregate, window, DISTINCT ON or sort.
    fn expressions(&self, node: LogicalPlan) -> Result<LogicalPlan> {
        let before = Arc::clone(node.schema());
        let inputs = node.inputs();
        let [input] = inputs.as_slice() else {
            return Ok(node);
        };
        let schema = Arc::clone(input.schema());
        let mut around = OuterQuery::new((*input).clone());
        let scalars = matches!(node, LogicalPlan::Projection(_));
        let mut changed = false;
        let mut exprs = Vec::new();
        for expr in node.expressions() {
            let mut stock = true;
            expr.apply(|part| {
                stock &= match part {
                    Expr::ScalarSubquery(inner) if scalars => stock::joins_scalar(inner, &schema)?,
                    Expr::ScalarSubquery(inner) => stock::is_uncorrelated(inner)?,
                    part => subquery_of(part).is_none(),
                };
                Ok(stop_if(!stock))
            })?;
            if stock {
                exprs.push(expr);
                continue;
            }
            changed = true;
            exprs.push(self.expression(&mut around, expr)?);
        }
        if !changed {
            return Ok(node);
        }
        let named = |exprs: Vec<Expr>| {
            let fields = before.iter().zip(exprs);
            let exprs = fields.map(|((qualifier, field), expr)| {
                expr.unalias()
                    .alias_qualified(qualifier.cloned(), field.name())
            });
            exprs.collect::<Vec<_>>()
        };
        if let LogicalPlan::Projection(_) = node {
            return LogicalPlanBuilder::from(around.plan)
                .project(named(exprs))?
                .build();
        }
        if let LogicalPlan::Distinct(Distinct::On(distinct)) = node {
            let mut select = exprs.split_off(distinct.on_expr.len());
            let keys = select.split_off(distinct.select_expr.len());
            let sort = distinct.sort_expr.map(|sort| {
                let keys = sort.into_iter().zip(keys);
                keys.map(|(key, expr)| SortExpr { expr, ..key }).collect()
            });
            return LogicalPlanBuilder::from(around.plan)
                .distinct_on(exprs, named(select), sort)?
                .build();
        }
        let own = schema.fields().len();
        let wider = around.plan.schema().fields().len() - own;
        let made = node.with_new_exprs(exprs, vec![around.plan])?;
        // Windows and sorts also output the columns joined to their input, which follow the input's own columns.
        let handed = match made {
            LogicalPlan::Aggregate(_) => 0,
            _ => wider,
        };
        let fields = made.schema().columns().into_iter().enumerate();
        let kept = fields.filter(|(at, _)| !(own..own + handed).contains(at));
        let exprs: Vec<_> = before
            .iter()
            .zip(kept)
            .map(|((qualifier, field), (_, column))| {
                match column == Column::from((qualifier, field)) {
                    true => Expr::Column(column),
                    false => Expr::Column(column).alias_qualified(qualifier.cloned(), field.name()),
                }
            })
            .collect();
        LogicalPlanBuilder::from(made).project(exprs)?.build()
    }

    /// A join whose condition has subqueries.
    fn join(&self, join: Join) -> Result<LogicalPlan> {
        let mut conditions: Vec<_> = join
            .on
            .iter()
            .map(|(left, right)| left.clone().eq(right.clone()))
            .collect();
        conditions.extend(join.filter.clone());
        let uncorrelated = |expr: &Expr| {
            let mut plain = true;
            expr.apply(|part| {
                plain &= match part {
                    Expr::ScalarSubquery(inner) => stock::is_uncorrelated(inner)?,
                    part => subquery_of(part).is_none(),
                };
                Ok(stop_if(!plain))
            })?;
            Ok::<_, datafusion::error::DataFusionError>(plain)
        };
        let mut plain = true;
        for condition in &conditions {
            plain &= uncorrelated(condition)?;
        }
        if plain {
            return Ok(LogicalPlan::Join(join));
        }
        let condition = conjunction(conditions.clone()).unwrap_or_else(|| lit(true));
        if join.join_type == JoinType::Inner {
            let both = LogicalPlanBuilder::from(join.left.as_ref().clone())
                .cross_join(join.right.as_ref().clone())?
                .build()?;
            return self.filter(Filter::try_new(condition, Arc::new(both))?);
        }
        // Each subquery is joined with the side whose columns the subquery refers to.
        let mut sides =
            [&join.left, &join.right].map(|side| OuterQuery::new(side.as_ref().clone()));
        let mut made = Vec::new();
        for condition in conditions {
            let condition = condition.transform_up(|part| {
                if subquery_of(&part).is_none() {
                    return Ok(Transformed::no(part));
                }
                let schemas = [join.left.schema(), join.right.schema()];
                for (side, schema) in schemas.into_iter().enumerate() {
                    let columns = part.column_refs();
                    let mut columns = columns.iter();
                    let known =
                        columns.all(|column| schema.maybe_index_of_column(column).is_some());
                    let inner = subquery_of(&part).map(|inner| references(&inner.subquery));
                    let asked = inner.transpose()?.unwrap_or_default();
                    if known && asked.iter().all(|asked| has(schema, asked)) {
                        let made = self.expression(&mut sides[side], part)?;
                        return Ok(Transformed::yes(made));
                    }
                }
                not_impl_err!(
                    "a subquery in the condition of a {} join that asks both sides for columns",
                    join.join_type
                )
            });
            made.push(condition.data()?);
        }
        let [left, right] = sides;
        let plan = LogicalPlanBuilder::from(left.plan)
            .join_on(right.plan, join.join_type, made)?
            .build()?;
        LogicalPlanBuilder::from(plan)
            .project(columns(&join.schema.columns()).collect::<Vec<_>>())?
            .build()
    }

    /// A join with a LATERAL subquery.
    fn lateral(&self, join: &Join) -> Result<Option<LogicalPlan>> {
        let asked: Vec<_> = references(&join.right)?
            .into_iter()
            .filter(|asked| has(join.left.schema(), asked))
            .collect();
        // At the top level, a reference in the right side can only be LATERAL; in a subquery, a `Subquery` node marks
        // LATERAL.
        let is_marked = |node: &LogicalPlan| Ok(matches!(node, LogicalPlan::Subquery(_)));
        let is_lateral = self.depth.get() == 0 || join.right.exists(is_marked)?;
        if asked.is_empty() || !is_lateral {
            return Ok(None);
        }
        if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
            return plan_err!(
                "a {} join with LATERAL: use JOIN or LEFT JOIN",
                join.join_type
            );
        }
        let mut around = OuterQuery::new(join.left.as_ref().clone());
        let (pushed, mut conditions) = self.pushed(&mut around, &join.right, &asked, true)?;
        let on = join.on.iter();
        conditions.extend(on.map(|(left, right)| left.clone().eq(right.clone())));
        conditions.extend(join.filter.clone());
        let joined = LogicalPlanBuilder::from(around.plan)
            .join_on(pushed.plan, join.join_type, conditions)?
            .build()?;
        // The join's condition may have subqueries of its own.
        let joined = LogicalPlanBuilder::from(self.node(joined)?.data)
            .project(columns(&join.schema.columns()).collect::<Vec<_>>())?
            .build()?;
        // The remaining references are to tables further left in FROM.
        Ok(Some(match references(&joined)?.is_empty() {
            true => joined,
            false => LogicalPlan::Subquery(subquery(joined)?),
        }))
    }
}

/// A simpler condition that is true for the same rows: a filter need not tell NULL from false, so a three-valued CASE
/// is reduced to its first WHEN.
fn if_true(condition: Expr) -> Expr {
    let Expr::Case(case) = &condition else {
        return condition;
    };
    let is = |expr: &Expr, value: Option<bool>| matches!(expr, Expr::Literal(ScalarValue::Boolean(found), _) if *found == value);
    match (case.when_then_expr.as_slice(), &case.else_expr) {
        ([(found, yes), (_, null)], Some(no))
            if case.expr.is_none()
                && is(yes, Some(true))
                && is(null, None)
                && is(no, Some(false)) =>
        {
            found.as_ref().clone()
        }
        _ => condition,
    }
}
