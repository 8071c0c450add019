//! Runs every `tests/sql/*.sql` on every storage mode.

use std::path::Path;

use futures::{StreamExt, stream};
use rhei_datafusion::SharedDataFusionEngine;

use crate::common::engines;
use crate::sql_file::parse;

#[tokio::test]
async fn every_sql_file_gives_its_expected_answers_on_every_store() {
    run_all(1, |_| engines()).await;
}

/// Runs each file on empty engines, `at_once` files in parallel.
pub async fn run_all(
    at_once: usize,
    open: impl Fn(&str) -> Vec<(&'static str, SharedDataFusionEngine)>,
) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "sql"))
        .collect();
    files.sort();
    let only = std::env::var("SQL_FILE").ok();
    let runs = files.iter().map(async |path| {
        let (mut statements, mut wrong) = (0, Vec::new());
        let name = path.file_name().unwrap().to_string_lossy().to_string();
        if only.as_ref().is_some_and(|only| *only != name) {
            return (statements, wrong);
        }
        let cases = parse(&std::fs::read_to_string(path).unwrap());
        for (store, engine) in open(&name) {
            for case in &cases {
                statements += 1;
                if let Err(difference) = case.check(&engine).await {
                    wrong.push(format!(
                        "{name}:{} ({store}): {}\n{difference}",
                        case.line, case.sql
                    ));
                }
            }
        }
        (statements, wrong)
    });
    let done: Vec<_> = stream::iter(runs).buffer_unordered(at_once).collect().await;
    let statements: usize = done.iter().map(|(statements, _)| statements).sum();
    let wrong: Vec<String> = done.into_iter().flat_map(|(_, wrong)| wrong).collect();
    println!("{statements} statements in {} files", files.len());
    assert!(
        wrong.is_empty(),
        "{} differ:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(
        only.is_some() || statements >= 300,
        "the files hold the statements"
    );
}
