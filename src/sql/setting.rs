//! `SET` and `RESET`, where the builder allows them.

use datafusion::config::ConfigField;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, Statement as PlanStatement};
use datafusion::sql::parser::Statement as DFStatement;

use super::run::{Run, unsupported};
use crate::error::DfOlapError;

/// A change of one of DataFusion's settings.
pub(crate) struct Setting {
    name: String,
    /// `None` for the default.
    value: Option<String>,
}

impl Run {
    /// Reads a `SET` or `RESET` and refuses what is not allowed.
    pub fn setting(&self, statement: DFStatement) -> Result<Setting, DfOlapError> {
        if !self.limits().settings {
            return Err(DfOlapError::Denied(
                "SET and RESET change settings for all users of the engine and are not allowed here"
                    .to_string(),
            ));
        }
        let setting = match self.planner().statement(statement)? {
            LogicalPlan::Statement(PlanStatement::SetVariable(set)) => Setting {
                name: set.variable,
                value: Some(set.value),
            },
            LogicalPlan::Statement(PlanStatement::ResetVariable(reset)) => Setting {
                name: reset.variable,
                value: None,
            },
            _ => return Err(unsupported("this form of SET")),
        };
        if setting.name.starts_with("datafusion.runtime.") {
            return Err(DfOlapError::Denied(format!(
                "{} is set by the builder and not by SQL",
                setting.name
            )));
        }
        Ok(setting)
    }
}

impl Setting {
    pub fn apply(&self, state: &mut SessionState) -> Result<(), DfOlapError> {
        let options = state.config_mut().options_mut();
        match &self.value {
            Some(value) => options.set(&self.name, value)?,
            None => options.reset(&self.name)?,
        }
        Ok(())
    }
}
