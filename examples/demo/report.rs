//! The demo's output: sections, answers as tables, readable numbers; and the checks that decide the exit code.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rhei_datafusion::arrow::array::AsArray;
use rhei_datafusion::arrow::compute::{cast, concat_batches};
use rhei_datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use rhei_datafusion::arrow::record_batch::RecordBatch;
use rhei_datafusion::arrow::util::pretty::pretty_format_batches;

use crate::Failure;

/// Collects checks and rates from the first step to the last.
#[derive(Debug)]
pub struct Report {
    started: Instant,
    checks: Vec<Check>,
    fastest: Option<(String, f64)>,
}

#[derive(Debug)]
struct Check {
    claim: String,
    /// The expected and the actual value, where the check failed.
    failure: Option<(String, String)>,
}

impl Report {
    pub fn start() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        println!(
            "rhei-datafusion {}, {cores} cores",
            env!("CARGO_PKG_VERSION")
        );
        Self {
            started: Instant::now(),
            checks: Vec::new(),
            fastest: None,
        }
    }

    pub fn section(&self, title: &str) {
        println!("\n{title}\n{}", "=".repeat(title.chars().count()));
    }

    /// Records a check; a failed check is also printed at once, next to the step that failed.
    pub fn check<T: PartialEq + Debug>(
        &mut self,
        claim: impl Into<String>,
        expected: &T,
        found: &T,
    ) {
        let claim = claim.into();
        let failure = (expected != found).then(|| (format!("{expected:?}"), format!("{found:?}")));
        if let Some((expected, found)) = &failure {
            println!("  FAILED: {claim}: expected {expected}, found {found}");
        }
        self.checks.push(Check { claim, failure });
    }

    /// Remembers the highest rate, and returns the current rate as text.
    pub fn rate(&mut self, what: &str, rows: u64, elapsed: Duration) -> String {
        let rate = rows as f64 / elapsed.as_secs_f64().max(1e-9);
        if self.fastest.as_ref().is_none_or(|(_, best)| rate > *best) {
            self.fastest = Some((what.to_string(), rate));
        }
        per_second(rate)
    }

    /// Prints the checks and the totals. True where all checks passed.
    pub fn finish(self) -> bool {
        self.section("Report");
        let width = self.checks.iter().map(|c| c.claim.chars().count()).max();
        let width = width.unwrap_or(0);
        for Check { claim, failure } in &self.checks {
            match failure {
                None => println!("  {claim:width$}  ok"),
                Some((expected, found)) => {
                    println!("  {claim:width$}  FAILED: expected {expected}, found {found}");
                }
            }
        }
        let failed = self.checks.iter().filter(|c| c.failure.is_some()).count();
        println!();
        match failed {
            0 => println!("  all {} checks hold", self.checks.len()),
            _ => println!("  {failed} of {} checks FAILED", self.checks.len()),
        }
        if let Some((what, rate)) = &self.fastest {
            println!("  fastest: {} ({what})", per_second(*rate));
        }
        println!("  total time: {}", lasted(self.started.elapsed()));
        failed == 0
    }
}

/// Prints the first rows of an answer. Returns the number of all rows.
pub fn print_rows(batches: &[RecordBatch], most: usize) -> Result<usize, Failure> {
    let Some(first) = batches.first() else {
        return Ok(0);
    };
    // Several answers are printed as one table; their columns differ only in nullability.
    let fields = first.schema();
    let fields = fields.fields().iter();
    let nullable = fields.map(|field| field.as_ref().clone().with_nullable(true));
    let schema = Arc::new(Schema::new(nullable.collect::<Vec<Field>>()));
    let all = concat_batches(&schema, batches)?;
    let rows = all.num_rows();
    let shown = all.slice(0, rows.min(most));
    for line in pretty_format_batches(&[shown])?.to_string().lines() {
        println!("  {line}");
    }
    Ok(rows)
}

/// The integers of a column, NULL as 0.
pub fn integers(batches: &[RecordBatch], column: &str) -> Result<Vec<i64>, Failure> {
    let mut values = Vec::new();
    for batch in batches {
        let Some(array) = batch.column_by_name(column) else {
            return Err(format!("the answer has no column '{column}'").into());
        };
        let array = cast(array, &DataType::Int64)?;
        let numbers = array.as_primitive::<Int64Type>();
        values.extend(numbers.iter().map(Option::unwrap_or_default));
    }
    Ok(values)
}

/// Formats 3000000 as "3,000,000".
pub fn counted(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a duration in the unit that leaves one to three digits before the point.
pub fn lasted(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else if seconds >= 0.001 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{:.0} µs", seconds * 1e6)
    }
}

fn per_second(rate: f64) -> String {
    if rate >= 1e6 {
        format!("{:.1} million rows/s", rate / 1e6)
    } else {
        format!("{} rows/s", counted(rate as u64))
    }
}
