//! Earlier versions, and the removal of what no version names that is to stay.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};

use super::database::{Database, State};
use super::read::CheckedFile;
use super::{checkpoint, entry};
use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::fragment::Fragment;
use crate::snapshot::{Snapshot, Version};
use crate::store::CommitOutcome;
use crate::store::log::{Entry, Kind};
use crate::upkeep::{At, Vacuum, VacuumOptions, Verification, VersionEntry};

/// A file that no version is known to have named may be one of a write that goes on: so old it must be to be removed.
/// For as long entries are kept that a checkpoint covers, so that a very late one cannot take the number of one that
/// was removed.
const UNKNOWN_FOR: Duration = Duration::from_secs(24 * 3600);
/// Removals at once.
const AT_ONCE: usize = 16;

impl Database {
    /// The versions that can be asked for, oldest first.
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
        // A vacuum that did not see it may have begun meanwhile.
        match version < self.snapshot().oldest {
            true => Err(DfOlapError::Conflict(format!(
                "version {version} was let go of while it was read"
            ))),
            false => Ok(snapshot),
        }
    }

    /// The newest version that was there at a moment; `None` where the oldest is younger. Times rise with versions.
    async fn newest_at(
        &self,
        now: &Snapshot,
        time_us: i64,
    ) -> Result<Option<Version>, DfOlapError> {
        let (mut from, mut to) = (now.oldest.0, now.version.0 + 1);
        while from < to {
            let middle = from + (to - from) / 2;
            match self.log.must(middle, Kind::Entry).await?.time_us <= time_us {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        Ok((from > now.oldest.0).then(|| Version(from - 1)))
    }

    /// What the log says of a version.
    async fn state_of(&self, version: Version) -> Result<State, DfOlapError> {
        let checkpoints = self.log.checkpoints().await?;
        let nearest = checkpoints.into_iter().filter(|at| *at <= version.0).max();
        let mut state = None;
        let mut next = 0;
        if let Some(at) = nearest {
            let kept = self.log.must(at, Kind::Checkpoint).await?;
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

    pub async fn vacuum(self: &Arc<Self>, options: VacuumOptions) -> Result<Vacuum, DfOlapError> {
        self.refresh().await?;
        let now = self.snapshot();
        let clock: SystemTime = Utc::now().into();
        let before = |time: Duration| clock.checked_sub(time).unwrap_or(SystemTime::UNIX_EPOCH);
        let cutoff = DateTime::<Utc>::from(before(options.retention)).timestamp_micros();
        let kept = self.newest_at(&now, cutoff).await?.unwrap_or(now.oldest);
        let kept = kept.min(self.oldest_live()).max(now.oldest);

        let (known, named) = self.files_named(&now, kept).await?;
        let young = before(UNKNOWN_FOR);
        let files = self.scans.files.list().await?;
        let unnamed = files.into_iter().filter(|file| {
            !named.contains(&file.path) && (known.contains(&file.path) || file.modified < young)
        });
        let unnamed: Vec<_> = unnamed.collect();
        let mut done = Vacuum {
            files: unnamed.len() as u64,
            bytes: unnamed.iter().map(|file| file.size_bytes).sum(),
            log_objects: 0,
        };
        let mut trimmed = self.log.left_over(young).await?;
        if let Some(version) = self.covered_since(kept, young).await? {
            trimmed.extend(self.log.before(version).await?);
        }
        done.log_objects = trimmed.len() as u64;
        if options.dry_run {
            return Ok(done);
        }
        if kept > now.oldest {
            let forget = ChangeSet {
                actions: vec![Action::Forget { before: kept }],
            };
            if let CommitOutcome::Conflict(_) = self.commit(&now, forget).await? {
                return Err(DfOlapError::Other("forgetting versions conflicts".into()));
            }
            if self.oldest_live() < kept {
                // Someone began to read an older version just now. What is left is found again.
                return Ok(Vacuum::default());
            }
        }
        let files = &self.scans.files;
        let removals = unnamed.into_iter();
        let removals = removals.map(|file| async move { files.remove(&file.path).await });
        let removals = stream::iter(removals).buffer_unordered(AT_ONCE);
        removals
            .try_for_each(|()| std::future::ready(Ok(())))
            .await?;
        self.log.remove(trimmed).await?;
        Ok(done)
    }

    pub async fn verify(&self) -> Result<Verification, DfOlapError> {
        self.refresh().await?;
        let now = self.snapshot();
        let mut done = Verification::default();
        let mut files: HashMap<String, Arc<Fragment>> = HashMap::new();
        for at in self.log.checkpoints().await? {
            done.log_objects += 1;
            let checkpoint = match self.log.must(at, Kind::Checkpoint).await {
                Ok(checkpoint) => checkpoint,
                Err(error) => {
                    done.note(error)?;
                    continue;
                }
            };
            let decoded = checkpoint::decode(at, &checkpoint.body);
            if let Err(error) = decoded.map_err(|e| self.damaged(Kind::Checkpoint, at, e)) {
                done.note(error)?;
            }
        }
        match self.state_of(now.oldest).await {
            Err(error) => done.note(error)?,
            Ok(mut state) => {
                files.extend(fragments_of(&state.snapshot));
                for version in now.oldest.0 + 1..=now.version.0 {
                    done.log_objects += 1;
                    let next = match self.log.must(version, Kind::Entry).await {
                        Ok(entry) => self.after(Some(&state), &entry),
                        Err(error) => Err(error),
                    };
                    match next {
                        Ok(next) => state = next,
                        // What comes after it cannot be told.
                        Err(error) => {
                            done.note(error)?;
                            break;
                        }
                    }
                    files.extend(fragments_of(&state.snapshot));
                }
            }
        }
        files.extend(fragments_of(&now));
        for fragment in files.into_values() {
            let Some(file) = fragment.file() else {
                continue;
            };
            done.files += 1;
            done.bytes += file.size_bytes;
            let read = CheckedFile::new(
                self.scans.files.clone(),
                Arc::clone(&fragment),
                self.scans.failures.clone(),
            );
            if let Err(error) = read.check_all().await {
                done.note(error)?;
            }
        }
        done.damages.sort();
        Ok(done)
    }

    /// The files that were ever named since the oldest version, and those that versions from `kept` on name.
    async fn files_named(
        &self,
        now: &Snapshot,
        kept: Version,
    ) -> Result<(HashSet<String>, HashSet<String>), DfOlapError> {
        let mut state = self.state_of(now.oldest).await?;
        let mut known: HashSet<String> = files_of(&state.snapshot).collect();
        let mut named = HashSet::new();
        if kept == now.oldest {
            named.extend(known.iter().cloned());
        }
        if now.oldest < now.version {
            for entry in self.log.entries(now.oldest.0 + 1..=now.version.0).await? {
                let added = entry::files_added(&entry.body);
                let added = added.map_err(|e| self.damaged(Kind::Entry, entry.version, e))?;
                if entry.version <= kept.0 {
                    state = self.after(Some(&state), &entry)?;
                    if entry.version == kept.0 {
                        named.extend(files_of(&state.snapshot));
                    }
                } else {
                    named.extend(added.iter().cloned());
                }
                known.extend(added);
            }
        }
        Ok((known, named))
    }

    /// The newest checkpoint that covers all before `kept` and is old enough for them to go.
    async fn covered_since(
        &self,
        kept: Version,
        young: SystemTime,
    ) -> Result<Option<u64>, DfOlapError> {
        let mut checkpoints = self.log.checkpoints().await?;
        checkpoints.retain(|at| *at <= kept.0);
        checkpoints.sort_unstable();
        while let Some(at) = checkpoints.pop() {
            let checkpoint = self.log.must(at, Kind::Checkpoint).await?;
            if moment(checkpoint.time_us) < young {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }
}

impl Verification {
    /// Lists a damage; any other error ends the verification.
    fn note(&mut self, error: DfOlapError) -> Result<(), DfOlapError> {
        match error {
            DfOlapError::Corrupt(text) => {
                self.damages.push(text);
                Ok(())
            }
            error => Err(error),
        }
    }
}

fn fragments_of(snapshot: &Snapshot) -> impl Iterator<Item = (String, Arc<Fragment>)> + '_ {
    let fragments = snapshot.tables.values().flat_map(|table| &table.fragments);
    fragments.filter_map(|live| {
        let path = live.fragment.file()?.path.clone();
        Some((path, Arc::clone(&live.fragment)))
    })
}

fn files_of(snapshot: &Snapshot) -> impl Iterator<Item = String> + '_ {
    fragments_of(snapshot).map(|(path, _)| path)
}

fn moment(time_us: i64) -> SystemTime {
    DateTime::from_timestamp_micros(time_us).map_or(SystemTime::UNIX_EPOCH, SystemTime::from)
}
