//! The blobs of a body, and what is wrong with a body that no engine wrote.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The reason why bytes are not a body that an engine wrote.
#[derive(Debug)]
pub(crate) struct Damage(pub String);

impl<E: std::error::Error> From<E> for Damage {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

pub(crate) fn damage(what: impl Into<String>) -> Damage {
    Damage(what.into())
}

/// The place of a blob in the list of blobs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Blob(u32);

#[derive(Debug, Default)]
pub(crate) struct Blobs(Vec<Bytes>);

impl Blobs {
    pub fn push(&mut self, bytes: impl Into<Bytes>) -> Blob {
        self.0.push(bytes.into());
        Blob(self.0.len() as u32 - 1)
    }

    pub fn get(&self, blob: Blob) -> Result<&Bytes, Damage> {
        let found = self.0.get(blob.0 as usize);
        found.ok_or_else(|| damage("it points to a blob that is not there"))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.0.iter()
    }
}
