//! TPC-H on every storage mode.

#[path = "../tpch/questions.rs"]
mod questions;

use crate::common::engines;

#[tokio::test]
async fn every_question_of_tpch_gets_duckdbs_answer_on_every_store() {
    for (store, engine) in engines() {
        println!("{store}");
        questions::load(&engine).await;
        questions::ask(&engine).await;
    }
}
