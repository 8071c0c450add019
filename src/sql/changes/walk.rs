//! The loop over the changes of a table.

use arrow::buffer::BooleanBuffer;

use super::keys::{Keys, NONE};
use super::report::Report;
use super::values::ChangeBatch;
use super::versions::{Change, Problem};
use crate::cdc::Applied;
use crate::error::DfOlapError;
use crate::sql::execution::Run;
use crate::sql::resources::cooperative::Pace;

/// After this many changes the loop looks whether it should stop or pause.
const CHANGES_AT_ONCE: usize = 1024;

/// Hands each active change to `apply`, in order, and reports its problem if it has one.
pub(super) async fn for_each_change(
    run: &Run,
    report: &mut Report<'_>,
    keys: &Keys,
    batches: &[ChangeBatch],
    active: &[BooleanBuffer],
    mut apply: impl FnMut(&ChangeBatch, Change, &mut Applied) -> Result<(), Problem>,
) -> Result<(), DfOlapError> {
    let mut pace = Pace::new();
    let mut done = 0;
    for (place, (batch, active)) in batches.iter().zip(active).enumerate() {
        for row in active.set_indices() {
            done += 1;
            if done % CHANGES_AT_ONCE == 0 {
                run.check_stop()?;
                pace.keep().await;
            }
            let change = Change {
                batch: place,
                row,
                key: keys.new[place][row],
                old: keys.old[place][row],
            };
            if let Err(problem) = apply(batch, change, report.applied) {
                let key = (change.key != NONE).then(|| keys.shown(change.key));
                report.problem(key, batch.decoded.seq(row), problem)?;
            }
        }
    }
    Ok(())
}
