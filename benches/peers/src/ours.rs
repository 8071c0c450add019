//! This engine, and, as the yardstick for its in-memory scans, a `MemTable` of the same DataFusion version.

use std::path::Path;
use std::sync::Arc;

use ::ours::arrow::array::RecordBatch;
use ::ours::datafusion::datasource::MemTable;
use ::ours::datafusion::prelude::SessionContext;
use ::ours::{
    DataFusionEngine, Durability, EngineBuilder, OlapEngine, RecordBatchBoxStream, StorageMode,
};
use futures::{StreamExt, TryStreamExt, future};

use crate::data::arrow_59::schema;
use crate::measure::{Engine, Failure, Queries, engine};

#[derive(Default)]
pub struct Ours(pub DataFusionEngine);

impl Ours {
    /// An engine whose database is in a folder.
    pub fn stored(folder: &Path, durability: Durability) -> Result<Self, Failure> {
        let url = folder.display().to_string();
        let builder = EngineBuilder::new()
            .storage(StorageMode::Vortex { url })
            .durability(durability);
        Ok(Self(builder.build()?))
    }
}

engine!(Ours);

/// A `MemTable` in a session with DataFusion's defaults. It answers queries and takes no changes.
pub struct PlainMemTable(SessionContext);

impl PlainMemTable {
    /// Registers `batches` as `table`, divided into `partitions` runs of about equal length. Nothing is copied.
    pub fn new(table: &str, batches: &[RecordBatch], partitions: usize) -> Result<Self, Failure> {
        let run = batches.len().div_ceil(partitions).max(1);
        let partitions = batches.chunks(run).map(<[RecordBatch]>::to_vec).collect();
        let context = SessionContext::new();
        context.register_table(table, Arc::new(MemTable::try_new(schema(), partitions)?))?;
        Ok(Self(context))
    }
}

impl Queries for PlainMemTable {
    async fn drain(&self, sql: &str) -> Result<usize, Failure> {
        let rows = self.0.sql(sql).await?.execute_stream().await?;
        let counted = rows.try_fold(0, |sum, batch| future::ready(Ok(sum + batch.num_rows())));
        Ok(counted.await?)
    }
}
