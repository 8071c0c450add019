//! What Rhei does with either engine: calls of its trait, cycles of its own sync, and cycles of [`NativeSync`].
//!
//! The published `rhei-sync` runs on both engines in one program: the published engine implements the trait of
//! `rhei-core` in all its versions, this one by its feature `rhei`. The events come from memory, not from SQLite.

use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ::arrow58::array::{Int64Array, RecordBatch};
use ::arrow58::compute::cast;
use ::arrow58::datatypes::{DataType, Field, Schema, SchemaRef};
use ::ours::rhei::NativeSync;
use ::ours::{Durability, EngineBuilder, SharedDataFusionEngine, StorageMode};
use ::rhei_core::types::{CdcEvent, CdcOperation};
use ::rhei_core::{CdcConsumer, OlapEngine, SchemaRegistry, SyncEngine, TableSchema};
use ::rhei_sync::CdcSyncEngine;
use futures::FutureExt;
use serde_json::json;

use crate::data::{BATCH_ROWS, Order, arrow_58, key};
use crate::measure::{Failure, Operation, Rounds, Timing, expect, interleave, rounds, timed};
use crate::report::{Bar, Report, Row, grouped};
use crate::{MILLION, preface, progress};

const PUBLIC: &str = "public";
const UNBRIDGED: &str = "ours, its own trait";
const MEMORY: &str = "ours";
const SYNCED: &str = "ours, synced";
const BY_CYCLE: &str = "ours, synced, a commit for each cycle";
const NATIVE: &str = "NativeSync, synced";
const CONTESTANTS: [&str; 6] = [PUBLIC, UNBRIDGED, MEMORY, SYNCED, BY_CYCLE, NATIVE];

/// The columns of a batch that crosses the bridge.
const COLUMNS: usize = 10;
/// The maximum time that the bridge adds to a call.
const BRIDGE_LIMIT: Duration = Duration::from_micros(20);
/// The events of a cycle.
const EVENTS: usize = 10;
/// The published engine must take at least this many times as long for a cycle in a folder …
const SYNC_LIMIT: f64 = 20.0;
/// … and in memory, and as long as this for a cycle by [`NativeSync`].
const MEMORY_LIMIT: f64 = 1.0;
const NATIVE_LIMIT: f64 = 100.0;

/// Measures all of it.
pub async fn measure(quick: bool) -> Report {
    let mut lines = preface(quick);
    lines.push(format!(
        "Cycles of {EVENTS} events: updates, inserts and deletes of a table of {} rows with a key. The published engine \
         does not sync.",
        grouped(MILLION)
    ));
    let mut report = Report::new(lines, &CONTESTANTS);
    let calls = if quick {
        rounds(100, 501)
    } else {
        rounds(200, 2001)
    };
    let outcome = bridge(calls, &mut report).await;
    report.close("bridge", outcome);
    let cycles = if quick { rounds(1, 5) } else { rounds(2, 15) };
    let outcome = in_memory(cycles, &mut report).await;
    report.close("cycles in memory", outcome);
    let outcome = in_a_folder(cycles, &mut report).await;
    report.close("cycles in a folder", outcome);
    report
}

/// A query of one row with ten columns, and an append of one, by the trait of Rhei and by the engine's own.
async fn bridge(rounds: Rounds, report: &mut Report) -> Result<(), Failure> {
    progress("bridge");
    let engine = ours(EngineBuilder::new())?;
    let fields = (0..COLUMNS).map(|at| Field::new(format!("c{at}"), DataType::Int64, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let columns = (0..COLUMNS).map(|at| Arc::new(Int64Array::from(vec![at as i64])) as _);
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect())?;
    for table in ["read", "theirs", "own"] {
        OlapEngine::create_table(&engine, table, &schema, &[]).await?;
    }
    OlapEngine::load_arrow(&engine, "read", std::slice::from_ref(&batch)).await?;
    let sql = "SELECT * FROM read";
    let own_rows = ::ours::OlapEngine::query(&engine, sql).await?;

    let (engine, batch, own_rows) = (&engine, &batch, &own_rows);
    let by_rhei: Operation<'_> = Box::new(move |_| {
        async move {
            let (time, rows) = timed(async { Ok(OlapEngine::query(engine, sql).await?) }).await?;
            expect("columns", sql, COLUMNS, rows[0].num_columns())?;
            Ok(time)
        }
        .boxed_local()
    });
    let by_itself: Operation<'_> = Box::new(move |_| {
        async move {
            let query = async { Ok(::ours::OlapEngine::query(engine, sql).await?) };
            let (time, rows) = timed(query).await?;
            expect("columns", sql, COLUMNS, rows[0].num_columns())?;
            Ok(time)
        }
        .boxed_local()
    });
    let both = interleave(rounds, [by_rhei, by_itself]).await?;
    report.add(bridged("query", both));

    let by_rhei: Operation<'_> = Box::new(move |_| {
        async move {
            let rows = std::slice::from_ref(batch);
            let load = async { Ok(OlapEngine::load_arrow(engine, "theirs", rows).await?) };
            let (time, loaded) = timed(load).await?;
            expect("rows", "theirs", 1, loaded as usize)?;
            Ok(time)
        }
        .boxed_local()
    });
    let by_itself: Operation<'_> = Box::new(move |_| {
        async move {
            let load = async { Ok(::ours::OlapEngine::load_arrow(engine, "own", own_rows).await?) };
            let (time, loaded) = timed(load).await?;
            expect("rows", "own", 1, loaded as usize)?;
            Ok(time)
        }
        .boxed_local()
    });
    let both = interleave(rounds, [by_rhei, by_itself]).await?;
    report.add(bridged("load_arrow", both));
    Ok(())
}

