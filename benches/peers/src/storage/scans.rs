//! Queries on files: this engine against a plain `ListingTable` over the same files.

use ::ours::{Durability, OlapEngine};

use super::loads::{LINEITEM, lineitem};
use super::yardsticks::Listing;
use super::{PUBLIC, UNSYNCED, YARDSTICK};
use crate::data::{BATCH_ROWS, Order, QUERIES, arrow_58, arrow_59};
use crate::measure::{Failure, Queries, Rounds, drain, filled, interleave};
use crate::ours::Ours;
use crate::public::Public;
use crate::report::{Bar, Report, Row, grouped};
use crate::{MILLION, progress};

const LISTING: &str = "ListingTable";
/// A scan may take this many times as long as a scan of the listing …
const SCAN_LIMIT: f64 = 1.05;
/// … and this many times where one row in a hundred was deleted.
const DELETED_LIMIT: f64 = 1.15;

pub async fn measure(rounds: Rounds, report: &mut Report) -> Result<(), Failure> {
    million(rounds, report).await?;
    tpch(rounds, report).await
}

/// A million rows, whole and with one in a hundred deleted.
async fn million(rounds: Rounds, report: &mut Report) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("ours");
    let theirs = arrow_58::batches(MILLION, BATCH_ROWS, Order::Ascending);
    let public = filled(Public::stored(&folder.path().join("public"))?, &theirs).await?;
    let batches = arrow_59::batches(MILLION, BATCH_ROWS, Order::Ascending);
    let ours = Ours::stored(&database, Durability::LostOnPowerFailure)?;
    let ours = filled(ours, &batches).await?;
    let listing = Listing::of_database("t", &database, &arrow_59::schema())?;
    for deleted in [0, MILLION / 100] {
        if deleted > 0 {
            ours.0.execute("DELETE FROM t WHERE id % 100 = 7").await?;
        }
        let (limit, suffix) = match deleted {
            0 => (SCAN_LIMIT, ""),
            _ => (DELETED_LIMIT, ", 1 % deleted"),
        };
        for (name, sql, rows) in QUERIES {
            progress(name);
            let left = if rows == MILLION {
                MILLION - deleted
            } else {
                rows
            };
            let [public, listing, ours] = interleave(
                rounds,
                [
                    drain(&public, sql, rows),
                    drain(&listing, sql, rows),
                    drain(&ours, sql, left),
                ],
            )
            .await?;
            let row = Row::new(format!("{name}, {} rows{suffix}", grouped(MILLION)))
                .figure(PUBLIC, public)
                .figure(YARDSTICK, listing)
                .figure(UNSYNCED, ours)
                .bar(Bar::at_most(limit, LISTING, ours, listing));
            report.add(row);
        }
    }
    Ok(())
}

/// Three TPC-H queries that read only `lineitem`, at scale factor 1.
async fn tpch(rounds: Rounds, report: &mut Report) -> Result<(), Failure> {
    progress("lineitem");
    let folder = tempfile::tempdir()?;
    let ours = Ours::stored(folder.path(), Durability::LostOnPowerFailure)?;
    let (schema, batches) = lineitem();
    ours.0.create_table(LINEITEM, &schema, &[]).await?;
    ours.0.load_stream(LINEITEM, batches).await?;
    let listing = Listing::of_database(LINEITEM, folder.path(), &schema)?;
    for (name, sql, rows) in [
        (
            "TPC-H 1",
            "SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice), \
             sum(l_extendedprice * (1 - l_discount)), sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)), \
             avg(l_quantity), avg(l_extendedprice), avg(l_discount), count(*) \
             FROM lineitem WHERE l_shipdate <= date '1998-09-02' \
             GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus",
            4,
        ),
        (
            "TPC-H 6",
            "SELECT sum(l_extendedprice * l_discount) FROM lineitem WHERE l_shipdate >= date '1994-01-01' \
             AND l_shipdate < date '1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
            1,
        ),
        (
            "one order by its key",
            "SELECT * FROM lineitem WHERE l_orderkey = 3000004",
            rows_of_an_order(&listing).await?,
        ),
    ] {
        progress(name);
        let [plain, ours] = interleave(
            rounds,
            [drain(&listing, sql, rows), drain(&ours, sql, rows)],
        )
        .await?;
        let row = Row::new(format!("{name}, lineitem of scale factor 1"))
            .figure(YARDSTICK, plain)
            .figure(UNSYNCED, ours)
            .bar(Bar::at_most(SCAN_LIMIT, LISTING, ours, plain));
        report.add(row);
    }
    Ok(())
}

async fn rows_of_an_order(listing: &Listing) -> Result<usize, Failure> {
    let sql = "SELECT * FROM lineitem WHERE l_orderkey = 3000004";
    match listing.drain(sql).await? {
        0 => Err("there is no order 3000004".into()),
        rows => Ok(rows),
    }
}
