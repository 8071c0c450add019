//! [`EngineCalls`]: the engine's methods as a trait object.
//!
//! An `async fn` is compiled in the crate that awaits it: in every program that calls the engine, with everything that
//! the function awaits in turn. This trait boxes its futures in functions that are not generic, so that the code behind
//! the futures is compiled once, in this crate.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use super::Executor;
use super::tables::find;
#[cfg(feature = "rhei")]
use super::transaction::{Step, Transaction};
use crate::cdc::{Applied, Changes};
use crate::error::DfOlapError;
#[cfg(feature = "json")]
use crate::events::{EventReader, ReadChanges};
use crate::olap::RecordBatchBoxStream;
use crate::options::StatementOptions;
use crate::outcome::Outcome;
use crate::snapshot::{Snapshot, Version, Watermark};
use crate::store::Upkeep;
use crate::upkeep::At;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use futures::stream::BoxStream;

/// The calls of an engine, documented at the public methods.
#[async_trait]
pub(crate) trait EngineCalls: Debug + Send + Sync {
    /// The newest snapshot.
    #[allow(dead_code, reason = "the face for JavaScript asks")]
    async fn snapshot(&self) -> Result<Arc<Snapshot>, DfOlapError>;

    /// Runs the one statement of a text.
    #[allow(dead_code, reason = "the face for JavaScript asks")]
    async fn run(&self, sql: &str, options: StatementOptions) -> Result<Outcome, DfOlapError>;

