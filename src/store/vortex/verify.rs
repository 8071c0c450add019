//! Verification: reads everything that a retained version references, and checks its checksums.

use std::collections::HashMap;
use std::sync::Arc;

use super::database::Database;
use super::format::checkpoint;
use super::read::CheckedFile;
use super::versions::{fragments_of, indexes_of};
use crate::error::DfOlapError;
use crate::fragment::{Fragment, KeysFile};
use crate::snapshot::Snapshot;
use crate::store::log::Kind;
use crate::upkeep::Verification;

impl Database {
    pub async fn verify(&self) -> Result<Verification, DfOlapError> {
        self.refresh().await?;
        let now = self.snapshot();
        let mut done = Verification::default();
        let mut files = Files::default();
        for at in self.log.checkpoints().await? {
            done.log_objects += 1;
            let checkpoint = match self.log.read_existing(at, Kind::Checkpoint).await {
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
                files.add(&state.snapshot);
                for version in now.oldest.0 + 1..=now.version.0 {
                    done.log_objects += 1;
                    let next = match self.log.read_existing(version, Kind::Entry).await {
                        Ok(entry) => self.after(Some(&state), &entry),
                        Err(error) => Err(error),
                    };
                    match next {
                        Ok(next) => state = next,
                        // Later entries cannot be checked without this one.
                        Err(error) => {
                            done.note(error)?;
                            break;
                        }
                    }
                    files.add(&state.snapshot);
                }
            }
        }
        files.add(&now);
        for fragment in files.data.into_values() {
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
        for index in files.indexes.into_values() {
            done.files += 1;
            match self.scans.check_keys(&index).await {
                Ok(bytes) => done.bytes += bytes,
                Err(error) => {
                    done.note(error)?;
                    // So that compaction makes it anew.
                    index.set_damaged();
                }
            }
        }
        done.damages.sort();
        Ok(done)
    }
}

/// What versions reference, by the paths of the files.
#[derive(Default)]
struct Files {
    data: HashMap<String, Arc<Fragment>>,
    indexes: HashMap<String, Arc<KeysFile>>,
}

impl Files {
    fn add(&mut self, snapshot: &Snapshot) {
        let fragments = fragments_of(snapshot);
        let fragments = fragments.map(|(file, of)| (file.path.clone(), Arc::clone(of)));
        self.data.extend(fragments);
        let indexes = indexes_of(snapshot);
        let indexes = indexes.map(|index| (index.path.clone(), Arc::clone(index)));
        self.indexes.extend(indexes);
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
