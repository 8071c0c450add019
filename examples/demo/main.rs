//! `cargo demo`: the engine with 3,000,000 flights, or with a file of your own.
//!
//! This file reads the arguments and runs the steps. [`files`] downloads and loads, [`queries`] runs queries,
//! [`changes`] writes while others read, [`picture`] draws, [`any_file`] is the tour of a file of your own, and
//! [`report`] collects the results of the checks. [`flights`] computes in plain Rust all totals that the engine's
//! answers are checked against.

// `wasm-pack test` builds the examples too; this example is a native program.
#![cfg_attr(target_arch = "wasm32", no_main)]
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a native program that prints"
)]

mod any_file;
mod changes;
mod files;
mod flights;
mod picture;
mod queries;
mod report;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rhei_datafusion::{DataFusionEngine, SharedDataFusionEngine, StorageMode};

use crate::report::{Report, counted};

/// An error that ends the demo; its text is printed.
pub type Failure = Box<dyn Error + Send + Sync>;

const USAGE: &str = "\
cargo demo [FILE] [--url URL] [--rows N] [--out FOLDER]

  FILE           a .parquet, .csv, .tsv or .arrow file to look at in place of the flights
  --url URL      keep the tables in this folder, which is made and must hold no tables, and open it anew in the middle;
                 built with --features cloud-storage also s3://bucket/prefix (default: in memory)
  --rows N       load only the first N rows
  --out FOLDER   where the picture goes (default: target/demo)";

#[derive(Debug)]
struct Arguments {
    file: Option<PathBuf>,
    url: Option<String>,
    rows: Option<usize>,
    out: PathBuf,
}

impl Arguments {
    /// `None` where the arguments ask only for the usage.
    fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, Failure> {
        let mut arguments = Self {
            file: None,
            url: None,
            rows: None,
            out: Path::new(env!("CARGO_MANIFEST_DIR")).join("target/demo"),
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "-h" | "--help" => return Ok(None),
                "--rows" => {
                    let value = words.next().unwrap_or_default();
                    match value.replace(['_', ','], "").parse() {
                        Ok(rows) if rows > 0 => arguments.rows = Some(rows),
                        _ => return Err(format!("--rows takes a number, not '{value}'").into()),
                    }
                }
                "--url" => match words.next() {
                    Some(url) => arguments.url = Some(url),
                    None => return Err("--url takes a folder or a URL".into()),
                },
                "--out" => match words.next() {
                    Some(folder) => arguments.out = PathBuf::from(folder),
                    None => return Err("--out takes a folder".into()),
                },
                option if option.starts_with('-') => {
                    return Err(format!("'{option}' is not an option\n\n{USAGE}").into());
                }
                file if arguments.file.is_none() => arguments.file = Some(PathBuf::from(file)),
                file => return Err(format!("one file at a time; '{file}' is the second").into()),
            }
        }
        Ok(Some(arguments))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::read(std::env::args().skip(1)) {
        Ok(Some(arguments)) => run(arguments).await,
        Ok(None) => {
            println!("{USAGE}");
            Ok(true)
        }
        Err(error) => Err(error),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the demo. True where all checks passed.
async fn run(arguments: Arguments) -> Result<bool, Failure> {
    let engine = open(&arguments)?;
    if !engine.tables().await?.is_empty() {
        let url = arguments.url.unwrap_or_default();
        return Err(format!("{url} holds tables already; give another place").into());
    }
    let mut report = Report::start();
    match &arguments.file {
        Some(file) => any_file::tour(&engine, file, arguments.rows, &mut report).await?,
        None => tour_of_flights(engine, &arguments, &mut report).await?,
    }
    Ok(report.finish())
}

fn open(arguments: &Arguments) -> Result<SharedDataFusionEngine, Failure> {
    let mode = match &arguments.url {
        Some(url) => StorageMode::Vortex { url: url.clone() },
        None => StorageMode::InMemory,
    };
    let engine = DataFusionEngine::with_storage(mode)?;
    Ok(SharedDataFusionEngine::new(engine))
}

async fn tour_of_flights(
    mut engine: SharedDataFusionEngine,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    report.section("Loading");
    let mut model = flights::load(&engine, arguments.rows, report).await?;
    println!(
        "  {} flights from {} airports are in {}",
        counted(model.totals().rows),
        counted(model.airports() as u64),
        arguments.url.as_deref().unwrap_or("memory")
    );
    flights::check(&engine, &model, "after loading", report).await?;

    report.section("Analytical queries");
    queries::run(&engine, &model, report).await?;

    report.section("Streaming the whole table");
    queries::stream(&engine, &model, report).await?;

    report.section("The picture");
    let hours = picture::hours(&engine).await?;
    report.check("delays by hour, counted by hand", &model.hours(), &hours);
    let path = picture::draw(&hours, &arguments.out)?;
    println!("  {}", path.display());

    if arguments.url.is_some() {
        report.section("A restart");
        drop(engine);
        engine = open(arguments)?;
        flights::check(&engine, &model, "after a restart", report).await?;
    }

    report.section("Writes while others read");
    changes::run(&engine, &mut model, report).await?;
    if arguments.url.is_some() {
        drop(engine);
        engine = open(arguments)?;
        flights::check(&engine, &model, "after another restart", report).await?;
    }
    Ok(())
}