/// A call by Rhei's trait and by the engine's own.
fn bridged(call: &str, [by_rhei, by_itself]: [Timing; 2]) -> Row {
    let bar = Bar::at_most_beyond(BRIDGE_LIMIT, UNBRIDGED, by_rhei, by_itself);
    Row::new(format!("{call} of one row, {COLUMNS} columns"))
        .figure(UNBRIDGED, by_itself)
        .figure(MEMORY, by_rhei)
        .bar(bar)
}

async fn in_memory(rounds: Rounds, report: &mut Report) -> Result<(), Failure> {
    progress("cycles in memory");
    let public = ::public::DataFusionEngine::with_storage(::public::StorageMode::InMemory)?;
    let public = Cycles::by_rhei(::public::SharedDataFusionEngine::new(public)).await?;
    let ours = Cycles::by_rhei(ours(EngineBuilder::new())?).await?;
    let [theirs, ours] = interleave(rounds, [public.operation(), ours.operation()]).await?;
    let row = Row::new(format!("cycle of {EVENTS} events in memory"))
        .figure(PUBLIC, theirs)
        .figure(MEMORY, ours)
        .bar(Bar::at_least(MEMORY_LIMIT, MEMORY, theirs, ours));
    report.add(row);
    Ok(())
}

async fn in_a_folder(rounds: Rounds, report: &mut Report) -> Result<(), Failure> {
    progress("cycles in a folder");
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let url = at("public").display().to_string();
    let public = ::public::DataFusionEngine::with_storage(::public::StorageMode::Vortex { url })?;
    let public = Cycles::by_rhei(::public::SharedDataFusionEngine::new(public)).await?;
    let synced = Cycles::by_rhei(ours(stored(&at("synced")))?).await?;
    let by_cycle = ours(stored(&at("by cycle")).commit_rhei_cycles(true))?;
    let by_cycle = Cycles::by_rhei(by_cycle).await?;
    let native = Cycles::native(ours(stored(&at("native")))?).await?;
    let [theirs, ours, in_one, native] = interleave(
        rounds,
        [
            public.operation(),
            synced.operation(),
            by_cycle.operation(),
            native.operation(),
        ],
    )
    .await?;
    let row = Row::new(format!("cycle of {EVENTS} events in a folder"))
        .figure(PUBLIC, theirs)
        .figure(SYNCED, ours)
        .figure(BY_CYCLE, in_one)
        .figure(NATIVE, native)
        .bar(Bar::at_least(SYNC_LIMIT, SYNCED, theirs, ours))
        .bar(Bar::at_least(SYNC_LIMIT, BY_CYCLE, theirs, in_one))
        .bar(Bar::at_least(NATIVE_LIMIT, NATIVE, theirs, native));
    report.add(row);
    Ok(())
}

fn ours(builder: EngineBuilder) -> Result<SharedDataFusionEngine, Failure> {
    Ok(SharedDataFusionEngine::new(builder.build()?))
}

fn stored(folder: &Path) -> EngineBuilder {
    let url = folder.display().to_string();
    EngineBuilder::new()
        .storage(StorageMode::Vortex { url })
        .durability(Durability::Synced)
}

/// A log of events in memory.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<CdcEvent>>>);

impl Log {
    fn events(&self) -> MutexGuard<'_, Vec<CdcEvent>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl CdcConsumer for Log {
    type Error = Infallible;

