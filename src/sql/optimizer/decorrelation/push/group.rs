//! Decorrelating aggregates, windows and LIMIT: each is evaluated separately for every outer row.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType, Result, ScalarValue, not_impl_err};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::utils::enumerate_grouping_sets;
use datafusion::logical_expr::{
    Aggregate, DistinctOn, Expr, ExprFunctionExt, ExprSchemable, FetchType, GroupingSet, Limit,
    LogicalPlan, LogicalPlanBuilder, SkipType, Union, Window,
};
use datafusion::prelude::{coalesce, lit};

use super::{Push, Pushed, columns, has_at_most_one_row, named, named_with_outer};
use crate::sql::optimizer::null_equal_keys::is_not_distinct;

impl Push<'_> {
    pub(super) fn window(&self, window: &Window) -> Result<Option<Pushed>> {
        let Some(input) = self.rows(&window.input)? else {
            return Ok(None);
        };
        let schema = &window.schema;
        let before = window.input.schema().fields().len();
        let mut exprs = Vec::new();
        for expr in &window.window_expr {
            let expr = self.with(expr.clone(), &input.outer, window.input.schema())?;
            let expr = expr.transform_up(|part| {
                let Expr::WindowFunction(mut call) = part else {
                    return Ok(Transformed::no(part));
                };
                call.params.partition_by.extend(columns(&input.outer));
                Ok(Transformed::yes(Expr::WindowFunction(call)))
            });
            exprs.push(expr.data()?);
        }
        let made: Vec<_> = exprs
            .iter()
            .map(|expr| Column::new_unqualified(expr.schema_name().to_string()))
            .collect();
        let plan = LogicalPlanBuilder::from(input.plan)
            .window(exprs)?
            .build()?;
        let kept = schema.columns().into_iter().take(before);
        let all: Vec<_> = kept.chain(made).map(Expr::Column).collect();
        named(plan, all, schema, input.outer)
    }

    pub(super) fn limit(&self, limit: &Limit) -> Result<Option<Pushed>> {
        let over = |input: &Arc<LogicalPlan>| {
            Arc::new(LogicalPlan::Limit(Limit {
                input: Arc::clone(input),
                ..limit.clone()
            }))
        };
        // A projection or an alias keeps the number of rows, so the limit may move below it.
        match limit.input.as_ref() {
            LogicalPlan::Projection(projection) => {
                let mut projection = projection.clone();
                projection.input = over(&projection.input);
                return self.push(&LogicalPlan::Projection(projection));
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let mut alias = alias.clone();
                alias.input = over(&alias.input);
                return self.push(&LogicalPlan::SubqueryAlias(alias));
            }
            _ => {}
        }
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return not_impl_err!(
                "LIMIT or OFFSET by an expression in a subquery that asks an outer query for a column"
            );
        };
        if skip == 0 && fetch != Some(0) && has_at_most_one_row(&limit.input) {
            return self.push(&limit.input);
        }
        let (below, keys) = match limit.input.as_ref() {
            LogicalPlan::Sort(sort) => (&sort.input, sort.expr.as_slice()),
            _ => (&limit.input, [].as_slice()),
        };
        let Some(input) = self.rows(below)? else {
            return Ok(None);
        };
        let within = row_number().partition_by(columns(&input.outer).collect());
        let place = match keys {
            [] => within.build()?,
            keys => within
                .order_by(self.sort_keys(keys, &input.outer, below.schema())?)
                .build()?,
        };
        let column = Expr::Column(Column::new_unqualified(place.schema_name().to_string()));
        let all = input.plan.schema().columns();
        let (skip, fetch) = (skip as u64, fetch.map(|fetch| fetch as u64));
        let after = column.clone().gt(lit(skip));
        let taken = match fetch {
            Some(fetch) => after.and(column.lt_eq(lit(skip.saturating_add(fetch)))),
            None => after,
        };
        let plan = LogicalPlanBuilder::from(input.plan)
            .window([place])?
            .filter(taken)?
            .project(columns(&all).collect::<Vec<_>>())?
            .build()?;
        Ok(Pushed::new(plan, input.outer))
    }

    pub(super) fn distinct_on(&self, distinct: &DistinctOn) -> Result<Option<Pushed>> {
        let Some(input) = self.rows(&distinct.input)? else {
            return Ok(None);
        };
        let around = distinct.input.schema();
        let with = |exprs: &[Expr]| self.with_all(exprs, &input.outer, around);
        let mut on: Vec<_> = columns(&input.outer).collect();
        on.extend(with(&distinct.on_expr)?);
        let fields = distinct.schema.iter().zip(with(&distinct.select_expr)?);
        let mut select: Vec<_> = fields
            .map(|((qualifier, field), expr)| {
                expr.unalias()
                    .alias_qualified(qualifier.cloned(), field.name())
            })
            .collect();
        select.extend(columns(&input.outer));
        let sort = match &distinct.sort_expr {
            Some(keys) => {
                let first = columns(&input.outer).map(|column| column.sort(true, false));
                Some(
                    first
                        .chain(self.sort_keys(keys, &input.outer, around)?)
                        .collect(),
                )
            }
            None => None,
        };
        let plan = LogicalPlanBuilder::from(input.plan).distinct_on(on, select, sort)?;
        Ok(Pushed::new(plan.build()?, input.outer))
    }

    pub(super) fn aggregate(&self, plan: &LogicalPlan) -> Result<Option<Pushed>> {
        let LogicalPlan::Aggregate(aggregate) = plan else {
            return Ok(None);
        };
        let Some(input) = self.rows(&aggregate.input)? else {
            return Ok(None);
        };
        let around = aggregate.input.schema();
        let with = |exprs: &[Expr]| self.with_all(exprs, &input.outer, around);
        let mut groups: Vec<_> = columns(&input.outer).collect();
        // The output columns of the aggregate, in its order.
        let mut own = Vec::new();
        for group in with(&aggregate.group_expr)? {
            match &group {
                Expr::GroupingSet(set) => {
                    own.extend(set.distinct_expr().into_iter().map(column_of));
                    // The grouping id: no expression reads it before the analyzer resolves `grouping`, which looks at
                    // the aggregate itself.
                    own.push(lit(ScalarValue::Null));
                }
                group => own.push(column_of(group)),
            }
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        let aggregates = with(&aggregate.aggr_expr)?;
        own.extend(aggregates.iter().map(column_of));
        let one_group = aggregate.group_expr.is_empty();
        let schema = plan.schema();
        let grouped = LogicalPlanBuilder::from(input.plan)
            .aggregate(groups, aggregates)?
            .build()?;
        let totals = totals(&aggregate.group_expr)?;
        if !one_group && totals == 0 {
            return named(grouped, own, schema, input.outer);
        }
        let defaults = defaults(aggregate, schema)?;
        if self.domain.is_none() {
            if !one_group {
                return Ok(None);
            }
            let absent = schema.columns().into_iter().zip(defaults).collect();
            let pushed = named(grouped, own, schema, input.outer)?;
            return Ok(pushed.map(|pushed| Pushed {
                absent: Some(absent),
                ..pushed
            }));
        }
        // An outer row without input rows still gets a result row.
        let Some(all) = self.beside(&LogicalPlanBuilder::empty(true).build()?)? else {
            return Ok(None);
        };
        let pairs = columns(&all.outer).zip(columns(&input.outer));
        let keys: Vec<_> = pairs.map(|(all, own)| is_not_distinct(all, own)).collect();
        let join = |join_type| {
            LogicalPlanBuilder::from(all.plan.clone()).join_on(
                grouped.clone(),
                join_type,
                keys.clone(),
            )
        };
        if !one_group {
            let numbered = |own: Vec<Expr>, outer: &[Column]| {
                let own = own.into_iter().enumerate();
                let own = own.map(|(place, expr)| expr.alias(format!("c{place}")));
                own.chain(columns(outer)).collect::<Vec<_>>()
            };
            let without_rows = join(JoinType::LeftAnti)?
                .project(numbered(defaults, &all.outer))?
                .build()?;
            let with_rows = LogicalPlanBuilder::from(grouped.clone())
                .project(numbered(own, &input.outer))?
                .build()?;
            let mut inputs = vec![Arc::new(with_rows)];
            inputs.resize(1 + totals, Arc::new(without_rows));
            let plan = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
            return named_with_outer(plan, schema);
        }
        let plan = join(JoinType::Left)?.build()?;
        let own = own
            .into_iter()
            .zip(defaults)
            .map(|(column, default)| match &default {
                Expr::Literal(value, _) if value.is_null() => column,
                _ => coalesce(vec![column, default]),
            });
        named(plan, own.collect(), schema, all.outer)
    }
}

