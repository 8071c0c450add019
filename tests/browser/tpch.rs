//! TPC-H in the browser.

#[path = "../tpch/questions.rs"]
mod questions;

use rhei_datafusion::{DataFusionEngine, drive};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn every_question_of_tpch_gets_duckdbs_answer() {
    let engine = DataFusionEngine::new();
    drive(questions::load(&engine)).await;
    drive(questions::ask(&engine)).await;
}
