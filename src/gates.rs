//! [`Gates`]: a per-table lock for statements that have lost too many optimistic commits.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// One lock per table that is being written: writers take the lock shared, and a writer after too many conflicts takes
/// it exclusively.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<HashMap<String, Arc<tokio::sync::RwLock<()>>>>);

impl Gates {
    pub fn of(&self, table: &str) -> Arc<tokio::sync::RwLock<()>> {
        let mut gates = self.0.lock();
        if let Some(gate) = gates.get(table) {
            return Arc::clone(gate);
        }
        gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        let gate = Arc::default();
        gates.insert(table.to_string(), Arc::clone(&gate));
        gate
    }
}
