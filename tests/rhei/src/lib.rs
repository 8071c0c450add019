//! The published Rhei on this engine: what its tests share.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// How many changes a test makes: `CHANGES`, or a few.
pub fn changes() -> usize {
    std::env::var("CHANGES").map_or(600, |text| text.parse().expect("CHANGES"))
}

/// Each row as a text.
pub fn shown(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL (none)");
    let mut lines = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter();
        let columns = columns.map(|column| {
            ArrayFormatter::try_new(column, &options).expect("a type that can be shown")
        });
        let columns: Vec<_> = columns.collect();
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| column.value(row).to_string());
            lines.push(cells.collect::<Vec<String>>().join(" | "));
        }
    }
    lines
}

/// Polls a future so many times, at most, and drops it.
pub async fn cut_off<F: Future>(future: F, polls: usize) {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        left = left.saturating_sub(1);
        match future.as_mut().poll(context).is_ready() || left == 0 {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// Literals of texts, of the kind that has to be quoted with care.
pub const TEXTS: [&str; 7] = [
    "NULL",
    "''",
    "'it''s'",
    "'a;b--c\n\\'",
    "'\u{1F600}'",
    "'NULL'",
    "'plain'",
];
