//! What a fuzzer calls with texts that no one would write.

use super::parse::{TextLimits, is_short, parse_statements};
use crate::error::ErrorKind;
use crate::runtime;

/// The stack on which a program may parse a short text: that of a thread that tokio starts.
const STACK_BYTES: usize = 2 << 20;

/// Parses `sql` within the limits, on the stack that the engine takes for it, and drops its tree.
///
/// # Panics
/// Where the text is refused by another error than those of a text.
pub fn statements(sql: &str) {
    let parse = || match parse_statements(sql, &TextLimits::default()) {
        Ok(statements) => drop(statements),
        Err(error) => assert!(
            matches!(
                error.kind(),
                ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::ResourcesExhausted
            ),
            "{error:?}"
        ),
    };
    match is_short(sql) {
        true => stacker::grow(STACK_BYTES, parse),
        false => runtime::on_own_stack(parse),
    }
}
