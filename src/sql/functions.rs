//! Size checks around the functions that would otherwise make values of any size from a few bytes of SQL.
//!
//! `repeat('x', 2000000000)` asks no memory pool: it allocates, and the process is gone. [`Bounded`] stands before such a
//! function, works out from the arguments how much it would make for one batch, and refuses what is over the limit; constant
//! folding goes through it too. What merely joins its arguments (`concat`, `||`) is checked after the fact: it can be no
//! larger than what went in.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Documentation, Expr, ExpressionPlacement, LogicalPlan,
    ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::error::DfOlapError;

/// The most that one function may make for one batch, in bytes.
pub(crate) const MAX_MADE_BYTES: u64 = 256 << 20;

/// How many bytes a call would make for a batch.
type Estimate = fn(&[ArrayRef]) -> u64;

/// Replaces the functions that need it, and puts a check behind `||`.
pub(crate) fn bound_functions(builder: &mut SessionStateBuilder) {
    let estimates: [(&str, Option<Estimate>); 11] = [
        ("repeat", Some(repeated)),
        ("lpad", Some(padded)),
        ("rpad", Some(padded)),
        ("replace", Some(replaced)),
        ("range", Some(ranged)),
        ("generate_series", Some(ranged)),
        ("array_repeat", Some(repeated)),
        ("array_resize", Some(padded)),
        ("array_concat", None),
        ("concat", None),
        ("concat_ws", None),
    ];
    if let Some(functions) = builder.scalar_functions() {
        for function in functions.iter_mut() {
            let known = estimates.iter().find(|(name, _)| *name == function.name());
            if let Some((_, estimate)) = known {
                *function = Arc::new(ScalarUDF::new_from_impl(Bounded {
                    inner: Arc::clone(function),
                    estimate: *estimate,
                }));
            }
        }
    }
    if let Some(planners) = builder.expr_planners() {
        planners.push(Arc::new(ConcatPlanner));
    }
}

fn too_large(function: &str, bytes: u64) -> DfOlapError {
    DfOlapError::ResourcesExhausted(format!(
        "{function} would make {bytes} bytes for one batch, more than the {MAX_MADE_BYTES} allowed"
    ))
}

/// The first argument's bytes, times the second.
fn repeated(args: &[ArrayRef]) -> u64 {
    let times = numbers(args.get(1));
    sum(args, |row| {
        value_bytes(&args[0], row).max(8.0) * times(row).max(0.0)
    })
}

/// The second argument: a length in characters or items.
fn padded(args: &[ArrayRef]) -> u64 {
    let length = numbers(args.get(1));
    sum(args, |row| length(row).max(0.0) * 4.0)
}

/// As many replacements as fit into the text, or exactly as many as there are where that would be too large.
fn replaced(args: &[ArrayRef]) -> u64 {
    let guess = sum(args, |row| {
        let from = value_bytes(&args[1], row).max(1.0);
        value_bytes(&args[0], row) / from * value_bytes(&args[2], row)
    });
    if guess <= MAX_MADE_BYTES {
        return guess;
    }
    let texts: Vec<_> = args
        .iter()
        .filter_map(|a| cast(a, &DataType::Utf8View).ok())
        .collect();
    let [text, from, to] = texts.as_slice() else {
        return guess;
    };
    let (text, from, to) = (
        text.as_string_view(),
        from.as_string_view(),
        to.as_string_view(),
    );
    (0..text.len())
        .filter(|row| !(text.is_null(*row) || from.is_null(*row) || to.is_null(*row)))
        .map(|row| {
            let found = match from.value(row) {
                "" => 0,
                from => text.value(row).matches(from).count(),
            };
            (text.value(row).len() + found * to.value(row).len()) as u64
        })
        .sum()
}

