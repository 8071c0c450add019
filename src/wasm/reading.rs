//! Reads result sets for JavaScript: collected, pulled in pieces, or written to a file.

use arrow::array::{Array as _, RecordBatch};
use futures::StreamExt;
use futures::stream::BoxStream;
use js_sys::{Array, Function, Object};
use wasm_bindgen::JsValue;

use super::files::ParquetFile;
use super::results::Writer;
use super::values::set;
use crate::engine::DataFusionEngine;
use crate::error::DfOlapError;
use crate::outcome::Outcome;
use crate::runtime::check_room;

/// A result that is being read.
pub struct Reading {
    rows: BoxStream<'static, Result<RecordBatch, DfOlapError>>,
    writer: Writer,
}

impl Reading {
    /// Opens a result. Also returns the first bytes of the Arrow IPC stream, the schema.
    pub fn open(outcome: Outcome) -> Result<(Self, JsValue), DfOlapError> {
        let mut writer = Writer::new(&outcome.schema())?;
        let head = writer.take().into_js()?;
        let rows = outcome.stream();
        Ok((Self { rows, writer }, head))
    }

    /// Reads on until there are at least `min_bytes`, or to the end. Returns a list for JavaScript (the bytes, the
    /// number of their rows, whether the end was reached), and again whether the end was reached.
    pub async fn pull(&mut self, min_bytes: usize) -> Result<(JsValue, bool), DfOlapError> {
        let mut rows = 0;
        let mut is_end = false;
        while self.writer.len() < min_bytes.max(1) && !is_end {
            match self.rows.next().await {
                Some(batch) => {
                    let batch = batch?;
                    rows += batch.num_rows();
                    self.writer.write(&batch)?;
                }
                None => is_end = true,
            }
        }
        let bytes = match is_end {
            true => self.writer.end()?,
            false => self.writer.take(),
        };
        let pulled = Array::of3(&bytes.into_js()?, &(rows as f64).into(), &is_end.into());
        Ok((pulled.into(), is_end))
    }
}

/// The rows of a statement as a Parquet file.
pub async fn parquet(outcome: Outcome) -> Result<JsValue, DfOlapError> {
    let mut file = ParquetFile::new(outcome.schema())?;
    let mut rows = outcome.stream();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        check_room(size_of(&batch))?;
        file.write(&batch)?;
    }
    file.finish()?.into_js()
}

/// The rows of a statement as an Arrow IPC stream. `progress` is called after each batch with the number of rows and
/// bytes so far.
pub async fn gather(outcome: Outcome, progress: Option<Function>) -> Result<JsValue, DfOlapError> {
    let mut writer = Writer::new(&outcome.schema())?;
    let (mut rows, mut count) = (outcome.stream(), 0);
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        check_room(size_of(&batch))?;
        writer.write(&batch)?;
        count += batch.num_rows();
        if let Some(progress) = &progress {
            let progress_report = Object::new();
            set(&progress_report, "rows", count as f64);
            set(&progress_report, "bytes", writer.len() as f64);
            // An exception of `progress` is ignored. The time that `progress` takes counts against the statement's
            // timeout.
            let _ = progress.call1(&JsValue::UNDEFINED, &progress_report);
        }
    }
    writer.end()?.into_js()
}

/// The bytes of a batch, without the rest of the buffers that the batch is a slice of.
fn size_of(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    let sizes = columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or_default());
    sizes.sum()
}

/// The query for all rows of a table or view, which is found by its name as given, or else in lower case.
pub async fn all_of(engine: &DataFusionEngine, name: &str) -> Result<String, DfOlapError> {
    let snapshot = engine.calls.snapshot().await?;
    let lower = name.to_ascii_lowercase();
    let name = match snapshot.relation(name) {
        None if snapshot.relation(&lower).is_some() => &lower,
        _ => name,
    };
    Ok(format!("SELECT * FROM \"{}\"", name.replace('"', "\"\"")))
}
