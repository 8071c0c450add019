//! All that differs between targets: the same names on every side, one file each.

#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{
    Instant, blocking, default_memory_limit_bytes, now, sleep, spawn, with_deep_stack, yield_now,
};
