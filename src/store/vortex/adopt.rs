//! Adopts table folders of rhei-datafusion 2.0.0 (`<table>/*.vortex`, no log). The files stay where they are; the log
//! records their checksums, and vacuum never deletes them.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use vortex::arrow::ArrowSessionExt;
use vortex::buffer::Alignment;
use vortex::error::VortexError;
use vortex::expr::stats::Precision;
use vortex::expr::stats::Stat;
use vortex::file::{OpenOptionsSessionExt, VortexFile};
use vortex::io::VortexReadAt;
use xxhash_rust::xxh3::xxh3_64;

use super::database::Database;
use super::files::StoredFile;
use super::read::CheckedFile;
use super::write::{BLOCK_BYTES, ranges};
use crate::error::DfOlapError;
use crate::fragment::{Checksums, DataFile, Fragment, FragmentId};
use crate::snapshot::TableDefinition;

/// The chunk size of reads, in blocks.
const READ_BLOCKS: u64 = 32;

impl Database {
    /// The folder with the name of a table, and its files as fragments, if the folder has files and is not adopted
    /// yet.
    pub async fn adoptable(
        &self,
        name: &str,
        definition: &TableDefinition,
    ) -> Result<Option<(String, Vec<Arc<Fragment>>)>, DfOlapError> {
        if self.snapshot().adopted.contains(name) {
            return Ok(None);
        }
        let files = self.scans.files.list_folder(name).await?;
        if files.is_empty() {
            return Ok(None);
        }
        let mut fragments = Vec::with_capacity(files.len());
        for file in files {
            let fragment = self.adopt(file, definition).await?;
            if fragment.rows() > 0 {
                fragments.push(Arc::new(fragment));
            }
        }
        Ok(Some((name.to_string(), fragments)))
    }

    async fn adopt(
        &self,
        file: StoredFile,
        definition: &TableDefinition,
    ) -> Result<Fragment, DfOlapError> {
        let shown = self.scans.files.shown(&file.path);
        let sums = self.sums(&file).await?;
        let schema = &definition.schema;
        let names: Arc<[String]> = schema.fields().iter().map(|f| f.name().clone()).collect();
        let data_file = || DataFile {
            path: file.path.clone(),
            size_bytes: file.size_bytes,
            names: Arc::clone(&names),
            checksums: Checksums::new(BLOCK_BYTES, sums.clone()),
            keys: None,
            is_full: false,
        };
        let layout = || Arc::clone(&definition.layout);
        let unread = Fragment::in_file(FragmentId::fresh(), layout(), 0, data_file(), Vec::new());
        let reader: Arc<dyn VortexReadAt> = Arc::new(CheckedFile::new(
            self.scans.files.clone(),
            Arc::new(unread),
            self.scans.failures.clone(),
        ));
        let open = self
            .scans
            .session
            .open_options()
            .with_file_size(file.size_bytes);
        let opened = open.open(reader).await.map_err(|error: VortexError| {
            let failed = DfOlapError::Corrupt(format!("{shown} is no Vortex file: {error}"));
            self.scans.failures.original_error(failed)
        })?;
        let columns = self.columns(&shown, &opened, schema)?;
        let rows = u32::try_from(opened.row_count())
            .map_err(|_| DfOlapError::Unsupported(format!("{shown} has too many rows")))?;
        Ok(Fragment::in_file(
            FragmentId::fresh(),
            layout(),
            rows,
            data_file(),
            ranges(opened.footer(), &columns, schema),
        ))
    }

    /// The checksums of a file's blocks.
    async fn sums(&self, file: &StoredFile) -> Result<Vec<u64>, DfOlapError> {
        let step = READ_BLOCKS * u64::from(BLOCK_BYTES);
        let mut sums = Vec::new();
        let mut start = 0;
        while start < file.size_bytes {
            let end = (start + step).min(file.size_bytes);
            let files = &self.scans.files;
            let read = files
                .read(&file.path, start..end, Alignment::none())
                .await?;
            sums.extend(read.as_slice().chunks(BLOCK_BYTES as usize).map(xxh3_64));
            start = end;
        }
        Ok(sums)
    }

    /// The indices of a table's columns in a file, which must have all of the columns with the same types.
    fn columns(
        &self,
        shown: &str,
        file: &VortexFile,
        schema: &SchemaRef,
    ) -> Result<Vec<usize>, DfOlapError> {
        let mismatch = |what: String| {
            DfOlapError::SchemaMismatch(format!(
                "{shown} was written for another table: {what}; give its schema or another name"
            ))
        };
        let fields = file.dtype().as_struct_fields_opt();
        let fields = fields.ok_or_else(|| mismatch("it holds no rows of columns".into()))?;
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let place = fields.find(field.name());
            let place = place.ok_or_else(|| mismatch(format!("it has no '{}'", field.name())))?;
            let there = fields.field_by_index(place);
            let wanted = self.scans.session.arrow().from_arrow_field(field);
            let (Some(there), Ok(wanted)) = (there, wanted) else {
                return Err(mismatch(format!(
                    "the type of '{}' cannot be read",
                    field.name()
                )));
            };
            if !there.eq_ignore_nullability(&wanted) {
                return Err(mismatch(format!(
                    "'{}' is {there}, not {wanted}",
                    field.name()
                )));
            }
            let has_no_null = || {
                let statistics = file.footer().statistics()?;
                let (stats, _) = statistics.get(place);
                let count = stats.get_as::<u64>(Stat::NullCount, &vortex::dtype::PType::U64.into());
                Some(count == Precision::Exact(0))
            };
            if there.is_nullable() && !field.is_nullable() && has_no_null() != Some(true) {
                return Err(mismatch(format!("'{}' may hold NULL", field.name())));
            }
            columns.push(place);
        }
        Ok(columns)
    }
}
