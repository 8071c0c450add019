//! The rows of a table that changes meet, and the rows that they make.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::{DataType, Field, Schema, UInt32Type, UInt64Type};
use datafusion::catalog::MemTable;
use datafusion::common::{DFSchema, JoinType, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlanBuilder};
use datafusion::prelude::ident;
use futures::StreamExt;

use super::keys::Keys;
use super::target::Target;
use super::values::ChangeBatch;
use super::versions::{Before, RowVersion};
use crate::error::DfOlapError;
use crate::sql::execution::Run;
use crate::sql::planner::literals::meet_decimals;
use crate::sql::resources::buffered_rows::BufferedRows;
use crate::sql::scan::locate::{KeysToFind, Missing};
use crate::sql::scan::{ROW_ADDRESS, read_rows};
use crate::sql::write::by_key::{Stored, column_of, join_by_key};
use crate::sql::write::rows::shape;
use crate::sql::write::target::default_expr;

/// New rows are made this many at a time.
pub(super) const ROWS_AT_ONCE: usize = 1 << 16;
/// The column with the number of a key. The control character keeps the name out of plain SQL.
const KEY_NUMBER: &str = "\u{1}key";

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub address: u64,
    /// Its index in [`Existing::column`].
    pub row: u32,
}

/// The rows of a table that have the keys of changes.
#[derive(Debug)]
pub(super) struct Existing {
    /// The rows of each key, in the order of their addresses.
    pub found: Vec<Vec<Found>>,
    columns: Vec<Option<ArrayRef>>,
    /// Keeps the rows counted in the memory pool.
    _held: Option<BufferedRows>,
}

impl Existing {
    /// The values of a column in the rows; `None` if it was not read.
    pub fn column(&self, column: usize) -> Option<&ArrayRef> {
        self.columns[column].as_ref()
    }
}

/// Finds the rows of the table that have the keys, and reads their columns `read`; only rows in which `null` is NULL,
/// if such a column is given.
pub(super) async fn find_existing(
    run: &Run,
    target: &Target,
    keys: &Keys,
    read: &[usize],
    null: Option<usize>,
) -> Result<Existing, DfOlapError> {
    let definition = &target.table.definition;
    let mut existing = Existing {
        found: vec![Vec::new(); keys.len()],
        columns: vec![None; definition.columns.len()],
        _held: None,
    };
    if keys.len() == 0 || target.table.rows == 0 {
        return Ok(existing);
    }
    if let Some(found) = by_index(run, target, keys, read, null).await? {
        return Ok(found);
    }
    let plan = {
        let (stored, of_keys) = (TableReference::bare("stored"), TableReference::bare("keys"));
        let (planner, rows) = (run.planner(), key_rows(target, keys)?);
        let of_table = Stored {
            table: &target.table,
            key: &target.key,
            found: None,
            alias: &stored,
        };
        let rows = (rows.schema(), vec![rows]);
        let mut plan = join_by_key(&planner, of_table, rows, &of_keys, JoinType::Inner)?;
        let name = |column: usize| definition.columns[column].field.name();
        if let Some(null) = null {
            plan = plan.filter(column_of(&stored, name(null)).is_null())?;
        }
        let mut exprs = vec![
            column_of(&of_keys, KEY_NUMBER),
            column_of(&stored, ROW_ADDRESS),
        ];
        for column in read {
            let name = name(*column);
            exprs.push(column_of(&stored, name).alias(format!("stored.{name}")));
        }
        plan.project(exprs)?.build()?
    };
    let mut held = BufferedRows::new(run.runtime());
    let mut stream = run.stream(plan).await?;
    while let Some(batch) = stream.next().await {
        held.push(batch?)?;
    }
    let mut row = 0;
    for batch in &held.batches {
        let numbers = batch.column(0).as_primitive::<UInt32Type>().values();
        let addresses = batch.column(1).as_primitive::<UInt64Type>().values();
        for (number, address) in numbers.iter().zip(addresses) {
            let address = *address;
            existing.found[*number as usize].push(Found { address, row });
            row += 1;
        }
    }
    for found in &mut existing.found {
        found.sort_unstable_by_key(|found| found.address);
    }
    for (place, column) in read.iter().enumerate() {
        existing.columns[*column] = whole_column(&held.batches, 2 + place)?;
    }
    existing._held = Some(held);
    Ok(existing)
}

