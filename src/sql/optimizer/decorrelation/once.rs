//! Materializes a subplan that is read twice and is not deterministic, so that both readers get the same rows.
//!
//! The domain of a subquery is read from the outer query, which is read a second time by the join with the subquery.
//! Most queries have the same rows each time ([`repeats`]). The rows of the others (with `random()`, or a LIMIT
//! without a full order) are materialized by the first reader and kept for the second.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::catalog::default_table_source::{provider_as_source, source_as_provider};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, exec_err, not_impl_err};
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::{
    Distinct, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, TableType,
};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, reset_plan_states};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::one_row::input_of_one_value;
use super::references::references;
use crate::sql::expressions::nulls::is_maybe_null;
use crate::sql::resources::buffered_rows::BufferedRows;

/// Whether a plan has the same rows each time that it is run on one snapshot.
pub(super) fn repeats(plan: &LogicalPlan) -> Result<bool> {
    const ANY_ORDER: [&str; 10] = [
        "count", "sum", "min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor",
        "grouping",
    ];
    let mut repeats = true;
    plan.apply_with_subqueries(|node| {
        if let Some(inner) = input_of_one_value(node) {
            repeats = self::repeats(inner)?;
            return Ok(match repeats {
                true => TreeNodeRecursion::Jump,
                false => TreeNodeRecursion::Stop,
            });
        }
        repeats = match node {
            LogicalPlan::Limit(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Distinct(Distinct::On(_)) => false,
            node => {
                let mut repeats = true;
                let inputs = node.inputs();
                node.apply_expressions(|expr| {
                    expr.apply(|part| {
                        repeats &= match part {
                            // A sum of floats depends on the order of its rows.
                            Expr::AggregateFunction(call) => {
                                ANY_ORDER.contains(&call.func.name())
                                    && !(call.func.name() == "sum"
                                        && is_floating(&call.params.args, &inputs))
                            }
                            part => !part.is_volatile_node() || is_maybe_null(part),
                        };
                        Ok(stop_unless(repeats))
                    })
                })?;
                repeats
            }
        };
        Ok(stop_unless(repeats))
    })?;
    Ok(repeats)
}

fn stop_unless(goes_on: bool) -> TreeNodeRecursion {
    match goes_on {
        true => TreeNodeRecursion::Continue,
        false => TreeNodeRecursion::Stop,
    }
}

fn is_floating(args: &[Expr], inputs: &[&LogicalPlan]) -> bool {
    let types = args.iter().map(|arg| {
        let schema = inputs.first().map(|input| input.schema());
        schema.and_then(|schema| arg.get_type(schema.as_ref()).ok())
    });
    let mut types = types;
    types.any(|data_type| data_type.is_none_or(|data_type| DataType::is_floating(&data_type)))
}

/// Builds plans whose rows are computed only once.
pub(super) struct Once<'a> {
    pub optimize: &'a dyn Fn(LogicalPlan) -> Result<LogicalPlan>,
}

impl Once<'_> {
    /// A plan of the same rows, computed at the first read. All copies of the returned plan share the rows.
    pub fn of(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if !references(&plan)?.is_empty() {
            return not_impl_err!(
                "a subquery within a subquery that asks its rows, which are not the same each time they are made, and a query \
                 around both; write them to a table first"
            );
        }
        if is_in_recursion(&plan)? {
            return not_impl_err!(
                "a subquery of this kind over rows of a recursive query that are not the same each time they are made"
            );
        }
        let schema = Arc::clone(plan.schema());
        let name = |place: usize| format!("c{place}");
        let numbered = schema.columns().into_iter().enumerate();
        let numbered = numbered.map(|(place, column)| Expr::Column(column).alias(name(place)));
        let plan = LogicalPlanBuilder::from(plan)
            .project(numbered.collect::<Vec<_>>())?
            .build()?;
        // Column types are final only after type coercion, which `optimize` includes.
        let plan = (self.optimize)(plan)?;
        let table = OnceTable {
            schema: Arc::clone(plan.schema().inner()),
            plan,
            physical: OnceCell::new(),
            rows: Arc::default(),
        };
        let fields = schema.iter().enumerate();
        let named = fields.map(|(place, (qualifier, field))| {
            let column = datafusion::common::Column::from_name(name(place));
            Expr::Column(column).alias_qualified(qualifier.cloned(), field.name())
        });
        LogicalPlanBuilder::scan("once", provider_as_source(Arc::new(table)), None)?
            .project(named.collect::<Vec<_>>())?
            .build()
    }
}

