//! Writes while others read: one reader holds a stream over all flights open, another queries the totals repeatedly.
//!
//! The open stream must end with the rows of its snapshot. The querying reader must see only states between two
//! statements, in their order. The statements are in [`writer`], the changes of another database in
//! [`source`], the readers in [`readers`].

mod readers;
mod source;
mod staging;
mod writer;

use rhei_datafusion::SharedDataFusionEngine;

use self::readers::{Asking, OpenStream, invalid_answers};
use self::writer::Writer;
use crate::flights::{Model, check};
use crate::report::{Report, counted};
use crate::{Failure, picture};

/// The number of batches that the open stream reads between two statements.
const BATCHES_BETWEEN: usize = 20;
/// With fewer flights, some statement changes no row.
const FEWEST_FLIGHTS: u64 = 100;

pub async fn run(
    engine: &SharedDataFusionEngine,
    model: &mut Model,
    report: &mut Report,
) -> Result<(), Failure> {
    if model.totals().rows < FEWEST_FLIGHTS {
        return Err(
            format!("the writes need at least {FEWEST_FLIGHTS} flights; raise --rows").into(),
        );
    }
    let before = model.totals();
    let mut reader = OpenStream::start(engine).await?;
    println!(
        "  a reader has its first {} rows and stays open",
        counted(reader.seen.rows)
    );
    let asking = Asking::start(engine.clone());
    let mut writer = Writer::new(engine, model, report);

    writer.update().await?;
    reader.read(BATCHES_BETWEEN).await?;
    writer.merge().await?;
    reader.read(BATCHES_BETWEEN).await?;
    writer.delete().await?;
    reader.read(BATCHES_BETWEEN).await?;
    writer.upsert().await?;
    reader.read(BATCHES_BETWEEN).await?;
    writer.update_points().await?;
    reader.read(BATCHES_BETWEEN).await?;
    writer.transfer().await?;
    reader.read(BATCHES_BETWEEN).await?;
    writer.follow_source().await?;
    writer.fail_halfway().await?;

    let states = writer.into_states();
    println!(
        "  the reader has {} of {} rows and reads on",
        counted(reader.seen.rows),
        counted(before.rows)
    );
    reader.read(usize::MAX).await?;
    report.check(
        "the open stream ended with the flights of its start",
        &before,
        &reader.seen,
    );
    check(engine, model, "after all writes", report).await?;
    report.check(
        "delays by hour after all writes",
        &model.hours(),
        &picture::hours(engine).await?,
    );

    let answers = asking.stop().await?;
    let invalid_answers = invalid_answers(&states, &answers);
    println!(
        "  another reader asked {} times meanwhile",
        counted(answers.len() as u64)
    );
    report.check(
        "no reader saw a statement half done",
        &Vec::new(),
        &invalid_answers,
    );
    Ok(())
}
