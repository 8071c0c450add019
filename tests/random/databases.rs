//! The databases that must agree: this engine in several configurations, and DuckDB.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rhei_datafusion::{
    CompactionPolicy, DataFusionEngine, Durability, EngineBuilder, ErrorKind, OlapEngine,
    StorageMode,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lines::Lines;
use crate::page::Page;
use crate::sql_file::render;

/// Rows, or an error.
pub type Answer = Result<Vec<String>, Failed>;

#[derive(Debug, Clone)]
pub struct Failed {
    pub text: String,
    /// Whether the error is a bug in the engine.
    pub is_internal: bool,
    pub is_unsupported: bool,
    /// Whether the statement did not finish in time.
    pub is_late: bool,
}

/// The page of the engines that run in a browser, where the run has such engines.
static PAGE: OnceLock<Mutex<Page>> = OnceLock::new();

/// From now on, every world is also loaded into an engine in a page.
pub fn open_page() {
    PAGE.get_or_init(|| Mutex::new(Page::open()));
}

pub enum Engine {
    Native(DataFusionEngine),
    Browser(u64),
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let (Self::Browser(engine), Some(page)) = (self, PAGE.get()) {
            page.lock().unwrap().close(*engine);
        }
    }
}

/// This engine in several configurations, each with the same rows.
pub struct Engines {
    pub all: Vec<(&'static str, Engine)>,
    _folders: Vec<TempDir>,
}

impl Engines {
    pub fn open() -> Self {
        let builder = |partitions, rows| {
            EngineBuilder::new()
                .target_partitions(partitions)
                .batch_size_rows(rows)
                .durability(Durability::LostOnPowerFailure)
                .compaction(CompactionPolicy::MANUAL)
                .statement_timeout(Duration::from_secs(60))
        };
        let folders = vec![tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let durable = |folder: &TempDir| StorageMode::Vortex {
            url: folder.path().to_string_lossy().to_string(),
        };
        let all = vec![
            ("memory, one partition, batches of 8", builder(1, 8)),
            ("memory, four partitions", builder(4, 8192)),
            ("durable", builder(2, 8192).storage(durable(&folders[0]))),
            (COMPACTED, builder(3, 16).storage(durable(&folders[1]))),
        ];
        let all = all
            .into_iter()
            .map(|(name, builder)| (name, Engine::Native(builder.build().unwrap())));
        let page = PAGE.get().map(|page| page.lock().unwrap().engine());
        let page = page.map(|engine| ("browser", Engine::Browser(engine)));
        Self {
            all: all.chain(page).collect(),
            _folders: folders,
        }
    }

    /// Runs a statement that changes data on each engine.
    pub async fn run(&self, sql: &str) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (name, engine) in &self.all {
            answers.push(ask(engine, sql).await);
            if let Engine::Native(engine) = engine
                && *name == COMPACTED
            {
                engine.compact().await.unwrap();
            }
        }
        answers
    }
}

const COMPACTED: &str = "durable, compacted";

pub async fn ask(engine: &Engine, sql: &str) -> Answer {
    let rows = match (engine, PAGE.get()) {
        (Engine::Native(engine), _) => engine.query(sql).await.map_err(|error| {
            let text = error.to_string();
            // The wording for errors that come from DataFusion itself.
            let is_theirs = text.contains("a statement that DataFusion cannot run");
            Failed {
                is_internal: is_theirs || matches!(error.kind(), ErrorKind::Internal),
                is_unsupported: matches!(error.kind(), ErrorKind::Unsupported),
                is_late: matches!(error.kind(), ErrorKind::Timeout),
                text,
            }
        }),
        (Engine::Browser(engine), Some(page)) => {
            let answer = page.lock().unwrap().query(*engine, sql);
            answer.map_err(|refused| Failed {
                is_internal: refused.is_internal(),
                is_unsupported: refused.code == "unsupported",
                is_late: refused.code == "timeout",
                text: refused.message,
            })
        }
        (Engine::Browser(_), None) => panic!("there is no page"),
    };
    Ok(without_sign(render(&rows?)))
}

/// Removes the sign of zeros.
fn without_sign(mut rows: Vec<String>) -> Vec<String> {
    for row in &mut rows {
        if row.contains("-0.0") {
            let values = row
                .split(" | ")
                .map(|value| if value == "-0.0" { "0.0" } else { value });
            *row = values.collect::<Vec<_>>().join(" | ");
        }
    }
    rows
}

/// DuckDB in a separate process.
pub struct DuckDb(Lines);

impl DuckDb {
    pub fn start(python: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/duckdb_rows.py");
        Self(Lines::start(Command::new(python).arg(script)))
    }

    pub fn reset(&mut self) {
        self.0.ask(&json!({ "reset": true }));
    }

    pub fn ask(&mut self, sql: &str) -> Result<Vec<String>, String> {
        let answer = self.0.ask(&json!({ "sql": sql }));
        let texts = |value: &Value| {
            let texts = value.as_array().into_iter().flatten();
            texts
                .filter_map(|text| text.as_str().map(str::to_string))
                .collect()
        };
        match answer["error"].as_str() {
            Some(error) => Err(error.to_string()),
            None => Ok(without_sign(texts(&answer["rows"]))),
        }
    }
}
