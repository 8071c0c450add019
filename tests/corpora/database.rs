//! The engine as what sqllogictest runs statements on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rhei_datafusion::{DataFusionEngine, DfOlapError, EngineBuilder, OlapEngine, StorageMode};
use sqllogictest::{AsyncDB, DBOutput};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::text::{Type, rows, types};

/// Longer than any of the statements takes.
const DEADLINE: Duration = Duration::from_secs(120);
/// Writes after which the engine is opened anew.
const WRITES: usize = 5;

#[derive(Clone, Copy)]
pub enum Kind {
    Memory,
    Durable,
}

/// An engine; clones are the same one.
#[derive(Clone)]
pub struct Database(Arc<Mutex<Open>>);

struct Open {
    engine: DataFusionEngine,
    /// Where it is durable.
    folder: Option<TempDir>,
    writes: usize,
    /// Whether the session has what an engine that is opened anew has not: settings, prepared statements, external tables.
    has_session: bool,
}

impl Database {
    pub fn open(kind: Kind) -> Self {
        let folder = match kind {
            Kind::Memory => None,
            Kind::Durable => Some(tempfile::tempdir().unwrap()),
        };
        Self(Arc::new(Mutex::new(Open {
            engine: engine(folder.as_ref().map(|folder| folder.path().to_path_buf())),
            folder,
            writes: 0,
            has_session: false,
        })))
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

#[async_trait]
impl AsyncDB for Database {
    type Error = DfOlapError;
    type ColumnType = Type;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Type>, DfOlapError> {
        let mut open = self.0.lock().await;
        let batches = open.engine.query(sql).await?;
        open.has_session |= is_session(sql);
        if open.folder.is_some() && is_write(sql) {
            open.engine.compact().await?;
            open.writes += 1;
            if open.writes % WRITES == 0 && !open.has_session {
                let folder = open
                    .folder
                    .as_ref()
                    .map(|folder| folder.path().to_path_buf());
                open.engine = engine(folder);
            }
        }
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
