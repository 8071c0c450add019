//! Joins whose keys are equal where both are NULL.
//!
//! DataFusion has one switch for all keys of a join, and rules that add keys to a join or take two joins for one without a look at
//! it: `a JOIN b ON a.x IS NOT DISTINCT FROM b.x WHERE a.y = b.y` then finds rows where both `y` are NULL. So while its rules run,
//! such keys are conditions, and only at their end keys again.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Join, LogicalPlan, Operator};
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};

/// Puts the rules of this module where they belong.
pub(super) fn keep_null_keys_apart(optimizer: &mut Optimizer) {
    for rule in &mut optimizer.rules {
        if rule.name() == ExtractEquijoinPredicate::new().name() {
            *rule = Arc::new(EqualKeys);
        }
    }
    optimizer.rules.insert(0, Arc::new(NullKeysAsConditions));
    optimizer.rules.push(Arc::new(NullKeys));
}

/// `left IS NOT DISTINCT FROM right`.
pub(super) fn is_not_distinct(left: Expr, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(
        Box::new(left),
        Operator::IsNotDistinctFrom,
        Box::new(right),
    ))
}

/// Makes conditions of keys that may be NULL.
#[derive(Debug)]
struct NullKeysAsConditions;

impl OptimizerRule for NullKeysAsConditions {
    fn name(&self) -> &'static str {
        "null_keys_as_conditions"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        Ok(match plan {
            LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNull => {
                let keys = join.on.into_iter();
                let conditions = keys.map(|(left, right)| is_not_distinct(left, right));
                Transformed::yes(LogicalPlan::Join(Join {
                    filter: conjunction(conditions.chain(join.filter)),
                    on: Vec::new(),
                    null_equality: NullEquality::NullEqualsNothing,
                    ..join
                }))
            }
            plan => Transformed::no(plan),
        })
    }
}

/// DataFusion's rule that makes keys of conditions, for keys that are not NULL.
#[derive(Debug)]
struct EqualKeys;

impl OptimizerRule for EqualKeys {
    fn name(&self) -> &'static str {
        "equal_keys"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(Join {
            filter: Some(_), ..
        }) = &plan
        else {
            return Ok(Transformed::no(plan));
        };
        let made = ExtractEquijoinPredicate::new().rewrite(plan.clone(), config)?;
        Ok(match &made.data {
            LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNothing => {
                made
            }
            _ => Transformed::no(plan),
        })
    }
}

/// The same rule for all keys, when no other comes after it.
#[derive(Debug)]
struct NullKeys;

impl OptimizerRule for NullKeys {
    fn name(&self) -> &'static str {
        "null_keys"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        ExtractEquijoinPredicate::new().rewrite(plan, config)
    }
}
