//! Tables in memory: this engine, the published one and DataFusion's `MemTable`.

use std::time::Instant;

use crate::data::{BATCH_ROWS, Order, QUERIES, arrow_58, arrow_59, key};
use crate::measure::{
    Engine, Failure, Rounds, Timing, append, change_one, drain, filled, first_batch, interleave,
    rounds,
};
use crate::ours::{Ours, PlainMemTable};
use crate::public::Public;
use crate::report::{Bar, Report, Row, grouped};
use crate::{CHANGES, MILLION, cores, preface, progress};

const CONTESTANTS: [&str; 4] = [PUBLIC, SINGLE, SPREAD, OURS];
const PUBLIC: &str = "public";
const SINGLE: &str = "MemTable, 1 partition";
const SPREAD: &str = "MemTable, 1 per core";
const OURS: &str = "ours";

/// A scan of this engine may take this many times as long as a scan of a `MemTable`.
const SCAN_LIMIT: f64 = 1.02;
/// The published engine must take at least this many times as long to change one row.
const CHANGE_LIMIT: f64 = 20.0;
/// A change of one row in ten times the rows may take this many times as long.
const GROWTH_LIMIT: f64 = 1.3;

/// The number of rounds and appends of each measurement.
struct Effort {
    /// Queries over a million rows.
    scans: Rounds,
    /// UPDATE and DELETE of one row.
    changes: Rounds,
    /// INSERT and small appends.
    inserts: Rounds,
    /// Appends before the last measurement. The published engine makes fewer: it copies its list of batches each time,
    /// so the cost of many appends grows with their square.
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

/// Measures everything.
pub async fn measure(quick: bool) -> Report {
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    let mut report = Report::new(preface(quick), &CONTESTANTS);
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
    report
}

/// Queries over a million rows: this engine against `MemTable`s over the same batches, and the published engine for
/// information.
async fn scans(effort: &Effort, report: &mut Report) -> Result<(), Failure> {
    const FIRST_BATCH: &str = "SELECT * FROM t";

    let public: Public = loaded(&arrow_58::batches(MILLION, BATCH_ROWS, Order::Ascending)).await?;
    let batches = arrow_59::batches(MILLION, BATCH_ROWS, Order::Ascending);
    let ours: Ours = loaded(&batches).await?;
    let mem_single = PlainMemTable::new("t", &batches, 1)?;
    let mem_spread = PlainMemTable::new("t", &batches, cores())?;

    for (name, sql, rows) in QUERIES {
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
        let row = Row::new(format!("{name}, {} rows", grouped(MILLION)))
            .figure(PUBLIC, public)
            .figure(SINGLE, single)
            .figure(SPREAD, spread)
            .figure(OURS, ours);
        report.add(row.bar(Bar::at_most(SCAN_LIMIT, "the faster MemTable", ours, best)));
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

/// UPDATE and DELETE of one row by its key, in a table of a million rows. With keys in random order no fragment can be
/// pruned by its key range, so the time is for information only.
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
                Order::Ascending => ("", Some(Bar::at_least(CHANGE_LIMIT, "ours", public, ours))),
                Order::Shuffled => (" in random order", None),
            };
            let operation = format!("one-row {name} by key, {} rows{suffix}", grouped(MILLION));
            report.add(pair(operation, public, ours, bar));
        }
    }
    Ok(())
}

/// The same in ten times the rows, with keys loaded in order: this engine against itself.
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
        let row = Row::new(format!("one-row {name} by key, {} rows", grouped(MANY)));
        let bar = Bar::at_most(GROWTH_LIMIT, &other, many, few);
        report.add(row.figure(OURS, many).bar(bar));
    }
    Ok(())
}

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

/// The time of a ten-row append after very many appends: compared with the engine's own start and with the published
/// engine.
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
    let bar = Bar::noted("ours at the start", ours_end, ours_start);
    let row = Row::new("the same against its own start");
    report.add(row.figure(OURS, ours_end).bar(bar));
    report.add(pair(
        format!("ten-row load_arrow, mean over {counts}"),
        public_mean,
        ours_mean,
        None,
    ));
    Ok(())
}

/// Appends `batches` `times` times and returns the mean time of an append, including merges of small fragments.
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
    filled(E::default(), batches).await
}

fn pair(operation: String, public: Timing, ours: Timing, bar: Option<Bar>) -> Row {
    let mut row = Row::new(operation)
        .figure(PUBLIC, public)
        .figure(OURS, ours);
    if let Some(bar) = bar {
        row = row.bar(bar);
    }
    row
}
