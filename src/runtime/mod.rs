//! All that differs between targets: the same names on every side, one file each.

#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(all(test, not(target_arch = "wasm32")))]
pub(crate) use native::blocking;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{Instant, default_memory_limit_bytes, now, sleep, with_deep_stack};
