//! Output size limits for functions that can produce values of any size from a few bytes of SQL.
//!
//! `repeat('x', 2000000000)` allocates without a memory pool, and the process runs out of memory. [`Bounded`] wraps
//! such a function, estimates from the arguments the output size for one batch, and refuses a call over the limit;
//! constant folding calls the wrapper too. A constant is one value until it is expanded to the rows of a batch,
//! which [`bound_constants`] checks.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExpressionPlacement, LogicalPlan, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::intervals::IntervalPlanner;
use super::output_size::{
    Estimate, formatted, joined, joined_with_separator, list_to_text, padded, ranged, refuse_over,
    regexp_replaced, repeated, replaced, resized, with_item_replaced, with_items_replaced,
};
use super::overflow::ConcatPlanner;
use super::passthrough::passed;
use super::rewrite::rewrite;
use super::truth_values::TruthValuePlanner;
use super::version::version;
use crate::error::DfOlapError;

/// Wraps the functions that need a size limit, replaces `version`, and adds the planners for `||` and intervals.
pub(crate) fn bound_functions(builder: &mut SessionStateBuilder) {
    let estimates: [(&str, Estimate); 17] = [
        ("repeat", repeated),
        ("lpad", padded),
        ("rpad", padded),
        ("replace", replaced),
        ("regexp_replace", regexp_replaced),
        ("range", ranged),
        ("generate_series", ranged),
        ("array_repeat", repeated),
        ("array_resize", resized),
        ("array_replace", with_item_replaced),
        ("array_replace_n", with_item_replaced),
        ("array_replace_all", with_items_replaced),
        ("array_concat", joined),
        ("array_to_string", list_to_text),
        ("to_char", formatted),
        ("concat", joined),
        ("concat_ws", joined_with_separator),
    ];
    if let Some(functions) = builder.scalar_functions() {
        for function in functions.iter_mut() {
            if function.name() == "version" {
                *function = Arc::new(version());
            }
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
        planners.push(Arc::new(IntervalPlanner));
        planners.push(Arc::new(TruthValuePlanner));
    }
}

/// A function with a check of its output size.
#[derive(Debug)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    estimate: Estimate,
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
        refuse_over(self.name(), (self.estimate)(&args.args, args.number_rows))?;
        self.inner.invoke_with_args(args)
    }

    /// Does nothing: the inner function would simplify to a call without the check.
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

/// A value of at most this size is harmless even when it is expanded to the rows of a batch.
const HARMLESS_BYTES: usize = 16 << 10;

/// Wraps constants of an optimized plan that are large, or whose size is not known yet, in a check: one value of a
/// megabyte is harmless until it is expanded to a column.
pub(crate) fn bound_constants(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, is_constant_of_any_size, |expr, _| {
        expr.transform_down(|expr| {
            // The separator must stay a literal, so it is checked here.
            if let Expr::AggregateFunction(call) = &expr
                && call.func.name() == "string_agg"
                && let Some(Expr::Literal(value, _)) = call.params.args.get(1)
                && value.size() > HARMLESS_BYTES
            {
                return Err(DfOlapError::ResourcesExhausted(format!(
                    "the separator of string_agg has {} bytes, more than the {HARMLESS_BYTES} allowed",
                    value.size()
                ))
                .into());
            }
            Ok(match is_constant_of_any_size(&expr) {
                true => {
                    let bounded = passed(expr, "a constant", bounded);
                    Transformed::new(bounded, true, TreeNodeRecursion::Jump)
                }
                false => Transformed::no(expr),
            })
        })
    })
}

fn is_constant_of_any_size(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => value.size() > HARMLESS_BYTES,
        Expr::ScalarSubquery(query) => {
            let schema = query.subquery.schema();
            let mut fields = schema.fields().iter();
            fields.any(|field| field.data_type().primitive_width().is_none())
        }
        _ => false,
    }
}

/// Refuses a value that is too large when it is repeated for each row.
fn bounded(value: ColumnarValue, rows: usize) -> Result<ColumnarValue> {
    let bytes = match &value {
        ColumnarValue::Array(array) => array.get_buffer_memory_size() as u64,
        ColumnarValue::Scalar(value) => (value.size() as u64).saturating_mul(rows as u64),
    };
    refuse_over("a constant in each row", bytes)?;
    Ok(value)
}
