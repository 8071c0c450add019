//! This engine, the published `rhei-datafusion` 2.0.0, DataFusion's `MemTable` and Vortex on its own, timed against
//! each other in one run.
//!
//! Prints tables of medians, ratios and limits. It only measures: a missed limit does not change the exit code, and a
//! group of operations that fails is named below the table.

mod data;
mod measure;
mod memory;
mod ours;
mod public;
mod report;
mod rhei;
mod storage;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: peers [memory|storage|rhei] [--quick] [--only GROUP] [--markdown FILE]

  memory            tables in memory (the default)
  storage           durable tables
  rhei              the trait of Rhei, its sync and NativeSync
  --quick           fewer samples and fewer appends
  --only GROUP      of storage: appends, changes, batches, growth, scans, loads or requests
  --markdown FILE   also write the tables to FILE";

const MILLION: usize = 1_000_000;

#[tokio::main]
async fn main() -> ExitCode {
    let mut quick = false;
    let mut what = What::Memory;
    let mut only = None;
    let mut markdown = None;
    let mut args = std::env::args_os().skip(1);
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("memory") => what = What::Memory,
            Some("storage") => what = What::Storage,
            Some("rhei") => what = What::Rhei,
            Some("--quick") => quick = true,
            Some("--only") => match args.next().and_then(|group| group.into_string().ok()) {
                Some(group) => only = Some(group),
                None => return usage("--only wants a group"),
            },
            Some("--markdown") => match args.next() {
                Some(file) => markdown = Some(PathBuf::from(file)),
                None => return usage("--markdown wants a file"),
            },
            Some(storage::LOAD_ONCE) => return storage::load_once(args).await,
            Some("--help" | "-h") => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            _ => return usage(&format!("unknown argument {}", arg.display())),
        }
    }
    let reports = match what {
        What::Memory => vec![memory::measure(quick).await],
        What::Storage => storage::measure(quick, only.as_deref()).await,
        What::Rhei => vec![rhei::measure(quick).await],
    };
    let text: Vec<String> = reports.iter().map(ToString::to_string).collect();
    let text = text.join("\n");
    println!("{text}");
    if let Some(file) = markdown
        && let Err(error) = std::fs::write(&file, text)
    {
        eprintln!("cannot write {}: {error}", file.display());
    }
    ExitCode::SUCCESS
}

/// What is measured.
enum What {
    Memory,
    Storage,
    Rhei,
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("{problem}\n\n{USAGE}");
    ExitCode::from(2)
}

/// Makes the SQL that changes the row of one key.
type Statement = fn(usize) -> String;

const CHANGES: [(&str, Statement); 2] = [
    ("UPDATE", |id| {
        format!("UPDATE t SET amount = 1.5 WHERE id = {id}")
    }),
    ("DELETE", |id| format!("DELETE FROM t WHERE id = {id}")),
];

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
