//! The outer columns that a plan refers to.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, Subquery};

use super::stop_if;

/// A column of an outer query.
pub(super) type Reference = (FieldRef, Column);

/// The outer columns that `plan` refers to, each once. A nested subquery's references to columns of `plan` itself are
/// not included.
pub(super) fn references(plan: &LogicalPlan) -> Result<Vec<Reference>> {
    let mut found = Vec::new();
    plan.apply(|node| {
        let around = merge_schema(&node.inputs());
        node.apply_expressions(|expr| {
            collect(expr, &around, &mut found)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if let LogicalPlan::Join(join) = node {
            // The outer columns of a LATERAL subquery.
            let (left, right) = (join.left.schema(), references(&join.right)?);
            add(
                right.into_iter().filter(|asked| !has(left, asked)),
                &mut found,
            );
            add(references(&join.left)?, &mut found);
            return Ok(TreeNodeRecursion::Jump);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The outer columns that an expression over the columns of `around` refers to.
pub(super) fn references_of(expr: &Expr, around: &DFSchema) -> Result<Vec<Reference>> {
    let mut found = Vec::new();
    collect(expr, around, &mut found)?;
    Ok(found)
}

fn collect(expr: &Expr, around: &DFSchema, found: &mut Vec<Reference>) -> Result<()> {
    expr.apply(|part| {
        if let Expr::OuterReferenceColumn(field, column) = part {
            add([(Arc::clone(field), column.clone())], found);
        }
        if let Some(subquery) = subquery_of(part) {
            let asked = references(&subquery.subquery)?;
            add(asked.into_iter().filter(|asked| !has(around, asked)), found);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn add(more: impl IntoIterator<Item = Reference>, found: &mut Vec<Reference>) {
    for reference in more {
        if !found.iter().any(|(_, column)| *column == reference.1) {
            found.push(reference);
        }
    }
}

/// Whether a plan has subqueries nested at least `deep` levels.
pub(super) fn is_nested(plan: &LogicalPlan, deep: usize) -> Result<bool> {
    if deep == 0 {
        return Ok(true);
    }
    let mut nested = false;
    plan.apply(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Some(inner) = subquery_of(part) {
                    nested |= is_nested(&inner.subquery, deep - 1)?;
                }
                Ok(stop_if(nested))
            })
        })?;
        Ok(stop_if(nested))
    })?;
    Ok(nested)
}

/// Whether a schema has the referenced column.
pub(super) fn has(schema: &DFSchema, (_, column): &Reference) -> bool {
    schema.maybe_index_of_column(column).is_some()
}

/// The subquery of a subquery expression.
pub(super) fn subquery_of(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(subquery)
        | Expr::Exists(Exists { subquery, .. })
        | Expr::InSubquery(InSubquery { subquery, .. })
        | Expr::SetComparison(SetComparison { subquery, .. }) => Some(subquery),
        _ => None,
    }
}

pub(super) fn has_subquery(expr: &Expr) -> Result<bool> {
    expr.exists(|part| Ok(subquery_of(part).is_some()))
}

/// A subquery whose plan is `plan`.
pub(super) fn subquery(plan: LogicalPlan) -> Result<Subquery> {
    let outer_ref_columns = references(&plan)?
        .into_iter()
        .map(|(field, column)| Expr::OuterReferenceColumn(field, column));
    Ok(Subquery {
        outer_ref_columns: outer_ref_columns.collect(),
        subquery: Arc::new(plan),
        spans: Default::default(),
    })
}

/// Turns the columns of an expression, all of `schema`, into outer references.
pub(super) fn as_outer_references(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    expr.transform_up(|part| {
        let Expr::Column(column) = part else {
            return Ok(Transformed::no(part));
        };
        let (qualifier, field) = schema.qualified_field_from_column(&column)?;
        let full = Column::from((qualifier, field));
        Ok(Transformed::yes(Expr::OuterReferenceColumn(
            Arc::clone(field),
            full,
        )))
    })
    .data()
}

/// The expression with its subquery replaced.
pub(super) fn with_subquery(expr: Expr, subquery: Subquery) -> Expr {
    match expr {
        Expr::ScalarSubquery(_) => Expr::ScalarSubquery(subquery),
        Expr::Exists(exists) => Expr::Exists(Exists {
            subquery,
            negated: exists.negated,
        }),
        Expr::InSubquery(inside) => Expr::InSubquery(InSubquery { subquery, ..inside }),
        Expr::SetComparison(comparison) => Expr::SetComparison(SetComparison {
            subquery,
            ..comparison
        }),
        other => other,
    }
}

/// The sides of an equality.
pub(super) fn equality(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => Some((left, right)),
        _ => None,
    }
}

/// Whether values of type `from` that are equal after a cast to `to` are also equal before the cast.
pub(super) fn is_same_in(from: &DataType, to: &DataType) -> bool {
    from == to || from.is_integer() && to.is_integer() || from.is_string() && to.is_string()
}

/// Renames outer columns that a plan refers to, by pairs of the old and the new column.
pub(super) fn renamed(plan: LogicalPlan, names: &[(Column, Column)]) -> Result<LogicalPlan> {
    if names.is_empty() {
        return Ok(plan);
    }
    plan.transform_up(|node| {
        let around = merge_schema(&node.inputs());
        node.map_expressions(|expr| {
            expr.transform_up(|part| {
                if let Some(inner) = subquery_of(&part) {
                    // A column of the node's own input is no outer column.
                    let mut further = names.to_vec();
                    further.retain(|(old, _)| around.maybe_index_of_column(old).is_none());
                    let plan = renamed(inner.subquery.as_ref().clone(), &further)?;
                    return Ok(Transformed::yes(with_subquery(part, subquery(plan)?)));
                }
                Ok(match part {
                    Expr::OuterReferenceColumn(field, column) => {
                        let new = names.iter().find(|(old, _)| *old == column);
                        let (column, changed) = match new {
                            Some((_, new)) => (new.clone(), true),
                            None => (column, false),
                        };
                        let part = Expr::OuterReferenceColumn(field, column);
                        Transformed::new(part, changed, TreeNodeRecursion::Continue)
                    }
                    part => Transformed::no(part),
                })
            })
        })
    })
    .data()
}
