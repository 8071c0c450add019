//! Interval arithmetic with the types of PostgreSQL and DuckDB.
//!
//! A date plus or minus an interval with a time of day is a timestamp, where DataFusion returns a date and drops the
//! time. With a literal of whole days, months and years the result stays a date, as in DataFusion. An interval
//! multiplied or divided by a number is an interval; DataFusion has neither. The difference of two timestamps, a
//! Duration in DataFusion and an interval in PostgreSQL and DuckDB, can be multiplied and divided too.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    TimeUnit,
};
use arrow::util::display::array_value_to_string;
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TypeSignature, Volatility,
};
use datafusion::prelude::cast;
use datafusion::sql::sqlparser::ast::BinaryOperator;

const NANOS_OF_DAY: i64 = 86_400_000_000_000;
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// Plans operators between an interval and a date or a number.
#[derive(Debug)]
pub(crate) struct IntervalPlanner;

impl ExprPlanner for IntervalPlanner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        match &expr.op {
            BinaryOperator::Plus | BinaryOperator::Minus => Ok(dated(expr, schema)),
            BinaryOperator::Multiply | BinaryOperator::Divide => Ok(scaled(expr, schema)),
            _ => Ok(PlannerResult::Original(expr)),
        }
    }
}

/// Casts a date to a timestamp if the other operand is an interval that may have a time of day.
fn dated(mut expr: RawBinaryExpr, schema: &DFSchema) -> PlannerResult<RawBinaryExpr> {
    // The type of the right operand first: the left operand may be a long chain.
    let (date, interval) = match (expr.right.get_type(schema), &expr.op) {
        (Ok(DataType::Interval(_)), _) => (&mut expr.left, &expr.right),
        (Ok(DataType::Date32 | DataType::Date64), BinaryOperator::Plus) => {
            (&mut expr.right, &expr.left)
        }
        _ => return PlannerResult::Original(expr),
    };
    let is_dated = matches!(
        date.get_type(schema),
        Ok(DataType::Date32 | DataType::Date64)
    ) && matches!(interval.get_type(schema), Ok(DataType::Interval(_)))
        && !is_of_days(interval);
    if is_dated {
        let timestamp = DataType::Timestamp(TimeUnit::Nanosecond, None);
        *date = cast(std::mem::take(date), timestamp);
    }
    PlannerResult::Original(expr)
}

/// Whether an interval is known to have no time of day: a literal, or a sum of literals, without one.
fn is_of_days(interval: &Expr) -> bool {
    match interval {
        Expr::Negative(inner) => is_of_days(inner),
        Expr::BinaryExpr(sum) => is_of_days(&sum.left) && is_of_days(&sum.right),
        Expr::Literal(value, _) => has_no_time(value),
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Literal(text, _) => text
                .cast_to(&INTERVAL)
                .is_ok_and(|value| has_no_time(&value)),
            _ => false,
        },
        _ => false,
    }
}

fn has_no_time(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::IntervalMonthDayNano(value) => {
            value.is_none_or(|value| value.nanoseconds % NANOS_OF_DAY == 0)
        }
        ScalarValue::IntervalDayTime(value) => value
            .is_none_or(|value| i64::from(value.milliseconds) % (NANOS_OF_DAY / 1_000_000) == 0),
        ScalarValue::IntervalYearMonth(_) => true,
        _ => false,
    }
}

/// An interval or a duration times a number or divided by one.
fn scaled(expr: RawBinaryExpr, schema: &DFSchema) -> PlannerResult<RawBinaryExpr> {
    let is_interval = |expr: &Expr| {
        // A product of an interval is planned as `Scaled`, so a `*` is none; it may be a long chain.
        let is_product = matches!(expr, Expr::BinaryExpr(made) if made.op == Operator::Multiply);
        let is_time = |of| matches!(of, DataType::Interval(_) | DataType::Duration(_));
        !is_product && expr.get_type(schema).is_ok_and(is_time)
    };
    let divides = matches!(expr.op, BinaryOperator::Divide);
    let (interval, number, is_turned) = match () {
        () if is_interval(&expr.left) => (&expr.left, &expr.right, false),
        () if !divides && is_interval(&expr.right) => (&expr.right, &expr.left, true),
        () => return PlannerResult::Original(expr),
    };
    let Ok(by) = number.get_type(schema) else {
        return PlannerResult::Original(expr);
    };
    let by = match by {
        DataType::Null => DataType::Int64,
        by if by.is_integer() && !divides => DataType::Int64,
        by if by.is_numeric() => DataType::Float64,
        _ => return PlannerResult::Original(expr),
    };
    let scaled = Scaled::new(divides, is_turned);
    let args = vec![cast(interval.clone(), INTERVAL), cast(number.clone(), by)];
    PlannerResult::Planned(ScalarUDF::new_from_impl(scaled).call(args))
}

