//! Exact decimal values for number literals that are compared or combined with decimals.
//!
//! DataFusion reads a number with a fraction as a double. A number of up to 15 digits stays a double if it stands
//! alone, in arithmetic with integers and doubles, and in every division, because a decimal quotient would have few
//! digits. Where the number meets a decimal (a comparison, arithmetic, a branch of CASE, a cast, the column that
//! stores it), it becomes a decimal of its own digits. A number of more digits than a double holds is a decimal from
//! the start, and becomes the nearest double where it meets doubles.

mod number;

use std::cell::Cell;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, Union};
use datafusion::prelude::cast;

use crate::sql::expressions::rewrite::rewrite;
pub(crate) use number::{KeepDigits, NUMBER, Number, decimal, is_long, wide_decimal};
use number::{is_numeral, numeral};

/// Makes number literals in a plan exact where they meet decimals.
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
    let plan = rewrite(plan, divides, |expr, node| {
        let schema = merge_schema(&node.inputs());
        expr.transform_up(|expr| keep_quotient(expr, &schema))
    })?;
    // A changed type changes the schemas of all nodes above.
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
            // `recompute_schema` keeps the types of a UNION with an unchanged number of columns, so build the node
            // anew.
            LogicalPlan::Union(union) => {
                LogicalPlan::Union(Union::try_new_with_loose_types(union.inputs)?)
            }
            node => node.recompute_schema()?,
        }))
    })
    .map(|transformed| transformed.data)
}

/// Like [`meet_decimals`], for a single expression over the columns of `schema`.
pub(crate) fn meet_decimals_in(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    expr.transform_up(|expr| keep_quotient(expr, schema))?
        .data
        .transform_up(|expr| meet(expr, schema))
        .map(|met| met.data)
}

fn divides(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => binary.op == Operator::Divide,
        Expr::AggregateFunction(call) => call.func.name() == "avg",
        Expr::WindowFunction(call) => call.fun.name() == "avg",
        _ => false,
    }
}

