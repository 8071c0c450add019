//! Decodes files in memory to batches: Arrow IPC, Parquet, CSV, JSON.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::error::invalid;
use super::json;
use super::results::Pieces;
use crate::error::DfOlapError;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// An opened file: its schema, and its rows, which are decoded lazily.
pub struct Opened {
    pub schema: SchemaRef,
    pub batches: Batches,
}

/// The options of a CSV file.
pub struct CsvOptions {
    pub header: bool,
    pub delimiter: u8,
    pub null: Option<String>,
}

/// The number of rows from which the types of a CSV or JSON file are inferred.
const LOOKED_AT: usize = 10_000;

impl Opened {
    /// An Arrow IPC stream, or an Arrow IPC file, which begins with the magic bytes `ARROW1`.
    pub fn arrow(bytes: Bytes) -> Result<Self, DfOlapError> {
        let unreadable = |error| invalid(format!("this is no Arrow IPC that can be read: {error}"));
        if bytes.starts_with(b"ARROW1") {
            let reader = FileReader::try_new(Cursor::new(bytes), None);
            return Ok(Self::of(reader.map_err(unreadable)?));
        }
        let reader = StreamReader::try_new(Cursor::new(bytes), None);
        Ok(Self::of(reader.map_err(unreadable)?))
    }

    pub fn parquet(bytes: Bytes, batch_rows: usize) -> Result<Self, DfOlapError> {
        let unreadable =
            |error| invalid(format!("this is no Parquet file that can be read: {error}"));
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(unreadable)?;
        let reader = builder.with_batch_size(batch_rows).build();
        Ok(Self::of(reader.map_err(unreadable)?))
    }

    pub fn csv(
        bytes: Bytes,
        options: &CsvOptions,
        known: Option<SchemaRef>,
        batch_rows: usize,
    ) -> Result<Self, DfOlapError> {
        let mut format = Format::default()
            .with_header(options.header)
            .with_delimiter(options.delimiter);
        if let Some(null) = &options.null {
            let exactly = regex::Regex::new(&format!("^(?:{})?$", regex::escape(null)));
            format = format.with_null_regex(exactly.map_err(|error| invalid(error.to_string()))?);
        }
        let schema = match known {
            Some(schema) if options.header => {
                let (header, _) = format.infer_schema(Cursor::new(&bytes), Some(0))?;
                in_order_of(&header, &schema)?
            }
            Some(schema) => schema,
            None => {
                let (schema, _) = format.infer_schema(Cursor::new(&bytes), Some(LOOKED_AT))?;
                typed(&schema)
            }
        };
        let reader = arrow::csv::ReaderBuilder::new(Arc::clone(&schema))
            .with_format(format)
            .with_batch_size(batch_rows);
        let batches = Box::new(reader.build(Cursor::new(bytes))?);
        Ok(Self { schema, batches })
    }

    /// One object after the other, or one array of objects.
    pub fn json(
        bytes: Bytes,
        known: Option<SchemaRef>,
        batch_rows: usize,
    ) -> Result<Self, DfOlapError> {
        let text = json::objects(bytes)?;
        let schema = match known {
            Some(schema) => schema,
            None => typed(&json::schema(&text, LOOKED_AT)?),
        };
        let reader =
            arrow::json::ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(batch_rows);
        let batches = Box::new(reader.build(Cursor::new(text))?);
        Ok(Self { schema, batches })
    }

    fn of(reader: impl RecordBatchReader + Send + 'static) -> Self {
        Self {
            schema: reader.schema(),
            batches: Box::new(reader),
        }
    }
}

/// The columns of a table in the order of a file's header line.
fn in_order_of(header: &Schema, table: &Schema) -> Result<SchemaRef, DfOlapError> {
    let column = |name: &String| {
        let same = |field: &&FieldRef| field.name() == name;
        let similar = |field: &&FieldRef| field.name().eq_ignore_ascii_case(name.trim());
        let mut fields = table.fields().iter();
        let found = fields.clone().find(same).or_else(|| fields.find(similar));
        found.cloned().ok_or_else(|| {
            let names: Vec<&str> = table.fields().iter().map(|f| f.name().as_str()).collect();
            invalid(format!(
                "the file's first line names a column '{name}' that the table has not, its columns are {}; where that line is data, \
                 say header: false",
                names.join(", ")
            ))
        })
    };
    let fields = header.fields().iter().map(|field| column(field.name()));
    Ok(Arc::new(Schema::new(
        fields.collect::<Result<Vec<_>, _>>()?,
    )))
}

/// The schema with text as the type of columns, list items and struct fields that had only NULL.
fn typed(schema: &Schema) -> SchemaRef {
    fn field(given: &FieldRef) -> FieldRef {
        let data_type = match given.data_type() {
            DataType::Null => DataType::Utf8,
            DataType::List(item) => DataType::List(field(item)),
            DataType::Struct(parts) => DataType::Struct(parts.iter().map(field).collect()),
            _ => return Arc::clone(given),
        };
        Arc::new(Field::new(given.name(), data_type, given.is_nullable()))
    }
    Arc::new(Schema::new(
        schema.fields().iter().map(field).collect::<Vec<_>>(),
    ))
}

/// A Parquet file that is being written in memory.
pub struct ParquetFile {
    schema: SchemaRef,
    writer: ArrowWriter<Pieces>,
}

impl ParquetFile {
    pub fn new(schema: SchemaRef) -> Result<Self, DfOlapError> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        let writer = ArrowWriter::try_new(
            Pieces::default(),
            Arc::clone(&schema),
            Some(properties.build()),
        );
        let writer = writer.map_err(unwritable)?;
        Ok(Self { schema, writer })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), DfOlapError> {
        // Batches of one result may differ in the metadata of their fields.
        let batch = batch.clone().with_schema(Arc::clone(&self.schema))?;
        self.writer.write(&batch).map_err(unwritable)
    }

    pub fn finish(self) -> Result<Pieces, DfOlapError> {
        self.writer.into_inner().map_err(unwritable)
    }
}

fn unwritable(error: ParquetError) -> DfOlapError {
    DfOlapError::Unsupported(format!("this cannot be written to a Parquet file: {error}"))
}
