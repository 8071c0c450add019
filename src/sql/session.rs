//! What all statements of an engine share: DataFusion's configuration, functions and memory pool, and the limits.
//!
//! The session holds no tables: each statement brings its own snapshot (see [`crate::sql::planner`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::TableProvider;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;
use parking_lot::RwLock;
use url::Url;

use super::functions::bound_functions;
use super::parse::TextLimits;
use crate::error::DfOlapError;

/// What a statement may use, and what it may reach.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub text: TextLimits,
    /// The most nodes of a logical plan, each counted as often as it is used.
    pub plan_nodes: u64,
    /// The longest a statement may take, from the call to its last row.
    pub timeout: Option<Duration>,
    /// `SET` and `RESET`.
    pub settings: bool,
    /// `FROM 'path'` and CREATE EXTERNAL TABLE.
    pub reads: bool,
    /// COPY TO.
    pub writes: bool,
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
        }
    }
}

/// Tables that are in no snapshot, by name.
pub(crate) type Externals = HashMap<String, Arc<dyn TableProvider>>;

/// An object-store registry that starts empty: DataFusion's own always knows `file://`.
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
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub state: Arc<SessionState>,
    pub limits: Arc<Limits>,
    pub externals: Arc<Externals>,
}

impl Session {
    pub fn new(config: SessionConfig, runtime: Arc<RuntimeEnv>, limits: Limits) -> Self {
        let mut config = config.with_information_schema(true);
        // TIMESTAMP WITH TIME ZONE is an instant, shown in UTC.
        config.options_mut().execution.time_zone = Some("+00:00".to_string());
        let mut builder = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features();
        bound_functions(&mut builder);
        let state = builder.build();
        Self {
            state: Arc::new(state),
            limits: Arc::new(limits),
            externals: Arc::default(),
        }
    }

    /// A state for one statement: the same, with the clock of `now()` set.
    pub fn begin(&self) -> SessionState {
        let mut state = self.state.as_ref().clone();
        state.mark_start_execution();
        state
    }
}
