//! Plans views: the text of a view is planned wherever the view is read.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::Planner;
use super::duplicate_columns::{is_about_names, with_names_within};
use super::guard;
use crate::error::DfOlapError;
use crate::runtime::{on_own_stack, with_deep_stack};
use crate::snapshot::View;
use crate::sql::syntax::parse::is_short;
use crate::sql::syntax::sql_text::view_query;

/// The most levels of nested views. A cycle of views fails at this limit.
const MAX_VIEW_DEPTH: usize = 32;

impl Planner {
    /// Plans a new view, so that CREATE VIEW reports the view's errors.
    pub fn check_view(&self, name: &str, view: &View, max_nodes: u64) -> Result<(), DfOlapError> {
        if let Some(query) = view_query(view) {
            self.check_relations(&query)?;
        }
        let plan = self.plan_view(view)?;
        on_own_stack(|| guard::check(&plan, max_nodes, false))?;
        for (index, field) in plan.schema().fields().iter().enumerate() {
            let fields = plan.schema().fields();
            if fields.iter().take(index).any(|f| f.name() == field.name()) {
                return Err(DfOlapError::Invalid(format!(
                    "view {name} has two columns '{}'; give one an alias",
                    field.name()
                )));
            }
        }
        Ok(())
    }

    pub(super) fn plan_view(&self, view: &View) -> Result<LogicalPlan> {
        let known = self.views.lock().get(&view.id).cloned();
        if let Some(known) = known {
            return known.map_err(DataFusionError::Shared);
        }
        if self.view_depth.fetch_add(1, Ordering::Relaxed) >= MAX_VIEW_DEPTH {
            self.view_depth.fetch_sub(1, Ordering::Relaxed);
            return Err(DfOlapError::Invalid(format!(
                "views stand on one another more than {MAX_VIEW_DEPTH} deep, or in a circle"
            ))
            .into());
        }
        let plan = match is_short(&view.query) {
            true => with_deep_stack(|| self.plan_view_query(view)),
            false => on_own_stack(|| self.plan_view_query(view)),
        };
        self.view_depth.fetch_sub(1, Ordering::Relaxed);
        // What cannot be planned is tried once: views that stand on it would try it twice as often at each level.
        let plan = plan.map_err(Arc::new);
        self.views.lock().insert(view.id, plan.clone());
        plan.map_err(DataFusionError::Shared)
    }

    fn plan_view_query(&self, view: &View) -> Result<LogicalPlan> {
        let Some(mut query) = view_query(view) else {
            return plan_err!("the text of a view is not a query: {}", view.query);
        };
        self.rewrite_query(&mut query, &self.planner_context())?;
        let plan = |query| self.plan_unbound(query, &self.planner_context());
        let plan = match plan(query.clone()) {
            Err(error) if is_about_names(&error) => {
                plan(with_names_within(&query, &plan)).map_err(|_| error)?
            }
            planned => planned?,
        };
        if view.columns.is_empty() {
            return Ok(plan);
        }
        if view.columns.len() != plan.schema().fields().len() {
            return plan_err!(
                "the view names {} columns, its query has {}",
                view.columns.len(),
                plan.schema().fields().len()
            );
        }
        let exprs: Vec<Expr> = plan
            .schema()
            .columns()
            .into_iter()
            .zip(&view.columns)
            .map(|(column, name)| Expr::Column(column).alias(name))
            .collect();
        LogicalPlanBuilder::from(plan).project(exprs)?.build()
    }
}
