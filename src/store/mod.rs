//! Where fragments and commits live. Nothing above this layer knows which store it has.
//!
//! A store keeps one current snapshot and replaces it by exactly one atomic act, the commit. See [`memory`] for the
//! store that both targets share.

mod contract;
#[cfg(all(feature = "vortex", not(target_arch = "wasm32")))]
pub(crate) mod disk;
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
pub(crate) use memory::MemoryStore;
#[cfg(all(test, feature = "vortex", not(target_arch = "wasm32")))]
pub(crate) use settings::Patience;
pub(crate) use settings::VortexSettings;
#[cfg(all(test, feature = "vortex", not(target_arch = "wasm32")))]
pub(crate) use vortex::VortexStore;
pub(crate) use vortex::open;
