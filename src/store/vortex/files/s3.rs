//! Configures S3 clients by object_store's conventions: the `AWS_…` environment variables, overridden by the builder's
//! options.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::SpawnedReqwestConnector;
use object_store::path::Path;
use object_store::{ObjectStore, RetryConfig};
use url::Url;

use crate::error::DfOlapError;
use crate::runtime;
use crate::store::settings::S3Options;

/// How long requests for data files are retried; the log does its own retries.
const RETRY_TIME: Duration = Duration::from_secs(45);

/// The two clients of a database, for its data files and for its log, and the prefix of its objects.
pub(crate) struct Clients {
    pub store: Arc<dyn ObjectStore>,
    pub log_store: Arc<dyn ObjectStore>,
    pub prefix: Path,
}

pub(crate) fn prefix(url: &Url) -> Result<Path, DfOlapError> {
    Path::from_url_path(url.path())
        .map_err(|error| DfOlapError::StorageConfig(format!("'{url}': {error}")))
}

pub(crate) fn connect(url: &Url, options: &S3Options) -> Result<Clients, DfOlapError> {
    let prefix = prefix(url)?;
    let build = |retry: RetryConfig| -> Result<Arc<dyn ObjectStore>, DfOlapError> {
        let mut builder = AmazonS3Builder::from_env()
            .with_url(url.as_str())
            .with_retry(retry)
            .with_http_connector(SpawnedReqwestConnector::new(runtime::connections()?));
        for (key, value) in &options.0 {
            let known = AmazonS3ConfigKey::from_str(&key.to_ascii_lowercase());
            let known = known.map_err(|_| {
                DfOlapError::StorageConfig(format!("there is no S3 setting '{key}'"))
            })?;
            builder = builder.with_config(known, value);
        }
        // An explicit http:// endpoint permits connections without TLS.
        let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
        if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
            builder = builder.with_allow_http(true);
        }
        let built = builder.build();
        Ok(Arc::new(built.map_err(|error| {
            DfOlapError::StorageConfig(format!("'{url}': {error}"))
        })?))
    };
    Ok(Clients {
        store: build(RetryConfig {
            retry_timeout: RETRY_TIME,
            ..RetryConfig::default()
        })?,
        log_store: build(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        })?,
        prefix,
    })
}
