//! This engine, the published `rhei-datafusion` 2.0.0 and DataFusion's `MemTable`, timed against each other in one run.
//!
//! Prints a table of medians, ratios and bars. It measures and leaves the judgement to its reader: a bar that is missed does
//! not change the exit code, and a group of operations that fails is named below the table.

mod data;
mod measure;
mod ours;
mod public;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use crate::data::{BATCH_ROWS, Order, arrow_58, arrow_59, key};
use crate::measure::{
    Engine, Failure, Rounds, Timing, append, change_one, drain, first_batch, interleave,
};
use crate::ours::{Ours, PlainMemTable};
use crate::public::Public;
use crate::report::{Bar, Report, Row, grouped};

const USAGE: &str = "usage: peers [--quick] [--markdown FILE]

  --quick           fewer samples and fewer appends
  --markdown FILE   also write the table to FILE";

const MILLION: usize = 1_000_000;

/// A scan of ours may take this many times as long as one of a `MemTable`.
const SCAN_LIMIT: f64 = 1.02;
/// The published engine must take at least this many times as long to change one row.
const CHANGE_LIMIT: f64 = 20.0;
/// A change of one row in ten times the rows may take this many times as long.
const GROWTH_LIMIT: f64 = 1.3;

/// How much of everything.
struct Effort {
    /// Queries over a million rows.
    scans: Rounds,
    /// UPDATE and DELETE of one row.
    changes: Rounds,
    /// INSERT and small appends.
    inserts: Rounds,
    /// Appends before the last measurement: the published engine copies its list of batches each time, so that the cost of
    /// many appends grows with their square; it gets fewer.
    appends_public: usize,
    appends_ours: usize,
}

impl Effort {
    const FULL: Self = Self {
        scans: rounds(10, 101),
        changes: rounds(3, 31),
        inserts: rounds(20, 201),
        appends_public: 10_000,
        appends_ours: 100_000,
    };
    const QUICK: Self = Self {
        scans: rounds(3, 31),
        changes: rounds(2, 9),
        inserts: rounds(5, 31),
        appends_public: 2_000,
        appends_ours: 10_000,
    };
}

const fn rounds(warm_up: usize, samples: usize) -> Rounds {
    Rounds { warm_up, samples }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut quick = false;
    let mut markdown = None;
    let mut args = std::env::args_os().skip(1);
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--quick") => quick = true,
            Some("--markdown") => match args.next() {
                Some(file) => markdown = Some(PathBuf::from(file)),
                None => return usage("--markdown wants a file"),
            },
            Some("--help" | "-h") => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            _ => return usage(&format!("unknown argument {}", arg.display())),
        }
    }
    let effort = if quick { Effort::QUICK } else { Effort::FULL };

    let mut report = Report::new(preface(quick));
    let outcome = scans(&effort, &mut report).await;
    report.close("scans", outcome);
    let outcome = changes(&effort, &mut report).await;
    report.close("changes of one row", outcome);
    let outcome = growth(&effort, &mut report).await;
    report.close("growth", outcome);
    let outcome = inserts(&effort, &mut report).await;
    report.close("inserts", outcome);
    let outcome = many_appends(&effort, &mut report).await;
    report.close("many appends", outcome);

    println!("{report}");
    if let Some(file) = markdown
        && let Err(error) = std::fs::write(&file, report.to_string())
    {
        eprintln!("cannot write {}: {error}", file.display());
    }
    ExitCode::SUCCESS
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("{problem}\n\n{USAGE}");
    ExitCode::from(2)
}

