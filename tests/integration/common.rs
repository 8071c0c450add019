//! Engines to test, one for each kind of storage, and short ways to read answers.

use rhei_datafusion::arrow::array::{Array, AsArray};
use rhei_datafusion::arrow::datatypes::Int64Type;
use rhei_datafusion::arrow::record_batch::RecordBatch;
use rhei_datafusion::{DataFusionEngine, OlapEngine, SharedDataFusionEngine};

/// Each storage mode's name and a fresh engine on it.
pub fn engines() -> Vec<(&'static str, SharedDataFusionEngine)> {
    vec![("memory", SharedDataFusionEngine::new(DataFusionEngine::new()))]
}

/// The one BIGINT of a query's one row.
pub async fn number(engine: &DataFusionEngine, sql: &str) -> i64 {
    let rows = engine.query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    the_number(&rows)
}

pub fn the_number(rows: &[RecordBatch]) -> i64 {
    let filled: Vec<&RecordBatch> = rows.iter().filter(|b| b.num_rows() > 0).collect();
    assert_eq!(filled.len(), 1, "one row expected");
    assert_eq!(filled[0].num_rows(), 1, "one row expected");
    let column = filled[0].column(0);
    assert!(!column.is_null(0), "NULL");
    column.as_primitive::<Int64Type>().value(0)
}

pub async fn run(engine: &DataFusionEngine, sql: &str) -> u64 {
    engine.execute(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"))
}
