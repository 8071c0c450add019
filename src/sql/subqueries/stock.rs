//! The subqueries that DataFusion turns into joins itself, and rightly.
//!
//! It lifts conditions on outer columns out of a subquery and makes them the condition of a join. That is right where nothing
//! between the condition and the top of the subquery looks at more than one row (a window, a limit, an aggregate of an
//! aggregate), and where no third value is lost: a mark column says true or false, never NULL.

use datafusion::common::{DFSchema, JoinType, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::{merge_schema, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, Subquery};

use super::references::{has, has_subquery, references, references_of};

/// Whether DataFusion joins `subquery`, whose one value is used in a projection or a filter over the columns of `outer`.
pub(super) fn joins_scalar(subquery: &Subquery, outer: &DFSchema) -> Result<bool> {
    if !is_of(subquery, outer)? {
        return Ok(false);
    }
    let mut plan = subquery.subquery.as_ref();
    if references(plan)?.is_empty() {
        return Ok(true);
    }
    loop {
        match plan {
            LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) if !asks(plan)? => {
                plan = plan.inputs()[0];
            }
            LogicalPlan::Aggregate(aggregate)
                if aggregate.group_expr.is_empty() && !asks(plan)? =>
            {
                return is_liftable(&aggregate.input, &is_equality);
            }
            _ => return Ok(false),
        }
    }
}

/// Whether DataFusion makes this conjunct of a filter over the columns of `outer` one of a join.
pub(super) fn joins_condition(conjunct: &Expr, outer: &DFSchema) -> Result<bool> {
    match conjunct {
        Expr::Not(inner) => match inner.as_ref() {
            Expr::Exists(_) => joins_condition(inner, outer),
            Expr::InSubquery(inner) if !inner.negated => {
                let negated = InSubquery {
                    negated: true,
                    ..inner.clone()
                };
                joins_condition(&Expr::InSubquery(negated), outer)
            }
            _ => Ok(!has_subquery(inner)?),
        },
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And | Operator::Or,
            right,
        }) => {
            let plain = |side: &Expr| match side {
                // A mark column may be NOT false, but never NOT NULL.
                Expr::InSubquery(inside) if inside.negated => Ok(false),
                Expr::Not(inner) if matches!(inner.as_ref(), Expr::InSubquery(_)) => Ok(false),
                side => joins_condition(side, outer),
            };
            Ok(plain(left)? && plain(right)?)
        }
        Expr::Exists(Exists { subquery, .. }) => {
            Ok(is_of(subquery, outer)? && is_liftable(&subquery.subquery, &|_| true)?)
        }
        Expr::InSubquery(InSubquery {
            expr,
            subquery,
            negated,
        }) => {
            let asked = references(&subquery.subquery)?;
            let simple = match negated {
                // Whether there is a NULL is asked of all rows, not of those that belong to the outer one.
                true => asked.is_empty(),
                false => is_liftable(&subquery.subquery, &|_| true)?,
            };
            Ok(simple && is_of(subquery, outer)? && !has_subquery(expr)?)
        }
        other => Ok(!has_subquery(other)?),
    }
}

/// Whether all that a subquery asks for is in the query next to it.
fn is_of(subquery: &Subquery, outer: &DFSchema) -> Result<bool> {
    let asked = references(&subquery.subquery)?;
    Ok(asked.iter().all(|asked| has(outer, asked)))
}

/// Whether an expression of this node itself asks for an outer column.
fn asks(node: &LogicalPlan) -> Result<bool> {
    let around = merge_schema(&node.inputs());
    for expr in node.expressions() {
        if !references_of(&expr, &around)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether all conditions on outer columns can be lifted to the top of a plan; each has to be `allowed`.
fn is_liftable(plan: &LogicalPlan, allowed: &dyn Fn(&Expr) -> bool) -> Result<bool> {
    if references(plan)?.is_empty() {
        return Ok(true);
    }
    Ok(match plan {
        LogicalPlan::Filter(filter) => {
            let schema = filter.input.schema();
            for conjunct in split_conjunction(&filter.predicate) {
                if references_of(conjunct, schema)?.is_empty() {
                    continue;
                }
                if has_subquery(conjunct)? || !allowed(conjunct) {
                    return Ok(false);
                }
            }
            is_liftable(&filter.input, allowed)?
        }
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => {
            !asks(plan)? && is_liftable(plan.inputs()[0], allowed)?
        }
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            !asks(plan)? && is_liftable(&join.left, allowed)? && is_liftable(&join.right, allowed)?
        }
        _ => false,
    })
}

/// `column = outer`, which makes the column a key of groups.
fn is_equality(expr: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr {
        left,
        op: Operator::Eq,
        right,
    }) = expr
    else {
        return false;
    };
    let is_pair = |one: &Expr, other: &Expr| {
        matches!(one, Expr::Column(_)) && !other.any_column_refs() && other.contains_outer()
    };
    is_pair(left, right) || is_pair(right, left)
}
