//! [`DataFusionEngine`], the facade, and [`SharedDataFusionEngine`], its cheaply cloned handle.

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::ParamValues;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::prelude::SessionContext;
use futures::{Stream, StreamExt, TryStreamExt};

use crate::change::Action;
use crate::error::DfOlapError;
use crate::executor::{Executor, find, same_shape};
use crate::olap::{OlapEngine, RecordBatchBoxStream};
use crate::options::StatementOptions;
use crate::snapshot::{Relation, RelationId, Snapshot, TableDefinition, Version};
use crate::sql::{Shape, check_type, key_of};
use crate::storage::StorageMode;

/// An analytical SQL engine. All methods take `&self` and may be called at once from any number of tasks.
///
/// Table names in calls are read as SQL reads them without quotes: where no table has the name as it stands, it is
/// lower-cased.
pub struct DataFusionEngine {
    storage: StorageMode,
    pub(crate) executor: Executor,
}

impl fmt::Debug for DataFusionEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataFusionEngine")
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

impl DataFusionEngine {
    pub(crate) fn from_parts(storage: StorageMode, executor: Executor) -> Self {
        Self { storage, executor }
    }

    /// Where the data lives.
    pub fn storage_mode(&self) -> &StorageMode {
        &self.storage
    }

    /// The number of the current snapshot: every committed change raises it.
    pub async fn version(&self) -> Result<Version, DfOlapError> {
        Ok(self.executor.snapshot().await?.version)
    }

    /// The names of all tables, sorted. Views are not among them.
    pub async fn tables(&self) -> Result<Vec<String>, DfOlapError> {
        let snapshot = self.executor.snapshot().await?;
        let names = snapshot.names.keys();
        Ok(names
            .filter(|n| snapshot.table(n).is_some())
            .cloned()
            .collect())
    }

    /// The columns of a table.
    ///
    /// # Errors
    /// [`DfOlapError::TableNotFound`].
    pub async fn table_schema(&self, table: &str) -> Result<SchemaRef, DfOlapError> {
        let (_, table) = find(self.executor.snapshot().await?.as_ref(), table)?;
        Ok(Arc::clone(&table.definition.schema))
    }

    /// Removes a table.
    ///
    /// # Errors
    /// [`DfOlapError::TableNotFound`].
    pub async fn drop_table(&self, table: &str) -> Result<(), DfOlapError> {
        self.executor
            .change(table, |base| {
                let (_, table) = find(base, table)?;
                Ok((vec![Action::Drop { id: table.id }], ()))
            })
            .await
    }

    /// Runs a statement with values for `$1`, `$2` … or `$name` and gathers its rows.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use rhei_datafusion::{DataFusionEngine, datafusion::common::ScalarValue};
    /// # let engine = DataFusionEngine::new();
    /// let named = vec![("low", ScalarValue::from(2i64))];
    /// let rows = engine.query_with_params("SELECT * FROM range(5) WHERE value > $low", named).await?;
    /// # assert_eq!(rows[0].num_rows(), 2);
    /// # Ok(()) }
    /// ```
    pub async fn query_with_params(
        &self,
        sql: &str,
        params: impl Into<ParamValues> + Send,
    ) -> Result<Vec<RecordBatch>, DfOlapError> {
        self.query_with(sql, StatementOptions::new().params(params))
            .await
    }

    /// Runs a statement with values for `$1`, `$2` … or `$name`. Returns the rows affected.
    pub async fn execute_with_params(
        &self,
        sql: &str,
        params: impl Into<ParamValues> + Send,
    ) -> Result<u64, DfOlapError> {
        self.execute_with(sql, StatementOptions::new().params(params))
            .await
    }

