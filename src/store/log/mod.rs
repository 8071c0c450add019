//! The commit log: numbered entries, each created only if its number is free. The log handles bytes on a medium; the
//! store above interprets the body of an entry.
//!
//! # What is assumed of the medium
//! - A1 `create` gives a name to exactly one caller. A medium of which that is not true is refused when a log is made.
//! - A2 A reader of a name gets all of its bytes; the checksum detects any difference.
//! - A3 A response may be lost or late, or wrong in one way: `Exists` for a name that this very call took, or that is
//!   free.
//!
//! # What is guaranteed
//! - L1 Entry `n` never changes, and entry `n + 1` is created only by one who has read entry `n`.
//! - L2 `Won` from [`Log::append`] means that this append created the entry, once, on stable storage; `Lost` that
//!   another entry has the number and this entry never will; an error other than `CommitUnknown` that the entry was
//!   never created and never will be.
//! - L3 `CommitUnknown` is the answer only while the medium cannot be reached past the deadline; [`Log::settle`] then
//!   tells.
//! - L4 The head is found from the existing objects (a listing, then reading one number after the other); the hint only
//!   says where to start.
//!
//! # How an unknown outcome is settled
//! A put whose response was lost may still arrive, so a missing entry proves nothing. The same bytes are put again
//! under the same number until the number is taken; then the entry is read, and its id tells whose entry it is. After
//! the deadline an empty entry with another id (the fence) is put under the number: if the fence gets the number, the
//! commit never will.
//!
//! # What a crash leaves
//! Before the entry is named: nothing, or a temporary file that no reader opens. After: the whole entry.

mod entry;
mod local;
mod medium;
mod reading;
mod spares;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use entry::CommitId;
pub(crate) use entry::{Entry, Kind};
pub(crate) use local::LocalMedium;
#[cfg(test)]
pub(crate) use medium::CreateError;
#[cfg(feature = "cloud-storage")]
pub(crate) use medium::ObjectMedium;
use medium::{CHECK_PREFIX, is_refusal};
pub(crate) use medium::{Created, Medium};

use crate::error::DfOlapError;
use crate::runtime;
use crate::store::settings::RetryPolicy;

/// The outcome of an append.
#[derive(Debug)]
#[must_use]
pub(crate) enum Appended {
    Won,
    /// Another entry has the number.
    Lost(Entry),
}

/// A log on a medium.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    medium: Arc<dyn Medium>,
    /// The name of the log in messages.
    name: String,
    patience: RetryPolicy,
}

const HINT: &str = "hint";

fn entry_name(version: u64) -> String {
    format!("{version:020}.entry")
}

fn checkpoint_name(version: u64) -> String {
    format!("{version:020}.checkpoint")
}

fn object_name(kind: Kind, version: u64) -> String {
    match kind {
        Kind::Entry => entry_name(version),
        Kind::Checkpoint => checkpoint_name(version),
    }
}

/// The version and kind of the object with this name; `None` for any other name in the log's folder.
fn parse_name(name: &str) -> Option<(u64, Kind)> {
    let (number, extension) = name.split_once('.')?;
    let kind = match extension {
        "entry" => Kind::Entry,
        "checkpoint" => Kind::Checkpoint,
        _ => return None,
    };
    if number.len() != 20 || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((number.parse().ok()?, kind))
}

impl Log {
    pub fn new(medium: Arc<dyn Medium>, name: String, patience: RetryPolicy) -> Self {
        Self {
            medium,
            name,
            patience,
        }
    }

    /// The name of a version's object in messages.
    pub fn name_of(&self, kind: Kind, version: u64) -> String {
        format!("{}/{}", self.name, object_name(kind, version))
    }

    /// The entry of a version; `None` where there is none.
    pub async fn entry(&self, version: u64) -> Result<Option<Entry>, DfOlapError> {
        self.read(version, Kind::Entry).await
    }

    /// The checkpoint of a version; `None` where there is none.
    pub async fn checkpoint(&self, version: u64) -> Result<Option<Entry>, DfOlapError> {
        self.read(version, Kind::Checkpoint).await
    }

