//! Works around the pushdown of struct field access, which confuses columns of one name.
//!
//! DataFusion moves `s['a']` towards the scans by a rule that adds columns to projections below without checking for
//! equal names. Below `c0 AS value` over a join with another `c0`, the new projection has one name twice, and the
//! query is refused. Or the rule loses the `c0` of one table, because it compares the old and the new columns by
//! unqualified name. In both cases the projection stays unchanged here. In addition, conditions name a moved field
//! without its qualifier, but `PushDownFilter` looks for the qualified name, so the qualifier is added first.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::extract_leaf_expressions::PushDownLeafProjections;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};

use super::wrapped_rule::put_around;

/// The prefix of DataFusion's names for moved fields.
const NAMED_BY_IT: &str = "__datafusion_extracted";

/// Wraps DataFusion's rules in the workarounds above.
pub(crate) fn leave_where_names_meet(optimizer: &mut Optimizer) {
    put_around(optimizer, &PushDownLeafProjections::new(), unless_it_fails);
    put_around(optimizer, &PushDownFilter::new(), with_whole_names);
}

/// Qualifies moved fields in a filter's condition as the projection below does.
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

/// Keeps the plan where the rule fails or loses a column.
fn unless_it_fails(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match plan {
        // The rule rewrites only projections, and their clone is cheap: it copies only the expressions.
        LogicalPlan::Projection(_) => Ok(match rule.rewrite(plan.clone(), config) {
            Ok(moved) if !moved.transformed || has_all(moved.data.schema(), plan.schema()) => moved,
            _ => Transformed::no(plan),
        }),
        plan => Ok(Transformed::no(plan)),
    }
}

/// Whether `made` has all columns of `known`. Columns that DataFusion names itself may have another qualifier, since
/// their names are unique.
fn has_all(made: &DFSchema, known: &DFSchema) -> bool {
    known.iter().all(|(table, field)| match table {
        Some(table) if !field.name().starts_with(NAMED_BY_IT) => {
            made.has_column_with_qualified_name(table, field.name())
        }
        _ => made.has_column_with_unqualified_name(field.name()),
    })
}