/// Queries over a million rows: ours against `MemTable`s over the very same batches, the published engine for information.
async fn scans(effort: &Effort, report: &mut Report) -> Result<(), Failure> {
    const FIRST_BATCH: &str = "SELECT * FROM t";
    // Each with the number of rows that it returns.
    let queries: [(&str, &str, usize); 5] = [
        ("sum", "SELECT sum(amount) FROM t", 1),
        (
            "filtered count",
            "SELECT count(*) FROM t WHERE amount > 500.0",
            1,
        ),
        (
            "group by",
            "SELECT grp, count(*), sum(amount) FROM t GROUP BY grp",
            data::GROUPS as usize,
        ),
        (
            "order by, limit 10",
            "SELECT * FROM t ORDER BY amount DESC LIMIT 10",
            10,
        ),
        ("SELECT *, drained", "SELECT * FROM t", MILLION),
    ];

    let public: Public = loaded(&arrow_58::batches(MILLION, BATCH_ROWS, Order::Ascending)).await?;
    let batches = arrow_59::batches(MILLION, BATCH_ROWS, Order::Ascending);
    let ours: Ours = loaded(&batches).await?;
    let mem_single = PlainMemTable::new("t", &batches, 1)?;
    let mem_spread = PlainMemTable::new("t", &batches, cores())?;

    for (name, sql, rows) in queries {
        progress(name);
        let [public, single, spread, ours] = interleave(
            effort.scans,
            [
                drain(&public, sql, rows),
                drain(&mem_single, sql, rows),
                drain(&mem_spread, sql, rows),
                drain(&ours, sql, rows),
            ],
        )
        .await?;
        let best = if single.median < spread.median {
            single
        } else {
            spread
        };
        report.add(Row {
            operation: format!("{name}, {} rows", grouped(MILLION)),
            public: Some(public),
            mem_single: Some(single),
            mem_spread: Some(spread),
            ours: Some(ours),
            bar: Some(Bar::at_most(SCAN_LIMIT, "the faster MemTable", ours, best)),
        });
    }

    progress("first batch");
    let [public, ours] = interleave(
        effort.scans,
        [
            first_batch(&public, FIRST_BATCH),
            first_batch(&ours, FIRST_BATCH),
        ],
    )
    .await?;
    report.add(pair(
        format!("first batch of a stream, {} rows", grouped(MILLION)),
        public,
        ours,
        Some(Bar::at_most(1.0, "public", ours, public)),
    ));
    Ok(())
}

/// UPDATE and DELETE of one row by its key, in a million. In random order no fragment can be left out by its range of keys:
/// what a change costs then is for information.
async fn changes(effort: &Effort, report: &mut Report) -> Result<(), Failure> {
    for order in [Order::Ascending, Order::Shuffled] {
        let theirs = arrow_58::batches(MILLION, BATCH_ROWS, order);
        let batches = arrow_59::batches(MILLION, BATCH_ROWS, order);
        for (name, statement) in CHANGES {
            progress(name);
            let public: Public = loaded(&theirs).await?;
            let ours: Ours = loaded(&batches).await?;
            let [public, ours] = interleave(
                effort.changes,
                [
                    change_one(&public, |round| statement(key(round, MILLION))),
                    change_one(&ours, |round| statement(key(round, MILLION))),
                ],
            )
            .await?;
            let (suffix, bar) = match order {
                Order::Ascending => ("", Some(Bar::at_least(CHANGE_LIMIT, public, ours))),
                Order::Shuffled => (" in random order", None),
            };
            let operation = format!("one-row {name} by key, {} rows{suffix}", grouped(MILLION));
            report.add(pair(operation, public, ours, bar));
        }
    }
    Ok(())
}

/// The same in ten times the rows, keys loaded in order: ours against itself.
async fn growth(effort: &Effort, report: &mut Report) -> Result<(), Failure> {
    const MANY: usize = 10 * MILLION;
    let few_batches = arrow_59::batches(MILLION, BATCH_ROWS, Order::Ascending);
    let many_batches = arrow_59::batches(MANY, BATCH_ROWS, Order::Ascending);
    for (name, statement) in CHANGES {
        progress(name);
        let few: Ours = loaded(&few_batches).await?;
        let many: Ours = loaded(&many_batches).await?;
        let [few, many] = interleave(
            effort.changes,
            [
                change_one(&few, |round| statement(key(round, MILLION))),
                change_one(&many, |round| statement(key(round, MANY))),
            ],
        )
        .await?;
        let other = format!("ours at {} rows", grouped(MILLION));
        report.add(Row {
            operation: format!("one-row {name} by key, {} rows", grouped(MANY)),
            ours: Some(many),
            bar: Some(Bar::at_most(GROWTH_LIMIT, &other, many, few)),
            ..Row::default()
        });
    }
    Ok(())
}

/// A statement that changes the row of one key.
type Statement = fn(usize) -> String;

const CHANGES: [(&str, Statement); 2] = [
    ("UPDATE", |id| {
        format!("UPDATE t SET amount = 1.5 WHERE id = {id}")
    }),
    ("DELETE", |id| format!("DELETE FROM t WHERE id = {id}")),
];

