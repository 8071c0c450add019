//! Parts of structs, read as early as can be.
//!
//! DataFusion moves `s['a']` towards the scans by a rule that adds columns to projections on the way without a look at their names:
//! below `c0 AS value` over a join with another `c0`, what it makes has one name twice, and the query is refused. Or it forgets the
//! `c0` of one table where there is that of another: it compares what it made with what was there by names without tables. Such a
//! part stays where it is. And conditions on what was moved name it without its table, where the rule that moves conditions looks for
//! the whole name: they are given it.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::extract_leaf_expressions::PushDownLeafProjections;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};

/// How the names of what DataFusion moves begin.
const NAMED_BY_IT: &str = "__datafusion_extracted";

/// Puts the rule of this module around that of DataFusion.
pub(super) fn leave_where_names_meet(optimizer: &mut Optimizer) {
    for rule in &mut optimizer.rules {
        if rule.name() == PushDownLeafProjections::new().name() {
            *rule = Arc::new(UnlessItFails(PushDownLeafProjections::new()));
        } else if rule.name() == PushDownFilter::new().name() {
            *rule = Arc::new(WithWholeNames(Arc::clone(rule)));
        }
    }
}

/// DataFusion's rule for conditions that name columns of a projection as the projection does.
#[derive(Debug)]
struct WithWholeNames(Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for WithWholeNames {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        mut plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        if let LogicalPlan::Filter(filter) = &mut plan
            && let LogicalPlan::Projection(below) = filter.input.as_ref()
        {
            let named = named_wholly(std::mem::take(&mut filter.predicate), &below.schema)?;
            filter.predicate = named.data;
        }
        self.0.rewrite(plan, config)
    }
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

/// DataFusion's rule, but where it fails.
#[derive(Debug)]
struct UnlessItFails(PushDownLeafProjections);

impl OptimizerRule for UnlessItFails {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            // The only nodes that it moves anything from, and cheap to keep beside: their expressions alone are copied.
            LogicalPlan::Projection(_) => Ok(match self.0.rewrite(plan.clone(), config) {
                Ok(moved) if !moved.transformed || has_all(moved.data.schema(), plan.schema()) => {
                    moved
                }
                _ => Transformed::no(plan),
            }),
            plan => Ok(Transformed::no(plan)),
        }
    }
}

/// Whether all columns of `known` are there; what DataFusion itself has named may be of another table, its name is there once.
fn has_all(made: &DFSchema, known: &DFSchema) -> bool {
    known.iter().all(|(table, field)| match table {
        Some(table) if !field.name().starts_with(NAMED_BY_IT) => {
            made.has_column_with_qualified_name(table, field.name())
        }
        _ => made.has_column_with_unqualified_name(field.name()),
    })
}
