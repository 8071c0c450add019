//! Subqueries as expressions: scalar values, and EXISTS, IN, ANY and ALL with three-valued logic.

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType, Result, ScalarValue, plan_err};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, ExprSchemable, FetchType, LogicalPlan, LogicalPlanBuilder, Operator,
    SkipType, Subquery,
};
use datafusion::prelude::{lit, when};

use super::super::null_equal_keys::is_not_distinct;
use super::Unnest;
use super::once::repeats;
use super::one_row::{any_of, describe_subquery, one_row};
use super::push::{Push, Pushed, columns, has_at_most_one_row};
use super::references::{
    Reference, as_outer_references, has, has_subquery, references, references_of, subquery,
    subquery_of,
};
use super::stock;

/// An outer query while its subqueries are joined with it.
pub(super) struct OuterQuery {
    /// The query, with the joined columns after its own.
    pub plan: LogicalPlan,
    /// The plan that domains are read from: the query without the joined columns where possible.
    base: LogicalPlan,
    /// Rewritten subquery expressions, for reuse where the same expression occurs again.
    made: Vec<(Expr, Expr)>,
}

impl OuterQuery {
    pub fn new(plan: LogicalPlan) -> Self {
        Self {
            base: plan.clone(),
            plan,
            made: Vec::new(),
        }
    }

    /// Joins a plan that has at most one row for each row of the query.
    fn join(&mut self, plan: LogicalPlan, keys: Vec<Expr>) -> Result<()> {
        let builder = LogicalPlanBuilder::from(std::mem::take(&mut self.plan));
        self.plan = builder.join_on(plan, JoinType::Left, keys)?.build()?;
        Ok(())
    }

    /// `value` as a column with a unique name, or the literal itself.
    fn column(&mut self, unnest: &Unnest, value: Expr) -> Result<Expr> {
        if matches!(value, Expr::Literal(..)) {
            return Ok(value);
        }
        let name = unnest.names.next("value");
        let with = |plan: &LogicalPlan| {
            let mut all: Vec<_> = columns(&plan.schema().columns()).collect();
            all.push(value.clone().alias(&name));
            LogicalPlanBuilder::from(plan.clone()).project(all)?.build()
        };
        self.plan = with(&self.plan)?;
        let known = value.column_refs();
        let mut known = known.iter();
        let is_of_base = known.all(|column| self.base.schema().has_column(column));
        if is_of_base && !value.is_volatile() {
            self.base = with(&self.base)?;
        } else {
            self.plan = unnest.once.of(std::mem::take(&mut self.plan))?;
            self.base = self.plan.clone();
        }
        Ok(Expr::Column(Column::new_unqualified(name)))
    }

    /// The distinct values of the outer columns `asked`.
    fn domain(&mut self, unnest: &Unnest, asked: &[Reference]) -> Result<LogicalPlan> {
        let has_all = asked.iter().all(|asked| has(self.base.schema(), asked));
        if !has_all || !repeats(&self.base)? {
            self.plan = unnest.once.of(std::mem::take(&mut self.plan))?;
            self.base = self.plan.clone();
        }
        let values = asked.iter().map(|(_, column)| Expr::Column(column.clone()));
        LogicalPlanBuilder::from(self.base.clone())
            .project(values.collect::<Vec<_>>())?
            .distinct()?
            .build()
    }
}

