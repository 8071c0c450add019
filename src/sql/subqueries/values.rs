//! What a subquery is for one row of the query around it: a value, or true, false or NULL.

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result, ScalarValue, not_impl_err, plan_err};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, ExprSchemable, FetchType, LogicalPlan, LogicalPlanBuilder, Operator,
    SkipType, Subquery,
};
use datafusion::prelude::{lit, when};

use super::Unnest;
use super::one_row::one_row;
use super::push::{Push, Pushed, columns, is_one_row};
use super::references::{Reference, asked_from_outside, has, references, subquery};
use crate::sql::null_keys::is_not_distinct;

impl Unnest {
    /// An expression over the columns of `input` without subqueries but for those that DataFusion works out, and the input joined
    /// with what the others are.
    pub(super) fn expression(&self, input: LogicalPlan, expr: Expr) -> Result<(LogicalPlan, Expr)> {
        let mut joined = input;
        let expr = expr.transform_up(|part| {
            Ok(Transformed::yes(match part {
                Expr::ScalarSubquery(inner) => {
                    let made;
                    (joined, made) = self.scalar(std::mem::take(&mut joined), inner)?;
                    made
                }
                Expr::Exists(exists) => {
                    let made;
                    (joined, made) = self.exists(std::mem::take(&mut joined), &exists.subquery)?;
                    match exists.negated {
                        true => made.is_not_true(),
                        false => made,
                    }
                }
                Expr::InSubquery(inside) => {
                    let made;
                    (joined, made) = self.is_in(std::mem::take(&mut joined), inside)?;
                    made
                }
                Expr::SetComparison(comparison) => {
                    let made;
                    (joined, made) = self.any_or_all(std::mem::take(&mut joined), comparison)?;
                    made
                }
                part => return Ok(Transformed::no(part)),
            }))
        })?;
        Ok((joined, expr.data))
    }

    /// The plan of a subquery with columns of its own for what it asks `input` for, and the conditions that these are equal to
    /// those of `input`.
    pub(super) fn pushed(
        &self,
        input: &LogicalPlan,
        inner: &LogicalPlan,
        asked: &[Reference],
        as_rows: bool,
    ) -> Result<(Pushed, Vec<Expr>)> {
        let mut push = Push {
            references: asked,
            domain: None,
            names: &self.names,
        };
        let pairs = |pushed: &Pushed, equal: &dyn Fn(Expr, Expr) -> Expr| {
            let asked = asked.iter().map(|(_, column)| Expr::Column(column.clone()));
            let pairs = asked.clone().zip(columns(&pushed.outer));
            pairs.map(|(asked, own)| equal(asked, own)).collect()
        };
        if let Some(pushed) = push.push(inner)?
            && (pushed.absent.is_none() || !as_rows)
        {
            let keys = pairs(&pushed, &|asked, own| asked.eq(own));
            return Ok((self.again(pushed)?, keys));
        }
        refuse_volatile(input)?;
        let values = asked.iter().map(|(_, column)| Expr::Column(column.clone()));
        let domain = LogicalPlanBuilder::from(input.clone())
            .project(values.collect::<Vec<_>>())?
            .distinct()?
            .build()?;
        push.domain = Some(&domain);
        let Some(pushed) = push.push(inner)? else {
            return plan_err!("a subquery could not be joined with the query around it");
        };
        let keys = pairs(&pushed, &is_not_distinct);
        Ok((self.again(pushed)?, keys))
    }

    /// What asked two levels up asks one level up now.
    fn again(&self, pushed: Pushed) -> Result<Pushed> {
        let plan = self.plan(pushed.plan)?;
        Ok(Pushed { plan, ..pushed })
    }

