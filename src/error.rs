//! [`DfOlapError`]: every way a call can fail, and what the caller does next.
//!
//! Guarantees: a statement that returned an error changed nothing, unless the error is of kind `Indeterminate` (storage
//! was lost during a commit). [`DfOlapError::kind`] says what to do about an
//! error, the message names the table, column, value or URL, and [`std::error::Error::source`] holds the cause without
//! repeating it. An error of this crate that passed through DataFusion is unwrapped again.

use std::fmt;

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

/// The kind of an error: how the caller of a failed call should react.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The statement or argument is wrong (syntax, an unknown name, a value that does not fit): correct it.
    Invalid,
    /// The statement is valid, but the engine does not support it; the message names the feature.
    Unsupported,
    /// The statement uses files or object stores or changes settings, which the builder did not allow.
    Denied,
    /// A limit on memory, text, depth or plan size was exceeded: raise the limit, or reduce the statement.
    ResourcesExhausted,
    /// The statement's timeout passed.
    Timeout,
    /// The statement was cancelled by its handle.
    Cancelled,
    /// The statement conflicted with other writers at every retry: try again.
    Conflict,
    /// Storage or a peer could not be reached: try again later.
    Unavailable,
    /// The outcome of the commit is not known yet.
    Indeterminate,
    /// Stored bytes are damaged or missing.
    Corrupt,
    /// A defect in the engine: please report it.
    Internal,
}

impl ErrorKind {
    /// A stable, lower-case code, for other languages.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Denied => "denied",
            Self::ResourcesExhausted => "resources_exhausted",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Indeterminate => "indeterminate",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Errors of the engine. Match on [`DfOlapError::kind`] to decide what to do; variants may be added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DfOlapError {
    /// An error that DataFusion reported while parsing, planning or running a statement.
    #[error("{}", message_without_tracker(.0))]
    DataFusion(DataFusionError),

    /// An error of an Arrow kernel.
    #[error(transparent)]
    Arrow(ArrowError),

    /// A statement or call names a table that does not exist.
    #[error("table not found: {0}")]
    TableNotFound(String),

    /// A statement or call names a column that does not exist.
    // The text of DataFusion's own error, which programs match.
    #[error("No field named {0}")]
    ColumnNotFound(String),

    /// Data or a schema does not fit the table's schema.
    #[error("schema mismatch: {0}")]
    SchemaMismatch(String),

    /// An error of the file system.
    #[error(transparent)]
    Io(#[from] std::io::Error),

    /// A task of the engine ended without a result.
    #[error("task join error: {0}")]
    Join(String),

    /// An error of an object store.
    #[error(transparent)]
    ObjectStore(#[from] object_store::Error),

    /// A URL that cannot be read.
    #[error("invalid URL: {0}")]
    UrlParse(#[from] url::ParseError),

    /// A storage location that cannot be used.
    #[error("storage configuration error: {0}")]
    StorageConfig(String),

    /// An invalid argument or statement that no other variant describes.
    #[error("{0}")]
    Invalid(String),

    /// A valid statement or call that is not supported; the message names the feature.
    #[error("{0}")]
    Unsupported(String),

    /// SQL that uses files or object stores or changes settings, without the builder's permission.
    #[error("{0}")]
    Denied(String),

    /// A limit was exceeded.
    #[error("{0}")]
    ResourcesExhausted(String),

    /// The statement's timeout passed.
    #[error("the statement did not finish within {0:?}")]
    Timeout(std::time::Duration),

    /// The statement was cancelled.
    #[error("the statement was cancelled")]
    Cancelled,

    /// Other writers changed the same data at every retry of the statement.
    #[error("{0}")]
    Conflict(String),

    /// Storage gave no usable answer.
    #[error("{0}")]
    Unavailable(String),

    /// Stored bytes are damaged or missing; the message names the file.
    #[error("{0}")]
    Corrupt(String),

    /// Storage became unreachable during a commit, so that it is unknown whether the commit was stored.
    #[error(
        "commit {id} may have become version {version} or not: storage cannot be reached; ask again before the change is repeated"
    )]
    CommitUnknown {
        /// The commit's identity.
        id: uuid::Uuid,
        /// The version that the commit would have.
        version: u64,
    },

    /// An invariant of the engine was violated.
    #[error("{0}")]
    Other(String),
}

impl DfOlapError {
    /// The kind of this error, which says what the caller should do next.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DataFusion(e) => datafusion_kind(e),
            Self::Arrow(e) => arrow_kind(e),
            Self::TableNotFound(_)
            | Self::ColumnNotFound(_)
            | Self::SchemaMismatch(_)
            | Self::UrlParse(_)
            | Self::StorageConfig(_)
            | Self::Invalid(_) => ErrorKind::Invalid,
            Self::Io(_) | Self::ObjectStore(_) | Self::Unavailable(_) => ErrorKind::Unavailable,
            Self::Corrupt(_) => ErrorKind::Corrupt,
            Self::CommitUnknown { .. } => ErrorKind::Indeterminate,
            Self::Unsupported(_) => ErrorKind::Unsupported,
            Self::Denied(_) => ErrorKind::Denied,
            Self::ResourcesExhausted(_) => ErrorKind::ResourcesExhausted,
            Self::Timeout(_) => ErrorKind::Timeout,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Conflict(_) => ErrorKind::Conflict,
            Self::Join(_) | Self::Other(_) => ErrorKind::Internal,
        }
    }
}

