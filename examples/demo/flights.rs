//! The flights, twice: as tables of the engine, and as a plain Rust model against which every total is checked.
//!
//! The model is filled from the batches that are loaded into the engine, and changed by loops, never by SQL.

use std::collections::HashMap;

use rhei_datafusion::arrow::array::{Array, AsArray};
use rhei_datafusion::arrow::compute::cast;
use rhei_datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use rhei_datafusion::arrow::record_batch::RecordBatch;
use rhei_datafusion::datafusion::error::DataFusionError;
use rhei_datafusion::{DataFusionEngine, OlapEngine};

use crate::Failure;
use crate::files::{Source, dataset};
use crate::report::{Report, counted, integers, lasted};

/// A flight counts as late if its delay is longer than this many minutes.
pub const LATE_MINUTES: i64 = 15;
const MICROSECONDS_PER_HOUR: i64 = 3_600_000_000;

/// The model's data of a flight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flight {
    pub delay: i64,
    /// The number of an airport in the model.
    pub origin: u16,
    pub hour: u8,
}

impl Flight {
    /// The same flight with another delay.
    pub fn delayed(self, delay: i64) -> Self {
        Self { delay, ..self }
    }
}

/// Three sums that together reveal a missing, duplicate or changed row.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    pub rows: u64,
    pub delay: i64,
    /// The delays weighted by the key, so that a delay on the wrong row shows.
    pub weighted: i64,
}

impl Totals {
    pub fn add(&mut self, id: i64, delay: i64) {
        self.rows += 1;
        self.delay += delay;
        self.weighted += weight(id) * delay;
    }

    fn remove(&mut self, id: i64, delay: i64) {
        self.rows -= 1;
        self.delay -= delay;
        self.weighted -= weight(id) * delay;
    }

    /// The totals as the engine computes them.
    pub async fn ask(engine: &DataFusionEngine) -> Result<Self, Failure> {
        let answer = engine
            .query(
                "SELECT count(*) AS flights, sum(delay) AS delay, sum((id % 1009) * delay) AS weighted \
                 FROM flights",
            )
            .await?;
        let only = |column| -> Result<i64, Failure> {
            let values = integers(&answer, column)?;
            values
                .first()
                .copied()
                .ok_or_else(|| "the totals have no row".into())
        };
        Ok(Self {
            rows: only("flights")? as u64,
            delay: only("delay")?,
            weighted: only("weighted")?,
        })
    }
}

/// The same weight as in the SQL of [`Totals::ask`]; a prime, so that no pattern in the keys cancels out.
fn weight(id: i64) -> i64 {
    id % 1009
}

/// The totals of one hour of the day.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hour {
    pub flights: i64,
    pub delay: i64,
    pub late: i64,
}

/// All flights by their key; a deleted flight is `None`.
#[derive(Debug, Default)]
pub struct Model {
    flights: Vec<Option<Flight>>,
    airports: Vec<String>,
    numbers: HashMap<String, u16>,
    totals: Totals,
    /// The time of the last flight, in microseconds since 1970.
    pub last_flight: i64,
}

impl Model {
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// One more than the largest key that was ever used.
    pub fn next_id(&self) -> i64 {
        self.flights.len() as i64
    }

    pub fn airports(&self) -> usize {
        self.airports.len()
    }

    pub fn airport(&self, number: u16) -> &str {
        &self.airports[usize::from(number)]
    }

    pub fn flight(&self, id: i64) -> Option<Flight> {
        self.flights
            .get(usize::try_from(id).ok()?)
            .copied()
            .flatten()
    }

