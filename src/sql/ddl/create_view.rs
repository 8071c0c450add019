//! CREATE VIEW.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;

use super::column::check_name;
use crate::change::Action;
use crate::error::{DfOlapError, refuse};
use crate::snapshot::{Relation, RelationId, View};
use crate::sql::execution::{Effect, Run};
use crate::sql::syntax::sql_text;

pub(super) fn create_view(run: &Run, create: &ast::CreateView) -> Result<Effect, DfOlapError> {
    refuse("CREATE OR ALTER VIEW", create.or_alter)?;
    refuse("CREATE MATERIALIZED VIEW", create.materialized)?;
    refuse("CREATE TEMPORARY VIEW", create.temporary)?;
    refuse("CREATE SECURE VIEW", create.secure)?;
    refuse("CREATE VIEW … TO", create.to.is_some())?;
    refuse("CREATE VIEW … COMMENT", create.comment.is_some())?;
    let planner = run.planner();
    let name = planner.table_name(&create.name)?;
    check_name("view", &name)?;
    let mut actions = Vec::new();
    match run.context.snapshot.relation(&name) {
        Some(_) if create.if_not_exists => return Ok(Effect::default()),
        Some(Relation::View(view)) if create.or_replace => {
            actions.push(Action::Drop { id: view.id });
        }
        Some(_) => {
            return Err(DfOlapError::Invalid(format!("'{name}' already exists")));
        }
        None => {}
    }
    let mut columns = Vec::new();
    for column in &create.columns {
        refuse("an option on a view's column", column.options.is_some())?;
        columns.push(planner.normalize(&column.name));
    }
    let view = View {
        id: RelationId::fresh(),
        query: sql_text::text(create.query.as_ref()),
        columns,
    };
    planner.check_view(&name, &view, run.limits().plan_nodes)?;
    actions.push(Action::CreateView {
        name,
        view: Arc::new(view),
    });
    Ok(Effect::of(actions, 0))
}
