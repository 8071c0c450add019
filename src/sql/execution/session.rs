//! [`Session`]: the state that all statements of an engine share: DataFusion's configuration, functions, optimizer
//! rules and memory pool, and the limits.
//!
//! The session holds no tables: each statement brings its own snapshot (see [`crate::sql::planner`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::common::alias::AliasGenerator;
use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::optimizer::{Optimizer, OptimizerConfig};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;
use parking_lot::RwLock;
use url::Url;

use crate::error::DfOlapError;
use crate::sql::expressions::bounded_functions::bound_functions;
use crate::sql::expressions::sums::check_sums;
use crate::sql::expressions::time_zone::keep_utc;
use crate::sql::optimizer::count_from_metadata::Counts;
use crate::sql::optimizer::filter_projections::Narrow;
use crate::sql::optimizer::filter_pushdown::{RuntimeFilters, ScanConditions};
use crate::sql::optimizer::global_aggregates::keep_conditions_above;
use crate::sql::optimizer::join_order::JoinOrder;
use crate::sql::optimizer::null_equal_keys::keep_null_keys_apart;
use crate::sql::optimizer::plan_cache::Plans;
use crate::sql::optimizer::struct_fields::leave_where_names_meet;
use crate::sql::optimizer::union_order::SortedInputs;
use crate::sql::planner::Externals;
use crate::sql::syntax::parse::TextLimits;

/// Limits and permissions of statements.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub text: TextLimits,
    /// The most nodes of a logical plan, each counted as often as it is used.
    pub plan_nodes: u64,
    /// The longest a statement may take, from the call to its last row.
    pub timeout: Option<Duration>,
    /// Whether `SET` and `RESET` are allowed.
    pub settings: bool,
    /// Whether `FROM 'path'` and CREATE EXTERNAL TABLE are allowed.
    pub reads: bool,
    /// Whether COPY TO and INSERT INTO an external table are allowed.
    pub writes: bool,
    /// Whether the PRIMARY KEY of a new table is enforced, if nothing else is said of it.
    pub enforced_keys: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text: TextLimits::default(),
            plan_nodes: 10_000,
            timeout: None,
            settings: false,
            reads: false,
            writes: false,
            enforced_keys: false,
        }
    }
}

/// An object-store registry that starts empty: DataFusion's default registry always has `file://`.
#[derive(Debug, Default)]
pub(crate) struct ClosedRegistry {
    stores: RwLock<HashMap<String, Arc<dyn ObjectStore>>>,
}

impl ClosedRegistry {
    fn key(url: &Url) -> String {
        format!("{}://{}", url.scheme(), url.authority())
    }
}

impl ObjectStoreRegistry for ClosedRegistry {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.stores.write().insert(Self::key(url), store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let known = self.stores.read().get(&Self::key(url)).cloned();
        known.ok_or_else(|| {
            DfOlapError::Denied(format!(
                "no object store is registered for {}; give one to the builder",
                Self::key(url)
            ))
            .into()
        })
    }
}

/// The part of an engine's session that never changes while a statement runs.
///
/// The state has no clock, because a new state per statement would copy the names of all functions twice. Code that
/// reads the clock gets the statement's time from [`Clocked`] or [`with_clock`].
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub state: Arc<SessionState>,
    /// The task context of all plans.
    pub task: Arc<TaskContext>,
    pub limits: Arc<Limits>,
    pub externals: Arc<Externals>,
    /// The cache of optimized plans, valid for this state's functions and options.
    pub plans: Arc<Plans>,
}

impl Session {
    pub fn new(config: SessionConfig, runtime: Arc<RuntimeEnv>, limits: Limits) -> Self {
        let mut config = config.with_information_schema(true);
        // A hash join on dense integer keys can look up rows by array index (DataFusion's perfect hash join), which is
        // faster than hashing. DataFusion requires a key density of 0.15 by default. At a density of 0.02 the array
        // takes as much memory as a hash table of short rows. A key range below 2^20 needs no density: its array takes
        // only 4 MiB.
        config
            .options_mut()
            .execution
            .perfect_hash_join_min_key_density = 0.02;
        config
            .options_mut()
            .execution
            .perfect_hash_join_small_build_threshold = 1 << 20;
        let mut builder = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features();
        bound_functions(&mut builder);
        check_sums(&mut builder);
        add_rules(&mut builder);
        let mut state = builder.build();
        keep_utc(&mut state);
        let (state, task) = parts(state);
        Self {
            state,
            task,
            limits: Arc::new(limits),
            externals: Arc::default(),
            plans: Arc::default(),
        }
    }

