//! Rewrites `(a, b) IN (SELECT …)`, which DataFusion does not plan, to `EXISTS`.
//!
//! The result is TRUE if a row of the subquery equals the values, else NULL if a row could equal them but for NULLs,
//! else FALSE. NULLs in the subquery's columns and NULLs in the values have an `EXISTS` each, so that each
//! comparison has few rows on one side.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, TableFactor, UnaryOperator, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;

use super::dialect::EngineDialect;

/// Rewrites each `IN` between several columns and a subquery.
pub(super) struct RowValues;

impl VisitorMut for RowValues {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::InSubquery {
            expr: values,
            subquery,
            negated,
        } = expr
            && let Some(values) = row(values)
            && let Some(is_in) = is_in(values, subquery)
        {
            *expr = match negated {
                true => Expr::UnaryOp {
                    op: UnaryOperator::Not,
                    expr: Box::new(is_in),
                },
                false => is_in,
            };
        }
        ControlFlow::Continue(())
    }
}

fn row(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Tuple(values) => Some(values),
        Expr::Nested(inner) => row(inner),
        _ => None,
    }
}

/// Names for the subquery's columns, or placeholders for the values. The names of the columns must not occur in the
/// outer query, because they are resolved before outer columns.
fn names(kind: char, count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("__row_{kind}{n}")).collect()
}

fn is_in(values: &[Expr], subquery: &Query) -> Option<Expr> {
    let (columns, places) = (names('c', values.len()), names('v', values.len()));
    let pairs = places.iter().zip(&columns);
    let equal: Vec<_> = pairs
        .map(|(value, column)| format!("{value} = {column}"))
        .collect();
    let equal = equal.join(" AND ");
    let null = |names: &[String]| {
        let nulls: Vec<_> = names.iter().map(|name| format!("{name} IS NULL")).collect();
        format!("({}) AND ({equal}) IS NULL", nulls.join(" OR "))
    };
    let exists = |condition: &str| {
        let columns = columns.join(", ");
        format!("EXISTS (SELECT 1 FROM (SELECT 1) AS __row ({columns}) WHERE {condition})")
    };
    let text = format!(
        "(CASE WHEN {} THEN true WHEN {} OR {} THEN NULL ELSE false END)",
        exists(&equal),
        exists(&null(&columns)),
        exists(&null(&places)),
    );
    let dialect = EngineDialect::default();
    let parser = Parser::new(&dialect).try_with_sql(&text);
    let mut made = parser.and_then(|mut parser| parser.parse_expr()).ok()?;
    let _ = made.visit(&mut PutIn {
        places: &places,
        values,
        subquery,
    });
    Some(made)
}

struct PutIn<'a> {
    places: &'a [String],
    values: &'a [Expr],
    subquery: &'a Query,
}

impl VisitorMut for PutIn<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(Ident { value, .. }) = expr
            && let Some(place) = self.places.iter().position(|place| place == value)
        {
            *expr = Expr::Nested(Box::new(self.values[place].clone()));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived {
            subquery, alias, ..
        } = factor
            && alias
                .as_ref()
                .is_some_and(|alias| alias.name.value == "__row")
        {
            **subquery = self.subquery.clone();
        }
        ControlFlow::Continue(())
    }
}
