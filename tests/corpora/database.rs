//! Runs sqllogictest statements on this engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rhei_datafusion::arrow::record_batch::RecordBatch;
use rhei_datafusion::{
    DataFusionEngine, DfOlapError, Durability, EngineBuilder, OlapEngine, StorageMode,
};
use sqllogictest::{AsyncDB, DBOutput};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::page::Page;
use crate::text::{Type, rows, types};

/// Longer than any statement takes.
const DEADLINE: Duration = Duration::from_secs(120);
/// The number of writes after which the engine is reopened.
const WRITES: usize = 5;

#[derive(Clone)]
pub enum Kind {
    Memory,
    Durable,
    /// In a page of Chromium, shared by all files.
    Browser(Arc<Mutex<Page>>),
}

/// An engine; clones share it.
#[derive(Clone)]
pub enum Database {
    Native(Arc<Mutex<Open>>),
    Browser(Arc<Mutex<Page>>, u64),
}

pub struct Open {
    engine: DataFusionEngine,
    /// The folder of a durable database.
    folder: Option<TempDir>,
    writes: usize,
    /// Whether the session has state that a reopened engine would lose: settings, prepared statements, external tables.
    has_session: bool,
}

impl Database {
    pub async fn open(kind: Kind) -> Self {
        let folder = match kind {
            Kind::Memory => None,
            Kind::Durable => Some(tempfile::tempdir().unwrap()),
            Kind::Browser(page) => {
                let engine = page.lock().await.engine();
                return Self::Browser(page, engine);
            }
        };
        Self::Native(Arc::new(Mutex::new(Open {
            engine: engine(folder.as_ref().map(|folder| folder.path().to_path_buf())),
            folder,
            writes: 0,
            has_session: false,
        })))
    }

    pub async fn close(self) {
        if let Self::Browser(page, engine) = self {
            page.lock().await.close(engine);
        }
    }
}

fn engine(folder: Option<PathBuf>) -> DataFusionEngine {
    let storage = match folder {
        None => StorageMode::InMemory,
        Some(folder) => StorageMode::Vortex {
            url: folder.to_string_lossy().to_string(),
        },
    };
    EngineBuilder::new()
        .storage(storage)
        .durability(Durability::LostOnPowerFailure)
        .target_partitions(4)
        .allow_settings(true)
        .allow_external_reads(true)
        .allow_external_writes(true)
        .statement_timeout(DEADLINE)
        .build()
        .unwrap()
}

fn is_write(sql: &str) -> bool {
    let word = sql.split_whitespace().next().unwrap_or_default();
    ["insert", "update", "delete", "merge", "truncate"]
        .iter()
        .any(|write| word.eq_ignore_ascii_case(write))
        || word.eq_ignore_ascii_case("create") && !sql.to_ascii_lowercase().contains("external")
}

fn is_session(sql: &str) -> bool {
    let words = sql.to_ascii_lowercase();
    let mut words = words.split_whitespace();
    match words.next() {
        Some("set" | "prepare" | "deallocate") => true,
        Some("create") => words.any(|word| word == "external" || word == "function"),
        _ => false,
    }
}

impl Open {
    async fn query(&mut self, sql: &str) -> Result<Vec<RecordBatch>, DfOlapError> {
        let batches = self.engine.query(sql).await?;
        self.has_session |= is_session(sql);
        if self.folder.is_some() && is_write(sql) {
            self.engine.compact().await?;
            self.writes += 1;
            if self.writes.is_multiple_of(WRITES) && !self.has_session {
                let folder = self.folder.as_ref();
                self.engine = engine(folder.map(|folder| folder.path().to_path_buf()));
            }
        }
        Ok(batches)
    }
}

#[async_trait]
impl AsyncDB for Database {
    type Error = DfOlapError;
    type ColumnType = Type;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Type>, DfOlapError> {
        let batches = match self {
            Self::Native(open) => open.lock().await.query(sql).await?,
            Self::Browser(page, engine) => {
                let answer = page.lock().await.query(*engine, sql);
                answer.map_err(|refused| match refused.is_internal() {
                    true => DfOlapError::Other(refused.message),
                    false => DfOlapError::Invalid(refused.message),
                })?
            }
        };
        let columns = batches
            .first()
            .map_or_else(Vec::new, |batch| types(&batch.schema()));
        let rows = rows(&batches)?;
        Ok(match columns.is_empty() && rows.is_empty() {
            true => DBOutput::StatementComplete(0),
            false => DBOutput::Rows {
                types: columns,
                rows,
            },
        })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "DataFusion"
    }
}
