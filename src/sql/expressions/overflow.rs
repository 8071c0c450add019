//! Checked operators: integer arithmetic, which DataFusion lets wrap around on overflow, and `||`, which it lets grow
//! without bound.
//!
//! A checked operator is a function that evaluates DataFusion's operator and is displayed like it. `||` is planned
//! as a checked operator. Arithmetic is replaced later, because the optimizer knows the plain operators but not
//! these functions: constants before the optimizer folds them, all other arithmetic after the optimizer. A chain of
//! operators (`a + b - c`) is one function of many operands, so that nothing recurses along the chain.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::kernels::numeric::neg;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type,
    Field, FieldRef, Schema,
};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Case, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::logical_expr_common::type_coercion::binary::BinaryTypeCoercer;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr as PhysicalBinary, Column, Literal};
use datafusion::prelude::lit;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::decimal;
use super::fallible::cannot_fail;
use super::output_size::{joined, refuse_over};
use super::rewrite::rewrite;
use crate::error::DfOlapError;

/// Checks constant arithmetic before the optimizer folds it: a constant that overflows is not folded, and fails only
/// where it is evaluated.
pub(crate) fn check_constants(plan: LogicalPlan) -> Result<LogicalPlan> {
    let none = DFSchema::empty();
    rewrite(
        plan,
        |expr| is_arithmetic(expr) && is_constant(expr),
        |expr, _| expr.transform_up(|expr| check_one(expr, &none, is_constant)),
    )
}

/// Checks all integer arithmetic after the optimizer, and replaces decimal arithmetic, which has a fast path
/// ([`decimal`]).
pub(crate) fn check_plan(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, is_arithmetic, |expr, plan| {
        let schema = merge_schema(&plan.inputs());
        match plan {
            // A join key must keep NULL; only a condition may treat NULL as FALSE.
            LogicalPlan::Join(join) if join.on.iter().any(|(l, r)| [l, r].contains(&&expr)) => {
                check_all(expr, &schema)
            }
            LogicalPlan::Filter(_) | LogicalPlan::Join(_) => check_condition(expr, &schema),
            _ => check_all(expr, &schema),
        }
    })
}

/// Like [`check_plan`], for a single expression over the columns of `schema`.
pub(crate) fn check_expr(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    check_all(expr, schema).map(|checked| checked.data)
}

/// Like [`check_expr`], for a condition; its parts are evaluated in the order of [`evaluate_fallible_last`].
pub(crate) fn check_condition(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let checked = check_all(expr, schema)?;
    Ok(match checked.transformed {
        true => Transformed::yes(evaluate_fallible_last(checked.data)),
        false => checked,
    })
}

fn check_all(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| check_one(expr, schema, |_| true))
}

fn is_arithmetic(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => matches!(
            binary.op,
            Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide
        ),
        Expr::Negative(_) => true,
        _ => false,
    }
}

/// Whether an expression can be evaluated without a row.
fn is_constant(expr: &Expr) -> bool {
    let constant = |expr: &Expr| match expr {
        Expr::Literal(..)
        | Expr::BinaryExpr(_)
        | Expr::Negative(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::Case(_) => true,
        Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Volatile,
        _ => false,
    };
    !expr.exists(|part| Ok(!constant(part))).unwrap_or(true)
}

fn check_one(
    expr: Expr,
    schema: &DFSchema,
    applies_to: impl Fn(&Expr) -> bool,
) -> Result<Transformed<Expr>> {
    if !(is_arithmetic(&expr) && applies_to(&expr)) {
        return Ok(Transformed::no(expr));
    }
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            match (operand_type(&left, schema), operand_type(&right, schema)) {
                (Some(one), Some(other)) if is_decimal(&one) && is_decimal(&other) => {
                    decimals(*left, op, *right, &one, &other)?
                }
                (Some(made), Some(same)) if made.is_integer() && made == same => {
                    match op == Operator::Divide {
                        // DataFusion checks the division of integers.
                        true => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
                        false => Transformed::yes(chained(*left, op, *right, Some(made))),
                    }
                }
                _ => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
            }
        }
        Expr::Negative(inner) => match operand_type(&inner, schema) {
            Some(made) if made.is_integer() => {
                let negated = Checked::new(Operation::Negate, Some(made));
                Transformed::yes(negated.call(vec![*inner]))
            }
            _ => Transformed::no(Expr::Negative(inner)),
        },
        other => Transformed::no(other),
    })
}

/// The type of an operand; `None` if the type is not known here, as for a column of an outer query.
fn operand_type(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    match as_checked(expr) {
        // `get_type` of nested operators would recurse into all operators below each of them.
        Some(Checked {
            result_type: Some(made),
            ..
        }) => Some(made.clone()),
        _ => expr.get_type(schema).ok(),
    }
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal128(..) | DataType::Decimal256(..)
    )
}

