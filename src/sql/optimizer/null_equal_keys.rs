//! Works around joins that mix `=` and `IS NOT DISTINCT FROM` keys.
//!
//! In DataFusion one flag (`null_equality`) applies to all keys of a join, and some rules add keys or merge joins
//! without checking it: `a JOIN b ON a.x IS NOT DISTINCT FROM b.x WHERE a.y = b.y` then matches rows where both `y`
//! are NULL. So null-equal keys are conditions while DataFusion's rules run, and become keys again at the end.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Join, LogicalPlan, Operator};
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};

/// Adds the rules that turn null-equal keys into conditions first and back into keys last.
pub(crate) fn keep_null_keys_apart(optimizer: &mut Optimizer) {
    let rule = |name, rewrite| Arc::new(JoinRule { name, rewrite });
    for known in &mut optimizer.rules {
        if known.name() == ExtractEquijoinPredicate::new().name() {
            *known = rule("equal_keys", as_equal_keys);
        }
    }
    let first = rule("null_keys_as_conditions", as_conditions);
    optimizer.rules.insert(0, first);
    optimizer.rules.push(rule("null_keys", as_keys));
}

/// `left IS NOT DISTINCT FROM right`.
pub(super) fn is_not_distinct(left: Expr, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(
        Box::new(left),
        Operator::IsNotDistinctFrom,
        Box::new(right),
    ))
}

/// An optimizer rule that rewrites only joins.
#[derive(Debug)]
struct JoinRule {
    name: &'static str,
    rewrite: fn(Join, &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>>,
}

impl OptimizerRule for JoinRule {
    fn name(&self) -> &str {
        self.name
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Join(join) => (self.rewrite)(join, config),
            plan => Ok(Transformed::no(plan)),
        }
    }
}

/// Turns null-equal keys into conditions.
fn as_conditions(join: Join, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
    if join.null_equality != NullEquality::NullEqualsNull {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let keys = join.on.into_iter();
    let conditions = keys.map(|(left, right)| is_not_distinct(left, right));
    Ok(Transformed::yes(LogicalPlan::Join(Join {
        filter: conjunction(conditions.chain(join.filter)),
        on: Vec::new(),
        null_equality: NullEquality::NullEqualsNothing,
        ..join
    })))
}

/// DataFusion's `ExtractEquijoinPredicate`, for `=` keys only.
fn as_equal_keys(join: Join, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
    let plan = LogicalPlan::Join(join);
    let made = ExtractEquijoinPredicate::new().rewrite(plan.clone(), config)?;
    Ok(match &made.data {
        LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNothing => made,
        _ => Transformed::no(plan),
    })
}

/// DataFusion's `ExtractEquijoinPredicate` for all keys, run last.
fn as_keys(join: Join, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
    ExtractEquijoinPredicate::new().rewrite(LogicalPlan::Join(join), config)
}
