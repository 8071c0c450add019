//! Tables created, altered and dropped by method calls instead of SQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};

use super::Executor;
use crate::change::Action;
use crate::error::DfOlapError;
use crate::fragment::Fragment;
use crate::snapshot::{Relation, RelationId, Snapshot, Table, TableDefinition};
use crate::sql::{TableEdit, check_key_types, check_type, key_of};

impl Executor {
    /// Creates an empty table, or a table with the rows that an older version of this crate wrote for it.
    pub(super) async fn create_empty(
        &self,
        table: &str,
        schema: &SchemaRef,
        primary_key: &[String],
    ) -> Result<(), DfOlapError> {
        let name = identifier("table", table)?.to_ascii_lowercase();
        let definition = definition(schema, primary_key, plain_name)?;
        let adoptable = self.adoptable(table, &name, &definition).await?;
        // The files of an older version may have rows with the same key.
        let definition = match adoptable {
            Some(_) => definition,
            None => self.enforcing_key(&name, definition)?,
        };
        let definition = Arc::new(definition);
        self.change(&name, |base| {
            let id = RelationId::fresh();
            let create = Action::CreateTable {
                name: name.clone(),
                id,
                definition: Arc::clone(&definition),
            };
            match base.relation(&name) {
                None => {
                    let mut actions = vec![create];
                    if let Some((folder, fragments)) = &adoptable
                        && !base.adopted.contains(folder)
                    {
                        actions.push(Action::Append {
                            id,
                            definition: Arc::clone(&definition),
                            fragments: fragments.clone(),
                        });
                        actions.push(Action::Adopt {
                            folder: folder.clone(),
                        });
                    }
                    Ok(actions)
                }
                Some(Relation::Table(table)) if same_shape(&table.definition, &definition) => {
                    Ok(Vec::new())
                }
                Some(Relation::Table(_)) => Err(DfOlapError::SchemaMismatch(format!(
                    "table {name} already exists with another schema; drop it first or use another name"
                ))),
                Some(Relation::View(_)) => Err(DfOlapError::Invalid(format!(
                    "'{name}' already exists as a view"
                ))),
            }
        })
        .await
    }

    /// The definition of a new table, which enforces its key if that is the engine's setting.
    pub(super) fn enforcing_key(
        &self,
        name: &str,
        definition: TableDefinition,
    ) -> Result<TableDefinition, DfOlapError> {
        if definition.primary_key.is_empty() || !self.session().limits.enforced_keys {
            return Ok(definition);
        }
        check_key_types(name, &definition)?;
        Ok(definition.enforcing_key(true))
    }

    /// The folder and fragments that an older version of this crate wrote for a new table, found by the table's name as
    /// given or in lower case.
    async fn adoptable(
        &self,
        given: &str,
        name: &str,
        definition: &TableDefinition,
    ) -> Result<Option<(String, Vec<Arc<Fragment>>)>, DfOlapError> {
        let snapshot = self.store.snapshot().await?;
        if snapshot.relation(name).is_some() {
            return Ok(None);
        }
        let upkeep = self.store.upkeep();
        let found = upkeep.adoptable(given, definition).await?;
        match found {
            None if name != given => upkeep.adoptable(name, definition).await,
            found => Ok(found),
        }
    }

    pub(super) async fn drop_named(&self, table: &str) -> Result<(), DfOlapError> {
        self.change(table, |base| {
            let (_, table) = find(base, table)?;
            Ok(vec![Action::Drop { id: table.id }])
        })
        .await
    }

    /// Adds a column that is NULL in existing rows.
    pub(super) async fn add_nullable(
        &self,
        table: &str,
        column: &str,
        data_type: &DataType,
    ) -> Result<(), DfOlapError> {
        let column = identifier("column", column)?;
        self.reshape(table, |edit| {
            let field = Field::new(column, data_type.clone(), true);
            edit.add_field(Arc::new(field), None, None)
        })
        .await
    }

    /// Changes the columns of a table.
    pub(super) async fn reshape(
        &self,
        table: &str,
        change: impl Fn(&mut TableEdit<'_>) -> Result<(), DfOlapError> + Send + Sync,
    ) -> Result<(), DfOlapError> {
        self.change(table, |base: &Snapshot| {
            let (name, table) = find(base, table)?;
            let mut edit = TableEdit::of(&name, &table);
            change(&mut edit)?;
            let define = edit.changed().map(|definition| Action::Define {
                id: table.id,
                definition: Arc::new(definition),
            });
            Ok(define.into_iter().collect())
        })
        .await
    }
}

/// Finds a table by the name in an API call.
pub(super) fn find(snapshot: &Snapshot, name: &str) -> Result<(String, Arc<Table>), DfOlapError> {
    let found = snapshot.table_named(name);
    found.ok_or_else(|| DfOlapError::TableNotFound(name.to_string()))
}

/// Whether two definitions have the same columns, in any order, and the same key; field metadata is ignored.
fn same_shape(a: &TableDefinition, b: &TableDefinition) -> bool {
    let fields = |d: &TableDefinition| -> BTreeMap<String, (DataType, bool)> {
        let fields = d.schema.fields().iter();
        let shapes = fields.map(|f| (f.name().clone(), (f.data_type().clone(), f.is_nullable())));
        shapes.collect()
    };
    let key = |d: &TableDefinition| -> Vec<String> {
        let key = d.key_indices().into_iter();
        key.map(|index| d.schema.field(index).name().clone())
            .collect()
    };
    fields(a) == fields(b) && key(a) == key(b)
}

/// Refuses a name that is not `[A-Za-z0-9_]+`.
pub(super) fn identifier<'a>(what: &str, name: &'a str) -> Result<&'a str, DfOlapError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(name);
    }
    Err(DfOlapError::Invalid(format!(
        "'{}' is not a {what} name: use letters, digits and _",
        name.escape_debug()
    )))
}

/// Checks a column name of `create_table`.
fn plain_name(name: &str) -> Result<&str, DfOlapError> {
    identifier("column", name)
}

/// Checks a column name of a file, which may be any text that is not blank.
pub(super) fn any_name(name: &str) -> Result<&str, DfOlapError> {
    match name.trim().is_empty() {
        true => Err(DfOlapError::Invalid("a column has no name".to_string())),
        false => Ok(name),
    }
}

/// The table definition for a caller's schema. `named` checks each column name; key columns become NOT NULL.
pub(super) fn definition(
    schema: &SchemaRef,
    primary_key: &[String],
    named: fn(&str) -> Result<&str, DfOlapError>,
) -> Result<TableDefinition, DfOlapError> {
    let mut fields: Vec<FieldRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = named(field.name())?;
        check_type(name, field.data_type())?;
        if fields.iter().any(|f| f.name() == name) {
            return Err(DfOlapError::Invalid(format!(
                "column '{name}' is named twice"
            )));
        }
        let nullable = field.is_nullable() && !primary_key.iter().any(|key| key == name);
        fields.push(Arc::new(field.as_ref().clone().with_nullable(nullable)));
    }
    if fields.is_empty() {
        return Err(DfOlapError::Invalid(
            "a table needs at least one column".to_string(),
        ));
    }
    let plain = TableDefinition::from_fields(&fields, Vec::new());
    let key = key_of(&plain.columns, primary_key)?;
    Ok(TableDefinition::from_fields(&fields, key))
}
