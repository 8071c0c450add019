//! Which changes are new, by their sequence numbers.

use arrow::compute::max;

use super::decode::Decoded;
use crate::cdc::Changes;
use crate::error::DfOlapError;
use crate::snapshot::Watermark;

/// Checks the name of a source.
pub(crate) fn check_source(source: &str) -> Result<(), DfOlapError> {
    if source.is_empty() || source.len() > Watermark::MAX_SOURCE_BYTES {
        return Err(DfOlapError::Invalid(format!(
            "the name of a source has 1 to {} bytes, and this one has {}",
            Watermark::MAX_SOURCE_BYTES,
            source.len()
        )));
    }
    Ok(())
}

pub(super) fn check_position(source: &str, changes: &Changes) -> Result<(), DfOlapError> {
    let position = changes.position.as_ref().map_or(0, Vec::len);
    if position > Watermark::MAX_POSITION_BYTES {
        return Err(DfOlapError::Invalid(format!(
            "source '{source}': a position has at most {} bytes, and this one has {position}",
            Watermark::MAX_POSITION_BYTES
        )));
    }
    Ok(())
}

/// Checks the sequence numbers against each other and the watermark `current`, and returns the new watermark.
pub(super) fn new_watermark(
    source: &str,
    changes: &Changes,
    batches: &[Decoded],
    current: Option<u64>,
) -> Result<u64, DfOlapError> {
    let invalid = |what: String| Err(DfOlapError::Invalid(format!("source '{source}': {what}")));
    let filled = || batches.iter().filter(|batch| batch.rows() > 0);
    let are_numbered = filled().all(|batch| batch.seqs.is_some());
    if !are_numbered && filled().any(|batch| batch.seqs.is_some()) {
        return invalid("some batches have a column _seq and some have not; give it to all".into());
    }
    let last = filled().filter_map(|batch| max(batch.seqs.as_ref()?)).max();
    // Without any change, the watermark stays where it is, or where the caller believes it to be.
    let nothing = match filled().next() {
        None if changes.position.is_none() => changes.after.or(Some(current.unwrap_or(0))),
        _ => None,
    };
    let Some(upto) = changes.upto.or(last).or(nothing) else {
        return invalid(
            "the changes have no sequence number; give them a column _seq, or call Changes::upto"
                .into(),
        );
    };
    if let Some(last) = last.filter(|last| *last > upto) {
        return invalid(format!(
            "a change has _seq {last}, after the {upto} of Changes::upto"
        ));
    }
    let Some(after) = changes.after else {
        return match current {
            Some(current) if !are_numbered && current < upto => invalid(format!(
                "changes are applied up to {current}, and these, up to {upto}, have no column _seq that tells which of \
                 them are new; call Changes::after too"
            )),
            _ => Ok(upto),
        };
    };
    if after > upto {
        return invalid(format!(
            "the changes end at {upto}, before the {after} of Changes::after"
        ));
    }
    if after > current.unwrap_or(0) {
        let is_at = match current {
            Some(current) => format!("changes are applied up to {current}"),
            None => "no changes are applied yet".to_string(),
        };
        return invalid(format!(
            "{is_at}, and these begin after {after}: those between are missing; send them, or call reset_watermark"
        ));
    }
    match current {
        Some(current) if !are_numbered && after < current && current < upto => invalid(format!(
            "changes are applied up to {current}, and these, after {after} up to {upto}, have no column _seq that tells \
             which of them are new"
        )),
        _ => Ok(upto),
    }
}

/// Fails if a sequence number of a table's changes falls.
pub(super) fn check_order(at: &str, batches: &[Decoded]) -> Result<(), DfOlapError> {
    let mut before = 0;
    for seqs in batches.iter().filter_map(|batch| batch.seqs.as_ref()) {
        for seq in seqs.values() {
            if *seq < before {
                return Err(DfOlapError::Invalid(format!(
                    "{at}: _seq {seq} comes after _seq {before}; sort the changes"
                )));
            }
            before = *seq;
        }
    }
    Ok(())
}