impl DfOlapError {
    /// Whether this is the error of an unknown column, from this crate or from DataFusion.
    pub(crate) fn is_unknown_column(&self) -> bool {
        match self {
            Self::ColumnNotFound(_) => true,
            Self::DataFusion(error) => {
                matches!(error.find_root(), DataFusionError::SchemaError(inner, _)
                if matches!(inner.as_ref(), SchemaError::FieldNotFound { .. }))
            }
            _ => false,
        }
    }

    /// A copy of a store's error for another caller; every other error becomes `Unavailable`.
    pub(crate) fn duplicate(&self) -> Self {
        match self {
            Self::CommitUnknown { id, version } => Self::CommitUnknown {
                id: *id,
                version: *version,
            },
            Self::Corrupt(text) => Self::Corrupt(text.clone()),
            Self::Unsupported(text) => Self::Unsupported(text.clone()),
            Self::Other(text) => Self::Other(text.clone()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// The error of SQL that is understood but not supported.
pub(crate) fn unsupported(what: &str) -> DfOlapError {
    DfOlapError::Unsupported(format!("{what} is not supported"))
}

/// Fails if an unsupported part of a statement is present.
pub(crate) fn refuse(what: &str, present: bool) -> Result<(), DfOlapError> {
    match present {
        true => Err(unsupported(what)),
        false => Ok(()),
    }
}

/// Unwraps an error of this crate from an error of DataFusion, or wraps the latter.
impl From<DataFusionError> for DfOlapError {
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::External(inner) => match inner.downcast::<DfOlapError>() {
                Ok(ours) => *ours,
                Err(inner) => Self::DataFusion(DataFusionError::External(inner)),
            },
            DataFusionError::Context(context, inner)
                if is_rule(&context) && !matches!(*inner, DataFusionError::Internal(_)) =>
            {
                Self::from(*inner)
            }
            DataFusionError::Context(context, inner) => match Self::from(*inner) {
                Self::DataFusion(inner) => {
                    Self::DataFusion(DataFusionError::Context(context, Box::new(inner)))
                }
                ours => ours,
            },
            DataFusionError::Diagnostic(_, inner) => Self::from(*inner),
            // The parser's message, without the Rust name of its error.
            DataFusionError::SQL(inner, trace) => match *inner {
                ParserError::ParserError(text) | ParserError::TokenizerError(text) => {
                    Self::Invalid(format!("SQL error: {text}"))
                }
                other => Self::DataFusion(DataFusionError::SQL(Box::new(other), trace)),
            },
            DataFusionError::ArrowError(inner, trace) => match Self::from(*inner) {
                Self::Arrow(inner) => {
                    Self::DataFusion(DataFusionError::ArrowError(Box::new(inner), trace))
                }
                ours => ours,
            },
            DataFusionError::Shared(inner) => match std::sync::Arc::try_unwrap(inner) {
                Ok(inner) => Self::from(inner),
                Err(inner) => Self::DataFusion(DataFusionError::Shared(inner)),
            },
            other => Self::DataFusion(other),
        }
    }
}

/// Whether the context of a DataFusion error is the name of the rule that failed, which tells the caller nothing.
fn is_rule(context: &str) -> bool {
    context.starts_with("Optimizer rule '")
        || context.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// Unwraps an error of this crate from an error of Arrow, or wraps the latter.
impl From<ArrowError> for DfOlapError {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::ExternalError(inner) => match inner.downcast::<DfOlapError>() {
                Ok(ours) => *ours,
                Err(inner) => match inner.downcast::<DataFusionError>() {
                    Ok(inner) => Self::from(*inner),
                    Err(inner) => Self::Arrow(ArrowError::ExternalError(inner)),
                },
            },
            other => Self::Arrow(other),
        }
    }
}

/// Unwraps an error of this crate from an item of a [`RecordBatchBoxStream`](crate::RecordBatchBoxStream), or wraps the
/// item.
impl From<Box<dyn std::error::Error + Send + Sync>> for DfOlapError {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::from(DataFusionError::External(error))
    }
}

impl From<DfOlapError> for DataFusionError {
    fn from(error: DfOlapError) -> Self {
        match error {
            DfOlapError::DataFusion(inner) => inner,
            ours => Self::External(Box::new(ours)),
        }
    }
}

/// The error of a statement that ended in a panic.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> DfOlapError {
    let message = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    DfOlapError::Other(format!("the statement ended in a panic: {message}"))
}

/// The message of a DataFusion error, without its request to report a bug to DataFusion's issue tracker.
fn message_without_tracker(error: &DataFusionError) -> String {
    const TRACKER: &str = ".\nThis issue was likely caused by a bug in DataFusion's code. Please help us to resolve this by \
                           filing a bug report in our issue tracker: https://github.com/apache/datafusion/issues";
    let text = error.strip_backtrace().replace(TRACKER, "");
    match datafusion_kind(error) {
        ErrorKind::Invalid => text.replace("Internal error: ", ""),
        _ => text.replace(
            "Internal error: ",
            "this is a statement that DataFusion cannot run: ",
        ),
    }
}

