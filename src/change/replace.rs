//! Replaces fragments by others that hold their live rows.

use std::sync::Arc;

use roaring::{RoaringBitmap, RoaringTreemap};

use super::{Conflict, Replaced};
use crate::fragment::{Fragment, LiveFragment};

/// Puts `new` in the place of `old`. All rows of an `old` fragment that is missing from the list count as deleted: its
/// last live row was deleted, or another rewrite moved its rows to a new fragment.
pub(super) fn replace(
    fragments: &mut Vec<LiveFragment>,
    old: &[Replaced],
    new: &[Arc<Fragment>],
) -> Result<(), Conflict> {
    let is_old = |live: &LiveFragment| old.iter().any(|old| old.fragment == live.fragment.id);
    let place = fragments.iter().position(is_old);
    let place = place.ok_or(Conflict("the rows were rewritten"))?;
    // Rows deleted since, by their position among all live rows of `old`.
    let mut dead = RoaringTreemap::new();
    let mut before = 0;
    for old in old {
        let now = fragments.iter().find(|now| now.fragment.id == old.fragment);
        match now {
            None => {
                dead.insert_range(before..before + old.rows);
            }
            Some(now) => {
                let gone = |row: u32| old.deleted.as_ref().map_or(0, |gone| gone.rank(row));
                let since = match (&now.deleted, &old.deleted) {
                    (None, _) => RoaringBitmap::new(),
                    (Some(now), None) => now.as_ref().clone(),
                    (Some(now), Some(old)) => now.as_ref() - old.as_ref(),
                };
                dead.extend(since.iter().map(|row| before + u64::from(row) - gone(row)));
            }
        }
        before += old.rows;
    }
    if before != new.iter().map(|new| u64::from(new.rows())).sum::<u64>() {
        return Err(Conflict("the rows were not read whole"));
    }
    let mut start = 0;
    let mut standing = Vec::with_capacity(new.len());
    for fragment in new {
        let end = start + u64::from(fragment.rows());
        let mut here = dead.clone();
        here.remove_range(..start);
        here.remove_range(end..);
        let deleted: RoaringBitmap = here.iter().map(|row| (row - start) as u32).collect();
        let live = LiveFragment {
            fragment: Arc::clone(fragment),
            deleted: (!deleted.is_empty()).then(|| Arc::new(deleted)),
        };
        if live.rows() > 0 {
            standing.push(live);
        }
        start = end;
    }
    fragments.retain(|live| !is_old(live));
    fragments.splice(place..place, standing);
    Ok(())
}
