//! Positional parameters. sqlparser hands each `?` over as it is, and DataFusion takes all of them for the first one.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;

use datafusion::sql::parser::{CopyToSource, Statement as DFStatement};
use datafusion::sql::sqlparser::ast::{Value, ValueWithSpan, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::error::DfOlapError;

/// Names each `?` in the statements of a text `$1`, `$2`, … in the order of the text. A text that has `$1` or `$name` too is
/// refused.
pub(super) fn number_parameters(statements: &mut VecDeque<DFStatement>) -> Result<(), DfOlapError> {
    let mut found = Found::default();
    for statement in statements.iter_mut() {
        visit(statement, &mut found);
    }
    if found.places.is_empty() {
        return Ok(());
    }
    if let Some(named) = found.named {
        return Err(DfOlapError::Invalid(format!(
            "the SQL text has both '?' and '{named}' as parameters; use '?' for all, or '$1', '$2', … for all"
        )));
    }
    let mut numbered = Numbered(found.places.into_iter().collect());
    for statement in statements {
        visit(statement, &mut numbered);
    }
    Ok(())
}

fn visit<V: VisitorMut>(statement: &mut DFStatement, visitor: &mut V) {
    match statement {
        DFStatement::Statement(statement) => {
            let _ = statement.visit(visitor);
        }
        DFStatement::Explain(explain) => visit(&mut explain.statement, visitor),
        DFStatement::CopyTo(copy) => {
            if let CopyToSource::Query(query) = &mut copy.source {
                let _ = query.visit(visitor);
            }
        }
        DFStatement::CreateExternalTable(_) | DFStatement::Reset(_) => {}
    }
}

#[derive(Default)]
struct Found {
    /// Where each `?` stands.
    places: BTreeSet<Location>,
    /// Any other parameter.
    named: Option<String>,
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

/// Where each `?` stands, in the order of the text.
struct Numbered(Vec<Location>);

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