    /// [`query`](OlapEngine::query) with parameters, a deadline or a cancel handle.
    pub async fn query_with(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Vec<RecordBatch>, DfOlapError> {
        self.executor.run(sql, options).await?.collect().await
    }

    /// [`query_stream`](OlapEngine::query_stream) with parameters, a deadline or a cancel handle.
    pub async fn query_stream_with(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<RecordBatchBoxStream, DfOlapError> {
        let rows = self.executor.run(sql, options).await?.stream();
        Ok(Box::pin(rows.map_err(|error| {
            Box::new(error) as Box<dyn Error + Send + Sync>
        })))
    }

    /// [`execute`](OlapEngine::execute) with parameters, a deadline or a cancel handle.
    pub async fn execute_with(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<u64, DfOlapError> {
        self.executor.run(sql, options).await?.count().await
    }

    /// Runs any number of statements, each on the result of those before, as **one atomic change**: all of it becomes visible
    /// at once, or nothing. Returns the rows that each statement affected.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// # engine.execute("CREATE TABLE account (id BIGINT, amount BIGINT)").await?;
    /// # engine.execute("INSERT INTO account VALUES (1, 100), (2, 0)").await?;
    /// let counts = engine
    ///     .execute_batch(
    ///         "UPDATE account SET amount = amount - 10 WHERE id = 1;
    ///          UPDATE account SET amount = amount + 10 WHERE id = 2;",
    ///     )
    ///     .await?;
    /// assert_eq!(counts, [1, 1]);
    /// # Ok(()) }
    /// ```
    pub async fn execute_batch(&self, sql: &str) -> Result<Vec<u64>, DfOlapError> {
        self.execute_batch_with(sql, StatementOptions::new()).await
    }

    /// [`execute_batch`](Self::execute_batch) with parameters, a deadline or a cancel handle.
    pub async fn execute_batch_with(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Vec<u64>, DfOlapError> {
        self.executor.run_batch(sql, options).await
    }

    /// Appends the batches of a stream to a table, as one change when the stream has ended. An error of the stream is
    /// returned and nothing is appended. Returns the number of rows.
    ///
    /// # Errors
    /// As [`load_arrow`](OlapEngine::load_arrow), and the stream's own.
    pub async fn load_stream<S, E>(&self, table: &str, batches: S) -> Result<u64, DfOlapError>
    where
        S: Stream<Item = Result<RecordBatch, E>> + Send,
        E: Into<DfOlapError>,
    {
        let batches = batches.map(|batch| batch.map_err(Into::into));
        self.executor.load_stream(table, batches.boxed()).await
    }

    /// Creates a table that holds the rows of a stream, in one commit: no one sees it without them, and after an error it is not
    /// there. Its columns may have any names, as those of files do; SQL takes `"First name"` in double quotes. Returns the number
    /// of rows.
    ///
    /// # Errors
    /// Of kind invalid where the name is taken or is not made of letters, digits and `_`, a type cannot be used, a column has no
    /// name or that of another, or a batch does not fit; the stream's own.
    pub async fn create_table_from<S, E>(
        &self,
        table: &str,
        schema: &SchemaRef,
        primary_key: &[String],
        batches: S,
    ) -> Result<u64, DfOlapError>
    where
        S: Stream<Item = Result<RecordBatch, E>> + Send,
        E: Into<DfOlapError>,
    {
        let name = identifier("table", table)?.to_ascii_lowercase();
        let definition = definition(schema, primary_key, any_name)?;
        let batches = batches.map(|batch| batch.map_err(Into::into)).boxed();
        self.executor
            .create_filled(&name, definition, batches)
            .await
    }

    /// A [`SessionContext`] on the current snapshot, for DataFrames and for what else DataFusion offers to Rust code. It reads;
    /// tables change through the engine alone. It is not bound by the engine's limits on SQL text.
    pub async fn session_context(&self) -> Result<SessionContext, DfOlapError> {
        self.executor.context().await
    }

    /// Makes a scalar function known to SQL.
    pub fn register_udf(&self, function: ScalarUDF) -> Result<(), DfOlapError> {
        self.executor.configure(|state| {
            state.register_udf(Arc::new(function))?;
            Ok(())
        })
    }

    /// Makes an aggregate function known to SQL.
    pub fn register_udaf(&self, function: AggregateUDF) -> Result<(), DfOlapError> {
        self.executor.configure(|state| {
            state.register_udaf(Arc::new(function))?;
            Ok(())
        })
    }

    /// Makes a window function known to SQL.
    pub fn register_udwf(&self, function: WindowUDF) -> Result<(), DfOlapError> {
        self.executor.configure(|state| {
            state.register_udwf(Arc::new(function))?;
            Ok(())
        })
    }
}

impl OlapEngine for DataFusionEngine {
    type Error = DfOlapError;

    async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, DfOlapError> {
        self.query_with(sql, StatementOptions::new()).await
    }

    async fn query_stream(&self, sql: &str) -> Result<RecordBatchBoxStream, DfOlapError> {
        self.query_stream_with(sql, StatementOptions::new()).await
    }

    async fn execute(&self, sql: &str) -> Result<u64, DfOlapError> {
        self.execute_with(sql, StatementOptions::new()).await
    }

    async fn load_arrow(&self, table: &str, batches: &[RecordBatch]) -> Result<u64, DfOlapError> {
        self.executor.load(table, batches).await
    }

    async fn create_table(
        &self,
        table_name: &str,
        schema: &SchemaRef,
        primary_key: &[String],
    ) -> Result<(), DfOlapError> {
        let name = identifier("table", table_name)?.to_ascii_lowercase();
        let definition = Arc::new(definition(schema, primary_key, plain_name)?);
        let adoptable = self.adoptable(table_name, &name, &definition).await?;
        self.executor
            .change(&name, |base| {
                let id = RelationId::fresh();
                let create = Action::CreateTable {
                    name: name.clone(),
                    id,
                    definition: Arc::clone(&definition),
                };
                match base.relation(&name) {
                    None => {
                        let mut actions = vec![create];
                        if let Some((folder, fragments)) = &adoptable
                            && !base.adopted.contains(folder)
                        {
                            actions.push(Action::Append {
                                id,
                                definition: Arc::clone(&definition),
                                fragments: fragments.clone(),
                            });
                            actions.push(Action::Adopt {
                                folder: folder.clone(),
                            });
                        }
                        Ok((actions, ()))
                    }
                    Some(Relation::Table(table)) if same_shape(&table.definition, &definition) => {
                        Ok((Vec::new(), ()))
                    }
                    Some(Relation::Table(_)) => Err(DfOlapError::SchemaMismatch(format!(
                        "table {name} already exists with another schema; drop it first or use another name"
                    ))),
                    Some(Relation::View(_)) => {
                        Err(DfOlapError::Invalid(format!("'{name}' already exists as a view")))
                    }
                }
            })
            .await
    }

    async fn table_exists(&self, table_name: &str) -> Result<bool, DfOlapError> {
        Ok(find(self.executor.snapshot().await?.as_ref(), table_name).is_ok())
    }

    async fn add_column(
        &self,
        table_name: &str,
        column_name: &str,
        data_type: &DataType,
    ) -> Result<(), DfOlapError> {
        let column = identifier("column", column_name)?;
        self.reshape(table_name, |shape| {
            let field = Field::new(column, data_type.clone(), true);
            shape.add_field(Arc::new(field), None, None)
        })
        .await
    }

    async fn drop_column(&self, table_name: &str, column_name: &str) -> Result<(), DfOlapError> {
        self.reshape(table_name, |shape| shape.drop(column_name, false))
            .await
    }

    fn supports_transactions(&self) -> bool {
        false
    }
}

impl DataFusionEngine {
    async fn reshape(
        &self,
        table: &str,
        change: impl Fn(&mut Shape<'_>) -> Result<(), DfOlapError> + Send + Sync,
    ) -> Result<(), DfOlapError> {
        self.executor
            .change(table, |base: &Snapshot| {
                let (name, table) = find(base, table)?;
                let mut shape = Shape::of(&name, &table);
                change(&mut shape)?;
                let define = shape.changed().map(|definition| Action::Define {
                    id: table.id,
                    definition: Arc::new(definition),
                });
                Ok((define.into_iter().collect(), ()))
            })
            .await
    }
}

/// Refuses a name that is not `[A-Za-z0-9_]+`.
fn identifier<'a>(what: &str, name: &'a str) -> Result<&'a str, DfOlapError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(name);
    }
    Err(DfOlapError::Invalid(format!(
        "'{}' is not a {what} name: use letters, digits and _",
        name.escape_debug()
    )))
}

/// A column's name as `create_table` takes it.
fn plain_name(name: &str) -> Result<&str, DfOlapError> {
    identifier("column", name)
}

/// A column's name as a file may have it.
fn any_name(name: &str) -> Result<&str, DfOlapError> {
    match name.trim().is_empty() {
        true => Err(DfOlapError::Invalid("a column has no name".to_string())),
        false => Ok(name),
    }
}

/// The definition that a caller asks for; the key's columns are NOT NULL.
fn definition(
    schema: &SchemaRef,
    primary_key: &[String],
    named: fn(&str) -> Result<&str, DfOlapError>,
) -> Result<TableDefinition, DfOlapError> {
    let mut fields: Vec<FieldRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = named(field.name())?;
        check_type(name, field.data_type())?;
        if fields.iter().any(|f| f.name() == name) {
            return Err(DfOlapError::Invalid(format!(
                "column '{name}' is named twice"
            )));
        }
        let nullable = field.is_nullable() && !primary_key.iter().any(|key| key == name);
        fields.push(Arc::new(field.as_ref().clone().with_nullable(nullable)));
    }
    if fields.is_empty() {
        return Err(DfOlapError::Invalid(
            "a table needs at least one column".to_string(),
        ));
    }
    let plain = TableDefinition::from_fields(&fields, Vec::new());
    let key = key_of(&plain.columns, primary_key)?;
    Ok(TableDefinition::from_fields(&fields, key))
}

/// A [`DataFusionEngine`] to hand around: clones are one engine.
#[derive(Debug, Clone, Default)]
pub struct SharedDataFusionEngine(pub Arc<DataFusionEngine>);

impl SharedDataFusionEngine {
    /// Shares `engine`.
    pub fn new(engine: DataFusionEngine) -> Self {
        Self(Arc::new(engine))
    }
}

impl Deref for SharedDataFusionEngine {
    type Target = DataFusionEngine;

