//! [`BufferedRows`]: batches that a statement holds until it ends, accounted for in the memory pool.

use std::collections::HashSet;

use arrow::array::{Array, ArrayData};
use arrow::buffer::NullBuffer;
use arrow::record_batch::RecordBatch;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;

use crate::error::DfOlapError;

/// Batches held until their statement commits, accounted for in the memory pool.
#[derive(Debug)]
pub(crate) struct BufferedRows {
    pub batches: Vec<RecordBatch>,
    reservation: MemoryReservation,
    /// The addresses of the buffers already counted: slices and views share buffers.
    counted: HashSet<usize>,
}

impl BufferedRows {
    pub fn new(runtime: &RuntimeEnv) -> Self {
        Self {
            batches: Vec::new(),
            reservation: MemoryConsumer::new("rows to write").register(&runtime.memory_pool),
            counted: HashSet::new(),
        }
    }

    pub fn push(&mut self, batch: RecordBatch) -> Result<(), DfOlapError> {
        if batch.num_rows() > 0 {
            let columns = batch.columns().iter();
            let bytes = columns.map(|column| self.count(&column.to_data())).sum();
            self.reservation.try_grow(bytes)?;
            self.batches.push(batch);
        }
        Ok(())
    }

    /// The bytes of an array's buffers that were not counted before.
    fn count(&mut self, data: &ArrayData) -> usize {
        let nulls = data.nulls().map(NullBuffer::buffer);
        let mut bytes = 0;
        for buffer in data.buffers().iter().chain(nulls) {
            if self.counted.insert(buffer.data_ptr().as_ptr() as usize) {
                bytes += buffer.capacity();
            }
        }
        for child in data.child_data() {
            bytes += self.count(child);
        }
        bytes
    }

    pub fn rows(&self) -> u64 {
        self.batches.iter().map(|b| b.num_rows() as u64).sum()
    }
}
