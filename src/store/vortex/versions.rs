//! Time travel: the retained versions, and the snapshot of each.

use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use super::database::{Database, State};
use super::format::checkpoint;
use crate::error::DfOlapError;
use crate::fragment::{DataFile, Fragment, KeysFile};
use crate::snapshot::{Snapshot, Version};
use crate::store::log::{Entry, Kind};
use crate::upkeep::{At, VersionEntry};

impl Database {
    /// The retained versions, oldest first.
    pub async fn versions(&self) -> Result<Vec<VersionEntry>, DfOlapError> {
        let now = self.snapshot();
        let entries = self.log.entries(now.oldest.0..=now.version.0).await?;
        let version = |entry: &Entry| VersionEntry {
            version: Version(entry.version),
            committed_at: moment(entry.time_us),
        };
        Ok(entries.iter().map(version).collect())
    }

    pub async fn snapshot_at(&self, at: At) -> Result<Arc<Snapshot>, DfOlapError> {
        let now = self.snapshot();
        let version = match at {
            At::Version(version) => version,
            At::Time(time) => {
                let time_us = DateTime::<Utc>::from(time).timestamp_micros();
                self.newest_at(&now, time_us).await?.ok_or_else(|| {
                    DfOlapError::Invalid(format!(
                        "there is no version at {}: the oldest that is kept is {}, which is younger",
                        DateTime::<Utc>::from(time),
                        now.oldest
                    ))
                })?
            }
        };
        if version > now.version {
            return Err(DfOlapError::Invalid(format!(
                "version {version} is not there yet; the newest is {}",
                now.version
            )));
        }
        if version < now.oldest {
            return Err(DfOlapError::Invalid(format!(
                "version {version} is not kept any more; the oldest is {}",
                now.oldest
            )));
        }
        if version == now.version {
            return Ok(now);
        }
        let snapshot = self.state_of(version).await?.snapshot;
        self.note_live(&snapshot);
        // A vacuum that did not see this snapshot as live may have expired its version meanwhile.
        match version < self.snapshot().oldest {
            true => Err(DfOlapError::Conflict(format!(
                "version {version} was let go of while it was read"
            ))),
            false => Ok(snapshot),
        }
    }

    /// The newest version that was committed at or before a time; `None` if the oldest retained version is younger. A
    /// binary search, because times increase with versions.
    pub async fn newest_at(
        &self,
        now: &Snapshot,
        time_us: i64,
    ) -> Result<Option<Version>, DfOlapError> {
        let (mut from, mut to) = (now.oldest.0, now.version.0 + 1);
        while from < to {
            let middle = from + (to - from) / 2;
            match self.log.read_existing(middle, Kind::Entry).await?.time_us <= time_us {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        Ok((from > now.oldest.0).then(|| Version(from - 1)))
    }

    /// The state of a version, replayed from the log.
    pub async fn state_of(&self, version: Version) -> Result<State, DfOlapError> {
        let checkpoints = self.log.checkpoints().await?;
        let nearest = checkpoints.into_iter().filter(|at| *at <= version.0).max();
        let mut state = None;
        let mut next = 0;
        if let Some(at) = nearest {
            let kept = self.log.read_existing(at, Kind::Checkpoint).await?;
            let (database, snapshot) = checkpoint::decode(at, &kept.body)
                .map_err(|error| self.damaged(Kind::Checkpoint, at, error))?;
            state = Some(State {
                database,
                snapshot: Arc::new(snapshot),
                time_us: kept.time_us,
            });
            next = at + 1;
        }
        if next <= version.0 {
            for entry in self.log.entries(next..=version.0).await? {
                state = Some(self.after(state.as_ref(), &entry)?);
            }
        }
        state.ok_or_else(|| DfOlapError::Other(format!("version {version} has no entry")))
    }
}

/// The fragments of a snapshot that are stored in files, with their files.
pub(super) fn fragments_of(
    snapshot: &Snapshot,
) -> impl Iterator<Item = (&DataFile, &Arc<Fragment>)> {
    let fragments = snapshot.tables.values().flat_map(|table| &table.fragments);
    fragments.filter_map(|live| Some((live.fragment.file()?, &live.fragment)))
}

/// The indexes of keys in files that a snapshot uses.
pub(super) fn indexes_of(snapshot: &Snapshot) -> impl Iterator<Item = &Arc<KeysFile>> {
    snapshot
        .tables
        .values()
        .flat_map(|table| table.keys_files())
}

pub(super) fn moment(time_us: i64) -> SystemTime {
    DateTime::from_timestamp_micros(time_us).map_or(SystemTime::UNIX_EPOCH, SystemTime::from)
}