fn datafusion_kind(error: &DataFusionError) -> ErrorKind {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            datafusion_kind(inner)
        }
        DataFusionError::Shared(inner) => datafusion_kind(inner),
        DataFusionError::Collection(all) => {
            all.first().map_or(ErrorKind::Internal, datafusion_kind)
        }
        DataFusionError::External(inner) => {
            if let Some(ours) = inner.downcast_ref::<DfOlapError>() {
                ours.kind()
            } else if let Some(theirs) = inner.downcast_ref::<DataFusionError>() {
                datafusion_kind(theirs)
            } else if let Some(arrow) = inner.downcast_ref::<ArrowError>() {
                arrow_kind(arrow)
            } else {
                foreign_kind(inner.as_ref())
            }
        }
        DataFusionError::ArrowError(inner, _) => arrow_kind(inner),
        DataFusionError::NotImplemented(_) => ErrorKind::Unsupported,
        DataFusionError::ResourcesExhausted(_) => ErrorKind::ResourcesExhausted,
        DataFusionError::IoError(_) | DataFusionError::ObjectStore(_) => ErrorKind::Unavailable,
        // DataFusion reports as internal errors: arguments that match no signature, and statements that it cannot run.
        DataFusionError::Internal(text) if text.contains("failed to match any signature") => {
            ErrorKind::Invalid
        }
        DataFusionError::Internal(_) => ErrorKind::Unsupported,
        DataFusionError::ExecutionJoin(_) | DataFusionError::Ffi(_) => ErrorKind::Internal,
        DataFusionError::SchemaError(inner, _) => match inner.as_ref() {
            SchemaError::AmbiguousReference { .. }
            | SchemaError::DuplicateQualifiedField { .. }
            | SchemaError::DuplicateUnqualifiedField { .. }
            | SchemaError::FieldNotFound { .. } => ErrorKind::Invalid,
        },
        _ => ErrorKind::Invalid,
    }
}

fn arrow_kind(error: &ArrowError) -> ErrorKind {
    match error {
        ArrowError::ExternalError(inner) => {
            if let Some(ours) = inner.downcast_ref::<DfOlapError>() {
                ours.kind()
            } else if let Some(theirs) = inner.downcast_ref::<DataFusionError>() {
                datafusion_kind(theirs)
            } else {
                foreign_kind(inner.as_ref())
            }
        }
        ArrowError::NotYetImplemented(_) => ErrorKind::Unsupported,
        ArrowError::MemoryError(_) => ErrorKind::ResourcesExhausted,
        ArrowError::IoError(..) => ErrorKind::Unavailable,
        ArrowError::CDataInterface(_) | ArrowError::DictionaryKeyOverflowError => {
            ErrorKind::Internal
        }
        _ => ErrorKind::Invalid,
    }
}

/// The kind of an error of another library: a storage error, or an invalid input (a bad pattern, text that is not
/// JSON).
fn foreign_kind(error: &(dyn std::error::Error + Send + Sync + 'static)) -> ErrorKind {
    match error.is::<std::io::Error>() || error.is::<object_store::Error>() {
        true => ErrorKind::Unavailable,
        false => ErrorKind::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_error_is_found_again_after_a_trip_through_datafusion_and_arrow() {
        let there: DataFusionError = DfOlapError::TableNotFound("t".into()).into();
        let there = DataFusionError::Context("while planning".into(), Box::new(there));
        let there = ArrowError::ExternalError(Box::new(there));
        let there = DataFusionError::ArrowError(Box::new(there), None);
        match DfOlapError::from(there) {
            DfOlapError::TableNotFound(name) => assert_eq!(name, "t"),
            other => panic!("became {other:?}"),
        }
    }

    #[test]
    fn a_shared_error_of_ours_keeps_its_kind() {
        let shared = std::sync::Arc::new(DataFusionError::from(DfOlapError::Cancelled));
        let kept = std::sync::Arc::clone(&shared);
        let error = DfOlapError::from(DataFusionError::Shared(shared));
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        drop(kept);
    }

    #[test]
    fn nobody_is_sent_to_datafusions_makers() {
        let signature =
            "Function 'avg' failed to match any signature, errors: Internal error: none";
        for (text, kind) in [
            (signature, ErrorKind::Invalid),
            ("ORDER BY column cannot be empty", ErrorKind::Unsupported),
        ] {
            let error = DataFusionError::Internal(text.to_string());
            assert!(error.to_string().contains("issue tracker"));
            let error = DataFusionError::Context("while planning".into(), Box::new(error));
            let error = DfOlapError::from(error);
            assert_eq!(error.kind(), kind);
            let text = error.to_string();
            assert!(
                !text.contains("tracker") && !text.contains("Internal"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_missing_table_is_not_taken_for_a_missing_column() {
        let text = DfOlapError::TableNotFound("orders".into()).to_string();
        assert!(text.contains("not found") && !text.contains("column"));
    }
}
