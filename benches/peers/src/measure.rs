//! The interface that a measured engine must implement, operations that time themselves, and interleaved rounds.
//!
//! Every operation checks its own result (rows changed, rows returned), so that no failed operation is timed.
//! [`crate::report`] judges and prints the figures.

use std::error::Error;
use std::future::Future;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

pub type Failure = Box<dyn Error + Send + Sync>;

/// A system that answers SELECT.
pub trait Queries {
    /// Runs a query to its last batch. Returns the number of rows.
    async fn drain(&self, sql: &str) -> Result<usize, Failure>;
}

/// A system that answers SELECT and makes changes.
pub trait Engine: Queries {
    type Batch;
    type Rows;

    /// Creates table `name` with the columns of [`crate::data`] and the key `id`.
    async fn create(&self, name: &str) -> Result<(), Failure>;

    /// Appends batches. Returns the number of rows.
    async fn append(&self, table: &str, batches: &[Self::Batch]) -> Result<u64, Failure>;

    /// Runs a statement for its effect. Returns the number of rows affected.
    async fn execute(&self, sql: &str) -> Result<u64, Failure>;

    /// Starts a query and waits for its first batch. Returns the number of rows of the batch, and the stream.
    async fn first_batch(&self, sql: &str) -> Result<(usize, Self::Rows), Failure>;
}

/// The engine with a table `t` of these batches.
pub async fn filled<E: Engine>(engine: E, batches: &[E::Batch]) -> Result<E, Failure> {
    engine.create("t").await?;
    if !batches.is_empty() {
        engine.append("t", batches).await?;
    }
    Ok(engine)
}

/// One contestant's part of a round: takes the round's number and returns the measured time.
pub type Operation<'a> =
    Box<dyn FnMut(usize) -> LocalBoxFuture<'a, Result<Duration, Failure>> + 'a>;

/// The number of rounds of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// Rounds that are not measured.
    pub warm_up: usize,
    pub samples: usize,
}

pub const fn rounds(warm_up: usize, samples: usize) -> Rounds {
    Rounds { warm_up, samples }
}

/// The median of many samples and their spread.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    pub median: Duration,
    /// Half the distance between the quartiles; zero for a single figure.
    pub spread: Duration,
}

/// Runs all operations once in each round. The order is random in each round (from a fixed seed), so that no operation
/// always runs after the same other one, with the caches that the other one left.
pub async fn interleave<const N: usize>(
    rounds: Rounds,
    mut operations: [Operation<'_>; N],
) -> Result<[Timing; N], Failure> {
    let mut random = StdRng::seed_from_u64(58);
    let mut order: [usize; N] = std::array::from_fn(|turn| turn);
    let mut samples: [Vec<Duration>; N] = std::array::from_fn(|_| Vec::new());
    for round in 0..rounds.warm_up + rounds.samples {
        order.shuffle(&mut random);
        for turn in order {
            let time = operations[turn](round).await?;
            if round >= rounds.warm_up {
                samples[turn].push(time);
            }
        }
    }
    Ok(samples.map(Timing::of))
}

impl Timing {
    /// A single figure without a spread.
    pub fn single(time: Duration) -> Self {
        Self {
            median: time,
            spread: Duration::ZERO,
        }
    }

    fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let quantile = |numerator: usize| {
            let last = samples.len().saturating_sub(1);
            samples
                .get(last * numerator / 4)
                .copied()
                .unwrap_or_default()
        };
        Self {
            median: quantile(2),
            spread: (quantile(3) - quantile(1)) / 2,
        }
    }
}

/// Runs `sql` to its last batch; the query must return `rows` rows in all.
pub fn drain<'a, E: Queries>(engine: &'a E, sql: &'a str, rows: usize) -> Operation<'a> {
    Box::new(move |_| {
        async move {
            let (time, found) = timed(engine.drain(sql)).await?;
            expect("rows", sql, rows, found)?;
            Ok(time)
        }
        .boxed_local()
    })
}

/// Runs `sql` to its first batch; dropping the rest of the stream is not timed.
pub fn first_batch<'a, E: Engine>(engine: &'a E, sql: &'a str) -> Operation<'a> {
    Box::new(move |_| {
        async move {
            let (time, (rows, stream)) = timed(engine.first_batch(sql)).await?;
            drop(stream);
            if rows == 0 {
                return Err(format!("{sql}: the first batch is empty").into());
            }
            Ok(time)
        }
        .boxed_local()
    })
}

/// Runs the statement that `sql` makes for the round; the statement must change one row.
pub fn change_one<'a, E: Engine>(
    engine: &'a E,
    sql: impl Fn(usize) -> String + 'a,
) -> Operation<'a> {
    Box::new(move |round| {
        let sql = sql(round);
        async move {
            let (time, changed) = timed(engine.execute(&sql)).await?;
            expect("rows changed", &sql, 1, changed as usize)?;
            Ok(time)
        }
        .boxed_local()
    })
}

/// Appends `batches`, which hold `rows` rows, to `table`.
pub fn append<'a, E: Engine>(
    engine: &'a E,
    table: &'a str,
    batches: &'a [E::Batch],
    rows: usize,
) -> Operation<'a> {
    Box::new(move |_| {
        async move {
            let (time, appended) = timed(engine.append(table, batches)).await?;
            expect("rows appended", table, rows, appended as usize)?;
            Ok(time)
        }
        .boxed_local()
    })
}

pub async fn timed<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<(Duration, T), Failure> {
    let started = Instant::now();
    let made = work.await?;
    Ok((started.elapsed(), made))
}

pub fn expect(what: &str, subject: &str, expected: usize, found: usize) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{subject}: {found} {what}, {expected} expected").into())
}

/// Implements [`Queries`] and [`Engine`] for a wrapper of a `DataFusionEngine`: two versions of one crate have the same
/// calls on different types, which are those that the caller's file imports.
macro_rules! engine {
    ($engine:ident) => {
        impl Queries for $engine {
            async fn drain(&self, sql: &str) -> Result<usize, Failure> {
                let rows = self.0.query_stream(sql).await?;
                rows.try_fold(0, |sum, batch| future::ready(Ok(sum + batch.num_rows())))
                    .await
            }
        }

        impl Engine for $engine {
            type Batch = RecordBatch;
            type Rows = RecordBatchBoxStream;

            async fn create(&self, name: &str) -> Result<(), Failure> {
                Ok(self
                    .0
                    .create_table(name, &schema(), &["id".to_string()])
                    .await?)
            }

            async fn append(&self, table: &str, batches: &[RecordBatch]) -> Result<u64, Failure> {
                Ok(self.0.load_arrow(table, batches).await?)
            }

            async fn execute(&self, sql: &str) -> Result<u64, Failure> {
                Ok(self.0.execute(sql).await?)
            }

            async fn first_batch(
                &self,
                sql: &str,
            ) -> Result<(usize, RecordBatchBoxStream), Failure> {
                let mut rows = self.0.query_stream(sql).await?;
                let first = rows.next().await.ok_or("no batch")??;
                Ok((first.num_rows(), rows))
            }
        }
    };
}
pub(crate) use engine;
