//! Native platform shims: tokio's timers and tasks, growing stacks, the machine's memory.

use std::panic::AssertUnwindSafe;
use std::time::Duration;
pub(crate) use std::time::Instant;

use futures::FutureExt;

use crate::error::DfOlapError;

/// Completes after `duration`.
#[allow(clippy::disallowed_methods, reason = "the one place for tokio's timer")]
pub(crate) async fn sleep(duration: Duration) {
    let slept = AssertUnwindSafe(tokio::time::sleep(duration)).catch_unwind();
    if slept.await.is_err() {
        // A timer panics while its runtime is being shut down. A task ends here, where it gives up its turn; whoever
        // waits outside of the runtime goes on without the timer.
        yield_now().await;
    }
}

/// Runs `work`, which may block, where it holds up no other task.
#[allow(clippy::disallowed_methods, reason = "the one place for threads")]
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(std::io::Error::other)
}

/// Runs `work` to its end, whatever becomes of who waits for it.
#[allow(clippy::disallowed_methods, reason = "the one place for tasks")]
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

/// Lets other tasks of the same thread do something.
#[allow(clippy::disallowed_methods, reason = "the one place for tasks")]
pub(crate) async fn yield_now() {
    tokio::task::yield_now().await;
}

/// The time, for measuring.
#[allow(clippy::disallowed_methods, reason = "the one place for the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Runs `work` with room to recurse: planning goes as deep as a statement is nested or its chains are long.
pub(crate) fn with_deep_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE_BYTES, DEEP_STACK_BYTES, work)
}

/// Runs `work` on a stack of its own.
pub(crate) fn on_own_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::grow(DEEP_STACK_BYTES, work)
}

/// Enough for statements within the default limits.
const RED_ZONE_BYTES: usize = 1 << 20;
const DEEP_STACK_BYTES: usize = 32 << 20;

/// How deep a plan may be: what looks at it, runs it and ends it calls itself so often, on a stack of [`STACK_BYTES`].
pub(crate) const PLAN_LEVELS: usize = 2_500;
/// How deep queries may stand in one another, which have some levels each.
pub(crate) const QUERY_LEVELS: usize = 250;
/// The stack of a thread that runs plans.
pub(super) const STACK_BYTES: usize = 64 << 20;

/// What queries may use together when the builder says nothing: three quarters of the machine's memory, or of the
/// control group's limit where there is a lower one.
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

/// Where the system tells nothing of its memory.
const FALLBACK_MEMORY_BYTES: u64 = 2 << 30;

/// Fails where there is no room for so many bytes more; tables are not counted here.
pub(crate) fn check_room(_: usize) -> Result<(), DfOlapError> {
    Ok(())
}

/// Whether statements can spill to a disk.
pub(crate) const HAS_DISK: bool = true;
