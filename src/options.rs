//! Options: of a statement ([`StatementOptions`], [`CancelHandle`]) and of a durable store ([`Durability`],
//! [`CompactionPolicy`], [`Refresh`]).

use std::time::Duration;

use datafusion::common::ParamValues;
use tokio_util::sync::CancellationToken;

/// Options of one statement: parameters, a timeout, a cancel handle.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
/// use rhei_datafusion::{CancelHandle, DataFusionEngine, StatementOptions};
/// use rhei_datafusion::datafusion::common::ScalarValue;
///
/// let engine = DataFusionEngine::new();
/// let cancel = CancelHandle::new();
/// let options = StatementOptions::new()
///     .params(vec![ScalarValue::from(20i64)])
///     .cancel(&cancel);
/// let rows = engine.query_with("SELECT $1 + 1 AS answer", options).await?;
/// assert_eq!(rows[0].num_rows(), 1);
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct StatementOptions {
    pub(crate) params: Option<ParamValues>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) cancel: Option<CancellationToken>,
    /// Whether the rows of a plain INSERT replace those with the same PRIMARY KEY.
    pub(crate) replaces: bool,
}

impl StatementOptions {
    /// No parameters, the engine's timeout, no cancel handle.
    pub fn new() -> Self {
        Self::default()
    }

    /// Options with which the rows of a plain INSERT replace those with the same PRIMARY KEY.
    #[cfg(feature = "rhei")]
    pub(crate) fn replacing() -> Self {
        Self {
            replaces: true,
            ..Self::default()
        }
    }

    /// The values of `$1`, `$2` … (a `Vec<ScalarValue>`) or of `$name` (pairs of name and `ScalarValue`).
    pub fn params(mut self, params: impl Into<ParamValues>) -> Self {
        self.params = Some(params.into());
        self
    }

    /// The timeout of this statement, in place of the engine's. A commit that has begun is waited for.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The handle that cancels this statement.
    pub fn cancel(mut self, handle: &CancelHandle) -> Self {
        self.cancel = Some(handle.0.clone());
        self
    }
}

/// Cancels all statements that use this handle. A statement that ends with [`Cancelled`](crate::ErrorKind::Cancelled)
/// has changed nothing; a write whose commit has begun is not cancelled any more, and ends with the commit's outcome.
#[derive(Debug, Clone, Default)]
pub struct CancelHandle(CancellationToken);

impl CancelHandle {
    /// A new handle.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels the statements; their calls and streams end with an error of kind
    /// [`Cancelled`](crate::ErrorKind::Cancelled).
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Completes when [`cancel`](Self::cancel) is called, or at once if it was called before.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// True once [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// Which commits may be lost in a power failure, for a database on a local disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// None: a write returns when its files and its log entry are synced.
    #[default]
    Synced,
    /// The last commits, or the whole database: nothing is synced, so a write returns sooner. A crash of the program
    /// alone loses nothing.
    LostOnPowerFailure,
}

/// When tables of [`StorageMode::Vortex`](crate::StorageMode::Vortex) are compacted in the background: after a commit
/// of this engine, if one of these thresholds is reached. A call of [`compact`](crate::DataFusionEngine::compact) does
/// not depend on this policy, but for `key_indexes`.
///
/// ```
/// use rhei_datafusion::{CompactionPolicy, EngineBuilder};
///
/// let seldom = CompactionPolicy {
///     small_neighbours: 64,
///     ..CompactionPolicy::default()
/// };
/// let builder = EngineBuilder::new().compaction(seldom);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionPolicy {
    /// Whether there is background compaction at all. Without it rows of small commits stay inlined in the log, and in
    /// the memory of each engine. Default: true.
    pub automatic: bool,
    /// The number of adjacent small files, of about one size, that are merged into one. Default: 3.
    pub small_neighbours: usize,
    /// The number of a table's rows inlined in the log at which the rows are moved to a file. Default: 8192.
    pub rows_in_log: u64,
    /// The size in memory of a table's rows inlined in the log, in bytes, at which the rows are moved to a file.
    /// Default: 4 MiB.
    pub bytes_in_log: u64,
    /// The percentage of deleted rows above which a file is rewritten, if at least 1024 rows are deleted. Default: 10.
    pub deleted_percent: u8,
    /// The number of indexes of the keys of files, of about one size, that are merged into one. Default: 16.
    pub key_indexes: usize,
}

impl CompactionPolicy {
    /// No background compaction.
    pub const MANUAL: Self = Self {
        automatic: false,
        ..Self::DEFAULT
    };
    const DEFAULT: Self = Self {
        automatic: true,
        small_neighbours: 3,
        rows_in_log: 8192,
        bytes_in_log: 4 << 20,
        deleted_percent: 10,
        key_indexes: 16,
    };
}

impl Default for CompactionPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// When an engine on [`StorageMode::Vortex`](crate::StorageMode::Vortex) looks for commits of other engines. It always
/// sees its own, and a commit is always checked against all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Refresh {
    /// Before every statement: one look at the folder, or one small request to the bucket.
    #[default]
    EveryStatement,
    /// Before a statement, if the last look was at least this long ago.
    Interval(Duration),
    /// Only when [`refresh`](crate::DataFusionEngine::refresh) is called.
    Manual,
}