/// Casts the double operands of a division or `avg` to double, so that the operation stays one on doubles even if an
/// operand becomes a decimal.
fn keep_quotient(mut expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if !divides(&expr) {
        return Ok(Transformed::no(expr));
    }
    let divided: Vec<&mut Expr> = match &mut expr {
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) => vec![left.as_mut(), right.as_mut()],
        Expr::AggregateFunction(call) => call.params.args.iter_mut().collect(),
        Expr::WindowFunction(call) => call.params.args.iter_mut().collect(),
        _ => Vec::new(),
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

/// Functions that coerce their arguments to one type.
const OF_ONE_TYPE: [&str; 7] = [
    "coalesce", "nvl", "ifnull", "nvl2", "nullif", "greatest", "least",
];

/// How a group of expressions is brought to one type: by a cast to the given type, as the operands of a
/// multiplication, or in another way.
enum Coercion {
    Cast(DataType),
    Multiplication,
    Other,
}

/// Makes the number literals in `expr` that meet a decimal exact.
fn meet(mut expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mut by = Coercion::Other;
    let mut met: Vec<&mut Expr> = Vec::new();
    match &mut expr {
        Expr::Cast(cast) => {
            by = Coercion::Cast(cast.field.data_type().clone());
            met.push(&mut cast.expr);
        }
        Expr::TryCast(cast) => {
            by = Coercion::Cast(cast.field.data_type().clone());
            met.push(&mut cast.expr);
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_exact(*op) => {
            if *op == Operator::Multiply {
                by = Coercion::Multiplication;
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
            let compared = meet_group(compared, &Coercion::Other, schema);
            let made = meet_group(made, &Coercion::Other, schema);
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

/// Converts the number literals in a group of expressions of one common type to that type: to exact decimals, or to
/// the nearest doubles. Returns true if a literal was changed.
fn meet_group(group: Vec<&mut Expr>, by: &Coercion, schema: &DFSchema) -> bool {
    let type_of = |expr: &Expr| expr.get_type(schema).ok();
    let mut decimals = Vec::new();
    let mut doubles;
    let digits = |decimals: &[DataType]| {
        let is_wide = |of: &DataType| matches!(of, DataType::Decimal256(..));
        match matches!(by, Coercion::Cast(_)) || decimals.iter().any(is_wide) {
            true => wide_decimal,
            false => decimal,
        }
    };
    if let Coercion::Cast(to) = by {
        decimals.extend(is_decimal(to).then(|| to.clone()));
        doubles = to.is_floating();
    } else {
        let types: Vec<_> = group.iter().map(|expr| type_of(expr)).collect();
        decimals.extend(types.iter().flatten().filter(|t| is_decimal(t)).cloned());
        if decimals.is_empty() {
            return false;
        }
        let stays = |(expr, of): (&&mut Expr, &Option<DataType>)| {
            of.as_ref().is_some_and(DataType::is_floating)
                && exact(expr, schema, digits(&decimals)).is_none()
        };
        doubles = group.iter().zip(&types).any(stays);
    }
    // If no decimal type holds all digits, the expressions meet as doubles, as in DataFusion.
    doubles |= !hold(&decimals, by);
    let mut changed = false;
    for expr in group {
        let new = match type_of(expr) {
            Some(DataType::Float64) if !(decimals.is_empty() || doubles) => {
                exact(expr, schema, digits(&decimals)).filter(|exact| {
                    let exact = type_of(exact).into_iter();
                    hold(
                        &exact.chain(decimals.iter().cloned()).collect::<Vec<_>>(),
                        by,
                    )
                })
            }
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

/// True if one decimal type holds all digits of values of these types.
fn hold(types: &[DataType], by: &Coercion) -> bool {
    let mut most_digits = DECIMAL128_MAX_PRECISION;
    let digits = types.iter().filter_map(|data_type| match data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            if matches!(data_type, DataType::Decimal256(..)) {
                most_digits = DECIMAL256_MAX_PRECISION;
            }
            let scale = i16::from(*scale);
            Some((i16::from(*precision) - scale, scale))
        }
        _ => None,
    });
    let (whole, fraction): (Vec<i16>, Vec<i16>) = digits.unzip();
    let most = |digits: &[i16]| digits.iter().copied().max().unwrap_or(0);
    let needed = match by {
        Coercion::Cast(_) => 0,
        // A literal with too many integer digits makes the product fail.
        Coercion::Multiplication => fraction.iter().sum(),
        Coercion::Other => most(&whole) + most(&fraction),
    };
    needed <= i16::from(most_digits)
}

/// The double nearest to a number of many digits, or to the negation of such a number.
fn nearest_double(expr: &Expr) -> Option<Expr> {
    let (number, negative) = match expr {
        Expr::Negative(inner) => (inner.as_ref(), true),
        number => (number, false),
    };
    if !matches!(number, Expr::ScalarFunction(_)) {
        return None;
    }
    let value: f64 = numeral(number)?.parse().ok()?;
    let value = if negative { -value } else { value };
    Some(Expr::Literal(ScalarValue::Float64(Some(value)), None))
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

/// True for operators that are at least as exact between decimals as between doubles.
fn is_exact(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, Modulo, NotEq};
    is_exact_arithmetic(op)
        || [Eq, NotEq, Lt, LtEq, Gt, GtEq].contains(&op)
        || [IsDistinctFrom, IsNotDistinctFrom, Modulo].contains(&op)
}

fn is_exact_arithmetic(op: Operator) -> bool {
    matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply)
}

/// The expression with each number literal replaced by the decimal that `decimal` makes of its text; `None` if a part
/// other than a literal makes the expression a double. A chain of operators may be long, so only DataFusion's own tree
/// walks recurse along the chain.
fn exact(
    expr: &Expr,
    schema: &DFSchema,
    decimal: impl Fn(&str) -> Option<ScalarValue>,
) -> Option<Expr> {
    let is_arithmetic = |part: &Expr| match part {
        Expr::Negative(_) => true,
        Expr::BinaryExpr(binary) => is_exact_arithmetic(binary.op),
        _ => false,
    };
    let value = |part: &Expr| numeral(part).and_then(|text| decimal(&text));
    let mut possible = true;
    let walked = expr.apply(|part| {
        if is_arithmetic(part) {
            return Ok(TreeNodeRecursion::Continue);
        }
        possible = match is_numeral(part) {
            true => value(part).is_some(),
            false => {
                let data_type = part.get_type(schema);
                data_type.is_ok_and(|data_type| data_type.is_integer() || is_decimal(&data_type))
            }
        };
        Ok(match possible {
            true => TreeNodeRecursion::Jump,
            false => TreeNodeRecursion::Stop,
        })
    });
    if walked.is_err() || !possible {
        return None;
    }
    let exact = expr.clone().transform_down(|part| {
        Ok(match value(&part) {
            Some(value) => {
                Transformed::new(Expr::Literal(value, None), true, TreeNodeRecursion::Jump)
            }
            None if is_arithmetic(&part) => Transformed::no(part),
            None => Transformed::new(part, false, TreeNodeRecursion::Jump),
        })
    });
    exact.ok().map(|exact| exact.data)
}
