//! Pushes the domain of the outer columns down a correlated subquery, until it refers to no outer column.
//!
//! After T. Neumann and A. Kemper, «Unnesting Arbitrary Queries» (BTW 2015). The plan is computed for all values of
//! its outer columns at once: each node passes these columns on, an aggregate groups by them, a window and a LIMIT
//! partition by them, and a join whose inputs both have them joins on them. The values come from conditions
//! `outer = expression` in the plan, or else from the *domain*: the distinct values in the outer query.

mod filter;
mod group;
mod join;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, Result, not_impl_err};
use datafusion::logical_expr::{
    Distinct, Expr, FetchType, LogicalPlan, LogicalPlanBuilder, Sort, SortExpr, Union,
};

use super::references::{
    Reference, has, references, references_of, renamed, subquery, subquery_of, with_subquery,
};

/// A generator of unique column names.
#[derive(Debug, Default)]
pub(super) struct Names(Cell<usize>);

impl Names {
    pub fn next(&self, kind: &str) -> String {
        self.0.set(self.0.get() + 1);
        format!("__{kind}_{}", self.0.get())
    }
}

/// A plan with its original columns, under their names, and the outer columns.
#[derive(Debug)]
pub(super) struct Pushed {
    pub plan: LogicalPlan,
    /// The outer columns, in the order of [`Push::references`].
    pub outer: Vec<Column>,
    /// `Some` where the subquery has a row for each outer row, but `plan` lacks the rows for empty aggregate input:
    /// the values of the subquery's columns in these rows.
    pub absent: Option<HashMap<Column, Expr>>,
}

impl Pushed {
    fn new(plan: LogicalPlan, outer: Vec<Column>) -> Option<Self> {
        Some(Self {
            plan,
            outer,
            absent: None,
        })
    }
}

/// Rewrites a correlated plan to an uncorrelated one.
pub(super) struct Push<'a> {
    pub references: &'a [Reference],
    /// The distinct values of the outer columns, in the same order; without a domain, some plans cannot be rewritten.
    pub domain: Option<&'a LogicalPlan>,
    pub names: &'a Names,
}

