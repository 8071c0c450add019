//! In place of the durable store, on a target that has none.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::ObjectStore;
use url::Url;

use super::Store;
use super::settings::VortexSettings;
use crate::error::DfOlapError;
use crate::storage::VortexLocation;

/// Refuses.
///
/// # Errors
/// Always.
pub(crate) fn open(
    _: &VortexLocation,
    _: &VortexSettings,
    _: &[(Url, Arc<dyn ObjectStore>)],
    _: &RuntimeEnv,
) -> Result<Arc<dyn Store>, DfOlapError> {
    Err(DfOlapError::StorageConfig(
        "there is no durable storage in the browser; use StorageMode::InMemory".into(),
    ))
}
