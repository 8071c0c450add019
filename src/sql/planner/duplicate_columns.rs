//! Results with duplicate column names.
//!
//! Duplicate names are legal SQL, but DataFusion refuses them, because it finds the columns of a plan by name. So if a
//! query's SELECT list has a name twice, the later columns get unique names while the statement runs
//! ([`plan_with_unique_names`]), and the result gets the original names back ([`restored_names`]).

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{Column, DataFusionError, Result, TableReference};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{
    GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, VisitMut,
};

use crate::sql::syntax::ignored_names::{END, apart, name_unread};
use crate::sql::syntax::named_casts::{NamedCasts, NamedKeys, has_keys_of_one_name};
use crate::sql::syntax::selects::all_selects;
use crate::sql::syntax::sorted_inputs::name_sorted;

/// Whether an error of DataFusion is about a duplicate name.
pub(super) fn is_about_names(error: &DataFusionError) -> bool {
    let text = error.message();
    text.contains("require unique expression names")
        || text.contains("would be ambiguous")
        || text.contains("duplicate")
}

/// Whether a query has a SELECT list, which could have a name twice; VALUES has none.
pub(super) fn has_list(query: &Query) -> bool {
    !matches!(query.body.as_ref(), SetExpr::Values(_))
}

/// Plans a query in which DataFusion finds a duplicate name; `None` if unique names do not help. `plan` plans a query.
pub(super) fn plan_with_unique_names(
    query: &Query,
    plan: &dyn Fn(Query) -> Result<LogicalPlan>,
) -> Option<LogicalPlan> {
    let mut sorted = query.clone();
    if name_sorted(&mut sorted, true)
        && let Ok(planned) = plan(sorted.clone())
    {
        return Some(planned);
    }
    let apart = |query: &Query| plan(with_unique_names(query, plan)?).ok();
    apart(&sorted).or_else(|| {
        let named = with_names_within(&sorted, plan);
        plan(named.clone()).ok().or_else(|| apart(&named))
    })
}

/// The query with added names that its result does not show: for columns whose names are not visible, and for all
/// casts, because DataFusion gives two aggregates that differ only in a cast the same name.
pub(super) fn with_names_within(
    query: &Query,
    plan: &dyn Fn(Query) -> Result<LogicalPlan>,
) -> Query {
    let mut named = query.clone();
    name_unread(&mut named);
    name_casts(&mut named, true, plan);
    name_sorted(&mut named, false);
    named
}

/// Gives distinct names to the casts in a query's GROUP BY keys, if two keys would have the same name. `plan` plans a
/// query.
pub(super) fn name_keys(query: &mut Query, plan: &dyn Fn(Query) -> Result<LogicalPlan>) {
    if has_keys_of_one_name(query) {
        name_casts(query, false, plan);
    }
}

fn name_casts(query: &mut Query, all: bool, plan: &dyn Fn(Query) -> Result<LogicalPlan>) {
    let before = query.clone();
    let name = |select: &Select, item: &SelectItem| name_of(&before, select, item, plan);
    let _ = query.visit(&mut NamedKeys { name: &name, all });
}

/// The column name of an item of a SELECT list within a query.
pub(super) fn name_of(
    query: &Query,
    select: &Select,
    item: &SelectItem,
    plan: &dyn Fn(Query) -> Result<LogicalPlan>,
) -> Ident {
    let alone = Select {
        projection: vec![item.clone()],
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        distinct: None,
        having: None,
        qualify: None,
        sort_by: Vec::new(),
        ..select.clone()
    };
    let named = plan(of_select(query, alone)).ok();
    let named = named.map(|plan| plan.schema().field(0).name().clone());
    Ident::with_quote('"', named.unwrap_or_else(|| item.to_string()))
}

/// A query of one SELECT of `query`, without ORDER BY and LIMIT.
fn of_select(query: &Query, select: Select) -> Query {
    Query {
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        ..query.clone()
    }
}

/// The query with unique names for the columns of its SELECT lists that repeat an earlier name; `None` if no list
/// changes.
fn with_unique_names(query: &Query, plan: &dyn Fn(Query) -> Result<LogicalPlan>) -> Option<Query> {
    let mut changed = query.clone();
    let mut is_changed = false;
    for select in all_selects(&mut changed.body) {
        if let Some(items) = items_apart(select, &|select| plan(of_select(query, select))) {
            select.projection = items;
            is_changed = true;
        }
    }
    is_changed.then_some(changed)
}

type Name = (Option<TableReference>, String);

