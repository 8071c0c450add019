//! SELECT lists whose column names are not visible, and which may have duplicates.
//!
//! A set operation takes its column names from its first query; a derived table or a CTE with a list of column names
//! takes them from that list; EXISTS reads no columns. DataFusion requires distinct names in each SELECT list, so the
//! columns of such lists get unique aliases.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, SelectItem, SetExpr, TableFactor, VisitMut, VisitorMut,
};

use super::selects::all_selects;

/// Separates the name that a column has in the result from a number that makes the name unique.
pub(crate) const END: char = '\u{1}';

/// A unique name for a column that has the same name as another column.
pub(crate) fn apart(name: &str, number: usize) -> Ident {
    Ident::with_quote('"', format!("{name}{END}{number}"))
}

/// Gives the columns of such lists of a query unique names.
pub(crate) fn name_unread(query: &mut Query) {
    let _ = query.visit(&mut IgnoredNames);
}

struct IgnoredNames;

/// Names the columns of the first SELECT of a body, which determines the column names of the body.
fn name(body: &mut SetExpr) {
    let Some(select) = all_selects(body).into_iter().next() else {
        return;
    };
    if select.projection.len() < 2 {
        return;
    }
    for (number, item) in select.projection.iter_mut().enumerate() {
        if let SelectItem::UnnamedExpr(expr) = item {
            *item = SelectItem::ExprWithAlias {
                alias: apart(&expr.to_string(), number),
                expr: expr.clone(),
            };
        }
    }
}

/// Names the columns of all queries of a set operation except the first.
fn name_after_first(body: &mut SetExpr) {
    let mut open = vec![(body, true)];
    while let Some((body, is_first)) = open.pop() {
        match body {
            SetExpr::SetOperation { left, right, .. } => {
                open.extend([(right.as_mut(), false), (left.as_mut(), is_first)]);
            }
            other if !is_first => name(other),
            _ => {}
        }
    }
}

impl VisitorMut for IgnoredNames {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        name_after_first(&mut query.body);
        for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            if !cte.alias.columns.is_empty() {
                name(&mut cte.query.body);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived {
            subquery,
            alias: Some(alias),
            ..
        } = table
            && !alias.columns.is_empty()
        {
            name(&mut subquery.body);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Exists { subquery, .. } = expr {
            name(&mut subquery.body);
        }
        ControlFlow::Continue(())
    }
}
