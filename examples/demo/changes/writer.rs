//! The statements that change the flights: each runs in the engine as SQL and in the model as a loop, is timed and
//! compared.

use std::time::{Duration, Instant};

use rhei_datafusion::datafusion::common::ScalarValue;
use rhei_datafusion::{DataFusionEngine, OlapEngine};

use super::source;
use super::staging::{Staged, stage};
use crate::Failure;
use crate::flights::{Flight, Model, Totals, check};
use crate::report::{Report, counted, integers, lasted};

/// The number of single-row updates whose mean time is measured.
const POINT_UPDATES: usize = 100;

/// Runs each statement in the engine and in the model.
pub struct Writer<'a> {
    engine: &'a DataFusionEngine,
    model: &'a mut Model,
    report: &'a mut Report,
    states: Vec<Totals>,
}

impl<'a> Writer<'a> {
    pub fn new(engine: &'a DataFusionEngine, model: &'a mut Model, report: &'a mut Report) -> Self {
        let states = vec![model.totals()];
        Self {
            engine,
            model,
            report,
            states,
        }
    }

    /// The totals before the first statement and after each.
    pub fn into_states(self) -> Vec<Totals> {
        self.states
    }

    /// Adds ten minutes of delay to the evening flights of the busiest airport.
    pub async fn update(&mut self) -> Result<(), Failure> {
        let departures = self.model.departures();
        let busiest = (0..departures.len()).max_by_key(|place| departures[*place]);
        let busiest = busiest.unwrap_or_default() as u16;
        let evening: Vec<(i64, Flight)> = self
            .model
            .live()
            .filter(|(_, flight)| flight.origin == busiest && flight.hour >= 18)
            .collect();
        let origin = self.model.airport(busiest).to_string();
        for (id, flight) in &evening {
            let delay = flight.delay + 10;
            self.model.put(*id, Some(flight.delayed(delay)));
        }
        self.states.push(self.model.totals());

        let started = Instant::now();
        let rows = self
            .engine
            .execute_with_params(
                "UPDATE flights SET delay = delay + 10 \
                 WHERE origin = $1 AND date_part('hour', date) >= 18",
                vec![ScalarValue::from(origin.as_str())],
            )
            .await?;
        self.done("UPDATE", rows, evening.len(), started.elapsed())
            .await
    }

    /// Corrections: every 997th flight gets a new delay, a tenth of these is cancelled, and some flights are new.
    pub async fn merge(&mut self) -> Result<(), Failure> {
        let next = self.model.next_id();
        let mut rows: Vec<Staged> = self
            .model
            .live()
            .filter(|(id, _)| id % 997 == 0)
            .map(|(id, flight)| Staged {
                id,
                flight: flight.delayed(id % 120),
                cancelled: id % 10 == 0,
            })
            .collect();
        rows.extend((next..next + next / 2000 + 1).map(|id| Staged::made_up(self.model, id)));
        stage(self.engine, self.model, "corrections", &rows).await?;
        for row in &rows {
            self.model
                .put(row.id, (!row.cancelled).then_some(row.flight));
        }
        self.states.push(self.model.totals());

        let started = Instant::now();
        let changed = self
            .engine
            .execute(
                "MERGE INTO flights USING corrections AS c ON flights.id = c.id
                 WHEN MATCHED AND c.cancelled THEN DELETE
                 WHEN MATCHED THEN UPDATE SET delay = c.delay
                 WHEN NOT MATCHED THEN INSERT (id, date, delay, distance, origin, destination)
                   VALUES (c.id, c.date, c.delay, c.distance, c.origin, c.destination)",
            )
            .await?;
        self.done("MERGE", changed, rows.len(), started.elapsed())
            .await
    }

    /// Deletes the flights from airports with very few flights.
    pub async fn delete(&mut self) -> Result<(), Failure> {
        let departures = self.model.departures();
        let few = self.model.totals().rows / 5000 + 2;
        let gone: Vec<i64> = self
            .model
            .live()
            .filter(|(_, flight)| departures[usize::from(flight.origin)] < few)
            .map(|(id, _)| id)
            .collect();
        for id in &gone {
            self.model.put(*id, None);
        }
        self.states.push(self.model.totals());

        let started = Instant::now();
        let rows = self
            .engine
            .execute(&format!(
                "DELETE FROM flights WHERE origin IN \
                 (SELECT origin FROM flights GROUP BY origin HAVING count(*) < {few})"
            ))
            .await?;
        self.done(
            "DELETE with a subquery",
            rows,
            gone.len(),
            started.elapsed(),
        )
        .await
    }

