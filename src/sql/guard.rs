//! What a plan may contain: an allow list of node kinds and a budget, checked before the optimizer sees the plan; and the same
//! budget on the parsed statement, because DataFusion's SQL planner copies a CTE or view as often as it is used.
//!
//! The match over DataFusion's plan nodes is exhaustive on purpose: a kind that a later version adds does not compile until
//! someone has decided about it.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{DdlStatement, Expr, LogicalPlan, Statement, WriteOp};
use datafusion::sql::sqlparser::ast;

use crate::error::DfOlapError;

/// Refuses a plan that is too large, writes, or reaches outside.
pub(crate) fn check(
    plan: &LogicalPlan,
    max_nodes: u64,
    may_write_files: bool,
) -> Result<(), DfOlapError> {
    let mut walk = Walk {
        may_write_files,
        weights: HashMap::new(),
    };
    let nodes = match plan {
        // EXPLAIN shows such a plan and runs nothing of it.
        LogicalPlan::Explain(explain)
            if matches!(
                explain.plan.as_ref(),
                LogicalPlan::Dml(_)
                    | LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(_))
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

/// Refuses a statement whose relations, each CTE and view counted as often as it is used, are more than `max`.
///
/// `view` gives the parsed text of a view.
pub(crate) fn check_relations<S: ast::Visit>(
    statement: &S,
    max: u64,
    view: &dyn Fn(&ast::ObjectName) -> Option<ast::Query>,
) -> Result<(), DfOlapError> {
    let mut relations = Relations::new(view);
    let _ = statement.visit(&mut relations);
    let count = relations
        .open
        .iter()
        .fold(0u64, |sum, w| sum.saturating_add(*w));
    if count > max {
        return Err(DfOlapError::ResourcesExhausted(format!(
            "the statement reads {count} relations, more than the {max} allowed; a CTE or view counts as often as it is \
             used"
        )));
    }
    Ok(())
}

/// One pass over a statement that adds up relations by query.
struct Relations<'a> {
    view: &'a dyn Fn(&ast::ObjectName) -> Option<ast::Query>,
    /// Which queries are CTEs, by their place in the statement.
    ctes: HashMap<*const ast::Query, String>,
    weights: HashMap<String, u64>,
    /// The weights of the queries that are being visited, the statement itself first.
    open: Vec<u64>,
}

impl<'a> Relations<'a> {
    fn new(view: &'a dyn Fn(&ast::ObjectName) -> Option<ast::Query>) -> Self {
        Self {
            view,
            ctes: HashMap::new(),
            weights: HashMap::new(),
            open: vec![0],
        }
    }

    fn add(&mut self, weight: u64) {
        if let Some(open) = self.open.last_mut() {
            *open = open.saturating_add(weight);
        }
    }
}

impl ast::Visitor for Relations<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = cte.alias.name.value.to_ascii_lowercase();
            self.ctes
                .insert(std::ptr::from_ref(cte.query.as_ref()), name);
        }
        self.open.push(1);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        let weight = self.open.pop().unwrap_or_default();
        match self.ctes.get(&std::ptr::from_ref(query)) {
            Some(name) => {
                self.weights.insert(name.clone(), weight);
            }
            None => self.add(weight),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ast::ObjectName) -> ControlFlow<()> {
        let key = name.to_string().to_ascii_lowercase();
        let weight = match self.weights.get(&key) {
            Some(weight) => *weight,
            None => {
                // A view that reads itself finds this, and is told of the circle when it is planned.
                self.weights.insert(key.clone(), 1);
                let mut weight = 1u64;
                if let Some(text) = (self.view)(name) {
                    self.open.push(0);
                    let _ = ast::Visit::visit(&text, self);
                    weight = weight.saturating_add(self.open.pop().unwrap_or_default());
                }
                self.weights.insert(key, weight);
                weight
            }
        };
        self.add(weight);
        ControlFlow::Continue(())
    }
}

/// Counts each node as often as the plan uses it, but looks at it once: shared inputs make the count exponential.
struct Walk {
    may_write_files: bool,
    weights: HashMap<*const LogicalPlan, u64>,
}

impl Walk {
    fn weigh(&mut self, plan: &LogicalPlan) -> Result<u64, DfOlapError> {
        let place = std::ptr::from_ref(plan);
        if let Some(weight) = self.weights.get(&place) {
            return Ok(*weight);
        }
        let writes_files = match plan {
            LogicalPlan::Copy(_) => true,
            // Into an external table; what writes tables of ours is never planned as one.
            LogicalPlan::Dml(dml) => matches!(dml.op, WriteOp::Insert(_)),
            _ => false,
        };
        if !(self.may_write_files && writes_files) {
            allow(plan)?;
        }
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

/// A condition asks for one row at a time.
fn check_condition(condition: &Expr) -> Result<(), DfOlapError> {
    let mut refused = None;
    condition.apply(|part| {
        refused = match part {
            Expr::WindowFunction(_) => Some(format!(
                "{part} in WHERE: the rows of a window are those for which WHERE is true; use QUALIFY"
            )),
            Expr::AggregateFunction(_) => Some(format!(
                "{part} in WHERE: the rows of a group are those for which WHERE is true; use HAVING"
            )),
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        Ok(TreeNodeRecursion::Stop)
    })?;
    refused.map_or(Ok(()), |text| Err(DfOlapError::Invalid(text)))
}

fn allow(plan: &LogicalPlan) -> Result<(), DfOlapError> {
    match plan {
        LogicalPlan::Filter(filter) => check_condition(&filter.predicate),
        LogicalPlan::Projection(_)
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
