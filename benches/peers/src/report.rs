//! The table of results: medians, ratios, bars. It is Markdown, readable as it stands.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::measure::{Failure, Timing};

/// One operation's figures; what was not measured is `None`.
#[derive(Debug, Default)]
pub struct Row {
    pub operation: String,
    pub public: Option<Timing>,
    /// DataFusion's `MemTable` in one partition.
    pub mem_single: Option<Timing>,
    /// The same with a partition for each core.
    pub mem_spread: Option<Timing>,
    pub ours: Option<Timing>,
    /// `None` where the row is for information.
    pub bar: Option<Bar>,
}

/// A limit on a ratio, and the ratio found.
#[derive(Debug)]
pub struct Bar {
    rule: String,
    found: f64,
    /// `None` where there is a ratio to show and no limit to it.
    holds: Option<bool>,
}

impl Bar {
    /// The ratio of ours to `other`, for information.
    pub fn noted(name: &str, ours: Timing, other: Timing) -> Self {
        Self {
            rule: format!("ours / {name}"),
            found: ratio(ours, other),
            holds: None,
        }
    }

    /// Ours takes at most `limit` times as long as `other`, which the table calls `name`.
    pub fn at_most(limit: f64, name: &str, ours: Timing, other: Timing) -> Self {
        let found = ratio(ours, other);
        Self {
            rule: if limit == 1.0 {
                format!("ours ≤ {name}")
            } else {
                format!("ours ≤ {limit} × {name}")
            },
            found,
            holds: Some(found <= limit),
        }
    }

    /// The published engine takes at least `limit` times as long as ours.
    pub fn at_least(limit: f64, public: Timing, ours: Timing) -> Self {
        let found = ratio(public, ours);
        Self {
            rule: format!("public / ours ≥ {limit}"),
            found,
            holds: Some(found >= limit),
        }
    }
}

/// What was measured, on what.
#[derive(Debug, Default)]
pub struct Report {
    preface: Vec<String>,
    rows: Vec<Row>,
    failures: Vec<String>,
}

impl Report {
    /// A table without rows, under these lines.
    pub fn new(preface: Vec<String>) -> Self {
        Self {
            preface,
            ..Self::default()
        }
    }

    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Notes a group of operations that could not be measured to its end.
    pub fn close(&mut self, group: &str, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            self.failures.push(format!("FAILED: {group}: {failure}"));
        }
    }
}

const HEADINGS: [&str; 9] = [
    "operation",
    "public",
    "MemTable, 1 partition",
    "MemTable, 1 per core",
    "ours",
    "public / ours",
    "bar",
    "found",
    "result",
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.preface {
            writeln!(f, "{line}")?;
        }
        writeln!(f)?;
        let cells: Vec<[String; 9]> = self.rows.iter().map(cells).collect();
        let widths: Vec<usize> = HEADINGS
            .iter()
            .enumerate()
            .map(|(column, heading)| {
                let longest = cells.iter().map(|row| row[column].chars().count()).max();
                longest.unwrap_or(0).max(heading.chars().count())
            })
            .collect();
        line(f, &widths, HEADINGS.iter().copied())?;
        line(f, &widths, widths.iter().map(|width| "-".repeat(*width)))?;
        for row in &cells {
            line(f, &widths, row.iter())?;
        }
        if !self.failures.is_empty() {
            writeln!(f)?;
        }
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        Ok(())
    }
}

fn line<S: AsRef<str>>(
    f: &mut fmt::Formatter<'_>,
    widths: &[usize],
    cells: impl Iterator<Item = S>,
) -> fmt::Result {
    for (cell, width) in cells.zip(widths) {
        write!(f, "| {:width$} ", cell.as_ref())?;
    }
    writeln!(f, "|")
}

fn cells(row: &Row) -> [String; 9] {
    let time = |timing: Option<Timing>| timing.map_or_else(String::new, show);
    let against_public = match (row.public, row.ours) {
        (Some(public), Some(ours)) => format!("{:.2}", ratio(public, ours)),
        _ => String::new(),
    };
    let (rule, found, result) = match &row.bar {
        None => (String::new(), String::new(), "information"),
        Some(bar) => (
            bar.rule.clone(),
            format!("{:.3}", bar.found),
            match bar.holds {
                Some(true) => "PASS",
                Some(false) => "MISS",
                None => "information",
            },
        ),
    };
    [
        row.operation.clone(),
        time(row.public),
        time(row.mem_single),
        time(row.mem_spread),
        time(row.ours),
        against_public,
        rule,
        found,
        result.to_string(),
    ]
}

fn ratio(numerator: Timing, denominator: Timing) -> f64 {
    numerator.median.as_secs_f64() / denominator.median.as_secs_f64()
}

/// The median in a unit that suits it, and the spread in percent of it.
fn show(timing: Timing) -> String {
    let mut text = duration(timing.median);
    if !timing.spread.is_zero() {
        let percent = 100.0 * timing.spread.as_secs_f64() / timing.median.as_secs_f64();
        // Writing to a String cannot fail.
        let _ = write!(text, " ±{percent:.0} %");
    }
    text
}

fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1e-3 {
        format!("{:.2} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.3} ms", seconds * 1e3)
    } else {
        format!("{seconds:.3} s")
    }
}

/// `1,000,000` for a million.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
