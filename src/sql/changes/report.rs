//! What is reported of the changes of a table: counts, skipped changes, errors.

use arrow::buffer::BooleanBuffer;

use super::decode::Decoded;
use super::versions::Problem;
use crate::cdc::{Applied, Changes, Obstacle, SkippedChange};
use crate::error::DfOlapError;

/// The most skipped changes that are listed.
const MAX_LISTED: usize = 1000;

/// What is done with the changes of one table, and what is reported of them.
pub(super) struct Report<'a> {
    pub source: &'a str,
    /// The table, as the changes name it.
    pub table: &'a str,
    pub changes: &'a Changes,
    pub applied: &'a mut Applied,
}

impl Report<'_> {
    /// The source and the table, for errors.
    pub fn at(&self) -> String {
        format!("source '{}', table {}", self.source, self.table)
    }

    /// Counts a change that is left out, or fails.
    pub fn problem(
        &mut self,
        key: Option<String>,
        seq: Option<u64>,
        problem: Problem,
    ) -> Result<(), DfOlapError> {
        let key = key.map(|key| format!(" ({key})")).unwrap_or_default();
        let number = seq.map(|seq| format!(", _seq {seq}")).unwrap_or_default();
        let at = format!("{}{key}{number}", self.at());
        let (obstacle, why) = match problem {
            Problem::Obstacle(obstacle, why) => (obstacle, why),
            Problem::Strict(what) => {
                return Err(DfOlapError::Invalid(format!(
                    "{at}: {what}; without Changes::strict it is applied"
                )));
            }
        };
        if !self.changes.skip.contains(&obstacle) {
            return Err(DfOlapError::Invalid(format!(
                "{at}: {why}; to leave such changes out, call Changes::skip(Obstacle::{})",
                obstacle.name()
            )));
        }
        self.applied.skipped += 1;
        if self.applied.skips.len() < MAX_LISTED {
            self.applied.skips.push(SkippedChange {
                obstacle,
                message: format!("{at}: {why}"),
                table: self.table.to_string(),
                seq,
            });
        }
        Ok(())
    }

    /// Skips all changes of a table that does not exist, or fails.
    pub fn unknown_table(
        &mut self,
        batches: &[Decoded],
        active: &[BooleanBuffer],
    ) -> Result<(), DfOlapError> {
        if !self.changes.skip.contains(&Obstacle::UnknownTable) {
            let mut changes = batches.iter().zip(active);
            let first = changes.find_map(|(batch, active)| {
                let row = active.set_indices().next()?;
                batch.seq(row)
            });
            let first = first.map(|seq| format!(", _seq {seq}"));
            return Err(DfOlapError::TableNotFound(format!(
                "{} (source '{}'{}); create it, or call Changes::skip(Obstacle::UnknownTable)",
                self.table,
                self.source,
                first.unwrap_or_default()
            )));
        }
        for (batch, active) in batches.iter().zip(active) {
            for row in active.set_indices() {
                let why = "there is no such table".to_string();
                let problem = Problem::Obstacle(Obstacle::UnknownTable, why);
                self.problem(None, batch.seq(row), problem)?;
            }
        }
        Ok(())
    }
}
