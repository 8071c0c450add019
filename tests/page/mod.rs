//! Engines in a page of Chromium, by a process of Node.js that has the page open. The npm package has to be built.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rhei_datafusion::arrow::ipc::reader::StreamReader;
use rhei_datafusion::arrow::record_batch::RecordBatch;
use serde_json::{Value, json};

/// What failed, by the code that the package gives it.
#[derive(Debug, Clone)]
pub struct Refused {
    pub code: String,
    pub message: String,
}

pub struct Page {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Page {
    pub fn open() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("js/scripts/bridge.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("node: {error}"));
        Self {
            requests: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    /// Makes an engine, and says its number.
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
        self.answers.read_exact(&mut bytes).unwrap();
        let batches = StreamReader::try_new(bytes.as_slice(), None).unwrap();
        Ok(batches.map(Result::unwrap).collect())
    }

    fn ask(&mut self, request: &Value) -> Result<Value, Refused> {
        writeln!(self.requests, "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the page answered {line:?}: {error}"));
        match answer["message"].as_str() {
            Some(message) => Err(Refused {
                code: answer["code"].as_str().unwrap_or("internal").to_string(),
                message: message.to_string(),
            }),
            None => Ok(answer),
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