    async fn poll(&self, after: Option<i64>, limit: u32) -> Result<Vec<CdcEvent>, Infallible> {
        let events = self.events();
        let newer = events
            .iter()
            .filter(|event| after.is_none_or(|seq| event.seq > seq));
        Ok(newer.take(limit as usize).cloned().collect())
    }

    async fn latest_seq(&self) -> Result<Option<i64>, Infallible> {
        let events = self.events();
        Ok(events.last().map(|event| event.seq))
    }

    async fn prune(&self, upto: i64) -> Result<u64, Infallible> {
        let mut events = self.events();
        let before = events.len();
        events.retain(|event| event.seq > upto);
        Ok((before - events.len()) as u64)
    }
}

/// A sync of a table of a million rows, and its log.
struct Cycles<S> {
    log: Log,
    sync: S,
    last: AtomicI64,
}

/// The columns of the table, those of 32 bits as 64: the published engine panics when it updates others in memory.
fn schema() -> SchemaRef {
    let narrow = arrow_58::schema();
    let fields = narrow.fields().iter().map(|field| {
        let data_type = match field.data_type() {
            DataType::Int32 => DataType::Int64,
            other => other.clone(),
        };
        field.as_ref().clone().with_data_type(data_type)
    });
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}

async fn with_rows<O: OlapEngine>(engine: O) -> Result<O, Failure> {
    let (schema, key) = (schema(), ["id".to_string()]);
    engine.create_table("t", &schema, &key).await?;
    let rows = arrow_58::batches(MILLION, BATCH_ROWS, Order::Ascending);
    let rows = rows.iter().map(|batch| {
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type()));
        RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, _>>()?)
    });
    let rows = rows.collect::<Result<Vec<RecordBatch>, _>>()?;
    engine.load_arrow("t", &rows).await?;
    Ok(engine)
}

impl<O: OlapEngine> Cycles<CdcSyncEngine<Log, O>> {
    async fn by_rhei(engine: O) -> Result<Self, Failure> {
        let engine = with_rows(engine).await?;
        let tables = SchemaRegistry::new();
        tables.register(TableSchema::new("t", schema(), vec!["id".into()]))?;
        let log = Log::default();
        let sync = CdcSyncEngine::new(log.clone(), engine, tables, EVENTS as u32);
        Ok(Self::new(log, sync))
    }
}

impl Cycles<NativeSync<Log>> {
    async fn native(engine: SharedDataFusionEngine) -> Result<Self, Failure> {
        let engine = with_rows(engine).await?;
        let log = Log::default();
        let sync = NativeSync::new(log.clone(), engine, "bench");
        Ok(Self::new(log, sync))
    }
}

impl<S: SyncEngine> Cycles<S> {
    fn new(log: Log, sync: S) -> Self {
        let last = AtomicI64::new(0);
        Self { log, sync, last }
    }

    /// One cycle.
    fn operation(&self) -> Operation<'_> {
        Box::new(move |round| {
            let first = self.last.fetch_add(EVENTS as i64, Ordering::Relaxed) + 1;
            let events = events(round).zip(first..);
            let events = events.map(|(event, seq)| CdcEvent { seq, ..event });
            self.log.events().extend(events);
            async move {
                let (time, done) = timed(async { Ok(self.sync.sync_once().await?) }).await?;
                expect("events", "cycle", EVENTS, done.events_processed as usize)?;
                Ok(time)
            }
            .boxed_local()
        })
    }
}

/// The events of a round: seven updates, two inserts and a delete, or one and two. No two rounds change one row.
fn events(round: usize) -> impl Iterator<Item = CdcEvent> {
    let row =
        |id: usize, name: &str| Some(json!({ "id": id, "grp": 1, "amount": 1.5, "name": name }));
    (0..EVENTS).map(move |at| {
        let there = key(round * EVENTS + at, MILLION);
        let (operation, old_data, new_data) = match at {
            0..7 => (CdcOperation::Update, row(there, "old"), row(there, "new")),
            7 => (
                CdcOperation::Insert,
                None,
                row(MILLION + round * EVENTS + at, "added"),
            ),
            8 if round.is_multiple_of(2) => (
                CdcOperation::Insert,
                None,
                row(MILLION + round * EVENTS + at, "added"),
            ),
            _ => (CdcOperation::Delete, row(there, "old"), None),
        };
        CdcEvent {
            seq: 0,
            timestamp: 1_700_000_000,
            operation,
            table: "t".into(),
            row_id: None,
            old_data,
            new_data,
        }
    })
}
