//! The loop over the events of a text.

use std::collections::VecDeque;

use serde_json::value::RawValue;

use super::debezium_schema::Schemas;
use super::event::{Context, Event};
use super::json::short;
use super::options::{EventFormat, EventReader, IgnoredEvent, ReadChanges};
use super::tables::Tables;
use super::{canal, debezium, maxwell, rhei, wal2json};
use crate::error::DfOlapError;
use crate::snapshot::Snapshot;

/// The longest text of events: their values become arrays, of which some hold no more than 2 GiB.
const MAX_BYTES: usize = 1 << 30;

/// Events of which some are read.
pub(crate) struct Reading<'a> {
    events: Events<'a>,
    /// Events that were looked at, and are not read.
    ahead: VecDeque<serde_json::Result<&'a RawValue>>,
    context: Context<'a>,
    read: ReadChanges,
}

/// The events of a text.
enum Events<'a> {
    /// One after the other, with white space between them.
    Lines(serde_json::StreamDeserializer<'a, serde_json::de::StrRead<'a>, &'a RawValue>),
    List(std::vec::IntoIter<&'a RawValue>),
}

impl<'a> Iterator for Events<'a> {
    type Item = serde_json::Result<&'a RawValue>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::List(list) => list.next().map(Ok),
            Self::Lines(lines) => lines.next(),
        }
    }
}

impl<'a> Reading<'a> {
    /// Begins to read a text: events one after the other, or one list of events.
    pub fn new(
        reader: &'a EventReader,
        snapshot: &'a Snapshot,
        text: &'a [u8],
    ) -> Result<Self, DfOlapError> {
        if text.len() > MAX_BYTES {
            return Err(DfOlapError::ResourcesExhausted(format!(
                "the events have {} bytes, more than the {MAX_BYTES} of one call; read them in several calls",
                text.len()
            )));
        }
        let text = std::str::from_utf8(text).map_err(|error| {
            DfOlapError::Invalid(format!(
                "the events are not UTF-8 from byte {} on",
                error.valid_up_to()
            ))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let events = match text.trim_start().starts_with('[') {
            true => {
                let list: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
                    DfOlapError::Invalid(format!("the list of events: {error}"))
                })?;
                Events::List(list.into_iter())
            }
            false => Events::Lines(serde_json::Deserializer::from_str(text).into_iter()),
        };
        Ok(Self {
            events,
            ahead: VecDeque::new(),
            context: Context {
                reader,
                tables: Tables::new(reader, snapshot),
                schemas: Schemas::default(),
                seq: None,
                moved: None,
            },
            read: ReadChanges::default(),
        })
    }

    /// Reads at most `most` events. Returns whether there may be more.
    pub fn step(&mut self, most: usize) -> Result<bool, DfOlapError> {
        for _ in 0..most {
            let event = match self.ahead.pop_front() {
                None => self.events.next(),
                known => known,
            };
            let event = event.transpose();
            let event = event.map_err(|error| self.failed(None, &error.to_string()))?;
            let Some(event) = event else {
                return Ok(false);
            };
            if let Err(error) = self.take(event) {
                return Err(self.failed(Some(event), &error.to_string()));
            }
        }
        Ok(true)
    }

    /// The next row of the events behind a delete, if it is that of the delete under another key.
    fn moves(&mut self, delete: &RawValue) -> bool {
        if self.context.reader.format != EventFormat::Debezium || !debezium::may_move(delete) {
            return false;
        }
        // A tombstone may lie between.
        for place in 0..2 {
            if self.ahead.len() <= place {
                let Some(next) = self.events.next() else {
                    return false;
                };
                self.ahead.push_back(next);
            }
            match &self.ahead[place] {
                Ok(event) if event.get() == "null" => {}
                Ok(event) => return debezium::is_moved(delete, event),
                Err(_) => return false,
            }
        }
        false
    }

    /// The number of the event at this place.
    fn seq(&self, place: u64) -> Result<Option<u64>, DfOlapError> {
        let reader = self.context.reader;
        let invalid = |what: &str| DfOlapError::Invalid(what.to_string());
        if let Some(seqs) = &reader.seqs {
            let seq = usize::try_from(place)
                .ok()
                .and_then(|place| seqs.get(place));
            let seq = seq.ok_or_else(|| invalid("EventReader::seqs has no number for it"))?;
            return Ok(Some(*seq));
        }
        let Some(first) = reader.first_seq else {
            return Ok(None);
        };
        let seq = first.checked_add(place);
        seq.map(Some)
            .ok_or_else(|| invalid("its number is beyond 64 bits"))
    }

    fn take(&mut self, event: &'a RawValue) -> Result<(), DfOlapError> {
        let reader = self.context.reader;
        if self.moves(event) {
            self.context.moved = Some(event);
            self.read.events += 1;
            return Ok(());
        }
        self.context.seq = self.seq(self.read.events)?;
        let context = &mut self.context;
        let found = match reader.format {
            EventFormat::Rhei => rhei::read(event, context)?,
            EventFormat::Debezium => debezium::read(event, context)?,
            EventFormat::DebeziumFlattened => debezium::read_flattened(event, context)?,
            EventFormat::Maxwell => maxwell::read(event, context)?,
            EventFormat::Canal => canal::read(event, context)?,
            EventFormat::Wal2json => wal2json::read(event, context)?,
        };
        if let Event::Ignored(kind) = found {
            if kind == IgnoredEvent::Ddl && !reader.ignores_ddl {
                return Err(DfOlapError::Invalid(
                    "it changes the source's tables, not their rows; change the engine's tables as needed, and call \
                     EventReader::ignore_ddl"
                        .to_string(),
                ));
            }
            *self.read.ignored.entry(kind).or_default() += 1;
        }
        self.read.events += 1;
        Ok(())
    }

    fn failed(&self, event: Option<&RawValue>, what: &str) -> DfOlapError {
        let format = self.context.reader.format.name();
        let number = self.read.events + 1;
        let shown = event.map(|event| format!(": {}", short(event.get(), 200)));
        DfOlapError::Invalid(format!(
            "event {number} ({format}): {what}{}",
            shown.unwrap_or_default()
        ))
    }

    /// What was read.
    pub fn finish(self) -> Result<ReadChanges, DfOlapError> {
        let known = self
            .context
            .reader
            .seqs
            .as_ref()
            .map_or(0, |seqs| seqs.len());
        if known as u64 > self.read.events {
            return Err(DfOlapError::Invalid(format!(
                "EventReader::seqs has {known} numbers, and there are {} events",
                self.read.events
            )));
        }
        let last = match self.read.events.checked_sub(1) {
            Some(last) => self.seq(last)?,
            None => None,
        };
        let mut read = self.read;
        read.rows = self.context.tables.rows;
        read.changes = self.context.tables.finish()?;
        if let Some(last) = last {
            read.changes = read.changes.upto(last);
        }
        // SQLite and MySQL.
        let format = self.context.reader.format;
        use EventFormat::{Canal, Maxwell, Rhei};
        read.changes.keys_by_row = matches!(format, Canal | Maxwell | Rhei);
        Ok(read)
    }
}
