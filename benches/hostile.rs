//! Statements that would run for minutes, stopped by a timeout: the time until the call returns, the latency of a small
//! query meanwhile and afterwards, the delay of the program's own tasks, and the peak memory. The benchmark prints one
//! table and asserts nothing.
//!
//!     cargo bench --bench hostile [-- PART_OF_A_NAME]

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a benchmark measures, prints and stops where something is wrong"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rhei_datafusion::{DataFusionEngine, OlapEngine, StatementOptions};

const DEADLINE: Duration = Duration::from_secs(1);
const ROWS: usize = 3_000_000;

/// Name and statement; `big` has three million rows, `wide` has texts, `pairs` has thirty thousand rows.
const STATEMENTS: [(&str, &str); 40] = [
    (
        "sort of one list",
        "SELECT array_length(array_sort(range(0, 20000000)))",
    ),
    (
        "sort of one list, backwards",
        "SELECT array_length(array_sort(range(0, 10000000), 'DESC'))",
    ),
    (
        "distinct of one list",
        "SELECT array_length(array_distinct(range(0, 8000000)))",
    ),
    (
        "union of lists",
        "SELECT array_length(array_union(range(0, 5000000), range(0, 5000000)))",
    ),
    (
        "list in each row",
        "SELECT sum(array_length(array_sort(range(0, id % 3000)))) FROM big",
    ),
    (
        "list joined to text",
        "SELECT sum(length(array_to_string(range(0, id % 500), ','))) FROM big",
    ),
    (
        "levenshtein",
        "SELECT sum(levenshtein(repeat(a.t, 100), repeat(b.t, 100))) FROM wide a, wide b",
    ),
    (
        "levenshtein of long texts",
        "SELECT sum(levenshtein(repeat(t, 2000), repeat(t || 'x', 2000))) FROM wide",
    ),
    (
        "regexp",
        "SELECT count(*) FROM big WHERE regexp_like(repeat(t, 50), '(a|b|ab)*c(x+x+)+y')",
    ),
    (
        "regexp_replace",
        "SELECT sum(length(regexp_replace(repeat(t, 50), '([a-z0-9]+)', '\\1\\1', 'g'))) FROM big",
    ),
    ("repeat", "SELECT sum(length(repeat(t, 200))) FROM big a"),
    (
        "md5 of long texts",
        "SELECT max(md5(repeat(t, 400))) FROM big",
    ),
    ("sha512", "SELECT max(sha512(repeat(t, 100))) FROM big"),
    (
        "translate",
        "SELECT max(translate(repeat(t, 300), 'abcdef', 'ghijkl')) FROM big",
    ),
    ("reverse", "SELECT max(reverse(repeat(t, 300))) FROM big"),
    ("sort", "SELECT id FROM big ORDER BY t, id"),
    (
        "sort of many columns",
        "SELECT * FROM big ORDER BY t DESC, v, id",
    ),
    (
        "sort of a product",
        "SELECT a.id + b.id AS s FROM pairs a, pairs b ORDER BY s",
    ),
    (
        "cross join",
        "SELECT count(*) FROM big a, big b WHERE a.id + b.id < 0",
    ),
    (
        "cross join, counted",
        "SELECT sum(a.id * 2 + b.id) FROM pairs a, pairs b, pairs c",
    ),
    (
        "nested loop join",
        "SELECT count(*) FROM pairs a JOIN pairs b ON a.id < b.id AND a.v + b.v > 1e9",
    ),
    (
        "hash join of many pairs",
        "SELECT count(*) FROM big a JOIN big b ON a.id % 100 = b.id % 100",
    ),
    (
        "hash join of one key",
        "SELECT max(a.v + b.v) FROM pairs a JOIN pairs b ON a.id % 2 = b.id % 2",
    ),
    (
        "full join",
        "SELECT count(*) FROM big a FULL JOIN big b ON a.id = b.id + 1 WHERE a.t <> b.t OR a.id IS NULL",
    ),
    (
        "groups of all rows",
        "SELECT t, id, count(*) FROM big GROUP BY t, id ORDER BY 3 DESC LIMIT 1",
    ),
    (
        "distinct of a product",
        "SELECT count(DISTINCT a.id * 30000 + b.id) FROM pairs a, pairs b",
    ),
    (
        "array_agg",
        "SELECT length(array_to_string(array_agg(t ORDER BY id DESC), '')) FROM big",
    ),
    (
        "string_agg",
        "SELECT length(string_agg(t, ',' ORDER BY t)) FROM big",
    ),
    (
        "median of groups",
        "SELECT sum(m) FROM (SELECT median(v) AS m FROM big GROUP BY id % 1000000) AS q",
    ),
    (
        "window, one partition",
        "SELECT sum(r) FROM (SELECT row_number() OVER (ORDER BY t, id) AS r FROM big) AS q",
    ),
    (
        "window, wide frame",
        "SELECT sum(r) FROM (SELECT max(v) OVER (ORDER BY id ROWS BETWEEN 5000 PRECEDING AND 5000 FOLLOWING) AS r FROM big) AS q",
    ),
    (
        "window, ranks",
        "SELECT sum(r) FROM (SELECT percent_rank() OVER (PARTITION BY id % 2 ORDER BY v) AS r FROM big) AS q",
    ),
    (
        "recursion",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 100000000) SELECT count(*) FROM r",
    ),
    (
        "recursion that grows",
        "WITH RECURSIVE r AS (SELECT id AS n FROM pairs UNION ALL SELECT n + 1 FROM r WHERE n < 100000000) SELECT count(*) FROM r",
    ),
    (
        "series",
        "SELECT sum(value * 2) FROM generate_series(1, 100000000000)",
    ),
    (
        "unnest",
        "SELECT sum(x) FROM (SELECT unnest(range(0, 10000)) AS x FROM big) AS q",
    ),
    (
        "union of many",
        "SELECT count(*) FROM (SELECT t FROM big UNION SELECT t || 'x' FROM big UNION SELECT t || 'y' FROM big) AS q",
    ),
    (
        "correlated",
        "SELECT sum((SELECT max(b.v) FROM pairs b WHERE b.id < a.id)) FROM pairs a",
    ),
    (
        "update",
        "UPDATE big SET t = repeat(t, 20), v = v + 1 WHERE regexp_like(repeat(t, 50), '(a|b|ab)*c')",
    ),
    (
        "table of a product",
        "CREATE TABLE product AS SELECT a.id AS a, b.id AS b, a.t || b.t AS t FROM pairs a, pairs b",
    ),
];

