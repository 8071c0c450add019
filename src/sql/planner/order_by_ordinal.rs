//! `ORDER BY 1`: ordinals that refer to expressions over groups.
//!
//! DataFusion replaces an ordinal by a column with the name of the expression at that position. In a grouped query it
//! then reports that the column is not a GROUP BY key, unless the expression is a key, is an aggregate, or has an
//! alias. So the expression gets an alias here: its own name.

use std::ops::ControlFlow;

use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Value, Visit, VisitMut,
    Visitor, VisitorMut,
};

use super::duplicate_columns::name_of;

/// Gives an alias to each expression that an ORDER BY ordinal of a grouped query refers to. `plan` plans a query.
pub(super) fn name_places(
    query: &mut Query,
    state: &SessionState,
    plan: &dyn Fn(Query) -> Result<LogicalPlan>,
) {
    if Visit::visit(query, &mut Ordered).is_break() {
        let before = query.clone();
        let _ = VisitMut::visit(
            query,
            &mut Places {
                state,
                query: &before,
                plan,
            },
        );
    }
}

/// Finds a query with an ordinal in its ORDER BY.
struct Ordered;

impl Visitor for Ordered {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        match places(query).is_empty() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }
}

/// The ordinals in the ORDER BY of a SELECT, counted from 0.
fn places(query: &Query) -> Vec<usize> {
    let Some(order_by) = &query.order_by else {
        return Vec::new();
    };
    let (OrderByKind::Expressions(keys), SetExpr::Select(_)) =
        (&order_by.kind, query.body.as_ref())
    else {
        return Vec::new();
    };
    let place = |key: &Expr| match key {
        Expr::Value(value) => match &value.value {
            Value::Number(place, false) => place.parse::<usize>().ok()?.checked_sub(1),
            _ => None,
        },
        _ => None,
    };
    keys.iter().filter_map(|key| place(&key.expr)).collect()
}

struct Places<'a> {
    state: &'a SessionState,
    query: &'a Query,
    plan: &'a dyn Fn(Query) -> Result<LogicalPlan>,
}

impl VisitorMut for Places<'_> {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for place in places(query) {
            let SetExpr::Select(select) = query.body.as_mut() else {
                continue;
            };
            let is_one = |item: &SelectItem| {
                matches!(
                    item,
                    SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
                )
            };
            let Some(item) = select.projection.get(place) else {
                continue;
            };
            if let SelectItem::UnnamedExpr(expr) = item
                && !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
                && !is_aggregate(self.state, expr)
                && select.projection.iter().take(place).all(is_one)
                && self.has_groups(select)
            {
                let alias = name_of(self.query, select, item, self.plan);
                let expr = expr.clone();
                select.projection[place] = SelectItem::ExprWithAlias { expr, alias };
            }
        }
        ControlFlow::Continue(())
    }
}

impl Places<'_> {
    fn has_groups(&self, select: &Select) -> bool {
        let has_keys = match &select.group_by {
            GroupByExpr::All(_) => true,
            GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
        };
        let mut found = Aggregates { state: self.state };
        has_keys || select.having.is_some() || select.projection.visit(&mut found).is_break()
    }
}

/// Looks for an aggregate function.
struct Aggregates<'a> {
    state: &'a SessionState,
}

impl Visitor for Aggregates<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match is_aggregate(self.state, expr) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// Whether an expression is the call of an aggregate function.
fn is_aggregate(state: &SessionState, expr: &Expr) -> bool {
    let Expr::Function(call) = expr else {
        return false;
    };
    let name = call.name.to_string().to_ascii_lowercase();
    call.over.is_none() && state.aggregate_functions().contains_key(&name)
}
