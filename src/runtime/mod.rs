//! The platform shims: the same names for native targets ([`native`]) and for wasm32 ([`wasm`]).

use std::time::Duration;

#[cfg(not(target_arch = "wasm32"))]
mod lanes;
#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(not(target_arch = "wasm32"))]
mod turns;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(all(feature = "cloud-storage", not(target_arch = "wasm32")))]
pub(crate) use lanes::connections;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use lanes::{on_lane, on_worker};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{
    HAS_DISK, Instant, PLAN_LEVELS, QUERY_LEVELS, check_room, default_memory_limit_bytes, now,
    on_own_stack, sleep, with_deep_stack,
};
#[cfg(all(feature = "vortex", not(target_arch = "wasm32")))]
pub(crate) use native::{blocking, spawn, yield_now};
#[cfg(target_arch = "wasm32")]
pub use wasm::drive;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::{
    HAS_DISK, Instant, PLAN_LEVELS, QUERY_LEVELS, check_room, default_memory_limit_bytes, now,
    on_lane, on_own_stack, on_worker, sleep, with_deep_stack,
};
#[cfg(all(target_arch = "wasm32", feature = "javascript"))]
pub(crate) use wasm::{HEAP, Slice, Slices};

/// Whether all statements share one thread with the program around them.
pub(crate) const SINGLE_THREADED: bool = cfg!(target_arch = "wasm32");

/// The time after which long work yields to other tasks.
pub(crate) const TURN: Duration = Duration::from_millis(4);