impl Unnest<'_> {
    /// Replaces the subqueries in an expression by columns that are joined with the query; a subquery that DataFusion
    /// evaluates by itself stays.
    pub(super) fn expression(&self, around: &mut OuterQuery, expr: Expr) -> Result<Expr> {
        let expr = expr.transform_up(|part| {
            if subquery_of(&part).is_none() {
                return Ok(Transformed::no(part));
            }
            if let Some((_, made)) = around.made.iter().find(|(known, _)| *known == part) {
                return Ok(Transformed::yes(made.clone()));
            }
            let made = match part.clone() {
                Expr::ScalarSubquery(inner) => self.scalar(around, inner)?,
                Expr::Exists(exists) => {
                    let made = self.exists(around, &exists.subquery)?;
                    match exists.negated {
                        true => made.is_not_true(),
                        false => made,
                    }
                }
                Expr::InSubquery(inside) => self.is_in(around, inside)?,
                Expr::SetComparison(comparison) => self.any_or_all(around, comparison)?,
                other => other,
            };
            around.made.push((part, made.clone()));
            Ok(Transformed::yes(made))
        });
        expr.data()
    }

    /// The subquery's plan with its own copies of the outer columns `asked`, and the join conditions that equate the
    /// copies with the outer query's columns.
    pub(super) fn pushed(
        &self,
        around: &mut OuterQuery,
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
            && is_complete(&pushed, asked, as_rows)?
        {
            let keys = pairs(&pushed, &|asked, own| asked.eq(own));
            return Ok((self.unnested(pushed)?, keys));
        }
        let domain = around.domain(self, asked)?;
        push.domain = Some(&domain);
        let Some(pushed) = push.push(inner)? else {
            return plan_err!("a subquery could not be joined with the query around it");
        };
        let keys = pairs(&pushed, &is_not_distinct);
        Ok((self.unnested(pushed)?, keys))
    }

    /// Decorrelates references that were two levels up, and are one level up now.
    fn unnested(&self, pushed: Pushed) -> Result<Pushed> {
        let plan = self.plan(pushed.plan)?;
        Ok(Pushed { plan, ..pushed })
    }

    fn scalar(&self, around: &mut OuterQuery, inner: Subquery) -> Result<Expr> {
        let asked = outer_references(&inner.subquery, &around.plan)?;
        if asked.is_empty() {
            return self.by_itself(around, inner);
        }
        let (pushed, keys) = self.pushed(around, &inner.subquery, &asked, false)?;
        let first = Column::from(inner.subquery.schema().qualified_field(0));
        let value = Expr::Column(first.clone());
        let [value_name, rows_name, there_name] =
            ["value", "rows", "there"].map(|kind| self.names.next(kind));
        let outer = columns(&pushed.outer);
        let column = |name: &String| Expr::Column(Column::new_unqualified(name));
        let one = has_at_most_one_row(&inner.subquery);
        let mut plan = LogicalPlanBuilder::from(pushed.plan);
        let mut all: Vec<_> = outer.clone().collect();
        if one {
            all.push(value.alias(&value_name));
            all.push(lit(true).alias(&there_name));
            plan = plan.project(all)?;
        } else {
            plan = plan.aggregate(
                outer.collect::<Vec<_>>(),
                vec![
                    any_of(value).alias(&value_name),
                    count(lit(1_i64)).alias(&rows_name),
                ],
            )?;
        }
        around.join(plan.build()?, keys)?;
        let value = match one {
            true => column(&value_name),
            false => one_row(
                column(&value_name),
                column(&rows_name),
                describe_subquery(&inner.subquery),
            ),
        };
        let absent = pushed.absent.and_then(|absent| absent.get(&first).cloned());
        match absent {
            Some(absent) if !matches!(&absent, Expr::Literal(value, _) if value.is_null()) => {
                when(column(&there_name).is_null(), over_outer(absent, &asked)?).otherwise(value)
            }
            _ => Ok(value),
        }
    }

    /// The value of an uncorrelated subquery that has at most one row.
    fn by_itself(&self, around: &mut OuterQuery, inner: Subquery) -> Result<Expr> {
        if stock::is_uncorrelated(&inner)? {
            return Ok(Expr::ScalarSubquery(inner));
        }
        let name = self.names.next("value");
        let value = Expr::Column(Column::from(inner.subquery.schema().qualified_field(0)));
        let plan = LogicalPlanBuilder::from(inner.subquery)
            .aggregate(Vec::<Expr>::new(), vec![any_of(value).alias(&name)])?
            .build()?;
        let builder = LogicalPlanBuilder::from(std::mem::take(&mut around.plan));
        around.plan = builder.cross_join(plan)?.build()?;
        Ok(Expr::Column(Column::new_unqualified(name)))
    }

    /// Whether a subquery has a row.
    fn exists(&self, around: &mut OuterQuery, inner: &Subquery) -> Result<Expr> {
        let Some(inner) = simplified_for_exists(&inner.subquery)? else {
            return Ok(lit(false));
        };
        let asked = outer_references(&inner, &around.plan)?;
        if asked.is_empty() {
            let any = LogicalPlanBuilder::from(inner)
                .limit(0, Some(1))?
                .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])?
                .build()?;
            let rows = self.by_itself(around, subquery(any)?)?;
            return Ok(rows.gt(lit(0_i64)));
        }
        let (pushed, keys) = self.pushed(around, &inner, &asked, false)?;
        if pushed.absent.is_some() {
            return Ok(lit(true));
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
        around.join(plan, keys)?;
        Ok(Expr::Column(Column::new_unqualified(there)).is_not_null())
    }

    /// `value IN (subquery)`: true for an equal row, else NULL where a NULL may have been equal, else false.
    fn is_in(&self, around: &mut OuterQuery, inside: InSubquery) -> Result<Expr> {
        let value = around.column(self, *inside.expr)?;
        let plan = inside.subquery.subquery.as_ref();
        let row = Expr::Column(Column::from(plan.schema().qualified_field(0)));
        let from_outside = as_outer_references(value.clone(), around.plan.schema())?;
        let found = self.exists_with(around, plan, from_outside.eq(row.clone()))?;
        let mut unknown = Vec::new();
        if row.nullable(plan.schema())? {
            unknown.push(self.exists_with(around, plan, row.is_null())?);
        }
        if value.nullable(around.plan.schema())? {
            let any = self.exists_with(around, plan, lit(true))?;
            unknown.push(value.is_null().and(any));
        }
        let is_in = three_valued(found, true, unknown.into_iter().reduce(Expr::or));
        Ok(match inside.negated {
            true => Expr::Not(Box::new(is_in)),
            false => is_in,
        })
    }

    fn any_or_all(&self, around: &mut OuterQuery, comparison: SetComparison) -> Result<Expr> {
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
            return self.is_in(around, InSubquery::new(expr, inner, negated));
        }
        let value = around.column(self, *expr)?;
        let plan = inner.subquery.as_ref();
        let row = Expr::Column(Column::from(plan.schema().qualified_field(0)));
        let compared = Expr::BinaryExpr(BinaryExpr::new(
            Box::new(as_outer_references(value, around.plan.schema())?),
            op,
            Box::new(row),
        ));
        let (decides, wanted) = match quantifier {
            SetQuantifier::Any => (compared.clone().is_true(), true),
            SetQuantifier::All => (compared.clone().is_false(), false),
        };
        let found = self.exists_with(around, plan, decides)?;
        let unknown = match compared.nullable(plan.schema())? {
            true => Some(self.exists_with(around, plan, compared.is_null())?),
            false => None,
        };
        Ok(three_valued(found, wanted, unknown))
    }

    /// Whether a subquery has a row for which `condition` is true.
    fn exists_with(
        &self,
        around: &mut OuterQuery,
        plan: &LogicalPlan,
        condition: Expr,
    ) -> Result<Expr> {
        let plan = LogicalPlanBuilder::from(plan.clone())
            .filter(condition)?
            .build()?;
        self.exists(around, &subquery(plan)?)
    }
}

