//! Bulk loads: this engine against the plain Vortex writer; the time of loads from memory, and the memory of loads from
//! a stream.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::ours::arrow::array::RecordBatch;
use ::ours::arrow::datatypes::SchemaRef;
use ::ours::datafusion::prelude::{ParquetReadOptions, SessionContext};
use ::ours::{DfOlapError, Durability, OlapEngine};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use tpchgen::generators::LineItemGenerator;
use tpchgen_arrow::LineItemArrow;

use super::{SYNCED, UNSYNCED, YARDSTICK, yardsticks};
use crate::data::BATCH_ROWS;
use crate::measure::{Failure, Operation, Rounds, expect, interleave};
use crate::ours::Ours;
use crate::progress;
use crate::report::{Bar, Figure, Report, Row, grouped};

pub const LINEITEM: &str = "lineitem";
const FLIGHTS: &str = "flights";
/// The time limit for a rate of 95 % of the writer's, 1 / 0.95.
const RATE_LIMIT: f64 = 1.052;
const MEMORY_LIMIT: Figure = Figure::Bytes(1 << 30);
/// The command of the child process that loads once and reports its peak memory.
pub const LOAD_ONCE: &str = "load-once";
const RAW: &str = "raw";
const OURS: &str = "ours";

type Batches = BoxStream<'static, Result<RecordBatch, DfOlapError>>;

/// TPC-H's `lineitem` at scale factor 1, as it is generated.
pub fn lineitem() -> (SchemaRef, Batches) {
    let batches = LineItemArrow::new(LineItemGenerator::new(1.0, 1, 1)).with_batch_size(BATCH_ROWS);
    let batches = stream::iter(batches.map(|batch| batch.map_err(DfOlapError::from)));
    (LineItemArrow::schema_ref(), batches.boxed())
}

/// The 3,000,000 flights of the demo, as DataFusion reads their file.
async fn flights() -> Result<(SchemaRef, Batches), Failure> {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo");
    let path = demo.join("node_modules/vega-datasets/data/flights-3m.parquet");
    if !path.is_file() {
        return Err(format!("no {}; run `npm ci --prefix demo`", path.display()).into());
    }
    let context = SessionContext::new();
    let path = path.display().to_string();
    let frame = context
        .read_parquet(path, ParquetReadOptions::default())
        .await?;
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let batches = frame.execute_stream().await?.map_err(DfOlapError::from);
    Ok((schema, batches.boxed()))
}

async fn source(name: &str) -> Result<(SchemaRef, Batches), Failure> {
    match name {
        FLIGHTS => flights().await,
        LINEITEM => Ok(lineitem()),
        _ => Err(format!("no data set {name}").into()),
    }
}

pub async fn measure(rounds: Rounds, report: &mut Report) -> Result<(), Failure> {
    for name in [FLIGHTS, LINEITEM] {
        progress(name);
        times(name, rounds, report).await?;
        memory(name, report)?;
    }
    Ok(())
}

async fn times(name: &'static str, rounds: Rounds, report: &mut Report) -> Result<(), Failure> {
    let (schema, batches) = source(name).await?;
    let data = Data {
        name,
        schema,
        batches: batches.try_collect().await?,
    };
    let rows = data.rows();
    for (synced, contestant) in [(false, UNSYNCED), (true, SYNCED)] {
        let [raw, ours] = interleave(rounds, [data.raw(synced), data.ours(synced)]).await?;
        let row = Row::new(format!("load of {} rows of {name}", grouped(rows)))
            .figure(YARDSTICK, raw)
            .figure(contestant, ours)
            .bar(Bar::at_most(RATE_LIMIT, "the Vortex writer", ours, raw));
        report.add(row);
    }
    Ok(())
}

/// A data set in memory.
struct Data {
    name: &'static str,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Data {
    fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    fn stream(&self) -> Batches {
        stream::iter(self.batches.clone().into_iter().map(Ok)).boxed()
    }

    fn raw(&self, synced: bool) -> Operation<'_> {
        Box::new(move |_| self.load(RAW, synced).boxed_local())
    }

    fn ours(&self, synced: bool) -> Operation<'_> {
        Box::new(move |_| self.load(OURS, synced).boxed_local())
    }

    async fn load(&self, contestant: &str, synced: bool) -> Result<Duration, Failure> {
        let folder = tempfile::tempdir()?;
        let (time, rows) = load(
            contestant,
            folder.path(),
            self.name,
            &self.schema,
            self.stream(),
            synced,
        )
        .await?;
        expect("rows loaded", self.name, self.rows(), rows)?;
        Ok(time)
    }
}

/// Loads a data set into an empty folder. Returns the time, without that of creating the table, and the number of rows.
async fn load(
    contestant: &str,
    folder: &Path,
    name: &str,
    schema: &SchemaRef,
    batches: Batches,
    synced: bool,
) -> Result<(Duration, usize), Failure> {
    if contestant == RAW {
        let started = Instant::now();
        let batches = batches.map_err(Failure::from);
        let path = folder.join("raw.vortex");
        let rows = yardsticks::write_raw(&path, schema, batches, synced).await?;
        return Ok((started.elapsed(), rows));
    }
    let durability = match synced {
        true => Durability::Synced,
        false => Durability::LostOnPowerFailure,
    };
    let ours = Ours::stored(folder, durability)?;
    ours.0.create_table(name, schema, &[]).await?;
    let started = Instant::now();
    let rows = ours.0.load_stream(name, batches).await?;
    Ok((started.elapsed(), rows as usize))
}

/// The peak memory of a process that only loads the data set as a stream.
fn memory(name: &str, report: &mut Report) -> Result<(), Failure> {
    let [raw, ours] = [RAW, OURS].map(|contestant| -> Result<Figure, Failure> {
        let program = std::env::current_exe()?;
        let child = Command::new(program)
            .args([LOAD_ONCE, contestant, name])
            .output()?;
        let said = String::from_utf8_lossy(&child.stdout);
        match (child.status.success(), said.trim().parse()) {
            (true, Ok(bytes)) => Ok(Figure::Bytes(bytes)),
            _ => Err(String::from_utf8_lossy(&child.stderr).into()),
        }
    });
    let (raw, ours) = (raw?, ours?);
    let row = Row::new(format!("peak memory of the load of {name} as a stream"))
        .figure(YARDSTICK, raw)
        .figure(SYNCED, ours)
        .bar(Bar::no_more("ours", MEMORY_LIMIT, ours));
    report.add(row);
    Ok(())
}

/// The child process: loads and prints its peak memory in bytes.
pub async fn load_once(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut argument = || args.next().and_then(|text| text.into_string().ok());
    let (Some(contestant), Some(name)) = (argument(), argument()) else {
        eprintln!("{LOAD_ONCE} wants a contestant and a data set");
        return ExitCode::from(2);
    };
    let done = async {
        let folder = tempfile::tempdir()?;
        let (schema, batches) = source(&name).await?;
        let path: PathBuf = folder.path().into();
        load(&contestant, &path, &name, &schema, batches, true).await?;
        peak_memory_bytes()
    };
    match done.await {
        Ok(bytes) => {
            println!("{bytes}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{contestant}, {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The peak memory of this process, as the system reports it.
fn peak_memory_bytes() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib
        .ok_or("the system tells no peak memory")?
        .trim()
        .parse()?;
    Ok(kib << 10)
}
