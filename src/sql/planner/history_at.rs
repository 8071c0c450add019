//! `history_at('users', 1500)` in FROM: the rows that a table which keeps its history had at a moment.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, ScalarValue, TableReference};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use datafusion::prelude::{ident, lit};

use super::Planner;
use crate::cdc::columns::{OPERATION, VALID_FROM, VALID_TO};
use crate::error::DfOlapError;
use crate::sql::scan::provider::SnapshotTable;

/// The table function that reads a table's rows as they were at a moment of its source.
pub(super) const HISTORY_AT: &str = "history_at";

impl Planner {
    /// The view that a call of [`HISTORY_AT`] with these arguments reads: the rows that were valid, without the columns
    /// of the history.
    pub(super) fn history_at(&self, arguments: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let [name, at] = arguments else {
            return Err(wrong("takes the name of a table and a time").into());
        };
        let (name, at) = (self.value(name)?, self.value(at)?);
        let name = name.try_as_str().flatten();
        let name = name.ok_or_else(|| wrong("takes the name of a table first"))?;
        let table = self.context.snapshot.table_named(name);
        let (name, table) = table.ok_or_else(|| DfOlapError::TableNotFound(name.to_string()))?;
        let definition = &table.definition;
        for column in [VALID_FROM, VALID_TO, OPERATION] {
            if definition.column(column).is_none() {
                return Err(wrong(&format!(
                    "reads a table that keeps its history, and {name} has no column {column}"
                ))
                .into());
            }
        }
        let from_type = definition.column(VALID_FROM).map(|of| of.field.data_type());
        let at = lit(from_type.map_or(Ok(at.clone()), |of_column| moment(&at, of_column))?);
        let others = definition.columns.iter().map(|of| of.field.name());
        let others = others.filter(|name| {
            let name = name.as_str();
            ![VALID_FROM, VALID_TO, OPERATION].contains(&name)
        });
        let others: Vec<Expr> = others.map(ident).collect();
        let is_open = ident(VALID_TO).is_null().or(ident(VALID_TO).gt(at.clone()));
        let is_valid = ident(VALID_FROM).lt_eq(at).and(is_open);
        let is_valid = is_valid.and(ident(OPERATION).not_eq(lit("D")));
        let store = Arc::clone(&self.context.store);
        let stored = Arc::new(SnapshotTable::new(table, store));
        let stored = provider_as_source(stored);
        let plan = LogicalPlanBuilder::scan(TableReference::bare(name), stored, None)?;
        let plan = plan.filter(is_valid)?.project(others)?.build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

impl Planner {
    /// The value of a constant or a parameter.
    fn value(&self, argument: &Expr) -> Result<ScalarValue, DfOlapError> {
        match (argument, &self.params) {
            (Expr::Placeholder(placeholder), Some(params)) => {
                Ok(params.get_placeholders_with_values(&placeholder.id)?.value)
            }
            _ => self.constant(argument.clone()),
        }
    }
}

/// The time in the type of the column that says when a row became valid.
fn moment(at: &ScalarValue, of_column: &DataType) -> Result<ScalarValue, DfOlapError> {
    let given = at.data_type();
    let is_number = of_column.is_integer();
    let fits = match is_number {
        true => given.is_integer() || given.is_string(),
        false => given.is_string() || matches!(given, DataType::Timestamp(..) | DataType::Date32),
    };
    let cast = fits.then(|| at.cast_to(of_column).ok()).flatten();
    cast.filter(|at| !at.is_null()).ok_or_else(|| {
        let kind = match is_number {
            true => "a whole number",
            false => "a timestamp",
        };
        wrong(&format!(
            "takes {kind}, as in the column {VALID_FROM}, and not {at}"
        ))
    })
}

fn wrong(what: &str) -> DfOlapError {
    DfOlapError::Invalid(format!("{HISTORY_AT} {what}: {HISTORY_AT}('t', 1500)"))
}
