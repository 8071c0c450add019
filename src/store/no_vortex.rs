//! The stub of the durable store for builds without it: wasm32, or without the feature `vortex`.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::ObjectStore;
use url::Url;

use super::Store;
use super::settings::VortexSettings;
use crate::error::DfOlapError;
use crate::runtime;
use crate::storage::VortexLocation;

/// Fails, because this build has no durable store.
///
/// # Errors
/// Always.
pub(crate) fn open(
    _: &VortexLocation,
    _: &VortexSettings,
    _: &[(Url, Arc<dyn ObjectStore>)],
    _: &RuntimeEnv,
) -> Result<Arc<dyn Store>, DfOlapError> {
    let why = match runtime::HAS_DISK {
        true => {
            "this program was built without durable storage; turn on the feature 'vortex' of rhei-datafusion, or use \
             StorageMode::InMemory"
        }
        false => "there is no durable storage in the browser; use StorageMode::InMemory",
    };
    Err(DfOlapError::StorageConfig(why.into()))
}