impl Push<'_> {
    /// The plan with its own copies of the outer columns; `None` where that needs the domain.
    pub fn push(&self, plan: &LogicalPlan) -> Result<Option<Pushed>> {
        if !self.asks(plan)? {
            return self.beside(plan);
        }
        match plan {
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Projection(projection) => {
                let Some(input) = self.push(&projection.input)? else {
                    return Ok(None);
                };
                let fields = projection.schema.iter().zip(&projection.expr);
                let mut exprs = Vec::with_capacity(projection.expr.len());
                let mut absent = input.absent.as_ref().map(|_| HashMap::new());
                for ((qualifier, field), expr) in fields {
                    if let (Some(known), Some(absent)) = (&input.absent, &mut absent) {
                        let column = Column::from((qualifier, field));
                        absent.insert(column, without_rows(expr, known)?);
                    }
                    let inner = self.with(expr.clone(), &input.outer, projection.input.schema())?;
                    exprs.push(
                        inner
                            .unalias()
                            .alias_qualified(qualifier.cloned(), field.name()),
                    );
                }
                exprs.extend(columns(&input.outer));
                let plan = LogicalPlanBuilder::from(input.plan)
                    .project(exprs)?
                    .build()?;
                Ok(Some(Pushed {
                    plan,
                    outer: input.outer,
                    absent,
                }))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let Some(input) = self.push(&alias.input)? else {
                    return Ok(None);
                };
                let requalified =
                    |column: &Column| Column::new(Some(alias.alias.clone()), column.name.clone());
                let absent = input.absent.map(|absent| {
                    let absent = absent.into_iter();
                    absent
                        .map(|(column, expr)| (requalified(&column), expr))
                        .collect()
                });
                Ok(Some(Pushed {
                    outer: input.outer.iter().map(requalified).collect(),
                    plan: LogicalPlanBuilder::from(input.plan)
                        .alias(alias.alias.clone())?
                        .build()?,
                    absent,
                }))
            }
            LogicalPlan::Subquery(subquery) => self.push(&subquery.subquery),
            LogicalPlan::Sort(sort) => {
                let Some(input) = self.push(&sort.input)? else {
                    return Ok(None);
                };
                if input.absent.is_some() {
                    // One row for each outer row needs no sort.
                    return Ok(Some(input));
                }
                let plan = LogicalPlan::Sort(Sort {
                    expr: self.sort_keys(&sort.expr, &input.outer, sort.input.schema())?,
                    input: Arc::new(input.plan),
                    fetch: sort.fetch,
                });
                Ok(Pushed::new(plan, input.outer))
            }
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let Some(input) = self.rows(input)? else {
                    return Ok(None);
                };
                let plan = LogicalPlanBuilder::from(input.plan).distinct()?.build()?;
                Ok(Pushed::new(plan, input.outer))
            }
            LogicalPlan::Distinct(Distinct::On(distinct)) => self.distinct_on(distinct),
            LogicalPlan::Aggregate(_) => self.aggregate(plan),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Union(union) => {
                let schema = plan.schema();
                let mut inputs = Vec::new();
                for input in &union.inputs {
                    let Some(pushed) = self.rows(input)? else {
                        return Ok(None);
                    };
                    let all = input.schema().columns().into_iter().chain(pushed.outer);
                    let input = LogicalPlanBuilder::from(pushed.plan)
                        .project(all.map(Expr::Column))?
                        .build()?;
                    inputs.push(Arc::new(input));
                }
                let plan = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
                named_with_outer(plan, schema)
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Unnest(unnest) => {
                let Some(input) = self.rows(&unnest.input)? else {
                    return Ok(None);
                };
                let plan = LogicalPlanBuilder::from(input.plan)
                    .unnest_columns_with_options(
                        unnest.exec_columns.clone(),
                        unnest.options.clone(),
                    )?
                    .build()?;
                Ok(Pushed::new(plan, input.outer))
            }
            LogicalPlan::Values(values) => {
                let fields = values.schema.fields();
                let row = |row: &Vec<Expr>| {
                    let exprs = row.iter().zip(fields).map(|(expr, field)| {
                        datafusion::prelude::cast(expr.clone(), field.data_type().clone())
                            .alias(field.name())
                    });
                    let exprs: Vec<_> = exprs.collect();
                    Ok(Arc::new(
                        LogicalPlanBuilder::empty(true).project(exprs)?.build()?,
                    ))
                };
                let rows = values.values.iter().map(row).collect::<Result<Vec<_>>>()?;
                let plan = match rows.as_slice() {
                    [row] => row.as_ref().clone(),
                    _ => LogicalPlan::Union(Union::try_new_with_loose_types(rows)?),
                };
                self.push(&plan)
            }
            other => not_impl_err!(
                "a subquery that asks an outer query for a column within {}",
                other
                    .display()
                    .to_string()
                    .split(':')
                    .next()
                    .unwrap_or("it")
            ),
        }
    }

    /// Like [`Self::push`], but `None` also for a plan that lacks rows (see [`Pushed::absent`]).
    fn rows(&self, plan: &LogicalPlan) -> Result<Option<Pushed>> {
        Ok(self.push(plan)?.filter(|pushed| pushed.absent.is_none()))
    }

    fn is_asked(&self, reference: &Reference) -> bool {
        self.references
            .iter()
            .any(|(_, known)| *known == reference.1)
    }

    fn asks(&self, plan: &LogicalPlan) -> Result<bool> {
        Ok(references(plan)?.iter().any(|asked| self.is_asked(asked)))
    }

    fn asks_in(&self, expr: &Expr, schema: &DFSchema) -> Result<bool> {
        let asked = references_of(expr, schema)?;
        Ok(asked.iter().any(|asked| self.is_asked(asked)))
    }

    /// The expression with outer references replaced by the plan's own columns `outer`; `around` has the plan's other
    /// columns.
    fn with(&self, expr: Expr, outer: &[Column], around: &DFSchema) -> Result<Expr> {
        self.replaced(expr, &columns(outer).collect::<Vec<_>>(), around)
    }

    fn with_all(&self, exprs: &[Expr], outer: &[Column], around: &DFSchema) -> Result<Vec<Expr>> {
        let exprs = exprs.iter().cloned();
        exprs.map(|expr| self.with(expr, outer, around)).collect()
    }

    fn replaced(&self, expr: Expr, by: &[Expr], around: &DFSchema) -> Result<Expr> {
        let asked = || self.references.iter().zip(by);
        expr.transform_up(|part| {
            if let Some(inner) = subquery_of(&part) {
                // An outer column of a nested subquery is now a column of the plan around the subquery.
                let names = asked().filter(|(reference, _)| !has(around, reference));
                let names = names
                    .filter_map(|((_, old), new)| Some((old.clone(), new.try_as_col()?.clone())));
                let names: Vec<_> = names.collect();
                let plan = renamed(inner.subquery.as_ref().clone(), &names)?;
                return Ok(Transformed::yes(with_subquery(part, subquery(plan)?)));
            }
            let Expr::OuterReferenceColumn(_, column) = &part else {
                return Ok(Transformed::no(part));
            };
            let new = asked().find(|((_, known), _)| known == column);
            Ok(match new {
                Some((_, new)) => Transformed::yes(new.clone()),
                None => Transformed::no(part),
            })
        })
        .data()
    }

    fn sort_keys(
        &self,
        keys: &[SortExpr],
        outer: &[Column],
        around: &DFSchema,
    ) -> Result<Vec<SortExpr>> {
        let key = |key: &SortExpr| {
            let expr = self.with(key.expr.clone(), outer, around)?;
            Ok(SortExpr {
                expr,
                ..key.clone()
            })
        };
        keys.iter().map(key).collect()
    }

    /// The cross join of the domain and a plan: all rows for each outer row.
    fn beside(&self, plan: &LogicalPlan) -> Result<Option<Pushed>> {
        let Some(domain) = self.domain else {
            return Ok(None);
        };
        let (exprs, outer): (Vec<_>, Vec<_>) = domain
            .schema()
            .columns()
            .into_iter()
            .map(|column| {
                let name = self.names.next("outer");
                (
                    Expr::Column(column).alias(&name),
                    Column::new_unqualified(name),
                )
            })
            .unzip();
        let domain = LogicalPlanBuilder::from(domain.clone()).project(exprs)?;
        let plan = match plan {
            LogicalPlan::EmptyRelation(empty)
                if empty.produce_one_row && empty.schema.fields().is_empty() =>
            {
                domain.build()?
            }
            plan => domain.cross_join(plan.clone())?.build()?,
        };
        Ok(Pushed::new(plan, outer))
    }
}

