//! Works around the pushdown of struct field access, which confuses columns of one name.
//!
//! DataFusion moves `s['a']` towards the scans by a rule that adds columns to projections on the way without a look at
//! their names: below `c0 AS value` over a join with another `c0`, what it makes has one name twice, and the query is
//! refused. Or it forgets the `c0` of one table where there is that of another: it compares what it made with what was
//! there by names without tables. Such a part stays where it is. And conditions on what was moved name it without its
//! table, where the rule that moves conditions looks for the whole name: they are given it.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::extract_leaf_expressions::PushDownLeafProjections;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};

use super::wrapped_rule::put_around;

/// How the names of what DataFusion moves begin.
const NAMED_BY_IT: &str = "__datafusion_extracted";

/// Puts what is said above around DataFusion's rules.
pub(crate) fn leave_where_names_meet(optimizer: &mut Optimizer) {
    put_around(optimizer, &PushDownLeafProjections::new(), unless_it_fails);
    put_around(optimizer, &PushDownFilter::new(), with_whole_names);
}

/// Conditions name columns of a projection as the projection does.
fn with_whole_names(
    rule: &dyn OptimizerRule,
    mut plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    if let LogicalPlan::Filter(filter) = &mut plan
        && let LogicalPlan::Projection(below) = filter.input.as_ref()
    {
        let named = named_wholly(std::mem::take(&mut filter.predicate), &below.schema)?;
        filter.predicate = named.data;
    }
    rule.rewrite(plan, config)
}

fn named_wholly(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform(|expr| match expr {
        Expr::Column(column)
            if column.relation.is_none() && column.name.starts_with(NAMED_BY_IT) =>
        {
            let known = schema.columns_with_unqualified_name(&column.name);
            Ok(match <[Column; 1]>::try_from(known) {
                Ok([known]) => Transformed::yes(Expr::Column(known)),
                Err(_) => Transformed::no(Expr::Column(column)),
            })
        }
        expr => Ok(Transformed::no(expr)),
    })
}

/// A plan stays as it was where the rule fails.
fn unless_it_fails(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match plan {
        // The only nodes that it moves anything from, and cheap to keep beside: their expressions alone are copied.
        LogicalPlan::Projection(_) => Ok(match rule.rewrite(plan.clone(), config) {
            Ok(moved) if !moved.transformed || has_all(moved.data.schema(), plan.schema()) => moved,
            _ => Transformed::no(plan),
        }),
        plan => Ok(Transformed::no(plan)),
    }
}

/// Whether all columns of `known` are there; what DataFusion itself has named may be of another table, its name is
/// there once.
fn has_all(made: &DFSchema, known: &DFSchema) -> bool {
    known.iter().all(|(table, field)| match table {
        Some(table) if !field.name().starts_with(NAMED_BY_IT) => {
            made.has_column_with_qualified_name(table, field.name())
        }
        _ => made.has_column_with_unqualified_name(field.name()),
    })
}
