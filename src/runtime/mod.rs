//! All that differs between targets: the same names on every side, one file each.

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
pub(crate) use lanes::elsewhere;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{
    DIRECT_ROWS, HAS_DISK, Instant, PLAN_LEVELS, PROBE_ROWS, QUERY_LEVELS, check_room,
    default_memory_limit_bytes, now, on_own_stack, sleep, with_deep_stack,
};
#[cfg(all(feature = "vortex", not(target_arch = "wasm32")))]
pub(crate) use native::{blocking, spawn, yield_now};
#[cfg(target_arch = "wasm32")]
pub use wasm::drive;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::{
    DIRECT_ROWS, HAS_DISK, Instant, PLAN_LEVELS, PROBE_ROWS, QUERY_LEVELS, check_room,
    default_memory_limit_bytes, elsewhere, now, on_own_stack, sleep, with_deep_stack,
};
#[cfg(all(target_arch = "wasm32", feature = "javascript"))]
pub(crate) use wasm::{HEAP, Slice, Slices};
