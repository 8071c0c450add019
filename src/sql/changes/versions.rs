//! One change, and the row that it makes.

use super::keys::NONE;
use super::values::ChangeBatch;
use crate::cdc::Obstacle;

/// Why a change cannot be applied.
#[derive(Debug)]
pub(super) enum Problem {
    /// The caller may skip the change.
    Obstacle(Obstacle, String),
    /// What `Changes::strict` forbids.
    Strict(&'static str),
}

/// One change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub batch: usize,
    pub row: usize,
    /// The numbers of its key, and of its key before; `NONE` if there is none.
    pub key: u32,
    pub old: u32,
}

impl Change {
    /// Fails if a value of the change does not fit, or if it has no key.
    pub fn check(self, batch: &ChangeBatch, has_key: bool) -> Result<(), Problem> {
        if let Some(why) = batch.bad.get(&self.row) {
            return Err(Problem::Obstacle(Obstacle::BadValue, why.clone()));
        }
        if has_key && self.key == NONE {
            let why = "the key has a NULL, so it names no row";
            return Err(Problem::Obstacle(Obstacle::NullKey, why.into()));
        }
        Ok(())
    }
}

/// The row that a version takes the columns from that its change does not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// There is none: the columns take their DEFAULT.
    Nothing,
    /// A row of the table: its index in [`Existing`].
    Existing(u32),
    Version(u32),
}

/// A row that a change made.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowVersion {
    /// The change whose values it has; `None` if all of them come from the row before.
    pub sent: Option<(u32, u32)>,
    pub before: Before,
}

impl RowVersion {
    /// The row of a change. What the change does not send comes from the row `before`.
    pub fn new(batch: &ChangeBatch, change: Change, before: Before) -> Result<Self, Problem> {
        if before == Before::Nothing {
            if batch.is_partial(change.row) {
                let why =
                    "no row has this key, so the columns that it names as unchanged are not known";
                return Err(Problem::Obstacle(Obstacle::NoRow, why.into()));
            }
            if let Some(column) = &batch.unfillable {
                let why = format!(
                    "a new row needs column '{column}', which is NOT NULL, has no DEFAULT, and is missing from the changes"
                );
                return Err(Problem::Obstacle(Obstacle::BadValue, why));
            }
        }
        Ok(Self {
            sent: Some((change.batch as u32, change.row as u32)),
            before,
        })
    }

    /// A copy of another row.
    pub fn copy_of(before: Before) -> Self {
        Self { sent: None, before }
    }
}
