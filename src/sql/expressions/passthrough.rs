//! Identity functions that check or copy their argument, for rewritten plans.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// The body of an identity function: its argument, and the number of rows.
pub(super) type Pass = fn(ColumnarValue, usize) -> Result<ColumnarValue>;

/// `expr` as the argument of the identity function `pass`. Each `pass` needs its own `name`: equality compares names.
pub(super) fn passed(expr: Expr, name: &'static str, pass: Pass) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    let passing = Passing {
        name,
        pass,
        signature,
    };
    ScalarUDF::new_from_impl(passing).call(vec![expr])
}

/// An identity function that is displayed as its argument.
#[derive(Debug)]
struct Passing {
    name: &'static str,
    pass: Pass,
    signature: Signature,
}

impl PartialEq for Passing {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Passing {}

impl Hash for Passing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Passing {
    fn name(&self) -> &'static str {
        self.name
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args.iter().map(ToString::to_string).collect())
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names = args.iter().map(|arg| arg.schema_name().to_string());
        Ok(names.collect())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::clone(&args.arg_fields[0]))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(value) => (self.pass)(value, args.number_rows),
            None => plan_err!("{} takes one value", self.name),
        }
    }
}
