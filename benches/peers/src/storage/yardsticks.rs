//! The parts that durable engines are built on, alone.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ::ours::arrow::array::RecordBatch;
use ::ours::arrow::datatypes::SchemaRef;
use ::ours::datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use ::ours::datafusion::prelude::SessionContext;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, future};
use vortex::VortexSessionDefault;
use vortex::array::stream::ArrayStreamAdapter;
use vortex::arrow::ArrowSessionExt;
use vortex::error::VortexError;
use vortex::file::WriteOptionsSessionExt;
use vortex::io::session::RuntimeSessionExt;
use vortex::session::VortexSession;
use vortex_datafusion::VortexFormat;

use crate::measure::{Failure, Operation, Queries};

/// About the size of what a commit of ten rows writes.
const SMALL_BYTES: usize = 2048;

/// Writes a small new file and syncs it and its folder: the minimum for a durable commit.
pub fn sync_pair(folder: &Path) -> Operation<'_> {
    Box::new(move |round| {
        let path = folder.join(format!("synced-{round}"));
        async move {
            let started = Instant::now();
            let mut file = File::create_new(&path)?;
            file.write_all(&[7; SMALL_BYTES])?;
            file.sync_all()?;
            File::open(folder)?.sync_all()?;
            Ok(started.elapsed())
        }
        .boxed_local()
    })
}

pub fn session() -> VortexSession {
    VortexSession::default().with_tokio()
}

/// Writes batches to one file with the plain Vortex writer. Returns the number of rows.
pub async fn write_raw(
    path: &Path,
    schema: &SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch, Failure>> + Send + 'static,
    synced: bool,
) -> Result<usize, Failure> {
    let session = session();
    let dtype = session.arrow().from_arrow_schema(schema)?;
    let arrays = batches.map({
        let (session, schema) = (session.clone(), Arc::clone(schema));
        move |batch| {
            let batch = batch.map_err(|error| VortexError::from(std::io::Error::other(error)))?;
            session.arrow().from_arrow_record_batch(batch, &schema)
        }
    });
    let arrays = ArrayStreamAdapter::new(dtype, arrays.boxed());
    let mut file = tokio::fs::File::create_new(path).await?;
    let summary = session.write_options().write(&mut file, arrays).await?;
    tokio::io::AsyncWriteExt::flush(&mut file).await?;
    if synced {
        file.sync_all().await?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
    }
    Ok(summary.row_count() as usize)
}

/// A plain `ListingTable` over the Vortex files of a folder, with DataFusion's defaults.
pub struct Listing(SessionContext);

impl Listing {
    /// The table `name` over the data files of a database of this engine, which must have a single table.
    pub fn of_database(name: &str, database: &Path, schema: &SchemaRef) -> Result<Self, Failure> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(database)? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("_log") {
                folders.push(path);
            }
        }
        let [folder] = folders.as_slice() else {
            return Err(format!("{} folders of tables, one expected", folders.len()).into());
        };
        let context = SessionContext::new();
        let options = ListingOptions::new(Arc::new(VortexFormat::new(session())))
            .with_file_extension("vortex");
        let url = ListingTableUrl::parse(format!("{}/", folder.display()))?;
        let config = ListingTableConfig::new(url)
            .with_listing_options(options)
            .with_schema(Arc::clone(schema));
        context.register_table(name, Arc::new(ListingTable::try_new(config)?))?;
        Ok(Self(context))
    }
}

impl Queries for Listing {
    async fn drain(&self, sql: &str) -> Result<usize, Failure> {
        let rows = self.0.sql(sql).await?.execute_stream().await?;
        let counted = rows.try_fold(0, |sum, batch| future::ready(Ok(sum + batch.num_rows())));
        Ok(counted.await?)
    }
}
