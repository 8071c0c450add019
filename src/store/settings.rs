//! Settings of the durable store that the builder has on every target.

#[cfg(feature = "cloud-storage")]
use std::fmt;
use std::time::Duration;

use crate::options::{CompactionPolicy, Durability, Refresh};

/// Settings of a durable store.
#[derive(Debug, Clone, Default)]
pub(crate) struct VortexSettings {
    pub durability: Durability,
    pub refresh: Refresh,
    pub patience: RetryPolicy,
    pub compaction: CompactionPolicy,
    #[cfg(feature = "cloud-storage")]
    pub s3: S3Options,
}

/// Timeouts and retry pauses.
#[derive(Debug, Clone)]
pub(crate) struct RetryPolicy {
    /// The timeout of one request.
    pub request_timeout: Duration,
    /// How long a request is retried, for example a commit; the fence after a commit gets as long again.
    pub retry_deadline: Duration,
    /// The pause before the first retry; it doubles with each retry.
    pub first_pause: Duration,
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(10),
            retry_deadline: Duration::from_secs(30),
            first_pause: Duration::from_millis(20),
            longest_pause: Duration::from_secs(2),
        }
    }
}

/// Settings by name, such as `aws_access_key_id` or `AWS_ENDPOINT_URL`. `Debug` never shows the values.
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