/// Whether a plan reads the rows of a recursive query around it.
fn is_in_recursion(plan: &LogicalPlan) -> Result<bool> {
    let (mut own, mut read) = (Vec::new(), Vec::new());
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::RecursiveQuery(query) => own.push(query.name.clone()),
            LogicalPlan::TableScan(scan) => {
                let provider = source_as_provider(&scan.source);
                if provider.is_ok_and(|provider| provider.downcast_ref::<CteWorkTable>().is_some())
                {
                    read.push(scan.table_name.table().to_string());
                }
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(read.iter().any(|name| !own.contains(name)))
}

type Rows = Arc<OnceCell<BufferedRows>>;

#[derive(Debug)]
struct OnceTable {
    schema: SchemaRef,
    /// Optimized.
    plan: LogicalPlan,
    /// The physical plan, shared by all readers of the rows.
    physical: OnceCell<Arc<dyn ExecutionPlan>>,
    rows: Rows,
}

#[async_trait]
impl TableProvider for OnceTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(state) = state.as_any().downcast_ref::<SessionState>() else {
            return exec_err!("rows that are made once need a session of the engine");
        };
        let plan = || async {
            let planner = state.query_planner();
            let input = planner.create_physical_plan(&self.plan, state).await?;
            let input: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(input));
            Ok::<_, datafusion::error::DataFusionError>(input)
        };
        let input = Arc::clone(self.physical.get_or_try_init(plan).await?);
        let projection = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        OnceExec::try_new(input, Arc::clone(&self.rows), projection).map(|plan| Arc::new(plan) as _)
    }
}

#[derive(Debug)]
struct OnceExec {
    input: Arc<dyn ExecutionPlan>,
    rows: Rows,
    projection: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl OnceExec {
    fn try_new(input: Arc<dyn ExecutionPlan>, rows: Rows, projection: Vec<usize>) -> Result<Self> {
        let schema = Arc::new(input.schema().project(&projection)?);
        Ok(Self {
            properties: Arc::new(PlanProperties::new(
                EquivalenceProperties::new(schema),
                Partitioning::UnknownPartitioning(1),
                EmissionType::Final,
                Boundedness::Bounded,
            )),
            input,
            rows,
            projection,
        })
    }
}

impl DisplayAs for OnceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OnceExec: projection={:?}", self.projection)
    }
}

impl ExecutionPlan for OnceExec {
    fn name(&self) -> &str {
        "OnceExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    /// Hides the input from the optimizer: the input is already optimized and must not be optimized twice.
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (input, rows) = (Arc::clone(&self.input), Arc::clone(&self.rows));
        let projection = self.projection.clone();
        let made = async move {
            let make = || async {
                let mut gathered = BufferedRows::new(context.runtime_env().as_ref());
                // An earlier reader may have been cancelled while it computed the rows.
                let input = reset_plan_states(Arc::clone(&input))?;
                let mut batches = input.execute(0, Arc::clone(&context))?;
                while let Some(batch) = batches.try_next().await? {
                    gathered.push(batch)?;
                }
                Ok::<_, datafusion::error::DataFusionError>(gathered)
            };
            let gathered = rows.get_or_try_init(make).await?;
            let batches = gathered.batches.iter();
            let batches: Vec<_> = batches
                .map(|batch| Ok(batch.project(&projection)?))
                .collect();
            Ok::<_, datafusion::error::DataFusionError>(stream::iter(batches))
        };
        let schema = Arc::clone(self.properties.eq_properties.schema());
        let rows = stream::once(made).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            schema,
            rows.boxed(),
        )))
    }
}
