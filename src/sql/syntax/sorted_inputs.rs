//! ORDER BY an input column that has the name of an output column: `SELECT upper(t.a) AS a FROM t ORDER BY t.a`.
//!
//! DataFusion adds the input column to the SELECT list to sort by it, and refuses the list because it has the name
//! twice. So the output column gets a unique name. A query around a derived table or a CTE gives the column its name
//! back; the columns of other subqueries need no names, and those of a result are renamed when it is complete.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, OrderByKind, Query, SelectItem, SetExpr, TableFactor, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;

use super::dialect::EngineDialect;
use super::selects::all_selects;

/// Separates the name of an output column from the number that makes it unique; begins as
/// [`END`](super::ignored_names::END), by which a result gets its names back.
const MARK: &str = "\u{1}sorted";

/// The derived table in a query that gives columns their names back.
const AROUND: &str = "__sorted";

/// Gives such output columns unique names, in the query and in its subqueries; true if there are any. The outermost
/// query gets its names back unless `is_result`.
pub(crate) fn name_sorted(query: &mut Query, is_result: bool) -> bool {
    let mut names = SortedInputs {
        found: false,
        queries: 0,
        is_result,
    };
    let _ = query.visit(&mut names);
    if names.found && !is_result {
        give_back(query);
    }
    names.found
}

struct SortedInputs {
    found: bool,
    /// How many queries enclose this place.
    queries: usize,
    is_result: bool,
}

impl VisitorMut for SortedInputs {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.queries -= 1;
        let is_read = self.queries > 0 || !self.is_result;
        let ctes = query.with.iter_mut().flat_map(|with| &mut with.cte_tables);
        ctes.for_each(|cte| give_back(&mut cte.query));
        give_back_operands(&mut query.body);
        if let SetExpr::Query(inner) = query.body.as_mut()
            && query.order_by.is_some()
        {
            give_back(inner);
        }
        self.found |= name_outputs(query, is_read).is_some();
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived {
            subquery, alias, ..
        } = table
            && alias
                .as_ref()
                .is_none_or(|alias| alias.name.value != AROUND)
        {
            give_back(subquery);
        }
        ControlFlow::Continue(())
    }
}

/// Gives columns of the queries in parentheses that a set operation combines their names back.
fn give_back_operands(body: &mut SetExpr) {
    if let SetExpr::SetOperation { left, right, .. } = body {
        for side in [left, right] {
            match side.as_mut() {
                SetExpr::Query(query) => give_back(query),
                other => give_back_operands(other),
            }
        }
    }
}

/// Gives the output columns of one query, without its subqueries, unique names; `None` if no column needs one.
/// `is_read`: a query around it may read the columns by their names.
fn name_outputs(query: &mut Query, is_read: bool) -> Option<()> {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    let OrderByKind::Expressions(keys) = &mut query.order_by.as_mut()?.kind else {
        return None;
    };
    let mut inputs = Vec::new();
    each_expr(keys, |expr| {
        if let Expr::CompoundIdentifier(parts) = expr {
            inputs.extend(parts.last().cloned());
        }
    });
    // A column without a visible name could not be given back.
    if is_read && !select.projection.iter().all(|item| name(item).is_some()) {
        return None;
    }
    let mut renamed = Vec::new();
    for (number, item) in select.projection.iter_mut().enumerate() {
        if let SelectItem::ExprWithAlias { alias, .. } = item
            && inputs.iter().any(|name| is_same(name, alias))
        {
            let unique = Ident {
                value: format!("{}{MARK}{number}", alias.value),
                ..alias.clone()
            };
            renamed.push((std::mem::replace(alias, unique.clone()), unique));
        }
    }
    each_expr(keys, |expr| {
        if let Expr::Identifier(ident) = expr
            && let Some((_, unique)) = renamed.iter().find(|(name, _)| is_same(name, ident))
        {
            *ident = unique.clone();
        }
    });
    (!renamed.is_empty()).then_some(())
}

/// Whether two names are the same; a quoted name is in its own case, any other in lower case.
fn is_same(one: &Ident, other: &Ident) -> bool {
    let plain = |ident: &Ident| match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    };
    plain(one) == plain(other)
}

/// Calls a function for each expression outside of subqueries.
struct OutsideSubqueries<F> {
    /// How many subqueries enclose this place.
    queries: usize,
    visit: F,
}

impl<F: FnMut(&mut Expr)> VisitorMut for OutsideSubqueries<F> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.queries == 0 {
            (self.visit)(expr);
        }
        ControlFlow::Continue(())
    }
}

fn each_expr(of: &mut impl VisitMut, visit: impl FnMut(&mut Expr)) {
    let _ = of.visit(&mut OutsideSubqueries { queries: 0, visit });
}

/// The name of an item's column, if the item shows it.
fn name(item: &SelectItem) -> Option<Ident> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(ident.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().cloned(),
        _ => None,
    }
}

/// Puts a query around `query` in which columns with unique names have their own names.
fn give_back(query: &mut Query) {
    let Some(select) = all_selects(&mut query.body).into_iter().next() else {
        return;
    };
    let names: Option<Vec<_>> = select.projection.iter().map(name).collect();
    let is_unique = |name: &Ident| name.value.contains(MARK);
    let Some(names) = names.filter(|names| names.iter().any(is_unique)) else {
        return;
    };
    let dialect = EngineDialect::default();
    let parser =
        Parser::new(&dialect).try_with_sql(&format!("SELECT 1 FROM (SELECT 1) AS {AROUND}"));
    let Ok(mut outer) = parser.and_then(|mut parser| parser.parse_query()) else {
        return;
    };
    let items = names
        .into_iter()
        .map(|name| match name.value.split_once(MARK) {
            None => SelectItem::UnnamedExpr(Expr::Identifier(name)),
            Some((own, _)) => SelectItem::ExprWithAlias {
                alias: Ident {
                    value: own.to_string(),
                    ..name.clone()
                },
                expr: Expr::Identifier(name),
            },
        });
    let items = items.collect();
    if let SetExpr::Select(select) = outer.body.as_mut()
        && let Some(TableFactor::Derived { subquery, .. }) =
            select.from.first_mut().map(|from| &mut from.relation)
    {
        select.projection = items;
        std::mem::swap(subquery.as_mut(), query);
        *query = *outer;
    }
}
