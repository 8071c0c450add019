//! The texts of errors, which rhei-sync reads.
//!
//! An error whose text says that a column is unknown makes rhei-sync leave the event out for ever, with all others of
//! its INSERT. So no other error may look like that.

use crate::error::{DfOlapError, ErrorKind};

/// Whether rhei-sync 2.0.0 takes an error with this text for that of an unknown column.
fn is_taken_for_unknown_column(text: &str) -> bool {
    let names_columns = ["column", "No field named", "schema mismatch"];
    text.contains("not found") && names_columns.iter().any(|part| text.contains(part))
        || text.contains("No field named")
        || text.contains("schema mismatch")
        || text.contains("not in INSERT column list")
}

/// The error in words that rhei-sync understands.
pub(super) fn worded(error: DfOlapError) -> DfOlapError {
    if error.is_unknown_column() {
        return error;
    }
    let text = error.to_string();
    if !is_taken_for_unknown_column(&text) {
        return error;
    }
    let text = text
        .replace("not found", "missing")
        .replace("No field named", "no field called")
        .replace("schema mismatch", "the schema does not fit")
        .replace("not in INSERT column list", "none of the INSERT's columns");
    match error.kind() {
        ErrorKind::Unsupported => DfOlapError::Unsupported(text),
        ErrorKind::Denied => DfOlapError::Denied(text),
        ErrorKind::ResourcesExhausted => DfOlapError::ResourcesExhausted(text),
        ErrorKind::Conflict => DfOlapError::Conflict(text),
        ErrorKind::Unavailable => DfOlapError::Unavailable(text),
        ErrorKind::Corrupt => DfOlapError::Corrupt(text),
        ErrorKind::Internal => DfOlapError::Other(text),
        _ => DfOlapError::Invalid(text),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;
    use std::time::Duration;

    use arrow::error::ArrowError;
    use datafusion::common::{DataFusionError, SchemaError};

    use super::*;

    /// The number of a variant. A new one has to be added here, and to the test.
    fn number(error: &DfOlapError) -> usize {
        match error {
            DfOlapError::DataFusion(_) => 0,
            DfOlapError::Arrow(_) => 1,
            DfOlapError::TableNotFound(_) => 2,
            DfOlapError::SchemaMismatch(_) => 3,
            DfOlapError::Io(_) => 4,
            DfOlapError::Join(_) => 5,
            DfOlapError::ObjectStore(_) => 6,
            DfOlapError::UrlParse(_) => 7,
            DfOlapError::StorageConfig(_) => 8,
            DfOlapError::Invalid(_) => 9,
            DfOlapError::Unsupported(_) => 10,
            DfOlapError::Denied(_) => 11,
            DfOlapError::ResourcesExhausted(_) => 12,
            DfOlapError::Timeout(_) => 13,
            DfOlapError::Cancelled => 14,
            DfOlapError::Conflict(_) => 15,
            DfOlapError::Unavailable(_) => 16,
            DfOlapError::Corrupt(_) => 17,
            DfOlapError::CommitUnknown { .. } => 18,
            DfOlapError::Other(_) => 19,
            DfOlapError::ColumnNotFound(_) => 20,
        }
    }

    #[test]
    fn only_an_unknown_column_is_taken_for_one() {
        // A table and a path that have the words in their names.
        let name =
            "column_schema not found: schema mismatch, No field named x, not in INSERT column list";
        let path = "s3://bucket/column/0001.vortex";
        let text = || name.to_string();
        let missing = object_store::Error::NotFound {
            path: path.into(),
            source: "no such key".into(),
        };
        let all = [
            DfOlapError::DataFusion(DataFusionError::Plan(text())),
            DfOlapError::DataFusion(DataFusionError::ResourcesExhausted(text())),
            DfOlapError::DataFusion(DataFusionError::SchemaError(
                Box::new(SchemaError::DuplicateUnqualifiedField { name: text() }),
                Box::new(None),
            )),
            DfOlapError::Arrow(ArrowError::SchemaError(text())),
            DfOlapError::TableNotFound("column_schema".into()),
            DfOlapError::SchemaMismatch(text()),
            DfOlapError::Io(io::Error::new(io::ErrorKind::NotFound, text())),
            DfOlapError::Join(text()),
            DfOlapError::ObjectStore(missing),
            DfOlapError::UrlParse(url::ParseError::EmptyHost),
            DfOlapError::StorageConfig(text()),
            DfOlapError::Invalid(text()),
            DfOlapError::Unsupported(text()),
            DfOlapError::Denied(text()),
            DfOlapError::ResourcesExhausted(text()),
            DfOlapError::Timeout(Duration::from_secs(1)),
            DfOlapError::Cancelled,
            DfOlapError::Conflict(text()),
            DfOlapError::Unavailable(text()),
            DfOlapError::Corrupt(text()),
            DfOlapError::CommitUnknown {
                id: uuid::Uuid::nil(),
                version: 1,
            },
            DfOlapError::Other(text()),
        ];
        let numbers: BTreeSet<usize> = all.iter().map(number).collect();
        assert_eq!(numbers, (0..20).collect(), "all but ColumnNotFound");
        for error in all {
            let kind = error.kind();
            let before = format!("{error:?}");
            let worded = worded(error);
            let text = worded.to_string();
            assert!(!is_taken_for_unknown_column(&text), "{before}: {text}");
            assert_eq!(worded.kind(), kind, "{before}: {text}");
        }
    }

    #[test]
    fn an_unknown_column_is_taken_for_one() {
        for error in [
            DfOlapError::ColumnNotFound("x".into()),
            DfOlapError::DataFusion(DataFusionError::SchemaError(
                Box::new(SchemaError::FieldNotFound {
                    field: Box::new("x".into()),
                    valid_fields: Vec::new(),
                }),
                Box::new(None),
            )),
        ] {
            let text = worded(error).to_string();
            assert!(is_taken_for_unknown_column(&text), "{text}");
        }
    }
}
