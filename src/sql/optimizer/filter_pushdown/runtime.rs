//! Runtime filters: routes the dynamic filters of joins and TopKs down to the scans.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinSide, JoinType, Result};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr, lit};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::filter_pushdown::PushedDown;
use datafusion::physical_plan::joins::utils::build_join_schema;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, Partitioning, replace_children_if_necessary,
};

pub(super) type Filters = Vec<Arc<dyn PhysicalExpr>>;
/// A plan with filters, and a flag for each filter: taken by a source, or applied to each row.
pub(super) type PushedPlan = (Arc<dyn ExecutionPlan>, Vec<bool>);
/// Maps a node's output columns to the columns of one of its children.
pub(super) type Places = HashMap<usize, usize>;

/// Runs last, except for the plan check: a later change of the plan would disconnect a filter from its source.
#[derive(Debug)]
pub(crate) struct RuntimeFilters;

impl PhysicalOptimizerRule for RuntimeFilters {
    fn name(&self) -> &str {
        "runtime_filters"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(routed(plan, &Vec::new(), false, config)?.0)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Pushes `filters`, which are over the plan's columns, and the filters that the plan's nodes produce into the
/// sources; also returns which of `filters` a source took. `may_skip_partitions`: the nodes above may read some
/// partitions of the plan and skip others.
fn routed(
    plan: Arc<dyn ExecutionPlan>,
    filters: &Filters,
    may_skip_partitions: bool,
    config: &ConfigOptions,
) -> Result<PushedPlan> {
    if let Some(source) = plan.downcast_ref::<DataSourceExec>() {
        return push_into_source(source, filters, config).map(|taken| match taken {
            Some((with, _)) => (with, vec![true; filters.len()]),
            None => (Arc::clone(&plan), vec![false; filters.len()]),
        });
    }
    let own = filter_of(&plan, may_skip_partitions, config);
    let mut is_taken = vec![false; filters.len()];
    let mut is_own_taken = false;
    let mut children = Vec::new();
    for (index, child) in plan.children().into_iter().enumerate() {
        let places = places(&plan, index);
        let mut wanted = Filters::new();
        let mut numbers = Vec::new();
        for (number, filter) in filters.iter().enumerate() {
            if let Some(moved) = remap_columns(filter, &places, child)? {
                wanted.push(moved);
                numbers.push(Some(number));
            }
        }
        if let Some((_, filter)) = own.as_ref().filter(|(of, _)| *of == index) {
            wanted.push(Arc::clone(filter));
            numbers.push(None);
        }
        let may_skip_partitions = is_read_unevenly(&plan, index, may_skip_partitions);
        let (child, taken) = routed(Arc::clone(child), &wanted, may_skip_partitions, config)?;
        for (number, taken) in numbers.into_iter().zip(taken) {
            match number {
                Some(number) => is_taken[number] |= taken,
                None => is_own_taken |= taken,
            }
        }
        children.push(child);
    }
    let plan = replace_children_if_necessary(plan, children)?;
    let plan = match own {
        Some((_, filter)) if is_own_taken => with_filter(plan, filter)?,
        _ => plan,
    };
    Ok((plan, is_taken))
}

/// The source with filters, if it can use them, and which of the filters it applies to each row.
pub(super) fn push_into_source(
    source: &DataSourceExec,
    filters: &Filters,
    config: &ConfigOptions,
) -> Result<Option<PushedPlan>> {
    // The source's limit counts unfiltered rows, so a filter from above the limit must not run before it.
    if filters.is_empty() || source.fetch().is_some() {
        return Ok(None);
    }
    let answer = source
        .data_source()
        .try_pushdown_filters(filters.clone(), config)?;
    let applied = answer.filters.iter();
    let applied = applied.map(|answer| matches!(answer, PushedDown::Yes));
    let applied = applied.collect();
    Ok(answer.updated_node.map(|with| {
        (
            Arc::new(source.clone().with_data_source(with)) as _,
            applied,
        )
    }))
}

/// The index of the child that a node produces a filter for, and the filter.
///
/// Only for keys that are plain columns: other expressions may fail for a row that the plan drops between the source
/// and the node.
fn filter_of(
    plan: &Arc<dyn ExecutionPlan>,
    may_skip_partitions: bool,
    config: &ConfigOptions,
) -> Option<(usize, Arc<dyn PhysicalExpr>)> {
    let options = &config.optimizer;
    let (child, filter) = if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        let is_wanted = options.enable_join_dynamic_filter_pushdown
            && join.join_type().on_lr_is_preserved().1
            && is_build_side_complete(join, may_skip_partitions)
            && have_clear_order(join);
        let keys = join.on().iter().map(|(_, probe)| Arc::clone(probe));
        let filter = || DynamicFilterPhysicalExpr::new(keys.collect(), lit(true));
        (1, is_wanted.then(|| Arc::new(filter()) as _)?)
    } else {
        let is_wanted = plan.downcast_ref::<SortExec>().is_some()
            && options.enable_topk_dynamic_filter_pushdown;
        let made = || plan.dynamic_expressions_produced().pop();
        (0, is_wanted.then(made).flatten()?)
    };
    let filter: Arc<dyn PhysicalExpr> = filter;
    let is_plain = filter
        .children()
        .into_iter()
        .all(|key| column(key).is_some());
    is_plain.then_some((child, filter))
}

/// Whether a join knows its whole build side before it reads a probe row; `HashJoinExec` fills a filter only then.
/// Where all partitions share one build side, each waits until all have started, so none may be skipped.
fn is_build_side_complete(join: &HashJoinExec, may_skip_partitions: bool) -> bool {
    let is_together = match join.partition_mode() {
        PartitionMode::CollectLeft => {
            !may_skip_partitions || join.right().output_partitioning().partition_count() == 1
        }
        PartitionMode::Partitioned => {
            let (left, right) = (join.left(), join.right());
            match (left.output_partitioning(), right.output_partitioning()) {
                (Partitioning::Hash(_, l), Partitioning::Hash(_, r)) => l == r,
                (l, r) => l.partition_count() == 1 && r.partition_count() == 1,
            }
        }
        PartitionMode::Auto => false,
    };
    is_together && !join.null_aware
}

/// Whether a filter on a join's keys agrees with the join: the keys have a clear minimum and maximum, and equal keys
/// have equal bits. Not so for floats, since a join treats `-0.0` as equal to `0.0`, nor for lists and structs, which
/// may hold floats and NULLs and which DataFusion orders in different ways.
fn have_clear_order(join: &HashJoinExec) -> bool {
    fn is_clear(data_type: &DataType) -> bool {
        match data_type {
            DataType::Dictionary(_, values) => is_clear(values),
            DataType::Interval(_) => false,
            DataType::Boolean | DataType::FixedSizeBinary(_) => true,
            other => {
                other.is_string()
                    || other.is_binary()
                    || other.is_primitive() && !other.is_floating()
            }
        }
    }
    let (left, right) = (join.left().schema(), join.right().schema());
    join.on().iter().all(|(build, probe)| {
        let types = [build.data_type(&left), probe.data_type(&right)];
        types.iter().all(|found| found.as_ref().is_ok_and(is_clear))
    })
}

/// Whether some partitions of a child may be read and others never started.
fn is_read_unevenly(
    plan: &Arc<dyn ExecutionPlan>,
    child: usize,
    may_skip_partitions: bool,
) -> bool {
    let reads_all = plan.downcast_ref::<CoalescePartitionsExec>().is_some()
        || plan.downcast_ref::<RepartitionExec>().is_some()
        || plan.downcast_ref::<SortPreservingMergeExec>().is_some();
    let goes_on_with_each = plan.downcast_ref::<FilterExec>().is_some()
        || plan.downcast_ref::<ProjectionExec>().is_some()
        || plan.downcast_ref::<CooperativeExec>().is_some()
        || plan.downcast_ref::<AggregateExec>().is_some()
        || plan.downcast_ref::<SortExec>().is_some()
        || plan.downcast_ref::<UnionExec>().is_some();
    match plan.downcast_ref::<HashJoinExec>() {
        _ if reads_all => false,
        _ if goes_on_with_each => may_skip_partitions,
        // A partition with an empty build side does not read its probe side.
        Some(join) if *join.partition_mode() == PartitionMode::CollectLeft => {
            child == 1 && may_skip_partitions
        }
        Some(_) => child == 1 || may_skip_partitions,
        None => plan.output_partitioning().partition_count() > 1,
    }
}

fn with_filter(
    plan: Arc<dyn ExecutionPlan>,
    filter: Arc<dyn PhysicalExpr>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let (Some(join), Some(filter)) = (
        plan.downcast_ref::<HashJoinExec>(),
        Arc::downcast::<DynamicFilterPhysicalExpr>(filter).ok(),
    ) else {
        return Ok(plan);
    };
    let with = join.builder().build()?.with_dynamic_filter_expr(filter)?;
    Ok(Arc::new(with))
}

/// Rewrites a filter to the columns of a child; `None` where the filter reads a column that the child does not have.
pub(super) fn remap_columns(
    filter: &Arc<dyn PhysicalExpr>,
    places: &Places,
    child: &Arc<dyn ExecutionPlan>,
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let schema = child.schema();
    let mut is_there = true;
    let moved = Arc::clone(filter)
        .transform_down(|expr| {
            let Some(column) = expr.downcast_ref::<Column>() else {
                return Ok(Transformed::no(expr));
            };
            let Some(place) = places.get(&column.index()) else {
                is_there = false;
                return Ok(Transformed::complete(expr));
            };
            let name = schema.field(*place).name();
            Ok(Transformed::yes(Arc::new(Column::new(name, *place)) as _))
        })
        .data()?;
    Ok(is_there.then_some(moved))
}

/// Maps the output columns of a node that pass through unchanged from a child. Empty for an unknown node, and for a
/// node that needs all rows of its input.
fn places(plan: &Arc<dyn ExecutionPlan>, child: usize) -> Places {
    let all = || {
        let count = plan.schema().fields().len();
        (0..count).map(|place| (place, place)).collect()
    };
    let chosen = |projection: &[usize]| projection.iter().copied().enumerate().collect();
    let is_plain = plan.downcast_ref::<CoalescePartitionsExec>().is_some()
        || plan.downcast_ref::<RepartitionExec>().is_some()
        || plan.downcast_ref::<CooperativeExec>().is_some()
        || plan.downcast_ref::<SortPreservingMergeExec>().is_some()
        || plan.downcast_ref::<UnionExec>().is_some()
        || plan.downcast_ref::<SortExec>().is_some();
    if is_plain {
        // With a fetch limit, a row dropped below would let another row through.
        return if plan.fetch().is_none() {
            all()
        } else {
            Places::new()
        };
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return match filter.projection() {
            _ if plan.fetch().is_some() => Places::new(),
            Some(projection) => chosen(projection),
            None => all(),
        };
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let exprs = projection.expr().iter().enumerate();
        return exprs
            .filter_map(|(place, made)| Some((place, column(&made.expr)?)))
            .collect();
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let groups = aggregate.group_expr();
        if !groups.is_single() || groups.expr().is_empty() || plan.fetch().is_some() {
            return Places::new();
        }
        let keys = groups.expr().iter().enumerate();
        return keys
            .filter_map(|(place, (key, _))| Some((place, column(key)?)))
            .collect();
    }
    match plan.downcast_ref::<HashJoinExec>() {
        Some(join) if plan.fetch().is_none() => joined_places(join, child),
        _ => Places::new(),
    }
}

fn joined_places(join: &HashJoinExec, child: usize) -> Places {
    let kind = *join.join_type();
    let is_left = child == 0;
    let is_kept = match kind {
        JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => true,
        JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => is_left,
        JoinType::Right | JoinType::RightAnti | JoinType::RightMark => !is_left,
        JoinType::Full => false,
    };
    if !is_kept {
        return Places::new();
    }
    let (left, right) = (join.left().schema(), join.right().schema());
    let (_, columns) = build_join_schema(&left, &right, &kind);
    let own = if is_left {
        JoinSide::Left
    } else {
        JoinSide::Right
    };
    // Join keys are equal, so the key of the other side can be used as well.
    let may_change_sides = matches!(
        kind,
        JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi
    );
    let partner = |index: usize, side: JoinSide| {
        let mut keys = join
            .on()
            .iter()
            .map(|(left, right)| (column(left), column(right)));
        keys.find_map(|(left, right)| match side {
            JoinSide::Left if left == Some(index) => right,
            JoinSide::Right if right == Some(index) => left,
            _ => None,
        })
    };
    let place = |column: usize| {
        let from = columns.get(column)?;
        match from.side {
            side if side == own => Some(from.index),
            JoinSide::None => None,
            side if may_change_sides => partner(from.index, side),
            _ => None,
        }
    };
    let made: Vec<usize> = match &join.projection {
        Some(projection) => projection.to_vec(),
        None => (0..columns.len()).collect(),
    };
    made.into_iter()
        .enumerate()
        .filter_map(|(out, column)| Some((out, place(column)?)))
        .collect()
}

fn column(expr: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    expr.downcast_ref::<Column>().map(Column::index)
}
