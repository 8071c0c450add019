//! The SQL function `version()`.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The function that replaces DataFusion's own.
pub(super) fn version() -> ScalarUDF {
    ScalarUDF::new_from_impl(Version(Signature::exact(Vec::new(), Volatility::Immutable)))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Version(Signature);

impl ScalarUDFImpl for Version {
    fn name(&self) -> &'static str {
        "version"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let text = format!(
            "rhei-datafusion {} on Apache DataFusion {}",
            env!("CARGO_PKG_VERSION"),
            datafusion::DATAFUSION_VERSION
        );
        Ok(ColumnarValue::Scalar(ScalarValue::from(text)))
    }
}
