//! SET and RESET, where the builder allows them.

use datafusion::config::ConfigField;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, Statement as PlanStatement};
use datafusion::sql::parser::Statement as DFStatement;

use crate::error::{DfOlapError, unsupported};
use crate::sql::execution::Run;
use crate::sql::expressions::time_zone;
use crate::sql::expressions::time_zone::set_time_zone;

/// A change of one of DataFusion's settings.
pub(crate) struct Setting {
    name: String,
    /// `None` for the default.
    value: Option<String>,
}

impl Run {
    /// Plans a `SET` or `RESET`, and refuses settings that may not change.
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
        let Some((_, why)) = REFUSED.iter().find(|(of, _)| setting.name.starts_with(of)) else {
            return Ok(setting);
        };
        // Setting an option to its current value is allowed; RESET keeps that value.
        let known = self.state().config_options().entries();
        let known = known.into_iter().find(|entry| entry.key == setting.name);
        let value = known.and_then(|entry| entry.value);
        match (&setting.value, value) {
            (wanted, Some(value)) if wanted.as_ref().is_none_or(|wanted| *wanted == value) => {
                Ok(Setting {
                    value: Some(value),
                    ..setting
                })
            }
            _ => Err(DfOlapError::Denied(format!(
                "{} cannot be set: {why}",
                setting.name
            ))),
        }
    }
}

/// Prefixes of settings whose change would have no effect or a wrong effect, each with the reason.
const REFUSED: [(&str, &str); 6] = [
    ("datafusion.runtime.", "the builder sets it"),
    (
        "datafusion.catalog.",
        "the engine has one catalog and one schema, and keeps its tables itself",
    ),
    (
        "datafusion.format.",
        "rows are returned as Arrow and not printed",
    ),
    (
        "datafusion.sql_parser.dialect",
        "the engine has one dialect of SQL",
    ),
    (
        "datafusion.sql_parser.recursion_limit",
        "the builder bounds how deep SQL is nested",
    ),
    (
        "datafusion.optimizer.enable_piecewise_merge_join",
        "that join's rows come in another order than DataFusion takes them to have, and ORDER BY trusts it",
    ),
];

impl Setting {
    pub fn apply(&self, state: &mut SessionState) -> Result<(), DfOlapError> {
        if self.name == time_zone::SETTING {
            return set_time_zone(state, self.value.as_deref());
        }
        let options = state.config_mut().options_mut();
        match &self.value {
            Some(value) => options.set(&self.name, value)?,
            None => options.reset(&self.name)?,
        }
        Ok(())
    }
}
