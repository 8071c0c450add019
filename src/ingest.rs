//! The methods of [`DataFusionEngine`] for changes of another database.

use std::collections::BTreeMap;

use crate::cdc::{Applied, Changes};
use crate::engine::DataFusionEngine;
use crate::error::DfOlapError;
#[cfg(feature = "json")]
use crate::events::{EventReader, ReadChanges};
use crate::snapshot::Watermark;

impl DataFusionEngine {
    /// Applies row changes of a source (a database, a topic, a file of events: any name of 1 to 255 bytes) in one
    /// commit, together with the watermark of the source. Changes whose sequence number is not above the watermark
    /// were applied before and are left out, so a call whose outcome is unknown is simply made again, in the same or
    /// in other batches. Changes with the same sequence number belong into one call, and so do the changes of one
    /// transaction.
    ///
    /// For each key the changes are applied in their order, and the row that comes out is written once:
    ///
    /// - An insert or upsert of a key that is there replaces the row; an update of a row that is not there adds it; a
    ///   delete of such a row does nothing. Each is counted, and [`Changes::strict`] makes it an error.
    /// - An update that names columns as unchanged keeps their values as they are after the changes before it.
    /// - A changed key moves the row; a row that has the new key already is replaced, unless an update that follows,
    ///   with nothing but updates between, moves it. So swapped keys and `id = id + 1` come out right. In events of
    ///   databases that check keys row by row (Rhei, Maxwell, Canal) it is always replaced.
    /// - A table without a PRIMARY KEY takes inserts and truncates only.
    ///
    /// A value must fit its column without loss. Changes of one source that are applied by two callers at once are
    /// applied once.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// use std::sync::Arc;
    /// use rhei_datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
    /// use rhei_datafusion::{Changes, DataFusionEngine, OlapEngine, Progress};
    ///
    /// let engine = DataFusionEngine::new();
    /// engine.execute("CREATE TABLE users (id BIGINT PRIMARY KEY, name TEXT)").await?;
    /// let users = RecordBatch::try_from_iter([
    ///     ("_op", Arc::new(StringArray::from(vec!["insert", "insert", "delete"])) as ArrayRef),
    ///     ("_seq", Arc::new(UInt64Array::from(vec![1, 2, 3]))),
    ///     ("id", Arc::new(Int64Array::from(vec![1, 2, 1]))),
    ///     ("name", Arc::new(StringArray::from(vec![Some("Ada"), Some("Grace"), None]))),
    /// ])?;
    /// let changes = Changes::new().table("users", users).position("0/16B3748");
    /// let applied = engine.apply_changes("orders-db", changes.clone()).await?;
    /// assert_eq!((applied.inserted, applied.deleted), (2, 1));
    /// // A second time they change nothing.
    /// let again = engine.apply_changes("orders-db", changes).await?;
    /// assert_eq!(again.progress, Progress::Before);
    /// assert_eq!(engine.watermark("orders-db").await?.map(|at| at.seq), Some(3));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a change that cannot be applied, naming source, table, key and sequence number, and how to leave
    /// such changes out; for changes that do not begin where the watermark is ([`Changes::after`]); for columns that do
    /// not fit the table; for an unknown table. `Conflict` after 256 lost races. `ResourcesExhausted`, `Timeout`, and
    /// `Unavailable`, `Corrupt` and `Indeterminate` of a durable store. Nothing is applied then, but for
    /// `Indeterminate`: the same call, made again, settles it.
    ///
    /// # Cancel safety
    /// A dropped call leaves all of its changes or none; the watermark tells which.
    pub async fn apply_changes(
        &self,
        source: &str,
        changes: Changes,
    ) -> Result<Applied, DfOlapError> {
        self.calls.apply_changes(source, &changes).await
    }

    /// Reads the events of a change data capture tool, in JSON: one after the other (one in each line, for example), or
    /// as one list. Nothing is applied: the [`Changes`] go into [`apply_changes`](Self::apply_changes). Each value is
    /// read for the type that its column has now; columns and tables that are not there stay in the changes, whose
    /// policies decide. A value that does not fit its column is an [`Obstacle::BadValue`](crate::Obstacle) of its
    /// change.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// use rhei_datafusion::{DataFusionEngine, EventFormat, EventReader, OlapEngine};
    ///
    /// let engine = DataFusionEngine::new();
    /// engine.execute("CREATE TABLE users (id BIGINT PRIMARY KEY, name TEXT)").await?;
    /// let events = br#"
    ///     {"database":"shop","table":"users","type":"insert","ts":1764486000,"data":{"id":1,"name":"Ada"}}
    ///     {"database":"shop","table":"users","type":"update","ts":1764486001,"data":{"id":1,"name":"Grace"},
    ///      "old":{"name":"Ada"}}
    /// "#;
    /// let reader = EventReader::new(EventFormat::Maxwell).first_seq(1);
    /// let read = engine.read_changes(&reader, events).await?;
    /// assert_eq!((read.events, read.rows), (2, 2));
    /// let applied = engine.apply_changes("shop", read.changes).await?;
    /// assert_eq!((applied.inserted, applied.updated, applied.watermark), (1, 1, Some(2)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a text that is no JSON and for an event that is none of its format or cannot be read without more
    /// [options](EventReader), naming its number; `Unavailable` and `Corrupt`, of a durable store.
    ///
    /// # Cancel safety
    /// A call that is dropped stops; nothing is changed.
    #[cfg(feature = "json")]
    pub async fn read_changes(
        &self,
        reader: &EventReader,
        events: impl AsRef<[u8]>,
    ) -> Result<ReadChanges, DfOlapError> {
        self.calls.read_changes(reader, events.as_ref()).await
    }

    /// The watermark of a source; `None` if it has none.
    ///
    /// # Errors
    /// `Unavailable` and `Corrupt`, of a durable store.
    ///
    /// # Cancel safety
    /// A call that is dropped stops; nothing is changed.
    pub async fn watermark(&self, source: &str) -> Result<Option<Watermark>, DfOlapError> {
        Ok(self.watermarks().await?.remove(source))
    }

    /// The watermarks of all sources, by name.
    ///
    /// # Errors
    /// `Unavailable` and `Corrupt`, of a durable store.
    ///
    /// # Cancel safety
    /// A call that is dropped stops; nothing is changed.
    pub async fn watermarks(&self) -> Result<BTreeMap<String, Watermark>, DfOlapError> {
        self.calls.watermarks().await
    }

    /// Sets the watermark of a source to a sequence number, or removes it: where its changes begin that are applied
    /// next. For a source whose rows were loaded in another way, or whose numbers begin anew. The rows of the tables
    /// stay, and the position is forgotten.
    ///
    /// # Errors
    /// `Invalid` for a name that is not 1 to 255 bytes long; `Unavailable`, `Corrupt` and `Indeterminate`, of a durable
    /// store.
    ///
    /// # Cancel safety
    /// A dropped call sets the watermark or not.
    pub async fn reset_watermark(
        &self,
        source: &str,
        to: impl Into<Option<u64>>,
    ) -> Result<(), DfOlapError> {
        self.calls.reset_watermark(source, to.into()).await
    }
}
