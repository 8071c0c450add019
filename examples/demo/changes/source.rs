//! Row changes as another database sends them: batches of updates, inserts and deletes, each one commit with the
//! watermark of its source.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rhei_datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use rhei_datafusion::{Changes, DataFusionEngine, Progress};

use super::staging::{Staged, batch_of};
use crate::Failure;
use crate::flights::{Flight, Model, Totals};
use crate::report::{Report, counted};

const SOURCE: &str = "tower";
const BATCHES: usize = 100;
/// The most changes of a batch; a hundredth of the flights if that is fewer.
const MOST_CHANGES: u64 = 1_000;

/// Applies batches of changes to the engine and the model. Adds the totals after each to `states`.
pub async fn follow(
    engine: &DataFusionEngine,
    model: &mut Model,
    states: &mut Vec<Totals>,
    report: &mut Report,
) -> Result<(), Failure> {
    let size = (model.totals().rows / 100).clamp(1, MOST_CHANGES) as usize;
    let (mut elapsed, mut done, mut last) = (Duration::ZERO, 0, None);
    for round in 0..BATCHES {
        let batch = next_batch(model, round * size, size)?;
        states.push(model.totals());
        let changes = Changes::new()
            .table("flights", batch)
            .position(format!("batch {round}"));
        let started = Instant::now();
        let applied = engine.apply_changes(SOURCE, changes.clone()).await?;
        elapsed += started.elapsed();
        done += applied.inserted + applied.updated + applied.deleted;
        last = Some(changes);
    }
    let expected = (BATCHES * size) as u64;
    report.check("changes of a source, each counted once", &expected, &done);
    println!(
        "  changes: {} in commits of {}, {} while readers ask",
        counted(expected),
        counted(size as u64),
        report.rate("changes of a source", expected, elapsed)
    );
    if let Some(changes) = last {
        let again = engine.apply_changes(SOURCE, changes).await?;
        report.check(
            "changes that come again",
            &Progress::Before,
            &again.progress,
        );
    }
    let watermark = engine.watermark(SOURCE).await?.map(|at| at.seq);
    report.check("the watermark", &Some(expected), &watermark);
    Ok(())
}

/// The changes after the first `done`: of random flights, of which some are gone and come again.
fn next_batch(model: &mut Model, done: usize, count: usize) -> Result<RecordBatch, Failure> {
    // Coprime with the number of flights, or nearly: all flights have their turn.
    const STRIDE: usize = 7_368_787;
    let (mut ops, mut rows) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for turn in done..done + count {
        let id = (turn * STRIDE) as i64 % model.next_id();
        let made_up = Staged::made_up(model, id);
        let (op, row, flight) = match model.flight(id) {
            None => ("insert", made_up, Some(())),
            Some(_) if turn.is_multiple_of(7) => ("delete", made_up, None),
            Some(there) => {
                let flight = Flight {
                    delay: there.delay + 1,
                    hour: made_up.flight.hour,
                    ..there
                };
                ("update", Staged { flight, ..made_up }, Some(()))
            }
        };
        model.put(id, flight.map(|()| row.flight));
        ops.push(op);
        rows.push(row);
    }
    let batch = batch_of(model, &rows)?;
    let seqs = (done as i64 + 1..).take(count);
    let reserved: [(&str, ArrayRef); 2] = [
        ("_op", Arc::new(StringArray::from(ops))),
        ("_seq", Arc::new(Int64Array::from_iter_values(seqs))),
    ];
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(batch.columns());
    // What only a staging table has.
    let columns = fields.filter(|(field, _)| field.name() != "cancelled");
    let columns = columns.map(|(field, values)| (field.name().as_str(), Arc::clone(values)));
    Ok(RecordBatch::try_from_iter(
        reserved.into_iter().chain(columns),
    )?)
}
