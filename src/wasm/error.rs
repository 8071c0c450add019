//! Errors for JavaScript: an `Error` with a `code`.

use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;

use crate::error::DfOlapError;

pub fn to_js(error: impl Into<DfOlapError>) -> JsValue {
    let error: DfOlapError = error.into();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    let shown = Error::new(&text);
    let _ = Reflect::set(&shown, &"code".into(), &error.kind().code().into());
    shown.into()
}

pub fn invalid(text: impl Into<String>) -> DfOlapError {
    DfOlapError::Invalid(text.into())
}
