//! Analytical queries with their times, and a stream over the whole table.
//!
//! Where an answer's counts should add up to all flights, the demo checks that they do.

use std::time::{Duration, Instant};

use futures::StreamExt;
use rhei_datafusion::{DataFusionEngine, OlapEngine};

use crate::Failure;
use crate::flights::{Model, Totals};
use crate::report::{Report, counted, integers, lasted, print_rows};

/// The maximum number of rows of an answer that are printed.
const SHOWN_ROWS: usize = 5;

struct Query {
    title: &'static str,
    sql: &'static str,
    adds_up: Option<AddsUp>,
}

/// How the column `flights` of an answer adds up to the number of all flights.
#[derive(Clone, Copy)]
enum AddsUp {
    /// Each flight is counted in one row.
    Sum,
    /// One row counts all flights.
    Largest,
}

const VIEW: &str = "
CREATE VIEW daily AS
SELECT CAST(date_trunc('day', date) AS DATE) AS day, count(*) AS flights, sum(delay) AS minutes
FROM flights GROUP BY day";

const QUERIES: [Query; 14] = [
    Query {
        title: "Delays by hour of the day",
        sql: "
SELECT date_part('hour', date) AS hour, count(*) AS flights, round(avg(delay), 1) AS mean_minutes,
       round(100.0 * count(*) FILTER (WHERE delay > 15) / count(*), 1) AS late_percent
FROM flights GROUP BY hour ORDER BY hour",
        adds_up: Some(AddsUp::Sum),
    },
    Query {
        title: "The busiest routes, with their cities (two joins)",
        sql: "
SELECT r.origin, o.city AS from_city, r.destination, d.city AS to_city, r.flights, r.mean_minutes
FROM (SELECT origin, destination, count(*) AS flights, round(avg(delay), 1) AS mean_minutes
      FROM flights GROUP BY origin, destination) AS r
JOIN airports AS o ON o.iata = r.origin
JOIN airports AS d ON d.iata = r.destination
ORDER BY r.flights DESC, r.origin LIMIT 10",
        adds_up: None,
    },
    Query {
        title: "The worst days (HAVING)",
        sql: "
SELECT CAST(date_trunc('day', date) AS DATE) AS day, count(*) AS flights,
       round(avg(delay), 1) AS mean_minutes, max(delay) AS longest_minutes
FROM flights GROUP BY day HAVING count(*) >= 100 ORDER BY avg(delay) DESC LIMIT 10",
        adds_up: None,
    },
    Query {
        title: "Delays by distance: median, 90th and 99th percentile",
        sql: "
SELECT CASE WHEN distance < 250 THEN '1: under 250' WHEN distance < 500 THEN '2: 250 to 499'
            WHEN distance < 1000 THEN '3: 500 to 999' WHEN distance < 2000 THEN '4: 1000 to 1999'
            ELSE '5: from 2000' END AS miles,
       count(*) AS flights,
       round(approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(delay AS DOUBLE)), 1) AS median,
       round(approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY CAST(delay AS DOUBLE)), 1) AS p90,
       round(approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY CAST(delay AS DOUBLE)), 1) AS p99
