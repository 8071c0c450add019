//! Result batches as Arrow IPC, in types that every reader knows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;

/// Writes the batches of one result, piece by piece.
pub struct Writer {
    schema: SchemaRef,
    stream: StreamWriter<Vec<u8>>,
}

impl Writer {
    pub fn new(schema: &Schema) -> Result<Self, ArrowError> {
        let schema = Arc::new(plain_schema(schema));
        let stream = StreamWriter::try_new(Vec::new(), &schema)?;
        Ok(Self { schema, stream })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns =
            columns.map(
                |(column, field)| match column.data_type() == field.data_type() {
                    true => Ok(Arc::clone(column)),
                    false => cast(column, field.data_type()),
                },
            );
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        self.stream.write(&batch)
    }

    /// How much was written and not taken.
    pub fn len(&self) -> usize {
        self.stream.get_ref().len()
    }

    /// What was written since it was last asked for.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.stream.get_mut())
    }

    /// The same, with the end of the stream.
    pub fn end(&mut self) -> Result<Vec<u8>, ArrowError> {
        self.stream.finish()?;
        Ok(self.take())
    }
}

/// The schema with views as plain strings, bytes and lists, and without the file's own metadata.
fn plain_schema(schema: &Schema) -> Schema {
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    Schema::new(fields)
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let plain = plain_type(field.data_type());
    let plain = Field::new(field.name(), plain, field.is_nullable());
    Arc::new(plain.with_metadata(field.metadata().clone()))
}

fn plain_type(data_type: &DataType) -> DataType {
    let fields = |fields: &Fields| fields.iter().map(plain_field).collect::<Fields>();
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) | DataType::ListView(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) | DataType::LargeListView(item) => {
            DataType::LargeList(plain_field(item))
        }
        DataType::FixedSizeList(item, length) => {
            DataType::FixedSizeList(plain_field(item), *length)
        }
        DataType::Struct(parts) => DataType::Struct(fields(parts)),
        DataType::Map(entries, sorted) => DataType::Map(plain_field(entries), *sorted),
        DataType::Dictionary(key, value) => {
            DataType::Dictionary(key.clone(), Box::new(plain_type(value)))
        }
        other => other.clone(),
    }
}
