//! [`Outcome`]: the result of a statement, consumed as rows, as a stream or as a count.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, future, stream};

use crate::error::DfOlapError;
use crate::sql::SnapshotStream;

/// The result of a statement.
pub(crate) enum Outcome {
    Rows(SnapshotStream),
    Done {
        rows: u64,
        returning: Option<Vec<RecordBatch>>,
        /// False for DDL and for statements that change the session.
        counts: bool,
    },
}

impl Outcome {
    /// All rows. A write without RETURNING has one row: its count.
    pub async fn collect(self) -> Result<Vec<RecordBatch>, DfOlapError> {
        let schema = self.schema();
        match self {
            Self::Rows(rows) => {
                let batches: Vec<RecordBatch> = rows.try_collect().await?;
                Ok(match batches.is_empty() {
                    true => vec![RecordBatch::new_empty(schema)],
                    false => batches,
                })
            }
            done => done.stream().try_collect().await,
        }
    }

    /// The columns of [`stream`](Self::stream).
    pub fn schema(&self) -> SchemaRef {
        match self {
            Self::Rows(rows) => Arc::clone(rows.schema()),
            Self::Done {
                returning: Some(batches),
                ..
            } => batches
                .first()
                .map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema),
            Self::Done { counts: false, .. } => Arc::new(Schema::empty()),
            Self::Done { .. } => count_schema(),
        }
    }

    pub fn stream(self) -> BoxStream<'static, Result<RecordBatch, DfOlapError>> {
        match self {
            Self::Rows(rows) => rows.boxed(),
            Self::Done {
                returning: Some(batches),
                ..
            } => stream::iter(batches.into_iter().map(Ok)).boxed(),
            Self::Done { counts: false, .. } => stream::empty().boxed(),
            Self::Done { rows, .. } => {
                let counts = Arc::new(UInt64Array::from(vec![rows]));
                let batch = RecordBatch::try_new(count_schema(), vec![counts]);
                stream::once(future::ready(batch.map_err(DfOlapError::from))).boxed()
            }
        }
    }

    /// The number of rows affected. A query runs to its end and affects no rows.
    pub async fn count(self) -> Result<u64, DfOlapError> {
        match self {
            Self::Rows(rows) => {
                rows.try_for_each(|_| future::ready(Ok(()))).await?;
                Ok(0)
            }
            Self::Done { rows, counts, .. } => Ok(if counts { rows } else { 0 }),
        }
    }
}

fn count_schema() -> SchemaRef {
    let count = Field::new("count", DataType::UInt64, false);
    Arc::new(Schema::new(vec![count]))
}