/// Eight bytes for each number between the first two arguments, in steps of the third.
fn ranged(args: &[ArrayRef]) -> u64 {
    let (start, stop) = match args.len() {
        1 => (numbers(None), numbers(args.first())),
        _ => (numbers(args.first()), numbers(args.get(1))),
    };
    let step: Box<dyn Fn(usize) -> f64> = match args.get(2) {
        None => Box::new(|_| 1.0),
        Some(step) if step.data_type().is_numeric() => numbers(Some(step)),
        Some(step) => {
            let step = Arc::clone(step);
            let of = args[0].data_type().clone();
            Box::new(move |row| interval_step(&step, row, &of))
        }
    };
    sum(args, |row| {
        ((stop(row) - start(row)) / step(row)).max(0.0) * 8.0
    })
}

/// The length of an interval, in the units of the range's values.
fn interval_step(step: &ArrayRef, row: usize, of: &DataType) -> f64 {
    use arrow::datatypes::TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let nanos = match ScalarValue::try_from_array(step, row) {
        Ok(ScalarValue::IntervalMonthDayNano(Some(step))) => {
            let days = f64::from(step.months) * 28.0 + f64::from(step.days);
            days * 86_400e9 + step.nanoseconds as f64
        }
        _ => return 1.0,
    };
    nanos
        / match of {
            DataType::Timestamp(Second, _) => 1e9,
            DataType::Timestamp(Millisecond, _) | DataType::Date64 => 1e6,
            DataType::Timestamp(Microsecond, _) => 1e3,
            DataType::Timestamp(Nanosecond, _) => 1.0,
            _ => 86_400e9,
        }
}

fn sum(args: &[ArrayRef], bytes: impl Fn(usize) -> f64) -> u64 {
    let rows = args.first().map_or(0, |a| a.len());
    (0..rows).map(bytes).sum::<f64>() as u64
}

/// The number in each row, dates and times in their own units; 0 where there is none.
fn numbers(array: Option<&ArrayRef>) -> Box<dyn Fn(usize) -> f64> {
    let Some(array) = array else {
        return Box::new(|_| 0.0);
    };
    let plain = match array.data_type() {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            cast(array, &DataType::Int64).and_then(|whole| cast(&whole, &DataType::Float64))
        }
        _ => cast(array, &DataType::Float64),
    };
    let Ok(plain) = plain else {
        return Box::new(|_| 0.0);
    };
    let plain = plain.as_primitive::<Float64Type>().clone();
    Box::new(move |row| {
        if plain.is_valid(row) {
            plain.value(row)
        } else {
            0.0
        }
    })
}

/// The bytes of one value, about.
fn value_bytes(array: &ArrayRef, row: usize) -> f64 {
    if array.is_null(row) {
        return 0.0;
    }
    let bytes = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value_length(row) as usize,
        DataType::LargeUtf8 => array.as_string::<i64>().value_length(row) as usize,
        DataType::Utf8View => array.as_string_view().value(row).len(),
        DataType::Binary => array.as_binary::<i32>().value_length(row) as usize,
        DataType::BinaryView => array.as_binary_view().value(row).len(),
        DataType::List(_) => array.as_list::<i32>().value(row).get_buffer_memory_size(),
        DataType::LargeList(_) => array.as_list::<i64>().value(row).get_buffer_memory_size(),
        other => other.primitive_width().unwrap_or(16),
    };
    bytes as f64
}

/// A function behind a check of its size.
#[derive(Debug)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    /// Looked at before the call; without one, the result is looked at.
    estimate: Option<Estimate>,
}

impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Bounded {}

