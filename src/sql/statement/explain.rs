//! EXPLAIN and EXPLAIN ANALYZE of a plan.

use std::sync::Arc;

use datafusion::common::ToDFSchema;
use datafusion::common::format::{ExplainFormat, ExplainStatementOptions};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Analyze, Explain, LogicalPlan, PlanType, ToStringifiedPlan};

use crate::error::unsupported;

/// The plan of EXPLAIN or EXPLAIN ANALYZE for `plan`.
pub(super) fn explain(
    options: &ExplainStatementOptions,
    plan: LogicalPlan,
    state: &SessionState,
) -> Result<LogicalPlan, datafusion::error::DataFusionError> {
    let configured = &state.config_options().explain;
    let format = match &options.format {
        Some(_) if options.verbose => {
            return Err(unsupported("EXPLAIN VERBOSE with FORMAT").into());
        }
        Some(format) => format.clone(),
        None if options.verbose || options.analyze => ExplainFormat::Indent,
        None => configured.format.clone(),
    };
    let schema = LogicalPlan::explain_schema().to_dfschema_ref()?;
    if options.analyze {
        if matches!(format, ExplainFormat::Tree | ExplainFormat::Graphviz) {
            return Err(unsupported(&format!("EXPLAIN ANALYZE with FORMAT {format}")).into());
        }
        return Ok(LogicalPlan::Analyze(Analyze {
            verbose: options.verbose,
            format,
            input: Arc::new(plan),
            schema,
            analyze_level: options.analyze_level,
            analyze_categories: options.analyze_categories.clone(),
        }));
    }
    Ok(LogicalPlan::Explain(Explain {
        verbose: options.verbose,
        explain_format: format,
        stringified_plans: vec![plan.to_stringified(PlanType::InitialLogicalPlan)],
        plan: Arc::new(plan),
        schema,
        logical_optimization_succeeded: false,
        show_statistics: options.show_statistics,
    }))
}
