//! Number literals where they meet decimals: exact.
//!
//! DataFusion reads a number with a fraction as a double. That is what one of up to 15 digits stays by itself, in arithmetic with
//! whole numbers and doubles and in every division, whose result would have few digits otherwise. Where it meets a decimal (a
//! comparison, arithmetic, a branch of CASE, a cast, a column it is stored in) it becomes a decimal of its own digits. A number
//! of more digits than a double holds is a decimal from the start, and where it meets doubles the double that is nearest.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Union, Volatility,
};
use datafusion::prelude::cast;
use datafusion::sql::sqlparser::ast::{self, VisitorMut};

/// The function whose call stands for a number of many digits, out of a user's way.
pub(crate) const NUMBER: &str = "\u{1}number";

/// How many significant digits every double holds.
const DIGITS_OF_DOUBLES: usize = 15;

/// Puts calls of [`NUMBER`] in the place of numbers that a double does not hold.
pub(super) struct KeepDigits;

impl VisitorMut for KeepDigits {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
        match expr {
            ast::Expr::UnaryOp {
                op: ast::UnaryOperator::Minus,
                expr: inner,
            } => {
                if let Some(text) = digits(inner)
                    && is_long(&format!("-{text}"))
                {
                    **inner = call(text);
                }
            }
            other => {
                if let Some(text) = digits(other)
                    && is_long(text)
                {
                    *other = call(text);
                }
            }
        }
        ControlFlow::Continue(())
    }
}

fn digits(expr: &ast::Expr) -> Option<&str> {
    match expr {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Number(text, false) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn call(text: &str) -> ast::Expr {
    let text = ast::Expr::value(ast::Value::SingleQuotedString(text.to_string()));
    let arg = ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(text));
    ast::Expr::Function(ast::Function {
        name: ast::ObjectName::from(vec![ast::Ident::with_quote('"', NUMBER)]),
        uses_odbc_syntax: false,
        parameters: ast::FunctionArguments::None,
        args: ast::FunctionArguments::List(ast::FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![arg],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// True for a number that DataFusion would round to a double and a decimal holds; below zero where it has a minus.
pub(super) fn is_long(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit);
    let significant = digits.skip_while(|digit| *digit == b'0').count();
    let fits = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    significant > DIGITS_OF_DOUBLES && !fits && decimal(text).is_some()
}

/// The decimal of exactly these digits: `-12.50` is 12.5. `None` where it has more than 38, or an exponent.
pub(super) fn decimal(text: &str) -> Option<ScalarValue> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{}{fraction}", whole.trim_start_matches('0'));
    let plain = !text.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let precision = digits.len().max(fraction.len()).max(1);
    if !plain || precision > usize::from(DECIMAL128_MAX_PRECISION) {
        return None;
    }
    let value: i128 = match digits.as_str() {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let value = if negative { -value } else { value };
    let (precision, scale) = (precision as u8, fraction.len() as i8);
    Some(ScalarValue::Decimal128(Some(value), precision, scale))
}

/// Makes the number literals of a plan that meet decimals exact.
pub(crate) fn meet_decimals(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found = expr.exists(|part| Ok(is_numeral(part)))?;
            Ok(stop_if(found))
        })?;
        Ok(stop_if(found))
    })?;
    if !found {
        return Ok(plan);
    }
    let plan = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let kept = expr.transform_up(|expr| keep_quotient(expr, &schema))?;
            Ok(kept.update_data(|expr| name.restore(expr)))
        })
    })?;
    let plan = plan.data;
    // A type that changes is another one for all nodes above.
    let changed = Cell::new(false);
    plan.transform_up_with_subqueries(|node| {
        if matches!(node, LogicalPlan::TableScan(_)) {
            return Ok(Transformed::no(node));
        }
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let met = expr.transform_up(|expr| meet(expr, &schema))?;
            Ok(match met.transformed {
                true => met.update_data(|expr| name.restore(expr)),
                false => met,
            })
        })?;
        changed.set(changed.get() || node.transformed);
        if !changed.get() {
            return Ok(node);
        }
        Ok(Transformed::yes(match node.data {
            // A UNION that has all its columns would keep its types.
            LogicalPlan::Union(union) => {
                LogicalPlan::Union(Union::try_new_with_loose_types(union.inputs)?)
            }
            node => node.recompute_schema()?,
        }))
    })
    .map(|transformed| transformed.data)
}

/// The same for an expression that stands alone, over the columns of `schema`.
pub(crate) fn meet_decimals_in(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    expr.transform_up(|expr| keep_quotient(expr, schema))?
        .data
        .transform_up(|expr| meet(expr, schema))
        .map(|met| met.data)
}

