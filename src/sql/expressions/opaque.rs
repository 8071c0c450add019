//! Hides filter conditions from DataFusion's interval analysis, which draws wrong conclusions from casts.
//!
//! DataFusion's filter derives from its condition the interval of values of each column, by inverting casts and
//! arithmetic, and takes a column with one possible value for a constant. But a cast is not invertible: from
//! `CAST(ts AS DATE) = DATE '2024-01-01'` DataFusion concludes that each `ts` is midnight, and drops a sort by `ts`.
//! And some inversions fail, so that planning fails. Such conditions are wrapped in a function of one operand before
//! physical planning ([`hide`]), and unwrapped for sources, which do not use interval analysis ([`shown`]).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use super::rewrite::rewrite;

/// Hides those filter conditions of a plan that interval analysis would misread.
pub(crate) fn hide(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, is_misread, |condition, node| {
        if !matches!(node, LogicalPlan::Filter(_)) {
            return Ok(Transformed::no(condition));
        }
        let parts = split_conjunction_owned(condition).into_iter();
        let parts = parts.map(|part| {
            Ok(match part.exists(|part| Ok(is_misread(part)))? {
                true => ScalarUDF::new_from_impl(Opaque::new()).call(vec![part]),
                false => part,
            })
        });
        let hidden = conjunction(parts.collect::<Result<Vec<_>>>()?);
        hidden.map_or_else(
            || exec_err!("a condition has no parts"),
            |hidden| Ok(Transformed::yes(hidden)),
        )
    })
}

/// Whether DataFusion's interval analysis would invert `part` wrongly or fail on it.
fn is_misread(part: &Expr) -> bool {
    match part {
        Expr::Cast(_) => true,
        Expr::BinaryExpr(binary) => {
            let is_logic = matches!(binary.op, Operator::And | Operator::Or);
            !is_logic && !binary.op.supports_propagation()
        }
        _ => false,
    }
}

/// Wraps a hidden condition in a logical plan.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Opaque {
    signature: Signature,
}

impl Opaque {
    fn new() -> Self {
        Self {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Opaque {
    fn name(&self) -> &'static str {
        "condition"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(condition) => Ok(condition),
            None => exec_err!("no condition was given"),
        }
    }
}

/// The original condition of a physical plan, and whether it was hidden.
pub(crate) fn shown(condition: &Arc<dyn PhysicalExpr>) -> (Arc<dyn PhysicalExpr>, bool) {
    let call = condition.downcast_ref::<ScalarFunctionExpr>();
    let call = call.filter(|call| call.fun().inner().downcast_ref::<Opaque>().is_some());
    match call.and_then(|call| call.args().first()) {
        Some(condition) => (Arc::clone(condition), true),
        None => (Arc::clone(condition), false),
    }
}

/// Wraps a hidden condition in a physical plan: EXPLAIN shows the condition itself, and interval analysis ignores it.
#[derive(Debug, Eq)]
pub(crate) struct OpaqueCondition(pub Arc<dyn PhysicalExpr>);

impl PartialEq for OpaqueCondition {
    fn eq(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl Hash for OpaqueCondition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for OpaqueCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PhysicalExpr for OpaqueCondition {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.0.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.0.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.0]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let mut children = children.into_iter();
        Ok(match children.next() {
            Some(condition) => Arc::new(Self(condition)),
            None => self,
        })
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_sql(f)
    }
}
