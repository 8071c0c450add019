//! A writing process is killed at random moments, again and again: every acknowledged change is there, and no change is
//! there in part.
//!
//! `KILLS=300` in the environment makes it a long run (of nextest, with `--profile long`).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::Rng;
use rhei_datafusion::{DataFusionEngine, SharedDataFusionEngine};

use crate::common::{fresh_folder, number, rows, run, vortex};

const FOLDER: &str = "FOLDER_OF_THE_WRITER";
const ROUND: &str = "ROUND_OF_THE_WRITER";
const ACCOUNTS: i64 = 20;
const WRITERS: i64 = 3;

fn open(folder: &Path) -> SharedDataFusionEngine {
    SharedDataFusionEngine::new(DataFusionEngine::with_storage(vortex(folder)).unwrap())
}

/// Not a test of its own: the process that is killed. Prints a line for each acknowledged change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_writer() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else {
        return;
    };
    let engine = open(Path::new(&folder));
    let writers = (0..WRITERS).map(|writer| {
        let (engine, round) = (engine.clone(), round.clone());
        tokio::spawn(async move {
            for step in 0.. {
                let key = format!("{round}, {writer}, {step}");
                let sql = match step % 5 {
                    // Many rows, stored in a file.
                    3 if writer == 0 => format!(
                        "INSERT INTO parts SELECT {key}, value FROM range(1500)"
                    ),
                    _ => format!("INSERT INTO parts VALUES ({key}, 0), ({key}, 1), ({key}, 2)"),
                };
                let (from, to) = ((step * 7 + writer) % ACCOUNTS, (step * 3 + 1) % ACCOUNTS);
                let moved = format!(
                    "{sql}; UPDATE accounts SET sum = sum - 1 WHERE id = {from}; \
                     UPDATE accounts SET sum = sum + 1 WHERE id = {to}"
                );
                engine.execute_batch(&moved).await.unwrap();
                println!("\ndone {key}");
                if step % 4 == 3 {
                    let before = step - 2;
                    let gone = format!(
                        "DELETE FROM parts WHERE round = {round} AND writer = {writer} AND step = {before}"
                    );
                    engine.execute_batch(&gone).await.unwrap();
                    println!("\ngone {round}, {writer}, {before}");
                }
                if step % 10 == 9 && writer == 1 {
                    engine.compact().await.unwrap();
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// Runs a test of this program as a process of its own, kills it `moments` after its `after`-th line "done", and returns
/// all lines that it printed.
pub fn kill_a_process(
    test: &str,
    variables: &[(&str, &str)],
    after: usize,
    moments: Duration,
) -> Vec<String> {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(process.stdout.take().unwrap());
    let mut said = said.lines().map_while(Result::ok);
    let (mut lines, mut done) = (Vec::new(), 0);
    while done < after {
        let line = said.next().expect("the process ended by itself");
        done += usize::from(line.starts_with("done "));
        lines.push(line);
    }
    std::thread::sleep(moments);
    // SIGKILL.
    process.kill().unwrap();
    process.wait().unwrap();
    lines.extend(said);
    lines
}

/// When to kill a process: after a random number of lines "done", and at a random point of what follows; every fourth
/// time possibly before the first.
pub fn some_moment(round: usize) -> (usize, Duration) {
    let after = match round % 4 {
        3 => 0,
        _ => rand::rng().random_range(2..40),
    };
    let moments = Duration::from_micros(rand::rng().random_range(0..30_000));
    (after, moments)
}

#[tokio::test]
async fn what_a_killed_process_was_told_is_done_is_there_and_nothing_is_half_there() {
    let kills: usize = std::env::var("KILLS").map_or(20, |kills| kills.parse().unwrap());
    let folder = fresh_folder();
    let engine = open(&folder);
    run(
        &engine,
        "CREATE TABLE parts (round BIGINT, writer BIGINT, step BIGINT, part BIGINT)",
    )
    .await;
    run(
        &engine,
        "CREATE TABLE accounts (id BIGINT PRIMARY KEY, sum BIGINT)",
    )
    .await;
    run(
        &engine,
        &format!("INSERT INTO accounts SELECT value, 100 FROM range({ACCOUNTS})"),
    )
    .await;
    drop(engine);
    let mut acknowledged = 0;
    for round in 0..kills {
        let (after, moments) = some_moment(round);
        let number_of_round = round.to_string();
        let variables = [
            (FOLDER, folder.to_str().unwrap()),
            (ROUND, number_of_round.as_str()),
        ];
        let said = kill_a_process("kill::the_writer", &variables, after, moments);
        let engine = open(&folder);
        assert_eq!(
            number(&engine, "SELECT sum(sum) FROM accounts").await,
            100 * ACCOUNTS
        );
        let half = rows(
            &engine,
            "SELECT round, writer, step, count(*), count(DISTINCT part) FROM parts \
             GROUP BY round, writer, step \
             HAVING count(*) <> count(DISTINCT part) OR count(*) NOT IN (3, 1500)",
        )
        .await;
        assert!(half.is_empty(), "round {round}: {half:?}");
        let there = rows(
            &engine,
            &format!("SELECT DISTINCT round || ', ' || writer || ', ' || step FROM parts WHERE round = {round}"),
        )
        .await;
        let of = |what: &str| -> Vec<String> {
            let lines = said.iter().filter_map(|line| line.strip_prefix(what));
            lines.map(str::to_string).collect()
        };
        let (done, gone) = (of("done "), of("gone "));
        acknowledged += done.len();
        for key in &done {
            // A writer may be killed between its last deletion and the line that reports it.
            let mut parts = key.split(", ").map(|part| part.parse::<i64>().unwrap());
            let (writer, step) = (parts.nth(1).unwrap(), parts.next().unwrap());
            let next = format!("{round}, {writer}, {}", step + 2);
            let may_be_gone = step % 4 == 1 && done.contains(&next);
            assert!(
                there.contains(key) || gone.contains(key) || may_be_gone,
                "round {round}: {key} was lost"
            );
        }
        for key in &gone {
            assert!(!there.contains(key), "round {round}: {key} came back");
        }
    }
    assert!(acknowledged > kills, "{acknowledged} acknowledged");
}
