//! The body of a log entry or checkpoint as bytes: JSON, and blobs that the JSON refers to by their index.
//!
//! ```text
//! 0  4  length of the JSON, little endian
//! 4  n  JSON, whose "blobs" are the lengths of the blobs
//! .  .  the blobs, one after the other: Arrow IPC streams, Roaring bitmaps, checksums
//! ```
//!
//! This file has the parts that entries and checkpoints share (definitions, fragments and their shapes).
//! [`super::entry`] has the content of an entry, [`super::checkpoint`] that of a checkpoint.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::{Field, Schema, SchemaRef, UInt64Type};
use bytes::{BufMut, Bytes, BytesMut};
use datafusion::common::ScalarValue;
use roaring::RoaringBitmap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::blobs::{Blob, Blobs, Damage, damage};
use super::data_file::{LoggedFile, LoggedMerged};
use super::ipc::{Ipc, read_stream};
use crate::fragment::{ColumnId, Fragment, FragmentId, ValueRange};
use crate::key_index::merged::MergedKeys;
use crate::snapshot::{Column, RelationId, TableDefinition};

/// The JSON of a body: `content`, the shapes that `content` refers to, and the lengths of the blobs.
#[derive(Serialize, Deserialize)]
struct Framed<T> {
    #[serde(flatten)]
    content: T,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shapes: Vec<LoggedShape>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    blobs: Vec<u64>,
}

/// The columns of some fragments of one table, and the value ranges of the fragments that are stored in files, in the
/// order in which the body lists the fragments.
#[derive(Serialize, Deserialize)]
struct LoggedShape {
    columns: Vec<u32>,
    /// Empty for fragments whose rows are inlined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ranges: Option<Blob>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LoggedDefinition {
    schema: Blob,
    columns: Vec<LoggedColumn>,
    primary_key: Vec<u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    enforced: bool,
    next_column: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct LoggedColumn {
    id: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initial: Option<Blob>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LoggedFragment {
    id: Uuid,
    rows: u32,
    shape: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inline: Option<Blob>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<LoggedFile>,
}

impl LoggedFragment {
    /// The paths of the fragment's files, if it has any.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        self.file.iter().flat_map(LoggedFile::paths)
    }
}

/// Files of one table with the same columns under the same names, whose value ranges are encoded together.
struct FileGroup {
    columns: Arc<[ColumnId]>,
    names: Arc<[String]>,
    files: Vec<Arc<Fragment>>,
}

/// Writes a body.
pub(crate) struct Encoder<'a> {
    ipc: &'a Ipc,
    blobs: Blobs,
    shapes: Vec<FileGroup>,
    places: HashMap<FileGroupKey, u32>,
}

type FileGroupKey = (RelationId, Arc<[ColumnId]>, Arc<[String]>);

impl<'a> Encoder<'a> {
    pub fn new(ipc: &'a Ipc) -> Self {
        Self {
            ipc,
            blobs: Blobs::default(),
            shapes: Vec::new(),
            places: HashMap::new(),
        }
    }

    pub fn finish<T: Serialize>(mut self, content: T) -> Result<Bytes, Damage> {
        let mut shapes = Vec::with_capacity(self.shapes.len());
        for shape in std::mem::take(&mut self.shapes) {
            let ranges = match encode_ranges(&shape)? {
                Some(batch) => Some(self.batches(&batch.schema(), &[batch])?),
                None => None,
            };
            shapes.push(LoggedShape {
                columns: shape.columns.iter().map(|id| id.0).collect(),
                names: shape.names.to_vec(),
                ranges,
            });
        }
        let json = serde_json::to_vec(&Framed {
            content,
            shapes,
            blobs: self.blobs.iter().map(|blob| blob.len() as u64).collect(),
        })?;
        let blob_bytes: usize = self.blobs.iter().map(Bytes::len).sum();
        let mut bytes = BytesMut::with_capacity(4 + json.len() + blob_bytes);
        bytes.put_u32_le(u32::try_from(json.len())?);
        bytes.put_slice(&json);
        for blob in self.blobs.iter() {
            bytes.put_slice(blob);
        }
        Ok(bytes.freeze())
    }

    pub fn blob(&mut self, bytes: impl Into<Bytes>) -> Blob {
        self.blobs.push(bytes)
    }