/// Finds the rows without a plan; `None` if that is not possible.
async fn by_index(
    run: &Run,
    target: &Target,
    keys: &Keys,
    read: &[usize],
    null: Option<usize>,
) -> Result<Option<Existing>, DfOlapError> {
    let wanted = KeysToFind {
        table: &target.table,
        key: &target.key,
        values: &keys.columns,
        null: null.map(|column| target.table.definition.columns[column].id),
        store: run.context.store.as_ref(),
        stop: &|| run.check_stop(),
    };
    let Some(mut addresses) = wanted.addresses(Missing::Made).await? else {
        return Ok(None);
    };
    if let Some(null) = null {
        keep_where_null(run, target, null, &mut addresses).await?;
    }
    let definition = &target.table.definition;
    let mut columns = vec![None; definition.columns.len()];
    let mut held = BufferedRows::new(run.runtime());
    let all: Vec<u64> = addresses.iter().flatten().copied().collect();
    if !(all.is_empty() || read.is_empty()) {
        let store = run.context.store.as_ref();
        let values = read_rows(store, &target.table, &all, read).await?;
        let fields = read.iter().map(|column| {
            let field = definition.columns[*column].field.as_ref().clone();
            field.with_nullable(true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
        held.push(RecordBatch::try_new(schema, values.clone())?)?;
        for (column, values) in read.iter().zip(values) {
            columns[*column] = Some(values);
        }
    }
    let mut rows = 0..;
    let found = addresses.into_iter().map(|addresses| {
        let addresses = addresses.into_iter().zip(rows.by_ref());
        let found = addresses.map(|(address, row)| Found { address, row });
        found.collect()
    });
    Ok(Some(Existing {
        found: found.collect(),
        columns,
        _held: Some(held),
    }))
}

/// Keeps the addresses of the rows in which a column is NULL.
async fn keep_where_null(
    run: &Run,
    target: &Target,
    column: usize,
    addresses: &mut [Vec<u64>],
) -> Result<(), DfOlapError> {
    let all: Vec<u64> = addresses.iter().flatten().copied().collect();
    if all.is_empty() {
        return Ok(());
    }
    let store = run.context.store.as_ref();
    let values = read_rows(store, &target.table, &all, &[column]).await?;
    let nulls = values[0].logical_nulls();
    let mut row = 0;
    for of_key in addresses {
        of_key.retain(|_| {
            row += 1;
            nulls.as_ref().is_some_and(|nulls| nulls.is_null(row - 1))
        });
    }
    Ok(())
}

/// A column of all batches; `None` if there are no batches.
fn whole_column(batches: &[RecordBatch], column: usize) -> Result<Option<ArrayRef>, DfOlapError> {
    let arrays = batches.iter().map(|batch| batch.column(column).as_ref());
    let arrays: Vec<&dyn Array> = arrays.collect();
    match arrays.is_empty() {
        true => Ok(None),
        false => Ok(Some(concat(&arrays)?)),
    }
}

/// The keys with their numbers.
fn key_rows(target: &Target, keys: &Keys) -> Result<RecordBatch, DfOlapError> {
    let mut fields = vec![Arc::new(Field::new(KEY_NUMBER, DataType::UInt32, false))];
    let numbers = UInt32Array::from_iter_values(0..keys.len() as u32);
    let mut columns: Vec<ArrayRef> = vec![Arc::new(numbers)];
    for (index, values) in target.key.iter().zip(&keys.columns) {
        fields.push(Arc::clone(&target.table.definition.columns[*index].field));
        columns.push(Arc::clone(values));
    }
    let schema = Arc::new(Schema::new(fields));
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Makes rows of the table from versions.
pub(super) struct RowMaker<'a> {
    target: &'a Target,
    batches: &'a [ChangeBatch],
    versions: &'a [RowVersion],
    existing: &'a Existing,
    /// For each column that some change does not send, where its value in each version is.
    values: Vec<Option<Vec<Value>>>,
}

/// Where a value is.
#[derive(Debug, Clone, Copy)]
enum Value {
    /// In a row of a batch.
    Sent(usize, usize),
    /// In a row of the table.
    Existing(usize),
    Default,
}

impl<'a> RowMaker<'a> {
    pub fn new(
        target: &'a Target,
        batches: &'a [ChangeBatch],
        versions: &'a [RowVersion],
        existing: &'a Existing,
    ) -> Self {
        let columns = 0..target.table.definition.columns.len();
        let is_sent = |column| batches.iter().all(|batch| batch.sends_all(column));
        let values = columns.map(|column| match is_sent(column) {
            true => None,
            false => Some(places(column, batches, versions)),
        });
        Self {
            values: values.collect(),
            target,
            batches,
            versions,
            existing,
        }
    }

    /// Where the value of a column of a version is.
    fn value(&self, column: usize, version: u32) -> Value {
        let version = version as usize;
        match (&self.values[column], self.versions[version].sent) {
            (Some(values), _) => values[version],
            (None, Some((batch, row))) => Value::Sent(batch as usize, row as usize),
            (None, None) => self.copied(column, version),
        }
    }

    /// Where the value of a column that all changes send is in a version that is a copy: a version before it has it, or
    /// the table.
    fn copied(&self, column: usize, version: usize) -> Value {
        match self.versions[version].before {
            Before::Nothing => Value::Default,
            Before::Existing(row) => Value::Existing(row as usize),
            Before::Version(before) => self.value(column, before),
        }
    }

    /// The rows of the versions `written`. The columns that are in `made` already are not made.
    pub async fn rows(
        &self,
        run: &Run,
        written: &[u32],
        made: &[(usize, ArrayRef)],
    ) -> Result<RecordBatch, DfOlapError> {
        let definition = &self.target.table.definition;
        let is_made = |index: usize| made.iter().find(|(made, _)| *made == index);
        let defaults = self.defaults(run, written).await?;
        let columns = definition.columns.iter().zip(&defaults).enumerate();
        let columns = columns.map(|(index, (column, default))| match is_made(index) {
            Some((_, made)) => Ok(Arc::clone(made)),
            None => self.column(index, column.field.data_type(), written, default.as_ref()),
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, DfOlapError>>()?;
        shape(&self.target.name, definition, &columns, written.len())
    }

    /// The values of a column. `default` has the DEFAULT for each of the versions, `None` if it is NULL.
    fn column(
        &self,
        column: usize,
        data_type: &DataType,
        written: &[u32],
        default: Option<&ArrayRef>,
    ) -> Result<ArrayRef, DfOlapError> {
        if let [batch] = self.batches
            && batch.sends_all(column)
            && let Some(values) = batch.values(column)
        {
            let sent = written.iter().map(|at| self.versions[*at as usize].sent);
            let rows = sent
                .map(|sent| sent.map(|(_, row)| row))
                .collect::<Option<Vec<u32>>>();
            if let Some(rows) = rows {
                return Ok(take(values, &UInt32Array::from(rows), None)?);
            }
        }
        let null = new_null_array(data_type, 1);
        let batches = self.batches.iter();
        let mut arrays: Vec<&dyn Array> = batches
            .map(|batch| batch.values(column).unwrap_or(&null).as_ref())
            .collect();
        let existing = arrays.len();
        arrays.push(self.existing.column(column).unwrap_or(&null).as_ref());
        arrays.push(default.unwrap_or(&null).as_ref());
        let places =
            written
                .iter()
                .enumerate()
                .map(|(place, version)| match self.value(column, *version) {
                    Value::Sent(batch, row) => (batch, row),
                    Value::Existing(row) => (existing, row),
                    Value::Default if default.is_some() => (existing + 1, place),
                    Value::Default => (existing + 1, 0),
                });
        Ok(interleave(&arrays, &places.collect::<Vec<_>>())?)
    }

    fn needs_default(&self, column: usize, written: &[u32]) -> bool {
        let mut written = written.iter();
        self.values[column].is_some()
            && written.any(|version| matches!(self.value(column, *version), Value::Default))
    }

    /// For each column of which some version takes the DEFAULT, its value for each of the versions.
    async fn defaults(
        &self,
        run: &Run,
        written: &[u32],
    ) -> Result<Vec<Option<ArrayRef>>, DfOlapError> {
        let definition = &self.target.table.definition;
        let mut defaults = vec![None; definition.columns.len()];
        let columns = definition.columns.iter().enumerate();
        let needed = columns.filter(|(index, column)| {
            column.default.is_some() && self.needs_default(*index, written)
        });
        let needed: Vec<usize> = needed.map(|(index, _)| index).collect();
        if needed.is_empty() {
            return Ok(defaults);
        }
        let plan = {
            let numbers = UInt32Array::from_iter_values(0..written.len() as u32);
            let rows = RecordBatch::try_from_iter([(KEY_NUMBER, Arc::new(numbers) as ArrayRef)])?;
            let rows = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
            let planner = run.planner();
            let empty = DFSchema::empty();
            let mut exprs: Vec<Expr> = vec![ident(KEY_NUMBER)];
            for index in &needed {
                let column = &definition.columns[*index];
                let name = column.field.name();
                let default = default_expr(definition, name)?;
                let default = planner.expr(default, &empty, &planner.planner_context())?;
                let default = default.cast_to(column.field.data_type(), &empty)?;
                exprs.push(default.alias(format!("default.{name}")));
            }
            let rows = provider_as_source(Arc::new(rows));
            let plan = LogicalPlanBuilder::scan("written", rows, None)?;
            meet_decimals(plan.project(exprs)?.build()?)?
        };
        let mut stream = run.stream(plan).await?;
        let mut held = BufferedRows::new(run.runtime());
        while let Some(batch) = stream.next().await {
            held.push(batch?)?;
        }
        for (place, index) in needed.into_iter().enumerate() {
            defaults[index] = whole_column(&held.batches, 1 + place)?;
        }
        Ok(defaults)
    }
}

/// Where the value of a column is in each version. A version comes after the one before it.
fn places(column: usize, batches: &[ChangeBatch], versions: &[RowVersion]) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::with_capacity(versions.len());
    for version in versions {
        let sent = version
            .sent
            .map(|(batch, row)| (batch as usize, row as usize));
        values.push(match (sent, version.before) {
            (Some((batch, row)), _) if batches[batch].sends(column, row) => Value::Sent(batch, row),
            (_, Before::Nothing) => Value::Default,
            (_, Before::Existing(row)) => Value::Existing(row as usize),
            (_, Before::Version(before)) => values[before as usize],
        });
    }
    values
}
