//! [`DataFusionEngine`], the public facade, and [`SharedDataFusionEngine`], its cheaply cloned handle.

mod olap;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::ParamValues;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::prelude::SessionContext;
use futures::{Stream, StreamExt};

use crate::error::DfOlapError;
use crate::executor::EngineCalls;
#[cfg(feature = "rhei")]
use crate::executor::Transactions;
use crate::olap::RecordBatchBoxStream;
use crate::options::StatementOptions;
use crate::snapshot::Version;
use crate::storage::StorageMode;

/// An analytical SQL engine. All methods take `&self` and may be called at once from any number of tasks.
///
/// A table name in a call is looked up as given and, if no table has this name, in lower case, as SQL reads unquoted
/// names.
pub struct DataFusionEngine {
    storage: StorageMode,
    pub(crate) calls: Box<dyn EngineCalls>,
    /// The transactions of Rhei, if each of its cycles is one.
    #[cfg(feature = "rhei")]
    pub(crate) transactions: Option<Box<Transactions>>,
}

impl fmt::Debug for DataFusionEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataFusionEngine")
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

impl DataFusionEngine {
    pub(crate) fn from_parts(storage: StorageMode, calls: impl EngineCalls + 'static) -> Self {
        Self {
            storage,
            calls: Box::new(calls),
            #[cfg(feature = "rhei")]
            transactions: None,
        }
    }

    /// Where the data lives.
    pub fn storage_mode(&self) -> &StorageMode {
        &self.storage
    }

    /// The version of the current snapshot; each commit increments it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// # engine.execute("CREATE TABLE t (id BIGINT, name TEXT)").await?;
    /// let before = engine.version().await?;
    /// engine.execute("INSERT INTO t VALUES (1, 'one')").await?;
    /// assert!(engine.version().await? > before);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Unavailable` and `Corrupt`, of a durable store.
    ///
    /// # Cancel safety
    /// A call that is dropped stops the statement; nothing is changed.
    pub async fn version(&self) -> Result<Version, DfOlapError> {
        self.calls.version().await
    }

    /// The names of all tables, sorted; views are not included.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// # engine.execute("CREATE TABLE t (id BIGINT, name TEXT)").await?;
    /// assert_eq!(engine.tables().await?, ["t"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Unavailable` and `Corrupt`, of a durable store.
    ///
    /// # Cancel safety
    /// A call that is dropped stops the statement; nothing is changed.
    pub async fn tables(&self) -> Result<Vec<String>, DfOlapError> {
        self.calls.tables().await
    }

    /// The columns of a table.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// # engine.execute("CREATE TABLE t (id BIGINT, name TEXT)").await?;
    /// assert_eq!(engine.table_schema("t").await?.field(1).name(), "name");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`DfOlapError::TableNotFound`]; `Unavailable` and `Corrupt`, of a durable store.
    ///
    /// # Cancel safety
    /// A call that is dropped stops the statement; nothing is changed.
    pub async fn table_schema(&self, table: &str) -> Result<SchemaRef, DfOlapError> {
        self.calls.table_schema(table).await
    }

    /// Removes a table.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// # engine.execute("CREATE TABLE t (id BIGINT, name TEXT)").await?;
    /// engine.drop_table("t").await?;
    /// assert!(!engine.table_exists("t").await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`DfOlapError::TableNotFound`]; a conflict, or an error of storage.
    ///
    /// # Cancel safety
    /// A dropped call applies its change whole or not at all: nothing before its commit has begun, and a commit that
    /// has begun goes on without the caller. [`version`](Self::version) tells which.
    pub async fn drop_table(&self, table: &str) -> Result<(), DfOlapError> {
        self.calls.drop_table(table).await
    }

    /// Runs a statement with values for `$1`, `$2` … or `$name` and collects its rows.
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
    ///
    /// # Errors
    /// Of any [kind](crate::ErrorKind): an invalid statement, a limit, a timeout, a conflict, an error of storage.
    ///
    /// # Cancel safety
    /// A dropped call applies its change whole or not at all: nothing before its commit has begun, and a commit that
    /// has begun goes on without the caller. [`version`](Self::version) tells which.
    pub async fn query_with_params(
        &self,
        sql: &str,
        params: impl Into<ParamValues> + Send,
    ) -> Result<Vec<RecordBatch>, DfOlapError> {
        self.query_with(sql, StatementOptions::new().params(params))
            .await
    }

