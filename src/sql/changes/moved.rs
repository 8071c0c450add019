//! Which row an update moves, where its old key stands for several.

use arrow::array::{Array, ArrayRef};

use super::rows::Existing;
use super::values::ChangeBatch;
use super::versions::{Before, Change, RowVersion};

/// Rows before the changes, and what the changes send.
pub(super) struct Rows<'a> {
    pub existing: &'a Existing,
    pub batches: &'a [ChangeBatch],
    /// The columns of the key.
    pub key: &'a [usize],
}

impl Rows<'_> {
    /// The place of the candidate in which most columns have the value that the change sends; the first of those with
    /// equally many. A row keeps its values when its key changes, but for those that the same statement sets.
    pub fn most_alike(
        &self,
        candidates: &[Before],
        change: Change,
        versions: &[RowVersion],
    ) -> usize {
        let mut best = (0, 0);
        if candidates.len() > 1 {
            for (place, candidate) in candidates.iter().enumerate() {
                let alike = self.alike(*candidate, change, versions);
                if alike > best.1 {
                    best = (place, alike);
                }
            }
        }
        best.0
    }

    /// The number of columns in which a row has the value that the change sends.
    fn alike(&self, row: Before, change: Change, versions: &[RowVersion]) -> usize {
        let batch = &self.batches[change.batch];
        let columns = (0..batch.columns()).filter(|column| {
            if self.key.contains(column) || !batch.sends(*column, change.row) {
                return false;
            }
            let sent = batch.values(*column).map(|sent| sent.slice(change.row, 1));
            let there = self.value(*column, row, versions);
            // Arrays are equal where both are NULL.
            sent.zip(there).is_some_and(|(sent, there)| sent == there)
        });
        columns.count()
    }

    /// The value of a column in a row; `None` if it is not known.
    fn value(&self, column: usize, mut row: Before, versions: &[RowVersion]) -> Option<ArrayRef> {
        loop {
            match row {
                Before::Nothing => return None,
                Before::Existing(row) => {
                    let values = self.existing.column(column)?;
                    return Some(values.slice(row as usize, 1));
                }
                Before::Version(version) => {
                    let version = versions[version as usize];
                    if let Some((batch, row)) = version.sent
                        && self.batches[batch as usize].sends(column, row as usize)
                    {
                        let values = self.batches[batch as usize].values(column)?;
                        return Some(values.slice(row as usize, 1));
                    }
                    row = version.before;
                }
            }
        }
    }
}
