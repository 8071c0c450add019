//! Settings of the durable store that the builder has on every target.

#[cfg(feature = "cloud-storage")]
use std::fmt;
use std::time::Duration;

use crate::options::{CompactionPolicy, Durability, Refresh};

/// How a durable store behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct VortexSettings {
    pub durability: Durability,
    pub refresh: Refresh,
    pub patience: Patience,
    pub compaction: CompactionPolicy,
    #[cfg(feature = "cloud-storage")]
    pub s3: S3Options,
}

/// How long is tried.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    /// For one answer.
    pub answer: Duration,
    /// For settling what became of a commit; the fence has as long again.
    pub settle: Duration,
    /// Before the second try; it doubles with each one.
    pub first_pause: Duration,
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            settle: Duration::from_secs(30),
            first_pause: Duration::from_millis(20),
            longest_pause: Duration::from_secs(2),
        }
    }
}

/// Settings by name, as `aws_access_key_id` or `AWS_ENDPOINT_URL`. Their values are shown to no one.
#[cfg(feature = "cloud-storage")]
#[derive(Clone, Default)]
pub(crate) struct S3Options(pub Vec<(String, String)>);

#[cfg(feature = "cloud-storage")]
impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(key, _)| key))
            .finish()
    }
}
