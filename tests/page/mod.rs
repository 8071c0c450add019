//! Engines in a page of Chromium, through a Node.js process that has opened the page. The npm package must be built.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use rhei_datafusion::arrow::ipc::reader::StreamReader;
use rhei_datafusion::arrow::record_batch::RecordBatch;
use serde_json::{Value, json};

use crate::lines::Lines;

/// An error with the code that the npm package gives it.
#[derive(Debug, Clone)]
pub struct Refused {
    pub code: String,
    pub message: String,
}

impl Refused {
    /// Whether the error is a bug in the engine.
    pub fn is_internal(&self) -> bool {
        ["internal", "engine_crashed"].contains(&self.code.as_str())
    }
}

pub struct Page(Lines);

impl Page {
    pub fn open() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("js/scripts/bridge.mjs");
        Self(Lines::start(Command::new("node").arg(script)))
    }

    /// Creates an engine and returns its number.
    pub fn engine(&mut self) -> u64 {
        let answer = self.ask(&json!({ "open": true })).unwrap();
        answer["engine"].as_u64().unwrap()
    }

    pub fn close(&mut self, engine: u64) {
        self.ask(&json!({ "close": engine })).unwrap();
    }

    pub fn query(&mut self, engine: u64, sql: &str) -> Result<Vec<RecordBatch>, Refused> {
        let answer = self.ask(&json!({ "engine": engine, "sql": sql }))?;
        let length = usize::try_from(answer["bytes"].as_u64().unwrap()).unwrap();
        let mut bytes = vec![0; length];
        self.0.answers.read_exact(&mut bytes).unwrap();
        let batches = StreamReader::try_new(bytes.as_slice(), None).unwrap();
        Ok(batches.map(Result::unwrap).collect())
    }

    fn ask(&mut self, request: &Value) -> Result<Value, Refused> {
        let answer = self.0.ask(request);
        match answer["message"].as_str() {
            Some(message) => Err(Refused {
                code: answer["code"].as_str().unwrap_or("internal").to_string(),
                message: message.to_string(),
            }),
            None => Ok(answer),
        }
    }
}
