//! Measures loads, appends, changes and scans of the engine, beside DataFusion's `MemTable` over the same batches.
//!
//! Groups are named after their operation; within the `scan` groups, compare `engine` with the two `memtable` entries.
//! The data is the same on every run. Each sample of a write has a freshly filled engine, so no sample depends on
//! another. The comparison with the published engine is in `benches/peers`.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "native; a panic is how a measurement fails"
)]

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rhei_datafusion::arrow::array::{
    Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use rhei_datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use rhei_datafusion::datafusion::datasource::MemTable;
use rhei_datafusion::datafusion::prelude::SessionContext;
use rhei_datafusion::{DataFusionEngine, OlapEngine};
use tokio::runtime::Runtime;

const MILLION: usize = 1_000_000;
const BATCH_ROWS: usize = 8192;

criterion_group!(benches, load, insert, change, scan, stream);
criterion_main!(benches);

/// Loads batches into a table: a million rows at once, or ten rows at a time.
fn load(c: &mut Criterion) {
    let runtime = runtime();
    let million = batches(MILLION);
    let ten = batches(10);

    let mut group = c.benchmark_group("load_arrow");
    group.throughput(Throughput::Elements(MILLION as u64));
    group.bench_function("1000000_rows", |b| {
        b.to_async(&runtime).iter_custom(|iterations| {
            let million = &million;
            async move {
                let mut total = Duration::ZERO;
                for _ in 0..iterations {
                    let engine = loaded(&[]).await;
                    let started = Instant::now();
                    let rows = engine.load_arrow("t", million).await.expect("load");
                    total += started.elapsed();
                    assert_eq!(rows, MILLION as u64);
                }
                total
            }
        });
    });
    group.throughput(Throughput::Elements(10));
    for (place, rows) in [("an_empty_table", &[][..]), ("1000000_rows", &million[..])] {
        group.bench_function(BenchmarkId::new("10_rows_into", place), |b| {
            b.to_async(&runtime).iter_custom(|iterations| {
                let ten = &ten;
                async move {
                    let engine = loaded(rows).await;
                    timed(iterations, async |_| {
                        assert_eq!(engine.load_arrow("t", ten).await.expect("append"), 10);
                    })
                    .await
                }
            });
        });
    }
    group.finish();
}

/// Inserts one row of literals.
fn insert(c: &mut Criterion) {
    let runtime = runtime();
    let million = batches(MILLION);

    let mut group = c.benchmark_group("insert_one_row_into");
    for (place, rows) in [("an_empty_table", &[][..]), ("1000000_rows", &million[..])] {
        group.bench_function(place, |b| {
            b.to_async(&runtime).iter_custom(|iterations| async move {
                let engine = loaded(rows).await;
                timed(iterations, async |round| {
                    let id = MILLION as u64 + round;
                    let sql = format!(
                        "INSERT INTO t (id, grp, amount, name) VALUES ({id}, 7, 1.5, 'name-00007')"
                    );
                    assert_eq!(engine.execute(&sql).await.expect("insert"), 1);
                })
                .await
            });
        });
    }
    group.finish();
}

/// Makes the SQL that changes the row of one key.
type Statement = fn(usize) -> String;

/// Changes one row by its key, in tables whose keys were loaded in order.
fn change(c: &mut Criterion) {
    let runtime = runtime();
    let statements: [(&str, Statement); 2] = [
        ("update_one_row_of", |id| {
            format!("UPDATE t SET amount = 1.5 WHERE id = {id}")
        }),
        ("delete_one_row_of", |id| {
            format!("DELETE FROM t WHERE id = {id}")
        }),
    ];
    for (name, statement) in statements {
        let mut group = c.benchmark_group(name);
        for rows in [100_000, MILLION] {
            let batches = batches(rows);
            group.bench_function(BenchmarkId::from_parameter(rows), |b| {
                b.to_async(&runtime).iter_custom(|iterations| {
                    let batches = &batches;
                    async move {
                        let engine = loaded(batches).await;
                        // The first change computes the key ranges of the fragments.
                        let first = engine.execute(&statement(key(0, rows))).await;
                        assert_eq!(first.expect("change"), 1);
                        timed(iterations, async |round| {
                            let sql = statement(key(round as usize + 1, rows));
                            assert_eq!(engine.execute(&sql).await.expect("change"), 1);
                        })
                        .await
                    }
                });
            });
        }
        group.finish();
    }
}

/// Queries over a million rows, on the engine and on `MemTable`s of the same batches.
fn scan(c: &mut Criterion) {
    let runtime = runtime();
    let million = batches(MILLION);
    let engine = runtime.block_on(loaded(&million));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let single = mem_table(&million, 1);
    let spread = mem_table(&million, cores);

    for (name, sql) in [
        ("sum", "SELECT sum(amount) FROM t"),
        (
            "filtered_count",
            "SELECT count(*) FROM t WHERE amount > 500.0",
        ),
        ("filtered_rows", "SELECT * FROM t WHERE amount > 990.0"),
        (
            "group_by",
            "SELECT grp, count(*), sum(amount) FROM t GROUP BY grp",
        ),
        ("top_10", "SELECT * FROM t ORDER BY amount DESC LIMIT 10"),
        ("all_rows", "SELECT * FROM t"),
    ] {
        let mut group = c.benchmark_group(format!("scan_{name}"));
        group.throughput(Throughput::Elements(MILLION as u64));
        group.bench_function("engine", |b| {
            b.to_async(&runtime)
                .iter(|| async { engine.query(sql).await.expect("query") });
        });
        for (table, context) in [
            ("memtable_1_partition", &single),
            ("memtable_1_per_core", &spread),
        ] {
            group.bench_function(table, |b| {
                b.to_async(&runtime).iter(|| async {
                    let frame = context.sql(sql).await.expect("plan");
                    frame.collect().await.expect("query")
                });
            });
        }
        group.finish();
    }
}

/// The time from the call to the first batch; dropping the rest of the stream is not timed.
fn stream(c: &mut Criterion) {
    let runtime = runtime();
    let engine = runtime.block_on(loaded(&batches(MILLION)));
    c.bench_function("first_batch_of_1000000_rows", |b| {
        b.to_async(&runtime).iter_custom(|iterations| {
            let engine = &engine;
            async move {
                let mut total = Duration::ZERO;
                for _ in 0..iterations {
                    let started = Instant::now();
                    let mut rows = engine.query_stream("SELECT * FROM t").await.expect("query");
                    let first = rows.next().await;
                    total += started.elapsed();
                    assert!(black_box(first).expect("a batch").expect("rows").num_rows() > 0);
                }
                total
            }
        });
    });
}

fn runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}

