//! Filter pushdown into Vortex scans: which expressions are pushed down; and the row index.
//!
//! Only expressions that mean the same in Vortex and in DataFusion are pushed down: comparisons, AND, OR, NOT, IS
//! NULL, IN and LIKE over columns and literals. Arithmetic, casts and functions stay in DataFusion, and so does every
//! comparison of floats, because the order of NaN and negative zero may differ.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{
    ColumnarValue, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use vortex::dtype::Nullability;
use vortex::expr::{Expression, get_item, pack, root};
use vortex::layout::layouts::row_idx::row_idx;
use vortex::session::VortexSession;
use vortex_datafusion::convert::{
    DefaultExpressionConverter, ExpressionConverter, ProcessedProjection,
};

/// The name of the column with the rows' positions in the output of a scan.
pub(super) const ROW_INDEX: &str = "\u{1}row_index";

/// The position of a row in its file, an expression that only a Vortex scan can evaluate.
pub(super) fn row_index() -> Arc<dyn PhysicalExpr> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Arc::new(ScalarUDF::from(RowIndex::default())));
    static OPTIONS: LazyLock<Arc<ConfigOptions>> = LazyLock::new(Arc::default);
    Arc::new(ScalarFunctionExpr::new(
        ROW_INDEX,
        Arc::clone(&FUNCTION),
        Vec::new(),
        Arc::new(Field::new(ROW_INDEX, DataType::UInt64, false)),
        Arc::clone(&OPTIONS),
    ))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RowIndex(Signature);

impl Default for RowIndex {
    fn default() -> Self {
        // Volatile, so that the optimizer does not fold the function to a constant.
        Self(Signature::nullary(Volatility::Volatile))
    }
}

impl ScalarUDFImpl for RowIndex {
    fn name(&self) -> &str {
        ROW_INDEX
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::Internal(
            "a row's position is known to the scan of its file alone".into(),
        ))
    }
}

pub(super) struct Converter {
    inner: DefaultExpressionConverter,
}

impl Converter {
    pub fn new(session: &VortexSession) -> Self {
        Self {
            inner: DefaultExpressionConverter::new(session.clone()),
        }
    }
}

impl ExpressionConverter for Converter {
    fn try_convert(
        &self,
        expr: &Arc<dyn PhysicalExpr>,
        schema: &Schema,
    ) -> Result<Option<Expression>> {
        match means_the_same(expr, schema) {
            true => self.inner.try_convert(expr, schema),
            false => Ok(None),
        }
    }

    fn no_pushdown_projection(
        &self,
        projection: ProjectionExprs,
        schema: &Schema,
    ) -> Result<ProcessedProjection> {
        let indices = projection.column_indices();
        let stored = schema.project(&indices)?;
        let is_indexed = projection.iter().any(|projected| {
            projected
                .expr
                .exists(|e| Ok(is_row_index(e)))
                .unwrap_or(false)
        });
        let mut fields: Vec<_> = stored.fields().iter().cloned().collect();
        let mut read: Vec<(String, Expression)> = fields
            .iter()
            .map(|field| {
                (
                    field.name().clone(),
                    get_item(field.name().as_str(), root()),
                )
            })
            .collect();
        let mut leftover = projection;
        if is_indexed {
            let place = fields.len();
            fields.push(Arc::new(Field::new(ROW_INDEX, DataType::UInt64, false)));
            read.push((ROW_INDEX.to_string(), row_idx()));
            leftover = leftover.try_map_exprs(|expr| {
                let column = |expr: Arc<dyn PhysicalExpr>| {
                    Ok(match is_row_index(&expr) {
                        true => Transformed::yes(Arc::new(Column::new(ROW_INDEX, place)) as _),
                        false => Transformed::no(expr),
                    })
                };
                Ok(expr.transform_up(column)?.data)
            })?;
        }
        Ok(ProcessedProjection {
            scan_projection: pack(read, Nullability::NonNullable),
            scan_reference_schema: Schema::new(fields),
            leftover_projection: leftover,
        })
    }
}

fn is_row_index(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let function = expr.downcast_ref::<ScalarFunctionExpr>();
    function.is_some_and(|function| function.name() == ROW_INDEX)
}

fn means_the_same(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    let mut same = true;
    let looked = expr.apply(|expr| {
        same &= is_plain(expr) && !of_float(expr, schema);
        Ok(match same {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    });
    looked.is_ok() && same
}

fn is_plain(expr: &Arc<dyn PhysicalExpr>) -> bool {
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        return matches!(
            binary.op(),
            Operator::And
                | Operator::Or
                | Operator::Eq
                | Operator::NotEq
                | Operator::Lt
                | Operator::LtEq
                | Operator::Gt
                | Operator::GtEq
        );
    }
    if let Some(like) = expr.downcast_ref::<LikeExpr>() {
        return !like.case_insensitive();
    }
    expr.is::<Column>()
        || expr.is::<Literal>()
        || expr.is::<NotExpr>()
        || expr.is::<IsNullExpr>()
        || expr.is::<IsNotNullExpr>()
        || expr.is::<InListExpr>()
}

fn of_float(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    match expr.data_type(schema) {
        Ok(data_type) => data_type.is_floating(),
        Err(_) => true,
    }
}