    fn scalar(&self, input: LogicalPlan, inner: Subquery) -> Result<(LogicalPlan, Expr)> {
        let asked = asked_of(&inner.subquery, &input)?;
        if asked.is_empty() {
            return Ok((input, Expr::ScalarSubquery(inner)));
        }
        let (pushed, keys) = self.pushed(&input, &inner.subquery, &asked, false)?;
        let first = Column::from(inner.subquery.schema().qualified_field(0));
        let value = Expr::Column(first.clone());
        let [value_name, rows_name, there_name] =
            ["value", "rows", "there"].map(|kind| self.names.next(kind));
        let outer = columns(&pushed.outer);
        let column = |name: &String| Expr::Column(Column::new_unqualified(name));
        let one = is_one_row(&inner.subquery);
        let mut plan = LogicalPlanBuilder::from(pushed.plan);
        let mut all: Vec<_> = outer.clone().collect();
        if one {
            all.push(value.alias(&value_name));
            all.push(lit(true).alias(&there_name));
            plan = plan.project(all)?;
        } else {
            let any = Expr::AggregateFunction(AggregateFunction::new_udf(
                first_value_udaf(),
                vec![value],
                false,
                None,
                Vec::new(),
                None,
            ));
            plan = plan.aggregate(
                outer.collect::<Vec<_>>(),
                vec![any.alias(&value_name), count(lit(1_i64)).alias(&rows_name)],
            )?;
        }
        let joined = LogicalPlanBuilder::from(input)
            .join_on(plan.build()?, JoinType::Left, keys)?
            .build()?;
        let value = match one {
            true => column(&value_name),
            false => one_row(
                column(&value_name),
                column(&rows_name),
                shown(&inner.subquery),
            ),
        };
        let absent = pushed.absent.and_then(|absent| absent.get(&first).cloned());
        let made = match absent {
            Some(absent) if !matches!(&absent, Expr::Literal(value, _) if value.is_null()) => {
                when(column(&there_name).is_null(), over_outer(absent)?).otherwise(value)?
            }
            _ => value,
        };
        Ok((joined, made))
    }

    /// Whether a subquery has a row.
    fn exists(&self, input: LogicalPlan, inner: &Subquery) -> Result<(LogicalPlan, Expr)> {
        let Some(inner) = stripped(&inner.subquery)? else {
            return Ok((input, lit(false)));
        };
        let asked = asked_of(&inner, &input)?;
        if asked.is_empty() {
            let any = LogicalPlanBuilder::from(inner)
                .limit(0, Some(1))?
                .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])?
                .build()?;
            let rows = Expr::ScalarSubquery(subquery(any)?);
            return Ok((input, rows.gt(lit(0_i64))));
        }
        let (pushed, keys) = self.pushed(&input, &inner, &asked, false)?;
        if pushed.absent.is_some() {
            return Ok((input, lit(true)));
        }
        let there = self.names.next("there");
        let outer: Vec<_> = columns(&pushed.outer).collect();
        let mut all = outer.clone();
        all.push(lit(true).alias(&there));
        let plan = LogicalPlanBuilder::from(pushed.plan)
            .project(outer)?
            .distinct()?
            .project(all)?
            .build()?;
        let joined = LogicalPlanBuilder::from(input)
            .join_on(plan, JoinType::Left, keys)?
            .build()?;
        Ok((
            joined,
            Expr::Column(Column::new_unqualified(there)).is_not_null(),
        ))
    }

    /// `value` as a column of `input`, or a literal.
    fn as_column(&self, input: LogicalPlan, value: Expr) -> Result<(LogicalPlan, Expr)> {
        if matches!(value, Expr::Column(_) | Expr::Literal(..)) {
            return Ok((input, value));
        }
        let name = self.names.next("value");
        let mut all: Vec<_> = columns(&input.schema().columns()).collect();
        all.push(value.alias(&name));
        let input = LogicalPlanBuilder::from(input).project(all)?.build()?;
        Ok((input, Expr::Column(Column::new_unqualified(name))))
    }

    /// `value IN (subquery)`: true for an equal row, else NULL where a NULL may have been equal, else false.
    fn is_in(&self, input: LogicalPlan, inside: InSubquery) -> Result<(LogicalPlan, Expr)> {
        let (input, value) = self.as_column(input, *inside.expr)?;
        let plan = inside.subquery.subquery.as_ref();
        let row = Expr::Column(Column::from(plan.schema().qualified_field(0)));
        let from_outside = asked_from_outside(value.clone(), input.schema())?;
        let (input, found) = self.exists_with(input, plan, from_outside.eq(row.clone()))?;
        let mut unknown = Vec::new();
        let mut input = input;
        if row.nullable(plan.schema())? {
            let null;
            (input, null) = self.exists_with(input, plan, row.is_null())?;
            unknown.push(null);
        }
        if value.nullable(input.schema())? {
            let any;
            (input, any) = self.exists_with(input, plan, lit(true))?;
            unknown.push(value.is_null().and(any));
        }
        let is_in = three_valued(found, true, unknown.into_iter().reduce(Expr::or));
        let is_in = match inside.negated {
            true => Expr::Not(Box::new(is_in)),
            false => is_in,
        };
        Ok((input, is_in))
    }

    fn any_or_all(
        &self,
        input: LogicalPlan,
        comparison: SetComparison,
    ) -> Result<(LogicalPlan, Expr)> {
        let SetComparison {
            expr,
            subquery: inner,
            op,
            quantifier,
        } = comparison;
        let is_in = match (op, &quantifier) {
            (Operator::Eq, SetQuantifier::Any) => Some(false),
            (Operator::NotEq, SetQuantifier::All) => Some(true),
            _ => None,
        };
        if let Some(negated) = is_in {
            return self.is_in(input, InSubquery::new(expr, inner, negated));
        }
        let (input, value) = self.as_column(input, *expr)?;
        let plan = inner.subquery.as_ref();
        let row = Expr::Column(Column::from(plan.schema().qualified_field(0)));
        let compared = Expr::BinaryExpr(BinaryExpr::new(
            Box::new(asked_from_outside(value, input.schema())?),
            op,
            Box::new(row),
        ));
        let (decides, wanted) = match quantifier {
            SetQuantifier::Any => (compared.clone().is_true(), true),
            SetQuantifier::All => (compared.clone().is_false(), false),
        };
        let (input, found) = self.exists_with(input, plan, decides)?;
        let (input, unknown) = match compared.nullable(plan.schema())? {
            true => {
                let (input, unknown) = self.exists_with(input, plan, compared.is_null())?;
                (input, Some(unknown))
            }
            false => (input, None),
        };
        Ok((input, three_valued(found, wanted, unknown)))
    }

    /// Whether a subquery has a row for which `condition` is true.
    fn exists_with(
        &self,
        input: LogicalPlan,
        plan: &LogicalPlan,
        condition: Expr,
    ) -> Result<(LogicalPlan, Expr)> {
        let plan = LogicalPlanBuilder::from(plan.clone())
            .filter(condition)?
            .build()?;
        self.exists(input, &subquery(plan)?)
    }
}

