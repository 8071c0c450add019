//! A data file, the index of keys beside it, and a merged index, as the log names them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::blobs::{Blob, Blobs, Damage, damage};
use crate::fragment::{Checksums, ColumnId, DataFile, FragmentId, KeysFile};
use crate::key_index::merged::{MergedKeys, Spans};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LoggedFile {
    path: String,
    size_bytes: u64,
    block_bytes: u32,
    checksums: Blob,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<LoggedKeys>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    full: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct LoggedKeys {
    columns: Vec<u32>,
    pages: u32,
    checksum: Blob,
}

/// An index of the keys of several files.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LoggedMerged {
    index: Uuid,
    path: String,
    #[serde(flatten)]
    keys: LoggedKeys,
    fragments: Vec<LoggedSpan>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LoggedSpan {
    fragment: Uuid,
    rows: u32,
}

impl LoggedKeys {
    fn of(blobs: &mut Blobs, keys: &KeysFile) -> Self {
        Self {
            columns: keys.columns.iter().map(|id| id.0).collect(),
            pages: keys.pages,
            checksum: blobs.push(keys.checksum.to_le_bytes().to_vec()),
        }
    }

    /// The index with this id and path, of so many rows.
    fn read(
        self,
        blobs: &Blobs,
        id: FragmentId,
        path: String,
        rows: u32,
    ) -> Result<Arc<KeysFile>, Damage> {
        if self.pages > rows {
            return Err(damage("an index of keys has more pages than rows"));
        }
        let checksum = blobs.get(self.checksum)?.as_ref().try_into();
        let checksum = checksum.map_err(|_| damage("a checksum has another length"))?;
        let columns = self.columns.into_iter().map(ColumnId).collect();
        let checksum = u64::from_le_bytes(checksum);
        let keys = KeysFile::new((id, path), rows, columns, self.pages, checksum);
        Ok(Arc::new(keys))
    }
}

impl LoggedMerged {
    pub fn of(blobs: &mut Blobs, merged: &MergedKeys) -> Self {
        let fragments = merged.fragments.iter();
        Self {
            index: merged.file.id.0,
            path: merged.file.path.clone(),
            keys: LoggedKeys::of(blobs, &merged.file),
            fragments: fragments
                .map(|(id, rows)| LoggedSpan {
                    fragment: id.0,
                    rows,
                })
                .collect(),
        }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn read(self, blobs: &Blobs) -> Result<MergedKeys, Damage> {
        let spans = self.fragments.iter();
        let spans = Spans::new(spans.map(|span| (FragmentId(span.fragment), span.rows)));
        let fragments = spans.ok_or_else(|| damage("an index of keys has too many rows"))?;
        let (id, path) = (FragmentId(self.index), checked_path(self.path)?);
        Ok(MergedKeys {
            file: self.keys.read(blobs, id, path, fragments.rows())?,
            fragments,
        })
    }
}

impl LoggedFile {
    pub fn of(blobs: &mut Blobs, file: &DataFile) -> Self {
        let sums = file.checksums.sums();
        let checksums: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        Self {
            path: file.path.clone(),
            size_bytes: file.size_bytes,
            block_bytes: file.checksums.block_bytes(),
            checksums: blobs.push(checksums),
            keys: file.keys.as_ref().map(|keys| LoggedKeys::of(blobs, keys)),
            full: file.is_full,
        }
    }

    /// The paths of the file and of the index beside it.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        let keys = self.keys.as_ref();
        let keys = keys.map(|_| KeysFile::path_beside(&self.path));
        [self.path.clone()].into_iter().chain(keys)
    }

    /// The file of a fragment with so many rows, whose columns have these names.
    pub fn read(
        self,
        blobs: &Blobs,
        id: FragmentId,
        rows: u32,
        names: Arc<[String]>,
    ) -> Result<DataFile, Damage> {
        let sums = blobs.get(self.checksums)?;
        let (sums, rest) = sums.as_chunks::<8>();
        let sums: Vec<u64> = sums.iter().map(|sum| u64::from_le_bytes(*sum)).collect();
        let blocks = self.size_bytes.checked_div(u64::from(self.block_bytes));
        let checksums = Checksums::new(self.block_bytes, sums);
        if blocks.is_none() || !rest.is_empty() || !checksums.cover(self.size_bytes) {
            return Err(damage("a file's checksums do not fit its size"));
        }
        let path = checked_path(self.path)?;
        let beside = KeysFile::path_beside(&path);
        let keys = self.keys.map(|keys| keys.read(blobs, id, beside, rows));
        Ok(DataFile {
            path,
            size_bytes: self.size_bytes,
            names,
            checksums,
            keys: keys.transpose()?,
            is_full: self.full,
        })
    }
}

/// The path, if it stays below the root of the database.
fn checked_path(path: String) -> Result<String, Damage> {
    let is_name =
        |part: &str| !matches!(part, "" | "." | ".." | "_log") && !part.contains(['\\', ':', '\0']);
    match path.split('/').all(is_name) && path.len() <= 4096 {
        true => Ok(path),
        false => Err(damage(format!(
            "it names a file outside of the database: {path:?}"
        ))),
    }
}
