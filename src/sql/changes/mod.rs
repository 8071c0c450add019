//! Row changes of another database: from batches of changes to one change set, with the watermark of their source in
//! it.
//!
//! A change is left out if its sequence number is not above the watermark, so a call can be repeated, also with other
//! boundaries between batches. [`sequence`] decides which changes are new, [`decode`] reads the reserved columns,
//! [`values`] converts the others, and [`keys`] numbers the keys. In a table that is a mirror of its source
//! ([`mirror`]), [`net`] computes what each key's row is after all changes; in a table that keeps its [`history`],
//! [`spans`] computes when each row begins and ends. [`rows`] reads and makes the rows.

mod decode;
mod history;
mod keys;
mod mirror;
mod moved;
mod net;
mod report;
mod rows;
mod sequence;
mod spans;
mod target;
mod values;
mod versions;
mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Field;

use self::decode::{Decoded, is_reserved};
use self::history::HistoryTable;
use self::report::Report;
pub(crate) use self::sequence::check_source;
use self::sequence::{check_order, check_position, new_watermark};
use self::target::Target;
use self::values::ChangeBatch;
use crate::cdc::{Applied, Changes, History, Progress, UnknownColumns};
use crate::change::{Action, ChangeSet};
use crate::error::DfOlapError;
use crate::snapshot::{RelationId, Snapshot};
use crate::sql::ddl::alter::TableEdit;
use crate::sql::execution::Run;

/// The change set of the changes of a source on `base`, and what it does. `begin` starts to run on a snapshot.
pub(crate) async fn effect(
    begin: impl Fn(Arc<Snapshot>) -> Run,
    base: Arc<Snapshot>,
    source: &str,
    changes: &Changes,
) -> Result<(ChangeSet, Applied), DfOlapError> {
    check_source(source)?;
    check_position(source, changes)?;
    let mut decoded = Vec::with_capacity(changes.tables.len());
    for table in &changes.tables {
        let at = format!("source '{source}', table {}", table.table);
        let mut batch = Decoded::read(&at, &table.rows)?;
        batch.bad.clone_from(&table.bad);
        decoded.push(batch);
    }
    let current = base.watermark(source);
    let position = base
        .watermarks
        .get(source)
        .and_then(|of| of.position.clone());
    let upto = new_watermark(source, changes, &decoded, current)?;
    let mut applied = Applied {
        watermark: Some(upto),
        ..Applied::default()
    };
    let is_empty = upto == 0 && decoded.iter().all(|batch| batch.rows() == 0);
    if is_empty && changes.upto.is_none() && current.is_none() {
        applied.progress = Progress::Before;
        applied.watermark = None;
        return Ok((ChangeSet::default(), applied));
    }
    if current.is_some_and(|current| current >= upto) {
        applied.progress = Progress::Before;
        applied.watermark = current;
        applied.before = decoded.iter().map(|batch| batch.rows() as u64).sum();
        return Ok((ChangeSet::default(), applied));
    }

    let mut working = base;
    let mut actions = vec![Action::WatermarkIs {
        source: source.to_string(),
        seq: current,
    }];
    for (place, of_table) in by_table(&working, source, changes, decoded)? {
        let mut report = Report {
            source,
            table: of_table.name,
            changes,
            applied: &mut applied,
        };
        check_order(&report.at(), &of_table.batches)?;
        let (mut of_table, active) = of_table.newer(current, report.applied);
        if active.is_empty() {
            continue;
        }
        let id = match place {
            Place::Table(id) => id,
            Place::Unknown(_) => {
                report.unknown_table(&of_table.batches, &active)?;
                continue;
            }
        };
        if let Some(table) = working.tables.get(&id) {
            for batch in &mut of_table.batches {
                batch.name_as(&report.at(), &table.definition)?;
            }
        }
        if let Some(define) = new_columns(&mut report, &working, id, &of_table.batches)? {
            working = applied_to(&working, vec![define.clone()])?;
            actions.push(define);
        }
        let run = begin(Arc::clone(&working));
        actions.extend(table_actions(&run, &mut report, id, of_table, &active).await?);
    }
    actions.push(Action::SetWatermark {
        source: source.to_string(),
        seq: Some(upto),
        position: changes.position.clone().or(position),
    });
    if applied.before > 0 {
        applied.progress = Progress::Partly;
    }
    Ok((ChangeSet { actions }, applied))
}

/// The changes of a table, in the order of the calls.
struct OfTable<'a> {
    /// The table, as the changes name it.
    name: &'a str,
    batches: Vec<Decoded>,
    history: Option<&'a History>,
}

impl OfTable<'_> {
    /// The batches that have changes above the watermark, and these changes. Counts the others.
    fn newer(self, watermark: Option<u64>, applied: &mut Applied) -> (Self, Vec<BooleanBuffer>) {
        let (mut batches, mut active) = (Vec::new(), Vec::new());
        for batch in self.batches {
            let is_new = |row| batch.seqs.is_none() || batch.seq(row) > watermark;
            let new = BooleanBuffer::collect_bool(batch.rows(), is_new);
            applied.before += (new.len() - new.count_set_bits()) as u64;
            if new.count_set_bits() > 0 {
                batches.push(batch);
                active.push(new);
            }
        }
        (Self { batches, ..self }, active)
    }
}

