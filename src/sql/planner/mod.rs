//! [`Planner`]: plans one statement against one snapshot.
//!
//! [`Planner`] implements the [`ContextProvider`] of DataFusion's SQL planner. Two names, which plain SQL cannot
//! spell, are reserved: the catalog [`TARGET`] holds the snapshot's tables with their row addresses, and the table
//! [`ROWS`] the rows that a statement wrote or deleted, for RETURNING.

pub(crate) mod any_case;
pub(crate) mod catalog;
mod context;
pub(crate) mod duplicate_columns;
mod error_hints;
pub(crate) mod guard;
mod history_at;
pub(crate) mod literals;
pub(crate) mod names;
mod order_by_ordinal;
mod own_columns;
mod views;

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{Field, FieldRef, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::{DFSchema, DataFusionError, ParamValues, Result, ScalarValue, plan_err};
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::parser::{CopyToSource, Statement as DFStatement};
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast::{self, VisitMut};
use parking_lot::Mutex;

pub(crate) use self::context::{Externals, PastTable, StatementContext};
use self::duplicate_columns::{
    has_list, is_about_names, name_keys, plan_with_unique_names, with_names_within,
};
use self::error_hints::about_keys;
use self::literals::{KeepDigits, meet_decimals, meet_decimals_in};
use self::order_by_ordinal::name_places;
use crate::error::DfOlapError;
use crate::runtime::with_deep_stack;
use crate::snapshot::{Relation, RelationId, Table};
use crate::sql::expressions::overflow::check_expr;
use crate::sql::scan::ROW_ADDRESS;
use crate::sql::scan::provider::SnapshotTable;
use crate::sql::syntax::order_by_all::number_planned;
use crate::sql::syntax::sql_text::view_query;

/// The catalog whose tables have a row address column. The control character keeps the name out of plain SQL.
pub(crate) const TARGET: &str = "\u{1}target";
/// The table of the rows that a statement wrote or deleted, for RETURNING.
pub(crate) const ROWS: &str = "\u{1}rows";

/// The table function that reads an earlier version of a table.
pub(crate) const TABLE_AT: &str = "table_at";

/// Plans the parts of one statement.
pub(crate) struct Planner {
    pub context: Arc<StatementContext>,
    param_types: Vec<Option<FieldRef>>,
    params: Option<ParamValues>,
    pub rows: Option<Arc<dyn TableProvider>>,
    /// Whether times are compared with numbers of their units, as they are stored by an INSERT of numbers.
    pub times_as_numbers: bool,
    /// What plans expressions then.
    pub(super) expr_planners: OnceLock<Vec<Arc<dyn ExprPlanner>>>,
    pub(super) view_depth: AtomicUsize,
    /// The plans of the views that the statement reads, and why others have none.
    pub(super) views:
        Mutex<HashMap<RelationId, std::result::Result<LogicalPlan, Arc<DataFusionError>>>>,
}

impl Planner {
    pub fn new(context: Arc<StatementContext>) -> Self {
        let (param_types, params) = in_order(context.params.as_ref());
        Self {
            context,
            param_types,
            params,
            rows: None,
            times_as_numbers: false,
            expr_planners: OnceLock::new(),
            view_depth: AtomicUsize::new(0),
            views: Mutex::default(),
        }
    }

    /// The table that a call of [`TABLE_AT`] with these arguments reads.
    pub fn past(&self, arguments: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let values: Vec<_> = arguments.iter().filter_map(Expr::as_literal).collect();
        let asked = |past: &&PastTable| past.arguments.iter().eq(values.iter().copied());
        let Some(past) = self.context.past.iter().find(asked) else {
            return plan_err!(
                "an earlier version can be read in a statement, not in a view or a DataFrame"
            );
        };
        let (table, store) = (Arc::clone(&past.table), Arc::clone(&self.context.store));
        Ok(Arc::new(SnapshotTable::new(table, store)))
    }

    /// Gives the parameters types but no values.
    pub fn with_param_types(mut self, types: &[FieldRef]) -> Self {
        self.param_types = types.iter().cloned().map(Some).collect();
        self
    }

    /// Makes `batches` the table [`ROWS`].
    pub fn with_rows(mut self, schema: &SchemaRef, batches: Vec<RecordBatch>) -> Result<Self> {
        let rows = MemTable::try_new(Arc::clone(schema), vec![batches])?;
        self.rows = Some(Arc::new(rows));
        Ok(self)
    }

    pub fn table(&self, name: &ast::ObjectName) -> Result<(String, Arc<Table>)> {
        let name = self.table_name(name)?;
        match self.context.snapshot.relation(&name) {
            Some(Relation::Table(table)) => Ok((name, table)),
            Some(Relation::View(_)) => Err(DfOlapError::Invalid(format!(
                "{name} is a view; it can be read but not written"
            ))
            .into()),
            None if self.context.externals.contains_key(&name) => Err(DfOlapError::Unsupported(format!(
                "{name} is an external table: it can be read, and INSERT INTO it in a statement of its own adds rows"
            ))
            .into()),
            None => Err(DfOlapError::TableNotFound(name).into()),
        }
    }

    /// The bare name of a table. A qualified name must have the engine's own catalog and schema.
    pub fn table_name(&self, name: &ast::ObjectName) -> Result<String> {
        let parts = name
            .0
            .iter()
            .map(|part| match part.as_ident() {
                Some(ident) => Ok(self.normalize(ident)),
                None => plan_err!("'{name}' is not the name of a table"),
            })
            .collect::<Result<Vec<_>>>()?;
        let catalog = &self.context.state.config_options().catalog;
        let (schema_of, table) = match parts.as_slice() {
            [table] => (None, table),
            [schema, table] => (Some((None, schema)), table),
            [catalog, schema, table] => (Some((Some(catalog), schema)), table),
            _ => return plan_err!("'{name}' is not the name of a table"),
        };
        if let Some((named_catalog, schema)) = schema_of
            && (*schema != catalog.default_schema
                || named_catalog.is_some_and(|c| *c != catalog.default_catalog))
        {
            return Err(DfOlapError::TableNotFound(name.to_string()).into());
        }
        Ok(table.clone())
    }

    pub fn normalize(&self, ident: &ast::Ident) -> String {
        normalize(self.options(), ident)
    }

    pub fn sql(&self) -> SqlToRel<'_, Self> {
        SqlToRel::new_with_options(self, ParserOptions::from(&self.options().sql_parser))
    }

    /// A field with an empty name and the Arrow type of a SQL type.
    pub fn field(&self, data_type: &ast::DataType) -> Result<FieldRef> {
        let column = ast::ColumnDef {
            name: ast::Ident::new(""),
            data_type: data_type.clone(),
            options: Vec::new(),
        };
        let schema = self.sql().build_schema(vec![column])?;
        Ok(Arc::clone(&schema.fields()[0]))
    }

    pub fn planner_context(&self) -> PlannerContext {
        PlannerContext::new().with_prepare_param_data_types(self.param_types.clone())
    }

    /// Plans a query, parameters bound.
    pub fn query(&self, query: ast::Query) -> Result<LogicalPlan> {
        self.query_in(query, &self.planner_context())
    }

    pub fn query_in(&self, mut query: ast::Query, context: &PlannerContext) -> Result<LogicalPlan> {
        self.check_relations(&query)?;
        self.rewrite_query(&mut query, context)?;
        let before = has_list(&query).then(|| query.clone());
        let planned = self.plan_unbound(query, context);
        self.bind(match (planned, before) {
            (Err(error), Some(query)) if is_about_names(&error) => {
                let plan = |query| self.plan_unbound(query, context);
                plan_with_unique_names(&query, &plan).ok_or(error)?
            }
            (Err(error), Some(query)) => {
                return Err(about_keys(error, &query, |name| {
                    let (name, table) = self.table(name).ok()?;
                    (!table.definition.primary_key.is_empty()).then_some(name)
                }));
            }
            (planned, _) => planned?,
        })
    }

    /// Keeps all digits of number literals that DataFusion would round to doubles.
    fn keep_digits(&self, of: &mut impl VisitMut) {
        if !self.options().sql_parser.parse_float_as_decimal {
            let _ = of.visit(&mut KeepDigits);
        }
    }

    /// Rewrites the parts of a query that DataFusion would refuse or misread: long numbers, GROUP BY keys with one
    /// name, ORDER BY ALL, and ORDER BY ordinals over groups.
    pub(super) fn rewrite_query(
        &self,
        query: &mut ast::Query,
        context: &PlannerContext,
    ) -> Result<()> {
        self.keep_digits(query);
        let plan = |query| self.plan_unbound(query, context);
        name_keys(query, &plan);
        number_planned(query, plan)?;
        name_places(query, &self.context.state, &plan);
        Ok(())
    }

    /// The plan of DataFusion's SQL planner for a query.
    pub(super) fn plan_unbound(
        &self,
        query: ast::Query,
        context: &PlannerContext,
    ) -> Result<LogicalPlan> {
        let sql = self.sql();
        let plan = |query| {
            let query = ast::Statement::Query(Box::new(query));
            let mut context = context.clone();
            with_deep_stack(|| sql.sql_statement_to_plan_with_context(query, &mut context))
        };
        match has_list(&query) {
            true => self.in_any_case(query, context, &plan),
            // Many VALUES are not copied for a second try.
            false => plan(query),
        }
    }

    /// Plans a statement that DataFusion's planner supports, with the engine's tables and the statement's parameters.
    pub fn statement(&self, statement: DFStatement) -> Result<LogicalPlan> {
        if let DFStatement::Statement(inner) = &statement
            && let ast::Statement::Query(query) = inner.as_ref()
        {
            return self.query(query.as_ref().clone());
        }
        let mut statement = statement;
        match &mut statement {
            DFStatement::Statement(inner) => {
                self.check_relations(inner.as_ref())?;
                match inner.as_mut() {
                    ast::Statement::CreateTable(create) => self.keep_digits(&mut create.columns),
                    ast::Statement::Insert(_) => {}
                    other => self.keep_digits(other),
                }
            }
            DFStatement::CopyTo(copy) => {
                if let CopyToSource::Query(query) = &copy.source {
                    self.check_relations(query.as_ref())?;
                }
            }
            _ => {}
        }
        if let Some(query) = query_within(&mut statement) {
            self.rewrite_query(query, &self.planner_context())?;
        }
        let sql = self.sql();
        let plan_as_is = |statement| {
            with_deep_stack(|| match statement {
                DFStatement::Statement(statement) => {
                    sql.sql_statement_to_plan_with_context(*statement, &mut self.planner_context())
                }
                other => sql.statement_to_plan(other),
            })
        };
        let plan = |mut statement: DFStatement| match query_within(&mut statement).cloned() {
            None => plan_as_is(statement),
            Some(query) => self.in_any_case(query, &self.planner_context(), &|query| {
                let mut statement = statement.clone();
                if let Some(within) = query_within(&mut statement) {
                    *within = query;
                }
                plan_as_is(statement)
            }),
        };
        let has_query = query_within(&mut statement).is_some();
        let again = has_query.then(|| statement.clone());
        let planned = match (plan(statement), again) {
            (Err(error), Some(mut again)) if is_about_names(&error) => {
                if let Some(query) = query_within(&mut again) {
                    let plan_query = |query| self.plan_unbound(query, &self.planner_context());
                    *query = with_names_within(query, &plan_query);
                }
                plan(again).map_err(|_| error)
            }
            (planned, _) => planned,
        };
        self.bind(planned?)
    }

    /// Plans an expression over the columns of `schema`, parameters bound.
    pub fn expr(
        &self,
        mut expr: ast::Expr,
        schema: &DFSchema,
        context: &PlannerContext,
    ) -> Result<Expr> {
        self.keep_digits(&mut expr);
        let sql = self.sql();
        let expr = self.in_any_case(expr, context, &|expr| {
            with_deep_stack(|| sql.sql_to_expr(expr, schema, &mut context.clone()))
        })?;
        let Some(values) = &self.params else {
            return with_deep_stack(|| meet_decimals_in(expr, schema));
        };
        use datafusion::common::tree_node::{Transformed, TreeNode};
        expr.transform_up(|expr| match &expr {
            Expr::Placeholder(placeholder) => {
                let (value, metadata) = values
                    .get_placeholders_with_values(&placeholder.id)?
                    .into_inner();
                Ok(Transformed::yes(Expr::Literal(value, metadata)))
            }
            _ => Ok(Transformed::no(expr)),
        })
        .and_then(|bound| with_deep_stack(|| meet_decimals_in(bound.data, schema)))
    }

    /// Replaces the parameters in a plan by their values; a missing value is an error that names its parameter. Then
    /// makes number literals that meet decimals exact.
    fn bind(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let plan = match &self.params {
            Some(values) => plan.replace_params_with_values(values)?,
            None => plan,
        };
        with_deep_stack(|| meet_decimals(plan))
    }

    /// The value of an expression without columns.
    pub fn constant(&self, expr: Expr) -> Result<ScalarValue, DfOlapError> {
        match self.simplify(expr)?.unalias() {
            Expr::Literal(value, _) => Ok(value),
            other => {
                // The simplifier leaves failing expressions as they are; evaluating such an expression gives the
                // better error.
                let schema = DFSchema::empty();
                let tried = self
                    .context
                    .state
                    .create_physical_expr(other.clone(), &schema);
                if let Ok(expr) = tried {
                    let options = RecordBatchOptions::new().with_row_count(Some(1));
                    let row = RecordBatch::try_new_with_options(
                        Arc::clone(schema.inner()),
                        Vec::new(),
                        &options,
                    )?;
                    expr.evaluate(&row)?;
                }
                Err(DfOlapError::Invalid(format!("{other} is not a constant")))
            }
        }
    }

    /// Folds the constants in an expression without columns.
    pub fn simplify(&self, expr: Expr) -> Result<Expr> {
        let schema = DFSchema::empty();
        let expr = check_expr(self.coerce(expr, &schema)?, &schema)?;
        self.simplifier().simplify(expr)
    }

    /// Coerces the operands in an expression over the columns of `schema` to the types that their operators take.
    pub fn coerce(&self, expr: Expr, schema: &DFSchema) -> Result<Expr> {
        self.simplifier().coerce(expr, schema)
    }

    fn simplifier(&self) -> ExprSimplifier {
        let context = SimplifyContext::builder()
            .with_config_options(Arc::clone(self.context.state.config_options()))
            .with_query_execution_start_time(Some(self.context.now))
            .build();
        ExprSimplifier::new(context)
    }

    pub(super) fn check_relations<S: ast::Visit>(&self, statement: &S) -> Result<()> {
        let view = |name: &ast::ObjectName| {
            let name = self.table_name(name).ok()?;
            match self.context.snapshot.relation(&name)? {
                Relation::View(view) => view_query(&view),
                Relation::Table(_) => None,
            }
        };
        Ok(guard::check_relations(
            statement,
            self.context.max_relations,
            &view,
        )?)
    }

    /// The `TableProvider` of a table or view of the snapshot.
    pub fn provider(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(match self.context.snapshot.relation(name) {
            Some(Relation::Table(table)) => {
                let store = Arc::clone(&self.context.store);
                Some(Arc::new(SnapshotTable::new(table, store)))
            }
            Some(Relation::View(view)) => {
                let plan = self.plan_view(&view)?;
                Some(Arc::new(ViewTable::new(plan, Some(view.query.clone()))))
            }
            None => None,
        })
    }
}

