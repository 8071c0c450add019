//! Works around projection pushdown, which mistakes the columns of a filter that has a projection of its own.
//!
//! A filter of DataFusion may give some of its input's columns, in another order. Its rule that moves projections below
//! filters compares the columns that the condition asks for, which are those of the input, with the columns that the
//! projection asks for, which are those that the filter gives. Where a column of the one and a column of the other have
//! one name and one place, the projection is moved with the places of the wrong columns. So before that rule runs such
//! a filter gives all columns, and the projection above asks for those. This can go when DataFusion leaves such filters
//! alone.

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

/// DataFusion's rule, with no projection above a filter that has one.
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