/// How many groups of an aggregate exist even for an empty input.
fn totals(groups: &[Expr]) -> Result<usize> {
    let sets = enumerate_grouping_sets(groups.to_vec())?;
    Ok(match sets.as_slice() {
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => {
            sets.iter().filter(|set| set.is_empty()).count()
        }
        [Expr::GroupingSet(_)] => 1,
        _ => 0,
    })
}

/// The values of the aggregate's columns for an empty input.
fn defaults(aggregate: &Aggregate, schema: &DFSchema) -> Result<Vec<Expr>> {
    let keys = schema.fields().len() - aggregate.aggr_expr.len();
    let mut defaults = Vec::new();
    for field in schema.fields().iter().take(keys) {
        defaults.push(Expr::Literal(field.data_type().try_into()?, None));
    }
    for expr in &aggregate.aggr_expr {
        let data_type = expr.get_type(aggregate.input.schema())?;
        let default = match expr.clone().unalias() {
            Expr::AggregateFunction(call) if call.func.name() == "grouping" => {
                // A bit for each argument, all set.
                let arguments = call.params.args.iter();
                ScalarValue::from(arguments.fold(0_i32, |bits, _| bits << 1 | 1))
            }
            Expr::AggregateFunction(call) => call.func.default_value(&data_type)?,
            _ => (&data_type).try_into()?,
        };
        defaults.push(Expr::Literal(default, None));
    }
    Ok(defaults)
}

/// The column that an aggregate makes of an expression.
fn column_of(expr: &Expr) -> Expr {
    let (relation, name) = expr.qualified_name();
    Expr::Column(Column::new(relation, name))
}
