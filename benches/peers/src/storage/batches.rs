//! Batches of changes of an OLTP database: the statements that the published engine is sent, one for each change, and
//! one call of this engine.

use std::sync::Arc;

use ::ours::arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use ::ours::{Changes, Durability};
use futures::FutureExt;

use super::{PUBLIC, SYNCED, UNSYNCED};
use crate::MILLION;
use crate::data::{BATCH_ROWS, Order, arrow_58, arrow_59, key};
use crate::measure::{Engine, Failure, Operation, Rounds, expect, filled, interleave, timed};
use crate::ours::Ours;
use crate::progress;
use crate::public::Public;
use crate::report::{Bar, Report, Row, grouped};

/// The changes of a batch.
const CHANGES: usize = 10;
/// The published engine must take at least this many times as long for a batch.
const LIMIT: f64 = 100.0;

pub async fn measure(rounds: Rounds, report: &mut Report) -> Result<(), Failure> {
    for (order, name) in [(Order::Ascending, "rising"), (Order::Shuffled, "random")] {
        progress("batches of changes");
        let theirs = arrow_58::batches(MILLION, BATCH_ROWS, order);
        let batches = arrow_59::batches(MILLION, BATCH_ROWS, order);
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let public = filled(Public::stored(&at("public"))?, &theirs).await?;
        let unsynced = Ours::stored(&at("unsynced"), Durability::LostOnPowerFailure)?;
        let unsynced = filled(unsynced, &batches).await?;
        let synced = filled(Ours::stored(&at("synced"), Durability::Synced)?, &batches).await?;
        let [public, ours, ours_synced] = interleave(
            rounds,
            [statements(&public), calls(&unsynced), calls(&synced)],
        )
        .await?;
        let row = Row::new(format!(
            "{CHANGES} changes, {} rows, {name} keys",
            grouped(MILLION)
        ))
        .figure(PUBLIC, public)
        .figure(UNSYNCED, ours)
        .figure(SYNCED, ours_synced)
        .bar(Bar::at_least(LIMIT, SYNCED, public, ours_synced));
        report.add(row);
    }
    Ok(())
}

/// Change `at` of a round: of a row that is there, or a new one. No two rounds change one row.
#[derive(Debug, Clone, Copy)]
enum Change {
    Update(usize),
    Insert(usize),
    Delete(usize),
}

fn changes(round: usize) -> impl Iterator<Item = Change> {
    (0..CHANGES).map(move |at| {
        let there = key(round * CHANGES + at, MILLION);
        match at {
            0..7 => Change::Update(there),
            7 | 8 if (round + at).is_multiple_of(2) => Change::Delete(there),
            7 | 8 => Change::Insert(MILLION + round * CHANGES + at),
            _ if round.is_multiple_of(2) => Change::Delete(there),
            _ => Change::Insert(MILLION + round * CHANGES + at),
        }
    })
}

/// A statement for each change. An UPDATE leaves `grp` as it is: the published engine panics when one sets an INT.
fn statements(engine: &Public) -> Operation<'_> {
    Box::new(move |round| {
        let statements = changes(round).map(|change| match change {
            Change::Update(id) => {
                format!("UPDATE t SET amount = 1.5, name = 'changed' WHERE id = {id}")
            }
            Change::Insert(id) => {
                format!("INSERT INTO t (amount, grp, id, name) VALUES (1.5, 1, {id}, 'new')")
            }
            Change::Delete(id) => format!("DELETE FROM t WHERE id = {id}"),
        });
        let statements: Vec<String> = statements.collect();
        async move {
            let (time, changed) = timed(async {
                let mut changed = 0;
                for sql in &statements {
                    changed += engine.execute(sql).await? as usize;
                }
                Ok(changed)
            })
            .await?;
            expect("rows changed", "statements", CHANGES, changed)?;
            Ok(time)
        }
        .boxed_local()
    })
}

/// One call for all changes.
fn calls(engine: &Ours) -> Operation<'_> {
    Box::new(move |round| {
        let (mut ops, mut ids) = (Vec::new(), Vec::new());
        for change in changes(round) {
            let (op, id) = match change {
                Change::Update(id) => ("U", id),
                Change::Insert(id) => ("I", id),
                Change::Delete(id) => ("D", id),
            };
            ops.push(op);
            ids.push(id as i64);
        }
        let first = (round * CHANGES) as i64 + 1;
        let columns: [(&str, ArrayRef); 6] = [
            ("_op", Arc::new(StringArray::from(ops))),
            (
                "_seq",
                Arc::new(Int64Array::from_iter_values(first..first + CHANGES as i64)),
            ),
            ("id", Arc::new(Int64Array::from(ids))),
            ("grp", Arc::new(Int32Array::from(vec![1; CHANGES]))),
            ("amount", Arc::new(Float64Array::from(vec![1.5; CHANGES]))),
            (
                "name",
                Arc::new(StringArray::from(vec!["changed"; CHANGES])),
            ),
        ];
        async move {
            let rows = Changes::new().table("t", RecordBatch::try_from_iter(columns)?);
            let (time, applied) =
                timed(async { Ok(engine.0.apply_changes("bench", rows).await?) }).await?;
            let changed = applied.inserted + applied.updated + applied.deleted;
            expect("rows changed", "changes", CHANGES, changed as usize)?;
            Ok(time)
        }
        .boxed_local()
    })
}
