//! The allow list of plan nodes, and a budget for their number, checked before the optimizer sees the plan; and the
//! same budget on the parsed statement, because DataFusion's SQL planner copies a CTE or view as often as it is used.
//!
//! The match over DataFusion's plan nodes is exhaustive on purpose: if a later version adds a kind of node, this does
//! not compile until the new kind is allowed or refused.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{DdlStatement, Expr, LogicalPlan, Statement, WriteOp};
use datafusion::sql::sqlparser::ast;

use crate::error::DfOlapError;
use crate::runtime::{PLAN_LEVELS, QUERY_LEVELS};

/// Refuses a plan that is too large, writes, or reaches outside.
pub(crate) fn check(
    plan: &LogicalPlan,
    max_nodes: u64,
    may_write_files: bool,
) -> Result<(), DfOlapError> {
    let mut walk = Walk {
        may_write_files,
        sizes: HashMap::new(),
    };
    let size = match plan {
        // EXPLAIN shows such a plan without running it, so only its inputs are checked.
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
            let mut size = Size::default();
            for input in explain.plan.inputs() {
                size.add(walk.weigh(input, 0)?);
            }
            size
        }
        plan => walk.weigh(plan, 0)?,
    };
    let nodes = size.nodes;
    if size.levels > PLAN_LEVELS {
        return Err(too_deep(size.levels));
    }
    if nodes > max_nodes {
        return Err(DfOlapError::ResourcesExhausted(format!(
            "the statement's plan has {nodes} nodes, more than the {max_nodes} allowed; a CTE or view counts as often as \
             it is used"
        )));
    }
    Ok(())
}

fn too_deep(levels: usize) -> DfOlapError {
    DfOlapError::ResourcesExhausted(format!(
        "the statement's plan is {levels} levels deep, more than the {PLAN_LEVELS} allowed; keep a part of it in a table"
    ))
}

/// Refuses a statement that reads more than `max` relations (a CTE or view counts once per use), or whose queries are
/// nested too deep.
///
/// `view` returns the parsed query of a view.
pub(crate) fn check_relations<S: ast::Visit>(
    statement: &S,
    max: u64,
    view: &dyn Fn(&ast::ObjectName) -> Option<ast::Query>,
) -> Result<(), DfOlapError> {
    let mut relations = Relations::new(view);
    let _ = statement.visit(&mut relations);
    let mut size = Size::default();
    relations.open.iter().for_each(|open| size.add(*open));
    let (count, levels) = (size.nodes, size.levels);
    if levels > QUERY_LEVELS {
        return Err(DfOlapError::ResourcesExhausted(format!(
            "the statement's queries stand {levels} deep in one another, more than the {QUERY_LEVELS} allowed, with CTEs and \
             views; keep a part of it in a table"
        )));
    }
    if count > max {
        return Err(DfOlapError::ResourcesExhausted(format!(
            "the statement reads {count} relations, more than the {max} allowed; a CTE or view counts as often as it is \
             used"
        )));
    }
    Ok(())
}

/// A visitor that adds up the relations of a statement, query by query.
struct Relations<'a> {
    view: &'a dyn Fn(&ast::ObjectName) -> Option<ast::Query>,
    /// The names of CTEs, by the address of their query in the syntax tree.
    ctes: HashMap<*const ast::Query, String>,
    sizes: HashMap<String, Size>,
    /// The sizes of the queries that are being visited, the statement itself first.
    open: Vec<Size>,
}

/// A number of nodes, and how deep they are nested.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    nodes: u64,
    levels: usize,
}

impl Size {
    const ONE: Self = Self {
        nodes: 1,
        levels: 1,
    };

    /// Adds a sibling.
    fn add(&mut self, other: Self) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.levels = self.levels.max(other.levels);
    }

    /// Adds a child, one level deeper.
    fn add_below(&mut self, other: Self) {
        self.add(Self {
            levels: other.levels + 1,
            ..other
        });
    }
}

impl<'a> Relations<'a> {
    fn new(view: &'a dyn Fn(&ast::ObjectName) -> Option<ast::Query>) -> Self {
        Self {
            view,
            ctes: HashMap::new(),
            sizes: HashMap::new(),
            open: vec![Size::default()],
        }
    }

    fn add_below(&mut self, size: Size) {
        if let Some(open) = self.open.last_mut() {
            open.add_below(size);
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
        self.open.push(Size::ONE);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        let size = self.open.pop().unwrap_or_default();
        match self.ctes.get(&std::ptr::from_ref(query)) {
            Some(name) => {
                self.sizes.insert(name.clone(), size);
            }
            None => self.add_below(size),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ast::ObjectName) -> ControlFlow<()> {
        let key = name.to_string().to_ascii_lowercase();
        let size = match self.sizes.get(&key) {
            Some(size) => *size,
            None => {
                // A view that reads itself finds this entry; planning reports the cycle.
                self.sizes.insert(key.clone(), Size::ONE);
                let mut size = Size::ONE;
                if let Some(text) = (self.view)(name) {
                    self.open.push(Size::default());
                    let _ = ast::Visit::visit(&text, self);
                    size.add(self.open.pop().unwrap_or_default());
                }
                self.sizes.insert(key, size);
                size
            }
        };
        self.add_below(size);
        ControlFlow::Continue(())
    }
}

/// Counts each node as often as the plan uses it, but visits it once: with shared inputs the count can be exponential.
struct Walk {
    may_write_files: bool,
    sizes: HashMap<*const LogicalPlan, Size>,
}

impl Walk {
    /// The size of a plan that is `above` levels below the statement's plan.
    fn weigh(&mut self, plan: &LogicalPlan, above: usize) -> Result<Size, DfOlapError> {
        let place = std::ptr::from_ref(plan);
        if let Some(size) = self.sizes.get(&place) {
            return Ok(*size);
        }
        if above > PLAN_LEVELS {
            return Err(too_deep(above));
        }
        let writes_files = match plan {
            LogicalPlan::Copy(_) => true,
            // INSERT into an external table. Writes to the engine's own tables never run as DML nodes.
            LogicalPlan::Dml(dml) => matches!(dml.op, WriteOp::Insert(_)),
            _ => false,
        };
        if !(self.may_write_files && writes_files) {
            allow(plan)?;
        }
        let mut size = Size::ONE;
        for input in plan.inputs() {
            size.add_below(self.weigh(input, above + 1)?);
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
                match self.weigh(&subquery.subquery, above + 1) {
                    Ok(inner) => size.add_below(inner),
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
        self.sizes.insert(place, size);
        Ok(size)
    }
}

/// Refuses window and aggregate functions in a condition, which is evaluated row by row.
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
