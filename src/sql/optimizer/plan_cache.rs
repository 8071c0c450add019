//! A cache of optimized plans.
//!
//! Over small tables planning a query takes as long as running it, and programs repeat the same few queries. An
//! optimized plan depends only on the input plan, its schemas and the session, so it is right for any rows. The cache
//! keeps an optimized plan without its tables, and binds it to the tables of the next statement's snapshot. The join
//! order was chosen for certain table sizes, so a plan is optimized again once a table has grown or shrunk much. Not
//! cached are plans with a function that is not immutable (a clock, a random number), plans that read anything but
//! tables of a snapshot (such as a file), and plans that read two past versions by `table_at`.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::builder::LogicalTableSource;
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource, Volatility};
use lru::LruCache;
use parking_lot::Mutex;

use crate::sql::scan::provider::SnapshotTable;

/// The capacity of the cache, in plans.
const CACHED_PLANS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);
/// How many hashes of plans are remembered; a plan is cached only when it is seen again.
const SEEN_HASHES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
/// The largest number of expressions in a cached plan.
const MAX_EXPRESSIONS: usize = 1000;
/// The largest size of a literal in a cached plan, in bytes.
const MAX_LITERAL_BYTES: usize = 4096;

/// A cached plan is reused while no table has grown or shrunk by this factor.
const MAX_SIZE_RATIO: u64 = 4;

#[derive(Debug, Clone)]
struct Kept {
    plan: LogicalPlan,
    /// The rows of each table when the plan was made.
    rows: HashMap<TableReference, u64>,
}

/// The plan cache of one session; another session has other functions and options.
#[derive(Debug)]
pub(crate) struct Plans {
    kept: Mutex<LruCache<LogicalPlan, Kept>>,
    seen: Mutex<LruCache<u64, ()>>,
    hashes: RandomState,
}

impl Default for Plans {
    fn default() -> Self {
        Self {
            kept: Mutex::new(LruCache::new(CACHED_PLANS)),
            seen: Mutex::new(LruCache::new(SEEN_HASHES)),
            hashes: RandomState::new(),
        }
    }
}

impl Plans {
    /// The result of `optimize` for a plan, from the cache where possible.
    pub fn optimized(
        &self,
        plan: LogicalPlan,
        optimize: impl FnOnce(LogicalPlan) -> Result<LogicalPlan>,
    ) -> Result<LogicalPlan> {
        let Some(tables) = tables_of(&plan)? else {
            return optimize(plan);
        };
        let rows = rows_of(&tables);
        let known = self.kept.lock().get(&plan).cloned();
        if let Some(known) = known.filter(|known| are_similar(&known.rows, &rows)) {
            return with_sources(known.plan, |name, unbound| {
                tables.get(name).unwrap_or(unbound).clone()
            });
        }
        let comes_again = self
            .seen
            .lock()
            .put(self.hashes.hash_one(&plan), ())
            .is_some();
        let key = comes_again.then(|| plan.clone());
        let made = optimize(plan)?;
        // The optimizer may have materialized a subquery as a table of its own, which cannot be cached.
        if let Some(key) = key
            && reads_tables_alone(&made)?
        {
            let (key, plan) = (without_tables(key)?, without_tables(made.clone())?);
            self.kept.lock().put(key, Kept { plan, rows });
        }
        Ok(made)
    }
}

type Sources = HashMap<TableReference, Arc<dyn TableSource>>;

fn rows_of(tables: &Sources) -> HashMap<TableReference, u64> {
    let tables = tables.iter();
    tables
        .map(|(name, source)| {
            let rows = with_table(source, SnapshotTable::rows);
            (name.clone(), rows.unwrap_or_default())
        })
        .collect()
}

fn with_table<T>(
    source: &Arc<dyn TableSource>,
    look: impl FnOnce(&SnapshotTable) -> T,
) -> Option<T> {
    let provider = source_as_provider(source).ok()?;
    provider.downcast_ref::<SnapshotTable>().map(look)
}

fn is_same_table(one: &Arc<dyn TableSource>, other: &Arc<dyn TableSource>) -> bool {
    let same = with_table(one, |one| with_table(other, |other| one.is_same_as(other)));
    same.flatten() == Some(true)
}

/// Whether each table has about as many rows as when the plan was made.
fn are_similar(then: &HashMap<TableReference, u64>, now: &HashMap<TableReference, u64>) -> bool {
    // Some rows more or less make no difference in a small table.
    let weight = |rows: Option<&u64>| rows.copied().unwrap_or_default().saturating_add(1000);
    now.iter().all(|(name, now)| {
        let (then, now) = (weight(then.get(name)), weight(Some(now)));
        then.max(now) / then.min(now) < MAX_SIZE_RATIO
    })
}

/// The tables that a plan reads; `None` where its optimized plan must not be cached.
fn tables_of(plan: &LogicalPlan) -> Result<Option<Sources>> {
    let (mut tables, mut expressions) = (Sources::new(), 0);
    let mut may_keep = true;
    plan.apply_with_subqueries(|node| {
        may_keep &= match node {
            LogicalPlan::TableScan(scan) => {
                let before = tables.insert(scan.table_name.clone(), Arc::clone(&scan.source));
                // All past versions are scanned under one name, that of the function `table_at`.
                let is_one = before.is_none_or(|before| is_same_table(&before, &scan.source));
                is_one && with_table(&scan.source, |_| ()).is_some()
            }
            LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Extension(_) => false,
            _ => true,
        };
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                expressions += 1;
                may_keep &= expressions <= MAX_EXPRESSIONS && is_fixed(part);
                Ok(go_on(may_keep))
            })
        })?;
        Ok(go_on(may_keep))
    })?;
    Ok(may_keep.then_some(tables))
}

fn reads_tables_alone(plan: &LogicalPlan) -> Result<bool> {
    let mut are_tables = true;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            are_tables = with_table(&scan.source, |_| ()).is_some();
        }
        Ok(go_on(are_tables))
    })?;
    Ok(are_tables)
}

fn go_on(is_wanted: bool) -> TreeNodeRecursion {
    if is_wanted {
        TreeNodeRecursion::Continue
    } else {
        TreeNodeRecursion::Stop
    }
}

/// Whether a part of an expression always has the same value and is small enough to keep.
fn is_fixed(part: &Expr) -> bool {
    match part {
        Expr::ScalarFunction(call) => call.func.signature().volatility == Volatility::Immutable,
        Expr::HigherOrderFunction(_) | Expr::ScalarVariable(..) => false,
        Expr::Literal(value, _) => value.size() <= MAX_LITERAL_BYTES,
        _ => true,
    }
}

/// A plan without its tables, so that the cache keeps no file and no memory alive.
fn without_tables(plan: LogicalPlan) -> Result<LogicalPlan> {
    with_sources(plan, |_, source| {
        Arc::new(LogicalTableSource::new(source.schema()))
    })
}

fn with_sources(
    plan: LogicalPlan,
    source: impl Fn(&TableReference, &Arc<dyn TableSource>) -> Arc<dyn TableSource>,
) -> Result<LogicalPlan> {
    let bound = plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else {
            return Ok(Transformed::no(node));
        };
        scan.source = source(&scan.table_name, &scan.source);
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    });
    Ok(bound?.data)
}
