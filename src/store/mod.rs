//! Storage of fragments and commits. The layers above do not depend on which store is in use.
//!
//! A store has one current snapshot, which each commit replaces atomically. Native and wasm32 builds share the store
//! in [`memory`].

mod contract;
#[cfg(all(feature = "vortex", not(target_arch = "wasm32")))]
pub(crate) mod disk;
mod latch;
#[cfg(all(feature = "vortex", not(target_arch = "wasm32")))]
mod log;
mod memory;
mod settings;
mod tidy;
#[cfg(all(feature = "vortex", not(target_arch = "wasm32")))]
mod vortex;
#[cfg(not(all(feature = "vortex", not(target_arch = "wasm32"))))]
#[path = "no_vortex.rs"]
mod vortex;

pub(crate) use contract::{CommitOutcome, FileScan, Found, Store, Upkeep};
pub(crate) use latch::CommitLatch;
pub(crate) use memory::MemoryStore;
#[cfg(all(test, feature = "vortex", not(target_arch = "wasm32")))]
pub(crate) use settings::RetryPolicy;
pub(crate) use settings::VortexSettings;
#[cfg(all(test, feature = "vortex", not(target_arch = "wasm32")))]
pub(crate) use vortex::VortexStore;
#[cfg(all(fuzzing, feature = "vortex", not(target_arch = "wasm32")))]
pub use vortex::log_objects;
pub(crate) use vortex::open;
