//! What is asked of a durable database beyond statements, and what came of it: compaction, vacuum, earlier versions.

use std::time::{Duration, SystemTime};

use crate::snapshot::Version;

/// What a compaction came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// Fragments that were put together.
    pub fragments_before: u64,
    /// What they became.
    pub fragments_after: u64,
    /// Rows that were written again.
    pub rows: u64,
}

/// How far a compaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactionProgress<'a> {
    /// The table whose rows are being written.
    pub table: &'a str,
    /// Rows that were written so far, in all tables.
    pub rows_done: u64,
    /// Rows that there were to write when it began; more may have come since.
    pub rows_in_all: u64,
}

/// Who is told how far it is.
pub(crate) type OnProgress<'a> = &'a (dyn Fn(CompactionProgress<'_>) + Send + Sync);

/// A state of the database in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The state that a version is.
    Version(Version),
    /// The newest state that was there at a moment, by the clocks of who wrote it.
    Time(SystemTime),
}

impl From<Version> for At {
    fn from(version: Version) -> Self {
        Self::Version(version)
    }
}

impl From<SystemTime> for At {
    fn from(time: SystemTime) -> Self {
        Self::Time(time)
    }
}

/// A version that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionEntry {
    /// Its number.
    pub version: Version,
    /// When it was committed, by the clock of who did.
    pub committed_at: SystemTime,
}

/// What a vacuum removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VacuumOptions {
    /// Every version that was the newest at some moment within this time stays readable. Statements of other processes
    /// may still read what is older: give more than the longest of them takes. Default: seven days.
    pub retention: Duration,
    /// Only say what would be removed. Default: false.
    pub dry_run: bool,
}

impl Default for VacuumOptions {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(7 * 24 * 3600),
            dry_run: false,
        }
    }
}

/// What a vacuum removed, or would.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vacuum {
    /// Data files.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Entries and checkpoints of the log.
    pub log_objects: u64,
}

/// What a verification read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Verification {
    /// Data files that were read whole.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Entries and checkpoints of the log.
    pub log_objects: u64,
    /// What is wrong, a sentence for each file: empty where all is well.
    pub damages: Vec<String>,
}
