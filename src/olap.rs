//! [`OlapEngine`]: the trait that other crates program against, as in the public `rhei-core` 2.0.0, but with Arrow 59.
//!
//! All further features (parameters, batches of statements, limits) are on
//! [`DataFusionEngine`](crate::DataFusionEngine) itself.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use futures::Stream;

/// A lazy stream of result batches. An error is the last item of the stream.
pub type RecordBatchBoxStream =
    Pin<Box<dyn Stream<Item = Result<RecordBatch, Box<dyn Error + Send + Sync>>> + Send>>;

/// An analytical SQL engine that takes and gives Arrow batches.
///
/// All methods may be called at once from any number of tasks.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rhei_datafusion::DfOlapError> {
/// use rhei_datafusion::{DataFusionEngine, OlapEngine};
///
/// async fn count<E: OlapEngine>(engine: &E, table: &str) -> Result<usize, E::Error> {
///     let rows = engine.query(&format!("SELECT * FROM {table}")).await?;
///     Ok(rows.iter().map(|batch| batch.num_rows()).sum())
/// }
///
/// let engine = DataFusionEngine::new();
/// engine.execute("CREATE TABLE t AS SELECT value AS id FROM range(3)").await?;
/// assert_eq!(count(&engine, "t").await?, 3);
/// # Ok(()) }
/// ```
///
/// # Errors
/// Each method fails with an error of the engine. Nothing is changed then, unless the engine says that the outcome of
/// the commit is unknown.
///
/// # Cancel safety
/// A dropped call applies its change whole or not at all. A dropped stream stops its query.
pub trait OlapEngine: Send + Sync {
    /// The error of all methods.
    type Error: Error + Send + Sync + 'static;

    /// Runs a statement and collects its rows.
    fn query(
        &self,
        sql: &str,
    ) -> impl Future<Output = Result<Vec<RecordBatch>, Self::Error>> + Send;

    /// Runs a statement and streams its rows as they are produced, with backpressure.
    fn query_stream(
        &self,
        sql: &str,
    ) -> impl Future<Output = Result<RecordBatchBoxStream, Self::Error>> + Send;

    /// Runs a statement for its effect. Returns the number of rows affected, 0 for DDL.
    fn execute(&self, sql: &str) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// Appends batches to a table. Returns the number of rows.
    fn load_arrow(
        &self,
        table: &str,
        batches: &[RecordBatch],
    ) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// Creates a table. An existing table with the same columns, in any order, and the same key is left as it is; an
    /// existing table with other ones is an error.
    fn create_table(
        &self,
        table_name: &str,
        schema: &SchemaRef,
        primary_key: &[String],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// True if a table of this name exists.
    fn table_exists(
        &self,
        table_name: &str,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Adds a nullable column, which is NULL in existing rows.
    fn add_column(
        &self,
        table_name: &str,
        column_name: &str,
        data_type: &DataType,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Removes a column.
    fn drop_column(
        &self,
        table_name: &str,
        column_name: &str,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// True if the engine supports `BEGIN`, `COMMIT` and `ROLLBACK`.
    fn supports_transactions(&self) -> bool;
}
