//! Writes rows as fragments: few rows are inlined in the log entry, many are streamed to Vortex files.

use std::io;
use std::sync::Arc;

use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, Either};
use futures::stream::{BoxStream, FuturesOrdered};
use futures::{FutureExt, SinkExt, StreamExt};
use uuid::Uuid;
use vortex::array::ArrayRef;
use vortex::array::stream::ArrayStreamAdapter;
use vortex::arrow::ArrowSessionExt;
use vortex::dtype::DType;
use vortex::error::{VortexError, VortexResult};
use vortex::expr::stats::{Precision, Stat};
use vortex::file::{Footer, WriteOptionsSessionExt};
use vortex::io::{IoBuf, VortexWrite};
use vortex::scalar::Scalar;
use vortex::session::VortexSession;
use vortex_datafusion::convert::TryToDataFusion;
use xxhash_rust::xxh3::Xxh3;

use super::decimals::zero_overflowing_decimals;
use super::files::{DataFiles, Upload};
use super::keys::NewKeys;
use super::scan::Scans;
use crate::error::DfOlapError;
use crate::fragment::{
    Checksums, DataFile, Fragment, FragmentId, ValueRange, bounded_bytes, by_bytes, compact_views,
    has_cheap_order,
};
use crate::snapshot::{Table, TableDefinition};

/// Up to this size, rows are inlined in the log entry.
const INLINE_ROWS: usize = 1024;
const INLINE_BYTES: usize = 1 << 20;
/// The most rows of a file.
pub(super) const FILE_ROWS: usize = 1 << 20;
/// The most of [`bounded_bytes`] of a file, unless it has one batch: a reader may put any of its rows into one array.
const FILE_BYTES: usize = 1 << 30;
/// The most files of one write that are in progress.
const FILES_AT_ONCE: usize = 2;
/// The bytes that one checksum covers.
pub(super) const BLOCK_BYTES: u32 = 256 << 10;

type Rows<'a> = BoxStream<'a, Result<RecordBatch, DfOlapError>>;

pub(super) struct Writer<'a> {
    files: &'a DataFiles,
    session: &'a VortexSession,
    /// Where new files of the table go.
    folder: String,
    key_seed: u64,
}

/// Fails, naming the column, if a Vortex file cannot store the type of a column.
pub(super) fn check_types(
    session: &VortexSession,
    definition: &TableDefinition,
) -> Result<(), DfOlapError> {
    for column in &definition.columns {
        if session.arrow().from_arrow_field(&column.field).is_err() {
            return Err(DfOlapError::Unsupported(format!(
                "column '{}' has the type {}, which a Vortex file cannot hold; choose another type",
                column.field.name(),
                column.field.data_type()
            )));
        }
    }
    Ok(())
}

impl<'a> Writer<'a> {
    pub fn new(scans: &'a Scans, table: &Table) -> Self {
        Self {
            files: &scans.files,
            session: &scans.session,
            folder: table.id.0.to_string(),
            key_seed: table.key_seed(),
        }
    }

    pub async fn write(
        &self,
        definition: &TableDefinition,
        mut rows: Rows<'_>,
    ) -> Result<Vec<Arc<Fragment>>, DfOlapError> {
        let mut first = Vec::new();
        let mut count = 0;
        while count <= INLINE_ROWS {
            let Some(batch) = rows.next().await else {
                if count == 0 {
                    return Ok(Vec::new());
                }
                let [few] = by_bytes(&first)?[..] else {
                    break;
                };
                let whole = compact_views(concat_batches(&definition.schema, few)?)?;
                if whole.get_array_memory_size() <= INLINE_BYTES {
                    let layout = Arc::clone(&definition.layout);
                    return Ok(vec![Arc::new(Fragment::new(layout, vec![whole]))]);
                }
                break;
            };
            let batch = batch?;
            count += batch.num_rows();
            if batch.num_rows() > 0 {
                first.push(batch);
            }
        }
        let first = futures::stream::iter(first.into_iter().map(Ok));
        self.write_files(definition, first.chain(rows).boxed())
            .await
    }