/// The total time of `iterations` calls.
async fn timed<F: Future<Output = ()>>(
    iterations: u64,
    mut operation: impl FnMut(u64) -> F,
) -> Duration {
    let started = Instant::now();
    for round in 0..iterations {
        operation(round).await;
    }
    started.elapsed()
}

/// An engine with a table `t` of these batches, keyed by `id`.
async fn loaded(batches: &[RecordBatch]) -> DataFusionEngine {
    let engine = DataFusionEngine::new();
    let key = ["id".to_string()];
    engine
        .create_table("t", &schema(), &key)
        .await
        .expect("create");
    engine.load_arrow("t", batches).await.expect("load");
    engine
}

/// A session with a `MemTable` named `t` of these batches, in `partitions` runs of about equal length.
fn mem_table(batches: &[RecordBatch], partitions: usize) -> SessionContext {
    let run = batches.len().div_ceil(partitions);
    let partitions = batches.chunks(run).map(<[RecordBatch]>::to_vec).collect();
    let table = MemTable::try_new(schema(), partitions).expect("batches of the schema");
    let context = SessionContext::new();
    context
        .register_table("t", Arc::new(table))
        .expect("a new name");
    context
}

/// The key of a round: distinct keys, far apart, until all `rows` have been visited.
fn key(round: usize, rows: usize) -> usize {
    // Coprime with every power of ten.
    const STRIDE: usize = 7_368_787;
    (round * STRIDE + 17) % rows
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("grp", DataType::Int32, true),
        Field::new("amount", DataType::Float64, true),
        Field::new("name", DataType::Utf8, true),
    ]))
}

/// `rows` rows, `id` from 0 in order, the rest drawn from a seeded generator.
fn batches(rows: usize) -> Vec<RecordBatch> {
    let mut random = StdRng::seed_from_u64(59);
    let schema = schema();
    let starts = (0..rows).step_by(BATCH_ROWS);
    starts
        .map(|start| {
            let ids = start..rows.min(start + BATCH_ROWS);
            let mut grp = Vec::with_capacity(ids.len());
            let mut amount = Vec::with_capacity(ids.len());
            let mut name = Vec::with_capacity(ids.len());
            for _ in ids.clone() {
                grp.push(random.random_range(0..100));
                amount.push(random.random_range(0.0..1000.0));
                name.push(format!("name-{:05}", random.random_range(0..100_000)));
            }
            RecordBatch::try_new(
                Arc::clone(&schema),
                vec![
                    Arc::new(Int64Array::from_iter_values(ids.map(|id| id as i64))),
                    Arc::new(Int32Array::from(grp)),
                    Arc::new(Float64Array::from(amount)),
                    Arc::new(StringArray::from(name)),
                ],
            )
            .expect("the columns have the schema's types and one length")
        })
        .collect()
}
