//! The tour of a file of your own: its columns, a stream over all of it, and rows deleted while a stream is open.

use std::path::Path;
use std::time::Instant;

use futures::StreamExt;
use rhei_datafusion::arrow::datatypes::{DataType, Field};
use rhei_datafusion::arrow::record_batch::RecordBatch;
use rhei_datafusion::{DataFusionEngine, OlapEngine, RecordBatchBoxStream};

use crate::Failure;
use crate::files::Source;
use crate::report::{Report, counted, integers, lasted, print_rows};

const SHOWN_ROWS: usize = 10;

pub async fn tour(
    engine: &DataFusionEngine,
    path: &Path,
    most_rows: Option<usize>,
    report: &mut Report,
) -> Result<(), Failure> {
    report.section("Loading");
    let source = Source::open(path, most_rows).await?;
    let mut key = "row_id".to_string();
    while source.schema.column_with_name(&key).is_some() {
        key.push('_');
    }
    let source = source.numbered(&key);
    let expected = source.rows;
    let schema = source.schema.clone();
    let (rows, elapsed) = source.load(engine, "data", &key, |_| Ok(())).await?;
    println!(
        "  data: {} rows in {}, {}; the key {key} was added",
        counted(rows),
        lasted(elapsed),
        report.rate("loading", rows, elapsed)
    );
    report.check("rows loaded: as many as the file has", &expected, &rows);
    let counted_rows = engine.query("SELECT count(*) AS counted FROM data").await?;
    report.check(
        "count(*)",
        &vec![rows as i64],
        &integers(&counted_rows, "counted")?,
    );

    report.section("First rows");
    print_rows(
        &engine.query("SELECT * FROM data LIMIT 5").await?,
        SHOWN_ROWS,
    )?;

    report.section("Columns");
    let started = Instant::now();
    let mut columns: Vec<RecordBatch> = Vec::new();
    for field in schema.fields() {
        columns.extend(engine.query(&summary(field)).await?);
    }
    print_rows(&columns, usize::MAX)?;
    println!(
        "  {} columns in {}",
        schema.fields().len(),
        lasted(started.elapsed())
    );

    report.section("Streaming the whole table");
    let started = Instant::now();
    let seen = drain(engine.query_stream("SELECT * FROM data").await?, &key).await?;
    let elapsed = started.elapsed();
    println!(
        "  {} rows in {}, {}",
        counted(seen.0),
        lasted(elapsed),
        report.rate("streaming", seen.0, elapsed)
    );
    // The keys are 0, 1, 2 … by construction, so their sum is known.
    let whole = (rows, sum_below(rows as i64));
    report.check("the stream had every row", &whole, &seen);

    report.section("Deleting while a reader streams");
    let sql = format!("SELECT {key} FROM data");
    let reader = engine.query_stream(&sql).await?;
    let started = Instant::now();
    let deleted = engine
        .execute(&format!("DELETE FROM data WHERE {key} % 10 = 3"))
        .await?;
    println!(
        "  DELETE: {} rows in {}",
        counted(deleted),
        lasted(started.elapsed())
    );
    let gone: Vec<i64> = (0..rows as i64).filter(|id| id % 10 == 3).collect();
    report.check("DELETE: rows", &(gone.len() as u64), &deleted);
    report.check(
        "the open stream had every row",
        &whole,
        &drain(reader, &key).await?,
    );
    let left = (
        whole.0 - gone.len() as u64,
        whole.1 - gone.iter().sum::<i64>(),
    );
    let after = drain(engine.query_stream(&sql).await?, &key).await?;
    report.check("a new stream has the rows that are left", &left, &after);
    Ok(())
}

/// Nulls, distinct values and the range of a column, where its type allows.
fn summary(field: &Field) -> String {
    let name = field.name();
    let data_type = field.data_type().to_string().replace('\'', "''");
    let (distinct, least, greatest) = match is_plain(field.data_type()) {
        true => (
            format!("CAST(approx_distinct(CAST(\"{name}\" AS VARCHAR)) AS BIGINT)"),
            format!("CAST(min(\"{name}\") AS VARCHAR)"),
            format!("CAST(max(\"{name}\") AS VARCHAR)"),
        ),
        false => (
            "CAST(NULL AS BIGINT)".to_string(),
            "CAST(NULL AS VARCHAR)".to_string(),
            "CAST(NULL AS VARCHAR)".to_string(),
        ),
    };
    format!(
        "SELECT '{name}' AS column_name, '{data_type}' AS type, count(*) - count(\"{name}\") AS nulls, \
         {distinct} AS about_distinct, {least} AS least, {greatest} AS greatest FROM data"
    )
}

/// True for types that can be ordered and cast to text.
fn is_plain(data_type: &DataType) -> bool {
    data_type.is_numeric()
        || matches!(
            data_type,
            DataType::Boolean
                | DataType::Utf8View
                | DataType::Date32
                | DataType::Date64
                | DataType::Timestamp(..)
                | DataType::Time32(_)
                | DataType::Time64(_)
        )
}

/// The number of rows of a stream and the sum of their keys.
async fn drain(mut batches: RecordBatchBoxStream, key: &str) -> Result<(u64, i64), Failure> {
    let mut seen = (0, 0);
    while let Some(batch) = batches.next().await {
        let batch = [batch?];
        seen.0 += batch[0].num_rows() as u64;
        seen.1 += integers(&batch, key)?.iter().sum::<i64>();
    }
    Ok(seen)
}

fn sum_below(end: i64) -> i64 {
    end * (end - 1) / 2
}