    /// Writes all rows to files. The end of one file is written while the next file is begun.
    pub async fn write_files(
        &self,
        definition: &TableDefinition,
        rows: Rows<'_>,
    ) -> Result<Vec<Arc<Fragment>>, DfOlapError> {
        let mut rows = RowReader { rows, left: None };
        let mut writers = Writers::default();
        while writers.failed.is_none() {
            match writers.during(rows.peek()).await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    writers.failed = Some(error);
                    break;
                }
            }
            while writers.running.len() >= FILES_AT_ONCE {
                writers.next().await;
            }
            let (send, receive) = mpsc::channel(1);
            let (send_end, receive_end) = oneshot::channel();
            let writing = self.write_file(definition, receive, receive_end);
            writers.running.push_back(writing.boxed());
            let feeding = self.feed(definition, &mut rows, send, send_end);
            if let Err(error) = writers.during(feeding).await {
                writers.failed = Some(error);
            }
        }
        writers.finish().await
    }

    async fn write_file(
        &self,
        definition: &TableDefinition,
        arrays: mpsc::Receiver<VortexResult<ArrayRef>>,
        end: oneshot::Receiver<FileEnd>,
    ) -> Result<Fragment, DfOlapError> {
        let schema = &definition.schema;
        let id = FragmentId(Uuid::new_v4());
        let path = format!("{}/{}.vortex", self.folder, id.0);
        let shown = self.files.shown(&path);
        let failed = |error: VortexError| {
            DfOlapError::Other(format!("{shown} could not be written: {error}"))
        };
        let dtype = self.session.arrow().from_arrow_schema(schema);
        let dtype = dtype.map_err(&failed)?;
        let mut sink = HashingSink {
            upload: self.files.create(&path).await?,
            error: None,
            hash: Xxh3::new(),
            hashed: 0,
            sums: Vec::new(),
        };
        let arrays = ArrayStreamAdapter::new(dtype, arrays);
        let data = async {
            let written = self.session.write_options().write(&mut sink, arrays).await;
            let finished = match (sink.error.take(), written) {
                (Some(error), _) => Err(error),
                (None, written) => written.map_err(&failed),
            };
            match finished {
                Ok(summary) => Ok((summary, sink.finish().await?)),
                Err(error) => {
                    sink.upload.abort().await;
                    Err(error)
                }
            }
        };
        let index = async {
            let FileEnd { keys, is_full } = end.await.unwrap_or_default();
            let keys = match keys {
                Some(keys) => keys.write(self.files, id, &path).await?,
                None => None,
            };
            Ok::<_, DfOlapError>((keys, is_full))
        };
        let (data, index) = futures::join!(data, index);
        let ((summary, sums), (keys, is_full)) = (data?, index?);
        let rows = u32::try_from(summary.row_count())
            .map_err(|_| DfOlapError::Other(format!("{shown} has too many rows")))?;
        let names = schema.fields().iter().map(|field| field.name().clone());
        let file = DataFile {
            path,
            size_bytes: summary.size(),
            names: names.collect(),
            checksums: Checksums::new(BLOCK_BYTES, sums),
            keys,
            is_full,
        };
        let columns: Vec<usize> = (0..schema.fields().len()).collect();
        let ranges = ranges(summary.footer(), &columns, schema);
        Ok(Fragment::in_file(
            id,
            Arc::clone(&definition.layout),
            rows,
            file,
            ranges,
        ))
    }

    /// Sends the rows of one file to its writer, and an error too, so that the writer does not take the error for the
    /// end of the rows; then what is known at the end of the file.
    async fn feed(
        &self,
        definition: &TableDefinition,
        rows: &mut RowReader<'_>,
        mut writer: mpsc::Sender<VortexResult<ArrayRef>>,
        send_end: oneshot::Sender<FileEnd>,
    ) -> Result<(), DfOlapError> {
        let schema = &definition.schema;
        let mut keys = NewKeys::new(definition, self.key_seed);
        let (mut count, mut bytes) = (0, 0);
        while count < FILE_ROWS {
            let room = match count {
                0 => usize::MAX,
                _ => FILE_BYTES.saturating_sub(bytes),
            };
            let array = match rows.next(FILE_ROWS - count, room).await {
                Ok(None) => break,
                Ok(Some((batch, more))) => {
                    count += batch.num_rows();
                    bytes += more;
                    keys = keys.and_then(|keys| keys.with(&batch));
                    let batch = zero_overflowing_decimals(batch)?;
                    let array = self.session.arrow().from_arrow_record_batch(batch, schema);
                    array.map_err(|error| DfOlapError::Other(error.to_string()))
                }
                Err(error) => Err(error),
            };
            let (message, error) = match array {
                Ok(array) => (Ok(array), None),
                Err(error) => (Err(io::Error::other(error.to_string()).into()), Some(error)),
            };
            // If the receiver is gone, the writer has failed and reports its error.
            let is_gone = writer.send(message).await.is_err();
            if let Some(error) = error {
                return Err(error);
            }
            if is_gone {
                return Ok(());
            }
        }
        let is_full = count < FILE_ROWS && rows.left.is_some();
        // As above.
        let _ = send_end.send(FileEnd { keys, is_full });
        Ok(())
    }
}

/// What is known at the end of a file.
#[derive(Default)]
struct FileEnd {
    /// The keys of its rows, if there is to be an index of them.
    keys: Option<NewKeys>,
    /// Whether it was ended because of its bytes.
    is_full: bool,
}

/// Files that are being written, in the order of their rows.
#[derive(Default)]
struct Writers<'a> {
    running: FuturesOrdered<BoxFuture<'a, Result<Fragment, DfOlapError>>>,
    written: Vec<Arc<Fragment>>,
    /// The first error: no more files are begun, and running writes are completed.
    failed: Option<DfOlapError>,
}