FROM flights GROUP BY miles ORDER BY miles",
        adds_up: Some(AddsUp::Sum),
    },
    Query {
        title: "The three main destinations of each airport (rank over a window)",
        sql: "
SELECT origin, place, destination, flights
FROM (SELECT origin, destination, count(*) AS flights,
             rank() OVER (PARTITION BY origin ORDER BY count(*) DESC, destination) AS place,
             sum(count(*)) OVER (PARTITION BY origin) AS of_origin
      FROM flights GROUP BY origin, destination) AS ranked
WHERE place <= 3 ORDER BY of_origin DESC, origin, place",
        adds_up: None,
    },
    Query {
        title: "Week by week, and all weeks so far (cumulative sums over a CTE)",
        sql: "
WITH weekly AS (SELECT CAST(date_trunc('week', date) AS DATE) AS week, count(*) AS flights,
                       sum(delay) AS minutes
                FROM flights GROUP BY week)
SELECT week, flights, sum(flights) OVER (ORDER BY week) AS flights_so_far,
       sum(minutes) OVER (ORDER BY week) AS minutes_so_far
FROM weekly ORDER BY week",
        adds_up: Some(AddsUp::Sum),
    },
    Query {
        title: "States and their airports (a join of all flights, ROLLUP)",
        sql: "
SELECT CASE WHEN grouping(a.state) = 1 THEN 'all' ELSE a.state END AS in_state,
       CASE WHEN grouping(f.origin) = 1 THEN 'all' ELSE f.origin END AS airport,
       count(*) AS flights, round(avg(f.delay), 1) AS mean_minutes
FROM flights AS f LEFT JOIN airports AS a ON a.iata = f.origin
GROUP BY ROLLUP (a.state, f.origin) ORDER BY flights DESC, in_state, airport",
        adds_up: Some(AddsUp::Largest),
    },
    Query {
        title: "Parts of the day and days of the week (GROUPING SETS)",
        sql: "
SELECT coalesce(part, '') AS part_of_day, coalesce(day, '') AS weekday, count(*) AS flights,
       round(avg(delay), 1) AS mean_minutes
FROM (SELECT delay, to_char(date, '%A') AS day,
             CASE WHEN date_part('hour', date) < 6 THEN 'night'
                  WHEN date_part('hour', date) < 12 THEN 'morning'
                  WHEN date_part('hour', date) < 18 THEN 'afternoon' ELSE 'evening' END AS part
      FROM flights) AS parts
GROUP BY GROUPING SETS ((part), (day), ()) ORDER BY part_of_day DESC, weekday DESC",
        adds_up: Some(AddsUp::Largest),
    },
    Query {
        title: "Where the way back is so different (a CTE joined to itself)",
        sql: "
WITH routes AS (SELECT origin, destination, count(*) AS flights, avg(delay) AS mean
                FROM flights GROUP BY origin, destination HAVING count(*) >= 100)
SELECT there.origin AS a, there.destination AS b, round(there.mean, 1) AS a_to_b_minutes,
       round(back.mean, 1) AS b_to_a_minutes
FROM routes AS there JOIN routes AS back
  ON back.origin = there.destination AND back.destination = there.origin
WHERE there.mean > back.mean ORDER BY there.mean - back.mean DESC LIMIT 10",
        adds_up: None,
    },
    Query {
        title: "Each day and the week up to it (a view, a moving window, lag)",
        sql: "
SELECT day, flights, flights - lag(flights) OVER (ORDER BY day) AS more_than_the_day_before,
       round(CAST(sum(minutes) OVER week AS DOUBLE) / sum(flights) OVER week, 1) AS week_mean_minutes
FROM daily WINDOW week AS (ORDER BY day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)
ORDER BY day",
        adds_up: Some(AddsUp::Sum),
    },
    Query {
        title: "Distances as flown and on the sphere (trigonometry)",
        sql: "
SELECT origin, destination, miles, round(2 * 3958.8 * asin(sqrt(half)), 1) AS sphere_miles, flights
FROM (SELECT p.origin, p.destination, p.miles, p.flights,
             power(sin(radians(d.latitude - o.latitude) / 2), 2)
             + cos(radians(o.latitude)) * cos(radians(d.latitude))
             * power(sin(radians(d.longitude - o.longitude) / 2), 2) AS half
      FROM (SELECT origin, destination, min(distance) AS miles, count(*) AS flights
            FROM flights GROUP BY origin, destination) AS p
      JOIN airports AS o ON o.iata = p.origin
      JOIN airports AS d ON d.iata = p.destination) AS routes
ORDER BY miles DESC, origin LIMIT 10",
        adds_up: None,
    },
    Query {
        title: "Airports without a flight in the state with the most (scalar subquery, NOT EXISTS)",
        sql: "
SELECT a.iata, a.name, a.city, a.state FROM airports AS a
WHERE a.state = (SELECT o.state FROM flights AS f JOIN airports AS o ON o.iata = f.origin
                 GROUP BY o.state ORDER BY count(*) DESC, o.state LIMIT 1)
  AND NOT EXISTS (SELECT 1 FROM flights AS f WHERE f.origin = a.iata)
ORDER BY a.iata",
        adds_up: None,
    },
    Query {
        title: "Spread, and whether long flights are later (statistics, FILTER)",
        sql: "
SELECT origin, count(*) AS flights, round(stddev(delay), 1) AS deviation_minutes,
       round(corr(CAST(delay AS DOUBLE), CAST(distance AS DOUBLE)), 3) AS with_distance,
       round(100.0 * count(*) FILTER (WHERE delay <= 0) / count(*), 1) AS on_time_percent
FROM flights GROUP BY origin ORDER BY flights DESC, origin",
        adds_up: Some(AddsUp::Sum),
    },
    Query {
        title: "The longest delays (the first ten of a sort)",
        sql: "
SELECT id, date, origin, destination, distance, delay
FROM flights ORDER BY delay DESC, id LIMIT 10",
        adds_up: None,
    },
];

pub async fn run(
    engine: &DataFusionEngine,
    model: &Model,
    report: &mut Report,
) -> Result<(), Failure> {
    engine.execute(VIEW).await?;
    let flights = model.totals().rows;
    let mut all = Duration::ZERO;
    for (place, query) in QUERIES.iter().enumerate() {
        println!("\n  {}. {}", place + 1, query.title);
        let started = Instant::now();
        let answer = engine
            .query(query.sql)
            .await
            .map_err(|error| format!("{}: {error}", query.title))?;
        let elapsed = started.elapsed();
        all += elapsed;
        let rows = print_rows(&answer, SHOWN_ROWS)?;
        println!(
            "  {} rows in {}; {} read",
            counted(rows as u64),
            lasted(elapsed),
            report.rate(query.title, flights, elapsed)
        );
        if let Some(adds_up) = query.adds_up {
            let counts = integers(&answer, "flights")?;
            let found: i64 = match adds_up {
                AddsUp::Sum => counts.iter().sum(),
                AddsUp::Largest => counts.iter().copied().max().unwrap_or_default(),
            };
            let claim = format!("query {} adds up to all flights", place + 1);
            report.check(claim, &flights, &(found as u64));
        }
    }
    println!("\n  {} queries in {}", QUERIES.len(), lasted(all));
    Ok(())
}

/// Streams every column of every row, holding one batch at a time.
pub async fn stream(
    engine: &DataFusionEngine,
    model: &Model,
    report: &mut Report,
) -> Result<(), Failure> {
    let started = Instant::now();
    let mut batches = engine.query_stream("SELECT * FROM flights").await?;
    let mut first = None;
    let mut seen = Totals::default();
    while let Some(batch) = batches.next().await {
        let batch = [batch?];
        first.get_or_insert_with(|| started.elapsed());
        let ids = integers(&batch, "id")?;
        let delays = integers(&batch, "delay")?;
        for (id, delay) in ids.into_iter().zip(delays) {
            seen.add(id, delay);
        }
    }
    let elapsed = started.elapsed();
    println!(
        "  first batch after {}; {} rows in {}, {}",
        lasted(first.unwrap_or(elapsed)),
        counted(seen.rows),
        lasted(elapsed),
        report.rate("streaming", seen.rows, elapsed)
    );
    report.check("the stream had every row", &model.totals(), &seen);
    Ok(())
}