/// One-row INSERT and ten-row appends, into a table that starts empty and into one of a million rows.
async fn inserts(effort: &Effort, report: &mut Report) -> Result<(), Failure> {
    let insert = |round: usize| {
        let id = MILLION + round;
        format!("INSERT INTO t (id, grp, amount, name) VALUES ({id}, 7, 1.5, 'name-00007')")
    };
    let ten_58 = arrow_58::batches(10, 10, Order::Ascending);
    let ten_59 = arrow_59::batches(10, 10, Order::Ascending);
    for rows in [0, MILLION] {
        progress("INSERT and load_arrow");
        let theirs = arrow_58::batches(rows, BATCH_ROWS, Order::Ascending);
        let batches = arrow_59::batches(rows, BATCH_ROWS, Order::Ascending);
        let place = match rows {
            0 => "an empty table".to_string(),
            rows => format!("{} rows", grouped(rows)),
        };

        let public: Public = loaded(&theirs).await?;
        let ours: Ours = loaded(&batches).await?;
        let [public, ours] = interleave(
            effort.inserts,
            [change_one(&public, insert), change_one(&ours, insert)],
        )
        .await?;
        let bar = Some(Bar::at_most(1.0, "public", ours, public));
        report.add(pair(
            format!("one-row INSERT into {place}"),
            public,
            ours,
            bar,
        ));

        let public: Public = loaded(&theirs).await?;
        let ours: Ours = loaded(&batches).await?;
        let [public, ours] = interleave(
            effort.inserts,
            [
                append(&public, "t", &ten_58, 10),
                append(&ours, "t", &ten_59, 10),
            ],
        )
        .await?;
        let bar = Some(Bar::at_most(1.0, "public", ours, public));
        report.add(pair(
            format!("ten-row load_arrow into {place}"),
            public,
            ours,
            bar,
        ));
    }
    Ok(())
}

/// What a ten-row append costs after very many of them: against its own start and against the published engine's.
async fn many_appends(effort: &Effort, report: &mut Report) -> Result<(), Failure> {
    progress("many appends");
    let ten_58 = arrow_58::batches(10, 10, Order::Ascending);
    let ten_59 = arrow_59::batches(10, 10, Order::Ascending);
    let public: Public = loaded(&[]).await?;
    let ours: Ours = loaded(&[]).await?;
    let measured = || async {
        interleave(
            effort.inserts,
            [
                append(&public, "t", &ten_58, 10),
                append(&ours, "t", &ten_59, 10),
            ],
        )
        .await
    };

    let [public_start, ours_start] = measured().await?;
    let public_mean = mean(&public, &ten_58, effort.appends_public).await?;
    let ours_mean = mean(&ours, &ten_59, effort.appends_ours).await?;
    let [public_end, ours_end] = measured().await?;

    let counts = format!(
        "{} appends (public: {})",
        grouped(effort.appends_ours),
        grouped(effort.appends_public)
    );
    report.add(pair(
        format!("ten-row load_arrow after {counts}"),
        public_end,
        ours_end,
        Some(Bar::at_most(
            1.0,
            "public at the start",
            ours_end,
            public_start,
        )),
    ));
    report.add(Row {
        operation: "the same against its own start".to_string(),
        ours: Some(ours_end),
        bar: Some(Bar::noted("ours at the start", ours_end, ours_start)),
        ..Row::default()
    });
    report.add(pair(
        format!("ten-row load_arrow, mean over {counts}"),
        public_mean,
        ours_mean,
        None,
    ));
    Ok(())
}

/// Appends `batches` `times` times and returns what one took in the mean, merges of small fragments and all.
async fn mean<E: Engine>(
    engine: &E,
    batches: &[E::Batch],
    times: usize,
) -> Result<Timing, Failure> {
    let started = Instant::now();
    for _ in 0..times {
        engine.append("t", batches).await?;
    }
    Ok(Timing::single(started.elapsed().div_f64(times as f64)))
}

/// An engine with a table `t` of these batches.
async fn loaded<E: Engine + Default>(batches: &[E::Batch]) -> Result<E, Failure> {
    let engine = E::default();
    engine.create("t").await?;
    if !batches.is_empty() {
        engine.append("t", batches).await?;
    }
    Ok(engine)
}

fn pair(operation: String, public: Timing, ours: Timing, bar: Option<Bar>) -> Row {
    Row {
        operation,
        public: Some(public),
        ours: Some(ours),
        bar,
        ..Row::default()
    }
}

fn progress(what: &str) {
    eprintln!("measuring {what}");
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn preface(quick: bool) -> Vec<String> {
    let both = |package: &str| versions(package).join(" and ");
    vec![
        format!(
            "{} cores, {} {}; {} samples.",
            cores(),
            std::env::consts::OS,
            std::env::consts::ARCH,
            if quick { "few" } else { "all" },
        ),
        format!(
            "public and ours: rhei-datafusion {} on DataFusion {}, Arrow {}.",
            both("rhei-datafusion"),
            both("datafusion"),
            both("arrow"),
        ),
        "Times are medians ± half the distance of the quartiles; `found` is the ratio that the bar limits.".to_string(),
    ]
}

/// The versions of a package that this program was built with, ascending.
fn versions(package: &str) -> Vec<&'static str> {
    const LOCK: &str = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"");
    let mut lines = LOCK.lines();
    let mut found = Vec::new();
    while lines.any(|line| line == name) {
        let version = lines
            .next()
            .and_then(|line| line.strip_prefix("version = "));
        found.extend(version.map(|text| text.trim_matches('"')));
    }
    found
}
