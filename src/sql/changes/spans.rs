//! When each row of a table that keeps its history begins and ends.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::decode::Op;
use super::keys::NONE;
use super::moved::Rows;
use super::values::ChangeBatch;
use super::versions::{Before, Change, Problem, RowVersion};
use crate::cdc::Applied;
use crate::error::DfOlapError;

/// The place of a change: its batch, and its row in it.
pub(super) type Place = (usize, usize);

/// An open row.
#[derive(Debug, Clone, Copy)]
enum Open {
    /// A row of the table: its index in [`Existing`].
    Existing(u32),
    Version(u32),
}

/// When a version begins and ends.
#[derive(Debug)]
pub(super) struct Span {
    pub operation: &'static str,
    pub from: Place,
    pub to: Option<Place>,
}

#[derive(Debug, Default)]
struct KeyState {
    open: Vec<Open>,
    /// The row of the key, for changes that keep some of its columns; `None` if the key has no row now.
    live: Option<Before>,
    /// Rows that another row's change of its key displaced, until their own change comes.
    displaced: Vec<Before>,
}

/// The rows of a table while changes are applied.
pub(super) struct Spans<'a> {
    rows: Rows<'a>,
    states: Vec<KeyState>,
    pub versions: Vec<RowVersion>,
    pub spans: Vec<Span>,
    /// The end of each row of the table that was open.
    pub ended: Vec<Option<Place>>,
    pub truncated: Option<Place>,
    /// The keys from which rows are displaced.
    displaced: Vec<u32>,
    tombstones: bool,
    strict: bool,
}

impl<'a> Spans<'a> {
    pub fn new(
        rows: Rows<'a>,
        operation: usize,
        tombstones: bool,
        strict: bool,
    ) -> Result<Self, DfOlapError> {
        let existing = rows.existing;
        let operations = existing.column(operation);
        let operations = operations.map(|of| cast(of, &DataType::Utf8)).transpose()?;
        let is_tombstone = |row: u32| {
            let operations = operations.as_ref().map(|of| of.as_string::<i32>());
            operations.is_some_and(|of| of.value(row as usize) == "D")
        };
        let states = existing.found.iter().map(|found| {
            let mut rows = found.iter().map(|found| found.row);
            KeyState {
                open: rows.clone().map(Open::Existing).collect(),
                live: rows.rfind(|row| !is_tombstone(*row)).map(Before::Existing),
                displaced: Vec::new(),
            }
        });
        Ok(Self {
            rows,
            states: states.collect(),
            versions: Vec::new(),
            spans: Vec::new(),
            ended: vec![None; existing.found.iter().map(Vec::len).sum()],
            truncated: None,
            displaced: Vec::new(),
            tombstones,
            strict,
        })
    }

    /// Applies a change and counts it. If there is a problem, the change changed nothing.
    pub fn apply(
        &mut self,
        batch: &ChangeBatch,
        change: Change,
        applied: &mut Applied,
    ) -> Result<(), Problem> {
        let op = batch.decoded.ops[change.row];
        let is_new = change.key != NONE && self.state(change.key).live.is_none();
        if op == Op::Truncate {
            self.truncate((change.batch, change.row));
            applied.truncated += 1;
        } else {
            change.check(batch, true)?;
            self.apply_to_key(batch, change, op, applied)?;
        }
        // As in a mirror: see `net`.
        match op {
            Op::Update | Op::Upsert if change.old != NONE => {}
            Op::Update => self.state(change.key).displaced.clear(),
            Op::Upsert if !is_new => self.state(change.key).displaced.clear(),
            Op::Insert | Op::Upsert | Op::Delete | Op::Truncate => {
                for key in std::mem::take(&mut self.displaced) {
                    self.state(key).displaced.clear();
                }
            }
        }
        Ok(())
    }

