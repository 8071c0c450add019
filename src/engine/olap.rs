//! [`OlapEngine`] for [`DataFusionEngine`] and [`SharedDataFusionEngine`].

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::{DataFusionEngine, SharedDataFusionEngine};
use crate::error::DfOlapError;
use crate::olap::{OlapEngine, RecordBatchBoxStream};
use crate::options::StatementOptions;

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
