//! Table statistics: value ranges and NULL counts, merged from those of the fragments.

use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue};

use crate::fragment::LiveFragment;
use crate::snapshot::Column;

/// The most fragments whose ranges are merged; for more, planning would cost more time than it saves.
const MAX_FRAGMENTS: usize = 256;

/// The value range and NULL count of one column over some fragments; unknown if not cheap to compute.
///
/// Exact if no row is deleted, because a fragment's range includes deleted rows. The range is for estimates only.
pub(super) fn column_statistics(fragments: &[&LiveFragment], column: &Column) -> ColumnStatistics {
    let unknown = ColumnStatistics::new_unknown();
    let data_type = column.field.data_type();
    let is_narrow = data_type.is_primitive() && !data_type.is_floating();
    if !is_narrow || fragments.is_empty() || fragments.len() > MAX_FRAGMENTS {
        return unknown;
    }
    let mut whole: Option<(ScalarValue, ScalarValue)> = None;
    let mut nulls = 0;
    for live in fragments {
        let Some(range) = live.fragment.range(column.id) else {
            return unknown;
        };
        nulls += range.nulls;
        if range.min.is_null() {
            continue;
        }
        whole = Some(match whole {
            None => (range.min.clone(), range.max.clone()),
            Some((min, max)) => (
                if range.min < min {
                    range.min.clone()
                } else {
                    min
                },
                if range.max > max {
                    range.max.clone()
                } else {
                    max
                },
            ),
        });
    }
    let Some((min, max)) = whole else {
        return unknown;
    };
    let is_exact = fragments.iter().all(|live| live.deleted.is_none());
    let known = |value| match is_exact {
        true => Precision::Exact(value),
        false => Precision::Inexact(value),
    };
    let nulls = usize::try_from(nulls).unwrap_or(usize::MAX);
    unknown
        .with_min_value(known(min))
        .with_max_value(known(max))
        .with_null_count(match is_exact {
            true => Precision::Exact(nulls),
            false => Precision::Inexact(nulls),
        })
}