    fn apply_to_key(
        &mut self,
        batch: &ChangeBatch,
        change: Change,
        op: Op,
        applied: &mut Applied,
    ) -> Result<(), Problem> {
        let (place, there) = match change.old {
            NONE => (0, self.state(change.key).live),
            old => {
                let state = self.state(old);
                let candidates = state.displaced.iter().copied().chain(state.live);
                let candidates: Vec<Before> = candidates.collect();
                let place = self.rows.most_alike(&candidates, change, &self.versions);
                (place, candidates.get(place).copied())
            }
        };
        match (op, there) {
            (Op::Insert, Some(_)) if self.strict => {
                return Err(Problem::Strict("an insert of a key that is there"));
            }
            (Op::Update, None) if self.strict => {
                return Err(Problem::Strict("an update of a row that is not there"));
            }
            (Op::Delete, None) if self.strict => {
                return Err(Problem::Strict("a delete of a row that is not there"));
            }
            (Op::Delete, None) => {
                applied.absent_deletes += 1;
                return Ok(());
            }
            (Op::Delete, Some(last)) => {
                self.delete(change.key, last, change);
                applied.deleted += 1;
                return Ok(());
            }
            _ => {}
        }
        // If the key changed, the row may have moved before: then it is at its new key.
        let known = match op {
            Op::Insert => there,
            _ => there.or(self.state(change.key).live),
        };
        let before = match op {
            // An insert is a whole row: what it does not send takes its DEFAULT.
            Op::Insert if !batch.is_partial(change.row) => None,
            _ => known,
        };
        let version = RowVersion::new(batch, change, before.unwrap_or(Before::Nothing))?;
        if change.old != NONE
            && let Some(moved) = there
        {
            let state = self.state(change.old);
            if place < state.displaced.len() {
                // It has ended already.
                state.displaced.remove(place);
            } else {
                // Those that it displaced were replaced.
                state.displaced.clear();
                self.delete(change.old, moved, change);
            }
            if let Some(occupant) = self.state(change.key).live
                && !self.rows.keys_by_row
            {
                self.state(change.key).displaced.push(occupant);
                self.displaced.push(change.key);
            }
        }
        self.end_open(change.key, (change.batch, change.row));
        let operation = match (op, known) {
            (Op::Insert, _) | (Op::Upsert, None) => "I",
            _ => "U",
        };
        let version = self.begin(change.key, version, operation, change);
        self.state(change.key).live = Some(Before::Version(version));
        *match (op == Op::Update, known) {
            (true, Some(_)) => &mut applied.updated,
            (true, None) => &mut applied.absent_updates,
            (false, Some(_)) => &mut applied.replaced,
            (false, None) => &mut applied.inserted,
        } += 1;
        Ok(())
    }

    fn state(&mut self, key: u32) -> &mut KeyState {
        &mut self.states[key as usize]
    }

    /// Ends the row of a key and adds its tombstone.
    fn delete(&mut self, key: u32, last: Before, change: Change) {
        self.end_open(key, (change.batch, change.row));
        self.state(key).live = None;
        if self.tombstones {
            // All of its values come from the last row.
            let tombstone = RowVersion::copy_of(last);
            self.begin(key, tombstone, "D", change);
        }
    }

    /// Ends the open rows of a key.
    fn end_open(&mut self, key: u32, at: Place) {
        for open in std::mem::take(&mut self.state(key).open) {
            match open {
                Open::Existing(row) => self.ended[row as usize] = Some(at),
                Open::Version(version) => self.spans[version as usize].to = Some(at),
            }
        }
    }

    /// Begins a row of a key.
    fn begin(
        &mut self,
        key: u32,
        version: RowVersion,
        operation: &'static str,
        change: Change,
    ) -> u32 {
        let number = self.versions.len() as u32;
        self.versions.push(version);
        self.spans.push(Span {
            operation,
            from: (change.batch, change.row),
            to: None,
        });
        self.state(key).open.push(Open::Version(number));
        number
    }

    fn truncate(&mut self, at: Place) {
        self.truncated.get_or_insert(at);
        for key in 0..self.states.len() as u32 {
            self.end_open(key, at);
            let state = self.state(key);
            state.live = None;
            state.displaced.clear();
        }
    }
}