/// The parameters' types and values in the same order, because DataFusion's planner replaces `$name` by its position.
fn in_order(params: Option<&ParamValues>) -> (Vec<Option<FieldRef>>, Option<ParamValues>) {
    let field = |name: &str, value: &ScalarAndMetadata| {
        let data_type = value.value().data_type();
        Some(Arc::new(Field::new(name, data_type, true)))
    };
    match params {
        None => (Vec::new(), None),
        Some(ParamValues::List(list)) => {
            let fields = list.iter().map(|value| field("", value)).collect();
            (fields, Some(ParamValues::List(list.clone())))
        }
        Some(ParamValues::Map(map)) => {
            let mut named: Vec<_> = map.iter().collect();
            named.sort_by(|a, b| a.0.cmp(b.0));
            let fields = named
                .iter()
                .map(|(name, value)| field(name, value))
                .collect();
            let list = named.into_iter().map(|(_, value)| value.clone()).collect();
            (fields, Some(ParamValues::List(list)))
        }
    }
}

/// An identifier in lower case, unless it is quoted or the option for that is off.
pub(crate) fn normalize(options: &ConfigOptions, ident: &ast::Ident) -> String {
    if ident.quote_style.is_none() && options.sql_parser.enable_ident_normalization {
        ident.value.to_ascii_lowercase()
    } else {
        ident.value.clone()
    }
}

