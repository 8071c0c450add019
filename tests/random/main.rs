//! Random statements whose answers are checked against DuckDB, against the same rows in another store or in other
//! batches, and against queries that must be equivalent.
//!
//! ```text
//! cargo test --all-features --test random -- PYTHON [--seed N] [--rounds N] [--minutes N] [--jobs N]
//!     [--keep-going] [--print] [--browser]
//! ```
//!
//! PYTHON is an interpreter that has DuckDB. A round is a database of a few tables, a dozen queries and some writes.
//! Its seed is `--seed` plus the number of the round, so `--seed N --rounds 1` repeats it. The rounds run on as many
//! threads as the machine has cores, or as `--jobs` says. A statement with differing answers is shrunk until no part
//! can be left out, and printed. `--print` shows each statement before it runs; `--browser` also loads each database
//! into a page of Chromium.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test says what is wrong and stops there"
)]

mod aggregates;
mod case;
mod databases;
mod expressions;
mod fallible;
#[path = "../page/lines.rs"]
mod lines;
#[path = "../page/mod.rs"]
mod page;
mod queries;
#[path = "../integration/sql_file.rs"]
#[allow(
    dead_code,
    reason = "of the format of the SQL files it is how rows are written"
)]
mod sql_file;
mod tree;
mod world;
mod writes;

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use case::{Case, Counts, Open, Statement};
use databases::DuckDb;
use expressions::Generator;
use world::World;

/// The numbers of statements in a round.
const QUERIES: usize = 12;
const WRITES: usize = 4;

struct Options {
    python: String,
    seed: u64,
    rounds: u64,
    time: Duration,
    jobs: usize,
    keep_going: bool,
    print: bool,
}

fn options() -> Options {
    let mut args = std::env::args().skip(1);
    let mut options = Options {
        python: args
            .next()
            .expect("the first argument is a Python interpreter that has DuckDB"),
        seed: rand::random::<u32>().into(),
        rounds: u64::MAX,
        time: Duration::MAX,
        jobs: thread::available_parallelism().map_or(1, NonZero::get),
        keep_going: false,
        print: false,
    };
    while let Some(arg) = args.next() {
        let mut number = || -> u64 { args.next().and_then(|n| n.parse().ok()).expect("a number") };
        match arg.as_str() {
            "--seed" => options.seed = number(),
            "--rounds" => options.rounds = number(),
            "--minutes" => options.time = Duration::from_secs(60 * number()),
            "--jobs" => options.jobs = number().max(1) as usize,
            "--keep-going" => options.keep_going = true,
            "--print" => (options.print, options.jobs) = (true, 1),
            "--browser" => databases::open_page(),
            other => panic!("{other}: it is none of the arguments that are known"),
        }
    }
    options
}

fn main() {
    let options = options();
    let turns = Turns::new(&options);
    let done: Vec<Done> = thread::scope(|scope| {
        let jobs: Vec<_> = (0..options.jobs)
            .map(|_| scope.spawn(|| job(&options, &turns)))
            .collect();
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    });
    let mut counts = Counts::default();
    done.iter().for_each(|job| counts.add(&job.counts));
    let (rounds, wrong) = done.iter().fold((0, 0), |(rounds, wrong), job| {
        (rounds + job.rounds, wrong + job.wrong)
    });
    println!(
        "\n{rounds} databases from --seed {}: {} statements, {} with rows of DuckDB, {} refused by both, {} by DuckDB alone, {} unsupported",
        options.seed,
        counts.statements,
        counts.with_duckdb,
        counts.refused,
        counts.alone,
        counts.unsupported
    );
    let result = if wrong == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {result}. {} passed; {wrong} failed; 0 ignored",
        counts.statements - counts.unsupported - wrong
    );
    if wrong > 0 {
        std::process::exit(1);
    }
}

/// Hands out the rounds to all jobs.
struct Turns<'a> {
    options: &'a Options,
    begun: Instant,
    next: AtomicU64,
    is_over: AtomicBool,
}

impl<'a> Turns<'a> {
    fn new(options: &'a Options) -> Self {
        Self {
            options,
            begun: Instant::now(),
            next: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    /// The seed of the next round; `None` after the last one.
    fn next(&self) -> Option<u64> {
        let goes_on =
            !self.is_over.load(Ordering::Relaxed) && self.begun.elapsed() < self.options.time;
        let round = goes_on.then(|| self.next.fetch_add(1, Ordering::Relaxed))?;
        (round < self.options.rounds).then(|| self.options.seed.wrapping_add(round))
    }

    /// Ends the run after a difference.
    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// The results of a job.
#[derive(Default)]
struct Done {
    counts: Counts,
    rounds: usize,
    wrong: usize,
}

/// Runs rounds, one after the other, with a DuckDB process of its own.
fn job(options: &Options, turns: &Turns) -> Done {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut duckdb = DuckDb::start(&options.python);
    let mut done = Done::default();
    while let Some(seed) = turns.next() {
        done.rounds += 1;
        let round = round(seed, options.print, &mut duckdb, &mut done.counts);
        if let Some((case, text)) = runtime.block_on(round) {
            if !options.keep_going {
                turns.end();
            }
            println!("\n--seed {seed}: {text}\nIt is made smaller:");
            let (case, text) = runtime.block_on(case.shrunk(text, &mut duckdb));
            println!("\n--seed {seed} --rounds 1\n{}\n{text}", case.sql());
            done.wrong += 1;
        }
    }
    done
}

/// Runs a round; returns the case that ends with the first statement whose answers differ.
async fn round(
    seed: u64,
    print: bool,
    duckdb: &mut DuckDb,
    counts: &mut Counts,
) -> Option<(Case, String)> {
    let mut generator = Generator::new(StdRng::seed_from_u64(seed));
    let world = World::random(&mut generator);
    let mut open = Open::new(&world, duckdb).await;
    let mut writes = Vec::new();
    for place in 0..QUERIES + WRITES {
        let statement = match place % (QUERIES / WRITES + 1) {
            0 => generator.write(&world),
            _ if generator.one_in(6) => match generator.fallible(&world) {
                Some(query) => Statement::Fallible(query),
                None => Statement::Query(generator.query(&world)),
            },
            _ => Statement::Query(generator.query(&world)),
        };
        if print {
            println!("{};", statement.sql());
        }
        if let Some(wrong) = open.check(&statement, counts).await {
            writes.push(statement);
            return Some((
                Case {
                    world,
                    statements: writes,
                },
                wrong,
            ));
        }
        if let Statement::Write(..) = statement {
            writes.push(statement);
        }
        if open.has_diverged {
            break;
        }
    }
    None
}
