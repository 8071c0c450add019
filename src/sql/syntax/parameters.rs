//! Numbers the positional parameters: sqlparser leaves each `?` unnumbered, and DataFusion takes every `?` for the
//! first parameter.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Value, ValueWithSpan, VisitorMut};
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::error::DfOlapError;

/// The parameters of a text, collected by a visit of all its statements.
#[derive(Default)]
pub(super) struct Found {
    /// The position of each `?`.
    places: BTreeSet<Location>,
    /// A parameter of another form, if there is one.
    named: Option<String>,
}

impl Found {
    /// A visitor that renames each `?` to `$1`, `$2`, … in the order of the text; `None` if there is no `?`. A text
    /// that also has `$1` or `$name` is refused.
    pub fn numbered(self) -> Result<Option<Numbered>, DfOlapError> {
        match self.named {
            _ if self.places.is_empty() => Ok(None),
            Some(named) => Err(DfOlapError::Invalid(format!(
                "the SQL text has both '?' and '{named}' as parameters; use '?' for all, or '$1', '$2', … for all"
            ))),
            None => Ok(Some(Numbered(self.places.into_iter().collect()))),
        }
    }
}

impl VisitorMut for Found {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        match &value.value {
            Value::Placeholder(name) if name == "?" => {
                self.places.insert(value.span.start);
            }
            Value::Placeholder(name) => self.named = Some(name.clone()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The position of each `?`, in the order of the text.
pub(super) struct Numbered(Vec<Location>);

impl VisitorMut for Numbered {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Value::Placeholder(name) = &mut value.value
            && name == "?"
            && let Ok(index) = self.0.binary_search(&value.span.start)
        {
            *name = format!("${}", index + 1);
        }
        ControlFlow::Continue(())
    }
}
