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
    let shown = Error::new(&in_javascript(text));
    let _ = Reflect::set(&shown, &"code".into(), &error.kind().code().into());
    shown.into()
}

/// A text with the names that JavaScript has for the calls of Rust: options.
fn in_javascript(text: String) -> String {
    let mut text = text.replace("reset_watermark", "resetWatermark");
    for of in ["Changes::", "EventReader::"] {
        text = text.replace(&format!("call {of}"), &format!("give the option {of}"));
        while let Some((before, after)) = text.split_once(of) {
            let (name, after) = split_name(after);
            text = format!("{before}{}{after}", camel_case(name));
        }
    }
    while let Some((before, after)) = text.split_once("(Obstacle::") {
        let (name, after) = split_name(after);
        let after = after.strip_prefix(')').unwrap_or(after);
        text = format!("{before}: [\"{}\"]{after}", kebab_case(name));
    }
    while let Some((before, after)) = text.split_once("EventFormat::") {
        let (name, after) = split_name(after);
        text = format!("{before}format: \"{}\"{after}", kebab_case(name));
    }
    text
}

fn split_name(text: &str) -> (&str, &str) {
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut shown = words.next().unwrap_or_default().to_string();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        shown += &first.to_ascii_uppercase();
        shown += rest;
    }
    shown
}

fn kebab_case(name: &str) -> String {
    let mut shown = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !shown.is_empty() {
            shown.push('-');
        }
        shown.push(c.to_ascii_lowercase());
    }
    shown
}

pub fn invalid(text: impl Into<String>) -> DfOlapError {
    DfOlapError::Invalid(text.into())
}
