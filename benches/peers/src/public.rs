//! The published engine, `rhei-datafusion` 2.0.0 on DataFusion 53 and Arrow 58.
//!
//! The published engine recognizes statements by their first word, requires a column list after INSERT INTO, and
//! supports only conditions of `column = literal` joined by AND; all statements here follow these limits.

use std::path::Path;

use ::arrow58::array::RecordBatch;
use ::public::{DataFusionEngine, StorageMode};
use ::rhei_core::{OlapEngine, RecordBatchBoxStream};
use futures::{StreamExt, TryStreamExt, future};

use crate::data::arrow_58::schema;
use crate::measure::{Engine, Failure, Queries};

#[derive(Default)]
pub struct Public(pub DataFusionEngine);

impl Public {
    /// An engine whose tables are in a folder. The engine does not sync.
    pub fn stored(folder: &Path) -> Result<Self, Failure> {
        let url = folder.display().to_string();
        Ok(Self(DataFusionEngine::with_storage(StorageMode::Vortex {
            url,
        })?))
    }
}

impl Queries for Public {
    async fn drain(&self, sql: &str) -> Result<usize, Failure> {
        let rows = self.0.query_stream(sql).await?;
        rows.try_fold(0, |sum, batch| future::ready(Ok(sum + batch.num_rows())))
            .await
    }
}

impl Engine for Public {
    type Batch = RecordBatch;
    type Rows = RecordBatchBoxStream;

    async fn create(&self, name: &str) -> Result<(), Failure> {
        Ok(self
            .0
            .create_table(name, &schema(), &["id".to_string()])
            .await?)
    }

    async fn append(&self, table: &str, batches: &[RecordBatch]) -> Result<u64, Failure> {
        Ok(self.0.load_arrow(table, batches).await?)
    }

    async fn execute(&self, sql: &str) -> Result<u64, Failure> {
        Ok(self.0.execute(sql).await?)
    }

    async fn first_batch(&self, sql: &str) -> Result<(usize, RecordBatchBoxStream), Failure> {
        let mut rows = self.0.query_stream(sql).await?;
        let first = rows.next().await.ok_or("no batch")??;
        Ok((first.num_rows(), rows))
    }
}