fn items_apart(
    select: &Select,
    plan: &dyn Fn(Select) -> Result<LogicalPlan>,
) -> Option<Vec<SelectItem>> {
    // Plans the list with placeholder names, to learn the original names. Replaces all aliases first; other clauses
    // may need the aliases, so the next try keeps them. The last tries also name casts, because an aggregate over a
    // cast has the name of the same aggregate without the cast.
    let tries = [(true, false), (false, false), (true, true), (false, true)];
    let (plan_of_all, casts) = tries.into_iter().find_map(|(all, casts)| {
        let tried = Select {
            projection: with_placeholder_names(&select.projection, all, casts),
            ..select.clone()
        };
        plan(tried).ok().map(|plan| (plan, casts))
    })?;
    let exprs = list_of(&plan_of_all)?;
    // The name of each column, and the index of its item in the list; `None` for a column of a wildcard.
    let mut names: Vec<(Name, Option<usize>)> = Vec::new();
    for ((qualifier, field), expr) in plan_of_all.schema().iter().zip(exprs) {
        let number = field
            .name()
            .strip_prefix(END)
            .and_then(|number| number.parse().ok());
        let name = match (number.map(|number: usize| &select.projection[number]), expr) {
            (Some(SelectItem::ExprWithAlias { alias, .. }), _) => (None, alias.value.clone()),
            (Some(item), _) if casts => {
                let alone = Select {
                    projection: vec![item.clone()],
                    ..select.clone()
                };
                (None, plan(alone).ok()?.schema().field(0).name().clone())
            }
            (Some(_), Expr::Alias(alias)) => match alias.expr.as_ref() {
                Expr::Column(column) => (column.relation.clone(), column.name.clone()),
                other => (None, other.schema_name().to_string()),
            },
            _ => (qualifier.cloned(), field.name().clone()),
        };
        names.push((name, number));
    }
    // DataFusion names a cast after its operand, table qualifier included.
    let whole = |name: &Name| Column::new(name.0.clone(), &name.1).flat_name();
    let clash = |one: &Name, other: &Name| {
        one.1 == other.1 && (one.0 == other.0 || one.0.is_none() || other.0.is_none())
            || whole(one) == whole(other)
    };
    let mut items = select.projection.clone();
    let mut changed = false;
    for (at, (name, number)) in names.iter().enumerate() {
        let Some(number) = *number else { continue };
        // A column of a wildcard must keep its name, so it takes precedence.
        let mut others = names.iter().enumerate();
        let is_taken = others.any(|(other, (known, of))| {
            other != at && (other < at || of.is_none()) && clash(known, name)
        });
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } =
            &items[number]
        {
            let mut expr = expr.clone();
            let mut hidden = NamedCasts::default();
            if casts {
                let _ = expr.visit(&mut hidden);
            }
            if !(is_taken || hidden.found) {
                continue;
            }
            items[number] = SelectItem::ExprWithAlias {
                alias: apart(&name.1, number),
                expr,
            };
            changed = true;
        }
    }
    changed.then_some(items)
}

/// The items of a list with placeholder names. Unless `all`, an alias stays if it is the first of its name.
fn with_placeholder_names(items: &[SelectItem], all: bool, casts: bool) -> Vec<SelectItem> {
    let mut aliases: Vec<&str> = Vec::new();
    let renamed = items.iter().enumerate().map(|(number, item)| {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
            return item.clone();
        };
        if let SelectItem::ExprWithAlias { alias, .. } = item
            && !all
            && !aliases.contains(&alias.value.as_str())
        {
            aliases.push(&alias.value);
            return item.clone();
        }
        let mut expr = expr.clone();
        if casts {
            let _ = expr.visit(&mut NamedCasts::default());
        }
        SelectItem::ExprWithAlias {
            expr,
            alias: apart("", number),
        }
    });
    renamed.collect()
}

/// The expressions of the SELECT list that a plan was made from.
fn list_of(plan: &LogicalPlan) -> Option<&[Expr]> {
    match plan {
        LogicalPlan::Projection(projection) => Some(&projection.expr),
        LogicalPlan::Distinct(Distinct::On(distinct)) => Some(&distinct.select_expr),
        LogicalPlan::Distinct(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Filter(_) => list_of(plan.inputs().first()?),
        _ => None,
    }
}

/// The schema of a result with the original column names; `None` if no column was renamed.
pub(crate) fn restored_names(schema: &SchemaRef) -> Option<SchemaRef> {
    let has_end = |field: &Arc<Field>| field.name().contains(END);
    if !schema.fields().iter().any(has_end) {
        return None;
    }
    let fields = schema
        .fields()
        .iter()
        .map(|field| match field.name().split_once(END) {
            Some((name, _)) => Arc::new(field.as_ref().clone().with_name(name)),
            None => Arc::clone(field),
        });
    let fields: Vec<_> = fields.collect();
    Some(Arc::new(Schema::new_with_metadata(
        fields,
        schema.metadata().clone(),
    )))
}
