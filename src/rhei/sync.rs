//! [`NativeSync`]: the changes of a consumer of Rhei, by `apply_changes`.

use std::error::Error;
use std::fmt;

use rhei_core::types::{CdcEvent, SyncResult, SyncStatus};
use rhei_core::{CdcConsumer, SyncEngine};
use tokio::sync::Mutex;

use crate::cdc::{History, Obstacle, UnknownColumns};
use crate::engine::SharedDataFusionEngine;
use crate::error::DfOlapError;
use crate::events::{EventFormat, EventReader};

/// The events of a cycle, unless [`NativeSync::batch_size`] says another number.
const BATCH_SIZE: u32 = 10_000;

/// Copies changes from a consumer of Rhei into an engine, each exactly once: a cycle is one commit, with the number of
/// its last event as the watermark of the source inside. After a crash, or an error in the middle, the next cycle goes
/// on behind what the engine has.
///
/// It stands in the place of `rhei_sync::CdcSyncEngine`, for programs that put the parts of Rhei together themselves.
/// The tables are created before, with their PRIMARY KEY; a table that keeps its history is named by
/// [`history`](Self::history).
///
/// ```no_run
/// # async fn sync<C: rhei_core::CdcConsumer>(consumer: C) -> Result<(), Box<dyn std::error::Error>> {
/// use rhei_core::SyncEngine;
/// use rhei_datafusion::rhei::NativeSync;
/// use rhei_datafusion::{DataFusionEngine, SharedDataFusionEngine};
///
/// let engine = SharedDataFusionEngine::new(DataFusionEngine::new());
/// let sync = NativeSync::new(consumer, engine, "orders.db");
/// loop {
///     let done = sync.sync_once().await?;
///     if done.events_processed == 0 {
///         break;
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct NativeSync<C> {
    consumer: C,
    engine: SharedDataFusionEngine,
    source: String,
    reader: EventReader,
    batch_size: u32,
    prunes: bool,
    unknown_columns: UnknownColumns,
    skip: Vec<Obstacle>,
    /// Held by the cycle that runs.
    running: Mutex<()>,
}

impl<C: CdcConsumer> NativeSync<C> {
    /// The changes of a consumer for an engine. The watermark in the engine has the name of the source, any name of 1
    /// to 255 bytes.
    pub fn new(consumer: C, engine: SharedDataFusionEngine, source: impl Into<String>) -> Self {
        Self {
            consumer,
            engine,
            source: source.into(),
            reader: EventReader::new(EventFormat::Rhei),
            batch_size: BATCH_SIZE,
            prunes: true,
            unknown_columns: UnknownColumns::Refuse,
            skip: Vec::new(),
            running: Mutex::default(),
        }
    }

    /// A table keeps the history of its rows, with the columns that [`History`] describes. The time of a change is the
    /// `timestamp` of its event, in seconds.
    #[must_use]
    pub fn history(mut self, table: impl Into<String>, of: History) -> Self {
        self.reader = self.reader.history(table, of);
        self
    }

    /// How many events a cycle takes at most, 10,000 without this call. All of them are one commit.
    #[must_use]
    pub fn batch_size(mut self, events: u32) -> Self {
        self.batch_size = events.max(1);
        self
    }

    /// Whether the consumer forgets events that are applied, which it does without this call.
    #[must_use]
    pub fn prune_after_sync(mut self, prunes: bool) -> Self {
        self.prunes = prunes;
        self
    }

    /// What happens to a column that an event has and its table has not. Without this call the cycle ends with an
    /// error that names the column.
    #[must_use]
    pub fn unknown_columns(mut self, policy: UnknownColumns) -> Self {
        self.unknown_columns = policy;
        self
    }

    /// Leaves out events that meet this obstacle (a table that the engine has not, a NULL in a key), and logs how many.
    /// Without this call the cycle ends with an error, and no event behind such a one is applied.
    #[must_use]
    pub fn skip(mut self, obstacle: Obstacle) -> Self {
        self.skip.push(obstacle);
        self
    }

    /// The number of the last event that the engine has.
    async fn watermark(&self) -> Result<Option<i64>, NativeSyncError> {
        let Some(watermark) = self.engine.watermark(&self.source).await? else {
            return Ok(None);
        };
        match i64::try_from(watermark.seq) {
            Ok(seq) => Ok(Some(seq)),
            Err(_) => Err(DfOlapError::Invalid(format!(
                "the watermark of source '{}' is {}, which no event of Rhei can have; reset_watermark",
                self.source, watermark.seq
            ))
            .into()),
        }
    }

    /// The number of the newest event of the consumer, which must not be below the watermark.
    async fn latest(&self, watermark: Option<i64>) -> Result<Option<i64>, NativeSyncError> {
        let latest = self.consumer.latest_seq().await.map_err(of_consumer)?;
        match (latest, watermark) {
            (Some(latest), Some(watermark)) if latest < watermark => {
                Err(NativeSyncError::LogIsYounger {
                    source_name: self.source.clone(),
                    latest,
                    watermark,
                })
            }
            _ => Ok(latest),
        }
    }

