//! Row changes of another database (change data capture): [`Changes`] goes into
//! [`apply_changes`](crate::DataFusionEngine::apply_changes), [`Applied`] comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use arrow::record_batch::RecordBatch;

use crate::snapshot::Version;

/// The reserved columns of a batch of changes, none of which is a column of the table.
pub mod columns {
    /// The operation of each row, as text: `insert` (`I`), `update` (`U`), `delete` (`D`), `upsert` (`P`) or `truncate`
    /// (`T`), in upper or lower case. Without this column each row is an upsert.
    pub const OP: &str = "_op";
    /// The sequence number of each row in its source, an integer from 0, never NULL, that does not fall from row to
    /// row.
    pub const SEQ: &str = "_seq";
    /// For each row the names of the columns that the source did not send, a list of text. NULL and an empty list mean
    /// that the row is whole.
    pub const UNCHANGED: &str = "_unchanged";
    /// The time of each change, in a table that keeps its [`History`](super::History): of the type of its column
    /// [`VALID_FROM`], or one that fits it without loss. Other tables do not need it.
    pub const AT: &str = "_at";
    /// The prefix of a key column's name: the value in that column before an update that changed the key. NULL means
    /// that the key did not change.
    pub const OLD: &str = "_old_";

    /// In a table that keeps its history: when the row became valid.
    pub const VALID_FROM: &str = "_rhei_valid_from";
    /// In a table that keeps its history: when the row ceased to be valid; NULL while it is.
    pub const VALID_TO: &str = "_rhei_valid_to";
    /// In a table that keeps its history: `I`, `U` or `D`, the change that made the row.
    pub const OPERATION: &str = "_rhei_operation";
}

/// Row changes of one source, for any number of tables, in the order in which the source made them.
///
/// A batch of changes has the columns of its table, in any order, and the reserved columns of [`columns`]. A name that
/// no column of the table has is that of the one column that is equal but for the case. A column of the table that is
/// missing keeps its value in updates and upserts of a row that is there, and takes its DEFAULT otherwise.
///
/// ```
/// use std::sync::Arc;
/// use rhei_datafusion::Changes;
/// use rhei_datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
///
/// let users = RecordBatch::try_from_iter([
///     ("_op", Arc::new(StringArray::from(vec!["insert", "delete"])) as ArrayRef),
///     ("_seq", Arc::new(UInt64Array::from(vec![41, 42]))),
///     ("id", Arc::new(Int64Array::from(vec![7, 3]))),
///     ("name", Arc::new(StringArray::from(vec![Some("Ada"), None]))),
/// ])
/// .unwrap();
/// let changes = Changes::new().table("users", users).after(40).position("binlog.000002:1234");
/// # let _ = changes;
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Changes {
    pub(crate) tables: Vec<TableChanges>,
    pub(crate) after: Option<u64>,
    pub(crate) upto: Option<u64>,
    pub(crate) position: Option<Vec<u8>>,
    pub(crate) unknown_columns: UnknownColumns,
    pub(crate) skip: BTreeSet<Obstacle>,
    pub(crate) strict: bool,
    /// Whether the source checks keys row by row: then a row that gets the key of another replaces it.
    pub(crate) keys_by_row: bool,
}

/// Changes of one table.
#[derive(Debug, Clone)]
pub(crate) struct TableChanges {
    pub table: String,
    pub rows: RecordBatch,
    pub history: Option<History>,
    /// The rows with a value that does not fit its column, and the reason: found where the batch was made.
    pub bad: BTreeMap<usize, String>,
}

/// Says that a table keeps the history of its rows (a slowly changing dimension of type 2): a change ends the row that
/// is valid and adds another one. The table has three columns for it, which the changes do not have:
///
/// ```sql
/// CREATE TABLE users (
///     id BIGINT, name TEXT,
///     _rhei_valid_from BIGINT NOT NULL,  -- when the row became valid: the change's `_at`
///     _rhei_valid_to BIGINT,             -- when it ceased to be; NULL while it is valid
///     _rhei_operation TEXT NOT NULL      -- 'I', 'U' or 'D'
/// )
/// ```
///
/// The two times may be of any type of integer or timestamp. Rows at time `T` are those `WHERE _rhei_valid_from <= T
/// AND (_rhei_valid_to IS NULL OR _rhei_valid_to > T) AND _rhei_operation <> 'D'`, in short `history_at('users', T)` in
/// FROM. A key has at most one row whose `_rhei_valid_to` is NULL.
///
/// A delete ends the row and adds one with the operation `D` and the last values, so that the delete can be told from
/// the end of the history. A truncate only ends all rows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct History {
    pub(crate) key: Vec<String>,
    pub(crate) tombstones: bool,
}

impl History {
    /// History of the rows that these columns identify.
    pub fn by<T: Into<String>>(key: impl IntoIterator<Item = T>) -> Self {
        Self {
            key: key.into_iter().map(Into::into).collect(),
            tombstones: true,
        }
    }

    /// Deletes add no row; they only end one.
    pub fn without_tombstones(mut self) -> Self {
        self.tombstones = false;
        self
    }
}