/// The interval in the first argument, multiplied or divided by the number in the second.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Scaled {
    divides: bool,
    /// Whether the number is the left operand.
    is_turned: bool,
    signature: Signature,
}

impl Scaled {
    fn new(divides: bool, is_turned: bool) -> Self {
        let numbers = [DataType::Int64, DataType::Float64];
        let numbers = numbers.map(|number| TypeSignature::Exact(vec![INTERVAL, number]));
        Self {
            divides,
            is_turned,
            signature: Signature::one_of(numbers.to_vec(), Volatility::Immutable),
        }
    }

    fn show(&self, args: &[Expr], operand: impl Fn(&Expr) -> String) -> String {
        match (args, self.divides, self.is_turned) {
            ([interval, number], true, _) => format!("{} / {}", operand(interval), operand(number)),
            ([interval, number], _, true) => format!("{} * {}", operand(number), operand(interval)),
            ([interval, number], ..) => format!("{} * {}", operand(interval), operand(number)),
            _ => self.name().to_string(),
        }
    }

    /// `value` multiplied by an integer, which is exact; `None` on overflow.
    fn whole(&self, value: IntervalMonthDayNano, by: i64) -> Option<IntervalMonthDayNano> {
        let narrow = i32::try_from(by);
        let days = |days: i32| match days {
            0 => Some(0),
            days => days.checked_mul(narrow.ok()?),
        };
        let (months, days) = (days(value.months)?, days(value.days)?);
        let nanoseconds = value.nanoseconds.checked_mul(by)?;
        Some(IntervalMonthDayNano::new(months, days, nanoseconds))
    }

    /// `value` multiplied or divided by a float. A fraction of a month becomes days, with 30 days to a month; a
    /// fraction of a day becomes time, with 24 hours to a day, rounded to microseconds. `None` if out of range.
    fn parts(&self, value: IntervalMonthDayNano, by: f64) -> Option<IntervalMonthDayNano> {
        let scale = |part: f64| if self.divides { part / by } else { part * by };
        let months = scale(f64::from(value.months));
        let days = scale(f64::from(value.days));
        let of_months = months.fract() * 30.0;
        let of_days = days.fract() + of_months.fract();
        let micros = (of_days * (NANOS_OF_DAY / 1_000) as f64).round();
        let nanos = scale(value.nanoseconds as f64).round() + micros * 1_000.0;
        let (months, days) = (months.trunc(), days.trunc() + of_months.trunc());
        let fits = |value: f64| value.abs() <= f64::from(i32::MAX);
        // 2^63, the least positive f64 that does not fit an i64.
        let is_known = fits(months) && fits(days) && nanos.abs() < 9_223_372_036_854_775_808.0;
        is_known.then(|| IntervalMonthDayNano::new(months as i32, days as i32, nanos as i64))
    }
}

impl ScalarUDFImpl for Scaled {
    fn name(&self) -> &'static str {
        if self.divides {
            "interval_divide"
        } else {
            "interval_multiply"
        }
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.show(args, |arg| match arg {
            Expr::BinaryExpr(_) => format!("({arg})"),
            arg => arg.to_string(),
        }))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.show(args, |arg| arg.schema_name().to_string()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let [interval, number] = args.args.as_slice() else {
            return exec_err!("{} takes an interval and a number", self.name());
        };
        let (interval, number) = (interval.to_array(rows)?, number.to_array(rows)?);
        let interval = interval.as_primitive::<IntervalMonthDayNanoType>();
        let scaled = |value, by: &ArrayRef, row: usize| {
            let made = match by.as_primitive_opt::<Int64Type>() {
                Some(by) => self.whole(value, by.value(row)),
                None => self.parts(value, by.as_primitive::<Float64Type>().value(row)),
            };
            match made {
                Some(made) => Ok(made),
                None => {
                    let value = IntervalMonthDayNanoArray::from(vec![value]);
                    let value = array_value_to_string(&value, 0)?;
                    let by = array_value_to_string(by, row)?;
                    match self.divides {
                        true => {
                            exec_err!("interval out of range, or divided by zero: {value} / {by}")
                        }
                        false => exec_err!("interval out of range: {value} * {by}"),
                    }
                }
            }
        };
        let made = (0..rows).map(|row| match interval.is_null(row) || number.is_null(row) {
            true => Ok(None),
            false => scaled(interval.value(row), &number, row).map(Some),
        });
        let made = made.collect::<Result<IntervalMonthDayNanoArray>>()?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?),
            false => ColumnarValue::Array(Arc::new(made)),
        })
    }
}
