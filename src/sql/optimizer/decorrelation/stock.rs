//! The correlated subqueries that DataFusion decorrelates correctly, and that are left to it.
//!
//! DataFusion lifts conditions on outer columns out of a subquery, passes the columns in them up to the subquery's
//! top, and turns the conditions into join conditions. The result is right only where no node on the way looks at
//! more than one row (a window, a limit, an aggregate of an aggregate), where no NULL is lost (a mark column is true
//! or false, never NULL), where a group key is equal to one outer value only, and where the bare name of each lifted
//! column is unique, since DataFusion looks only at the bare name. In addition, DataFusion's plan checks visit a
//! subquery twice, by itself and in the outer plan, so each level of nesting doubles their time.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, Result, resources_err};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::{merge_schema, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, Subquery};

use super::references::{
    equality, has, has_subquery, is_nested, is_same_in, references, references_of,
};

/// A subquery that contains this many nested levels of subqueries is not left to DataFusion.
const DEEP: usize = 3;
/// The same limit for IN, where reaching the limit is an error: the join built here would read an IN subquery more
/// than twice.
const DEEPEST_IN: usize = 12;

/// Whether DataFusion correctly joins `subquery`, a scalar subquery in a projection or a filter over the columns of
/// `outer`.
pub(super) fn joins_scalar(subquery: &Subquery, outer: &DFSchema) -> Result<bool> {
    Ok(is_uncorrelated(subquery)?
        || !is_nested(&subquery.subquery, DEEP)? && joins(subquery, outer, Part::Value)?)
}

/// Whether DataFusion evaluates the scalar `subquery`, wherever it is used, before the main query: it is
/// uncorrelated.
pub(super) fn is_uncorrelated(subquery: &Subquery) -> Result<bool> {
    let plan = subquery.subquery.as_ref();
    Ok(references(plan)?.is_empty() && !is_nested(plan, DEEP)?)
}

/// Whether DataFusion correctly turns this conjunct of a filter over the columns of `outer` into a join.
pub(super) fn joins_condition(conjunct: &Expr, outer: &DFSchema) -> Result<bool> {
    match conjunct {
        Expr::Not(inner) => match inner.as_ref() {
            Expr::Exists(_) => joins_condition(inner, outer),
            Expr::InSubquery(inside) => joins_in(inside, !inside.negated, outer),
            _ => Ok(!has_subquery(inner)?),
        },
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And | Operator::Or,
            right,
        }) => {
            let plain = |side: &Expr| match side {
                // A mark column is false where IN is NULL, so its negation would be true instead of NULL.
                Expr::InSubquery(inside) if inside.negated => Ok(false),
                Expr::Not(inner) if matches!(inner.as_ref(), Expr::InSubquery(_)) => Ok(false),
                side => joins_condition(side, outer),
            };
            Ok(plain(left)? && plain(right)?)
        }
        Expr::Exists(Exists { subquery, .. }) => {
            Ok(!is_nested(&subquery.subquery, DEEP)? && joins(subquery, outer, Part::Rows)?)
        }
        Expr::InSubquery(inside) => joins_in(inside, inside.negated, outer),
        other => Ok(!has_subquery(other)?),
    }
}

fn joins_in(inside: &InSubquery, negated: bool, outer: &DFSchema) -> Result<bool> {
    if has_subquery(&inside.expr)? {
        return Ok(false);
    }
    if is_nested(&inside.subquery.subquery, DEEPEST_IN)? {
        return resources_err!(
            "IN (SELECT …) stands more than {DEEPEST_IN} deep in itself; join the tables, or keep a part of it in a table"
        );
    }
    if negated {
        // DataFusion's anti join checks all rows of the subquery for NULL, not only the correlated ones, and needs a
        // plain column as its key.
        let asked = references(&inside.subquery.subquery)?;
        return Ok(asked.is_empty() && matches!(inside.expr.as_ref(), Expr::Column(_)));
    }
    joins(&inside.subquery, outer, Part::Rows)
}

/// Which part of a subquery's result is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Its rows.
    Rows,
    /// Its rows, grouped by the lifted columns.
    Groups,
    /// Its one value.
    Value,
}