/// `wanted` where it was `found`, else NULL where it is `unknown`, else the contrary.
fn three_valued(found: Expr, wanted: bool, unknown: Option<Expr>) -> Expr {
    let mut cases = vec![(Box::new(found), Box::new(lit(wanted)))];
    if let Some(unknown) = unknown {
        cases.push((Box::new(unknown), Box::new(lit(ScalarValue::Boolean(None)))));
    }
    Expr::Case(Case {
        expr: None,
        when_then_expr: cases,
        else_expr: Some(Box::new(lit(!wanted))),
    })
}

/// What a subquery asks `input` for.
fn asked_of(inner: &LogicalPlan, input: &LogicalPlan) -> Result<Vec<Reference>> {
    let asked = references(inner)?;
    Ok(asked
        .into_iter()
        .filter(|asked| has(input.schema(), asked))
        .collect())
}

/// What has a row exactly where `plan` has one; nothing where that has none.
fn stripped(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    Ok(match plan {
        LogicalPlan::Projection(projection) => stripped(&projection.input)?,
        LogicalPlan::Sort(sort) => stripped(&sort.input)?,
        LogicalPlan::Distinct(distinct) => stripped(distinct.input())?,
        LogicalPlan::Limit(limit) => match (limit.get_skip_type()?, limit.get_fetch_type()?) {
            (_, FetchType::Literal(Some(0))) => None,
            (SkipType::Literal(0), FetchType::Literal(_)) => stripped(&limit.input)?,
            _ => Some(plan.clone()),
        },
        LogicalPlan::Filter(filter) if is_literal(&filter.predicate, true) => {
            stripped(&filter.input)?
        }
        _ => Some(plan.clone()),
    })
}

fn is_literal(expr: &Expr, value: bool) -> bool {
    matches!(expr, Expr::Literal(ScalarValue::Boolean(Some(found)), _) if *found == value)
}

/// An expression of a subquery's plan in the query around it.
fn over_outer(expr: Expr) -> Result<Expr> {
    expr.transform_up(|part| match part {
        Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
        part => Ok(Transformed::no(part)),
    })
    .data()
}

/// A plan that is run twice has to give the same rows.
fn refuse_volatile(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            if expr.is_volatile() {
                return not_impl_err!(
                    "a subquery of this kind over rows that {expr} makes; write them to a table first"
                );
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(())
}

/// A subquery as an error names it.
fn shown(plan: &LogicalPlan) -> String {
    let mut tables: Vec<String> = Vec::new();
    let walked = plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            tables.push(scan.table_name.table().to_string());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    let (_, field) = plan.schema().qualified_field(0);
    match walked.is_ok() && !tables.is_empty() {
        true => format!("(SELECT {} FROM {} …)", field.name(), tables.join(", ")),
        false => format!("(SELECT {} …)", field.name()),
    }
}
