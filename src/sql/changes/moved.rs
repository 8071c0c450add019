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
    /// Whether a row that gets the key of another replaces it, as where keys are checked row by row.
    pub keys_by_row: bool,
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
            let kept = self.kept(candidates, change, versions);
            for (place, candidate) in candidates.iter().enumerate() {
                let alike = self.alike(*candidate, &kept, change, versions);
                if alike > best.1 {
                    best = (place, alike);
                }
            }
        }
        best.0
    }

    /// The columns that the change sends, and that no candidate got from the change that made it: what a statement sets
    /// tells nothing of who a row is.
    fn kept(&self, candidates: &[Before], change: Change, versions: &[RowVersion]) -> Vec<usize> {
        let batch = &self.batches[change.batch];
        let is_set = |column: usize| {
            candidates.iter().any(|candidate| match candidate {
                Before::Version(version) => {
                    let before = versions[*version as usize].before;
                    let value = |row| self.value(column, row, versions);
                    before != Before::Nothing && value(*candidate) != value(before)
                }
                _ => false,
            })
        };
        let sent = (0..batch.columns()).filter(|column| batch.sends(*column, change.row));
        sent.filter(|column| !self.key.contains(column) && !is_set(*column))
            .collect()
    }

    /// In how many of the columns a row has the value that the change sends.
    fn alike(
        &self,
        row: Before,
        columns: &[usize],
        change: Change,
        versions: &[RowVersion],
    ) -> usize {
        let batch = &self.batches[change.batch];
        let columns = columns.iter().filter(|column| {
            let sent = batch.values(**column).map(|sent| sent.slice(change.row, 1));
            let there = self.value(**column, row, versions);
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
