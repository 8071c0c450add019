//! A process that applies changes is killed at random moments, again and again; each time another process begins
//! somewhere before the watermark, with other batches. The rows are the source's at the watermark.
//!
//! `KILLS=300` in the environment makes it a long run (of nextest, with `--profile long`).

use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rhei_datafusion::{DataFusionEngine, SharedDataFusionEngine};

use super::events::SOURCE;
use super::histories::{Source, applied_at, changes, create_tables, expected, stored};
use crate::common::{fresh_folder, vortex};
use crate::kill::{kill_a_process, some_moment};

const FOLDER: &str = "FOLDER_OF_THE_APPLIER";
const ROUND: &str = "ROUND_OF_THE_APPLIER";
/// More transactions than a round applies.
const TRANSACTIONS_OF_A_ROUND: usize = 2000;

fn open(folder: &Path) -> SharedDataFusionEngine {
    SharedDataFusionEngine::new(DataFusionEngine::with_storage(vortex(folder)).unwrap())
}

/// The same source in every process.
fn source(rounds: usize) -> Source {
    let mut source = Source::new(7);
    for _ in 0..TRANSACTIONS_OF_A_ROUND * rounds {
        source.transaction();
    }
    source
}

/// Not a test of its own: the process that is killed. Prints the watermark that each call answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_applier() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else {
        return;
    };
    let round: usize = round.parse().unwrap();
    let mut random = StdRng::seed_from_u64(round as u64);
    let source = source(round + 1);
    let engine = open(Path::new(&folder));
    let seq = engine.watermark(SOURCE).await.unwrap().map(|at| at.seq);
    let done = applied_at(&source, seq);
    // The first transaction that is not applied, or one before it.
    let next = source
        .after
        .iter()
        .position(|(end, _)| *end >= done)
        .unwrap();
    let mut at = next.saturating_sub(random.random_range(0..20));
    for step in 0.. {
        let to = (at + random.random_range(1..8)).min(source.after.len() - 1);
        let events = &source.log[source.after[at].0..source.after[to].0];
        let changes = changes(&mut random, events).upto(source.seq_at(to));
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        println!("\ndone {}", applied.watermark.unwrap());
        if step % 25 == 24 {
            engine.compact().await.unwrap();
        }
        at = to;
    }
}

#[tokio::test]
async fn the_rows_after_a_kill_are_the_sources_at_the_watermark() {
    let kills: usize = std::env::var("KILLS").map_or(12, |kills| kills.parse().unwrap());
    let folder = fresh_folder();
    create_tables(&open(&folder)).await;
    let source = source(kills);
    let mut before = 0;
    for round in 0..kills {
        let (after, moments) = some_moment(round);
        let number = round.to_string();
        let variables = [(FOLDER, folder.to_str().unwrap()), (ROUND, number.as_str())];
        let said = kill_a_process("changes::killed::the_applier", &variables, after, moments);
        let told = said
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix("done "));
        let told: Option<u64> = told.map(|seq| seq.parse().unwrap());
        let engine = open(&folder);
        let seq = engine.watermark(SOURCE).await.unwrap().map(|at| at.seq);
        assert!(
            seq >= told,
            "round {round}: {seq:?}, and {told:?} was acknowledged"
        );
        let done = applied_at(&source, seq);
        let state = source.after.iter().rfind(|(end, _)| *end == done);
        let (_, state) = state.expect("a watermark in the middle of a transaction");
        assert_eq!(stored(&engine).await, expected(state), "round {round}");
        assert!(done >= before, "round {round}: the watermark fell");
        before = done;
    }
    assert!(before > kills, "{before} changes");
}
