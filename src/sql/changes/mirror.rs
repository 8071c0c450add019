//! The changes of a table that mirrors its source: each key has the source's newest row.

use arrow::buffer::BooleanBuffer;
use roaring::RoaringTreemap;

use super::keys::Keys;
use super::moved::Rows;
use super::net::Net;
use super::report::Report;
use super::rows::{ROWS_AT_ONCE, RowMaker, find_existing};
use super::target::Target;
use super::values::ChangeBatch;
use super::walk::for_each_change;
use crate::change::{Action, deletions};
use crate::error::DfOlapError;
use crate::sql::execution::Run;
use crate::sql::resources::buffered_rows::BufferedRows;
use crate::sql::write::append;
use crate::sql::write::new_keys::no_new_keys;

/// The actions of the changes of one table.
pub(super) async fn actions(
    run: &Run,
    report: &mut Report<'_>,
    target: &Target,
    batches: &[ChangeBatch],
    active: &[BooleanBuffer],
) -> Result<Vec<Action>, DfOlapError> {
    let keys = Keys::of(target, batches, active)?;
    let width = target.table.definition.columns.len();
    // Where two rows may swap their keys, their values tell which is which.
    let reads_all = !report.changes.keys_by_row && keys.may_displace();
    let is_kept = |column: &usize| {
        let is_sent = batches.iter().all(|batch| batch.sends_all(*column));
        !is_sent || reads_all && !target.key.contains(column)
    };
    let kept: Vec<usize> = (0..width).filter(is_kept).collect();
    let existing = find_existing(run, target, &keys, &kept, None).await?;
    let rows = Rows {
        existing: &existing,
        batches,
        key: &target.key,
        keys_by_row: report.changes.keys_by_row,
    };
    let mut net = Net::new(rows, report.changes.strict);
    for_each_change(
        run,
        report,
        &keys,
        batches,
        active,
        |batch, change, applied| net.apply(batch, change, applied),
    )
    .await?;

    let id = target.table.id;
    let mut actions = Vec::new();
    if net.truncated {
        actions.push(Action::Truncate { id });
    }
    let dead: RoaringTreemap = net.dead().collect();
    actions.extend(deletions(&target.table, &dead));
    let maker = RowMaker::new(target, batches, &net.versions, &existing);
    let mut new = BufferedRows::new(run.runtime());
    for written in net.written().chunks(ROWS_AT_ONCE) {
        run.check_stop()?;
        new.push(maker.rows(run, written, &[]).await?)?;
    }
    if net.adds_keys() {
        actions.push(no_new_keys(&target.table, &new));
    }
    actions.extend(append(run, &target.table, new).await?);
    Ok(actions)
}
