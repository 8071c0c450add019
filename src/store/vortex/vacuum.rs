//! Vacuum: expires old versions, and deletes files and log objects that no retained version references.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};

use super::database::Database;
use super::format::entry;
use super::versions::{fragments_of, indexes_of, moment};
use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::snapshot::{Snapshot, Version};
use crate::store::CommitOutcome;
use crate::store::log::Kind;
use crate::upkeep::{Vacuum, VacuumOptions};

/// A file that no known version references may belong to a running write, so only files older than this are deleted.
/// Log entries that a checkpoint covers are kept for as long, so that a very late put cannot take the number of a
/// removed entry.
const UNKNOWN_FOR: Duration = Duration::from_secs(24 * 3600);
/// How many files are removed concurrently.
const AT_ONCE: usize = 16;

impl Database {
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
            if let CommitOutcome::Conflict(_) = self.commit(&now, forget, &Arc::default()).await? {
                return Err(DfOlapError::Other("forgetting versions conflicts".into()));
            }
            if self.oldest_live() < kept {
                // A reader has just opened an older version. A later vacuum deletes the files.
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

    /// The files that any version since the oldest references, and the files that versions from `kept` on reference.
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

    /// The newest checkpoint at or before `kept` that is old enough for the objects of earlier versions to be
    /// removed.
    async fn covered_since(
        &self,
        kept: Version,
        young: SystemTime,
    ) -> Result<Option<u64>, DfOlapError> {
        let mut checkpoints = self.log.checkpoints().await?;
        checkpoints.retain(|at| *at <= kept.0);
        checkpoints.sort_unstable();
        while let Some(at) = checkpoints.pop() {
            let checkpoint = self.log.read_existing(at, Kind::Checkpoint).await?;
            if moment(checkpoint.time_us) < young {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }
}

fn files_of(snapshot: &Snapshot) -> impl Iterator<Item = String> + '_ {
    let data = fragments_of(snapshot).map(|(file, _)| file.path.clone());
    data.chain(indexes_of(snapshot).map(|index| index.path.clone()))
}
