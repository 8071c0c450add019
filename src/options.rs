//! [`StatementOptions`]: what one statement brings along; [`CancelHandle`]: how it is stopped; and how a durable store
//! behaves.

use std::time::Duration;

use datafusion::common::ParamValues;
use tokio_util::sync::CancellationToken;

/// What one statement brings along: parameters, a deadline, a handle to cancel it.
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
}

impl StatementOptions {
    /// No parameters, the engine's deadline, no handle.
    pub fn new() -> Self {
        Self::default()
    }

    /// The values of `$1`, `$2` … (a `Vec<ScalarValue>`) or of `$name` (pairs of name and `ScalarValue`).
    pub fn params(mut self, params: impl Into<ParamValues>) -> Self {
        self.params = Some(params.into());
        self
    }

    /// A deadline for this statement, in place of the engine's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A handle that stops this statement.
    pub fn cancel(mut self, handle: &CancelHandle) -> Self {
        self.cancel = Some(handle.0.clone());
        self
    }
}

/// Stops the statements that were given it. A write that was stopped changed nothing.
#[derive(Debug, Clone, Default)]
pub struct CancelHandle(CancellationToken);

impl CancelHandle {
    /// A handle that was not used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops them; their calls and streams end with an error of kind [`Cancelled`](crate::ErrorKind::Cancelled).
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Completes when [`cancel`](Self::cancel) is called, or was.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// True once [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// What a loss of power may take from a database on a local disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: a write returns when it is on stable storage.
    #[default]
    Synced,
    /// The last commits, or the whole database: nothing is synced, so a write returns sooner. A crash of the program
    /// alone takes nothing.
    LostOnPowerFailure,
}

/// When tables of [`StorageMode::Vortex`](crate::StorageMode::Vortex) are compacted without being asked to: after a
/// commit of this engine, in the background, where one of the limits is reached. What is asked for by
/// [`compact`](crate::DataFusionEngine::compact) is done whatever this says.
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
    /// False: never. Rows of small commits then stay in the log's state, which every process holds in memory. Default:
    /// true.
    pub automatic: bool,
    /// So many neighbours with few rows become one file. Default: 16.
    pub small_neighbours: usize,
    /// So many rows of one table that still lie in the log go to a file. Default: 8192.
    pub rows_in_log: u64,
    /// Or so many bytes of them, as they are in memory. Default: 4 MiB.
    pub bytes_in_log: u64,
    /// A file is written again when more than so many percent of its rows, and at least 1024, were deleted. Default:
    /// 25.
    pub deleted_percent: u8,
}

impl CompactionPolicy {
    /// Nothing is compacted without being asked to.
    pub const MANUAL: Self = Self {
        automatic: false,
        ..Self::DEFAULT
    };
    const DEFAULT: Self = Self {
        automatic: true,
        small_neighbours: 16,
        rows_in_log: 8192,
        bytes_in_log: 4 << 20,
        deleted_percent: 25,
    };
}

impl Default for CompactionPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// When an engine on [`StorageMode::Vortex`](crate::StorageMode::Vortex) looks for what others committed. Its own
/// commits it always sees, and a write always meets what is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Refresh {
    /// Before every statement: one look at the folder, or one small request to the bucket.
    #[default]
    EveryStatement,
    /// Before a statement, where the last look is so long ago.
    Interval(Duration),
    /// Only when [`refresh`](crate::DataFusionEngine::refresh) is called.
    Manual,
}