pub(super) fn columns(columns: &[Column]) -> impl Iterator<Item = Expr> + Clone {
    columns.iter().cloned().map(Expr::Column)
}

/// Projects `plan` to the expressions `own`, under the names of `schema`, and the outer columns.
fn named(
    plan: LogicalPlan,
    own: Vec<Expr>,
    schema: &DFSchema,
    outer: Vec<Column>,
) -> Result<Option<Pushed>> {
    let fields = schema.iter().zip(own);
    let mut all: Vec<_> = fields
        .map(|((qualifier, field), expr)| match &expr {
            Expr::Column(column) if *column == Column::from((qualifier, field)) => expr,
            _ => expr.alias_qualified(qualifier.cloned(), field.name()),
        })
        .collect();
    all.extend(columns(&outer));
    let plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
    Ok(Pushed::new(plan, outer))
}

/// Renames the columns of `plan` to those of `schema`, followed by the outer columns.
fn named_with_outer(plan: LogicalPlan, schema: &DFSchema) -> Result<Option<Pushed>> {
    let mut own = plan.schema().columns();
    let outer = own.split_off(schema.fields().len());
    named(plan, columns(&own).collect(), schema, outer)
}

/// The value of an expression for empty aggregate input, where the aggregate's columns have the values `known`.
fn without_rows(expr: &Expr, known: &HashMap<Column, Expr>) -> Result<Expr> {
    expr.clone()
        .unalias()
        .transform_up(|part| match &part {
            Expr::Column(column) => match known.get(column) {
                Some(value) => Ok(Transformed::yes(value.clone())),
                None => Ok(Transformed::no(part)),
            },
            _ => Ok(Transformed::no(part)),
        })
        .data()
}

/// Whether a plan has at most one row for each outer row, whatever its tables hold.
pub(super) fn has_at_most_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Values(values) => values.values.len() <= 1,
        LogicalPlan::Limit(limit) => {
            matches!(limit.get_fetch_type(), Ok(FetchType::Literal(Some(0 | 1))))
                || has_at_most_one_row(&limit.input)
        }
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Subquery(_) => has_at_most_one_row(plan.inputs()[0]),
        _ => false,
    }
}
