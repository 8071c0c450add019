//! Rhei 2: its trait `OlapEngine` for the engine of this crate, over Arrow 58.
//!
//! It differs from [`OlapEngine`](crate::OlapEngine) of this crate in what Rhei needs. Rows with a key that is there
//! replace it, by `load_arrow` and by a plain INSERT, because Rhei sends rows again after a restart. Texts and bytes
//! come as plain arrays. And no error but that of an unknown column reads like one, for which Rhei leaves events out.

mod bridge;
mod cycle;
mod errors;
mod sync;

use std::error::Error;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef as SchemaRef59};
use arrow_58::datatypes::{DataType, SchemaRef};
use arrow_58::record_batch::RecordBatch;
use futures::StreamExt;
use rhei_core::{OlapEngine, RecordBatchBoxStream};

use self::bridge::{ToRhei, batches_from_rhei, batches_to_rhei, schema_from_rhei, type_from_rhei};
use self::errors::worded;
pub use self::sync::{NativeSync, NativeSyncError};
use crate::engine::{DataFusionEngine, SharedDataFusionEngine};
use crate::error::DfOlapError;
use crate::options::StatementOptions;

async fn query(engine: &DataFusionEngine, sql: &str) -> Result<Vec<RecordBatch>, DfOlapError> {
    let batches = engine.calls.query(sql, StatementOptions::replacing()).await;
    batches_to_rhei(&batches.map_err(worded)?).map_err(worded)
}

async fn query_stream(
    engine: &DataFusionEngine,
    sql: &str,
) -> Result<RecordBatchBoxStream, DfOlapError> {
    let batches = engine
        .calls
        .query_stream(sql, StatementOptions::replacing())
        .await;
    let mut to: Option<ToRhei> = None;
    let batches = batches.map_err(worded)?.map(move |batch| {
        let batch = batch.map_err(|error| match error.downcast::<DfOlapError>() {
            Ok(error) => Box::new(worded(*error)) as Box<dyn Error + Send + Sync>,
            Err(other) => other,
        })?;
        let known = match &to {
            Some(known) => known,
            None => to.insert(ToRhei::new(batch.schema_ref())?),
        };
        Ok(known.batch(&batch)?)
    });
    Ok(Box::pin(batches))
}

async fn execute(engine: &DataFusionEngine, sql: &str) -> Result<u64, DfOlapError> {
    let done = match cycle::execute(engine, sql).await {
        Ok(None) => {
            engine
                .calls
                .execute(sql, StatementOptions::replacing())
                .await
        }
        Ok(Some(rows)) => Ok(rows),
        Err(error) => Err(error),
    };
    done.map_err(worded)
}

async fn load_arrow(
    engine: &DataFusionEngine,
    table: &str,
    batches: &[RecordBatch],
) -> Result<u64, DfOlapError> {
    let batches = batches_from_rhei(batches).map_err(worded)?;
    let loaded = match cycle::load(engine, table, &batches).await {
        Ok(None) => engine.calls.replace(table, &batches).await,
        Ok(Some(rows)) => Ok(rows),
        Err(error) => Err(error),
    };
    if matches!(loaded, Err(DfOlapError::SchemaMismatch(_)))
        && let Ok(schema) = engine.calls.table_schema(table).await
    {
        let mut fields = batches.iter().flat_map(|batch| batch.schema_ref().fields());
        if let Some(unknown) = fields.find(|field| schema.index_of(field.name()).is_err()) {
            return Err(DfOlapError::ColumnNotFound(format!(
                "{} in table {table}, which the data has",
                unknown.name()
            )));
        }
    }
    loaded.map_err(worded)
}

async fn create_table(
    engine: &DataFusionEngine,
    table: &str,
    schema: &SchemaRef,
    primary_key: &[String],
) -> Result<(), DfOlapError> {
    let schema = schema_from_rhei(schema).map_err(worded)?;
    let schema = match engine.calls.table_schema(table).await {
        Ok(there) => nullable_as(&there, &schema),
        Err(_) => schema,
    };
    let created = engine.calls.create_table(table, &schema, primary_key).await;
    created.map_err(worded)
}

/// A schema whose columns may be NULL where those of the table that is there may: Rhei adds columns that may be NULL,
/// and a program registers them as its database has them.
fn nullable_as(there: &Schema, schema: &SchemaRef59) -> SchemaRef59 {
    let is_nullable = |name: &str| {
        let field = there.field_with_name(name);
        field.is_ok_and(|field| field.is_nullable())
    };
    let fields = schema.fields().iter().map(|field| {
        let nullable = field.is_nullable() || is_nullable(field.name());
        field.as_ref().clone().with_nullable(nullable)
    });
    let fields: Vec<Field> = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

async fn add_column(
    engine: &DataFusionEngine,
    table: &str,
    column: &str,
    data_type: &DataType,
) -> Result<(), DfOlapError> {
    let data_type = type_from_rhei(data_type).map_err(worded)?;
    let added = engine.calls.add_column(table, column, &data_type).await;
    added.map_err(worded)
}

macro_rules! olap_engine {
    ($engine:ty) => {
        impl OlapEngine for $engine {
            type Error = DfOlapError;

            async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, DfOlapError> {
                query(self, sql).await
            }

            async fn query_stream(&self, sql: &str) -> Result<RecordBatchBoxStream, DfOlapError> {
                query_stream(self, sql).await
            }

            async fn execute(&self, sql: &str) -> Result<u64, DfOlapError> {
                execute(self, sql).await
            }

            async fn load_arrow(
                &self,
                table: &str,
                batches: &[RecordBatch],
            ) -> Result<u64, DfOlapError> {
                load_arrow(self, table, batches).await
            }

            async fn create_table(
                &self,
                table_name: &str,
                schema: &SchemaRef,
                primary_key: &[String],
            ) -> Result<(), DfOlapError> {
                create_table(self, table_name, schema, primary_key).await
            }

            async fn table_exists(&self, table_name: &str) -> Result<bool, DfOlapError> {
                self.calls.table_exists(table_name).await.map_err(worded)
            }

            async fn add_column(
                &self,
                table_name: &str,
                column_name: &str,
                data_type: &DataType,
            ) -> Result<(), DfOlapError> {
                add_column(self, table_name, column_name, data_type).await
            }

            async fn drop_column(
                &self,
                table_name: &str,
                column_name: &str,
            ) -> Result<(), DfOlapError> {
                let dropped = self.calls.drop_column(table_name, column_name).await;
                dropped.map_err(worded)
            }

            fn supports_transactions(&self) -> bool {
                self.transactions.is_some()
            }
        }
    };
}

olap_engine!(DataFusionEngine);
olap_engine!(SharedDataFusionEngine);
