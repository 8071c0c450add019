//! DataFusion's own sqllogictest statements and results, run on this engine.
//!
//! ```text
//! cargo test --all-features --test corpora [-- [--durable | --browser] [--file PART_OF_A_NAME] [--write]]
//! ```
//!
//! The files come from the crate `datafusion-sqllogictest` of the linked DataFusion version; cargo fetches it. Each
//! file runs on its own engine: in memory; or, with `--durable`, in a folder that is compacted after each write and
//! reopened every few writes; or, with `--browser`, in a page of Chromium, which has no files and no settings, so only
//! wrong rows count there. The known differences are in `differences.txt`, each record with its reason; the run fails
//! where that list is not exact. `--write` rewrites the list, with `?` where a reason is missing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what is wrong and stops there"
)]

mod database;
mod differences;
mod files;
#[path = "../page/lines.rs"]
mod lines;
#[path = "../page/mod.rs"]
mod page;
mod text;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rhei_datafusion::{DfOlapError, ErrorKind};
use sqllogictest::{
    Record, Runner, TestErrorKind, default_column_validator, parse_file, strict_column_validator,
};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use database::{Database, Kind};
use differences::Differences;
use files::{RunnerOnly, Source};
use page::Page;

/// The number of files that run in parallel.
const AT_ONCE: usize = 2;

#[derive(Default)]
struct Options {
    durable: bool,
    browser: bool,
    write: bool,
    only: Option<String>,
}

fn options() -> Options {
    let mut options = Options::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--durable" => options.durable = true,
            "--browser" => options.browser = true,
            "--write" => options.write = true,
            "--file" => options.only = Some(args.next().expect("--file takes a part of a name")),
            other => panic!("{other}: --durable, --browser, --file and --write are known"),
        }
    }
    assert!(
        !(options.browser && (options.durable || options.write)),
        "--browser goes with neither --durable nor --write: not all records run there"
    );
    options
}

/// The results of the records of one file.
#[derive(Default)]
struct Report {
    passed: usize,
    /// EXPLAIN records, which are not compared.
    plans: usize,
    /// Records that need files, tables or functions that only DataFusion's own runner has.
    theirs: usize,
    /// The line and the difference of each record that differs.
    differ: BTreeMap<u32, String>,
}

#[tokio::main]
async fn main() {
    let options = options();
    let source = Source::fetch();
    let folder = tempfile::tempdir().unwrap();
    source.enter(folder.path());

    let mut files = source.files();
    let all = files.len();
    if let Some(only) = &options.only {
        files.retain(|file| file.contains(only));
    }
    let kind = match (options.durable, options.browser) {
        (true, _) => Kind::Durable,
        (false, true) => Kind::Browser(Arc::new(Mutex::new(Page::open()))),
        (false, false) => Kind::Memory,
    };
    let source = Arc::new(source);
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for file in files.clone() {
        let (source, permits, kind) = (Arc::clone(&source), Arc::clone(&permits), kind.clone());
        running.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            let report = run(&source, &file, kind).await;
            (file, report)
        });
    }
    let mut reports = BTreeMap::new();
    while let Some(done) = running.join_next().await {
        let (file, report) = done.expect("a file's run does not panic");
        if options.browser {
            println!(
                "{file}: {} as there, {} not",
                report.passed,
                report.differ.len()
            );
        }
        reports.insert(file, report);
    }

    let count = |of: fn(&Report) -> usize| reports.values().map(of).sum::<usize>();
    let (passed, plans, theirs) = (count(|r| r.passed), count(|r| r.plans), count(|r| r.theirs));
    let differ = count(|r| r.differ.len());
    println!(
        "{} of {all} files: {passed} records as there, {differ} not, {theirs} of files and functions of theirs, {plans} texts of plans",
        files.len()
    );
    let compared = (passed + differ).max(1);
    println!("{:.2} % as there", 100.0 * passed as f64 / compared as f64);

    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpora/differences.txt");
    let here = match (options.durable, options.browser) {
        (true, _) => Some(differences::DURABLE),
        (false, true) => Some(differences::PAGE),
        (false, false) => None,
    };
    let mut known = Differences::read(&list, here);
    let found = reports
        .iter()
        .map(|(file, report)| (file.as_str(), &report.differ));
    let wrong = known.compare(found, !options.browser);
    for text in &wrong {
        println!("\n{text}");
    }
    if options.write {
        known.update(
            &reports
                .iter()
                .map(|(file, report)| (file.clone(), report.differ.keys().copied().collect()))
                .collect(),
        );
        known.write(&list);
    }
    let result = if wrong.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {result}. {passed} passed; {} failed; 0 ignored",
        wrong.len()
    );
    if !wrong.is_empty() {
        std::process::exit(1);
    }
}

async fn run(source: &Source, file: &str, kind: Kind) -> Report {
    let mut report = Report::default();
    let path = source.path(file);
    let records = match parse_file(&path) {
        Ok(records) => records,
        Err(error) => {
            report.differ.insert(0, error.to_string());
            return report;
        }
    };
    let in_browser = matches!(kind, Kind::Browser(_));
    let database = Database::open(kind).await;
    let mut theirs = RunnerOnly::of(file);
    let mut runner = Runner::new(async || Ok::<_, DfOlapError>(database.clone()));
    runner.add_label("Datafusion");
    match in_browser {
        // Dictionary columns arrive from the page as plain values.
        true => runner.with_column_validator(default_column_validator),
        false => runner.with_column_validator(strict_column_validator),
    }
    runner.with_normalizer(text::normalize);
    runner.with_validator(text::are_same);
    for record in records {
        let (sql, line) = match &record {
            Record::Halt { .. } => break,
            Record::Statement { sql, loc, .. } | Record::Query { sql, loc, .. } => {
                (sql.clone(), loc.line())
            }
            _ => {
                let _ = runner.run_async(record).await;
                continue;
            }
        };
        let result = runner.run_async(record).await;
        if files::is_plan(&sql) {
            report.plans += 1;
        } else if theirs.has(&sql) {
            report.theirs += 1;
        } else {
            match result.map_err(|error| error.kind()) {
                // Error messages are worded differently here.
                Ok(_) | Err(TestErrorKind::ErrorMismatch { .. }) => report.passed += 1,
                // Without ORDER BY, rows may arrive in any order.
                Err(TestErrorKind::QueryResultMismatch {
                    sql,
                    expected,
                    actual,
                }) if !sql.to_ascii_lowercase().contains("order by")
                    && text::sorted(&expected) == text::sorted(&actual) =>
                {
                    report.passed += 1;
                }
                // In a page, a statement fails that needs a file, a setting, or a table that such a statement created.
                Err(TestErrorKind::Fail { err, .. }) if in_browser && !is_internal(&err) => {
                    report.theirs += 1;
                }
                Err(error) => {
                    report.differ.insert(line, error.to_string());
                }
            }
        }
    }
    database.close().await;
    report
}

fn is_internal(error: &Arc<dyn std::error::Error + Send + Sync>) -> bool {
    let error = error.downcast_ref::<DfOlapError>();
    error.is_none_or(|error| error.kind() == ErrorKind::Internal)
}