    fn deref(&self) -> &DataFusionEngine {
        &self.0
    }
}

impl OlapEngine for SharedDataFusionEngine {
    type Error = DfOlapError;

    async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, DfOlapError> {
        self.0.query(sql).await
    }

    async fn query_stream(&self, sql: &str) -> Result<RecordBatchBoxStream, DfOlapError> {
        self.0.query_stream(sql).await
    }

    async fn execute(&self, sql: &str) -> Result<u64, DfOlapError> {
        self.0.execute(sql).await
    }

    async fn load_arrow(&self, table: &str, batches: &[RecordBatch]) -> Result<u64, DfOlapError> {
        self.0.load_arrow(table, batches).await
    }

    async fn create_table(
        &self,
        table_name: &str,
        schema: &SchemaRef,
        primary_key: &[String],
    ) -> Result<(), DfOlapError> {
        self.0.create_table(table_name, schema, primary_key).await
    }

    async fn table_exists(&self, table_name: &str) -> Result<bool, DfOlapError> {
        self.0.table_exists(table_name).await
    }

    async fn add_column(
        &self,
        table_name: &str,
        column_name: &str,
        data_type: &DataType,
    ) -> Result<(), DfOlapError> {
        self.0.add_column(table_name, column_name, data_type).await
    }

    async fn drop_column(&self, table_name: &str, column_name: &str) -> Result<(), DfOlapError> {
        self.0.drop_column(table_name, column_name).await
    }

    fn supports_transactions(&self) -> bool {
        self.0.supports_transactions()
    }
}
