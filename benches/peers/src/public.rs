//! The published engine, `rhei-datafusion` 2.0.0 on DataFusion 53 and Arrow 58.
//!
//! The published engine recognizes statements by their first word, requires a column list after INSERT INTO, and
//! supports only conditions of `column = literal` joined by AND; all statements here follow these limits.

use std::path::Path;

use ::arrow58::array::RecordBatch;
use ::public::{DataFusionEngine, StorageMode};
use ::rhei_core::{OlapEngine, RecordBatchBoxStream};
use futures::{StreamExt, TryStreamExt, future};

use crate::data::arrow_58::schema;
use crate::measure::{Engine, Failure, Queries, engine};

#[derive(Default)]
pub struct Public(pub DataFusionEngine);

impl Public {
    /// An engine whose tables are in a folder. The engine does not sync.
    pub fn stored(folder: &Path) -> Result<Self, Failure> {
        let url = folder.display().to_string();
        Ok(Self(DataFusionEngine::with_storage(StorageMode::Vortex {
            url,
        })?))
    }
}

engine!(Public);
