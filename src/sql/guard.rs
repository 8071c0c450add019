//! What a plan may contain: an allow list of node kinds and a budget, checked before the optimizer sees the plan.
//!
//! The match over DataFusion's plan nodes is exhaustive on purpose: a kind that a later version adds does not compile until
//! someone has decided about it.

use std::collections::HashMap;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{DdlStatement, Expr, LogicalPlan, Statement};

use crate::error::DfOlapError;

/// Refuses a plan that is too large, writes, or reaches outside.
pub(crate) fn check(plan: &LogicalPlan, max_nodes: u64) -> Result<(), DfOlapError> {
    let mut walk = Walk::default();
    let nodes = match plan {
        // EXPLAIN shows such a plan and runs nothing of it.
        LogicalPlan::Explain(explain)
            if matches!(
                explain.plan.as_ref(),
                LogicalPlan::Dml(_) | LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(_))
                    | LogicalPlan::Ddl(DdlStatement::CreateView(_))
                    | LogicalPlan::Ddl(DdlStatement::DropTable(_))
                    | LogicalPlan::Ddl(DdlStatement::DropView(_))
            ) =>
        {
            let mut nodes = 0u64;
            for input in explain.plan.inputs() {
                nodes = nodes.saturating_add(walk.weigh(input)?);
            }
            nodes
        }
        plan => walk.weigh(plan)?,
    };
    if nodes > max_nodes {
        return Err(DfOlapError::ResourcesExhausted(format!(
            "the statement's plan has {nodes} nodes, more than the {max_nodes} allowed; a CTE or view counts as often as \
             it is used"
        )));
    }
    Ok(())
}

/// Counts each node as often as the plan uses it, but looks at it once: shared inputs make the count exponential.
#[derive(Default)]
struct Walk {
    weights: HashMap<*const LogicalPlan, u64>,
}

impl Walk {
    fn weigh(&mut self, plan: &LogicalPlan) -> Result<u64, DfOlapError> {
        let place = std::ptr::from_ref(plan);
        if let Some(weight) = self.weights.get(&place) {
            return Ok(*weight);
        }
        allow(plan)?;
        let mut weight = 1u64;
        for input in plan.inputs() {
            weight = weight.saturating_add(self.weigh(input)?);
        }
        let mut refused = None;
        plan.apply_expressions(|expr| {
            expr.apply(|expr| {
                let subquery = match expr {
                    Expr::ScalarSubquery(subquery) => subquery,
                    Expr::Exists(exists) => &exists.subquery,
                    Expr::InSubquery(in_subquery) => &in_subquery.subquery,
                    Expr::SetComparison(comparison) => &comparison.subquery,
                    _ => return Ok(TreeNodeRecursion::Continue),
                };
                match self.weigh(&subquery.subquery) {
                    Ok(inner) => weight = weight.saturating_add(inner),
                    Err(error) => {
                        refused = Some(error);
                        return Ok(TreeNodeRecursion::Stop);
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        if let Some(error) = refused {
            return Err(error);
        }
        self.weights.insert(place, weight);
        Ok(weight)
    }
}

fn allow(plan: &LogicalPlan) -> Result<(), DfOlapError> {
    match plan {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => Ok(()),
        LogicalPlan::Extension(node) => Err(DfOlapError::Unsupported(format!(
            "plan node {} is not supported",
            node.node.name()
        ))),
        LogicalPlan::Dml(dml) => Err(DfOlapError::Unsupported(format!(
            "{} inside another statement is not supported",
            dml.name()
        ))),
        LogicalPlan::Copy(_) => Err(DfOlapError::Denied(
            "COPY TO writes outside the database and is not allowed here".to_string(),
        )),
        LogicalPlan::Ddl(ddl) => Err(refused_ddl(ddl)),
        LogicalPlan::Statement(statement) => Err(refused_statement(statement)),
    }
}

fn refused_ddl(ddl: &DdlStatement) -> DfOlapError {
    match ddl {
        DdlStatement::CreateExternalTable(_) => DfOlapError::Denied(
            "CREATE EXTERNAL TABLE reads outside the database and is not allowed here".to_string(),
        ),
        other => DfOlapError::Unsupported(format!("{} is not supported", other.name())),
    }
}

fn refused_statement(statement: &Statement) -> DfOlapError {
    match statement {
        Statement::SetVariable(_) | Statement::ResetVariable(_) => DfOlapError::Denied(
            "SET and RESET change settings for all users of the engine and are not allowed here"
                .to_string(),
        ),
        Statement::TransactionStart(_) | Statement::TransactionEnd(_) => DfOlapError::Unsupported(
            "BEGIN, COMMIT and ROLLBACK are not supported; pass the statements to execute_batch, which makes them one \
             atomic change"
                .to_string(),
        ),
        other => DfOlapError::Unsupported(format!("{} is not supported here", other.name())),
    }
}