    async fn apply(
        &self,
        events: &[CdcEvent],
        watermark: Option<i64>,
        last: i64,
    ) -> Result<SyncResult, NativeSyncError> {
        let events_as_json = serde_json::to_vec(events)
            .map_err(|error| DfOlapError::Invalid(format!("source '{}': {error}", self.source)))?;
        let read = self
            .engine
            .read_changes(&self.reader, events_as_json)
            .await?;
        let mut changes = read.changes.unknown_columns(self.unknown_columns);
        changes = changes.upto(u64::try_from(last).unwrap_or(0));
        if let Some(watermark) = watermark {
            changes = changes.after(u64::try_from(watermark).unwrap_or(0));
        }
        for obstacle in &self.skip {
            changes = changes.skip(*obstacle);
        }
        let applied = self.engine.apply_changes(&self.source, changes).await?;
        if applied.skipped > 0 {
            tracing::warn!(
                source = self.source,
                skipped = applied.skipped,
                upto = last,
                "events were left out"
            );
        }
        Ok(SyncResult {
            events_processed: events.len() as u64,
            rows_inserted: applied.inserted,
            rows_updated: applied.updated + applied.replaced + applied.absent_updates,
            rows_deleted: applied.deleted,
            last_seq: Some(last),
            pruned_count: None,
        })
    }
}

impl<C: CdcConsumer> SyncEngine for NativeSync<C> {
    type Error = NativeSyncError;

    /// Applies the next events in one commit.
    ///
    /// # Errors
    /// Of the consumer and of the engine; [`NativeSyncError::LogIsYounger`], [`NativeSyncError::AppliedBefore`].
    /// Nothing of the cycle is applied then, but
    /// where the consumer fails to forget events: they are left out the next time.
    async fn sync_once(&self) -> Result<SyncResult, NativeSyncError> {
        let _running = self.running.lock().await;
        let watermark = self.watermark().await?;
        let events = self.consumer.poll(watermark, self.batch_size).await;
        let events = events.map_err(of_consumer)?;
        let Some(last) = events.iter().map(|event| event.seq).max() else {
            self.latest(watermark).await?;
            return Ok(SyncResult {
                events_processed: 0,
                rows_inserted: 0,
                rows_updated: 0,
                rows_deleted: 0,
                last_seq: watermark,
                pruned_count: None,
            });
        };
        let first = events.iter().map(|event| event.seq).min();
        if let (Some(first), Some(watermark)) = (first, watermark)
            && first <= watermark
        {
            return Err(NativeSyncError::AppliedBefore {
                source_name: self.source.clone(),
                seq: first,
                watermark,
            });
        }
        let done = self.apply(&events, watermark, last).await?;
        let pruned_count = match self.prunes {
            true => Some(self.consumer.prune(last).await.map_err(of_consumer)?),
            false => None,
        };
        Ok(SyncResult {
            pruned_count,
            ..done
        })
    }

    async fn status(&self) -> Result<SyncStatus, NativeSyncError> {
        let watermark = self.watermark().await?;
        let latest = self.latest(watermark).await?;
        let behind = latest.map_or(0, |latest| latest.saturating_sub(watermark.unwrap_or(0)));
        Ok(SyncStatus {
            running: self.running.try_lock().is_err(),
            last_synced_seq: watermark,
            latest_available_seq: latest,
            lag: u64::try_from(behind).unwrap_or(0),
        })
    }
}

/// Errors of [`NativeSync`].
#[derive(Debug)]
#[non_exhaustive]
pub enum NativeSyncError {
    /// The consumer of events failed.
    Consumer(Box<dyn Error + Send + Sync>),
    /// The engine failed.
    Engine(DfOlapError),
    /// The log gave an event again that is applied: its numbers begin anew, or it does not heed the number that it was
    /// asked to go on from.
    AppliedBefore {
        /// The name of the source.
        source_name: String,
        /// The number of the event.
        seq: i64,
        /// The watermark in the engine.
        watermark: i64,
    },
    /// The newest event has a lower number than the watermark: the log of changes is another one.
    LogIsYounger {
        /// The name of the source.
        source_name: String,
        /// The number of the newest event.
        latest: i64,
        /// The watermark in the engine.
        watermark: i64,
    },
}

fn of_consumer(error: impl Error + Send + Sync + 'static) -> NativeSyncError {
    NativeSyncError::Consumer(Box::new(error))
}

impl From<DfOlapError> for NativeSyncError {
    fn from(error: DfOlapError) -> Self {
        Self::Engine(error)
    }
}

impl fmt::Display for NativeSyncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consumer(error) => write!(f, "the log of changes: {error}"),
            Self::Engine(error) => error.fmt(f),
            Self::AppliedBefore {
                source_name,
                seq,
                watermark,
            } => write!(
                f,
                "the log of source '{source_name}' was asked for events after {watermark} and gave {seq}: its numbers \
                 begin anew, or it cannot go on from a number"
            ),
            Self::LogIsYounger {
                source_name,
                latest,
                watermark,
            } => write!(
                f,
                "the newest event of source '{source_name}' is {latest}, and {watermark} is applied already: the log of \
                 changes is another one; copy its tables, then reset_watermark"
            ),
        }
    }
}

impl Error for NativeSyncError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Consumer(error) => Some(error.as_ref()),
            Self::Engine(error) => Some(error),
            Self::AppliedBefore { .. } | Self::LogIsYounger { .. } => None,
        }
    }
}
