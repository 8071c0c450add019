//! What looks at several rows does so within those of one outer row.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, JoinType, Result, not_impl_err};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{
    DistinctOn, Expr, ExprFunctionExt, ExprSchemable, FetchType, Limit, LogicalPlan,
    LogicalPlanBuilder, SkipType, Window,
};
use datafusion::prelude::{coalesce, lit};

use super::{Push, Pushed, columns, is_one_row, named};
use crate::sql::null_keys::is_not_distinct;

impl Push<'_> {
    pub(super) fn window(&self, window: &Window) -> Result<Option<Pushed>> {
        let Some(input) = self.rows(&window.input)? else {
            return Ok(None);
        };
        let schema = &window.schema;
        let before = window.input.schema().fields().len();
        let mut exprs = Vec::new();
        for expr in &window.window_expr {
            let expr = self.with(expr.clone(), &input.outer)?.transform_up(|part| {
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
        // Of each row one is made, so they may be counted before.
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
        if skip == 0 && fetch != Some(0) && is_one_row(&limit.input) {
            return self.push(&limit.input);
        }
        let (input, keys) = match limit.input.as_ref() {
            LogicalPlan::Sort(sort) => (&sort.input, sort.expr.as_slice()),
            _ => (&limit.input, [].as_slice()),
        };
        let Some(input) = self.rows(input)? else {
            return Ok(None);
        };
        let within = row_number().partition_by(columns(&input.outer).collect());
        let place = match keys {
            [] => within.build()?,
            keys => within
                .order_by(self.sort_keys(keys, &input.outer)?)
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
        let with = |exprs: &[Expr]| {
            let exprs = exprs.iter().cloned();
            exprs
                .map(|expr| self.with(expr, &input.outer))
                .collect::<Result<Vec<_>>>()
        };
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
                Some(first.chain(self.sort_keys(keys, &input.outer)?).collect())
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
        let with = |exprs: &[Expr]| {
            let exprs = exprs.iter().cloned();
            exprs
                .map(|expr| self.with(expr, &input.outer))
                .collect::<Result<Vec<_>>>()
        };
        let mut groups: Vec<_> = columns(&input.outer).collect();
        // What the aggregate makes of its own, in its order, among what the new one makes.
        let mut places = Vec::new();
        for group in with(&aggregate.group_expr)? {
            let known = groups[..input.outer.len()].iter();
            match known.clone().position(|outer| *outer == group) {
                Some(place) => places.push(place),
                None => {
                    let width = match &group {
                        // With a column that tells the sets apart.
                        Expr::GroupingSet(set) => set.distinct_expr().len() + 1,
                        _ => 1,
                    };
                    let first = places.iter().max().map_or(0, |last: &usize| last + 1);
                    let first = first.max(input.outer.len());
                    places.extend(first..first + width);
                    groups.push(group);
                }
            }
        }
        let aggregates = with(&aggregate.aggr_expr)?;
        let made = aggregates.len();
        let one_group = aggregate.group_expr.is_empty();
        let schema = plan.schema();
        let grouped = LogicalPlanBuilder::from(input.plan)
            .aggregate(groups, aggregates)?
            .build()?;
        let all = grouped.schema().columns();
        places.extend(all.len() - made..all.len());
        let own: Vec<_> = places.iter().map(|place| all[*place].clone()).collect();
        if !one_group {
            return named(grouped, columns(&own).collect(), schema, input.outer);
        }
        let mut defaults = Vec::new();
        for expr in &aggregate.aggr_expr {
            let data_type = expr.get_type(aggregate.input.schema())?;
            let default = match expr.clone().unalias() {
                Expr::AggregateFunction(call) => call.func.default_value(&data_type)?,
                _ => (&data_type).try_into()?,
            };
            defaults.push(Expr::Literal(default, None));
        }
        if self.domain.is_none() {
            let absent = schema.columns().into_iter().zip(defaults).collect();
            let pushed = named(grouped, columns(&own).collect(), schema, input.outer)?;
            return Ok(pushed.map(|pushed| Pushed {
                absent: Some(absent),
                ..pushed
            }));
        }
        // An outer row without rows to aggregate has a row too.
        let Some(all) = self.beside(&LogicalPlanBuilder::empty(true).build()?)? else {
            return Ok(None);
        };
        let pairs = columns(&all.outer).zip(columns(&input.outer));
        let keys: Vec<_> = pairs.map(|(all, own)| is_not_distinct(all, own)).collect();
        let plan = LogicalPlanBuilder::from(all.plan)
            .join_on(grouped, JoinType::Left, keys)?
            .build()?;
        let own = columns(&own)
            .zip(defaults)
            .map(|(column, default)| match &default {
                Expr::Literal(value, _) if value.is_null() => column,
                _ => coalesce(vec![column, default]),
            });
        named(plan, own.collect(), schema, all.outer)
    }
}
