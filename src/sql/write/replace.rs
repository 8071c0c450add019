//! Rows of the program that replace those with the same key.

use arrow::record_batch::RecordBatch;

use super::append;
use super::rows::conform;
use super::target::Target;
use super::upsert::replace;
use crate::error::DfOlapError;
use crate::sql::execution::{Effect, Run};
use crate::sql::resources::buffered_rows::BufferedRows;

/// The effect of rows that replace those of a table with the same keys.
pub(crate) async fn effect_of_rows(
    run: &Run,
    name: &str,
    batches: &[RecordBatch],
) -> Result<Effect, DfOlapError> {
    let Some((name, table)) = run.context.snapshot.table_named(name) else {
        return Err(DfOlapError::TableNotFound(name.to_string()));
    };
    let mut new = BufferedRows::new(run.runtime());
    for batch in batches {
        new.push(conform(&name, &table.definition, batch)?)?;
    }
    let rows = new.rows();
    let target = Target::named(&name, table);
    if rows == 0 {
        return Ok(Effect::default());
    }
    if !target.table.definition.primary_key.is_empty() {
        let replaced = replace(run, &target, new).await?;
        // All rows that were given, as with an append.
        return Ok(Effect { rows, ..replaced });
    }
    let actions = append(run, &target.table, new).await?;
    Ok(Effect::of(actions.into_iter().collect(), rows))
}
