//! [`Run`]: executes one statement on one snapshot, from the logical plan to a stream of batches.

pub(crate) mod session;
pub(crate) mod stream;

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use chrono::{DateTime, Utc};
use datafusion::common::{DFSchema, DataFusionError, ParamValues, ScalarValue};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::ast;
use futures::{StreamExt, TryStreamExt};

use self::session::{Clocked, Limits, Session, with_clock};
use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::runtime::{self, with_deep_stack};
use crate::snapshot::Snapshot;
use crate::sql::expressions::bounded_functions::bound_constants;
use crate::sql::expressions::chunked::in_pieces;
use crate::sql::expressions::frame_bounds::{bound_frames, bound_positions};
use crate::sql::expressions::nonempty_nulls::clear_behind_nulls;
use crate::sql::expressions::nulls;
use crate::sql::expressions::opaque::hide;
use crate::sql::expressions::overflow::{check_constants, check_plan};
use crate::sql::expressions::rounding::fix_digits;
use crate::sql::expressions::slices::copy_before_casts;
use crate::sql::expressions::window_frames::over_any_frame;
use crate::sql::optimizer::decorrelation::unnest;
use crate::sql::optimizer::functional_dependencies::rename_false_keys;
use crate::sql::planner::duplicate_columns::restored_names;
use crate::sql::planner::guard;
use crate::sql::planner::{Planner, StatementContext, normalize};
use crate::sql::resources::interrupt::{Stop, interruptible};
use crate::store::Store;

/// The session, context, timeout and cancellation of one running statement.
#[derive(Clone)]
pub(crate) struct Run {
    session: Session,
    pub context: Arc<StatementContext>,
    stop: Arc<Stop>,
    /// Whether the rows of a plain INSERT replace those with the same key.
    pub replaces: bool,
}

/// The effect of a writing statement.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    pub change: ChangeSet,
    /// Rows inserted, updated and deleted.
    pub rows: u64,
    /// The rows of RETURNING.
    pub returning: Option<Vec<RecordBatch>>,
}

impl Effect {
    /// The effect of a statement that returns no rows.
    pub fn of(actions: Vec<Action>, rows: u64) -> Self {
        Self {
            change: ChangeSet { actions },
            rows,
            returning: None,
        }
    }
}

impl Run {
    pub fn new(
        session: &Session,
        snapshot: Arc<Snapshot>,
        store: Arc<dyn Store>,
        params: Option<ParamValues>,
        now: DateTime<Utc>,
        stop: Arc<Stop>,
    ) -> Self {
        let state = Arc::clone(&session.state);
        let context = StatementContext {
            params,
            externals: session.externals.as_ref().clone(),
            files_looked_for: session.limits.reads,
            max_relations: session.limits.plan_nodes,
            ..StatementContext::new(state, store, snapshot, now)
        };
        Self {
            session: session.clone(),
            context: Arc::new(context),
            stop,
            replaces: false,
        }
    }

    pub fn replacing(self, replaces: bool) -> Self {
        Self { replaces, ..self }
    }

    pub fn limits(&self) -> &Limits {
        &self.session.limits
    }

    pub fn state(&self) -> &Arc<SessionState> {
        &self.session.state
    }

    /// Fails if the statement has timed out or is cancelled.
    pub fn check_stop(&self) -> Result<(), DfOlapError> {
        self.stop.check()
    }

    pub fn runtime(&self) -> &RuntimeEnv {
        self.state().runtime_env()
    }

    /// An identifier as the planner reads it.
    pub fn normalize(&self, ident: &ast::Ident) -> String {
        normalize(self.state().config_options(), ident)
    }

    pub fn planner(&self) -> Planner {
        let mut planner = Planner::new(Arc::clone(&self.context));
        planner.times_as_numbers = self.replaces;
        planner
    }

    /// The value of an expression that names no column.
    pub fn constant(&self, expr: &ast::Expr) -> Result<ScalarValue, DfOlapError> {
        let planner = self.planner();
        let schema = DFSchema::empty();
        let planned = planner.expr(expr.clone(), &schema, &planner.planner_context())?;
        planner.constant(planned)
    }

    fn check(&self, plan: &LogicalPlan) -> Result<(), DfOlapError> {
        guard::check(plan, self.limits().plan_nodes, self.limits().writes)
    }

