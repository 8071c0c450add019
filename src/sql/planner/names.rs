//! [`ContextProvider`] for [`Planner`]: resolves tables, views, functions and `information_schema`.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, InformationSchemaProvider};
use datafusion::catalog::{SchemaProvider, TableFunctionArgs, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::file_options::file_type::FileType;
use datafusion::common::{Result, TableReference, plan_err};
use datafusion::datasource::file_format::format_as_file_type;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::planner::PlannerContext;
use datafusion::sql::sqlparser::ast::{Ident, VisitMut};
use futures::FutureExt;

use super::any_case::plan_in_any_case;
use super::catalog::SnapshotCatalog;
use super::history_at::HISTORY_AT;
use super::literals::{NUMBER, Number};
use super::own_columns::{Reading, the_one};
use super::{Planner, ROWS, TABLE_AT, TARGET};
use crate::error::DfOlapError;
use crate::snapshot::{self, Relation};
use crate::sql::expressions::times_as_numbers::TimesAsNumbers;
use crate::sql::scan::provider::SnapshotTable;

/// Whether a table name may be the path of a file: `FROM 'data.parquet'` or `FROM 's3://…'`.
pub(crate) fn looks_like_a_file(name: &str) -> bool {
    name.contains(['/', '\\', '.', ':'])
}

impl ContextProvider for Planner {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        if name.catalog() == Some(TARGET) {
            if let Some(table) = self.context.snapshot.table(name.table()) {
                let store = Arc::clone(&self.context.store);
                let table = SnapshotTable::with_addresses(table, store);
                return Ok(provider_as_source(Arc::new(table)));
            }
        } else if let (ROWS, Some(rows)) = (name.table(), &self.rows) {
            return Ok(provider_as_source(Arc::clone(rows)));
        }
        let defaults = &self.options().catalog;
        let resolved = name
            .clone()
            .resolve(&defaults.default_catalog, &defaults.default_schema);
        let found = if *resolved.catalog != defaults.default_catalog {
            None
        } else if *resolved.schema == *INFORMATION_SCHEMA {
            self.information_schema(&resolved.table)?
        } else if *resolved.schema == defaults.default_schema {
            self.provider(&resolved.table)?
        } else {
            None
        };
        let found = match found {
            None => self.context.externals.get(name.table()).cloned(),
            found => found,
        };
        match found {
            Some(provider) => Ok(provider_as_source(provider)),
            None if looks_like_a_file(name.table()) && self.context.files_looked_for => {
                Err(DfOlapError::TableNotFound(format!(
                    "'{}': there is no table of this name and no file",
                    name.table()
                ))
                .into())
            }
            None if looks_like_a_file(name.table()) => Err(DfOlapError::Denied(format!(
                "table not found: {name}; reading files from SQL is not allowed here"
            ))
            .into()),
            None => Err(DfOlapError::TableNotFound(name.to_string()).into()),
        }
    }

    fn get_file_type(&self, extension: &str) -> Result<Arc<dyn FileType>> {
        match self.context.state.get_file_format_factory(extension) {
            Some(format) => Ok(format_as_file_type(format)),
            None => plan_err!("there is no file format '{extension}'"),
        }
    }

    fn get_table_function_source(
        &self,
        name: &str,
        args: Vec<Expr>,
    ) -> Result<Arc<dyn TableSource>> {
        let args = args
            .into_iter()
            .map(|arg| self.simplify(arg))
            .collect::<Result<Vec<_>>>()?;
        if name == TABLE_AT {
            return Ok(provider_as_source(self.past(&args)?));
        }
        // DataFusion hands over the name as it is written.
        if name.eq_ignore_ascii_case(HISTORY_AT) {
            return Ok(provider_as_source(self.history_at(&args)?));
        }
        let Some(function) = self.context.state.table_functions().get(name) else {
            return plan_err!("table function '{name}' not found");
        };
        let args = TableFunctionArgs::new(&args, self.context.state.as_ref());
        Ok(provider_as_source(
            function.create_table_provider_with_args(args)?,
        ))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(
            name, schema,
        ))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        let planners = self.context.state.expr_planners();
        match self.times_as_numbers {
            true => self.expr_planners.get_or_init(|| {
                let mut all: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(TimesAsNumbers)];
                all.extend_from_slice(planners);
                all
            }),
            false => planners,
        }
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        None
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if name == NUMBER {
            return Some(Arc::new(Number::function()));
        }
        self.context.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.context
            .state
            .higher_order_functions()
            .get(name)
            .cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.context.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.context.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.context.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.context
            .state
            .scalar_functions()
            .keys()
            .cloned()
            .collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.context
            .state
            .higher_order_functions()
            .keys()
            .cloned()
            .collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.context
            .state
            .aggregate_functions()
            .keys()
            .cloned()
            .collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.context
            .state
            .window_functions()
            .keys()
            .cloned()
            .collect()
    }
}

impl Planner {
    fn information_schema(&self, table: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let catalog = SnapshotCatalog::new(Arc::clone(&self.context));
        InformationSchemaProvider::new(Arc::new(catalog))
            .with_table_functions(self.context.state.table_functions().clone())
            .table(table)
            .now_or_never()
            .unwrap_or(Ok(None))
    }
}

impl Planner {
    /// The name of the column that an identifier means; the name that it says, if there is none.
    pub fn column_name(&self, columns: &[snapshot::Column], ident: &Ident) -> Result<String> {
        let names = columns.iter().map(|column| column.field.name().as_str());
        self.name_among(names, ident)
    }

    /// The one of these names that an identifier means; the name that it says, if there is none.
    pub fn name_among<'a>(
        &self,
        mut names: impl Iterator<Item = &'a str> + Clone,
        ident: &Ident,
    ) -> Result<String> {
        let name = self.normalize(ident);
        let is_exact = ident.quote_style.is_some() || !self.reads_any_case();
        if is_exact || names.clone().any(|there| there == name) {
            return Ok(name);
        }
        Ok(the_one(&name, names.by_ref())?.unwrap_or(name))
    }

    /// Whether unquoted names are looked for in any case. Where identifiers are not normalized, they are meant as they
    /// are written.
    fn reads_any_case(&self) -> bool {
        self.options().sql_parser.enable_ident_normalization
    }

    /// The columns of a table, a view or an external table.
    fn columns_of(&self, name: &str) -> Option<SchemaRef> {
        match self.context.snapshot.relation(name) {
            Some(Relation::Table(table)) => Some(Arc::clone(&table.definition.schema)),
            Some(Relation::View(view)) => {
                let plan = self.plan_view(&view).ok()?;
                Some(Arc::clone(plan.schema().inner()))
            }
            None => Some(self.context.externals.get(name)?.schema()),
        }
    }

    /// Plans a part of a statement, with the names of columns in any case.
    pub(super) fn in_any_case<T: Clone + VisitMut, P>(
        &self,
        statement: T,
        context: &PlannerContext,
        plan: &dyn Fn(T) -> Result<P>,
    ) -> Result<P> {
        if !self.reads_any_case() {
            return plan(statement);
        }
        let reading = Reading {
            columns: &|name| self.columns_of(name),
            normalize: &|ident| self.normalize(ident),
            is_cte: &|name| context.contains_cte(name),
            target: TARGET,
        };
        plan_in_any_case(reading, statement, plan)
    }
}