    async fn query(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Vec<RecordBatch>, DfOlapError>;

    async fn query_stream(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<RecordBatchBoxStream, DfOlapError>;

    async fn query_at(
        &self,
        sql: &str,
        at: At,
        options: StatementOptions,
    ) -> Result<Vec<RecordBatch>, DfOlapError>;

    async fn execute(&self, sql: &str, options: StatementOptions) -> Result<u64, DfOlapError>;

    async fn execute_batch(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Vec<u64>, DfOlapError>;

    async fn load(&self, table: &str, batches: &[RecordBatch]) -> Result<u64, DfOlapError>;

    /// Adds rows, which replace those with the same PRIMARY KEY.
    #[cfg(feature = "rhei")]
    async fn replace(&self, table: &str, batches: &[RecordBatch]) -> Result<u64, DfOlapError>;

    /// Begins a transaction on the newest snapshot.
    #[cfg(feature = "rhei")]
    async fn open_transaction(&self) -> Result<Transaction, DfOlapError>;

    /// Makes a call within a transaction.
    #[cfg(feature = "rhei")]
    async fn step(&self, within: &mut Transaction, step: Step) -> Result<u64, DfOlapError>;

    #[cfg(feature = "rhei")]
    async fn commit_steps(&self, transaction: Transaction) -> Result<(), DfOlapError>;

    async fn load_stream(
        &self,
        table: &str,
        batches: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<u64, DfOlapError>;

    async fn create_table(
        &self,
        table: &str,
        schema: &SchemaRef,
        primary_key: &[String],
    ) -> Result<(), DfOlapError>;

    async fn create_table_from(
        &self,
        table: &str,
        schema: &SchemaRef,
        primary_key: &[String],
        batches: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<u64, DfOlapError>;

    async fn drop_table(&self, table: &str) -> Result<(), DfOlapError>;

    async fn add_column(
        &self,
        table: &str,
        column: &str,
        data_type: &DataType,
    ) -> Result<(), DfOlapError>;

    async fn drop_column(&self, table: &str, column: &str) -> Result<(), DfOlapError>;

    async fn apply_changes(&self, source: &str, changes: &Changes) -> Result<Applied, DfOlapError>;

    #[cfg(feature = "json")]
    async fn read_changes(
        &self,
        reader: &EventReader,
        events: &[u8],
    ) -> Result<ReadChanges, DfOlapError>;

    async fn watermarks(&self) -> Result<BTreeMap<String, Watermark>, DfOlapError>;

    async fn reset_watermark(&self, source: &str, seq: Option<u64>) -> Result<(), DfOlapError>;

    async fn version(&self) -> Result<Version, DfOlapError>;

    async fn tables(&self) -> Result<Vec<String>, DfOlapError>;

    async fn table_schema(&self, table: &str) -> Result<SchemaRef, DfOlapError>;

    async fn table_exists(&self, table: &str) -> Result<bool, DfOlapError>;

    async fn session_context(&self) -> Result<SessionContext, DfOlapError>;

    fn register_udf(&self, function: ScalarUDF) -> Result<(), DfOlapError>;

    fn register_udaf(&self, function: AggregateUDF) -> Result<(), DfOlapError>;

    fn register_udwf(&self, function: WindowUDF) -> Result<(), DfOlapError>;

    /// Maintenance of a durable store.
    fn upkeep(&self) -> &dyn Upkeep;
}

#[async_trait]
impl EngineCalls for Arc<Executor> {
    async fn snapshot(&self) -> Result<Arc<Snapshot>, DfOlapError> {
        self.store.snapshot().await
    }

    async fn run(&self, sql: &str, options: StatementOptions) -> Result<Outcome, DfOlapError> {
        self.run_one(sql, options).await
    }

    async fn query(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Vec<RecordBatch>, DfOlapError> {
        self.run_one(sql, options).await?.collect().await
    }

    async fn query_stream(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<RecordBatchBoxStream, DfOlapError> {
        let rows = self.run_one(sql, options).await?.stream();
        Ok(Box::pin(rows.map_err(|error| {
            Box::new(error) as Box<dyn Error + Send + Sync>
        })))
    }

    async fn query_at(
        &self,
        sql: &str,
        at: At,
        options: StatementOptions,
    ) -> Result<Vec<RecordBatch>, DfOlapError> {
        self.run_at(sql, at, options).await?.collect().await
    }

    async fn execute(&self, sql: &str, options: StatementOptions) -> Result<u64, DfOlapError> {
        self.run_one(sql, options).await?.count().await
    }

    async fn execute_batch(
        &self,
        sql: &str,
        options: StatementOptions,
    ) -> Result<Vec<u64>, DfOlapError> {
        self.run_batch(sql, options).await
    }

    async fn load(&self, table: &str, batches: &[RecordBatch]) -> Result<u64, DfOlapError> {
        self.append_batches(table, batches).await
    }

    #[cfg(feature = "rhei")]
    async fn replace(&self, table: &str, batches: &[RecordBatch]) -> Result<u64, DfOlapError> {
        self.replace_batches(table, batches).await
    }

    #[cfg(feature = "rhei")]
    async fn open_transaction(&self) -> Result<Transaction, DfOlapError> {
        self.begin_transaction().await
    }

    #[cfg(feature = "rhei")]
    async fn step(&self, within: &mut Transaction, step: Step) -> Result<u64, DfOlapError> {
        self.step_in(within, step).await
    }

    #[cfg(feature = "rhei")]
    async fn commit_steps(&self, transaction: Transaction) -> Result<(), DfOlapError> {
        self.commit_transaction(transaction).await
    }

    async fn load_stream(
        &self,
        table: &str,
        batches: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<u64, DfOlapError> {
        self.append_stream(table, batches).await
    }

    async fn create_table(
        &self,
        table: &str,
        schema: &SchemaRef,
        primary_key: &[String],
    ) -> Result<(), DfOlapError> {
        self.create_empty(table, schema, primary_key).await
    }

    async fn create_table_from(
        &self,
        table: &str,
        schema: &SchemaRef,
        primary_key: &[String],
        batches: BoxStream<'_, Result<RecordBatch, DfOlapError>>,
    ) -> Result<u64, DfOlapError> {
        self.create_filled(table, schema, primary_key, batches)
            .await
    }

    async fn drop_table(&self, table: &str) -> Result<(), DfOlapError> {
        self.drop_named(table).await
    }

    async fn add_column(
        &self,
        table: &str,
        column: &str,
        data_type: &DataType,
    ) -> Result<(), DfOlapError> {
        self.add_nullable(table, column, data_type).await
    }

    async fn drop_column(&self, table: &str, column: &str) -> Result<(), DfOlapError> {
        self.reshape(table, |shape| shape.drop(column, false)).await
    }

    async fn apply_changes(&self, source: &str, changes: &Changes) -> Result<Applied, DfOlapError> {
        self.run_changes(source, changes).await
    }

    #[cfg(feature = "json")]
    async fn read_changes(
        &self,
        reader: &EventReader,
        events: &[u8],
    ) -> Result<ReadChanges, DfOlapError> {
        self.changes_of(reader, events).await
    }

    async fn watermarks(&self) -> Result<BTreeMap<String, Watermark>, DfOlapError> {
        let snapshot = self.store.snapshot().await?;
        Ok(snapshot.watermarks.as_ref().clone())
    }

    async fn reset_watermark(&self, source: &str, seq: Option<u64>) -> Result<(), DfOlapError> {
        self.set_watermark(source, seq).await
    }

    async fn version(&self) -> Result<Version, DfOlapError> {
        Ok(self.store.snapshot().await?.version)
    }

    async fn tables(&self) -> Result<Vec<String>, DfOlapError> {
        let snapshot = self.store.snapshot().await?;
        let names = snapshot.names.keys();
        Ok(names
            .filter(|n| snapshot.table(n).is_some())
            .cloned()
            .collect())
    }

    async fn table_schema(&self, table: &str) -> Result<SchemaRef, DfOlapError> {
        let (_, table) = find(self.store.snapshot().await?.as_ref(), table)?;
        Ok(Arc::clone(&table.definition.schema))
    }

    async fn table_exists(&self, table: &str) -> Result<bool, DfOlapError> {
        Ok(find(self.store.snapshot().await?.as_ref(), table).is_ok())
    }

    async fn session_context(&self) -> Result<SessionContext, DfOlapError> {
        self.context().await
    }

    fn register_udf(&self, function: ScalarUDF) -> Result<(), DfOlapError> {
        self.configure(|state| {
            state.register_udf(Arc::new(function))?;
            Ok(())
        })
    }

    fn register_udaf(&self, function: AggregateUDF) -> Result<(), DfOlapError> {
        self.configure(|state| {
            state.register_udaf(Arc::new(function))?;
            Ok(())
        })
    }

    fn register_udwf(&self, function: WindowUDF) -> Result<(), DfOlapError> {
        self.configure(|state| {
            state.register_udwf(Arc::new(function))?;
            Ok(())
        })
    }

    fn upkeep(&self) -> &dyn Upkeep {
        self.store.upkeep()
    }
}
