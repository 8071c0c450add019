//! One object of the log as bytes: an envelope around a body that this layer does not read.
//!
//! ```text
//! 0   4  magic "RHEI"
//! 4   2  format, little endian like all numbers: 1
//! 6   1  kind: 1 entry, 2 checkpoint
//! 7   1  zero
//! 8   8  version
//! 16 16  id of the commit, a UUID
//! 32  8  time of the commit, microseconds since 1970
//! 40  8  length of the body
//! 48  n  body
//! .   8  XXH3-64 of all bytes before
//! ```
//!
//! Only the magic and the format are read before the checksum is verified, and the length is checked against the size
//! of the object before it is used.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::DfOlapError;

/// The newest format that this build reads and the one that it writes.
pub(crate) const FORMAT: u16 = 1;

const MAGIC: &[u8; 4] = b"RHEI";
const HEADER_BYTES: usize = 48;
const CHECKSUM_BYTES: usize = 8;

/// The identity of a commit, the same in all attempts to store it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommitId(pub Uuid);

impl CommitId {
    pub(crate) fn fresh() -> Self {
        Self(Uuid::new_v4())
    }
}

impl std::fmt::Display for CommitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The kind of a log object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Entry = 1,
    Checkpoint = 2,
}

/// One object of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub kind: Kind,
    pub version: u64,
    pub id: CommitId,
    pub time_us: i64,
    pub body: Bytes,
}

impl Entry {
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + self.body.len() + CHECKSUM_BYTES);
        bytes.put_slice(MAGIC);
        bytes.put_u16_le(FORMAT);
        bytes.put_u8(self.kind as u8);
        bytes.put_u8(0);
        bytes.put_u64_le(self.version);
        bytes.put_slice(self.id.0.as_bytes());
        bytes.put_i64_le(self.time_us);
        bytes.put_u64_le(self.body.len() as u64);
        bytes.put_slice(&self.body);
        let checksum = xxh3_64(&bytes);
        bytes.put_u64_le(checksum);
        bytes.freeze()
    }

    /// Reads the object `name`, which must be the `kind` of `version`.
    ///
    /// # Errors
    /// [`DfOlapError::Corrupt`] where the bytes are not what was written, or were written under another name;
    /// `Unsupported` for a newer format.
    pub fn decode(
        name: &str,
        kind: Kind,
        version: u64,
        bytes: &Bytes,
    ) -> Result<Self, DfOlapError> {
        let corrupt = |what: &str| DfOlapError::Corrupt(format!("{name} is damaged: {what}"));
        let Some((sealed, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
            return Err(corrupt("it is too short"));
        };
        let Some((header, body)) = sealed.split_first_chunk::<HEADER_BYTES>() else {
            return Err(corrupt("it is too short"));
        };
        if !header.starts_with(MAGIC) {
            return Err(corrupt("it is no object of this log"));
        }
        let format = u16::from_le_bytes([header[4], header[5]]);
        if format > FORMAT {
            return Err(DfOlapError::Unsupported(format!(
                "{name} has format {format}; this version reads up to {FORMAT}; use a newer one"
            )));
        }
        if xxh3_64(sealed) != u64::from_le_bytes(*checksum) {
            return Err(corrupt("its checksum is wrong"));
        }
        let number = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&header[at..at + 8]);
            u64::from_le_bytes(eight)
        };
        if number(40) != body.len() as u64 {
            return Err(corrupt("its length is wrong"));
        }
        if header[6] != kind as u8 || number(8) != version {
            return Err(corrupt("it was written under another name"));
        }
        let mut id = [0; 16];
        id.copy_from_slice(&header[16..32]);
        Ok(Self {
            kind,
            version,
            id: CommitId(Uuid::from_bytes(id)),
            time_us: number(32).cast_signed(),
            body: bytes.slice(HEADER_BYTES..HEADER_BYTES + body.len()),
        })
    }
}
