//! A snapshot as DataFusion's catalog, schema and tables, for `information_schema` and for DataFrame users.
//!
//! Read only: nothing can be registered or removed through it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TableType;

use super::{Planner, StatementContext};
use crate::snapshot::Relation;

/// One catalog with one schema, both under DataFusion's default names.
#[derive(Clone)]
pub(crate) struct SnapshotCatalog {
    context: Arc<StatementContext>,
}

impl SnapshotCatalog {
    pub fn new(context: Arc<StatementContext>) -> Self {
        Self { context }
    }

    fn catalog_name(&self) -> &str {
        &self.context.state.config_options().catalog.default_catalog
    }

    fn schema_name(&self) -> &str {
        &self.context.state.config_options().catalog.default_schema
    }
}

impl fmt::Debug for SnapshotCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotCatalog")
            .field("version", &self.context.snapshot.version)
            .finish_non_exhaustive()
    }
}

impl CatalogProviderList for SnapshotCatalog {
    fn register_catalog(
        &self,
        _: String,
        _: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![self.catalog_name().to_string()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == self.catalog_name()).then(|| Arc::new(self.clone()) as _)
    }
}

impl CatalogProvider for SnapshotCatalog {
    fn schema_names(&self) -> Vec<String> {
        vec![self.schema_name().to_string()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        (name == self.schema_name()).then(|| Arc::new(self.clone()) as _)
    }
}

#[async_trait]
impl SchemaProvider for SnapshotCatalog {
    fn table_names(&self) -> Vec<String> {
        self.context.snapshot.names.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        Planner::new(Arc::clone(&self.context)).provider(name)
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self
            .context
            .snapshot
            .relation(name)
            .map(|relation| match relation {
                Relation::Table(_) => TableType::Base,
                Relation::View(_) => TableType::View,
            }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.context.snapshot.names.contains_key(name)
    }
}
