//! Adds hints to errors of DataFusion's planner.

use std::ops::ControlFlow;

use datafusion::common::DataFusionError;
use datafusion::sql::sqlparser::ast;

use crate::error::DfOlapError;

/// Extends the error about a column that is neither grouped nor aggregated: explains why grouping by the primary key
/// is not enough. `with_key` returns the name of a table that has a primary key.
pub(super) fn about_keys(
    error: DataFusionError,
    query: &ast::Query,
    with_key: impl Fn(&ast::ObjectName) -> Option<String>,
) -> DataFusionError {
    if !error
        .message()
        .contains("must appear in the GROUP BY clause")
    {
        return error;
    }
    let mut keyed = None;
    let _ = ast::visit_relations(query, |name| {
        if keyed.is_none() {
            keyed = with_key(name);
        }
        ControlFlow::<()>::Continue(())
    });
    let Some(table) = keyed else {
        return error;
    };
    let error = error.strip_backtrace();
    DfOlapError::Invalid(format!(
        "{error}. The PRIMARY KEY of {table} does not stand for its other columns, because not every write checks it: name them \
         in GROUP BY, or take first_value of them"
    ))
    .into()
}
