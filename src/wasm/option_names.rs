//! The names of options in the errors about changes, which name the calls of Rust.

use crate::error::DfOlapError;

/// An error with the names that JavaScript has.
pub fn in_javascript(error: DfOlapError) -> DfOlapError {
    use DfOlapError::{Invalid, SchemaMismatch, TableNotFound};
    match error {
        Invalid(text) => Invalid(renamed(text)),
        SchemaMismatch(text) => SchemaMismatch(renamed(text)),
        TableNotFound(text) => TableNotFound(renamed(text)),
        other => other,
    }
}

fn renamed(text: String) -> String {
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
