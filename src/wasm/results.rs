//! Encodes result batches as Arrow IPC, in types that every reader knows.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use js_sys::{Array, Function, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::error::DfOlapError;

/// The minimum capacity of a piece, in bytes.
const PIECE: usize = 1 << 20;

/// Bytes for JavaScript, in pieces: a write never moves the bytes of earlier writes, and the total may exceed the
/// largest allocation of wasm32.
#[derive(Default)]
pub struct Pieces(Vec<Vec<u8>>);

impl Pieces {
    pub fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// All bytes, copied to JavaScript's own memory.
    pub fn into_js(self) -> Result<JsValue, DfOlapError> {
        let length = self.len();
        let constructor = Reflect::get(&js_sys::global(), &"Uint8Array".into());
        let array = constructor.and_then(|constructor| {
            let constructor: &Function = constructor.unchecked_ref();
            Reflect::construct(constructor, &Array::of1(&(length as f64).into()))
        });
        let array: Uint8Array = array
            .map_err(|_| {
                DfOlapError::ResourcesExhausted(format!(
                    "JavaScript has no room for a result of {} MiB; read it as a stream, or ask for less",
                    length >> 20
                ))
            })?
            .unchecked_into();
        let mut at = 0;
        for piece in self.0 {
            let end = at + piece.len() as u32;
            array.subarray(at, end).copy_from(&piece);
            at = end;
        }
        Ok(array.into())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.last_mut() {
            Some(last) if last.capacity() - last.len() >= bytes.len() => {
                last.extend_from_slice(bytes);
            }
            _ => {
                let mut piece = Vec::with_capacity(bytes.len().max(PIECE));
                piece.extend_from_slice(bytes);
                self.0.push(piece);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the batches of one result, piece by piece.
pub struct Writer {
    schema: SchemaRef,
    stream: StreamWriter<Pieces>,
}

impl Writer {
    pub fn new(schema: &Schema) -> Result<Self, ArrowError> {
        let schema = Arc::new(plain_schema(schema));
        let stream = StreamWriter::try_new(Pieces::default(), &schema)?;
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

    /// The number of bytes that were written and not yet taken.
    pub fn len(&self) -> usize {
        self.stream.get_ref().len()
    }

    /// The bytes written since the last call.
    pub fn take(&mut self) -> Pieces {
        std::mem::take(self.stream.get_mut())
    }

    /// Ends the stream and returns the bytes written since the last call.
    pub fn end(&mut self) -> Result<Pieces, ArrowError> {
        self.stream.finish()?;
        Ok(self.take())
    }
}

/// The schema with views as plain strings, bytes and lists, dictionaries and run-end-encoded columns as their values,
/// and without schema metadata. Readers differ in how they handle a stream whose dictionary changes, and each piece of
/// a stream would need its own dictionary.
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
        DataType::Dictionary(_, value) => plain_type(value),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        other => other.clone(),
    }
}