/// Whether a plan without a domain is complete. Missing rows that `absent` describes are allowed only where the
/// caller needs no rows, and `absent` may use only columns of the next outer query.
fn is_complete(pushed: &Pushed, asked: &[Reference], as_rows: bool) -> Result<bool> {
    let Some(absent) = &pushed.absent else {
        return Ok(true);
    };
    if as_rows {
        return Ok(false);
    }
    let none = DFSchema::empty();
    for expr in absent.values() {
        let further = references_of(expr, &none)?;
        let known = |further: &Reference| asked.iter().any(|(_, column)| *column == further.1);
        if has_subquery(expr)? || !further.iter().all(known) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `wanted` where `found` is true, else NULL where `unknown` is true, else the negation of `wanted`.
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

/// The columns of `input` that a subquery refers to.
fn outer_references(inner: &LogicalPlan, input: &LogicalPlan) -> Result<Vec<Reference>> {
    let asked = references(inner)?;
    Ok(asked
        .into_iter()
        .filter(|asked| has(input.schema(), asked))
        .collect())
}

/// A simpler plan that has rows exactly if `plan` has rows; `None` for LIMIT 0, which has no rows.
fn simplified_for_exists(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    Ok(match plan {
        LogicalPlan::Projection(projection) => simplified_for_exists(&projection.input)?,
        LogicalPlan::Sort(sort) => simplified_for_exists(&sort.input)?,
        LogicalPlan::Distinct(distinct) => simplified_for_exists(distinct.input())?,
        LogicalPlan::Limit(limit) => match (limit.get_skip_type()?, limit.get_fetch_type()?) {
            (_, FetchType::Literal(Some(0))) => None,
            (SkipType::Literal(0), FetchType::Literal(_)) => simplified_for_exists(&limit.input)?,
            _ => Some(plan.clone()),
        },
        LogicalPlan::Filter(filter) if is_literal(&filter.predicate, true) => {
            simplified_for_exists(&filter.input)?
        }
        _ => Some(plan.clone()),
    })
}

fn is_literal(expr: &Expr, value: bool) -> bool {
    matches!(expr, Expr::Literal(ScalarValue::Boolean(Some(found)), _) if *found == value)
}

/// Turns a subquery's references to the outer columns `asked` into columns of the outer query.
fn over_outer(expr: Expr, asked: &[Reference]) -> Result<Expr> {
    expr.transform_up(|part| match part {
        Expr::OuterReferenceColumn(_, column)
            if asked.iter().any(|(_, known)| *known == column) =>
        {
            Ok(Transformed::yes(Expr::Column(column)))
        }
        part => Ok(Transformed::no(part)),
    })
    .data()
}