    /// Runs a statement with values for `$1`, `$2` … or `$name`. Returns the rows affected.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use rhei_datafusion::datafusion::common::ScalarValue;
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// # engine.execute("CREATE TABLE t (id BIGINT, name TEXT)").await?;
    /// let row = vec![ScalarValue::from(1i64), ScalarValue::from("one")];
    /// assert_eq!(engine.execute_with_params("INSERT INTO t VALUES ($1, $2)", row).await?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of any [kind](crate::ErrorKind): an invalid statement, a limit, a timeout, a conflict, an error of storage.
    ///
    /// # Cancel safety
    /// A dropped call applies its change whole or not at all: nothing before its commit has begun, and a commit that
    /// has begun goes on without the caller. [`version`](Self::version) tells which.
    pub async fn execute_with_params(
        &self,
        sql: &str,
        params: impl Into<ParamValues> + Send,
    ) -> Result<u64, DfOlapError> {
        self.execute_with(sql, StatementOptions::new().params(params))
            .await
    }

    /// [`query`](crate::OlapEngine::query) with parameters, a timeout or a cancel handle.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use std::time::Duration;
    /// # use rhei_datafusion::{ErrorKind, StatementOptions};
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// let options = StatementOptions::new().timeout(Duration::from_millis(50));
    /// let endless = "SELECT count(*) FROM range(10000000000) AS a, range(10) AS b";
    /// let error = engine.query_with(endless, options).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Timeout);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of any [kind](crate::ErrorKind): an invalid statement, a limit, a timeout, a conflict, an error of storage.
    ///
    /// # Cancel safety
    /// A dropped call applies its change whole or not at all: nothing before its commit has begun, and a commit that
    /// has begun goes on without the caller. [`version`](Self::version) tells which.
    pub async fn query_with(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Vec<RecordBatch>, DfOlapError> {
        self.calls.query(sql, options).await
    }

    /// [`query_stream`](crate::OlapEngine::query_stream) with parameters, a timeout or a cancel handle.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use futures::TryStreamExt;
    /// # use rhei_datafusion::{StatementOptions, datafusion::common::ScalarValue};
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// let options = StatementOptions::new().params(vec![ScalarValue::from(7i64)]);
    /// let mut rows = engine.query_stream_with("SELECT * FROM range(100) WHERE value > $1", options).await?;
    /// while let Some(batch) = rows.try_next().await? {
    ///     println!("{} rows", batch.num_rows());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of any [kind](crate::ErrorKind): an invalid statement, a limit, a timeout, a conflict, an error of storage.
    ///
    /// # Cancel safety
    /// A dropped stream stops its query. A dropped call applies a change whole or not at all, as with
    /// [`query_with`](Self::query_with).
    pub async fn query_stream_with(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<RecordBatchBoxStream, DfOlapError> {
        self.calls.query_stream(sql, options).await
    }

    /// [`execute`](crate::OlapEngine::execute) with parameters, a timeout or a cancel handle.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use rhei_datafusion::{CancelHandle, ErrorKind, StatementOptions};
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// # engine.execute("CREATE TABLE t (id BIGINT, name TEXT)").await?;
    /// let handle = CancelHandle::new();
    /// handle.cancel();
    /// let options = StatementOptions::new().cancel(&handle);
    /// let error = engine.execute_with("DELETE FROM t", options).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Cancelled);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of any [kind](crate::ErrorKind): an invalid statement, a limit, a timeout, a conflict, an error of storage.
    ///
    /// # Cancel safety
    /// A dropped call applies its change whole or not at all: nothing before its commit has begun, and a commit that
    /// has begun goes on without the caller. [`version`](Self::version) tells which.
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
    ///
    /// # Errors
    /// The first error of a statement; no statement of the text takes effect then.
    ///
    /// # Cancel safety
    /// A dropped call applies its change whole or not at all: nothing before its commit has begun, and a commit that
    /// has begun goes on without the caller. [`version`](Self::version) tells which.
    pub async fn execute_batch(&self, sql: &str) -> Result<Vec<u64>, DfOlapError> {
        self.execute_batch_with(sql, StatementOptions::new()).await
    }

    /// [`execute_batch`](Self::execute_batch) with parameters, a timeout or a cancel handle.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use rhei_datafusion::{StatementOptions, datafusion::common::ScalarValue};
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// # engine.execute("CREATE TABLE t (id BIGINT, name TEXT)").await?;
    /// let options = StatementOptions::new().params(vec![ScalarValue::from(1i64)]);
    /// let text = "INSERT INTO t VALUES ($1, 'one'); UPDATE t SET name = 'uno' WHERE id = $1";
    /// assert_eq!(engine.execute_batch_with(text, options).await?, [1, 1]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The first error of a statement; no statement of the text takes effect then.
    ///
    /// # Cancel safety
    /// A dropped call applies its change whole or not at all: nothing before its commit has begun, and a commit that
    /// has begun goes on without the caller. [`version`](Self::version) tells which.
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
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// # engine.execute("CREATE TABLE t (id BIGINT, name TEXT)").await?;
    /// let rows = engine.query_stream("SELECT value AS id, 'row ' || value AS name FROM range(1000)").await?;
    /// assert_eq!(engine.load_stream("t", rows).await?, 1000);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`load_arrow`](crate::OlapEngine::load_arrow), and errors of the stream.
    ///
    /// # Cancel safety
    /// A dropped call applies its change whole or not at all: nothing before its commit has begun, and a commit that
    /// has begun goes on without the caller. [`version`](Self::version) tells which.
    pub async fn load_stream<S, E>(&self, table: &str, batches: S) -> Result<u64, DfOlapError>
    where
        S: Stream<Item = Result<RecordBatch, E>> + Send,
        E: Into<DfOlapError>,
    {
        let batches = batches.map(|batch| batch.map_err(Into::into));
        self.calls.load_stream(table, batches.boxed()).await
    }

    /// Creates a table with the rows of a stream, in one commit: the table is never visible without the rows, and does
    /// not exist after an error. Column names may be any text, as in files; in SQL such a name takes double quotes:
    /// `"First name"`. Returns the number of rows.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use std::sync::Arc;
    /// # use rhei_datafusion::arrow::datatypes::{DataType, Field, Schema};
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// let rows = engine.query_stream("SELECT value AS id, value * value AS square FROM range(1000)").await?;
    /// let schema = Arc::new(Schema::new(vec![
    ///     Field::new("id", DataType::Int64, false),
    ///     Field::new("square", DataType::Int64, true),
    /// ]));
    /// engine.create_table_from("squares", &schema, &["id".into()], rows).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` if the table name is taken or has characters other than letters, digits and `_`, if a column has no
    /// name or a duplicate name, or if a batch does not fit; `Invalid` or `Unsupported` if a column type cannot be
    /// used; errors of the stream.
    ///
    /// # Cancel safety
    /// A dropped call applies its change whole or not at all: nothing before its commit has begun, and a commit that
    /// has begun goes on without the caller. [`version`](Self::version) tells which.
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

    /// A [`SessionContext`] on the current snapshot, for DataFrames and the other Rust APIs of DataFusion. The context
    /// only reads tables; changes go through the engine. The engine's limits on SQL text do not apply to the context.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// # engine.execute("CREATE TABLE t (id BIGINT, name TEXT)").await?;
    /// let context = engine.session_context().await?;
    /// assert_eq!(context.table("t").await?.count().await?, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Unavailable` and `Corrupt`, of a durable store.
    ///
    /// # Cancel safety
    /// A call that is dropped stops the statement; nothing is changed.
    pub async fn session_context(&self) -> Result<SessionContext, DfOlapError> {
        self.calls.session_context().await
    }

    /// Registers a scalar function for SQL.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
    /// # use std::sync::Arc;
    /// # use rhei_datafusion::arrow::datatypes::DataType;
    /// # use rhei_datafusion::datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
    /// # use rhei_datafusion::{DataFusionEngine, OlapEngine};
    /// # let engine = DataFusionEngine::new();
    /// let same = create_udf("same", vec![DataType::Int64], DataType::Int64, Volatility::Immutable,
    ///     Arc::new(|args: &[ColumnarValue]| Ok(args[0].clone())));
    /// engine.register_udf(same)?;
    /// assert_eq!(engine.query("SELECT same(7)").await?[0].num_rows(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// None today; a later version may refuse a name.
    pub fn register_udf(&self, function: ScalarUDF) -> Result<(), DfOlapError> {
        self.calls.register_udf(function)
    }

    /// Registers an aggregate function for SQL.
    ///
    /// # Errors
    /// As [`register_udf`](Self::register_udf).
    pub fn register_udaf(&self, function: AggregateUDF) -> Result<(), DfOlapError> {
        self.calls.register_udaf(function)
    }

    /// Registers a window function for SQL.
    ///
    /// # Errors
    /// As [`register_udf`](Self::register_udf).
    pub fn register_udwf(&self, function: WindowUDF) -> Result<(), DfOlapError> {
        self.calls.register_udwf(function)
    }
}

/// A shared handle to a [`DataFusionEngine`]: all clones use the same engine.
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
