//! Options and results of the maintenance of a durable database: compaction, vacuum, verification, time travel.

use std::time::{Duration, SystemTime};

use crate::snapshot::Version;

/// The result of a compaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// Fragments that were replaced.
    pub fragments_before: u64,
    /// Fragments that took their place.
    pub fragments_after: u64,
    /// Live rows that were rewritten.
    pub rows: u64,
    /// Indexes of the keys of files that were merged into others.
    pub indexes_merged: u64,
}

/// The progress of a compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactionProgress<'a> {
    /// The table whose rows are being written.
    pub table: &'a str,
    /// Rows written so far, in all tables.
    pub rows_done: u64,
    /// The number of rows to write when the compaction began, or `rows_done` if that is more.
    pub rows_in_all: u64,
}

/// The callback for the progress of a compaction.
pub(crate) type OnProgress<'a> = &'a (dyn Fn(CompactionProgress<'_>) + Send + Sync);

/// An earlier version of the database, for time travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The version of this number.
    Version(Version),
    /// The newest version that was committed at or before this time, by the clocks of its writers.
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

/// A retained version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionEntry {
    /// The version's number.
    pub version: Version,
    /// The time of the commit, by its writer's clock.
    pub committed_at: SystemTime,
}

/// Options of a vacuum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VacuumOptions {
    /// Every version that was the newest at some moment within this time stays readable. Statements of other engines
    /// may still read older versions: choose a time longer than the longest statement. Default: seven days.
    pub retention: Duration,
    /// Report what would be deleted, and delete nothing. Default: false.
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

/// The result of a vacuum: what it deleted, or would delete.
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

/// The result of a verification.
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
    /// One sentence for each damaged or missing file; empty where all is well.
    pub damages: Vec<String>,
}
