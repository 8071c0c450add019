//! SQL that is stored as text and parsed again: the DEFAULT of a column, the query of a view.

use std::fmt::Display;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{self, VisitMut, VisitorMut};

use super::parse::{TextLimits, parse_statements};
use crate::snapshot::View;

/// SQL text that parses to `node` again. sqlparser's `Display` takes two quotes in a string for one escaped quote,
/// and writes two nested minus signs without a space, which starts a comment.
pub(crate) fn text(node: &(impl VisitMut + Display + Clone)) -> String {
    struct Escape;
    impl VisitorMut for Escape {
        type Break = ();

        fn post_visit_value(&mut self, value: &mut ast::ValueWithSpan) -> ControlFlow<()> {
            if let ast::Value::SingleQuotedString(text) = &mut value.value {
                *text = text.replace('\'', "''");
            }
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
            if let ast::Expr::UnaryOp { expr: inner, .. } = expr
                && matches!(inner.as_ref(), ast::Expr::UnaryOp { .. })
            {
                let operand = std::mem::replace(inner.as_mut(), ast::Expr::value(ast::Value::Null));
                **inner = ast::Expr::Nested(Box::new(operand));
            }
            ControlFlow::Continue(())
        }
    }
    let mut escaped = node.clone();
    let _ = escaped.visit(&mut Escape);
    escaped.to_string()
}

/// The parsed query of a view.
pub(crate) fn view_query(view: &View) -> Option<ast::Query> {
    let mut statements = parse_statements(&view.query, &TextLimits::default()).ok()?;
    match statements.pop_front()? {
        DFStatement::Statement(statement) => match *statement {
            ast::Statement::Query(query) => Some(*query),
            _ => None,
        },
        _ => None,
    }
}