    /// Late reports: for existing flights, for some deleted flights, and for new ones.
    pub async fn upsert(&mut self) -> Result<(), Failure> {
        let next = self.model.next_id();
        let ids = (0..next).step_by(499).chain(next..next + next / 3000 + 1);
        let rows: Vec<Staged> = ids.map(|id| Staged::made_up(self.model, id)).collect();
        stage(self.engine, self.model, "reports", &rows).await?;
        for row in &rows {
            let flight = match self.model.flight(row.id) {
                Some(there) => there.delayed(row.flight.delay),
                None => row.flight,
            };
            self.model.put(row.id, Some(flight));
        }
        self.states.push(self.model.totals());

        let started = Instant::now();
        let changed = self
            .engine
            .execute(
                "INSERT INTO flights (id, date, delay, distance, origin, destination)
                 SELECT id, date, delay, distance, origin, destination FROM reports
                 ON CONFLICT (id) DO UPDATE SET delay = excluded.delay",
            )
            .await?;
        self.done(
            "INSERT … ON CONFLICT",
            changed,
            rows.len(),
            started.elapsed(),
        )
        .await
    }

    /// Applies changes of another database.
    pub async fn follow_source(&mut self) -> Result<(), Failure> {
        source::follow(self.engine, self.model, &mut self.states, self.report).await?;
        check(
            self.engine,
            self.model,
            "after the changes of a source",
            self.report,
        )
        .await
    }

    pub async fn update_points(&mut self) -> Result<(), Failure> {
        let apart = (self.model.next_id() as usize / POINT_UPDATES).max(1);
        let points: Vec<(i64, Flight)> = self
            .model
            .live()
            .step_by(apart)
            .take(POINT_UPDATES)
            .collect();
        let mut elapsed = Duration::ZERO;
        let mut rows = 0;
        for (id, flight) in &points {
            let delay = flight.delay + 1;
            self.model.put(*id, Some(flight.delayed(delay)));
            self.states.push(self.model.totals());
            let started = Instant::now();
            rows += self
                .engine
                .execute_with_params(
                    "UPDATE flights SET delay = delay + 1 WHERE id = $1",
                    vec![ScalarValue::from(*id)],
                )
                .await?;
            elapsed += started.elapsed();
        }
        let each = elapsed / points.len().max(1) as u32;
        self.done("UPDATE by key, one at a time", rows, points.len(), elapsed)
            .await?;
        println!("    each in {} (mean)", lasted(each));
        Ok(())
    }

    /// Moves half an hour of delay from one flight to another in one transaction; RETURNING shows the result.
    pub async fn transfer(&mut self) -> Result<(), Failure> {
        let (from, to) = self.two()?;
        self.delay_more(from, -30);
        self.delay_more(to, 30);
        self.states.push(self.model.totals());
        let started = Instant::now();
        let counts = self
            .engine
            .execute_batch(&format!(
                "UPDATE flights SET delay = delay - 30 WHERE id = {from};
                 UPDATE flights SET delay = delay + 30 WHERE id = {to};"
            ))
            .await?;
        let elapsed = started.elapsed();
        self.done("two UPDATEs as one change", counts.iter().sum(), 2, elapsed)
            .await?;

        self.delay_more(to, 1);
        self.states.push(self.model.totals());
        let returned = self
            .engine
            .query(&format!(
                "UPDATE flights SET delay = delay + 1 WHERE id = {to} RETURNING delay"
            ))
            .await?;
        let expected: Vec<i64> = self.model.flight(to).iter().map(|f| f.delay).collect();
        self.report.check(
            "RETURNING has the new delay",
            &expected,
            &integers(&returned, "delay")?,
        );
        Ok(())
    }

    /// The second statement fails, so the first one has no effect either.
    pub async fn fail_halfway(&mut self) -> Result<(), Failure> {
        let (from, to) = self.two()?;
        let failed = self
            .engine
            .execute_batch(&format!(
                "UPDATE flights SET delay = delay - 30 WHERE id = {from};
                 UPDATE flights SET id = NULL WHERE id = {to};"
            ))
            .await;
        if let Err(error) = &failed {
            println!("  a batch that has to fail: {error}");
        }
        self.report
            .check("a key set to NULL is refused", &true, &failed.is_err());
        self.check("after a batch that failed halfway").await
    }

    /// Prints a statement's time and checks its count and the totals.
    async fn done(
        &mut self,
        what: &str,
        rows: u64,
        expected: usize,
        elapsed: Duration,
    ) -> Result<(), Failure> {
        println!("  {what}: {} rows in {}", counted(rows), lasted(elapsed));
        self.report
            .check(format!("{what}: rows"), &(expected as u64), &rows);
        self.check(&format!("after {what}")).await
    }

    async fn check(&mut self, when: &str) -> Result<(), Failure> {
        check(self.engine, self.model, when, self.report).await
    }

    /// Two flights that exist.
    fn two(&self) -> Result<(i64, i64), Failure> {
        let mut ids = self.model.live().map(|(id, _)| id);
        match (ids.next(), ids.last()) {
            (Some(from), Some(to)) => Ok((from, to)),
            _ => Err("fewer than two flights are left".into()),
        }
    }

    fn delay_more(&mut self, id: i64, minutes: i64) {
        if let Some(flight) = self.model.flight(id) {
            let delay = flight.delay + minutes;
            self.model.put(id, Some(flight.delayed(delay)));
        }
    }
}
