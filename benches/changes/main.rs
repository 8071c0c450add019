//! Measures row changes of another database: batches of them applied to a large table, in memory and in a folder whose
//! commits are synced, and events of Debezium that are read.
//!
//! The table has a million rows, or as many as `ROWS` says. Of the changes 70 % are updates of whole rows, 15 % inserts
//! and 15 % deletes. Each batch is a commit. Arguments choose among the settings by the words in their names, such as
//! `folder random 10`; `read` is the reading of events. With `JSON` set to a path, the results are written there too.
//!
//! Three more run only if their name is the first word, with the keys that the second one says:
//! - `load`: loads into a folder with a primary key and without.
//! - `large`: a table in a folder that another process opens and changes, and the memory that this one takes.
//! - `lasting`: 100,000 batches of 10 changes in a folder, and the scans of the table afterwards. A third word is a
//!   folder in which the tables stay; if they are there already, only the scans are measured.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "native; a panic is how a measurement fails"
)]

mod batches;
mod events;
mod large;
mod lasting;
mod load;
mod source;

use source::Keys;

#[tokio::main]
async fn main() {
    let arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let words: Vec<String> = arguments.collect();
    let rows = std::env::var("ROWS").map_or(1_000_000, |rows| rows.parse().expect("ROWS"));
    let word = |at: usize| words.get(at).map(String::as_str);
    let keys = word(1).map_or(Keys::Random, Keys::named);
    match word(0) {
        Some("load") => return load::load(keys, rows).await,
        Some("large") => return large::fill_and_open(keys, rows).await,
        Some(large::OPEN) => return large::open(keys, rows, word(2).expect("a folder")).await,
        Some("lasting") => return lasting::lasting(keys, rows, word(2)).await,
        _ => {}
    }
    let results = batches::batches(&words, rows).await;
    if words.is_empty() || word(0) == Some("read") {
        events::read().await;
    }
    if let Ok(path) = std::env::var("JSON") {
        std::fs::write(path, format!("[{}]", results.join(",\n"))).expect("the results");
    }
}
