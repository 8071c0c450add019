//! What a caller says about events, and what it gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::TimeUnit;

use crate::cdc::{Changes, History};

/// What Debezium writes by default in place of a value that it does not send.
pub(super) const UNAVAILABLE: &str = "__debezium_unavailable_value";

/// Which tool wrote the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventFormat {
    /// `CdcEvent` of Rhei: `{"seq": …, "timestamp": …, "operation": "Insert", "table": …, "row_id": …, "old_data": …,
    /// "new_data": …}`.
    Rhei,
    /// Debezium's envelope, `{"before": …, "after": …, "source": …, "op": "c"}`, with or without `{"schema": …,
    /// "payload": …}` around it.
    Debezium,
    /// Rows of Debezium that `ExtractNewRecordState` flattened, with `__op` or `__deleted`, and `__table`.
    DebeziumFlattened,
    /// Maxwell: `{"database": …, "table": …, "type": "insert", "data": …, "old": …}`.
    Maxwell,
    /// Flat messages of Canal: `{"database": …, "table": …, "type": "INSERT", "data": […], "old": […]}`.
    Canal,
    /// The format version 2 of wal2json: `{"action": "I", "schema": …, "table": …, "columns": […], "identity": […]}`.
    Wal2json,
}

impl EventFormat {
    /// The name of the format in messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rhei => "Rhei",
            Self::Debezium => "Debezium",
            Self::DebeziumFlattened => "flattened Debezium",
            Self::Maxwell => "Maxwell",
            Self::Canal => "Canal",
            Self::Wal2json => "wal2json",
        }
    }
}

/// How Debezium writes decimals where its events have no schema that tells (`decimal.handling.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecimalEncoding {
    /// `precise`: the unscaled number in Base64. Its scale is that of the table's column.
    Base64,
    /// `string` and `double`: a decimal as text or number.
    Text,
}

/// How Debezium writes bytes (`binary.handling.mode`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BytesEncoding {
    /// `bytes` and `base64`.
    #[default]
    Base64,
    /// `base64-url-safe`.
    Base64Url,
    /// `hex`.
    Hex,
}

/// How the events of a tool are read: goes into [`read_changes`](crate::DataFusionEngine::read_changes).
///
/// ```
/// use rhei_datafusion::arrow::datatypes::TimeUnit;
/// use rhei_datafusion::{DecimalEncoding, EventFormat, EventReader};
///
/// let reader = EventReader::new(EventFormat::Debezium)
///     .seqs([120_400, 120_401, 120_403]) // the Kafka offsets of three events
///     .decimals(DecimalEncoding::Text)
///     .time_unit(TimeUnit::Microsecond);
/// # let _ = reader;
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct EventReader {
    pub(super) format: EventFormat,
    pub(super) first_seq: Option<u64>,
    pub(super) seqs: Option<Arc<[u64]>>,
    pub(super) tables: BTreeMap<String, String>,
    pub(super) histories: BTreeMap<String, History>,
    pub(super) only_table: Option<String>,
    pub(super) decimals: Option<DecimalEncoding>,
    pub(super) time_unit: Option<TimeUnit>,
    pub(super) time_units: BTreeMap<String, TimeUnit>,
    pub(super) wraps_unsigned: bool,
    pub(super) ignores_tombstones: bool,
    pub(super) bytes: BytesEncoding,
    pub(super) unavailable: String,
    pub(super) ignores_ddl: bool,
}

impl EventReader {
    /// A reader of this format. A row goes to the table that has the name of its table in the source.
    pub fn new(format: EventFormat) -> Self {
        Self {
            format,
            first_seq: None,
            seqs: None,
            tables: BTreeMap::new(),
            histories: BTreeMap::new(),
            only_table: None,
            decimals: None,
            time_unit: None,
            time_units: BTreeMap::new(),
            wraps_unsigned: false,
            ignores_tombstones: false,
            bytes: BytesEncoding::Base64,
            unavailable: UNAVAILABLE.to_string(),
            ignores_ddl: false,
        }
    }

    /// Numbers the events from `seq`: the first event has this `_seq`, and each event after it one more, also those
    /// that are no row changes. An event needs the same number whenever it comes again, so this is for events without
    /// gaps; the offsets of a Kafka partition have gaps where transactions end or records were compacted, which
    /// [`seqs`](Self::seqs) is for. Without either call events of Rhei have their own numbers, and the others none:
    /// then [`Changes::upto`] says how far they go.
    pub fn first_seq(mut self, seq: u64) -> Self {
        self.first_seq = Some(seq);
        self
    }

