//! Converts JavaScript values to SQL parameters.

use arrow::datatypes::DataType;
use datafusion::common::{ParamValues, ScalarValue};
use js_sys::{Array, BigInt, Date, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::error::invalid;
use crate::error::DfOlapError;

/// Sets a property of an object.
pub fn set(object: &Object, name: &str, value: impl Into<JsValue>) {
    let _ = Reflect::set(object, &name.into(), &value.into());
}

/// The parameters of a statement: a list for `$1`, `$2` …, an object for `$name`, or nothing.
pub fn params(value: &JsValue) -> Result<Option<ParamValues>, DfOlapError> {
    if value.is_null() || value.is_undefined() {
        return Ok(None);
    }
    if Array::is_array(value) {
        let list = Array::from(value);
        let list = list.iter().enumerate();
        let list = list.map(|(at, value)| scalar(&value, &format!("${}", at + 1)));
        let list = list.collect::<Result<Vec<_>, _>>()?;
        return Ok((!list.is_empty()).then(|| list.into()));
    }
    if !value.is_object() {
        return Err(invalid("parameters are a list, or an object by name"));
    }
    // Not checked by its class: an object may have no prototype.
    let object: &Object = value.unchecked_ref();
    let mut named = Vec::new();
    for entry in Object::entries(object).iter() {
        let entry = Array::from(&entry);
        let name = entry.get(0).as_string().unwrap_or_default();
        let value = scalar(&entry.get(1), &format!("${name}"))?;
        named.push((name, value));
    }
    Ok((!named.is_empty()).then(|| named.into()))
}

/// A JavaScript value as SQL sees it: a whole number up to 2^53 - 1 is a BIGINT, any other number a DOUBLE; a bigint is
/// a BIGINT, or an unsigned BIGINT if it does not fit; a Date is a TIMESTAMP in milliseconds, UTC.
pub fn scalar(value: &JsValue, name: &str) -> Result<ScalarValue, DfOlapError> {
    if value.is_null() || value.is_undefined() {
        return Ok(ScalarValue::Null);
    }
    if let Some(value) = value.as_bool() {
        return Ok(ScalarValue::from(value));
    }
    if let Some(value) = value.as_string() {
        return Ok(ScalarValue::from(value));
    }
    if let Some(number) = value.as_f64() {
        const SAFE: f64 = 9_007_199_254_740_991.0;
        return Ok(match number.trunc() == number && number.abs() <= SAFE {
            true => ScalarValue::from(number as i64),
            false => ScalarValue::from(number),
        });
    }
    if value.is_bigint() {
        let value: BigInt = value.clone().unchecked_into();
        return match (i64::try_from(value.clone()), u64::try_from(value)) {
            (Ok(value), _) => Ok(ScalarValue::from(value)),
            (_, Ok(value)) => Ok(ScalarValue::from(value)),
            _ => Err(invalid(format!(
                "{name}: the bigint does not fit into 64 bits"
            ))),
        };
    }
    if let Some(date) = value.dyn_ref::<Date>() {
        let time = date.get_time();
        if !time.is_finite() {
            return Err(invalid(format!("{name}: the Date is no date")));
        }
        return Ok(ScalarValue::TimestampMillisecond(Some(time as i64), None));
    }
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        return Ok(ScalarValue::Binary(Some(bytes.to_vec())));
    }
    if Array::is_array(value) {
        return list(&Array::from(value), name);
    }
    Err(invalid(format!(
        "{name}: give null, a boolean, number, bigint, string, Date, Uint8Array or a list of these"
    )))
}

fn list(values: &Array, name: &str) -> Result<ScalarValue, DfOlapError> {
    let mut items = Vec::with_capacity(values.length() as usize);
    for value in values.iter() {
        items.push(scalar(&value, name)?);
    }
    let mut types = items
        .iter()
        .map(ScalarValue::data_type)
        .filter(|t| !t.is_null());
    let Some(first) = types.next() else {
        return Err(invalid(format!(
            "{name}: a list needs a value that is not null"
        )));
    };
    // Whole and fractional numbers may be mixed; no other types are coerced.
    let is_number = |found: &DataType| matches!(found, DataType::Int64 | DataType::Float64);
    let mixed = || invalid(format!("{name}: the values of a list have one type"));
    let mut target = first.clone();
    for other in types.filter(|other| *other != first) {
        if !is_number(&first) || !is_number(&other) {
            return Err(mixed());
        }
        target = DataType::Float64;
    }
    for item in &mut items {
        *item = item.cast_to(&target).map_err(|_| mixed())?;
    }
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(
        &items, &target,
    )))
}
