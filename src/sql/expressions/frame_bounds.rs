//! Clamps LIMITs, window frame bounds, `nth_value` offsets and list positions that exceed 32 bits.
//!
//! DataFusion casts a LIMIT, a bound `n` of ROWS or GROUPS and the `n` of `nth_value(x, n)` to `usize`, which has 32
//! bits in a browser, without a check, and adds other numbers to it:
//! `BETWEEN CURRENT ROW AND 9223372036854775807 FOLLOWING` wraps around or panics. DataFusion refuses list positions
//! of more than 32 bits, although a slice up to such a position simply ends at the list's end. A number greater than
//! any frame or list becomes a smaller number that is still greater than any frame or list and leaves room for
//! additions.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, WindowFrameBound, WindowFrameUnits, lit, when};

use super::rewrite::rewrite;

/// More rows than any result or frame has; adding the number of any row does not overflow.
const ROWS: u64 = (usize::MAX / 2) as u64;
/// At least as many as any list has values or any text has characters.
const VALUES: u64 = i32::MAX as u64;

/// Functions that count or find values of a list or characters of a text, and the indexes of those of their arguments
/// that are counts or positions.
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

/// Clamps the LIMITs and positions of a plan; runs before the optimizer.
pub(crate) fn bound_positions(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = replace(plan, with_positions)?;
    // With a `usize` of 64 bits every LIMIT fits.
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

/// Clamps the frames of a plan. Runs after the optimizer: clamping may make two calls equal, and DataFusion merges
/// equal calls into one and then cannot run the plan.
pub(crate) fn bound_frames(plan: LogicalPlan) -> Result<LogicalPlan> {
    replace(plan, with_frame)
}

/// Replaces each part of an expression for which `other` returns a replacement.
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

/// Clamps a number of rows to `ROWS`. A constant expression that is not evaluated yet is wrapped in a CASE that
/// clamps its value.
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

/// The call with clamped positions, which has the same result; `None` if no position is too great.
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

/// The call with a clamped frame, which has the same result; `None` if no bound is too great.
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

/// A literal of the same sign and the magnitude `most`, if the magnitude of `expr` is greater.
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
