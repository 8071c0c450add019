//! Casts with names of their own.
//!
//! DataFusion names a cast as what is cast: two keys of `GROUP BY x, CAST(x AS DATE)` have one name then, and so have `min(x)` and
//! `min(CAST(x AS TEXT))`. It refuses both, for it finds the columns of an aggregate by name. Within a CASE whose condition names the
//! type, a cast has a name of its own, and the optimizer takes the CASE away.
//!
//! Two keys of which only one has a table before its name, as `x` and `CAST(x AS DATE)`, it plans, and has a rule that fails at them
//! ([`keep_keys_of_one_name`]).

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::eliminate_group_by_constant::EliminateGroupByConstant;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    CaseWhen, Expr, GroupByExpr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, Value,
    VisitMut, VisitorMut,
};

/// Gives the casts of an expression names, but not those of subqueries in it.
#[derive(Default)]
pub(super) struct NamedCasts {
    pub found: bool,
    /// How many subqueries the expression at hand stands in.
    within: usize,
}

impl VisitorMut for NamedCasts {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.within += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.within -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.within > 0 {
            return ControlFlow::Continue(());
        }
        if let Expr::Cast {
            kind, data_type, ..
        } = expr
        {
            self.found = true;
            let name = Value::SingleQuotedString(format!("{kind:?} {data_type}"));
            let condition = CaseWhen {
                condition: Expr::IsNotNull(Box::new(Expr::Value(name.into()))),
                result: expr.clone(),
            };
            *expr = Expr::Case {
                case_token: AttachedToken::empty(),
                end_token: AttachedToken::empty(),
                operand: None,
                conditions: vec![condition],
                else_result: None,
            };
        }
        ControlFlow::Continue(())
    }
}

/// Names the casts of each SELECT of a query, at any depth, that has one in its GROUP BY or where GROUP BY stands for its list.
/// `name` is what the list's items that have no alias are called, of the SELECTs that make the rows of the query itself.
pub(super) struct NamedKeys<'a> {
    pub found: bool,
    depth: usize,
    name: &'a dyn Fn(&Select, &SelectItem) -> Ident,
}

impl<'a> NamedKeys<'a> {
    pub fn new(name: &'a dyn Fn(&Select, &SelectItem) -> Ident) -> Self {
        Self {
            found: false,
            depth: 0,
            name,
        }
    }

    fn select(&mut self, select: &mut Select) -> bool {
        let keys = match &mut select.group_by {
            GroupByExpr::Expressions(keys, _) if keys.is_empty() => return false,
            GroupByExpr::Expressions(keys, _) => keys,
            GroupByExpr::All(_) => &mut Vec::new(),
        };
        let mut casts = NamedCasts::default();
        let _ = keys.visit(&mut casts);
        let before = select.clone();
        for item in &mut select.projection {
            let known = casts.found;
            casts.found = false;
            let unnamed = item.clone();
            let _ = item.visit(&mut casts);
            if let SelectItem::UnnamedExpr(expr) = item
                && casts.found
                && self.depth == 1
            {
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias: (self.name)(&before, &unnamed),
                };
            }
            casts.found |= known;
        }
        if !casts.found {
            return false;
        }
        let _ = select.having.visit(&mut casts);
        let _ = select.qualify.visit(&mut casts);
        let _ = select.sort_by.visit(&mut casts);
        let _ = select.distinct.visit(&mut casts);
        self.found = true;
        true
    }
}

impl VisitorMut for NamedKeys<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        if let SetExpr::Select(select) = query.body.as_mut() {
            if self.select(select)
                && let Some(order) = &mut query.order_by
                && let OrderByKind::Expressions(keys) = &mut order.kind
            {
                let _ = keys.visit(&mut NamedCasts::default());
            }
        } else {
            self.each(&mut query.body);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

impl NamedKeys<'_> {
    /// The SELECTs of set operations; a query in parentheses is visited by itself.
    fn each(&mut self, body: &mut SetExpr) {
        match body {
            SetExpr::Select(select) => {
                self.select(select);
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.each(left);
                self.each(right);
            }
            _ => {}
        }
    }
}

/// Puts a rule in the place of DataFusion's that leaves out keys which others decide: it would list all keys by name again.
pub(super) fn keep_keys_of_one_name(optimizer: &mut Optimizer) {
    for rule in &mut optimizer.rules {
        if rule.name() == EliminateGroupByConstant::new().name() {
            *rule = Arc::new(DecidedKeys(EliminateGroupByConstant::new()));
        }
    }
}

/// DataFusion's rule, but for aggregates with keys of one name.
#[derive(Debug)]
struct DecidedKeys(EliminateGroupByConstant);

impl OptimizerRule for DecidedKeys {
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
        if let LogicalPlan::Aggregate(aggregate) = &plan {
            let mut names = HashSet::new();
            let mut keys = aggregate.group_expr.iter();
            if !keys.all(|key| names.insert(key.schema_name().to_string())) {
                return Ok(Transformed::no(plan));
            }
        }
        self.0.rewrite(plan, config)
    }
}
