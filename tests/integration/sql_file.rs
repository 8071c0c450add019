//! The format of `tests/sql/*.sql`: statements with their expected results. `scripts/duckdb_oracle.py` describes the
//! format.

use std::fmt::Write;

use rhei_datafusion::arrow::array::{Array, ArrayRef, AsArray};
use rhei_datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type};
use rhei_datafusion::arrow::record_batch::RecordBatch;
use rhei_datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use rhei_datafusion::{DataFusionEngine, DfOlapError, OlapEngine};

/// A statement and its expected result.
pub struct Case {
    pub line: usize,
    pub sql: String,
    pub expect: Expect,
}

pub enum Expect {
    Ok,
    Count(u64),
    Rows { rows: Vec<String>, ordered: bool },
    Error { kind: String, text: String },
}

pub fn parse(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut statement: Option<(usize, String)> = None;
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        if let Some(expectation) = line.strip_prefix("-->") {
            let (at, sql) = statement
                .take()
                .unwrap_or_else(|| panic!("line {}: no statement", number + 1));
            let expectation = expectation.trim();
            let expect = if expectation == "ok" {
                Expect::Ok
            } else if let Some(count) = expectation.strip_prefix("count ") {
                Expect::Count(count.parse().unwrap())
            } else if let Some(order) = expectation.strip_prefix("rows") {
                let mut rows = Vec::new();
                while let Some((_, row)) = lines.next_if(|(_, l)| l.starts_with("-- ")) {
                    rows.push(row["-- ".len()..].to_string());
                }
                Expect::Rows {
                    rows,
                    ordered: order.trim() != "unordered",
                }
            } else if let Some(error) = expectation.strip_prefix("error ") {
                let (kind, text) = error.split_once(": ").unwrap_or((error, ""));
                Expect::Error {
                    kind: kind.to_string(),
                    text: text.to_string(),
                }
            } else {
                panic!("line {}: unknown expectation '{expectation}'", number + 1);
            };
            cases.push(Case {
                line: at,
                sql,
                expect,
            });
        } else if let Some((_, sql)) = &mut statement {
            sql.push('\n');
            sql.push_str(line);
        } else if !line.starts_with("--") && !line.trim().is_empty() {
            statement = Some((number + 1, line.to_string()));
        }
    }
    assert!(
        statement.is_none(),
        "a statement without an expectation ends the file"
    );
    cases
}

impl Case {
    /// Runs the statement; the error describes a difference from the expected result.
    pub async fn check(&self, engine: &DataFusionEngine) -> Result<(), String> {
        match &self.expect {
            Expect::Ok => match engine.query(&self.sql).await {
                Ok(_) => Ok(()),
                Err(error) => Err(failed(&error)),
            },
            Expect::Count(expected) => match engine.execute(&self.sql).await {
                Ok(count) if count == *expected => Ok(()),
                Ok(count) => Err(format!("count {count}, expected {expected}")),
                Err(error) => Err(failed(&error)),
            },
            Expect::Rows { rows, ordered } => {
                // The plan of a repeated query is cached: the third run uses the cached plan.
                let times = if self.is_query() { 3 } else { 1 };
                for time in 1..=times {
                    let batches = engine.query(&self.sql).await.map_err(|e| failed(&e))?;
                    let (mut actual, mut expected) = (render(&batches), rows.clone());
                    if !ordered {
                        actual.sort();
                        expected.sort();
                    }
                    if actual != expected {
                        return Err(format!(
                            "rows the {time}. time\n  {}\nexpected\n  {}",
                            actual.join("\n  "),
                            expected.join("\n  ")
                        ));
                    }
                }
                Ok(())
            }
            Expect::Error { kind, text } => match engine.execute(&self.sql).await {
                Ok(_) => Err(format!("succeeded, expected an error of kind {kind}")),
                Err(error) if error.kind().code() != kind || !error.to_string().contains(text) => {
                    Err(format!("{}, expected {kind}: {text}", failed(&error)))
                }
                Err(_) => Ok(()),
            },
        }
    }
}

impl Case {
    /// Whether the statement is read-only, so that it may run again.
    fn is_query(&self) -> bool {
        let words = self.sql.to_ascii_uppercase();
        let writes = ["INSERT", "UPDATE", "DELETE", "MERGE"];
        words.starts_with("SELECT")
            || words.starts_with("WITH") && !writes.iter().any(|w| words.contains(w))
    }
}

fn failed(error: &DfOlapError) -> String {
    format!("error {}: {error}", error.kind())
}

/// Renders one line for each row.
pub fn render(batches: &[RecordBatch]) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let values: Vec<String> = batch.columns().iter().map(|c| value(c, row)).collect();
            lines.push(values.join(" | "));
        }
    }
    lines
}

fn value(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "NULL".to_string();
    }
    match array.data_type() {
        DataType::Utf8 => text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => text(array.as_string_view().value(row)),
        DataType::Float32 => float(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Binary => hex(array.as_binary::<i32>().value(row)),
        DataType::BinaryView => hex(array.as_binary_view().value(row)),
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let parts: Vec<String> = fields
                .iter()
                .zip(columns)
                .map(|(field, column)| format!("{}: {}", field.name(), value(column, row)))
                .collect();
            format!("{{{}}}", parts.join(", "))
        }
        DataType::Dictionary(..) => {
            let values = array.as_any_dictionary();
            value(values.values(), values.normalized_keys()[row])
        }
        _ => {
            let options = FormatOptions::default();
            let text = ArrayFormatter::try_new(array, &options)
                .unwrap()
                .value(row)
                .to_string();
            text.strip_suffix("+00:00")
                .map(|t| format!("{t}Z"))
                .unwrap_or(text)
        }
    }
}

/// The shortest text that parses back to the same float, without an exponent and with at least one decimal.
fn float(value: impl std::fmt::Display) -> String {
    let text = value.to_string();
    if text.contains(['.', 'N', 'i']) {
        text
    } else {
        text + ".0"
    }
}

fn list(items: &ArrayRef) -> String {
    let parts: Vec<String> = (0..items.len()).map(|i| value(items, i)).collect();
    format!("[{}]", parts.join(", "))
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "''".to_string();
    }
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn text(value: &str) -> String {
    match value {
        "" => return "''".to_string(),
        "NULL" => return "\\NULL".to_string(),
        _ => {}
    }
    let escaped = value
        .replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('\n', "\\n");
    let inner = escaped.trim_matches(' ');
    let before = escaped.len() - escaped.trim_start_matches(' ').len();
    let after = match inner {
        "" => 0,
        _ => escaped.len() - escaped.trim_end_matches(' ').len(),
    };
    format!("{}{inner}{}", "\\s".repeat(before), "\\s".repeat(after))
}
