//! A cycle of Rhei's sync as one commit: what a task writes between BEGIN and COMMIT, where the engine is told so.
//! Queries read what is committed, whoever asks: the trait has no sessions, and a task may do other things in between.

use arrow::array::RecordBatch;

use crate::engine::DataFusionEngine;
use crate::error::DfOlapError;
use crate::executor::{Step, Transactions};

/// Runs a statement within the caller's transaction, or begins or ends one; `None` if the caller has none.
pub(super) async fn execute(
    engine: &DataFusionEngine,
    sql: &str,
) -> Result<Option<u64>, DfOlapError> {
    let Some(transactions) = &engine.transactions else {
        return Ok(None);
    };
    match keyword(sql) {
        Some(Keyword::Begin) => {
            let begun = transactions.number()?;
            transactions.begin(begun, engine.calls.open_transaction().await?);
            Ok(Some(0))
        }
        Some(Keyword::Commit) => match transactions.take() {
            Ok(Some((claim, transaction))) => {
                let _commit = claim.commit(&transaction).await?;
                engine.calls.commit_steps(transaction).await?;
                Ok(Some(0))
            }
            Ok(None) => Err(DfOlapError::Invalid(
                "COMMIT: no transaction is open; send BEGIN first".into(),
            )),
            Err(error) => {
                if matches!(error, DfOlapError::Conflict(_)) {
                    transactions.roll_back();
                }
                Err(error)
            }
        },
        Some(Keyword::Rollback) => {
            transactions.roll_back();
            Ok(Some(0))
        }
        None => step(engine, transactions, Step::Text(sql.to_string())).await,
    }
}

/// Puts rows into a table within the caller's transaction; `None` if the caller has none.
pub(super) async fn load(
    engine: &DataFusionEngine,
    table: &str,
    batches: &[RecordBatch],
) -> Result<Option<u64>, DfOlapError> {
    let Some(transactions) = &engine.transactions else {
        return Ok(None);
    };
    let rows = Step::Rows(table.to_string(), batches.to_vec());
    step(engine, transactions, rows).await
}

async fn step(
    engine: &DataFusionEngine,
    transactions: &Transactions,
    step: Step,
) -> Result<Option<u64>, DfOlapError> {
    let Some((claim, mut transaction)) = transactions.take()? else {
        return Ok(None);
    };
    let done = engine.calls.step(&mut transaction, step).await;
    claim.put_back(transaction);
    done.map(Some)
}

enum Keyword {
    Begin,
    Commit,
    Rollback,
}

/// Which of the statements about a transaction a text is.
fn keyword(sql: &str) -> Option<Keyword> {
    let words = sql.trim().trim_end_matches(';').split_whitespace();
    let words: Vec<String> = words.take(3).map(str::to_ascii_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["BEGIN"] | ["BEGIN" | "START", "TRANSACTION"] => Some(Keyword::Begin),
        ["COMMIT"] | ["COMMIT", "TRANSACTION"] => Some(Keyword::Commit),
        ["ROLLBACK"] | ["ROLLBACK", "TRANSACTION"] => Some(Keyword::Rollback),
        _ => None,
    }
}