    /// The numbers of the events, one for each, in their order and not falling: the offsets of Kafka records, for
    /// example.
    pub fn seqs(mut self, seqs: impl Into<Vec<u64>>) -> Self {
        self.seqs = Some(seqs.into().into());
        self
    }

    /// Rows of the source's table `from`, as `table`, `database.table` or `schema.table`, go to the table `to`.
    pub fn table(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.tables.insert(from.into(), to.into());
        self
    }

    /// All rows go to this table: for flattened events that do not name theirs.
    pub fn only_table(mut self, table: impl Into<String>) -> Self {
        self.only_table = Some(table.into());
        self
    }

    /// This table of the engine keeps the history of its rows; the time of a change is that of its event.
    pub fn history(mut self, table: impl Into<String>, of: History) -> Self {
        self.histories.insert(table.into(), of);
        self
    }

    /// How Debezium's events without a schema write decimals. Without this call, a text in the place of a decimal is an
    /// error, because it may be either.
    pub fn decimals(mut self, encoding: DecimalEncoding) -> Self {
        self.decimals = Some(encoding);
        self
    }

    /// The unit of times that Debezium's events without a schema write as numbers: milliseconds for a precision up to 3
    /// and for `time.precision.mode=connect`, microseconds for 4 to 6. Without this call, such a number in a column of
    /// times is an error, because its unit is not known. A number in a column of dates is one of days.
    pub fn time_unit(mut self, unit: TimeUnit) -> Self {
        self.time_unit = Some(unit);
        self
    }

    /// The unit of one column, as `column` or `table.column` of the source, where it is not that of
    /// [`time_unit`](Self::time_unit): MySQL's TIME, for example, is in microseconds whatever its precision is.
    pub fn time_unit_of(mut self, column: impl Into<String>, unit: TimeUnit) -> Self {
        self.time_units.insert(column.into(), unit);
        self
    }

    /// A negative number in a column of unsigned 64-bit integers is one of 2^63 and more, as Debezium writes them with
    /// `bigint.unsigned.handling.mode=long`. Without this call it does not fit its column.
    pub fn wrapped_unsigned(mut self) -> Self {
        self.wraps_unsigned = true;
        self
    }

    /// Leaves out flattened events without a value, because each delete comes as a row with `__deleted` before it
    /// (`delete.tombstone.handling.mode=rewrite-with-tombstone`). Without this call such an event is an error, because
    /// it may be all that there is of a delete, and does not tell of which row.
    pub fn ignore_tombstones(mut self) -> Self {
        self.ignores_tombstones = true;
        self
    }

    /// How Debezium's events write bytes.
    pub fn bytes(mut self, encoding: BytesEncoding) -> Self {
        self.bytes = encoding;
        self
    }

    /// What Debezium's events write for a value that did not change and was not sent
    /// (`unavailable.value.placeholder`), if it is not `__debezium_unavailable_value`.
    pub fn unavailable(mut self, placeholder: impl Into<String>) -> Self {
        self.unavailable = placeholder.into();
        self
    }

    /// Leaves out events that say that a table or database was created, altered or dropped, and counts them. Without
    /// this call they are an error: the engine does not change its tables as the source does.
    pub fn ignore_ddl(mut self) -> Self {
        self.ignores_ddl = true;
        self
    }
}

/// What [`read_changes`](crate::DataFusionEngine::read_changes) read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReadChanges {
    /// The row changes, for [`apply_changes`](crate::DataFusionEngine::apply_changes).
    pub changes: Changes,
    /// The number of events.
    pub events: u64,
    /// The number of row changes.
    pub rows: u64,
    /// The events that are no row changes, by their kind.
    pub ignored: BTreeMap<IgnoredEvent, u64>,
}

/// An event that is no row change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IgnoredEvent {
    /// The begin or end of a transaction.
    Transaction,
    /// A sign of life.
    Heartbeat,
    /// The begin or end of a copy of a table.
    Snapshot,
    /// A message of a program in the source's log.
    Message,
    /// The event without a value that follows a delete.
    Tombstone,
    /// A table or database was created, altered or dropped: see [`EventReader::ignore_ddl`].
    Ddl,
}

impl IgnoredEvent {
    /// The kind, in the face for JavaScript.
    #[allow(dead_code, reason = "the face for JavaScript asks")]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Heartbeat => "heartbeat",
            Self::Snapshot => "snapshot",
            Self::Message => "message",
            Self::Tombstone => "tombstone",
            Self::Ddl => "ddl",
        }
    }
}
