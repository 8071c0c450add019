//! The tests of the SQL files and of the wasm runtime, in a real browser.
#![cfg(target_arch = "wasm32")]
#![allow(
    missing_docs,
    clippy::panic,
    clippy::unwrap_used,
    reason = "browser tests; a panic is how a claim fails"
)]

#[path = "../integration/chains.rs"]
mod chains;
#[path = "../integration/sql_file.rs"]
mod sql_file;

mod runtime;
mod tpch;

use include_dir::{Dir, include_dir};
use rhei_datafusion::{DataFusionEngine, drive};
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/tests/sql");

#[wasm_bindgen_test]
async fn every_sql_file_gives_its_expected_answers() {
    let (mut statements, mut wrong) = (0, Vec::new());
    for file in FILES.files() {
        let name = file.path().display();
        let engine = DataFusionEngine::new();
        for case in sql_file::parse(file.contents_utf8().unwrap()) {
            statements += 1;
            if let Err(difference) = drive(case.check(&engine)).await {
                wrong.push(format!("{name}:{}: {}\n{difference}", case.line, case.sql));
            }
        }
    }
    console_log!("{statements} statements in {} files", FILES.files().count());
    assert!(
        wrong.is_empty(),
        "{} differ:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(statements >= 300, "the files hold the statements");
}