fn joins(subquery: &Subquery, outer: &DFSchema, part: Part) -> Result<bool> {
    let plan = subquery.subquery.as_ref();
    let asked = references(plan)?;
    // DataFusion does not find a column of an outer query beyond the next one, and takes an outer column that is also
    // inside for the inner one.
    let mut inside = false;
    plan.apply(|node| {
        inside |= asked.iter().any(|asked| has(node.schema(), asked));
        Ok(match inside {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    if inside || !asked.iter().all(|asked| has(outer, asked)) {
        return Ok(false);
    }
    Ok(lifted(plan, part)?.is_some())
}

/// Whether an expression of this node itself refers to an outer column.
fn asks(node: &LogicalPlan) -> Result<bool> {
    let around = merge_schema(&node.inputs());
    for expr in node.expressions() {
        if !references_of(&expr, &around)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The inner columns of the conditions on outer columns, by their names at the plan's top; `None` where these
/// conditions cannot be lifted to the top.
fn lifted(plan: &LogicalPlan, part: Part) -> Result<Option<BTreeSet<Column>>> {
    if part != Part::Value && references(plan)?.is_empty() {
        return Ok(Some(BTreeSet::new()));
    }
    let found = match plan {
        LogicalPlan::Filter(filter) if part != Part::Value => {
            let schema = filter.input.schema();
            let Some(mut columns) = lifted(&filter.input, part)? else {
                return Ok(None);
            };
            for conjunct in split_conjunction(&filter.predicate) {
                if references_of(conjunct, schema)?.is_empty() {
                    continue;
                }
                if has_subquery(conjunct)? || part == Part::Groups && !is_key(conjunct, schema) {
                    return Ok(None);
                }
                columns.extend(conjunct.column_refs().into_iter().cloned());
            }
            Some(columns)
        }
        LogicalPlan::Projection(projection) if !asks(plan)? => {
            let columns = lifted(&projection.input, part)?;
            columns.filter(|columns| {
                let fields = projection.schema.iter().zip(&projection.expr);
                let clashes = |((qualifier, field), expr): ((Option<&_>, &_), &Expr)| {
                    let field: &arrow::datatypes::FieldRef = field;
                    let named = Column::new(qualifier.cloned(), field.name());
                    let same = columns.iter().find(|column| column.name == *field.name());
                    same.is_some_and(|column| *column != named || expr.try_as_col() != Some(column))
                };
                !fields.into_iter().any(clashes)
            })
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let columns = lifted(&alias.input, part)?;
            let requalified = |column: Column| Column::new(Some(alias.alias.clone()), column.name);
            columns.map(|columns| columns.into_iter().map(requalified).collect())
        }
        LogicalPlan::Join(join)
            if join.join_type == JoinType::Inner && part != Part::Value && !asks(plan)? =>
        {
            match (lifted(&join.left, part)?, lifted(&join.right, part)?) {
                (Some(left), Some(right)) => Some(left.into_iter().chain(right).collect()),
                _ => None,
            }
        }
        LogicalPlan::Aggregate(aggregate)
            if part == Part::Value && aggregate.group_expr.is_empty() && !asks(plan)? =>
        {
            lifted(&aggregate.input, Part::Groups)?
        }
        _ => None,
    };
    Ok(found.filter(|columns| {
        let names: BTreeSet<_> = columns.iter().map(|column| &column.name).collect();
        names.len() == columns.len()
    }))
}

/// `column = outer` of one type, so that each group belongs to one outer value.
fn is_key(expr: &Expr, schema: &DFSchema) -> bool {
    let Some((left, right)) = equality(expr) else {
        return false;
    };
    let is_pair = |one: &Expr, other: &Expr| {
        let types = (one.get_type(schema), other.get_type(schema));
        matches!(one, Expr::Column(_))
            && !other.any_column_refs()
            && other.contains_outer()
            && matches!(types, (Ok(one), Ok(other)) if is_same_in(&one, &other))
    };
    is_pair(left, right) || is_pair(right, left)
}
