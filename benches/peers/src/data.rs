//! The rows for all engines, as batches of either Arrow version.
//!
//! The same call gives the same rows on every run and on both sides: a seeded generator makes the columns, which are
//! then wrapped in each side's arrays. `id` is unique and runs from 0; the caller chooses the order of the rows.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::MILLION;

/// The number of rows of a batch in a bulk load: DataFusion's default.
pub const BATCH_ROWS: usize = 8192;

/// The number of distinct values of `grp`.
pub const GROUPS: i32 = 100;

/// Queries of a table `t` of [`MILLION`] rows, each with the number of rows that it returns.
pub const QUERIES: [(&str, &str, usize); 5] = [
    ("sum", "SELECT sum(amount) FROM t", 1),
    (
        "filtered count",
        "SELECT count(*) FROM t WHERE amount > 500.0",
        1,
    ),
    (
        "group by",
        "SELECT grp, count(*), sum(amount) FROM t GROUP BY grp",
        GROUPS as usize,
    ),
    (
        "order by, limit 10",
        "SELECT * FROM t ORDER BY amount DESC LIMIT 10",
        10,
    ),
    ("SELECT *, drained", "SELECT * FROM t", MILLION),
];

/// The order in which the keys are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Shuffled,
}

/// The key that round `round` reads or changes in a table of `rows` rows. Rounds below `rows` have distinct keys, far
/// apart.
pub fn key(round: usize, rows: usize) -> usize {
    // Coprime with every power of ten, so that the steps visit all keys before they repeat.
    const STRIDE: usize = 7_368_787;
    (round * STRIDE + 17) % rows
}

/// One side's schema and batches.
macro_rules! side {
    ($(#[$doc:meta])* $name:ident, $(::$arrow:ident)+) => {
        $(#[$doc])*
        pub mod $name {
            use std::sync::Arc;

            use $(::$arrow)+::array::{
                Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
            };
            use $(::$arrow)+::datatypes::{DataType, Field, Schema, SchemaRef};

            use super::{Columns, Order};

            pub fn schema() -> SchemaRef {
                Arc::new(Schema::new(vec![
                    Field::new("id", DataType::Int64, false),
                    Field::new("grp", DataType::Int32, true),
                    Field::new("amount", DataType::Float64, true),
                    Field::new("name", DataType::Utf8, true),
                ]))
            }

            /// `rows` rows in batches of at most `batch_rows`, which share one schema.
            pub fn batches(rows: usize, batch_rows: usize, order: Order) -> Vec<RecordBatch> {
                let schema = schema();
                super::chunks(rows, batch_rows, order)
                    .map(|columns: Columns| {
                        RecordBatch::try_new(
                            Arc::clone(&schema),
                            vec![
                                Arc::new(Int64Array::from(columns.id)),
                                Arc::new(Int32Array::from(columns.grp)),
                                Arc::new(Float64Array::from(columns.amount)),
                                Arc::new(StringArray::from(columns.name)),
                            ],
                        )
                        .expect("the columns have the schema's types and one length")
                    })
                    .collect()
            }
        }
    };
}

side!(
    /// For the published engine.
    arrow_58, ::arrow58
);
side!(
    /// For this engine and the `MemTable` beside it.
    arrow_59, ::ours::arrow
);

/// A batch's values, not yet in the arrays of an Arrow version.
struct Columns {
    id: Vec<i64>,
    grp: Vec<i32>,
    amount: Vec<f64>,
    name: Vec<String>,
}

fn chunks(rows: usize, batch_rows: usize, order: Order) -> impl Iterator<Item = Columns> {
    let mut random = StdRng::seed_from_u64(59);
    let mut ids: Vec<i64> = (0..rows as i64).collect();
    if order == Order::Shuffled {
        ids.shuffle(&mut random);
    }
    let starts = (0..rows).step_by(batch_rows);
    starts.map(move |start| {
        let id = ids[start..rows.min(start + batch_rows)].to_vec();
        Columns {
            grp: id.iter().map(|_| random.random_range(0..GROUPS)).collect(),
            amount: id
                .iter()
                .map(|_| random.random_range(0.0..1000.0))
                .collect(),
            name: id
                .iter()
                .map(|_| format!("name-{:05}", random.random_range(0..100_000)))
                .collect(),
            id,
        }
    })
}
