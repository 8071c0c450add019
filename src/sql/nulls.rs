//! Conditions in which DataFusion 55 forgets that a value may be NULL, said so that it does not.
//!
//! - `3 NOT IN (SELECT …)`: an anti join that knows about NULLs is made where a column is looked for. For a constant it is
//!   not, and the condition is true where it should be unknown; a DELETE would take every row. Nor for a subquery that reads the
//!   row outside of it. NOT EXISTS says it rightly: no row of the subquery may be equal or unknown.
//! - `a OR n NOT IN (SELECT …)`: within another expression it is taken for false where it is unknown, and the NOT of that is true.
//!   CASE says it rightly, of EXISTS, which is never unknown.
//! - `n NOT IN (1) OR n NOT IN (2, 3)`: two lists of one operand are merged as if it were never NULL. [`Hidden`] keeps the
//!   operands apart.
//! - `n ^ n` and `s ~ '.*'` become constants though they are NULL where the operand is; the same keeps them.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ExprSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::{
    conjunction, disjunction, merge_schema, split_conjunction_owned,
};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator,
    ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Subquery, Volatility,
    when,
};
use datafusion::prelude::lit;

/// The same plan in words that DataFusion gets right.
pub(crate) fn respect(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_down_with_subqueries(|plan| {
        let in_condition = matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
        let schema = merge_schema(&plan.inputs());
        plan.map_expressions(|expr| {
            let said = match in_condition && has_subquery(&expr)? {
                true => Transformed::yes(say_condition(expr, &schema)?),
                false => Transformed::no(expr),
            };
            said.transform_data(keep_apart)
        })
    })
    .map(|transformed| transformed.data)
}

/// Hides operands from the simplifications that take them for never NULL.
fn keep_apart(expr: Expr) -> Result<Transformed<Expr>> {
    let mut seen: Vec<Expr> = Vec::new();
    expr.transform_down(|expr| {
        Ok(match expr {
            Expr::InList(mut list) if seen.contains(&list.expr) => {
                let times = seen.len() as i64;
                seen.push(list.expr.as_ref().clone());
                *list.expr = hidden(*list.expr, times, Volatility::Stable);
                Transformed::new(Expr::InList(list), true, TreeNodeRecursion::Jump)
            }
            Expr::InList(list) => {
                seen.push(list.expr.as_ref().clone());
                Transformed::no(Expr::InList(list))
            }
            Expr::BinaryExpr(binary) if forgets_null(&binary) => {
                let BinaryExpr { left, op, right } = binary;
                let right = Box::new(hidden(*right, 0, Volatility::Volatile));
                let kept = Expr::BinaryExpr(BinaryExpr { left, op, right });
                Transformed::new(kept, true, TreeNodeRecursion::Jump)
            }
            other => Transformed::no(other),
        })
    })
}

fn forgets_null(binary: &BinaryExpr) -> bool {
    match binary.op {
        Operator::BitwiseXor => binary.left == binary.right,
        Operator::RegexMatch
        | Operator::RegexIMatch
        | Operator::RegexNotMatch
        | Operator::RegexNotIMatch => matches!(binary.right.as_ref(), Expr::Literal(pattern, _)
            if pattern.try_as_str().flatten() == Some(".*")),
        _ => false,
    }
}

/// `expr`, which is equal to no other that is hidden under another number. A constant is evaluated while planning unless it is
/// called volatile.
fn hidden(expr: Expr, number: i64, volatility: Volatility) -> Expr {
    ScalarUDF::new_from_impl(Hidden(Signature::any(2, volatility))).call(vec![expr, lit(number)])
}

/// Its first argument.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Hidden(Signature);

impl ScalarUDFImpl for Hidden {
    fn name(&self) -> &'static str {
        "as_it_is"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args
            .first()
            .map(|arg| arg.schema_name().to_string())
            .unwrap_or_default())
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

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(args.args.swap_remove(0))
    }
}

fn has_subquery(expr: &Expr) -> Result<bool> {
    expr.exists(|part| Ok(matches!(part, Expr::InSubquery(_))))
}

