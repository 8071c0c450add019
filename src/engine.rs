//! [`DataFusionEngine`], the facade, and [`SharedDataFusionEngine`], its cheaply cloned handle.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::ParamValues;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::prelude::SessionContext;
use futures::{Stream, StreamExt};

use crate::error::DfOlapError;
use crate::executor::Calls;
use crate::olap::{OlapEngine, RecordBatchBoxStream};
use crate::options::StatementOptions;
use crate::snapshot::Version;
use crate::storage::StorageMode;

/// An analytical SQL engine. All methods take `&self` and may be called at once from any number of tasks.
///
/// Table names in calls are read as SQL reads them without quotes: where no table has the name as it stands, it is
/// lower-cased.
pub struct DataFusionEngine {
    storage: StorageMode,
    pub(crate) calls: Box<dyn Calls>,
}

impl fmt::Debug for DataFusionEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataFusionEngine")
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

impl DataFusionEngine {
    pub(crate) fn from_parts(storage: StorageMode, calls: impl Calls + 'static) -> Self {
        let calls = Box::new(calls);
        Self { storage, calls }
    }

    /// Where the data lives.
    pub fn storage_mode(&self) -> &StorageMode {
        &self.storage
    }

    /// The number of the current snapshot: every committed change raises it.
    pub async fn version(&self) -> Result<Version, DfOlapError> {
        self.calls.version().await
    }

    /// The names of all tables, sorted. Views are not among them.
    pub async fn tables(&self) -> Result<Vec<String>, DfOlapError> {
        self.calls.tables().await
    }

    /// The columns of a table.
    ///
    /// # Errors
    /// [`DfOlapError::TableNotFound`].
    pub async fn table_schema(&self, table: &str) -> Result<SchemaRef, DfOlapError> {
        self.calls.table_schema(table).await
    }

    /// Removes a table.
    ///
    /// # Errors
    /// [`DfOlapError::TableNotFound`].
    pub async fn drop_table(&self, table: &str) -> Result<(), DfOlapError> {
        self.calls.drop_table(table).await
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
        self.calls.query(sql, options).await
    }

    /// [`query_stream`](OlapEngine::query_stream) with parameters, a deadline or a cancel handle.
    pub async fn query_stream_with(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<RecordBatchBoxStream, DfOlapError> {
        self.calls.query_stream(sql, options).await
    }

    /// [`execute`](OlapEngine::execute) with parameters, a deadline or a cancel handle.
    pub async fn execute_with(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<u64, DfOlapError> {
        self.calls.execute(sql, options).await
    }

    /// Runs any number of statements, each on the result of those before, as **one atomic change**: all of it becomes
    /// visible at once, or nothing. Returns the rows that each statement affected.
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
        self.calls.execute_batch(sql, options).await
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
        self.calls.load_stream(table, batches.boxed()).await
    }

    /// Creates a table that holds the rows of a stream, in one commit: no one sees it without them, and after an error
    /// it is not there. Its columns may have any names, as those of files do; SQL takes `"First name"` in double
    /// quotes. Returns the number of rows.
    ///
    /// # Errors
    /// Of kind invalid where the name is taken or is not made of letters, digits and `_`, a type cannot be used, a
    /// column has no name or that of another, or a batch does not fit; the stream's own.
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
        let batches = batches.map(|batch| batch.map_err(Into::into)).boxed();
        self.calls
            .create_table_from(table, schema, primary_key, batches)
            .await
    }

    /// A [`SessionContext`] on the current snapshot, for DataFrames and for what else DataFusion offers to Rust code.
    /// It reads; tables change through the engine alone. It is not bound by the engine's limits on SQL text.
    pub async fn session_context(&self) -> Result<SessionContext, DfOlapError> {
        self.calls.session_context().await
    }

    /// Makes a scalar function known to SQL.
    pub fn register_udf(&self, function: ScalarUDF) -> Result<(), DfOlapError> {
        self.calls.register_udf(function)
    }

    /// Makes an aggregate function known to SQL.
    pub fn register_udaf(&self, function: AggregateUDF) -> Result<(), DfOlapError> {
        self.calls.register_udaf(function)
    }

    /// Makes a window function known to SQL.
    pub fn register_udwf(&self, function: WindowUDF) -> Result<(), DfOlapError> {
        self.calls.register_udwf(function)
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
        self.calls.load(table, batches).await
    }

    async fn create_table(
        &self,
        table_name: &str,
        schema: &SchemaRef,
        primary_key: &[String],
    ) -> Result<(), DfOlapError> {
        self.calls
            .create_table(table_name, schema, primary_key)
            .await
    }

    async fn table_exists(&self, table_name: &str) -> Result<bool, DfOlapError> {
        self.calls.table_exists(table_name).await
    }

    async fn add_column(
        &self,
        table_name: &str,
        column_name: &str,
        data_type: &DataType,
    ) -> Result<(), DfOlapError> {
        self.calls
            .add_column(table_name, column_name, data_type)
            .await
    }

    async fn drop_column(&self, table_name: &str, column_name: &str) -> Result<(), DfOlapError> {
        self.calls.drop_column(table_name, column_name).await
    }

    fn supports_transactions(&self) -> bool {
        false
    }
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
