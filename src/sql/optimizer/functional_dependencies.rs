//! Works around wrong functional dependencies of aggregates over joins.
//!
//! DataFusion tracks the functional dependencies of a plan. A key of one join input is not unique in the joined rows,
//! yet DataFusion takes it for a key of the groups where it is one of several GROUP BY keys: for
//! `SELECT x, y FROM (SELECT DISTINCT x FROM a) JOIN b GROUP BY x, y` it assumes one row for each x, and drops a
//! DISTINCT x above, or the key y. It finds such columns by name, so here the keys get other names in the aggregate.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Dependency, Result};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, LogicalPlan, LogicalPlanBuilder};

/// Renames the keys of an aggregate where DataFusion would take some of them for a unique key.
pub(crate) fn rename_false_keys(plan: LogicalPlan) -> Result<LogicalPlan> {
    // The error needs two such nodes: one makes a key, and another takes it for a key of its groups.
    let mut groups = 0;
    plan.apply_with_subqueries(|node| {
        let is_one = matches!(
            node,
            LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(Distinct::All(_))
        );
        groups += usize::from(is_one);
        Ok(match groups > 1 {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    if groups < 2 {
        return Ok(plan);
    }
    plan.transform_up_with_subqueries(|node| {
        Ok(Transformed::yes(match node {
            // DataFusion turns a DISTINCT into an aggregate later, and only an aggregate has keys, so convert it now.
            LogicalPlan::Distinct(Distinct::All(input)) if !input.schema().fields().is_empty() => {
                let schema = Arc::clone(input.schema());
                let columns = schema.columns().into_iter().map(Expr::Column).collect();
                grouped(Aggregate::try_new(input, columns, Vec::new())?)?
            }
            node => match node.recompute_schema()? {
                LogicalPlan::Aggregate(aggregate) => grouped(aggregate)?,
                node => node,
            },
        }))
    })
    .data()
}

fn grouped(aggregate: Aggregate) -> Result<LogicalPlan> {
    if !is_false_key(aggregate.input.schema(), &aggregate.group_expr) {
        return Ok(LogicalPlan::Aggregate(aggregate));
    }
    let Aggregate {
        input,
        group_expr,
        aggr_expr,
        schema,
        ..
    } = aggregate;
    renamed(input, group_expr, aggr_expr, &schema)
}

/// Whether some, but not all, of the keys determine other columns of the input without being unique in the input.
fn is_false_key(input: &DFSchema, keys: &[Expr]) -> bool {
    let dependencies = input.functional_dependencies();
    if dependencies.is_empty() || keys.iter().any(|key| matches!(key, Expr::GroupingSet(_))) {
        return false;
    }
    let fields = input.field_names();
    let names: Vec<_> = keys
        .iter()
        .map(|key| key.schema_name().to_string())
        .collect();
    dependencies.iter().any(|dependency| {
        let mut sources = dependency.source_indices.iter();
        dependency.mode == Dependency::Multi
            && dependency.source_indices.len() < keys.len()
            && sources.all(|source| names.contains(&fields[*source]))
    })
}

/// An aggregate with other names for its keys, and a projection that restores their names.
fn renamed(
    input: Arc<LogicalPlan>,
    keys: Vec<Expr>,
    aggregates: Vec<Expr>,
    schema: &DFSchema,
) -> Result<LogicalPlan> {
    let name = |place: usize| format!("__key_{place}");
    let count = keys.len();
    let keys = keys.into_iter().enumerate();
    let keys: Vec<_> = keys
        .map(|(place, key)| key.unalias().alias(name(place)))
        .collect();
    let fields = schema.iter().enumerate();
    let named = fields.map(|(place, (qualifier, field))| match place < count {
        true => Expr::Column(Column::new_unqualified(name(place)))
            .alias_qualified(qualifier.cloned(), field.name()),
        false => Expr::Column(Column::from((qualifier, field))),
    });
    let named: Vec<_> = named.collect();
    LogicalPlanBuilder::from(LogicalPlan::Aggregate(Aggregate::try_new(
        input, keys, aggregates,
    )?))
    .project(named)?
    .build()
}
