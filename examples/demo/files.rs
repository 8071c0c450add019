//! Loads files into the engine: downloads missing files, counts rows, reads the file as a stream and loads it with a
//! progress bar.
//!
//! DataFusion reads the formats; the engine's own SQL has no access to files, so the program passes the stream to the
//! engine.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::BoxStream;
use indicatif::{ProgressBar, ProgressStyle};
use rhei_datafusion::arrow::array::{ArrayRef, Int64Array};
use rhei_datafusion::arrow::compute::cast;
use rhei_datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use rhei_datafusion::arrow::record_batch::RecordBatch;
use rhei_datafusion::datafusion::error::DataFusionError;
use rhei_datafusion::datafusion::execution::options::ArrowReadOptions;
use rhei_datafusion::datafusion::prelude::{
    CsvReadOptions, DataFrame, ParquetReadOptions, SessionConfig, SessionContext,
};
use rhei_datafusion::{DataFusionEngine, OlapEngine};

use crate::Failure;

/// The number of lines of a CSV file from which column types are inferred.
const CSV_LINES_FOR_TYPES: usize = 100_000;

/// The path of one of the demo's own data sets; downloads all of them if it is missing.
///
/// # Errors
/// An error that names the command to run, where npm cannot be started or fails.
pub fn dataset(name: &str) -> Result<PathBuf, Failure> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
    let path = home.join("node_modules/vega-datasets/data").join(name);
    if path.is_file() {
        return Ok(path);
    }
    println!(
        "  {name} is not there yet: running `npm ci` in {}",
        home.display()
    );
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let by_hand = format!("run `npm ci` in {} and start again", home.display());
    let status = Command::new(npm)
        .arg("ci")
        .current_dir(&home)
        .status()
        .map_err(|error| format!("cannot start npm ({error}); install Node.js, {by_hand}"))?;
    if !status.success() {
        return Err(format!("npm ci failed ({status}); {by_hand}").into());
    }
    match path.is_file() {
        true => Ok(path),
        false => Err(format!("npm ci ran, but {} is not there", path.display()).into()),
    }
}

/// A file whose rows have been counted but not read yet.
pub struct Source {
    pub rows: u64,
    pub schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch, DataFusionError>>,
}

impl Source {
    /// Opens a Parquet, CSV or Arrow file, recognized by its name.
    pub async fn open(path: &Path, most_rows: Option<usize>) -> Result<Self, Failure> {
        if !path.is_file() {
            return Err(format!("{} is not a file", path.display()).into());
        }
        let mut frame = read(path).await?;
        if let Some(rows) = most_rows {
            frame = frame.limit(0, Some(rows))?;
        }
        let rows = frame.clone().count().await? as u64;
        let schema = plain_schema(frame.schema().as_arrow());
        let batches = frame.execute_stream().await?.map({
            let schema = Arc::clone(&schema);
            move |batch| plain_batch(&schema, &batch?)
        });
        Ok(Self {
            rows,
            schema,
            batches: batches.boxed(),
        })
    }

    /// Adds a first column with the row number, from 0: a key for a file without one.
    pub fn numbered(self, column: &str) -> Self {
        let number = Field::new(column, DataType::Int64, false);
        let mut fields: Vec<FieldRef> = vec![Arc::new(number)];
        fields.extend(self.schema.fields().iter().cloned());
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let mut next = 0;
        let batches = self.batches.map({
            let schema = Arc::clone(&schema);
            move |batch| {
                let batch = batch?;
                let end = next + batch.num_rows() as i64;
                let mut columns: Vec<ArrayRef> =
                    vec![Arc::new(Int64Array::from_iter_values(next..end))];
                columns.extend(batch.columns().iter().cloned());
                next = end;
                Ok::<_, DataFusionError>(RecordBatch::try_new(Arc::clone(&schema), columns)?)
            }
        });
        Self {
            rows: self.rows,
            schema,
            batches: batches.boxed(),
        }
    }

    /// Creates the table, with `key` as its primary key, and loads it; calls `watch` with each batch before the engine
    /// gets it. Returns the number of rows loaded and the time.
    pub async fn load(
        self,
        engine: &DataFusionEngine,
        table: &str,
        key: &str,
        mut watch: impl FnMut(&RecordBatch) -> Result<(), DataFusionError> + Send,
    ) -> Result<(u64, Duration), Failure> {
        engine
            .create_table(table, &self.schema, &[key.to_string()])
            .await?;
        let style = ProgressStyle::with_template(
            "  {msg} {bar:40} {human_pos} of {human_len} rows, {per_sec}",
        )?;
        let bar = ProgressBar::new(self.rows)
            .with_style(style)
            .with_message(table.to_string());
        let started = Instant::now();
        let batches = self.batches.map(|batch| {
            let batch = batch?;
            watch(&batch)?;
            bar.inc(batch.num_rows() as u64);
            Ok::<_, DataFusionError>(batch)
        });
        let loaded = engine.load_stream(table, batches).await;
        bar.finish_and_clear();
        Ok((loaded?, started.elapsed()))
    }
}

async fn read(path: &Path) -> Result<DataFrame, Failure> {
    let Some(place) = path.to_str() else {
        return Err(format!("{} is not UTF-8", path.display()).into());
    };
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    let dotted = format!(".{extension}");
    // One partition keeps the rows in the file's order, so that row numbers match the file.
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let frame = match extension.to_ascii_lowercase().as_str() {
        "parquet" | "pq" => {
            let options = ParquetReadOptions::new().file_extension(&dotted);
            context.read_parquet(place, options).await
        }
        kind @ ("csv" | "tsv") => {
            let options = CsvReadOptions::new()
                .file_extension(&dotted)
                .delimiter(if kind == "tsv" { b'\t' } else { b',' })
                .schema_infer_max_records(CSV_LINES_FOR_TYPES);
            context.read_csv(place, options).await
        }
        "arrow" | "feather" | "ipc" => {
            let options = ArrowReadOptions {
                file_extension: &dotted,
                ..ArrowReadOptions::default()
            };
            context.read_arrow(place, options).await
        }
        _ => {
            return Err(format!(
                "{}: the name should end in .parquet, .csv, .tsv or .arrow",
                path.display()
            )
            .into());
        }
    };
    frame.map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Unique names that need no quotes in SQL, and types that a table stores unchanged.
fn plain_schema(schema: &Schema) -> SchemaRef {
    let mut taken = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut name: String = field
            .name()
            .to_ascii_lowercase()
            .chars()
            .map(plain)
            .collect();
        if name.is_empty() {
            name.push_str("column");
        }
        while !taken.insert(name.clone()) {
            name.push('_');
        }
        Field::new(name, plain_type(field.data_type()), field.is_nullable())
    });
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        // The type that is inferred for a CSV column without values.
        DataType::Null => DataType::Utf8View,
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Dictionary(_, values) => plain_type(values),
        other => other.clone(),
    }
}

fn plain_batch(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| Ok(cast(column, field.data_type())?))
        .collect::<Result<Vec<_>, DataFusionError>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
