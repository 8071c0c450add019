//! Clamps LIMITs, window frame bounds, `nth_value` offsets and list positions that exceed 32 bits.
//!
//! DataFusion takes a LIMIT, a bound `n` of ROWS or GROUPS and the `n` of `nth_value(x, n)` for a `usize` without a
//! look, which has 32 bits in a browser, and adds other numbers to it:
//! `BETWEEN CURRENT ROW AND 9223372036854775807 FOLLOWING` wraps around or panics. It refuses positions in lists of
//! more than 32 bits, where a slice up to such a one goes to the list's end. What is greater than any frame or list
//! becomes a number that is, too, and that can be added to.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, WindowFrameBound, WindowFrameUnits, lit, when};

use super::rewrite::rewrite;

/// No result and no frame has so many rows, and the number of any row can be added to it.
const ROWS: u64 = (usize::MAX / 2) as u64;
/// No list has so many values, no text so many characters.
const VALUES: u64 = i32::MAX as u64;

/// Functions that count or find values of a list or characters of a text, and which of their arguments say how many or
/// where.
const POSITIONS: [(&str, &[usize]); 8] = [
    ("array_element", &[1]),
    ("array_position", &[2]),
    ("array_remove_n", &[2]),
    ("array_replace_n", &[3]),
    ("array_slice", &[1, 2]),
    ("regexp_count", &[2]),
    ("regexp_instr", &[2, 3, 5]),
    ("split_part", &[2]),
];

/// A plan whose LIMITs and positions can be counted with, before it is optimized.
pub(crate) fn bound_positions(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = replace(plan, with_positions)?;
    // Where a LIMIT fits whatever it is there is nothing to look for.
    if ROWS >= i64::MAX as u64 {
        return Ok(plan);
    }
    let plan = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Limit(mut limit) => {
            for rows in [&mut limit.skip, &mut limit.fetch].into_iter().flatten() {
                **rows = at_most(std::mem::take(&mut **rows))?;
            }
            Ok(Transformed::yes(LogicalPlan::Limit(limit)))
        }
        node => Ok(Transformed::no(node)),
    });
    Ok(plan?.data)
}

/// An optimized plan whose frames can be counted with: DataFusion takes two calls for one that are equal, and does not
/// run it.
pub(crate) fn bound_frames(plan: LogicalPlan) -> Result<LogicalPlan> {
    replace(plan, with_frame)
}

/// A plan with the parts of its expressions for which there is another.
fn replace(plan: LogicalPlan, other: fn(&Expr) -> Option<Expr>) -> Result<LogicalPlan> {
    let wanted = |expr: &Expr| other(expr).is_some();
    rewrite(plan, wanted, |expr, _| {
        expr.transform_up(|part| {
            Ok(match other(&part) {
                Some(part) => Transformed::yes(part),
                None => Transformed::no(part),
            })
        })
    })
}

/// A number of rows that DataFusion is given; one that is yet to be worked out, from constants, is that or the most
/// there can be.
fn at_most(rows: Expr) -> Result<Expr> {
    match lesser(&rows, ROWS) {
        Some(lesser) => Ok(lesser),
        None if matches!(rows, Expr::Literal(..)) => Ok(rows),
        None => {
            let most = lit(ROWS as i64);
            when(rows.clone().gt(most.clone()), most).otherwise(rows)
        }
    }
}

/// A call with lesser positions that mean the same, where some are too great.
fn with_positions(expr: &Expr) -> Option<Expr> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    let (_, places) = POSITIONS.iter().find(|(name, _)| *name == call.name())?;
    let lesser = |place: &usize| Some((*place, lesser(call.args.get(*place)?, VALUES)?));
    let lesser: Vec<_> = places.iter().filter_map(lesser).collect();
    if lesser.is_empty() {
        return None;
    }
    let mut call = call.clone();
    for (place, arg) in lesser {
        call.args[place] = arg;
    }
    Some(Expr::ScalarFunction(call))
}

/// A call over a frame that means the same, where it has bounds that are too great.
fn with_frame(expr: &Expr) -> Option<Expr> {
    let Expr::WindowFunction(call) = expr else {
        return None;
    };
    let frame = &call.params.window_frame;
    let counts_rows = frame.units != WindowFrameUnits::Range;
    let start = lesser_bound(&frame.start_bound).filter(|_| counts_rows);
    let end = lesser_bound(&frame.end_bound).filter(|_| counts_rows);
    let place = match (call.fun.name(), call.params.args.get(1)) {
        ("nth_value", Some(place)) => lesser(place, ROWS),
        _ => None,
    };
    if start.is_none() && end.is_none() && place.is_none() {
        return None;
    }
    let mut call = call.clone();
    let frame = &mut call.params.window_frame;
    frame.start_bound = start.unwrap_or_else(|| frame.start_bound.clone());
    frame.end_bound = end.unwrap_or_else(|| frame.end_bound.clone());
    if let Some(place) = place {
        call.params.args[1] = place;
    }
    Some(Expr::WindowFunction(call))
}

fn lesser_bound(bound: &WindowFrameBound) -> Option<WindowFrameBound> {
    let most = |rows: &ScalarValue| match rows {
        ScalarValue::UInt64(Some(rows)) if *rows > ROWS => Some(ScalarValue::from(ROWS)),
        _ => None,
    };
    match bound {
        WindowFrameBound::Preceding(rows) => Some(WindowFrameBound::Preceding(most(rows)?)),
        WindowFrameBound::Following(rows) => Some(WindowFrameBound::Following(most(rows)?)),
        WindowFrameBound::CurrentRow => None,
    }
}

/// A literal of the same sign that is at most `most`, where this one is more.
fn lesser(expr: &Expr, most: u64) -> Option<Expr> {
    let most = most as i64;
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), _) if value.unsigned_abs() > most as u64 => {
            let value = if *value < 0 { -most } else { most };
            Some(Expr::Literal(ScalarValue::from(value), None))
        }
        _ => None,
    }
}