/// Makes sure that what is divided, or averaged, as a double is divided as one, also where it becomes a decimal.
fn keep_quotient(mut expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let divided: Vec<&mut Expr> = match &mut expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == Operator::Divide => {
            vec![left.as_mut(), right.as_mut()]
        }
        Expr::AggregateFunction(call) if call.func.name() == "avg" => {
            call.params.args.iter_mut().collect()
        }
        Expr::WindowFunction(call) if call.fun.name() == "avg" => {
            call.params.args.iter_mut().collect()
        }
        _ => return Ok(Transformed::no(expr)),
    };
    let mut kept = false;
    for operand in divided {
        let is_literal = matches!(operand, Expr::Literal(..) | Expr::Cast(_));
        if !is_literal && matches!(operand.get_type(schema), Ok(DataType::Float64)) {
            *operand = cast(std::mem::take(operand), DataType::Float64);
            kept = true;
        }
    }
    Ok(match kept {
        true => Transformed::yes(expr),
        false => Transformed::no(expr),
    })
}

fn stop_if(found: bool) -> TreeNodeRecursion {
    match found {
        true => TreeNodeRecursion::Stop,
        false => TreeNodeRecursion::Continue,
    }
}

/// Functions whose arguments are values of one type.
const OF_ONE_TYPE: [&str; 7] = [
    "coalesce", "nvl", "ifnull", "nvl2", "nullif", "greatest", "least",
];

/// What brings expressions to one type.
enum Meeting {
    Cast(DataType),
    Multiplication,
    Other,
}

/// Makes what meets a decimal in `expr` exact.
fn meet(mut expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mut by = Meeting::Other;
    let mut met: Vec<&mut Expr> = Vec::new();
    match &mut expr {
        Expr::Cast(cast) => {
            by = Meeting::Cast(cast.field.data_type().clone());
            met.push(&mut cast.expr);
        }
        Expr::TryCast(cast) => {
            by = Meeting::Cast(cast.field.data_type().clone());
            met.push(&mut cast.expr);
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_exact(*op) => {
            if *op == Operator::Multiply {
                by = Meeting::Multiplication;
            }
            met.extend([left.as_mut(), right.as_mut()]);
        }
        Expr::Between(between) => {
            let bounds = [&mut between.expr, &mut between.low, &mut between.high];
            met.extend(bounds.map(AsMut::as_mut));
        }
        Expr::InList(list) => {
            met.push(&mut list.expr);
            met.extend(&mut list.list);
        }
        Expr::Case(case) => {
            let (mut compared, mut made) = (Vec::new(), Vec::new());
            compared.extend(case.expr.as_deref_mut());
            for (when, then) in &mut case.when_then_expr {
                compared.push(when.as_mut());
                made.push(then.as_mut());
            }
            made.extend(case.else_expr.as_deref_mut());
            let compared = meet_group(compared, &Meeting::Other, schema);
            let made = meet_group(made, &Meeting::Other, schema);
            return Ok(Transformed::new(
                expr,
                compared || made,
                TreeNodeRecursion::Continue,
            ));
        }
        Expr::ScalarFunction(call) if OF_ONE_TYPE.contains(&call.func.name()) => {
            met.extend(&mut call.args);
        }
        _ => {}
    }
    Ok(match meet_group(met, &by, schema) {
        true => Transformed::yes(expr),
        false => Transformed::no(expr),
    })
}

/// Gives number literals in expressions that are brought to one type the digits that it has; true where one was changed.
fn meet_group(group: Vec<&mut Expr>, by: &Meeting, schema: &DFSchema) -> bool {
    let type_of = |expr: &Expr| expr.get_type(schema).ok();
    let (mut decimals, mut doubles) = (Vec::new(), false);
    if let Meeting::Cast(to) = by {
        decimals.extend(is_decimal(to).then(|| to.clone()));
        doubles = to.is_floating();
    } else {
        for expr in &group {
            match type_of(expr) {
                Some(t) if is_decimal(&t) => decimals.push(t),
                Some(t) if t.is_floating() && exact(expr, schema).is_none() => doubles = true,
                _ => {}
            }
        }
    }
    // Where one decimal cannot hold them all, they meet as doubles, as DataFusion has it.
    doubles |= !hold(&decimals, by);
    let mut changed = false;
    for expr in group {
        let new = match type_of(expr) {
            Some(DataType::Float64) if !(decimals.is_empty() || doubles) => exact(expr, schema)
                .filter(|exact| {
                    let exact = type_of(exact).into_iter();
                    hold(
                        &exact.chain(decimals.iter().cloned()).collect::<Vec<_>>(),
                        by,
                    )
                }),
            Some(t) if is_decimal(&t) && doubles => nearest_double(expr),
            _ => None,
        };
        if let Some(new) = new {
            *expr = new;
            changed = true;
        }
    }
    changed
}

/// True where one decimal holds all digits of values of these types.
fn hold(types: &[DataType], by: &Meeting) -> bool {
    let digits = types.iter().filter_map(|data_type| match data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            let scale = i16::from(*scale);
            Some((i16::from(*precision) - scale, scale))
        }
        _ => None,
    });
    let (whole, fraction): (Vec<i16>, Vec<i16>) = digits.unzip();
    let most = |digits: &[i16]| digits.iter().copied().max().unwrap_or(0);
    let needed = match by {
        Meeting::Cast(_) => 0,
        // What has too many digits before its point is an error of the product.
        Meeting::Multiplication => fraction.iter().sum(),
        Meeting::Other => most(&whole) + most(&fraction),
    };
    needed <= i16::from(DECIMAL128_MAX_PRECISION)
}

