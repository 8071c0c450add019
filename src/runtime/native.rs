//! Native platform shims: tokio's timers and tasks, growing stacks, the machine's memory.

use std::panic::AssertUnwindSafe;
use std::time::Duration;
pub(crate) use std::time::Instant;

use futures::FutureExt;
use tokio::runtime::Handle;

use crate::error::DfOlapError;

/// Completes after `duration`.
#[allow(clippy::disallowed_methods, reason = "the one place for tokio's timer")]
pub(crate) async fn sleep(duration: Duration) {
    let slept = AssertUnwindSafe(tokio::time::sleep(duration)).catch_unwind();
    if slept.await.is_err() {
        // A timer panics while its runtime shuts down. A task of that runtime ends at this yield; a caller outside of
        // the runtime goes on without the timer.
        yield_now().await;
    }
}

/// Runs `work`, which may block, on a thread where it blocks no other task.
#[allow(clippy::disallowed_methods, reason = "the one place for threads")]
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(std::io::Error::other)
}

/// Runs `work` to its end in a task of its own, even if the caller is dropped.
#[allow(clippy::disallowed_methods, reason = "the one place for tasks")]
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    match CALLERS.try_with(Option::clone) {
        Ok(Some(callers)) => callers.spawn(work),
        _ => tokio::spawn(work),
    };
}

tokio::task_local! {
    /// The runtime of the program, for work on a thread of the engine: a task for others must not run on a thread whose
    /// priority may be lowered.
    pub(super) static CALLERS: Option<Handle>;
}

/// Yields to other tasks of the same thread.
#[allow(clippy::disallowed_methods, reason = "the one place for tasks")]
pub(crate) async fn yield_now() {
    tokio::task::yield_now().await;
}

/// The time, for measuring.
#[allow(clippy::disallowed_methods, reason = "the one place for the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Runs `work` with enough stack to recurse: planning recurses as deep as a statement is nested or its chains are long.
pub(crate) fn with_deep_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE_BYTES, DEEP_STACK_BYTES, work)
}

/// Runs `work` on a stack of its own.
pub(crate) fn on_own_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::grow(DEEP_STACK_BYTES, work)
}

/// Enough stack for statements within the default limits.
const RED_ZONE_BYTES: usize = 1 << 20;
const DEEP_STACK_BYTES: usize = 32 << 20;

/// The maximum depth of a plan: visiting, running and dropping a plan recurse this deep, on a stack of [`STACK_BYTES`].
pub(crate) const PLAN_LEVELS: usize = 2_500;
/// The maximum nesting depth of queries; each query has several plan levels.
pub(crate) const QUERY_LEVELS: usize = 250;
/// The stack of a thread that runs plans.
pub(super) const STACK_BYTES: usize = 64 << 20;

/// The default memory limit of all queries together: three quarters of the machine's memory, or of the control group's
/// limit if that is lower.
pub(crate) fn default_memory_limit_bytes() -> usize {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let machine = system.total_memory();
    let group = system
        .cgroup_limits()
        .map_or(machine, |limits| limits.total_memory);
    let bytes = match machine.min(group) {
        0 => FALLBACK_MEMORY_BYTES,
        known => known / 4 * 3,
    };
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The memory limit on a system that does not report its memory.
const FALLBACK_MEMORY_BYTES: u64 = 2 << 30;

/// Always succeeds: natively the memory of tables has no limit.
pub(crate) fn check_room(_: usize) -> Result<(), DfOlapError> {
    Ok(())
}

/// Whether statements can spill to a disk.
pub(crate) const HAS_DISK: bool = true;
