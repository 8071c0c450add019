//! Rows and schemas as Arrow IPC streams, as bodies contain them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::{
    DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions, StreamWriter,
    write_message,
};
use bytes::Bytes;
use parking_lot::Mutex;

/// The end-of-stream marker: a continuation marker and a length of zero.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// How many schemas are cached.
const KEPT: usize = 16;

/// Writes streams, and caches their schema messages: for a small commit, encoding the schema takes longer than
/// encoding the rows.
#[derive(Debug, Default)]
pub(crate) struct Ipc {
    schema_messages: Mutex<VecDeque<(SchemaRef, SchemaMessage)>>,
    /// The buffers of the last write, for reuse.
    context: Mutex<IpcWriteContext>,
}

/// The schema message at the start of an IPC stream.
#[derive(Debug, Clone)]
enum SchemaMessage {
    Message(Bytes),
    /// The schema has dictionaries, whose ids are assigned while the schema message is written.
    Dictionaries,
}

impl Ipc {
    /// `batches` as a stream of `schema`.
    ///
    /// # Errors
    /// Where a batch has other columns.
    pub fn stream(
        &self,
        schema: &SchemaRef,
        batches: &[RecordBatch],
    ) -> Result<Vec<u8>, ArrowError> {
        // Batches of one table may differ in the metadata of their fields, and in nothing else.
        let same = batches
            .iter()
            .map(|batch| match batch.schema_ref() == schema {
                true => Ok(batch.clone()),
                false => batch.clone().with_schema(Arc::clone(schema)),
            });
        let batches = &same.collect::<Result<Vec<_>, _>>()?[..];
        let SchemaMessage::Message(message) = self.begin(schema)? else {
            return with_dictionaries(schema, batches);
        };
        let options = IpcWriteOptions::default();
        let mut context = std::mem::take(&mut *self.context.lock());
        let mut none = DictionaryTracker::new(false);
        let rows: usize = batches.iter().map(|b| b.get_array_memory_size()).sum();
        let headers = (256 + 64 * schema.fields().len()) * batches.len();
        let mut bytes = Vec::with_capacity(message.len() + headers + rows + END.len());
        bytes.extend_from_slice(&message);
        let generator = IpcDataGenerator::default();
        for batch in batches {
            let (_, rows) = generator.encode(batch, &mut none, &options, &mut context)?;
            write_message(&mut bytes, rows, &options)?;
        }
        bytes.extend_from_slice(&END);
        *self.context.lock() = context;
        Ok(bytes)
    }

    fn begin(&self, schema: &SchemaRef) -> Result<SchemaMessage, ArrowError> {
        let mut all = self.schema_messages.lock();
        if let Some((_, message)) = all.iter().find(|(kept, _)| kept == schema) {
            return Ok(message.clone());
        }
        let mut fields = schema.flattened_fields().into_iter();
        let message =
            match fields.any(|field| matches!(field.data_type(), DataType::Dictionary(..))) {
                true => SchemaMessage::Dictionaries,
                false => {
                    let writer = StreamWriter::try_new(Vec::new(), schema)?;
                    SchemaMessage::Message(Bytes::copy_from_slice(writer.get_ref()))
                }
            };
        all.truncate(KEPT - 1);
        all.push_front((Arc::clone(schema), message.clone()));
        Ok(message)
    }
}

fn with_dictionaries(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}

/// Reads an Arrow IPC stream. `StreamDecoder` allocates nothing for bytes that are not there; it panics at some damage
/// that its checks do not find, which is an error as well.
pub(super) fn read_stream(bytes: &[u8]) -> Result<(SchemaRef, Vec<RecordBatch>), ArrowError> {
    let read = || {
        let (mut decoder, mut batches) = (StreamDecoder::new(), Vec::new());
        let mut rest = Buffer::from(bytes);
        while let Some(batch) = decoder.decode(&mut rest)? {
            batches.push(batch);
        }
        decoder.finish()?;
        Ok::<_, ArrowError>((decoder.schema(), batches))
    };
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok((Some(schema), batches))) => Ok((schema, batches)),
        Ok(Ok((None, _))) => Err(ArrowError::IpcError("it has no schema".into())),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ArrowError::IpcError("it cannot be read".into())),
    }
}
