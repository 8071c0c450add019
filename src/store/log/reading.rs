//! Finds the head of a log, reads earlier entries, and removes entries that checkpoints cover.

use std::ops::RangeInclusive;
use std::time::SystemTime;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::{Created, Entry, HINT, Kind, Log, checkpoint_name, entry_name, parse_name};
use crate::error::DfOlapError;

/// The objects from which a reader builds the newest state.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The newest checkpoint; without a checkpoint, `entries` starts with the first entry of the log.
    pub checkpoint: Option<Entry>,
    /// All entries after the checkpoint.
    pub entries: Vec<Entry>,
}

impl Log {
    /// The newest checkpoint and all later entries; `None` if there is no log.
    pub async fn open(&self) -> Result<Option<Opened>, DfOlapError> {
        let hinted = self.hint().await?;
        let mut found = NewestVersions::default();
        if let Some(version) = hinted {
            // In the order of names, a version's checkpoint comes before its entry, so this lists later versions
            // only.
            found.add(self.list(Some(&entry_name(version))).await?);
            found.checkpoint = found.checkpoint.or(Some(version));
        }
        let mut checkpoint = match found.checkpoint {
            Some(version) => self.checkpoint(version).await?,
            None => None,
        };
        if checkpoint.is_none() {
            found = NewestVersions::default();
            found.add(self.list(None).await?);
            checkpoint = match found.checkpoint {
                Some(version) => Some(self.read_existing(version, Kind::Checkpoint).await?),
                None => None,
            };
        }
        let first = checkpoint.as_ref().map_or(0, |found| found.version + 1);
        let last = found.entry;
        let mut entries = match last {
            Some(last) if last >= first => self.entries(first..=last).await?,
            _ => Vec::new(),
        };
        let next = entries.last().map_or(first, |entry| entry.version + 1);
        entries.extend(self.entries_from(next).await?);
        Ok(match (&checkpoint, entries.is_empty()) {
            (None, true) => None,
            _ => Some(Opened {
                checkpoint,
                entries,
            }),
        })
    }

    /// The entries of a range of versions, all of which must exist.
    pub async fn entries(&self, versions: RangeInclusive<u64>) -> Result<Vec<Entry>, DfOlapError> {
        let reads = versions.map(|version| self.read_existing(version, Kind::Entry));
        let reads = futures::stream::iter(reads).buffered(READS_AT_ONCE);
        reads.try_collect().await
    }

    /// The versions that have a checkpoint.
    pub async fn checkpoints(&self) -> Result<Vec<u64>, DfOlapError> {
        let names = self.list(None).await?;
        let found = names.iter().filter_map(|name| match parse_name(name)? {
            (version, Kind::Checkpoint) => Some(version),
            (_, Kind::Entry) => None,
        });
        Ok(found.collect())
    }

    /// The names of the objects of all versions before this one.
    pub async fn before(&self, version: u64) -> Result<Vec<String>, DfOlapError> {
        let mut names = self.list(None).await?;
        names.retain(|name| parse_name(name).is_some_and(|(at, _)| at < version));
        Ok(names)
    }

    /// The names of objects that a crash before the time `before` left behind.
    pub async fn left_over(&self, before: SystemTime) -> Result<Vec<String>, DfOlapError> {
        self.with_retries(|| self.medium.left_over(before)).await
    }

    /// Removes objects that no reader needs.
    pub async fn remove(&self, mut names: Vec<String>) -> Result<(), DfOlapError> {
        // The oldest last: an interrupted removal leaves the oldest objects without a gap between them.
        names.sort_unstable();
        for name in names.iter().rev() {
            self.with_retries(|| self.medium.remove(name)).await?;
        }
        Ok(())
    }

    /// All entries from a version on, read one number after the other until a number is free.
    pub async fn entries_from(&self, mut version: u64) -> Result<Vec<Entry>, DfOlapError> {
        let mut entries = Vec::new();
        while let Some(entry) = self.entry(version).await? {
            entries.push(entry);
            version += 1;
        }
        Ok(entries)
    }

    /// Stores a checkpoint and points the hint to it, so that readers can start from it.
    pub async fn write_checkpoint(&self, checkpoint: &Entry) -> Result<(), DfOlapError> {
        let name = checkpoint_name(checkpoint.version);
        let created = self.medium.create(&name, checkpoint.encode());
        match self.with_timeout(created).await {
            // Two checkpoints of one version have the same content.
            Some(Ok(Created::New | Created::Exists)) => {}
            Some(Err(failed)) => return Err(self.to_engine_error(failed.error)),
            None => return Err(self.no_answer()),
        }
        let hint = Bytes::from(checkpoint.version.to_string());
        match self.with_timeout(self.medium.replace(HINT, hint)).await {
            Some(replaced) => replaced.map_err(|error| self.to_engine_error(error)),
            None => Err(self.no_answer()),
        }
    }

    /// The object of a version; an error if the object is missing.
    pub async fn read_existing(&self, version: u64, kind: Kind) -> Result<Entry, DfOlapError> {
        self.read(version, kind).await?.ok_or_else(|| {
            DfOlapError::Corrupt(format!("{} is missing", self.name_of(kind, version)))
        })
    }

    async fn hint(&self) -> Result<Option<u64>, DfOlapError> {
        let bytes = self.with_retries(|| self.medium.read(HINT)).await?;
        Ok(bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok()))
    }

    async fn list(&self, after: Option<&str>) -> Result<Vec<String>, DfOlapError> {
        self.with_retries(|| self.medium.list(after)).await
    }
}

/// How many entries are read concurrently.
const READS_AT_ONCE: usize = 16;

/// The versions of the newest checkpoint and entry in a listing.
#[derive(Debug, Default)]
struct NewestVersions {
    checkpoint: Option<u64>,
    entry: Option<u64>,
}

impl NewestVersions {
    fn add(&mut self, names: Vec<String>) {
        for (version, kind) in names.iter().filter_map(|name| parse_name(name)) {
            let newest = match kind {
                Kind::Checkpoint => &mut self.checkpoint,
                Kind::Entry => &mut self.entry,
            };
            *newest = (*newest).max(Some(version));
        }
    }
}
