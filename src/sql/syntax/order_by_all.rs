//! Rewrites `ORDER BY ALL` to the ordinals of all columns.
//!
//! DataFusion expands `ORDER BY ALL` to the column names as if they were unquoted, and to nothing above a set
//! operation.

use std::ops::ControlFlow;

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    Expr, OrderByExpr, OrderByKind, Query, SelectItem, SetExpr, Value,
};

use crate::error::DfOlapError;

fn is_order_by_all(query: &Query) -> bool {
    let order_by = query.order_by.as_ref();
    order_by.is_some_and(|order_by| matches!(order_by.kind, OrderByKind::All(_)))
}

/// Replaces `ORDER BY ALL` if the number of columns follows from the text. Refuses it within another query otherwise.
pub(super) fn replace_with_ordinals(
    query: &mut Query,
    is_within: bool,
) -> ControlFlow<DfOlapError> {
    if !is_order_by_all(query) {
        return ControlFlow::Continue(());
    }
    match columns(&query.body) {
        Some(columns) => set_ordinals(query, columns),
        None if is_within => {
            return ControlFlow::Break(DfOlapError::Unsupported(
                "ORDER BY ALL of * within another query is not supported; name the columns"
                    .to_string(),
            ));
        }
        None => {}
    }
    ControlFlow::Continue(())
}

/// Replaces `ORDER BY ALL` with the number of columns of the query's plan.
pub(crate) fn number_planned(
    query: &mut Query,
    plan: impl FnOnce(Query) -> Result<LogicalPlan>,
) -> Result<()> {
    if is_order_by_all(query) {
        let unordered = Query {
            order_by: None,
            limit_clause: None,
            fetch: None,
            ..query.clone()
        };
        let columns = plan(unordered)?.schema().fields().len();
        set_ordinals(query, columns);
    }
    Ok(())
}

fn columns(body: &SetExpr) -> Option<usize> {
    let mut body = body;
    while let SetExpr::SetOperation { left, .. } = body {
        body = left;
    }
    match body {
        SetExpr::Select(select) => {
            let is_one = |item: &SelectItem| {
                matches!(
                    item,
                    SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
                )
            };
            let items = &select.projection;
            (!items.is_empty() && items.iter().all(is_one)).then_some(items.len())
        }
        SetExpr::Query(query) => columns(&query.body),
        SetExpr::Values(values) => values.rows.first().map(|row| row.len()),
        _ => None,
    }
}

fn set_ordinals(query: &mut Query, columns: usize) {
    let Some(order_by) = &mut query.order_by else {
        return;
    };
    if let OrderByKind::All(options) = &order_by.kind {
        let key = |place: usize| OrderByExpr {
            expr: Expr::value(Value::Number(place.to_string(), false)),
            options: *options,
            with_fill: None,
        };
        order_by.kind = OrderByKind::Expressions((1..=columns).map(key).collect());
    }
}