    /// The flights that exist, with their keys.
    pub fn live(&self) -> impl Iterator<Item = (i64, Flight)> + '_ {
        let all = self.flights.iter().enumerate();
        all.filter_map(|(id, flight)| Some((id as i64, (*flight)?)))
    }

    /// Sets a flight, or removes it.
    pub fn put(&mut self, id: i64, flight: Option<Flight>) {
        let place = id as usize;
        if place >= self.flights.len() {
            self.flights.resize(place + 1, None);
        }
        if let Some(old) = self.flights[place] {
            self.totals.remove(id, old.delay);
        }
        if let Some(new) = flight {
            self.totals.add(id, new.delay);
        }
        self.flights[place] = flight;
    }

    /// The flights from each airport, by its number.
    pub fn departures(&self) -> Vec<u64> {
        let mut counts = vec![0; self.airports.len()];
        for (_, flight) in self.live() {
            counts[usize::from(flight.origin)] += 1;
        }
        counts
    }

    pub fn hours(&self) -> Vec<Hour> {
        let mut hours = vec![Hour::default(); 24];
        for (_, flight) in self.live() {
            let hour = &mut hours[usize::from(flight.hour)];
            hour.flights += 1;
            hour.delay += flight.delay;
            hour.late += i64::from(flight.delay > LATE_MINUTES);
        }
        hours
    }

    /// The hour of the day of a time in microseconds since 1970.
    pub fn hour_of(time: i64) -> u8 {
        time.div_euclid(MICROSECONDS_PER_HOUR).rem_euclid(24) as u8
    }

    /// The number of an airport; a new number for a new code.
    fn number(&mut self, code: &str) -> u16 {
        if let Some(number) = self.numbers.get(code) {
            return *number;
        }
        let number = self.airports.len() as u16;
        self.airports.push(code.to_string());
        self.numbers.insert(code.to_string(), number);
        number
    }

    fn watch(&mut self, batch: &RecordBatch) -> Result<(), DataFusionError> {
        let column = |name: &str, data_type: &DataType| -> Result<_, DataFusionError> {
            let index = batch.schema_ref().index_of(name)?;
            Ok(cast(batch.column(index), data_type)?)
        };
        let ids = column("id", &DataType::Int64)?;
        let dates = column("date", &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        let delays = column("delay", &DataType::Int64)?;
        let origins = column("origin", &DataType::Utf8View)?;
        let ids = ids.as_primitive::<Int64Type>();
        let dates = dates.as_primitive::<TimestampMicrosecondType>();
        let delays = delays.as_primitive::<Int64Type>();
        let origins = origins.as_string_view();
        if dates.null_count() + delays.null_count() + origins.null_count() > 0 {
            return Err(DataFusionError::Execution(
                "a flight has a NULL".to_string(),
            ));
        }
        for row in 0..batch.num_rows() {
            let time = dates.value(row);
            let flight = Flight {
                delay: delays.value(row),
                origin: self.number(origins.value(row)),
                hour: Self::hour_of(time),
            };
            self.last_flight = self.last_flight.max(time);
            self.put(ids.value(row), Some(flight));
        }
        Ok(())
    }
}

/// Loads the tables `flights` and `airports`.
pub async fn load(
    engine: &DataFusionEngine,
    most_rows: Option<usize>,
    report: &mut Report,
) -> Result<Model, Failure> {
    let source = Source::open(&dataset("flights-3m.parquet")?, most_rows)
        .await?
        .numbered("id");
    let expected = source.rows;
    let mut model = Model::default();
    let (rows, elapsed) = source
        .load(engine, "flights", "id", |batch| model.watch(batch))
        .await?;
    println!(
        "  flights: {} rows in {}, {}",
        counted(rows),
        lasted(elapsed),
        report.rate("loading flights", rows, elapsed)
    );
    report.check("flights loaded: as many as the file has", &expected, &rows);

    let source = Source::open(&dataset("airports.csv")?, None).await?;
    let expected = source.rows;
    let (rows, elapsed) = source.load(engine, "airports", "iata", |_| Ok(())).await?;
    println!("  airports: {} rows in {}", counted(rows), lasted(elapsed));
    report.check("airports loaded: as many as the file has", &expected, &rows);
    Ok(model)
}

/// Compares the engine's totals with the model's.
pub async fn check(
    engine: &DataFusionEngine,
    model: &Model,
    when: &str,
    report: &mut Report,
) -> Result<(), Failure> {
    let found = Totals::ask(engine).await?;
    report.check(format!("totals {when}"), &model.totals(), &found);
    Ok(())
}
