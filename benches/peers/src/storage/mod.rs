//! Durable tables: this engine with and without syncing, the published engine (which does not sync), and the parts that
//! both are built on, alone: a sync of a file and its folder, the Vortex writer, DataFusion's listing of Vortex files.

mod batches;
mod counting;
mod loads;
mod requests;
mod scans;
mod yardsticks;

use std::time::Duration;

use ::ours::Durability;

use crate::data::{BATCH_ROWS, Order, arrow_58, arrow_59, key};
use crate::measure::{Failure, Rounds, append, change_one, drain, filled, interleave, rounds};
use crate::ours::Ours;
use crate::public::Public;
use crate::report::{Bar, Report, Row, grouped};
use crate::{CHANGES, MILLION, preface, progress};

pub use loads::{LOAD_ONCE, load_once};

const PUBLIC: &str = "public";
const YARDSTICK: &str = "yardstick";
const UNSYNCED: &str = "ours, not synced";
const SYNCED: &str = "ours, synced";
const CONTESTANTS: [&str; 4] = [PUBLIC, YARDSTICK, UNSYNCED, SYNCED];

/// The published engine must take at least this many times as long for a ten-row append, where neither engine syncs …
const APPEND_LIMIT: f64 = 40.0;
/// … and where only this engine syncs.
const SYNCED_APPEND_LIMIT: f64 = 5.0;
/// The maximum time of a synced append beyond the time of one file sync and one folder sync.
const BEYOND_SYNCS: Duration = Duration::from_micros(300);
/// The published engine must take at least this many times as long to change one row.
const CHANGE_LIMIT: f64 = 100.0;
/// A change of one row in ten times the rows may take this many times as long.
const GROWTH_LIMIT: f64 = 1.3;

/// The number of rounds and commits of each measurement.
struct Effort {
    appends: Rounds,
    /// UPDATE and DELETE of one row, together with the published engine, which rewrites a million rows each time …
    changes: Rounds,
    /// … and without the published engine.
    growth: Rounds,
    /// Batches of ten changes; the published engine rewrites a million rows for most of them.
    batches: Rounds,
    scans: Rounds,
    loads: Rounds,
    commits: usize,
}

impl Effort {
    const FULL: Self = Self {
        appends: rounds(20, 201),
        changes: rounds(3, 21),
        batches: rounds(1, 5),
        growth: rounds(5, 101),
        scans: rounds(3, 31),
        loads: rounds(1, 7),
        commits: 10_000,
    };
    const QUICK: Self = Self {
        appends: rounds(5, 51),
        changes: rounds(1, 5),
        batches: rounds(1, 3),
        growth: rounds(3, 21),
        scans: rounds(2, 11),
        loads: rounds(1, 3),
        commits: 2_000,
    };
}

/// Measures everything, or one group.
pub async fn measure(quick: bool, only: Option<&str>) -> Vec<Report> {
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    let wanted = |group: &str| only.is_none_or(|only| only == group);
    let mut lines = preface(quick);
    lines.push(format!(
        "Folders are below {}; a yardstick is what the bar names.",
        std::env::temp_dir().display()
    ));
    let mut report = Report::new(lines, &CONTESTANTS);
    if wanted("appends") {
        let outcome = appends(&effort, &mut report).await;
        report.close("appends", outcome);
    }
    if wanted("changes") {
        let outcome = changes(&effort, &mut report).await;
        report.close("changes of one row", outcome);
    }
    if wanted("batches") {
        let outcome = batches::measure(effort.batches, &mut report).await;
        report.close("batches of changes", outcome);
    }
    if wanted("growth") {
        let outcome = growth(&effort, &mut report).await;
        report.close("growth", outcome);
    }
    if wanted("scans") {
        let outcome = scans::measure(effort.scans, &mut report).await;
        report.close("scans", outcome);
    }
    if wanted("loads") {
        let outcome = loads::measure(effort.loads, &mut report).await;
        report.close("loads", outcome);
    }
    let mut reports = vec![report];
    if wanted("requests") {
        reports.push(requests::count(effort.commits).await);
    }
    reports
}