    async fn read(&self, version: u64, kind: Kind) -> Result<Option<Entry>, DfOlapError> {
        let name = object_name(kind, version);
        let Some(bytes) = self.with_retries(|| self.medium.read(&name)).await? else {
            return Ok(None);
        };
        let shown = format!("{}/{name}", self.name);
        Entry::decode(&shown, kind, version, &bytes).map(Some)
    }

    /// Retries a request that is safe to repeat, until it succeeds, is refused, or the deadline passes.
    async fn with_retries<T, F>(&self, ask: impl Fn() -> F) -> Result<T, DfOlapError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let mut pause = self.patience.first_pause;
        let begun = runtime::now();
        loop {
            let error = match self.with_timeout(ask()).await {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(error)) if is_refusal(&error) => return Err(self.to_engine_error(error)),
                Some(Err(error)) => match self.to_engine_error(error) {
                    error @ DfOlapError::Unavailable(_) => error,
                    refusal => return Err(refusal),
                },
                None => self.no_answer(),
            };
            if runtime::now().duration_since(begun) >= self.patience.retry_deadline {
                return Err(error);
            }
            self.pause(&mut pause).await;
        }
    }

    /// Creates the entry if its version is free. The entry's id identifies it across retries.
    pub async fn append(&self, entry: &Entry) -> Result<Appended, DfOlapError> {
        match self.claim(entry).await {
            Claim::Won => Ok(Appended::Won),
            Claim::Lost(other) => Ok(Appended::Lost(other)),
            Claim::Never(error) => Err(error),
            Claim::Doubtful(error) => self.fence(entry, error).await,
        }
    }

    /// Settles a commit of unknown outcome: `Some(true)` if the commit has its version, `Some(false)` if another
    /// entry or a fence has the version, `None` if the medium still cannot be reached.
    pub async fn settle(&self, version: u64, id: CommitId) -> Option<bool> {
        match self.claim(&fence_of(version)).await {
            Claim::Won => Some(false),
            Claim::Lost(found) => Some(found.id == id),
            Claim::Never(_) | Claim::Doubtful(_) => None,
        }
    }

    /// Fails if the medium creates an existing entry a second time: the log needs conditional writes. The entry is
    /// then removed.
    pub async fn check_creation(&self, entry: &Entry) -> Result<(), DfOlapError> {
        let name = entry_name(entry.version);
        // The entry exists, so repeating this create is safe.
        let again = || async {
            let created = self.medium.create(&name, entry.encode()).await;
            created.map_err(|failed| failed.error)
        };
        match self.with_retries(again).await? {
            Created::Exists => Ok(()),
            Created::New => {
                self.with_retries(|| self.medium.remove(&name)).await?;
                Err(DfOlapError::StorageConfig(format!(
                    "{} does not keep two writers from creating one object: it ignores conditional writes (If-None-Match: *), \
                     and commits would be lost; use a store that has them",
                    self.name
                )))
            }
        }
    }

    /// Fails if more than one of many concurrent requests creates the same object.
    pub async fn check_race(&self) -> Result<(), DfOlapError> {
        const RACERS: usize = 32;
        let name = format!("{CHECK_PREFIX}{}", CommitId::fresh());
        let racers = (0..RACERS).map(|racer| {
            let bytes = Bytes::from(racer.to_string());
            self.with_timeout(self.medium.create(&name, bytes))
        });
        let answers = futures::future::join_all(racers).await;
        self.with_retries(|| self.medium.remove(&name)).await?;
        let mut winners = 0;
        for answer in answers {
            match answer {
                Some(Ok(Created::New)) => winners += 1,
                Some(Err(failed)) if failed.is_final => {
                    return Err(self.to_engine_error(failed.error));
                }
                // An unknown outcome is not counted.
                Some(Ok(Created::Exists) | Err(_)) | None => {}
            }
        }
        match winners {
            0 | 1 => Ok(()),
            _ => Err(DfOlapError::StorageConfig(format!(
                "{}: {winners} of {RACERS} writers were told that they created one object; commits would be lost; use a store \
                 with conditional writes (If-None-Match: *)",
                self.name
            ))),
        }
    }

    async fn fence(&self, entry: &Entry, cause: DfOlapError) -> Result<Appended, DfOlapError> {
        match self.claim(&fence_of(entry.version)).await {
            Claim::Won => Err(cause),
            Claim::Lost(found) if found.id == entry.id => Ok(Appended::Won),
            Claim::Lost(other) => Ok(Appended::Lost(other)),
            Claim::Never(_) | Claim::Doubtful(_) => Err(DfOlapError::CommitUnknown {
                id: entry.id.0,
                version: entry.version,
            }),
        }
    }

    /// Retries creating an entry until its number is taken, by this entry or by another.
    async fn claim(&self, entry: &Entry) -> Claim {
        let name = entry_name(entry.version);
        let bytes = entry.encode();
        let begun = runtime::now();
        let mut pause = self.patience.first_pause;
        let mut doubtful = false;
        loop {
            let asked = self.medium.create(&name, bytes.clone());
            let error = match self.with_timeout(asked).await {
                Some(Ok(Created::New)) => return Claim::Won,
                Some(Ok(Created::Exists)) => match self.entry(entry.version).await {
                    Ok(Some(found)) if found.id == entry.id => return Claim::Won,
                    Ok(Some(other)) => return Claim::Lost(other),
                    // `Exists`, but not found: an earlier put may still arrive. Put the entry again.
                    Ok(None) => DfOlapError::Unavailable(format!(
                        "{} says that {name} is there and then that it is not",
                        self.name
                    )),
                    Err(error) => error,
                },
                Some(Err(failed)) if failed.is_final => {
                    let error = self.to_engine_error(failed.error);
                    return if doubtful {
                        Claim::Doubtful(error)
                    } else {
                        Claim::Never(error)
                    };
                }
                Some(Err(failed)) => self.to_engine_error(failed.error),
                None => self.no_answer(),
            };
            doubtful = true;
            if runtime::now().duration_since(begun) >= self.patience.retry_deadline {
                return Claim::Doubtful(error);
            }
            self.pause(&mut pause).await;
        }
    }

    /// The response, or `None` after a timeout.
    async fn with_timeout<T>(&self, asked: impl Future<Output = T>) -> Option<T> {
        let late = runtime::sleep(self.patience.request_timeout);
        futures::pin_mut!(asked, late);
        match futures::future::select(asked, late).await {
            futures::future::Either::Left((answer, _)) => Some(answer),
            futures::future::Either::Right(_) => None,
        }
    }

    /// An error of the medium as an engine error, with advice to the user.
    fn to_engine_error(&self, error: object_store::Error) -> DfOlapError {
        use object_store::Error as E;
        // A listing reports a missing bucket only in the text of its error.
        let no_bucket = |error: &E| error.to_string().contains("NoSuchBucket");
        match error {
            E::Unauthenticated { .. } | E::PermissionDenied { .. } => DfOlapError::Denied(format!(
                "{}: access is denied; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do: {error}",
                self.name
            )),
            E::NotFound { .. } => self.no_place(&error),
            error if no_bucket(&error) => self.no_place(&error),
            error => DfOlapError::Unavailable(format!("{}: {error}", self.name)),
        }
    }

    fn no_place(&self, error: &object_store::Error) -> DfOlapError {
        DfOlapError::StorageConfig(format!(
            "{}: there is no such bucket or folder; make it first: {error}",
            self.name
        ))
    }

    fn no_answer(&self) -> DfOlapError {
        DfOlapError::Unavailable(format!(
            "{} gave no answer within {:?}",
            self.name, self.patience.request_timeout
        ))
    }

    async fn pause(&self, pause: &mut Duration) {
        runtime::sleep(*pause).await;
        *pause = (*pause * 2).min(self.patience.longest_pause);
    }
}

/// The result of claiming a number for an entry.
enum Claim {
    Won,
    Lost(Entry),
    /// The entry was not created and will not be.
    Never(DfOlapError),
    /// The entry may have been created, or may yet be.
    Doubtful(DfOlapError),
}

/// An empty entry that takes a number so that no other entry can.
fn fence_of(version: u64) -> Entry {
    Entry {
        kind: Kind::Entry,
        version,
        id: CommitId::fresh(),
        time_us: chrono::Utc::now().timestamp_micros(),
        body: Bytes::new(),
    }
}
