//! Scalar subqueries: one value, and a run-time error where there are more rows.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, exec_err, plan_err};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::lit;

/// `value`, the value of a subquery with `rows` rows; more than one row is an error that names the subquery.
pub(super) fn one_row(value: Expr, rows: Expr, subquery: String) -> Expr {
    ScalarUDF::new_from_impl(OneRow {
        subquery,
        signature: Signature::any(2, Volatility::Immutable),
    })
    .call(vec![value, rows])
}

/// One of the values of some rows.
pub(super) fn any_of(value: Expr) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(
        first_value_udaf(),
        vec![value],
        false,
        None,
        Vec::new(),
        None,
    ))
}

/// The one-row plan of an uncorrelated scalar subquery; if the subquery has more rows, an error names it.
pub(super) fn one_value(plan: LogicalPlan) -> Result<LogicalPlan> {
    let description = describe_subquery(&plan);
    let (qualifier, field) = plan.schema().qualified_field(0);
    let column = Column::from((qualifier, field));
    let [value, rows] = ["__value", "__rows"].map(Column::new_unqualified);
    let any = any_of(Expr::Column(column.clone())).alias(&value.name);
    let count = count(lit(1_i64)).alias(&rows.name);
    let value = one_row(Expr::Column(value), Expr::Column(rows), description);
    LogicalPlanBuilder::from(plan)
        .limit(0, Some(2))?
        .aggregate(Vec::<Expr>::new(), [any, count])?
        .project([value.alias_qualified(column.relation, column.name)])?
        .build()
}

/// The input of a plan made by [`one_value`], `None` for any other plan. The value repeats whenever the input's rows
/// do, despite the LIMIT: more than one row is an error.
pub(super) fn input_of_one_value(plan: &LogicalPlan) -> Option<&LogicalPlan> {
    let LogicalPlan::Projection(projection) = plan else {
        return None;
    };
    let LogicalPlan::Aggregate(aggregate) = projection.input.as_ref() else {
        return None;
    };
    let LogicalPlan::Limit(limit) = aggregate.input.as_ref() else {
        return None;
    };
    match projection.expr.as_slice() {
        [Expr::Alias(value)] if is_one_row(&value.expr) => Some(&limit.input),
        _ => None,
    }
}

/// The description of a subquery in an error message.
pub(super) fn describe_subquery(plan: &LogicalPlan) -> String {
    let mut tables: Vec<String> = Vec::new();
    let walked = plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            tables.push(scan.table_name.table().to_string());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    let (_, field) = plan.schema().qualified_field(0);
    match walked.is_ok() && !tables.is_empty() {
        true => format!("(SELECT {} FROM {} …)", field.name(), tables.join(", ")),
        false => format!("(SELECT {} …)", field.name()),
    }
}

/// Whether an expression is a call made by [`one_row`].
fn is_one_row(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.inner().is::<OneRow>())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OneRow {
    subquery: String,
    signature: Signature,
}

impl ScalarUDFImpl for OneRow {
    fn name(&self) -> &'static str {
        "one_row"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types {
            [value, _] => Ok(value.clone()),
            _ => plan_err!("one_row takes a value and a count"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, rows] = args.args.as_slice() else {
            return plan_err!("one_row takes a value and a count");
        };
        let rows = rows.to_array(args.number_rows)?;
        let most = arrow::compute::max(rows.as_primitive::<Int64Type>());
        match most {
            Some(most) if most > 1 => exec_err!(
                "the subquery {} has more than one row; as a value it must have one at most \
                 (an aggregate or LIMIT 1 chooses)",
                self.subquery
            ),
            _ => Ok(value.clone()),
        }
    }
}