/// Whether a decimal has the greatest precision of its width.
fn is_widest(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal128(DECIMAL128_MAX_PRECISION, _)
            | DataType::Decimal256(DECIMAL256_MAX_PRECISION, _)
    )
}

/// `left op right` for decimals; extends the chain if `left` is one.
fn decimals(
    left: Expr,
    op: Operator,
    right: Expr,
    one: &DataType,
    other: &DataType,
) -> Result<Transformed<Expr>> {
    let made = BinaryTypeCoercer::new(one, &op, other).get_result_type()?;
    let so_far = match as_checked(&left).map(|checked| &checked.operation) {
        Some(Operation::Decimals(steps)) => Some(steps.clone()),
        _ => None,
    };
    let (mut steps, mut operands) = match (so_far, left) {
        (Some(steps), Expr::ScalarFunction(call)) => (steps, call.args),
        (_, left) => (Vec::new(), vec![left]),
    };
    steps.push((op, made.clone()));
    operands.push(right);
    let chain = Checked::new(Operation::Decimals(steps), Some(made));
    Ok(Transformed::yes(chain.call(operands)))
}

fn as_checked(expr: &Expr) -> Option<&Checked> {
    match expr {
        Expr::ScalarFunction(call) => call.func.inner().downcast_ref::<Checked>(),
        _ => None,
    }
}

/// `left op right`; extends the chain if `left` is one of the same type.
fn chained(left: Expr, op: Operator, right: Expr, made: Option<DataType>) -> Expr {
    let longer = match as_checked(&left) {
        Some(Checked {
            operation: Operation::Chain(ops),
            result_type: so_far,
            ..
        }) if *so_far == made && is_concat(ops) == (op == Operator::StringConcat) => {
            Some([ops.as_slice(), &[op]].concat())
        }
        _ => None,
    };
    match (longer, left) {
        (Some(ops), Expr::ScalarFunction(mut call)) => {
            call.args.push(right);
            Checked::new(Operation::Chain(ops), made).call(call.args)
        }
        (_, left) => Checked::new(Operation::Chain(vec![op]), made).call(vec![left, right]),
    }
}

fn is_concat(ops: &[Operator]) -> bool {
    ops.contains(&Operator::StringConcat)
}

/// A condition whose parts are evaluated in turn, each only for rows that satisfy the parts before: first the parts
/// that cannot fail, then those that can, then those with arithmetic that is checked for overflow. In
/// `i < 1000 AND i * i < 5000`, a row that the first part excludes must not overflow in the second.
fn evaluate_fallible_last(condition: Expr) -> Expr {
    let is_checked = |part: &Expr| {
        as_checked(part).is_some_and(|checked| match &checked.operation {
            Operation::Decimals(steps) => steps.iter().any(|(_, made)| is_widest(made)),
            _ => checked
                .result_type
                .as_ref()
                .is_some_and(DataType::is_integer),
        })
    };
    let has = |expr: &Expr, wanted: &dyn Fn(&Expr) -> bool| {
        expr.exists(|part| Ok(wanted(part))).unwrap_or(true)
    };
    if !has(&condition, &is_checked) {
        return condition;
    }
    let mut turns = [Vec::new(), Vec::new(), Vec::new()];
    for part in split_conjunction_owned(condition) {
        let turn = match () {
            () if has(&part, &is_checked) => 2,
            () if has(&part, &|part| !cannot_fail(part)) => 1,
            () => 0,
        };
        turns[turn].push(part);
    }
    let turns = turns.into_iter().filter_map(conjunction);
    let nested = turns.rev().reduce(|then, when| {
        Expr::Case(Case {
            expr: None,
            when_then_expr: vec![(Box::new(when), Box::new(then))],
            else_expr: Some(Box::new(lit(false))),
        })
    });
    nested.unwrap_or_else(|| lit(true))
}

/// Plans each `||` as a checked operator.
#[derive(Debug)]
pub(crate) struct ConcatPlanner;

impl ExprPlanner for ConcatPlanner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let joined = chained(expr.left, Operator::StringConcat, expr.right, None);
        Ok(PlannerResult::Planned(joined))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Operation {
    /// From left to right: one operator between each two operands.
    Chain(Vec<Operator>),
    Negate,
    /// A chain between decimals, each operator with the type of its result.
    Decimals(Vec<(Operator, DataType)>),
}

/// Operators that return an error if the result does not fit its type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    operation: Operation,
    /// The result type of arithmetic, which is also the type of all operands except for decimals. `None` for `||`,
    /// whose type depends on its operands.
    result_type: Option<DataType>,
    signature: Signature,
}

