//! Rewrites the expressions of a logical plan that match a predicate, and keeps column names.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// Passes each expression of a plan with a `wanted` part to `change`, along with the node that contains the
/// expression. Output columns keep their names. Subqueries are included; the pushed-down filters of a scan are not,
/// because the filter above the scan repeats them.
pub(crate) fn rewrite(
    plan: LogicalPlan,
    wanted: impl Fn(&Expr) -> bool,
    change: impl Fn(Expr, &LogicalPlan) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found = has(node, &wanted)?;
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    if !found {
        return Ok(plan);
    }
    plan.transform_up_with_subqueries(|node| {
        if !has(&node, &wanted)? {
            return Ok(Transformed::no(node));
        }
        let before = node.clone();
        let names = NamePreserver::new(&before);
        node.map_expressions(|expr| match expr.exists(|part| Ok(wanted(part)))? {
            true => {
                let name = names.save(&expr);
                Ok(change(expr, &before)?.update_data(|expr| name.restore(expr)))
            }
            false => Ok(Transformed::no(expr)),
        })
    })
    .map(|transformed| transformed.data)
}

fn has(node: &LogicalPlan, wanted: &impl Fn(&Expr) -> bool) -> Result<bool> {
    if matches!(node, LogicalPlan::TableScan(_)) {
        return Ok(false);
    }
    let mut found = false;
    node.apply_expressions(|expr| {
        found = expr.exists(|part| Ok(wanted(part)))?;
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}