impl Hash for Bounded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = self.inner.inner().with_updated_config(config)?;
        Some(ScalarUDF::new_from_impl(Self {
            inner: Arc::new(inner),
            estimate: self.estimate,
        }))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn is_strict(&self) -> bool {
        self.inner.inner().is_strict()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(estimate) = self.estimate {
            // Constants alone make one value, whatever the batch.
            let constant = args
                .args
                .iter()
                .all(|a| matches!(a, ColumnarValue::Scalar(_)));
            let rows = if constant { 1 } else { args.number_rows };
            let arrays = args
                .args
                .iter()
                .map(|arg| arg.to_array(rows))
                .collect::<Result<Vec<_>>>()?;
            let bytes = estimate(&arrays);
            if bytes > MAX_MADE_BYTES {
                return Err(too_large(self.name(), bytes).into());
            }
        }
        let rows = args.number_rows;
        check_made(self.name(), self.inner.invoke_with_args(args)?, rows)
    }

    /// None: a rewrite to the function itself would leave the check behind.
    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(ExprSimplifyResult::Original(args))
    }

    fn preimage(
        &self,
        args: &[Expr],
        lit_expr: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        self.inner.inner().preimage(args, lit_expr, info)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(inputs)
    }

    fn propagate_constraints(
        &self,
        interval: &Interval,
        inputs: &[&Interval],
    ) -> Result<Option<Vec<Interval>>> {
        self.inner.propagate_constraints(interval, inputs)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.preserves_lex_ordering(inputs)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.inner().placement(args)
    }
}

/// A scalar counts as often as there are rows: it becomes an array of that length.
fn check_made(function: &str, made: ColumnarValue, rows: usize) -> Result<ColumnarValue> {
    let bytes = match &made {
        ColumnarValue::Array(array) => array.get_buffer_memory_size() as u64,
        ColumnarValue::Scalar(value) => (value.size() as u64).saturating_mul(rows as u64),
    };
    if bytes > MAX_MADE_BYTES {
        return Err(too_large(function, bytes).into());
    }
    Ok(made)
}

/// Puts [`Joined`] around each `||` of strings.
#[derive(Debug)]
struct ConcatPlanner;

impl ExprPlanner for ConcatPlanner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let joined = Expr::BinaryExpr(BinaryExpr::new(
            Box::new(expr.left),
            datafusion::logical_expr::Operator::StringConcat,
            Box::new(expr.right),
        ));
        Ok(PlannerResult::Planned(checked(joined)))
    }
}

fn checked(expr: Expr) -> Expr {
    let check = ScalarUDF::new_from_impl(Joined(Signature::any(1, Volatility::Immutable)));
    check.call(vec![expr])
}

/// Puts the check around large constants of an optimized plan: one value of a megabyte is harmless until it is a column.
pub(crate) fn bound_literals(plan: LogicalPlan) -> Result<LogicalPlan> {
    const HARMLESS_BYTES: usize = 16 << 10;
    let large =
        |expr: &Expr| matches!(expr, Expr::Literal(value, _) if value.size() > HARMLESS_BYTES);
    plan.transform_up_with_subqueries(|plan| {
        if !matches!(plan, LogicalPlan::Projection(_)) {
            return Ok(Transformed::no(plan));
        }
        plan.map_expressions(|expr| {
            if !expr.exists(|e| Ok(large(e)))? {
                return Ok(Transformed::no(expr));
            }
            let (relation, name) = expr.qualified_name();
            let bounded = expr.transform_up(|expr| {
                Ok(if large(&expr) {
                    Transformed::yes(checked(expr))
                } else {
                    Transformed::no(expr)
                })
            })?;
            Ok(Transformed::yes(match bounded.data {
                named @ Expr::Alias(_) => named,
                other => other.alias_qualified(relation, name),
            }))
        })
    })
    .map(|transformed| transformed.data)
}

/// Passes its argument on, if it is not too large; shows itself as its argument.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined(Signature);

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &'static str {
        "||"
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args.iter().map(ToString::to_string).collect())
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args
            .iter()
            .map(|arg| arg.schema_name().to_string())
            .collect())
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::clone(&args.arg_fields[0]))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(made) => check_made(self.name(), made, args.number_rows),
            None => Ok(ColumnarValue::Array(new_null_array(&DataType::Null, 0))),
        }
    }
}