/// Removes the row address and other internal columns from the valid columns that a planning error lists.
pub(crate) fn hide_row_address(error: DataFusionError) -> DataFusionError {
    use datafusion::common::SchemaError;
    match error {
        DataFusionError::SchemaError(mut inner, trace) => {
            if let SchemaError::FieldNotFound { valid_fields, .. } = inner.as_mut() {
                valid_fields.retain(|field| {
                    field.name != ROW_ADDRESS && !field.name.starts_with(char::is_control)
                });
            }
            DataFusionError::SchemaError(inner, trace)
        }
        DataFusionError::Diagnostic(diagnostic, inner) => {
            DataFusionError::Diagnostic(diagnostic, Box::new(hide_row_address(*inner)))
        }
        DataFusionError::Context(context, inner) => {
            DataFusionError::Context(context, Box::new(hide_row_address(*inner)))
        }
        other => other,
    }
}

/// The query whose rows a statement writes.
fn query_within(statement: &mut DFStatement) -> Option<&mut ast::Query> {
    match statement {
        DFStatement::Statement(inner) => match inner.as_mut() {
            ast::Statement::CreateTable(create) => create.query.as_deref_mut(),
            ast::Statement::Insert(insert) => insert.source.as_deref_mut(),
            _ => None,
        },
        DFStatement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => Some(query),
            CopyToSource::Relation(_) => None,
        },
        _ => None,
    }
}