impl Checked {
    fn new(operation: Operation, result_type: Option<DataType>) -> Self {
        Self {
            operation,
            result_type,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    fn call(self, args: Vec<Expr>) -> Expr {
        ScalarUDF::new_from_impl(self).call(args)
    }

    /// The operators between their operands, as DataFusion displays its own operators.
    fn show(&self, args: &[Expr], operand: impl Fn(&Expr) -> String) -> String {
        match (&self.operation, args) {
            (Operation::Negate, [inner]) => format!("(- {})", operand(inner)),
            (Operation::Chain(ops), [first, others @ ..]) => {
                let mut text = operand(first);
                for (op, other) in ops.iter().zip(others) {
                    text += &format!(" {op} {}", operand(other));
                }
                text
            }
            (Operation::Decimals(steps), [first, others @ ..]) => {
                let mut text = operand(first);
                for ((op, _), other) in steps.iter().zip(others) {
                    text += &format!(" {op} {}", operand(other));
                }
                text
            }
            _ => self.name().to_string(),
        }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &'static str {
        match &self.operation {
            Operation::Chain(ops) if is_concat(ops) => "||",
            Operation::Chain(_) | Operation::Decimals(_) => "arithmetic",
            Operation::Negate => "-",
        }
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.show(args, |arg| match arg {
            Expr::BinaryExpr(_) => format!("({arg})"),
            arg if as_checked(arg).is_some() => format!("({arg})"),
            arg => arg.to_string(),
        }))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.show(args, |arg| arg.schema_name().to_string()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        if matches!(self.operation, Operation::Decimals(_)) {
            return Ok(arg_types.to_vec());
        }
        let made = self.return_type(arg_types)?;
        Ok(vec![made; arg_types.len()])
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        if let Some(made) = &self.result_type {
            return Ok(made.clone());
        }
        let [first, others @ ..] = arg_types else {
            return plan_err!("{} takes operands", self.name());
        };
        others.iter().try_fold(first.clone(), |made, other| {
            BinaryTypeCoercer::new(&made, &Operator::StringConcat, other).get_result_type()
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<_> = args
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let data_type = self.return_type(&types)?;
        Ok(Arc::new(Field::new(self.name(), data_type, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        if self.result_type.is_none() {
            refuse_over(self.name(), joined(&args.args, rows))?;
        }
        let mut operands = args.args.into_iter();
        let Some(first) = operands.next() else {
            return plan_err!("{} takes operands", self.name());
        };
        match &self.operation {
            Operation::Negate => match first {
                ColumnarValue::Scalar(value) => {
                    let negated = neg(&value.to_array()?)?;
                    ScalarValue::try_from_array(&negated, 0).map(ColumnarValue::Scalar)
                }
                ColumnarValue::Array(values) => Ok(ColumnarValue::Array(neg(&values)?)),
            },
            Operation::Chain(ops) => ops
                .iter()
                .zip(operands)
                .try_fold(first, |left, (op, right)| evaluate(left, *op, right, rows)),
            Operation::Decimals(steps) => {
                let mut steps = steps.iter().zip(operands);
                steps.try_fold(
                    first,
                    |left, ((op, made), right)| match decimal::arithmetic(&left, *op, &right, made)
                    {
                        Some(made) => Ok(ColumnarValue::Array(made)),
                        None => fitting(evaluate(left, *op, right, rows)?, made),
                    },
                )
            }
        }
    }
}

/// The result of an operator between decimals. Only a result of the greatest precision may have a digit too many, which
/// Arrow's operators do not check: the precision of any other is large enough for all results.
fn fitting(result: ColumnarValue, made: &DataType) -> Result<ColumnarValue> {
    let fits = match made {
        DataType::Decimal128(DECIMAL128_MAX_PRECISION, _) => result
            .to_array(1)?
            .as_primitive::<Decimal128Type>()
            .validate_decimal_precision(DECIMAL128_MAX_PRECISION),
        DataType::Decimal256(DECIMAL256_MAX_PRECISION, _) => result
            .to_array(1)?
            .as_primitive::<Decimal256Type>()
            .validate_decimal_precision(DECIMAL256_MAX_PRECISION),
        _ => Ok(()),
    };
    match fits {
        Ok(()) => Ok(result),
        Err(error) => Err(DfOlapError::Invalid(format!("overflow: {error}")).into()),
    }
}

/// Evaluates DataFusion's operator over two values.
fn evaluate(
    left: ColumnarValue,
    op: Operator,
    right: ColumnarValue,
    rows: usize,
) -> Result<ColumnarValue> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(2);
    let mut operand = |value| -> Arc<dyn PhysicalExpr> {
        match value {
            ColumnarValue::Scalar(value) => Arc::new(Literal::new(value)),
            ColumnarValue::Array(array) => {
                columns.push(array);
                Arc::new(Column::new("", columns.len() - 1))
            }
        }
    };
    let (left, right) = (operand(left), operand(right));
    let fields = columns
        .iter()
        .map(|column| Field::new("", column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
    PhysicalBinary::new(left, op, right)
        .with_fail_on_overflow(true)
        .evaluate(&batch)
}
