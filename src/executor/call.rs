//! [`CallContext`]: what the statements of one call share; and calls on a thread of the engine.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::common::ParamValues;

use crate::error::DfOlapError;
use crate::options::StatementOptions;
use crate::runtime;
use crate::sql::{Session, Stop, is_short};
use crate::store::CommitLatch;

/// A text of this length or more is parsed and planned on a thread of the engine.
pub(super) const LONG_TEXT_BYTES: usize = 64 << 10;

/// The state that all statements of one call share: session, parameters, time, cancellation.
#[derive(Clone)]
pub(super) struct CallContext {
    pub session: Session,
    pub params: Option<ParamValues>,
    /// The value of `now()` in all statements of the call.
    pub now: DateTime<Utc>,
    pub stop: Arc<Stop>,
    /// Whether the text is long or deeply nested (not [`is_short`]).
    pub is_long: bool,
    /// Whether the rows of a plain INSERT replace those with the same key.
    pub replaces: bool,
}

impl CallContext {
    pub fn new(session: Session, sql: &str, options: StatementOptions) -> Self {
        let timeout = options.timeout.or(session.limits.timeout);
        Self {
            session,
            params: options.params,
            now: Utc::now(),
            stop: Arc::new(Stop::new(timeout, options.cancel)),
            is_long: !is_short(sql),
            replaces: options.replaces,
        }
    }

    /// Before a change of the session: the call is not stopped any more; fails if it was stopped before.
    pub fn change_session(&self) -> Result<(), DfOlapError> {
        match self.stop.latch().begin_commit() {
            true => Ok(()),
            false => Err(DfOlapError::Cancelled),
        }
    }
}

/// Runs `work` on a thread of the engine. If the caller is dropped, `work` may go on for a while, but changes nothing,
/// unless its commit has begun.
pub(super) async fn on_lane<T: Send + 'static>(
    latch: Arc<CommitLatch>,
    work: impl Future<Output = Result<T, DfOlapError>> + Send + 'static,
) -> Result<T, DfOlapError> {
    let _stop = StopOnDrop(latch);
    runtime::on_lane(work).await
}

struct StopOnDrop(Arc<CommitLatch>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