    /// Uses `state` for all statements that start from now on, and empties the plan cache.
    pub fn set_state(&mut self, state: SessionState) {
        (self.state, self.task) = parts(state);
        self.plans = Arc::default();
    }
}

type PhysicalRule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// Adds the engine's optimizer rules to DataFusion's, and replaces some of DataFusion's.
fn add_rules(builder: &mut SessionStateBuilder) {
    // Join ordering runs after filter pushdown and before column pruning.
    let mut optimizer = Optimizer::new();
    let last = optimizer.rules.len().saturating_sub(1);
    optimizer.rules.insert(last, Arc::new(JoinOrder));
    keep_null_keys_apart(&mut optimizer);
    keep_conditions_above(&mut optimizer);
    leave_where_names_meet(&mut optimizer);
    *builder.optimizer() = Some(optimizer);
    let physical = PhysicalOptimizer::new().rules.into_iter();
    let physical = physical.flat_map(|rule| -> Vec<PhysicalRule> {
        match rule.name() {
            "aggregate_statistics" => vec![Arc::new(Counts)],
            "ProjectionPushdown" => vec![Arc::new(Narrow(rule))],
            "FilterPushdown" => vec![Arc::new(ScanConditions)],
            "FilterPushdown(Post)" => vec![Arc::new(SortedInputs), Arc::new(RuntimeFilters)],
            _ => vec![rule],
        }
    });
    let physical = PhysicalOptimizer::with_rules(physical.collect());
    *builder.physical_optimizers() = Some(physical);
}

/// A state whose functions see its options, and the task context that runs its plans.
fn parts(mut state: SessionState) -> (Arc<SessionState>, Arc<TaskContext>) {
    let options = Arc::clone(state.config_options());
    state.execution_props_mut().config_options = Some(options);
    let task = TaskContext::from(&state);
    (Arc::new(state), Arc::new(task))
}

/// A session's state with the start time of one statement, for DataFusion's optimizer.
pub(crate) struct Clocked<'a> {
    state: &'a SessionState,
    now: DateTime<Utc>,
    aliases: Arc<AliasGenerator>,
}

impl<'a> Clocked<'a> {
    pub fn new(state: &'a SessionState, now: DateTime<Utc>) -> Self {
        Self {
            state,
            now,
            aliases: Arc::new(AliasGenerator::new()),
        }
    }
}

impl OptimizerConfig for Clocked<'_> {
    fn query_execution_start_time(&self) -> Option<DateTime<Utc>> {
        Some(self.now)
    }

    fn alias_generator(&self) -> &Arc<AliasGenerator> {
        &self.aliases
    }

    fn options(&self) -> Arc<ConfigOptions> {
        Arc::clone(self.state.config_options())
    }

    fn function_registry(&self) -> Option<&dyn FunctionRegistry> {
        Some(self.state)
    }
}

/// A copy of `state` whose `now()` is `now`, for code that needs a whole [`SessionState`].
pub(crate) fn with_clock(state: &SessionState, now: DateTime<Utc>) -> SessionState {
    let mut state = state.clone();
    state.mark_start_execution();
    state.execution_props_mut().query_execution_start_time = Some(now);
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_rules_stand_in_the_place_of_datafusions() {
        let mut builder = SessionStateBuilder::new().with_default_features();
        add_rules(&mut builder);
        let state = builder.build();
        let physical = state.physical_optimizers().iter();
        let physical: Vec<_> = physical.map(|rule| rule.name()).collect();
        assert!(
            !physical.iter().any(|name| name.contains("FilterPushdown")),
            "{physical:?}"
        );
        assert!(physical.contains(&"scan_conditions") && physical.contains(&"runtime_filters"));
        let logical: Vec<_> = state.optimizers().iter().map(|rule| rule.name()).collect();
        assert_eq!(
            logical[logical.len() - 3..],
            ["join_order", "optimize_projections", "null_keys"]
        );
        assert_eq!(logical[0], "null_keys_as_conditions");
        assert!(!logical.contains(&"extract_equijoin_predicate"));
    }
}
