//! User-defined functions in JavaScript.
//!
//! A function may run in another thread than the engine, so a call is a request that is answered later: [`JsScalar`]
//! sends the values of a batch as lists, and [`answer`] receives the function's result.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType, UInt64Type,
};
use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use futures::channel::oneshot;
use js_sys::{Array, BigInt, Date, Function, Uint8Array};
use wasm_bindgen::JsValue;

use super::values;
use crate::error::DfOlapError;

/// The maximum rows of a request.
const BATCH_ROWS: usize = 8192;

#[derive(Default)]
struct Requests {
    next: u32,
    functions: HashMap<u32, Function>,
    waiting: HashMap<u32, Waiting>,
}

struct Waiting {
    returns: DataType,
    rows: usize,
    answer: oneshot::Sender<Result<ArrayRef, String>>,
}

thread_local! {
    static REQUESTS: RefCell<Requests> = RefCell::default();
}

/// A SQL function that JavaScript evaluates.
#[derive(Debug)]
struct JsScalar {
    name: String,
    number: u32,
    signature: Signature,
    returns: DataType,
}

impl PartialEq for JsScalar {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for JsScalar {}

impl Hash for JsScalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

/// A SQL function whose batches are passed to `ask` with the number of a request.
pub fn scalar(
    name: &str,
    arguments: Vec<DataType>,
    returns: DataType,
    ask: Function,
) -> Result<ScalarUDF, DfOlapError> {
    for data_type in arguments.iter().chain([&returns]) {
        if javascript_type(data_type).is_none() {
            return Err(DfOlapError::Unsupported(format!(
                "function {name}: values of type {data_type} do not cross to JavaScript; cast them"
            )));
        }
    }
    let number = REQUESTS.with_borrow_mut(|requests| {
        requests.next += 1;
        requests.functions.insert(requests.next, ask);
        requests.next
    });
    let function = JsScalar {
        name: name.to_lowercase(),
        number,
        signature: Signature::exact(arguments, Volatility::Volatile),
        returns,
    };
    Ok(AsyncScalarUDF::new(Arc::new(function)).into_scalar_udf())
}

/// Completes a request with its values, or with the reason of its failure.
pub fn answer(request: u32, values: Result<Array, String>) {
    let waiting = REQUESTS.with_borrow_mut(|requests| requests.waiting.remove(&request));
    if let Some(Waiting {
        returns,
        rows,
        answer,
    }) = waiting
    {
        let array = values.and_then(|values| array_of(&values, &returns, rows));
        let _ = answer.send(array);
    }
}

impl ScalarUDFImpl for JsScalar {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::NotImplemented(format!(
            "function {} of JavaScript cannot be called here; call it in the list of a SELECT or in WHERE",
            self.name
        )))
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for JsScalar {
    fn ideal_batch_size(&self) -> Option<usize> {
        Some(BATCH_ROWS)
    }

    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let failed = |why: String| {
            DataFusionError::Execution(format!("function {} of JavaScript: {why}", self.name))
        };
        let answered = self.ask(&args)?;
        let answered = answered
            .await
            .unwrap_or_else(|_| Err("it was never answered".into()));
        Ok(ColumnarValue::Array(answered.map_err(failed)?))
    }
}

impl JsScalar {
    fn ask(
        &self,
        args: &ScalarFunctionArgs,
    ) -> Result<oneshot::Receiver<Result<ArrayRef, String>>> {
        let (answer, answered) = oneshot::channel();
        let rows = args.number_rows;
        let columns = Array::new();
        for arg in &args.args {
            let list = list_of(&arg.to_array(rows)?)?;
            columns.push(&list);
        }
        let (request, ask) = REQUESTS.with_borrow_mut(|requests| {
            requests.next += 1;
            let returns = self.returns.clone();
            requests.waiting.insert(
                requests.next,
                Waiting {
                    returns,
                    rows,
                    answer,
                },
            );
            (requests.next, requests.functions.get(&self.number).cloned())
        });
        if let Some(ask) = ask {
            // If `ask` throws, the request is removed below, which drops the sender.
            let asked = ask.call3(
                &JsValue::UNDEFINED,
                &request.into(),
                &columns,
                &(rows as f64).into(),
            );
            if asked.is_err() {
                REQUESTS.with_borrow_mut(|requests| requests.waiting.remove(&request));
            }
        }
        Ok(answered)
    }
}

/// The type to which values are cast for JavaScript; `None` for types that cannot be passed.
fn javascript_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Null | DataType::Boolean => DataType::Boolean,
        DataType::Int64 => DataType::Int64,
        DataType::UInt64 => DataType::UInt64,
        small if small.is_integer() || small.is_floating() => DataType::Float64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        // As text, which is exact.
        decimal if decimal.is_decimal() => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            DataType::Timestamp(TimeUnit::Millisecond, None)
        }
        _ => return None,
    })
}

fn list_of(array: &ArrayRef) -> Result<Array> {
    let Some(javascript_type) = javascript_type(array.data_type()) else {
        return Err(DataFusionError::NotImplemented(format!(
            "values of type {} do not cross to JavaScript",
            array.data_type()
        )));
    };
    let array = cast(array, &javascript_type)?;
    let value = |row: usize| -> JsValue {
        if array.is_null(row) {
            return JsValue::NULL;
        }
        match &javascript_type {
            DataType::Boolean => array.as_boolean().value(row).into(),
            DataType::Int64 => BigInt::from(array.as_primitive::<Int64Type>().value(row)).into(),
            DataType::UInt64 => BigInt::from(array.as_primitive::<UInt64Type>().value(row)).into(),
            DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
            DataType::Utf8 => array.as_string::<i32>().value(row).into(),
            DataType::Binary => Uint8Array::from(array.as_binary::<i32>().value(row)).into(),
            _ => {
                let time = array.as_primitive::<TimestampMillisecondType>().value(row);
                Date::new(&(time as f64).into()).into()
            }
        }
    };
    Ok((0..array.len()).map(value).collect())
}

/// The result of a function as a column with this number of rows.
fn array_of(values: &Array, returns: &DataType, rows: usize) -> Result<ArrayRef, String> {
    if values.length() as usize != rows {
        return Err(format!(
            "it returned {} values for {rows} rows",
            values.length()
        ));
    }
    let mut scalars = Vec::with_capacity(rows);
    for value in values.iter() {
        let scalar = values::scalar(&value, "its value").map_err(|error| error.to_string())?;
        let fits = match scalar {
            ScalarValue::Null => ScalarValue::try_from(returns),
            scalar => scalar.cast_to(returns),
        };
        scalars.push(fits.map_err(|error| error.strip_backtrace())?);
    }
    match scalars.is_empty() {
        true => Ok(new_null_array(returns, 0)),
        false => ScalarValue::iter_to_array(scalars).map_err(|error| error.strip_backtrace()),
    }
}
