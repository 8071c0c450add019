//! The net effect of the changes of a table: what each key's row is after all of them, in their order.
//!
//! A change is applied to the row that its key has after the changes before it. An update that changes a key to that
//! of another row displaces that row: if only updates follow, and one of them moves this key, it moves the displaced
//! row. So two rows can swap their keys, and `id = id + 1` works, in whatever order a database that checks keys at the
//! end of a statement lists the rows. Where the update sends the values of the row that displaced it, and not its own,
//! that row moves: the other was replaced. An insert or a delete ends this, and an update of the key's row: a row that
//! is still displaced then is replaced by the row that displaced it.

use super::decode::Op;
use super::keys::NONE;
use super::moved::Rows;
use super::rows::Found;
use super::values::ChangeBatch;
use super::versions::{Before, Change, Problem, RowVersion};
use crate::cdc::{Applied, Obstacle};

/// What the row of a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Absent,
    /// The table's own row.
    Existing,
    /// A row that a change made: the index of a version.
    Version(u32),
}

#[derive(Debug)]
struct KeyState {
    /// The table's rows with this key: several if rows were added without a check of the key.
    existing: Vec<Found>,
    /// Whether the table had no row with this key.
    is_new: bool,
    now: Content,
    /// Rows that another row's change of its key displaced, until their own change comes.
    displaced: Vec<Content>,
}

/// The rows of a table while changes are applied.
pub(super) struct Net<'a> {
    rows: Rows<'a>,
    states: Vec<KeyState>,
    /// The keys from which rows are displaced.
    displaced: Vec<u32>,
    /// Rows of a table without a key.
    keyless: Vec<u32>,
    has_key: bool,
    strict: bool,
    pub versions: Vec<RowVersion>,
    /// Whether all rows of the table are deleted, beside the rows of the keys.
    pub truncated: bool,
}

impl<'a> Net<'a> {
    /// No changes yet.
    pub fn new(rows: Rows<'a>, strict: bool) -> Self {
        let states = rows
            .existing
            .found
            .iter()
            .cloned()
            .map(|existing| KeyState {
                now: match existing.is_empty() {
                    true => Content::Absent,
                    false => Content::Existing,
                },
                is_new: existing.is_empty(),
                existing,
                displaced: Vec::new(),
            });
        Self {
            states: states.collect(),
            displaced: Vec::new(),
            keyless: Vec::new(),
            has_key: !rows.key.is_empty(),
            rows,
            strict,
            versions: Vec::new(),
            truncated: false,
        }
    }

    /// Applies a change and counts it. If there is a problem, the change changed nothing.
    pub fn apply(
        &mut self,
        batch: &ChangeBatch,
        change: Change,
        applied: &mut Applied,
    ) -> Result<(), Problem> {
        let op = batch.decoded.ops[change.row];
        if !self.has_key && !matches!(op, Op::Insert | Op::Truncate) {
            let why = "the table has no PRIMARY KEY, by which its row would be found; declare one";
            return Err(Problem::Obstacle(Obstacle::NoKey, why.into()));
        }
        if op != Op::Truncate {
            change.check(batch, self.has_key)?;
        }
        // Whether the table has no row of its key before the change.
        let is_new = change.key != NONE && self.state(change.key).now == Content::Absent;
        match op {
            Op::Truncate => self.truncate(applied),
            Op::Insert if !self.has_key => {
                let version = self.version(batch, change, Before::Nothing)?;
                self.keyless.push(version);
                applied.inserted += 1;
            }
            Op::Insert => self.insert(batch, change, applied)?,
            Op::Upsert if change.old == NONE => self.upsert(batch, change, applied)?,
            Op::Update | Op::Upsert => self.update(batch, change, op, applied)?,
            Op::Delete => self.delete(change, applied)?,
        }
        match op {
            Op::Update | Op::Upsert if change.old != NONE => {}
            Op::Update => self.state(change.key).displaced.clear(),
            Op::Upsert if !is_new => self.state(change.key).displaced.clear(),
            Op::Insert | Op::Upsert | Op::Delete | Op::Truncate => self.settle(),
        }
        Ok(())
    }

    fn insert(
        &mut self,
        batch: &ChangeBatch,
        change: Change,
        applied: &mut Applied,
    ) -> Result<(), Problem> {
        let is_there = self.state(change.key).now != Content::Absent;
        if is_there && self.strict {
            return Err(Problem::Strict("an insert of a key that is there"));
        }
        // An insert is a whole row: what it does not send takes its DEFAULT.
        let before = match batch.is_partial(change.row) {
            true => self.before(change.key),
            false => Before::Nothing,
        };
        self.write(batch, change, before)?;
        match is_there {
            true => applied.replaced += 1,
            false => applied.inserted += 1,
        }
        Ok(())
    }

    fn upsert(
        &mut self,
        batch: &ChangeBatch,
        change: Change,
        applied: &mut Applied,
    ) -> Result<(), Problem> {
        let before = self.before(change.key);
        self.write(batch, change, before)?;
        match before {
            Before::Nothing => applied.inserted += 1,
            _ => applied.replaced += 1,
        }
        Ok(())
    }

