//! Iterates over the SELECTs of a query body without recursion.

use datafusion::sql::sqlparser::ast::{Select, SetExpr};

/// The SELECTs of a body and of its set operations, in the order of the text, except those in parentheses.
pub(super) fn selects(body: &mut SetExpr) -> Vec<&mut Select> {
    found(body, false)
}

/// Like [`selects`], including those in parentheses.
pub(crate) fn all_selects(body: &mut SetExpr) -> Vec<&mut Select> {
    found(body, true)
}

fn found(body: &mut SetExpr, in_parentheses: bool) -> Vec<&mut Select> {
    let (mut found, mut open) = (Vec::new(), vec![body]);
    while let Some(body) = open.pop() {
        match body {
            SetExpr::Select(select) => found.push(select.as_mut()),
            SetExpr::SetOperation { left, right, .. } => {
                open.extend([right.as_mut(), left.as_mut()])
            }
            SetExpr::Query(query) if in_parentheses => open.push(&mut query.body),
            _ => {}
        }
    }
    found
}
