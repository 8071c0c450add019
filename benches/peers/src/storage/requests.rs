//! The requests of this engine to an object store, operation by operation. Nothing is timed: the store is in memory.

use std::sync::Arc;

use ::ours::{EngineBuilder, OlapEngine, StorageMode, VacuumOptions};
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::counting::{CountingStore, Requests};
use crate::data::{BATCH_ROWS, Order, arrow_59};
use crate::measure::{Failure, Queries};
use crate::ours::Ours;
use crate::report::{Bar, Figure, Report, Row, grouped};
use crate::{MILLION, progress};

const KINDS: [&str; 6] = ["PUT", "GET", "of data files", "HEAD", "LIST", "DELETE"];
/// The maximum number of objects that opening a database reads, however many commits it has.
const OPENING_LIMIT: u64 = 20;

pub async fn count(commits: usize) -> Report {
    let mut report = Report::new(
        vec!["Requests to an object store, counted by one that lies in memory.".to_string()],
        &KINDS,
    );
    let outcome = statements(&mut report).await;
    report.close("requests of statements", outcome);
    let outcome = opening(commits, &mut report).await;
    report.close("requests of opening", outcome);
    report
}

fn open(store: &Arc<CountingStore>) -> Result<Ours, Failure> {
    let url = "s3://bucket/database".to_string();
    let builder = EngineBuilder::new()
        .storage(StorageMode::Vortex { url })
        .object_store("s3://bucket".parse()?, Arc::clone(store) as _);
    Ok(Ours(builder.build()?))
}

/// The limits of a row, by kind of request.
type Limit = fn(&Requests) -> Vec<Bar>;

fn no_limit(_: &Requests) -> Vec<Bar> {
    Vec::new()
}

/// At most one PUT and no LIST.
fn small_commit(found: &Requests) -> Vec<Bar> {
    vec![at_most("PUT", 1, found.put), at_most("LIST", 0, found.list)]
}

fn no_list(found: &Requests) -> Vec<Bar> {
    vec![at_most("LIST", 0, found.list)]
}

fn answered_by_the_log(found: &Requests) -> Vec<Bar> {
    vec![
        at_most("GET of data files", 0, found.get_data),
        at_most("LIST", 0, found.list),
    ]
}

fn at_most(what: &str, limit: u64, found: u64) -> Bar {
    Bar::no_more(what, Figure::Count(limit), Figure::Count(found))
}

fn row(operation: String, found: Requests, bars: Vec<Bar>) -> Row {
    let counts = [
        found.put,
        found.get,
        found.get_data,
        found.head,
        found.list,
        found.delete,
    ];
    let kinds = KINDS.into_iter().zip(counts);
    let row = kinds.fold(Row::new(operation), |row, (kind, count)| {
        row.figure(kind, Figure::Count(count))
    });
    bars.into_iter().fold(row, Row::bar)
}

async fn statements(report: &mut Report) -> Result<(), Failure> {
    progress("requests");
    let store = Arc::new(CountingStore::default());
    let ours = open(&store)?;
    let engine = &ours.0;
    let bulk = arrow_59::batches(MILLION, BATCH_ROWS, Order::Ascending);
    let ten = arrow_59::batches(10, 10, Order::Ascending);
    type Work<'a> = LocalBoxFuture<'a, Result<(), Failure>>;
    let sql = |text: &'static str| -> Work<'_> {
        async move {
            engine
                .execute(text)
                .await
                .map(|_| ())
                .map_err(Failure::from)
        }
        .boxed_local()
    };
    let ask = |text: &'static str| -> Work<'_> {
        async { ours.drain(text).await.map(|_| ()) }.boxed_local()
    };
    let steps: Vec<(&str, Work<'_>, Limit)> = vec![
        (
            "opening where nothing is yet",
            async { Ok(engine.tables().await.map(|_| ())?) }.boxed_local(),
            no_limit,
        ),
        (
            "CREATE TABLE",
            async {
                Ok(engine
                    .create_table("t", &arrow_59::schema(), &["id".into()])
                    .await?)
            }
            .boxed_local(),
            no_limit,
        ),
        (
            "load_arrow of 1,000,000 rows",
            async { Ok(engine.load_arrow("t", &bulk).await.map(|_| ())?) }.boxed_local(),
            no_limit,
        ),
        (
            "load_arrow of 10 rows",
            async { Ok(engine.load_arrow("t", &ten).await.map(|_| ())?) }.boxed_local(),
            small_commit,
        ),
        (
            "INSERT of one row",
            sql("INSERT INTO t (id, grp, amount, name) VALUES (7, 7, 1.5, 'x')"),
            small_commit,
        ),
        (
            "SELECT count(*)",
            ask("SELECT count(*) FROM t"),
            answered_by_the_log,
        ),
        (
            "SELECT sum(amount)",
            ask("SELECT sum(amount) FROM t"),
            no_list,
        ),
        (
            "SELECT of one row by key",
            ask("SELECT * FROM t WHERE id = 500000"),
            no_list,
        ),
        (
            "the same again",
            ask("SELECT * FROM t WHERE id = 500000"),
            no_list,
        ),
        (
            "UPDATE of one row by key",
            sql("UPDATE t SET amount = 2.5 WHERE id = 500000"),
            small_commit,
        ),
        (
            "DELETE of one row by key",
            sql("DELETE FROM t WHERE id = 600000"),
            small_commit,
        ),
        (
            "INSERT of 100,000 rows",
            sql("INSERT INTO t SELECT id + 1000000, grp, amount, name FROM t WHERE id < 100000"),
            no_limit,
        ),
        (
            "compact",
            async { Ok(engine.compact().await.map(|_| ())?) }.boxed_local(),
            no_limit,
        ),
        (
            "vacuum that keeps nothing",
            async {
                let options = VacuumOptions {
                    retention: std::time::Duration::ZERO,
                    dry_run: false,
                };
                Ok(engine.vacuum(options).await.map(|_| ())?)
            }
            .boxed_local(),
            no_limit,
        ),
    ];
    for (operation, work, limit) in steps {
        store.take();
        work.await?;
        let found = store.take();
        report.add(row(operation.to_string(), found, limit(&found)));
    }
    Ok(())
}

/// Opens a database of many commits and runs its first query.
async fn opening(commits: usize, report: &mut Report) -> Result<(), Failure> {
    progress("commits to open");
    let store = Arc::new(CountingStore::default());
    let ours = open(&store)?;
    let schema = arrow_59::schema();
    ours.0.create_table("t", &schema, &["id".into()]).await?;
    let one = arrow_59::batches(1, 1, Order::Ascending);
    while ours.0.version().await?.0 < commits as u64 {
        ours.0.load_arrow("t", &one).await?;
    }
    let before = ours.drain("SELECT id FROM t").await?;
    drop(ours);
    let ours = open(&store)?;
    store.take();
    ours.drain("SELECT count(*) FROM t").await?;
    let found = store.take();
    let bars = vec![at_most(
        "reads",
        OPENING_LIMIT,
        found.get + found.head + found.list,
    )];
    let operation = format!("opening {} commits and count(*)", grouped(commits));
    report.add(row(operation, found, bars));
    match ours.drain("SELECT id FROM t").await? {
        after if after == before => Ok(()),
        after => Err(format!("{after} rows after opening, {before} before").into()),
    }
}
