//! The time zone of a session, in which a TIMESTAMP WITH TIME ZONE is shown and a text without a zone is read.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, make_array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::config::ConfigOptions;
use datafusion::execution::SessionState;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::error::DfOlapError;

/// The setting that names the zone.
pub(crate) const SETTING: &str = "datafusion.execution.time_zone";
/// The default zone of a session.
const UTC: &str = "+00:00";

/// Sets the time zone of a session; `None` for UTC.
pub(crate) fn set_time_zone(
    state: &mut SessionState,
    zone: Option<&str>,
) -> Result<(), DfOlapError> {
    let Some(zone) = zone else {
        keep_utc(state);
        return Ok(());
    };
    if zone.parse::<Tz>().is_err() {
        return Err(DfOlapError::Invalid(format!(
            "'{zone}' is not a time zone; give an offset such as '+02:00' or a name such as 'Europe/Berlin'"
        )));
    }
    take(state, zone);
    Ok(())
}

/// Sets the default time zone of a session.
pub(crate) fn keep_utc(state: &mut SessionState) {
    take(state, UTC);
}

fn take(state: &mut SessionState, zone: &str) {
    let options = state.config_mut().options_mut();
    options.execution.time_zone = Some(zone.to_string());
    let options = options.clone();
    update_functions(state, &options);
}

/// Recreates the functions that depend on the zone, since a function keeps the zone of the options that it was
/// created with. In UTC, `to_timestamp` and its variants return timestamps without a zone, as in DataFusion's
/// default configuration.
fn update_functions(state: &mut SessionState, options: &ConfigOptions) {
    let zoneless = ConfigOptions::default();
    let is_utc = options.execution.time_zone.as_deref() == Some(UTC);
    let functions = state.scalar_functions().values();
    let updated: Vec<_> = functions
        .filter_map(|function| {
            let is_parser = function.name().starts_with("to_timestamp");
            let options = match is_parser && is_utc {
                true => &zoneless,
                false => options,
            };
            let updated = function.inner().with_updated_config(options)?;
            Some(match is_parser && !updated.inner().is::<InZone>() {
                true => ScalarUDF::new_from_impl(InZone {
                    inner: Arc::new(updated),
                }),
                false => updated,
            })
        })
        .collect();
    for function in updated {
        // Replaces the function of the same name; this cannot fail.
        let _ = state.register_udf(Arc::new(function));
    }
}

/// Gives the result of `to_timestamp` its declared type: for a column of texts, DataFusion's result has no zone.
#[derive(Debug, PartialEq, Eq, Hash)]
struct InZone {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for InZone {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = Arc::new(self.inner.inner().with_updated_config(config)?);
        Some(ScalarUDF::new_from_impl(Self { inner }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let wanted = Arc::clone(&args.return_field);
        // Calls the implementation, since `ScalarUDF::invoke_with_args` checks the type of the result in debug
        // builds.
        let made = self.inner.inner().invoke_with_args(args)?;
        match (made, wanted.data_type()) {
            (ColumnarValue::Array(array), DataType::Timestamp(_, Some(_)))
                if array.data_type() != wanted.data_type() =>
            {
                let data = array.to_data().into_builder();
                let data = data.data_type(wanted.data_type().clone()).build()?;
                Ok(ColumnarValue::Array(make_array(data)))
            }
            (made, _) => Ok(made),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}