impl Writers<'_> {
    /// Polls `work`, and meanwhile drives the running writes.
    async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        futures::pin_mut!(work);
        while !self.running.is_empty() {
            match futures::future::select(work.as_mut(), self.running.next()).await {
                Either::Left((done, _)) => return done,
                Either::Right((ended, _)) => self.note(ended),
            }
        }
        work.await
    }

    async fn next(&mut self) {
        let ended = self.running.next().await;
        self.note(ended);
    }

    fn note(&mut self, ended: Option<Result<Fragment, DfOlapError>>) {
        match ended {
            Some(Ok(fragment)) => self.written.push(Arc::new(fragment)),
            Some(Err(error)) => self.failed = self.failed.take().or(Some(error)),
            None => {}
        }
    }

    async fn finish(mut self) -> Result<Vec<Arc<Fragment>>, DfOlapError> {
        while !self.running.is_empty() {
            self.next().await;
        }
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.written),
        }
    }
}

/// Reads a stream in pieces of a maximum size, and can look ahead.
struct RowReader<'a> {
    rows: Rows<'a>,
    left: Option<RecordBatch>,
}

impl RowReader<'_> {
    async fn peek(&mut self) -> Result<Option<&RecordBatch>, DfOlapError> {
        while self.left.is_none() {
            match self.rows.next().await {
                Some(batch) => self.left = Some(batch?).filter(|batch| batch.num_rows() > 0),
                None => return Ok(None),
            }
        }
        Ok(self.left.as_ref())
    }

    /// The next rows, at most so many, and their [`bounded_bytes`]. `None` if they have more than `room`, and at the
    /// end.
    async fn next(
        &mut self,
        rows: usize,
        room: usize,
    ) -> Result<Option<(RecordBatch, usize)>, DfOlapError> {
        let Some(all) = self.peek().await? else {
            return Ok(None);
        };
        let rows = rows.min(all.num_rows());
        let (next, left) = (all.slice(0, rows), all.slice(rows, all.num_rows() - rows));
        let bytes = bounded_bytes(&next)?;
        if bytes > room {
            return Ok(None);
        }
        self.left = Some(left).filter(|left| left.num_rows() > 0);
        Ok(Some((next, bytes)))
    }
}

/// The value ranges of the fields of `schema`, which are the columns `columns` of a file, by the file's statistics.
/// Only exact statistics are used, and only of types that every engine orders in the same way.
pub(super) fn ranges(
    footer: &Footer,
    columns: &[usize],
    schema: &SchemaRef,
) -> Vec<Option<ValueRange>> {
    let Some(statistics) = footer.statistics() else {
        return vec![None; schema.fields().len()];
    };
    let fields = columns.iter().zip(schema.fields());
    fields
        .map(|(index, field)| {
            if !has_cheap_order(field.data_type()) {
                return None;
            }
            let (stats, dtype) = statistics.get(*index);
            let bound = |stat: Stat| match stats.get(stat) {
                Precision::Exact(value) => bound(
                    Scalar::try_new(stat.dtype(dtype)?, Some(value)).ok()?,
                    field.data_type(),
                ),
                _ => None,
            };
            let nulls = match stats.get_as::<u64>(Stat::NullCount, &count_type()) {
                Precision::Exact(nulls) => nulls,
                _ => return None,
            };
            Some(ValueRange {
                min: bound(Stat::Min)?,
                max: bound(Stat::Max)?,
                nulls,
            })
        })
        .collect()
}

fn count_type() -> DType {
    vortex::dtype::PType::U64.into()
}

fn bound(value: Scalar, data_type: &DataType) -> Option<ScalarValue> {
    let value = value.try_to_df().ok()?;
    let value = value.cast_to(data_type).ok()?;
    (!value.is_null()).then_some(value)
}

/// Forwards the written bytes to an upload, and computes the checksum of each block.
struct HashingSink {
    upload: Upload,
    /// The original error of the upload, which the Vortex writer does not preserve.
    error: Option<DfOlapError>,
    hash: Xxh3,
    hashed: usize,
    sums: Vec<u64>,
}

impl HashingSink {
    fn hash(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = BLOCK_BYTES as usize - self.hashed;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.hash.update(now);
            self.hashed += now.len();
            if self.hashed == BLOCK_BYTES as usize {
                self.end_block();
            }
            bytes = later;
        }
    }

    fn end_block(&mut self) {
        self.sums.push(self.hash.digest());
        self.hash.reset();
        self.hashed = 0;
    }

    async fn finish(mut self) -> Result<Vec<u64>, DfOlapError> {
        if self.hashed > 0 {
            self.end_block();
        }
        self.upload.finish().await?;
        Ok(self.sums)
    }
}

impl VortexWrite for HashingSink {
    async fn write_all<B: IoBuf>(&mut self, buffer: B) -> io::Result<B> {
        let bytes = buffer.as_slice();
        self.hash(bytes);
        match self.upload.write(bytes).await {
            Ok(()) => Ok(buffer),
            Err(error) => {
                let io_error = io::Error::other(error.to_string());
                self.error = Some(error);
                Err(io_error)
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        Ok(())
    }
}
