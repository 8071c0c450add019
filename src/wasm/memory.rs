//! The memory pool of statements in the browser, which share the heap with the tables.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

use crate::error::DfOlapError;
use crate::runtime::{self, HEAP};
use crate::sql::ClosedRegistry;

/// The pool that statements reserve from, limited by the free room of the heap.
#[derive(Debug, Default)]
pub struct Memory {
    reserved: AtomicUsize,
}

impl Memory {
    pub fn runtime() -> Result<Arc<RuntimeEnv>, DfOlapError> {
        let builder = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(Self::default()))
            .with_disk_manager_builder(
                DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled),
            )
            .with_object_store_registry(Arc::new(ClosedRegistry::default()));
        Ok(Arc::new(builder.build()?))
    }
}

/// Sets the memory limit of tables and statements together, in bytes; 0 means the default.
pub fn set_limit(bytes: f64) {
    match bytes > 0.0 {
        true => HEAP.set_limit(bytes as usize),
        false => HEAP.set_limit(runtime::default_memory_limit_bytes()),
    }
}

pub fn report() -> [(&'static str, usize); 3] {
    [
        ("usedBytes", HEAP.used()),
        ("peakBytes", HEAP.peak()),
        ("limitBytes", HEAP.limit()),
    ]
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl MemoryPool for Memory {
    fn name(&self) -> &str {
        "heap"
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        self.reserved.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        self.reserved.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(
        &self,
        reservation: &MemoryReservation,
        additional: usize,
    ) -> Result<(), DataFusionError> {
        HEAP.check_room(additional)
            .map_err(DataFusionError::ResourcesExhausted)?;
        self.grow(reservation, additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.reserved.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(HEAP.limit())
    }
}