/// Ten-row appends to a table that starts empty and to one of a million rows. An append that returned is committed, and
/// queries see it.
async fn appends(effort: &Effort, report: &mut Report) -> Result<(), Failure> {
    let ten_58 = arrow_58::batches(10, 10, Order::Ascending);
    let ten_59 = arrow_59::batches(10, 10, Order::Ascending);
    // Both folders are removed at the end: some file systems create files slowly just after many files were removed.
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    for (rows, folder) in [0, MILLION].into_iter().zip(&folders) {
        progress("ten-row appends");
        let at = |name: &str| folder.path().join(name);
        let theirs = arrow_58::batches(rows, BATCH_ROWS, Order::Ascending);
        let batches = arrow_59::batches(rows, BATCH_ROWS, Order::Ascending);
        let public = filled(Public::stored(&at("public"))?, &theirs).await?;
        let unsynced = Ours::stored(&at("unsynced"), Durability::LostOnPowerFailure)?;
        let unsynced = filled(unsynced, &batches).await?;
        let synced = filled(Ours::stored(&at("synced"), Durability::Synced)?, &batches).await?;
        let [theirs, syncs, ours, ours_synced] = interleave(
            effort.appends,
            [
                append(&public, "t", &ten_58, 10),
                yardsticks::sync_pair(folder.path()),
                append(&unsynced, "t", &ten_59, 10),
                append(&synced, "t", &ten_59, 10),
            ],
        )
        .await?;
        let appended = 10 * (effort.appends.warm_up + effort.appends.samples);
        for engine in [&unsynced, &synced] {
            drain(engine, "SELECT id FROM t", rows + appended)(0).await?;
        }
        let place = match rows {
            0 => "an empty table".to_string(),
            rows => format!("{} rows", grouped(rows)),
        };
        let row = Row::new(format!("ten-row load_arrow into {place}"))
            .figure(PUBLIC, theirs)
            .figure(YARDSTICK, syncs)
            .figure(UNSYNCED, ours)
            .figure(SYNCED, ours_synced)
            .bar(Bar::at_least(APPEND_LIMIT, UNSYNCED, theirs, ours))
            .bar(Bar::at_least(
                SYNCED_APPEND_LIMIT,
                SYNCED,
                theirs,
                ours_synced,
            ))
            .bar(Bar::at_most_beyond(
                BEYOND_SYNCS,
                "file and folder sync",
                ours_synced,
                syncs,
            ));
        report.add(row);
    }
    Ok(())
}

/// UPDATE and DELETE of one row by its key, in a table of a million rows.
async fn changes(effort: &Effort, report: &mut Report) -> Result<(), Failure> {
    let theirs = arrow_58::batches(MILLION, BATCH_ROWS, Order::Ascending);
    let batches = arrow_59::batches(MILLION, BATCH_ROWS, Order::Ascending);
    for (name, statement) in CHANGES {
        progress(name);
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let public = filled(Public::stored(&at("public"))?, &theirs).await?;
        let unsynced = Ours::stored(&at("unsynced"), Durability::LostOnPowerFailure)?;
        let unsynced = filled(unsynced, &batches).await?;
        let synced = filled(Ours::stored(&at("synced"), Durability::Synced)?, &batches).await?;
        let [public, ours, synced] = interleave(
            effort.changes,
            [
                change_one(&public, |round| statement(key(round, MILLION))),
                change_one(&unsynced, |round| statement(key(round, MILLION))),
                change_one(&synced, |round| statement(key(round, MILLION))),
            ],
        )
        .await?;
        let row = Row::new(format!("one-row {name} by key, {} rows", grouped(MILLION)))
            .figure(PUBLIC, public)
            .figure(UNSYNCED, ours)
            .figure(SYNCED, synced)
            .bar(Bar::at_least(CHANGE_LIMIT, UNSYNCED, public, ours));
        report.add(row);
    }
    Ok(())
}

/// The same in ten times the rows: this engine against itself.
async fn growth(effort: &Effort, report: &mut Report) -> Result<(), Failure> {
    const MANY: usize = 10 * MILLION;
    let few_batches = arrow_59::batches(MILLION, BATCH_ROWS, Order::Ascending);
    let many_batches = arrow_59::batches(MANY, BATCH_ROWS, Order::Ascending);
    for (name, statement) in CHANGES {
        for (durability, contestant) in [
            (Durability::LostOnPowerFailure, UNSYNCED),
            (Durability::Synced, SYNCED),
        ] {
            progress(name);
            let folder = tempfile::tempdir()?;
            let few = Ours::stored(&folder.path().join("few"), durability)?;
            let few = filled(few, &few_batches).await?;
            let many = Ours::stored(&folder.path().join("many"), durability)?;
            let many = filled(many, &many_batches).await?;
            let [few, many] = interleave(
                effort.growth,
                [
                    change_one(&few, |round| statement(key(round, MILLION))),
                    change_one(&many, |round| statement(key(round, MANY))),
                ],
            )
            .await?;
            let yardstick = format!("ours at {} rows", grouped(MILLION));
            let row = Row::new(format!("one-row {name} by key, {} rows", grouped(MANY)))
                .figure(YARDSTICK, few)
                .figure(contestant, many)
                .bar(Bar::at_most(GROWTH_LIMIT, &yardstick, many, few));
            report.add(row);
        }
    }
    Ok(())
}