/// The double that is nearest to a number of many digits.
fn nearest_double(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Negative(inner) => Some(Expr::Negative(Box::new(nearest_double(inner)?))),
        Expr::ScalarFunction(_) => {
            let value = numeral(expr)?.parse().ok()?;
            Some(Expr::Literal(ScalarValue::Float64(Some(value)), None))
        }
        _ => None,
    }
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..)
    )
}

/// True for operators that are as exact between decimals as between doubles, or more so.
fn is_exact(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, Modulo, NotEq};
    is_exact_arithmetic(op)
        || [Eq, NotEq, Lt, LtEq, Gt, GtEq].contains(&op)
        || [IsDistinctFrom, IsNotDistinctFrom, Modulo].contains(&op)
}

fn is_exact_arithmetic(op: Operator) -> bool {
    matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply)
}

fn is_numeral(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Float64(Some(_)), _) => true,
        Expr::ScalarFunction(call) => call.func.name() == NUMBER,
        _ => false,
    }
}

/// The text of a number literal that is a double, or of many digits.
fn numeral(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(ScalarValue::Float64(Some(value)), _) if value.is_finite() => {
            Some(value.to_string())
        }
        Expr::ScalarFunction(call) if call.func.name() == NUMBER => match call.args.as_slice() {
            [Expr::Literal(text, _)] => text.try_as_str().flatten().map(ToString::to_string),
            _ => None,
        },
        _ => None,
    }
}

/// An expression that is a double because of its number literals alone, if at all, with these as decimals.
fn exact(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    if let Some(text) = numeral(expr) {
        return decimal(&text).map(|value| Expr::Literal(value, None));
    }
    match expr {
        Expr::Negative(inner) => Some(Expr::Negative(Box::new(exact(inner, schema)?))),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_exact_arithmetic(*op) => {
            let (left, right) = (exact(left, schema)?, exact(right, schema)?);
            let exact = BinaryExpr::new(Box::new(left), *op, Box::new(right));
            Some(Expr::BinaryExpr(exact))
        }
        other => {
            let data_type = other.get_type(schema).ok()?;
            (data_type.is_integer() || is_decimal(&data_type)).then(|| other.clone())
        }
    }
}

/// A number of many digits by its text. Shows itself as DataFusion would show it: as a double.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Number(Signature);

impl Number {
    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self(Signature::any(1, Volatility::Immutable)))
    }

    fn shown(args: &[Expr]) -> Result<Expr> {
        let text = match args {
            [Expr::Literal(text, _)] => text.try_as_str().flatten(),
            _ => None,
        };
        match text.and_then(|text| text.parse().ok()) {
            Some(value) => Ok(Expr::Literal(ScalarValue::Float64(Some(value)), None)),
            None => plan_err!("a number has one text"),
        }
    }
}

/// The decimal of the one text that a call has.
fn value_of(text: Option<&ScalarValue>) -> Result<ScalarValue> {
    let text = text.and_then(ScalarValue::try_as_str).flatten();
    match text.and_then(decimal) {
        Some(value) => Ok(value),
        None => plan_err!("a number has one text"),
    }
}

impl ScalarUDFImpl for Number {
    fn name(&self) -> &'static str {
        NUMBER
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Self::shown(args).map(|shown| shown.to_string())
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Self::shown(args).map(|shown| shown.schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type of a number is that of its digits")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let text = args.scalar_arguments.first().copied().flatten();
        let data_type = value_of(text)?.data_type();
        Ok(Arc::new(Field::new(self.name(), data_type, false)))
    }

    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let value = value_of(args.first().and_then(Expr::as_literal))?;
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(value, None)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Scalar(text)] => value_of(Some(text)).map(ColumnarValue::Scalar),
            _ => plan_err!("a number has one text"),
        }
    }
}