const SMALL: &str = "SELECT g, count(*), sum(v) FROM small GROUP BY g";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run());
}

async fn run() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let engine = Arc::new(DataFusionEngine::new());
    let setup = format!(
        "CREATE TABLE big AS SELECT value AS id, CAST(value * 7919 % 1000003 AS DOUBLE) AS v, md5(CAST(value AS TEXT)) AS t
         FROM generate_series(1, {ROWS}) AS s;
         CREATE TABLE pairs AS SELECT * FROM big WHERE id <= 30000;
         CREATE TABLE wide AS SELECT * FROM big WHERE id <= 5500;
         CREATE TABLE small AS SELECT id % 1000 AS g, v FROM big WHERE id <= 20000"
    );
    engine.execute_batch(&setup).await.unwrap();
    let (held_up, ticking) = ticker();
    let alone = p99(&latencies(&engine, Duration::from_secs(2)).await);
    println!(
        "deadline {} ms, {} processors; the small query alone: p99 {:.1} ms\n",
        DEADLINE.as_millis(),
        std::thread::available_parallelism().map_or(1, usize::from),
        ms(alone)
    );
    println!(
        "| statement | back after ms | small query meanwhile, p99 / alone | after, p99 / alone | tasks held up ms | peak MiB |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    for (name, sql) in STATEMENTS {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        held_up.store(0, Ordering::Relaxed);
        let hostile = {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                let begun = Instant::now();
                let options = StatementOptions::new().timeout(DEADLINE);
                let ended = match sql.starts_with("SELECT") || sql.starts_with("WITH") {
                    true => engine.query_with(sql, options).await.map(drop),
                    false => engine.execute_with(sql, options).await.map(drop),
                };
                (
                    begun.elapsed(),
                    ended.err().map(|error| error.kind().code()),
                )
            })
        };
        let meanwhile = latencies(&engine, DEADLINE).await;
        let (back, kind) = hostile.await.unwrap();
        let after = latencies(&engine, Duration::from_secs(2)).await;
        println!(
            "| {name}{} | {:.0} | {:.1} | {:.1} | {:.1} | {} |",
            match kind {
                Some("timeout") => String::new(),
                Some(other) => format!(" ({other})"),
                None => " (done)".to_string(),
            },
            ms(back),
            p99(&meanwhile).as_secs_f64() / alone.as_secs_f64(),
            p99(&after).as_secs_f64() / alone.as_secs_f64(),
            held_up.load(Ordering::Relaxed) as f64 / 1e3,
            peak_mebibytes(),
        );
        engine
            .execute("DROP TABLE IF EXISTS product")
            .await
            .unwrap();
    }
    ticking.store(false, Ordering::Relaxed);
}

/// The longest delay of a timer, in microseconds, on the single thread of the program's own runtime.
fn ticker() -> (Arc<AtomicU64>, Arc<AtomicBool>) {
    let (longest, ticking) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(true)));
    let (seen, on) = (Arc::clone(&longest), Arc::clone(&ticking));
    tokio::spawn(async move {
        while on.load(Ordering::Relaxed) {
            let begun = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            let late = begun.elapsed().saturating_sub(Duration::from_millis(1));
            seen.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
        }
    });
    (longest, ticking)
}

async fn latencies(engine: &Arc<DataFusionEngine>, time: Duration) -> Vec<Duration> {
    let begun = Instant::now();
    let mut all = Vec::new();
    while begun.elapsed() < time {
        let one = Instant::now();
        engine.query(SMALL).await.unwrap();
        all.push(one.elapsed());
    }
    all
}

fn p99(latencies: &[Duration]) -> Duration {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * 99 / 100).min(sorted.len() - 1)]
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The peak memory of this process so far.
fn peak_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() / 1024
}
