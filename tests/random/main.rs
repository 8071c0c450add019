//! Random statements, of which every answer is known from elsewhere: from DuckDB, from the same rows on another store or cut into
//! other batches, and from what has to be equal whatever the rows are.
//!
//! ```text
//! cargo test --all-features --test random -- PYTHON [--seed N] [--rounds N] [--minutes N] [--keep-going] [--print] [--browser]
//! ```
//!
//! PYTHON is an interpreter that has DuckDB. A round is a database of a few tables, a dozen queries and some writes; its number and
//! the seed make it again. What differs is made smaller until nothing can be left out, and printed. `--print` shows each statement
//! before it runs; `--browser` has each database in a page of Chromium too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test says what is wrong and stops there"
)]

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

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use case::{Case, Counts, Open, Statement};
use databases::DuckDb;
use expressions::Generator;
use world::World;

/// Statements of a round.
const QUERIES: usize = 12;
const WRITES: usize = 4;

struct Options {
    python: String,
    seed: u64,
    rounds: u64,
    time: Duration,
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
        keep_going: false,
        print: false,
    };
    while let Some(arg) = args.next() {
        let mut number = || -> u64 { args.next().and_then(|n| n.parse().ok()).expect("a number") };
        match arg.as_str() {
            "--seed" => options.seed = number(),
            "--rounds" => options.rounds = number(),
            "--minutes" => options.time = Duration::from_secs(60 * number()),
            "--keep-going" => options.keep_going = true,
            "--print" => options.print = true,
            "--browser" => databases::open_page(),
            other => panic!("{other}: it is none of the arguments that are known"),
        }
    }
    options
}

#[tokio::main]
async fn main() {
    let options = options();
    let mut duckdb = DuckDb::start(&options.python);
    let begun = Instant::now();
    let (mut counts, mut wrong, mut rounds) = (Counts::default(), 0, 0);
    while rounds < options.rounds && begun.elapsed() < options.time {
        let seed = options.seed.wrapping_add(rounds);
        rounds += 1;
        if let Some((case, text)) = round(seed, options.print, &mut duckdb, &mut counts).await {
            println!("\n--seed {seed}: {text}\nIt is made smaller:");
            let (case, text) = case.shrunk(text, &mut duckdb).await;
            println!("\n--seed {seed} --rounds 1\n{}\n{text}", case.sql());
            wrong += 1;
            if !options.keep_going {
                break;
            }
        }
    }
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

/// The first statement of a round of which the answers differ.
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
        if open.apart {
            break;
        }
    }
    None
}