/// The changes of each table; tables that do not exist by their name.
fn by_table<'a>(
    snapshot: &Snapshot,
    source: &str,
    changes: &'a Changes,
    decoded: Vec<Decoded>,
) -> Result<BTreeMap<Place, OfTable<'a>>, DfOlapError> {
    let mut of_tables = BTreeMap::new();
    for (batch, changes) in decoded.into_iter().zip(&changes.tables) {
        let at = format!("source '{source}', table {}", changes.table);
        let place = Place::of(snapshot, &at, &changes.table)?;
        let of_table = of_tables.entry(place).or_insert_with(|| OfTable {
            name: &changes.table,
            batches: Vec::new(),
            history: changes.history.as_ref(),
        });
        if of_table.history != changes.history.as_ref() {
            return Err(DfOlapError::Invalid(format!(
                "{at}: all changes of a table in a call keep the same history, or none"
            )));
        }
        of_table.batches.push(batch);
    }
    Ok(of_tables)
}

/// Where the changes of a table go.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Table(RelationId),
    Unknown(String),
}

impl Place {
    /// Where the changes of the table of this name go.
    fn of(snapshot: &Snapshot, at: &str, name: &str) -> Result<Self, DfOlapError> {
        if let Some((_, table)) = snapshot.table_named(name) {
            return Ok(Self::Table(table.id));
        }
        for name in [name, name.to_ascii_lowercase().as_str()] {
            if snapshot.relation(name).is_some() {
                return Err(DfOlapError::Invalid(format!(
                    "{at}: it is a view, which can be read but not written"
                )));
            }
        }
        Ok(Self::Unknown(name.to_string()))
    }
}

/// The snapshot after these actions.
fn applied_to(
    snapshot: &Arc<Snapshot>,
    actions: Vec<Action>,
) -> Result<Arc<Snapshot>, DfOlapError> {
    let applied = ChangeSet { actions }.apply(snapshot, snapshot);
    let applied = applied.map_err(|conflict| DfOlapError::Other(conflict.0.into()))?;
    Ok(Arc::new(applied))
}

/// The table's new definition, if the changes have columns to add.
fn new_columns(
    report: &mut Report<'_>,
    snapshot: &Snapshot,
    id: RelationId,
    batches: &[Decoded],
) -> Result<Option<Action>, DfOlapError> {
    let Some(table) = snapshot.tables.get(&id) else {
        return Err(DfOlapError::TableNotFound(report.table.to_string()));
    };
    if report.changes.unknown_columns != UnknownColumns::Add {
        return Ok(None);
    }
    let mut edit = TableEdit::of(report.table, table);
    let mut added: Vec<&str> = Vec::new();
    for (name, array) in batches.iter().flat_map(|batch| &batch.columns) {
        let is_known = table.definition.column(name).is_some() || added.contains(&name.as_str());
        // A column without a value has no type yet, and nothing to store.
        if is_known || array.data_type().is_null() {
            continue;
        }
        let field = Field::new(name, array.data_type().clone(), true);
        edit.add_field(Arc::new(field), None, None)?;
        added.push(name);
        let shown = format!("{}.{name}", report.table);
        report.applied.added_columns.push(shown);
    }
    Ok(edit.changed().map(|definition| Action::Define {
        id,
        definition: Arc::new(definition),
    }))
}

/// The actions of the changes of one table.
async fn table_actions(
    run: &Run,
    report: &mut Report<'_>,
    id: RelationId,
    of_table: OfTable<'_>,
    active: &[BooleanBuffer],
) -> Result<Vec<Action>, DfOlapError> {
    let Some(table) = run.context.snapshot.tables.get(&id).cloned() else {
        return Err(DfOlapError::TableNotFound(report.table.to_string()));
    };
    let name = report.table.to_string();
    match of_table.history {
        None => {
            let key = table.definition.key_indices();
            let target = Target { name, table, key };
            let batches = convert(report, &target, of_table.batches, &[])?;
            mirror::actions(run, report, &target, &batches, active).await
        }
        Some(history) => {
            let kept = HistoryTable::of(report, name, table, history)?;
            let batches = convert(report, &kept.target, of_table.batches, &kept.columns())?;
            history::actions(run, report, &kept, &batches, active).await
        }
    }
}

/// The batches in the types of their table. The engine writes the columns `generated`, and no batch has them.
fn convert(
    report: &mut Report<'_>,
    target: &Target,
    decoded: Vec<Decoded>,
    generated: &[usize],
) -> Result<Vec<ChangeBatch>, DfOlapError> {
    let at = report.at();
    let definition = &target.table.definition;
    for column in &definition.columns {
        let name = column.field.name();
        if is_reserved(definition, &target.key, name) {
            return Err(DfOlapError::Invalid(format!(
                "{at}: the table has a column '{name}', a name that changes reserve; rename it"
            )));
        }
    }
    let mut batches = Vec::with_capacity(decoded.len());
    for decoded in decoded {
        let unknown = report.changes.unknown_columns;
        let at = match decoded.seq(0) {
            Some(seq) => format!("{at}, from _seq {seq} on"),
            None => at.clone(),
        };
        let batch = ChangeBatch::new(&at, target, decoded, generated, unknown)?;
        for name in &batch.ignored {
            let shown = format!("{}.{name}", target.name);
            if !report.applied.ignored_columns.contains(&shown) {
                report.applied.ignored_columns.push(shown);
            }
        }
        batches.push(batch);
    }
    Ok(batches)
}
