//! A process that answers each line of JSON with one line, and ends when its input ends.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

pub struct Lines {
    process: Child,
    /// `None` once no more requests follow.
    requests: Option<ChildStdin>,
    pub answers: BufReader<ChildStdout>,
}

impl Lines {
    pub fn start(command: &mut Command) -> Self {
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = process.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            requests: process.stdin.take(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    pub fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests.as_mut().unwrap(), "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the process answered {line:?}: {error}"))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.process.wait();
    }
}
