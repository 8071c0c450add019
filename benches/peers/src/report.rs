//! The table of results: medians, ratios, limits, as readable Markdown.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::measure::{Failure, Timing};

/// One contestant's figure.
#[derive(Debug, Clone, Copy)]
pub enum Figure {
    Time(Timing),
    Bytes(u64),
    Count(u64),
}

impl Figure {
    /// The value in seconds or bytes, or the count.
    fn value(self) -> f64 {
        match self {
            Self::Time(timing) => timing.median.as_secs_f64(),
            Self::Bytes(number) | Self::Count(number) => number as f64,
        }
    }
}

impl From<Timing> for Figure {
    fn from(timing: Timing) -> Self {
        Self::Time(timing)
    }
}

/// One operation's figures, each under its contestant's name.
#[derive(Debug)]
pub struct Row {
    operation: String,
    figures: Vec<(&'static str, Figure)>,
    /// Empty where the row is for information.
    bars: Vec<Bar>,
}

impl Row {
    pub fn new(operation: impl Into<String>) -> Self {
        Self {
            operation: operation.into(),
            figures: Vec::new(),
            bars: Vec::new(),
        }
    }

    pub fn figure(mut self, contestant: &'static str, figure: impl Into<Figure>) -> Self {
        self.figures.push((contestant, figure.into()));
        self
    }

    pub fn bar(mut self, bar: Bar) -> Self {
        self.bars.push(bar);
        self
    }

    fn of(&self, contestant: &str) -> Option<Figure> {
        let found = self.figures.iter().find(|(name, _)| *name == contestant);
        found.map(|(_, figure)| *figure)
    }
}

/// A limit on a ratio or a figure, and the measured value.
#[derive(Debug)]
pub struct Bar {
    rule: String,
    found: String,
    /// `None` where a ratio is shown without a limit.
    holds: Option<bool>,
}

impl Bar {
    /// The ratio of this engine to `other`, for information.
    pub fn noted(name: &str, ours: Timing, other: Timing) -> Self {
        Self {
            rule: format!("ours / {name}"),
            found: format!("{:.3}", ratio(ours, other)),
            holds: None,
        }
    }

    /// This engine takes at most `limit` times as long as `other`, which the table calls `name`.
    pub fn at_most(limit: f64, name: &str, ours: Timing, other: Timing) -> Self {
        let found = ratio(ours, other);
        Self {
            rule: if limit == 1.0 {
                format!("ours ≤ {name}")
            } else {
                format!("ours ≤ {limit} × {name}")
            },
            found: format!("{found:.3}"),
            holds: Some(found <= limit),
        }
    }

    /// The published engine takes at least `limit` times as long as `ours`, which the table calls `name`.
    pub fn at_least(limit: f64, name: &str, public: Timing, ours: Timing) -> Self {
        let found = ratio(public, ours);
        Self {
            rule: format!("public / {name} ≥ {limit}"),
            found: format!("{found:.1}"),
            holds: Some(found >= limit),
        }
    }

    /// The time of this engine beyond the time of `other`, which the table calls `name`, is at most `limit`.
    pub fn at_most_beyond(limit: Duration, name: &str, ours: Timing, other: Timing) -> Self {
        let found = ours.median.saturating_sub(other.median);
        Self {
            rule: format!("ours − {name} ≤ {}", duration(limit)),
            found: duration(found),
            holds: Some(found <= limit),
        }
    }

    /// The figure named `what` is at most `limit`.
    pub fn no_more(what: &str, limit: Figure, found: Figure) -> Self {
        Self {
            rule: format!("{what} ≤ {}", show(limit)),
            found: show(found),
            holds: Some(found.value() <= limit.value()),
        }
    }
}

/// The results of a measurement, with a preface.
#[derive(Debug, Default)]
pub struct Report {
    preface: Vec<String>,
    /// The columns, in the order of the table.
    contestants: &'static [&'static str],
    rows: Vec<Row>,
    failures: Vec<String>,
}

impl Report {
    /// An empty table below these lines.
    pub fn new(preface: Vec<String>, contestants: &'static [&'static str]) -> Self {
        Self {
            preface,
            contestants,
            ..Self::default()
        }
    }

    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Records the error of a group of operations that could not be measured to its end.
    pub fn close(&mut self, group: &str, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            self.failures.push(format!("FAILED: {group}: {failure}"));
        }
    }

    fn headings(&self) -> Vec<String> {
        let names = ["operation"].iter().chain(self.contestants);
        let names = names.chain(&["bar", "found", "result"]);
        names.map(|name| name.to_string()).collect()
    }

    /// The lines of a row: one for each bar; only the first line has the figures.
    fn lines(&self, row: &Row) -> Vec<Vec<String>> {
        let figures = self.contestants.iter().map(|name| row.of(name));
        let figures = figures.map(|figure| figure.map_or_else(String::new, show));
        let mut lines = vec![[vec![row.operation.clone()], figures.collect()].concat()];
        if row.bars.is_empty() {
            lines[0].extend(["", "", "information"].map(String::from));
        }
        for (place, bar) in row.bars.iter().enumerate() {
            if place > 0 {
                lines.push(vec![String::new(); self.contestants.len() + 1]);
            }
            let result = match bar.holds {
                Some(true) => "PASS",
                Some(false) => "MISS",
                None => "information",
            };
            lines[place].extend([bar.rule.clone(), bar.found.clone(), result.into()]);
        }
        lines
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.preface {
            writeln!(f, "{line}")?;
        }
        writeln!(f)?;
        let headings = self.headings();
        let cells: Vec<Vec<String>> = self.rows.iter().flat_map(|row| self.lines(row)).collect();
        let widths: Vec<usize> = headings
            .iter()
            .enumerate()
            .map(|(column, heading)| {
                let longest = cells.iter().map(|row| row[column].chars().count()).max();
                longest.unwrap_or(0).max(heading.chars().count())
            })
            .collect();
        line(f, &widths, headings.iter())?;
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

fn ratio(numerator: Timing, denominator: Timing) -> f64 {
    numerator.median.as_secs_f64() / denominator.median.as_secs_f64()
}

fn show(figure: Figure) -> String {
    match figure {
        Figure::Time(timing) => time(timing),
        Figure::Bytes(bytes) => format!("{} MiB", bytes >> 20),
        Figure::Count(count) => grouped(count as usize),
    }
}

/// The median in a suitable unit, and the spread in percent of the median.
fn time(timing: Timing) -> String {
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

/// Formats a million as `1,000,000`.
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