impl Changes {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds changes of a table. A table may be added several times; its changes are applied in the order of the calls.
    pub fn table(mut self, table: impl Into<String>, rows: RecordBatch) -> Self {
        self.tables.push(TableChanges {
            table: table.into(),
            rows,
            history: None,
            bad: BTreeMap::new(),
        });
        self
    }

    /// Adds changes of a table that keeps its history.
    pub fn history(mut self, table: impl Into<String>, of: History, rows: RecordBatch) -> Self {
        self.tables.push(TableChanges {
            table: table.into(),
            rows,
            history: Some(of),
            bad: BTreeMap::new(),
        });
        self
    }

    /// The sequence number after which these changes begin: what the caller believes is applied. It is an error if the
    /// watermark of the source is lower, because changes between are missing.
    pub fn after(mut self, seq: u64) -> Self {
        self.after = Some(seq);
        self
    }

    /// The sequence number up to which these changes are all changes of the source: the watermark after the call.
    /// Without this call it is the greatest `_seq`.
    pub fn upto(mut self, seq: u64) -> Self {
        self.upto = Some(seq);
        self
    }

    /// Where the source is to be read on from after these changes, at most 4,096 bytes that the engine does not
    /// interpret (Kafka offsets, an LSN, a GTID set). It becomes a part of the [`Watermark`](crate::Watermark).
    /// Changes without one keep the one that is there. If all of them were applied before, it is not stored.
    pub fn position(mut self, position: impl Into<Vec<u8>>) -> Self {
        self.position = Some(position.into());
        self
    }

    /// What happens with columns that the table does not have.
    pub fn unknown_columns(mut self, policy: UnknownColumns) -> Self {
        self.unknown_columns = policy;
        self
    }

    /// Leaves out changes that meet this obstacle, and lists them in [`Applied::skips`]; without this call, one such
    /// change is an error, and nothing is applied.
    pub fn skip(mut self, obstacle: Obstacle) -> Self {
        self.skip.insert(obstacle);
        self
    }

    /// Makes it an error if an insert finds its key in the table, or if an update or a delete does not find it. Without
    /// this call the row that is there is replaced, the updated row is added, and the delete does nothing; each is
    /// counted.
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }
}

/// What happens with columns of the changes that the table does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownColumns {
    /// They are an error.
    #[default]
    Refuse,
    /// They become columns of the table, NULL in the rows that are there, in the same commit.
    /// One of the type Null, which has no values, is ignored.
    Add,
    /// They are left out, and listed in [`Applied::ignored_columns`].
    Ignore,
}

/// Why a change cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Obstacle {
    /// The table does not exist.
    UnknownTable,
    /// An update, upsert or delete in a table that has no PRIMARY KEY.
    NoKey,
    /// The key has a NULL.
    NullKey,
    /// No row has the key of a change that names columns as unchanged, so their values are not known.
    NoRow,
    /// A value does not fit its column.
    BadValue,
}

impl Obstacle {
    /// The name of the variant, as a program writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::UnknownTable => "UnknownTable",
            Self::NoKey => "NoKey",
            Self::NullKey => "NullKey",
            Self::NoRow => "NoRow",
            Self::BadValue => "BadValue",
        }
    }
}

/// Whether changes were applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// All of them, now.
    #[default]
    Now,
    /// Some of them now, because the watermark says that the others were applied before.
    Partly,
    /// All of them before: the watermark is as high as theirs. Nothing was changed.
    Before,
}

/// What [`apply_changes`](crate::DataFusionEngine::apply_changes) did. Each change is counted once: `before`,
/// `inserted`, `updated`, `replaced`, `deleted`, `truncated`, `absent_updates`, `absent_deletes` and `skipped` add up
/// to the number of changes in the call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Whether the changes were applied now or before.
    pub progress: Progress,
    /// The version of the commit, or the newest version if nothing had to be committed.
    pub version: Version,
    /// The watermark of the source after the call.
    pub watermark: Option<u64>,
    /// Changes that the watermark says were applied before.
    pub before: u64,
    /// Inserts and upserts of a key that was not there.
    pub inserted: u64,
    /// Updates of a row that was there.
    pub updated: u64,
    /// Inserts and upserts of a key that was there: the row was replaced.
    pub replaced: u64,
    /// Deletes of a row that was there.
    pub deleted: u64,
    /// Truncates.
    pub truncated: u64,
    /// Updates of a row that was not there: it was inserted.
    pub absent_updates: u64,
    /// Deletes of a row that was not there.
    pub absent_deletes: u64,
    /// Changes that were left out by [`Changes::skip`].
    pub skipped: u64,
    /// The first 1,000 of the changes that were left out.
    pub skips: Vec<SkippedChange>,
    /// The columns, as `table.column`, that were left out by [`UnknownColumns::Ignore`].
    pub ignored_columns: Vec<String>,
    /// The columns, as `table.column`, that were added by [`UnknownColumns::Add`].
    pub added_columns: Vec<String>,
}

/// A change that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedChange {
    /// The reason.
    pub obstacle: Obstacle,
    /// The table, the key, the sequence number and the reason, as a sentence.
    pub message: String,
    /// The table, as the changes name it.
    pub table: String,
    /// The sequence number, if the changes have any.
    pub seq: Option<u64>,
}

impl fmt::Display for SkippedChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
