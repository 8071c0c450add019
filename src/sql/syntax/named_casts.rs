//! Gives casts distinct column names.
//!
//! DataFusion gives a cast the name of its operand: the two keys of `GROUP BY x, CAST(x AS DATE)` have the same
//! name, and so have `min(x)` and `min(CAST(x AS TEXT))`. DataFusion refuses both, because it resolves the columns
//! of an aggregate by name. Inside a CASE whose condition names the type, a cast has a distinct name; the optimizer
//! removes the CASE.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    CaseWhen, Expr, GroupByExpr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, Value,
    VisitMut, VisitorMut,
};

use super::selects::selects;

/// Gives the casts of an expression distinct names, except in its subqueries.
#[derive(Default)]
pub(crate) struct NamedCasts {
    pub found: bool,
    /// How many subqueries enclose the current expression.
    subquery_depth: usize,
}

impl VisitorMut for NamedCasts {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.subquery_depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.subquery_depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.subquery_depth > 0 {
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

/// Gives the casts in the SELECTs of a query distinct names, at any depth.
pub(crate) struct NamedKeys<'a> {
    /// The column name of a SELECT item without an alias.
    pub name: &'a dyn Fn(&Select, &SelectItem) -> Ident,
    /// Whether to change all SELECTs, and not only those with two group keys of one name.
    pub all: bool,
}

impl NamedKeys<'_> {
    fn select(&mut self, select: &mut Select) -> bool {
        if !(self.all || has_clashing_keys(select)) {
            return false;
        }
        let before = select.clone();
        for item in &mut select.projection {
            let mut casts = NamedCasts::default();
            let unnamed = item.clone();
            let _ = item.visit(&mut casts);
            if let SelectItem::UnnamedExpr(expr) = item
                && casts.found
            {
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias: (self.name)(&before, &unnamed),
                };
            }
        }
        let mut casts = NamedCasts::default();
        if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
            let _ = keys.visit(&mut casts);
        }
        let _ = select.having.visit(&mut casts);
        let _ = select.qualify.visit(&mut casts);
        let _ = select.sort_by.visit(&mut casts);
        let _ = select.distinct.visit(&mut casts);
        true
    }
}

/// Whether a query has a SELECT with two group keys of one name, at any depth.
pub(crate) fn has_keys_of_one_name(query: &Query) -> bool {
    use datafusion::sql::sqlparser::ast::{Visit, Visitor};
    struct Look;
    impl Visitor for Look {
        type Break = ();

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
            match has_clashing_keys(select) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
    query.visit(&mut Look).is_break()
}

/// Whether two group keys differ only in casts, parentheses and the table names of columns.
fn has_clashing_keys(select: &Select) -> bool {
    let items = || {
        let items = select.projection.iter();
        items.filter_map(|item| match item {
            SelectItem::UnnamedExpr(expr) => Some((expr, None)),
            SelectItem::ExprWithAlias { expr, alias } => Some((expr, Some(alias))),
            _ => None,
        })
    };
    let keys: Vec<&Expr> = match &select.group_by {
        GroupByExpr::All(_) => items().map(|(expr, _)| expr).collect(),
        GroupByExpr::Expressions(keys, _) => {
            let meant = keys.iter().map(|key| match key {
                Expr::Value(value) => match &value.value {
                    Value::Number(number, _) => {
                        let place = number.to_string().parse().ok();
                        let place = place.and_then(|place: usize| place.checked_sub(1));
                        let item = place.and_then(|place| items().nth(place));
                        item.map_or(key, |(expr, _)| expr)
                    }
                    _ => key,
                },
                Expr::Identifier(name) => {
                    let item = items().find(|(_, alias)| *alias == Some(name));
                    item.map_or(key, |(expr, _)| expr)
                }
                key => key,
            });
            meant.collect()
        }
    };
    let keys = keys.into_iter().flat_map(|key| match key {
        Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => {
            sets.iter().flatten().collect()
        }
        key => vec![key],
    });
    let keys: Vec<&Expr> = keys.collect();
    if keys.len() < 2 {
        return false;
    }
    let mut bare = Bare::default();
    let (mut texts, mut names) = (HashSet::new(), HashSet::new());
    for key in keys {
        texts.insert(key.to_string());
        let mut key = key.clone();
        let _ = key.visit(&mut bare);
        names.insert(key.to_string());
    }
    bare.found && names.len() < texts.len()
}

/// Removes casts, parentheses and the table names of columns.
#[derive(Default)]
struct Bare {
    found: bool,
}

impl VisitorMut for Bare {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Cast { expr: inner, .. } => {
                self.found = true;
                *expr = std::mem::replace(inner, Expr::value(Value::Null));
            }
            Expr::Nested(inner) => *expr = std::mem::replace(inner, Expr::value(Value::Null)),
            Expr::CompoundIdentifier(parts) => {
                if let Some(last) = parts.pop() {
                    *expr = Expr::Identifier(last);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl VisitorMut for NamedKeys<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_mut() {
            if self.select(select)
                && let Some(order) = &mut query.order_by
                && let OrderByKind::Expressions(keys) = &mut order.kind
            {
                let _ = keys.visit(&mut NamedCasts::default());
            }
        } else {
            // A query in parentheses has its own visit.
            for select in selects(&mut query.body) {
                self.select(select);
            }
        }
        ControlFlow::Continue(())
    }
}
