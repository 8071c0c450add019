//! Time travel in SQL: `table_at('t', 5)` and `table_at('t', '2026-11-25 10:00:00')` in FROM.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast;

use crate::error::DfOlapError;
use crate::snapshot::Version;
use crate::sql::execution::Run;
use crate::sql::planner::{PastTable, TABLE_AT};
use crate::upkeep::At;

impl Run {
    /// Loads the snapshot that a call of [`TABLE_AT`] reads, so that planning finds the table.
    pub async fn open_past(&mut self, call: &ast::TableFunctionArgs) -> Result<(), DfOlapError> {
        let wrong = || {
            DfOlapError::Invalid(format!(
                "{TABLE_AT} takes the name of a table and a version or a time: {TABLE_AT}('t', 5)"
            ))
        };
        let value = |arg: &ast::FunctionArg| match arg {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => self.constant(expr),
            _ => Err(wrong()),
        };
        let [name, at] = call.args.as_slice() else {
            return Err(wrong());
        };
        let arguments = [value(name)?, value(at)?];
        if self
            .context
            .past
            .iter()
            .any(|past| past.arguments == arguments)
        {
            return Ok(());
        }
        let [name, at] = &arguments;
        let name = name.try_as_str().flatten().ok_or_else(wrong)?;
        let at = moment(at).ok_or_else(wrong)?;
        let snapshot = self.context.store.snapshot_at(at).await?;
        let table = snapshot.table(name).ok_or_else(|| {
            DfOlapError::TableNotFound(format!("{name} at version {}", snapshot.version))
        })?;
        Arc::make_mut(&mut self.context).past.push(PastTable {
            arguments,
            table,
            snapshot,
        });
        Ok(())
    }
}

fn moment(at: &ScalarValue) -> Option<At> {
    if at.is_null() {
        return None;
    }
    if at.data_type().is_integer() {
        return match at.cast_to(&DataType::UInt64).ok()? {
            ScalarValue::UInt64(Some(version)) => Some(At::Version(Version(version))),
            _ => None,
        };
    }
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    match at.cast_to(&time).ok()? {
        ScalarValue::TimestampMicrosecond(Some(time_us), _) => {
            let time = chrono::DateTime::from_timestamp_micros(time_us)?;
            Some(At::Time(time.into()))
        }
        _ => None,
    }
}
