//! The value of a subquery that has at most one row, told from one that has more.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// `value`, of which there were `rows`; more than one is an error that names the subquery.
pub(super) fn one_row(value: Expr, rows: Expr, subquery: String) -> Expr {
    ScalarUDF::new_from_impl(OneRow {
        subquery,
        signature: Signature::any(2, Volatility::Immutable),
    })
    .call(vec![value, rows])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OneRow {
    subquery: String,
    signature: Signature,
}

impl ScalarUDFImpl for OneRow {
    fn name(&self) -> &'static str {
        "one_row"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types {
            [value, _] => Ok(value.clone()),
            _ => plan_err!("one_row takes a value and a count"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, rows] = args.args.as_slice() else {
            return plan_err!("one_row takes a value and a count");
        };
        let rows = rows.to_array(args.number_rows)?;
        let most = arrow::compute::max(rows.as_primitive::<Int64Type>());
        match most {
            Some(most) if most > 1 => exec_err!(
                "the subquery {} has more than one row; as a value it must have one at most \
                 (an aggregate or LIMIT 1 chooses)",
                self.subquery
            ),
            _ => Ok(value.clone()),
        }
    }
}