    fn batches(&mut self, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Blob, Damage> {
        let bytes = self.ipc.stream(schema, batches)?;
        Ok(self.blob(bytes))
    }

    pub fn rows(&mut self, rows: &RoaringBitmap) -> Result<Blob, Damage> {
        let mut bytes = Vec::with_capacity(rows.serialized_size());
        rows.serialize_into(&mut bytes)?;
        Ok(self.blob(bytes))
    }

    pub fn merged_keys(&mut self, merged: &MergedKeys) -> LoggedMerged {
        LoggedMerged::of(&mut self.blobs, merged)
    }

    pub fn definition(&mut self, definition: &TableDefinition) -> Result<LoggedDefinition, Damage> {
        let schema = self.batches(&definition.schema, &[])?;
        let mut columns = Vec::with_capacity(definition.columns.len());
        for column in &definition.columns {
            let initial = match &column.initial {
                Some(value) => Some(self.scalar(value)?),
                None => None,
            };
            columns.push(LoggedColumn {
                id: column.id.0,
                default: column.default.clone(),
                initial,
            });
        }
        Ok(LoggedDefinition {
            schema,
            columns,
            primary_key: definition.primary_key.iter().map(|id| id.0).collect(),
            enforced: definition.enforces_key,
            next_column: definition.next_column.0,
        })
    }

    fn scalar(&mut self, value: &ScalarValue) -> Result<Blob, Damage> {
        let schema = Schema::new(vec![Field::new("value", value.data_type(), true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![value.to_array()?])?;
        self.batches(&batch.schema(), &[batch])
    }

    pub fn fragment(
        &mut self,
        table: RelationId,
        fragment: &Arc<Fragment>,
    ) -> Result<LoggedFragment, Damage> {
        let names = fragment.file().map(|file| Arc::clone(&file.names));
        let shape = self.shape(table, &fragment.layout, names.unwrap_or_default());
        let (mut inline, mut file) = (None, None);
        match fragment.file() {
            Some(stored) => {
                self.shapes[shape as usize].files.push(Arc::clone(fragment));
                file = Some(LoggedFile::of(&mut self.blobs, stored));
            }
            None => {
                let schema = match fragment.batches().first() {
                    Some(first) => first.schema(),
                    None => Arc::new(Schema::empty()),
                };
                inline = Some(self.batches(&schema, fragment.batches())?);
            }
        }
        Ok(LoggedFragment {
            id: fragment.id.0,
            rows: fragment.rows(),
            shape,
            inline,
            file,
        })
    }

    fn shape(&mut self, table: RelationId, columns: &Arc<[ColumnId]>, names: Arc<[String]>) -> u32 {
        let key = (table, Arc::clone(columns), Arc::clone(&names));
        *self.places.entry(key).or_insert_with(|| {
            self.shapes.push(FileGroup {
                columns: Arc::clone(columns),
                names,
                files: Vec::new(),
            });
            self.shapes.len() as u32 - 1
        })
    }
}

/// One row per file of a shape, with three columns for each column whose range is known for any file: the minimum,
/// the maximum, and the number of NULLs, which is NULL if the file's range is unknown.
fn encode_ranges(shape: &FileGroup) -> Result<Option<RecordBatch>, Damage> {
    let (mut fields, mut arrays) = (Vec::new(), Vec::<ArrayRef>::new());
    for (index, id) in shape.columns.iter().enumerate() {
        let ranges: Vec<_> = shape.files.iter().map(|file| file.range(*id)).collect();
        let Some(known) = ranges.iter().flatten().next() else {
            continue;
        };
        let data_type = known.min.data_type();
        let ranges = ranges.iter();
        let ranges: Vec<_> = ranges
            .map(|range| range.filter(|range| range.min.data_type() == data_type))
            .collect();
        let unknown = ScalarValue::try_from(&data_type)?;
        for (bound, what) in [(true, "min"), (false, "max")] {
            let values = ranges.iter().map(|range| match range {
                Some(range) if bound => range.min.clone(),
                Some(range) => range.max.clone(),
                None => unknown.clone(),
            });
            fields.push(Field::new(
                format!("{what}.{index}"),
                data_type.clone(),
                true,
            ));
            arrays.push(ScalarValue::iter_to_array(values)?);
        }
        fields.push(Field::new(
            format!("nulls.{index}"),
            arrow::datatypes::DataType::UInt64,
            true,
        ));
        let nulls = ranges.iter().map(|range| range.map(|range| range.nulls));
        arrays.push(Arc::new(UInt64Array::from_iter(nulls)));
    }
    if arrays.is_empty() {
        return Ok(None);
    }
    Ok(Some(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        arrays,
    )?))
}

/// A decoded shape, and how many of its files were decoded so far.
struct ReadShape {
    columns: Arc<[ColumnId]>,
    names: Arc<[String]>,
    ranges: Option<RecordBatch>,
    next_file: usize,
}

/// Reads a body. Each part is validated before it is used.
pub(crate) struct Decoder {
    blobs: Blobs,
    shapes: Vec<ReadShape>,
}

impl Decoder {
    pub fn new<T: DeserializeOwned>(body: &Bytes) -> Result<(Self, T), Damage> {
        let length = body.first_chunk::<4>().ok_or(damage("it is too short"))?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > body.len() - 4 {
            return Err(damage("its JSON is longer than itself"));
        }
        let framed: Framed<T> = serde_json::from_slice(&body[4..4 + length])?;
        let mut rest = body.slice(4 + length..);
        let mut blobs = Blobs::default();
        for length in framed.blobs {
            let length = usize::try_from(length)?;
            if length > rest.len() {
                return Err(damage("a blob is longer than what is there"));
            }
            blobs.push(rest.split_to(length));
        }
        let mut decoder = Self {
            blobs,
            shapes: Vec::new(),
        };
        for shape in framed.shapes {
            let ranges = match shape.ranges {
                Some(blob) => decoder.batches(blob)?.into_iter().next(),
                None => None,
            };
            decoder.shapes.push(ReadShape {
                columns: shape.columns.into_iter().map(ColumnId).collect(),
                names: shape.names.into(),
                ranges,
                next_file: 0,
            });
        }
        Ok((decoder, framed.content))
    }

    pub fn merged_keys(&self, merged: LoggedMerged) -> Result<Arc<MergedKeys>, Damage> {
        Ok(Arc::new(merged.read(&self.blobs)?))
    }

    pub fn bytes(&self, blob: Blob) -> Result<&Bytes, Damage> {
        self.blobs.get(blob)
    }

    fn batches(&self, blob: Blob) -> Result<Vec<RecordBatch>, Damage> {
        Ok(read_stream(self.bytes(blob)?)?.1)
    }

    pub fn rows(&self, blob: Blob) -> Result<RoaringBitmap, Damage> {
        Ok(RoaringBitmap::deserialize_from(self.bytes(blob)?.as_ref())?)
    }

    pub fn definition(&self, logged: LoggedDefinition) -> Result<TableDefinition, Damage> {
        let (schema, _) = read_stream(self.bytes(logged.schema)?)?;
        if schema.fields().len() != logged.columns.len() {
            return Err(damage("a table's columns do not fit its schema"));
        }
        let mut columns = Vec::with_capacity(logged.columns.len());
        for (field, column) in schema.fields().iter().zip(logged.columns) {
            let initial = match column.initial {
                Some(blob) => Some(self.scalar(blob)?),
                None => None,
            };
            columns.push(Column {
                id: ColumnId(column.id),
                field: Arc::clone(field),
                default: column.default,
                initial,
            });
        }
        let key = logged.primary_key.into_iter().map(ColumnId).collect();
        let next = ColumnId(logged.next_column);
        Ok(TableDefinition::new(columns, key, next).enforcing_key(logged.enforced))
    }

    fn scalar(&self, blob: Blob) -> Result<ScalarValue, Damage> {
        let batches = self.batches(blob)?;
        match batches.first() {
            Some(batch) if batch.num_rows() == 1 && batch.num_columns() == 1 => {
                Ok(ScalarValue::try_from_array(batch.column(0), 0)?)
            }
            _ => Err(damage("a value is not there")),
        }
    }

    pub fn fragment(&mut self, logged: LoggedFragment) -> Result<Arc<Fragment>, Damage> {
        let id = FragmentId(logged.id);
        let place = logged.shape as usize;
        let shape = self.shapes.get(place);
        let shape = shape.ok_or_else(|| damage("a fragment's shape is not there"))?;
        let columns = Arc::clone(&shape.columns);
        let fragment = match (logged.inline, logged.file) {
            (Some(inline), None) => {
                let batches = self.batches(inline)?;
                if batches.iter().any(|b| b.num_columns() != columns.len()) {
                    return Err(damage("a fragment's rows do not fit its columns"));
                }
                if batches.iter().map(RecordBatch::num_rows).sum::<usize>() > Fragment::MAX_ROWS {
                    return Err(damage("a fragment has too many rows"));
                }
                Fragment::with_id(id, columns, batches)
            }
            (None, Some(file)) => {
                if shape.names.len() != columns.len() {
                    return Err(damage("a file's names do not fit its columns"));
                }
                let ranges = ranges_of(shape, shape.next_file)?;
                let names = Arc::clone(&shape.names);
                self.shapes[place].next_file += 1;
                let file = file.read(&self.blobs, FragmentId(logged.id), logged.rows, names)?;
                Fragment::in_file(id, columns, logged.rows, file, ranges)
            }
            _ => return Err(damage("a fragment's rows are nowhere or in two places")),
        };
        if fragment.rows() != logged.rows {
            return Err(damage("a fragment has another number of rows"));
        }
        Ok(Arc::new(fragment))
    }
}

fn ranges_of(shape: &ReadShape, file: usize) -> Result<Vec<Option<ValueRange>>, Damage> {
    let mut ranges = vec![None; shape.columns.len()];
    let Some(batch) = &shape.ranges else {
        return Ok(ranges);
    };
    if file >= batch.num_rows() {
        return Err(damage("a file's value ranges are not there"));
    }
    for (index, range) in ranges.iter_mut().enumerate() {
        let column = |what: &str| batch.column_by_name(&format!("{what}.{index}"));
        let (Some(min), Some(max), Some(nulls)) = (column("min"), column("max"), column("nulls"))
        else {
            continue;
        };
        let nulls = nulls
            .as_primitive_opt::<UInt64Type>()
            .ok_or_else(|| damage("a number of NULLs is no number"))?;
        if nulls.iter().nth(file).flatten().is_some() {
            if min.data_type() != max.data_type() {
                return Err(damage(
                    "the minimum of a column has another type than its maximum",
                ));
            }
            *range = Some(ValueRange {
                min: ScalarValue::try_from_array(min, file)?,
                max: ScalarValue::try_from_array(max, file)?,
                nulls: nulls.value(file),
            });
        }
    }
    Ok(ranges)
}
