//! Works around projection pushdown, which confuses the columns of a filter that has a projection of its own.
//!
//! A `FilterExec` may output some of its input's columns, in another order. DataFusion's rule that moves projections
//! below filters compares the columns of the condition, which are input columns, with the columns of the projection,
//! which are output columns of the filter. Where an input and an output column have the same name and index, the
//! projection moves with the wrong indices. So before that rule runs, such a filter is changed to output all columns,
//! and the projection above selects from them. Remove this workaround when DataFusion leaves such filters alone.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};

/// DataFusion's rule, run after all projections above filters with a projection are rewritten.
#[derive(Debug)]
pub(crate) struct Narrow(pub Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for Narrow {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = plan.transform_up(above_all_columns).data()?;
        self.0.optimize(plan, config)
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

fn above_all_columns(plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some((projection, filter, places)) = projection_over_projection(&plan) else {
        return Ok(Transformed::no(plan));
    };
    let input = filter.input().schema();
    let exprs = projection.expr().iter().map(|one| {
        let expr = Arc::clone(&one.expr).transform_up(|expr| {
            let Some(column) = expr.downcast_ref::<Column>() else {
                return Ok(Transformed::no(expr));
            };
            let place = places[column.index()];
            let column: Arc<dyn PhysicalExpr> =
                Arc::new(Column::new(input.field(place).name(), place));
            Ok(Transformed::yes(column))
        });
        Ok(ProjectionExpr {
            expr: expr.data()?,
            alias: one.alias.clone(),
        })
    });
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    let filter = FilterExecBuilder::from(filter)
        .apply_projection(None)?
        .build()?;
    let made = ProjectionExec::try_new(exprs, Arc::new(filter))?;
    Ok(Transformed::yes(Arc::new(made)))
}

fn projection_over_projection(
    plan: &Arc<dyn ExecutionPlan>,
) -> Option<(&ProjectionExec, &FilterExec, &[usize])> {
    let projection = plan.downcast_ref::<ProjectionExec>()?;
    let filter = projection.input().downcast_ref::<FilterExec>()?;
    let places = filter.projection().as_deref()?;
    Some((projection, filter, places))
}