    fn update(
        &mut self,
        batch: &ChangeBatch,
        change: Change,
        op: Op,
        applied: &mut Applied,
    ) -> Result<(), Problem> {
        let is_upsert = op == Op::Upsert;
        let (from, place, moved) = match change.old {
            NONE => (change.key, None, self.state(change.key).now),
            old => {
                let (place, moved) = self.moved(old, change);
                (old, Some(place), moved)
            }
        };
        if moved == Content::Absent {
            if self.strict && !is_upsert {
                return Err(Problem::Strict("an update of a row that is not there"));
            }
            // If the key changed, the row may have moved before: then it is at its new key.
            let before = self.before(change.key);
            self.write(batch, change, before)?;
            match before {
                Before::Nothing if is_upsert => applied.inserted += 1,
                Before::Nothing => applied.absent_updates += 1,
                _ if is_upsert => applied.replaced += 1,
                _ => applied.updated += 1,
            }
            return Ok(());
        }
        let before = self.before_of(moved, from);
        let version = self.version(batch, change, before)?;
        if let Some(place) = place {
            let state = self.state(from);
            if place < state.displaced.len() {
                state.displaced.remove(place);
            } else {
                // Those that it displaced were replaced.
                state.displaced.clear();
                state.now = Content::Absent;
            }
            let occupant = self.state(change.key).now;
            if occupant != Content::Absent && !self.rows.keys_by_row {
                self.state(change.key).displaced.push(occupant);
                self.displaced.push(change.key);
            }
        }
        self.state(change.key).now = Content::Version(version);
        match is_upsert {
            true => applied.replaced += 1,
            false => applied.updated += 1,
        }
        Ok(())
    }

    fn delete(&mut self, change: Change, applied: &mut Applied) -> Result<(), Problem> {
        if self.state(change.key).now == Content::Absent {
            if self.strict {
                return Err(Problem::Strict("a delete of a row that is not there"));
            }
            applied.absent_deletes += 1;
            return Ok(());
        }
        self.state(change.key).now = Content::Absent;
        applied.deleted += 1;
        Ok(())
    }

    fn truncate(&mut self, applied: &mut Applied) {
        applied.truncated += 1;
        self.truncated = true;
        self.keyless.clear();
        for state in &mut self.states {
            state.existing.clear();
            state.now = Content::Absent;
            state.displaced.clear();
        }
    }

    /// Lets go of the rows that are displaced.
    fn settle(&mut self) {
        for key in std::mem::take(&mut self.displaced) {
            self.state(key).displaced.clear();
        }
    }

    fn state(&mut self, key: u32) -> &mut KeyState {
        &mut self.states[key as usize]
    }

    /// The row that a change of this key to another moves, and its place among those that are displaced from the key;
    /// a place after them is that of the row that is there.
    fn moved(&self, key: u32, change: Change) -> (usize, Content) {
        let state = &self.states[key as usize];
        let there = (state.now != Content::Absent).then_some(state.now);
        let candidates = state.displaced.iter().copied().chain(there);
        let candidates: Vec<Content> = candidates.collect();
        let before = candidates.iter().map(|of| self.before_of(*of, key));
        let before: Vec<Before> = before.collect();
        let place = self.rows.most_alike(&before, change, &self.versions);
        (
            place,
            candidates.get(place).copied().unwrap_or(Content::Absent),
        )
    }

    /// The row of a key, for a change that keeps some of its columns.
    fn before(&self, key: u32) -> Before {
        self.before_of(self.states[key as usize].now, key)
    }

    /// The row of the key's content; the last one, if the table has several.
    fn before_of(&self, content: Content, key: u32) -> Before {
        match content {
            Content::Absent => Before::Nothing,
            Content::Existing => match self.states[key as usize].existing.last() {
                Some(found) => Before::Existing(found.row),
                None => Before::Nothing,
            },
            Content::Version(version) => Before::Version(version),
        }
    }

    /// Makes the row of the change the row of its key.
    fn write(
        &mut self,
        batch: &ChangeBatch,
        change: Change,
        before: Before,
    ) -> Result<(), Problem> {
        let version = self.version(batch, change, before)?;
        self.state(change.key).now = Content::Version(version);
        Ok(())
    }

    /// Makes a row of a change.
    fn version(
        &mut self,
        batch: &ChangeBatch,
        change: Change,
        before: Before,
    ) -> Result<u32, Problem> {
        self.versions.push(RowVersion::new(batch, change, before)?);
        Ok(self.versions.len() as u32 - 1)
    }

    /// The addresses of the table's rows that are replaced or deleted.
    pub fn dead(&self) -> impl Iterator<Item = u64> + '_ {
        let touched = self
            .states
            .iter()
            .filter(|state| state.now != Content::Existing);
        touched.flat_map(|state| state.existing.iter().map(|found| found.address))
    }

    /// Whether a row gets a key that the table did not have.
    pub fn adds_keys(&self) -> bool {
        let mut states = self.states.iter();
        states.any(|state| state.is_new && matches!(state.now, Content::Version(_)))
    }

    /// The versions that are rows of the table at the end, in the order of their changes.
    pub fn written(&self) -> Vec<u32> {
        let keyed = self.states.iter().filter_map(|state| match state.now {
            Content::Version(version) => Some(version),
            _ => None,
        });
        let mut written: Vec<u32> = keyed.chain(self.keyless.iter().copied()).collect();
        written.sort_unstable();
        written
    }
}