/// A condition: what is unknown is as good as false, but within its parts.
fn say_condition(condition: Expr, schema: &DFSchema) -> Result<Expr> {
    let parts = split_conjunction_owned(condition).into_iter();
    let parts = parts.map(|part| match part {
        Expr::InSubquery(whole) => say_part(whole, schema),
        Expr::Not(inner) => match *inner {
            Expr::InSubquery(InSubquery {
                expr,
                subquery,
                negated,
            }) => say_part(InSubquery::new(expr, subquery, !negated), schema),
            inner => say_within(Expr::Not(Box::new(inner)), schema),
        },
        part => say_within(part, schema),
    });
    let parts = parts.collect::<Result<Vec<_>>>()?;
    Ok(conjunction(parts).unwrap_or_else(|| lit(true)))
}

/// One that is a condition by itself.
fn say_part(whole: InSubquery, schema: &DFSchema) -> Result<Expr> {
    let is_correlated = !whole.subquery.outer_ref_columns.is_empty();
    let is_constant = whole.expr.column_refs().is_empty() && !whole.expr.contains_outer();
    match whole.negated && (is_constant || is_correlated) {
        true => found_in(&whole, schema, true, |candidate, wanted| {
            Expr::IsNotFalse(Box::new(candidate.eq(wanted)))
        }),
        false => Ok(Expr::InSubquery(whole)),
    }
}

/// Those within an expression that tells unknown from false.
fn say_within(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    expr.transform_down(|part| {
        let Expr::InSubquery(whole) = part else {
            return Ok(Transformed::no(part));
        };
        let has_nulls = whole.subquery.subquery.schema().field(0).is_nullable();
        let wanted = whole.expr.as_ref();
        let may_be_null = wanted.nullable(schema)?;
        if !has_nulls && !may_be_null {
            return Ok(Transformed::no(Expr::InSubquery(whole)));
        }
        // Each of these is joined by equality, or by nothing at all.
        let is_there = found_in(&whole, schema, false, Expr::eq)?;
        let mut unknown = Vec::new();
        if has_nulls {
            unknown.push(found(&whole, Some(Expr::is_null))?);
        }
        if may_be_null {
            unknown.push(wanted.clone().is_null().and(found(&whole, None)?));
        }
        let unknown = disjunction(unknown).unwrap_or_else(|| lit(false));
        let said = when(is_there, lit(!whole.negated))
            .when(unknown, lit(ScalarValue::Boolean(None)))
            .otherwise(lit(whole.negated))?;
        Ok(Transformed::new(said, true, TreeNodeRecursion::Jump))
    })
    .map(|said| said.data)
}

/// Whether the subquery has a row, or one whose column fulfils `condition`.
fn found(whole: &InSubquery, condition: Option<fn(Expr) -> Expr>) -> Result<Expr> {
    let mut subquery = whole.subquery.clone();
    let candidate = Expr::Column(subquery.subquery.schema().columns().swap_remove(0));
    let mut rows = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone());
    if let Some(condition) = condition {
        rows = rows.filter(condition(candidate))?;
    }
    if subquery.outer_ref_columns.is_empty() {
        rows = rows.limit(0, Some(1))?;
    }
    subquery.subquery = Arc::new(rows.build()?);
    Ok(Expr::Exists(Exists {
        subquery,
        negated: false,
    }))
}

/// Whether the subquery has a row of which `condition` is true, given its column and what is looked for.
fn found_in(
    whole: &InSubquery,
    schema: &DFSchema,
    negated: bool,
    condition: impl FnOnce(Expr, Expr) -> Expr,
) -> Result<Expr> {
    let Subquery {
        subquery,
        outer_ref_columns,
        spans,
    } = &whole.subquery;
    let mut outer = outer_ref_columns.clone();
    let wanted = whole.expr.as_ref().clone().transform_up(|part| {
        let Expr::Column(column) = part else {
            return Ok(Transformed::no(part));
        };
        let field = Arc::clone(schema.field_from_column(&column)?);
        let reference = Expr::OuterReferenceColumn(field, column);
        if !outer.contains(&reference) {
            outer.push(reference.clone());
        }
        Ok(Transformed::yes(reference))
    })?;
    let candidate = Expr::Column(subquery.schema().columns().swap_remove(0));
    let found = LogicalPlanBuilder::from(subquery.as_ref().clone())
        .filter(condition(candidate, wanted.data))?
        .build()?;
    Ok(Expr::Exists(Exists {
        subquery: Subquery {
            subquery: Arc::new(found),
            outer_ref_columns: outer,
            spans: spans.clone(),
        },
        negated,
    }))
}