    /// Checks a plan against the guard, then optimizes and starts the plan.
    pub async fn stream(
        &self,
        plan: LogicalPlan,
    ) -> Result<SendableRecordBatchStream, DfOlapError> {
        self.stream_by(plan, Self::optimize).await
    }

    /// Like [`Self::stream`], for a query: repeated queries take their optimized plan from the plan cache.
    pub async fn stream_query(
        &self,
        plan: LogicalPlan,
    ) -> Result<SendableRecordBatchStream, DfOlapError> {
        let optimize = |run: &Self, plan| {
            let plans = &run.session.plans;
            plans.optimized(plan, |plan| run.optimize(plan))
        };
        self.stream_by(plan, optimize).await
    }

    async fn stream_by(
        &self,
        plan: LogicalPlan,
        optimize: fn(&Self, LogicalPlan) -> Result<LogicalPlan, DataFusionError>,
    ) -> Result<SendableRecordBatchStream, DfOlapError> {
        let run = self.clone();
        runtime::on_worker(async move {
            run.check(&plan)?;
            let plan = with_deep_stack(|| optimize(&run, plan))?;
            run.start(plan).await
        })
        .await
    }

    /// Runs a plan whose only output is the number of rows that it wrote.
    pub async fn counted(&self, plan: LogicalPlan) -> Result<u64, DfOlapError> {
        let rows: Vec<_> = self.stream(plan).await?.try_collect().await?;
        let counts = rows.iter().filter(|batch| batch.num_columns() > 0);
        let counts = counts.flat_map(|batch| {
            let counts = batch.column(0).as_primitive_opt::<UInt64Type>();
            counts.into_iter().flatten().flatten()
        });
        Ok(counts.sum())
    }

    async fn start(&self, plan: LogicalPlan) -> Result<SendableRecordBatchStream, DfOlapError> {
        let planner = self.state().query_planner();
        let plan = self.with_stop_checks(plan)?;
        let plan = planner
            .create_physical_plan(&plan, self.state().as_ref())
            .await?;
        let rows = execute_stream(
            interruptible(plan, &self.stop)?,
            Arc::clone(&self.session.task),
        )?;
        let store = Arc::clone(&self.context.store);
        let named = restored_names(&rows.schema());
        let schema = named.clone().unwrap_or_else(|| rows.schema());
        // Holds the snapshots of earlier versions, so that their files stay while the stream reads them.
        let held: Vec<_> = self
            .context
            .past
            .iter()
            .map(|past| Arc::clone(&past.snapshot))
            .collect();
        let rows = rows.map(move |rows| {
            let _held = &held;
            let rows = rows.map_err(|error| store.original_error(error.into()).into());
            match &named {
                Some(schema) => {
                    let rows = rows?;
                    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
                    let columns = rows.columns().to_vec();
                    let schema = Arc::clone(schema);
                    Ok(RecordBatch::try_new_with_options(
                        schema, columns, &options,
                    )?)
                }
                None => rows,
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn optimize(&self, plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
        let plan = nulls::preserve_nulls(bound_positions(fix_digits(plan)?)?)?;
        let plan = unnest(plan, &|plan| self.with_stop_checks(self.optimize(plan)?))?;
        let plan = self.rewritten(rename_false_keys(plan)?)?;
        let plan = bound_constants(check_plan(plan)?)?;
        hide(clear_behind_nulls(copy_before_casts(plan)?)?)
    }

    /// Adds checks for timeout and cancellation to the expensive functions and window frames of an optimized plan.
    fn with_stop_checks(&self, plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
        let plan = over_any_frame(bound_frames(plan)?, &self.stop)?;
        in_pieces(plan, &self.stop)
    }

    /// Runs DataFusion's analyzer and optimizer.
    fn rewritten(&self, plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
        let state = self.state();
        if matches!(plan, LogicalPlan::Explain(_)) {
            return with_clock(state, self.context.now).optimize(&plan);
        }
        let options = state.config_options();
        let plan = state
            .analyzer()
            .execute_and_check(plan, options, |_, _| {})?;
        let plan = check_constants(plan)?;
        let config = Clocked::new(state, self.context.now);
        state.optimizer().optimize(plan, &config, |_, _| {})
    }
}
