//! The body of a log entry: the actions of one commit.
//!
//! An entry is replayed on the snapshot of the version before, and applies unconditionally, because its writer had
//! the same snapshot. So the parts of a change that only detect conflicts (`NoNewRows`, `NoNewKeys`, `WatermarkIs`, the
//! definition that an append was written for) are not stored.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::blobs::{Blob, Damage, damage};
use super::codec::{Decoder, Encoder, LoggedDefinition, LoggedFragment};
use super::data_file::LoggedMerged;
use super::ipc::Ipc;
use crate::change::{Action, ChangeSet, Replaced};
use crate::fragment::FragmentId;
use crate::snapshot::{RelationId, Snapshot, TableDefinition, Version, View, Watermark};
use crate::store::tidy::Merge;

#[derive(Debug, Serialize, Deserialize)]
struct Logged {
    /// Only in the first entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    database: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    actions: Vec<LoggedAction>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    merges: Vec<LoggedMerge>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LoggedAction {
    CreateTable {
        name: String,
        table: Uuid,
        definition: LoggedDefinition,
    },
    CreateView(LoggedView),
    Drop {
        relation: Uuid,
    },
    Rename {
        relation: Uuid,
        to: String,
    },
    Define {
        table: Uuid,
        definition: LoggedDefinition,
    },
    Append {
        table: Uuid,
        fragments: Vec<LoggedFragment>,
    },
    Delete {
        table: Uuid,
        fragment: Uuid,
        rows: Blob,
    },
    Replace {
        table: Uuid,
        old: Vec<LoggedOld>,
        new: Vec<LoggedFragment>,
    },
    MergeIndexes {
        table: Uuid,
        old: Vec<Uuid>,
        new: LoggedMerged,
    },
    Truncate {
        table: Uuid,
    },
    Adopt {
        folder: String,
    },
    Forget {
        before: u64,
    },
    Watermark {
        source: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<Blob>,
    },
}

/// A fragment that was replaced, and its rows that were deleted when the fragment was read.
#[derive(Debug, Serialize, Deserialize)]
struct LoggedOld {
    fragment: Uuid,
    /// The number of rows that were live.
    rows: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<Blob>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LoggedView {
    pub name: String,
    pub view: Uuid,
    pub query: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LoggedMerge {
    table: Uuid,
    from: Vec<Uuid>,
    into: Uuid,
}

/// The body of the first entry.
pub(crate) fn encode_birth(ipc: &Ipc, database: Uuid) -> Result<Bytes, Damage> {
    Encoder::new(ipc).finish(Logged {
        database: Some(database),
        actions: Vec::new(),
        merges: Vec::new(),
    })
}

/// The body of an entry: `changes` in order, and the merges that came with them.
pub(crate) fn encode<'a>(
    ipc: &Ipc,
    changes: impl Iterator<Item = &'a ChangeSet>,
    merges: &[Merge],
) -> Result<Bytes, Damage> {
    let mut encoder = Encoder::new(ipc);
    let mut actions = Vec::new();
    for action in changes.flat_map(|change| &change.actions) {
        actions.extend(encode_action(&mut encoder, action)?);
    }
    let merges = merges
        .iter()
        .map(|merge| LoggedMerge {
            table: merge.table.0,
            from: merge.from.iter().map(|id| id.0).collect(),
            into: merge.into.0,
        })
        .collect();
    encoder.finish(Logged {
        database: None,
        actions,
        merges,
    })
}

fn encode_action(
    encoder: &mut Encoder<'_>,
    action: &Action,
) -> Result<Option<LoggedAction>, Damage> {
    Ok(Some(match action {
        Action::CreateTable {
            name,
            id,
            definition,
        } => LoggedAction::CreateTable {
            name: name.clone(),
            table: id.0,
            definition: encoder.definition(definition)?,
        },
        Action::CreateView { name, view } => LoggedAction::CreateView(LoggedView::of(name, view)),
        Action::Drop { id } => LoggedAction::Drop { relation: id.0 },
        Action::Rename { id, to } => LoggedAction::Rename {
            relation: id.0,
            to: to.clone(),
        },
        Action::Define { id, definition } => LoggedAction::Define {
            table: id.0,
            definition: encoder.definition(definition)?,
        },
        Action::Append { id, fragments, .. } => LoggedAction::Append {
            table: id.0,
            fragments: fragments
                .iter()
                .map(|fragment| encoder.fragment(*id, fragment))
                .collect::<Result<_, _>>()?,
        },
        Action::Delete { id, fragment, rows } => LoggedAction::Delete {
            table: id.0,
            fragment: fragment.0,
            rows: encoder.rows(rows)?,
        },
        Action::Replace { id, old, new } => LoggedAction::Replace {
            table: id.0,
            old: old
                .iter()
                .map(|old| {
                    let deleted = old.deleted.as_ref();
                    Ok(LoggedOld {
                        fragment: old.fragment.0,
                        rows: old.rows,
                        deleted: deleted.map(|rows| encoder.rows(rows)).transpose()?,
                    })
                })
                .collect::<Result<_, Damage>>()?,
            new: new
                .iter()
                .map(|fragment| encoder.fragment(*id, fragment))
                .collect::<Result<_, _>>()?,
        },
        Action::MergeIndexes { id, old, new } => LoggedAction::MergeIndexes {
            table: id.0,
            old: old.iter().map(|id| id.0).collect(),
            new: encoder.merged_keys(new),
        },
        Action::Truncate { id } => LoggedAction::Truncate { table: id.0 },
        Action::Adopt { folder } => LoggedAction::Adopt {
            folder: folder.clone(),
        },
        Action::Forget { before } => LoggedAction::Forget { before: before.0 },
        Action::SetWatermark {
            source,
            seq,
            position,
        } => LoggedAction::Watermark {
            source: source.clone(),
            seq: *seq,
            position: position.as_ref().map(|bytes| encoder.blob(bytes.clone())),
        },
        Action::NoNewRows { .. } | Action::NoNewKeys { .. } | Action::WatermarkIs { .. } => {
            return Ok(None);
        }
    }))
}

impl LoggedView {
    pub fn of(name: &str, view: &View) -> Self {
        Self {
            name: name.to_string(),
            view: view.id.0,
            query: view.query.clone(),
            columns: view.columns.clone(),
        }
    }

    pub fn read(self) -> (String, View) {
        let view = View {
            id: RelationId(self.view),
            query: self.query,
            columns: self.columns,
        };
        (self.name, view)
    }
}

/// The resume position of a source of changes.
pub(super) fn read_position(
    decoder: &Decoder,
    source: &str,
    position: Option<Blob>,
) -> Result<Option<Vec<u8>>, Damage> {
    let position = position.map(|blob| decoder.bytes(blob)).transpose()?;
    if source.len() > Watermark::MAX_SOURCE_BYTES
        || position.is_some_and(|bytes| bytes.len() > Watermark::MAX_POSITION_BYTES)
    {
        return Err(damage("the name or position of a source is too long"));
    }
    Ok(position.map(|bytes| bytes.to_vec()))
}

/// The snapshot after an entry is replayed on `current`, the snapshot of the version before. An entry without a body
/// (a fence) has no actions.
pub(crate) fn replay(body: &Bytes, current: &Snapshot) -> Result<Snapshot, Damage> {
    if body.is_empty() {
        return ChangeSet::default()
            .apply(current, current)
            .map_err(|conflict| damage(conflict.0));
    }
    let (mut decoder, logged) = Decoder::new::<Logged>(body)?;
    let mut definitions = Definitions::default();
    let mut change = ChangeSet::default();
    for action in logged.actions {
        let action = decode_action(&mut decoder, action, current, &mut definitions)?;
        change.actions.push(action);
    }
    let mut next = change.apply(current, current).map_err(|conflict| {
        damage(format!(
            "it does not follow what is before it: {}",
            conflict.0
        ))
    })?;
    for merge in logged.merges {
        let merge = Merge {
            table: RelationId(merge.table),
            from: merge.from.into_iter().map(FragmentId).collect(),
            into: FragmentId(merge.into),
        };
        merge
            .replay(&mut next)
            .map_err(|error| damage(error.to_string()))?;
    }
    Ok(next)
}

/// The data files that an entry adds to tables, and the indexes of keys.
pub(crate) fn files_added(body: &Bytes) -> Result<Vec<String>, Damage> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let (_, logged) = Decoder::new::<Logged>(body)?;
    let mut paths = Vec::new();
    for action in &logged.actions {
        match action {
            LoggedAction::Append { fragments, .. }
            | LoggedAction::Replace { new: fragments, .. } => {
                paths.extend(fragments.iter().flat_map(LoggedFragment::paths));
            }
            LoggedAction::MergeIndexes { new, .. } => paths.push(new.path().to_string()),
            _ => {}
        }
    }
    Ok(paths)
}

/// The identity of a database, from the body of its first entry.
pub(crate) fn database(body: &Bytes) -> Result<Uuid, Damage> {
    let (_, logged) = Decoder::new::<Logged>(body)?;
    logged
        .database
        .ok_or_else(|| damage("it does not say which database it begins"))
}

/// The definitions that the actions of an entry gave to tables so far.
type Definitions = std::collections::HashMap<RelationId, Arc<TableDefinition>>;

fn decode_action(
    decoder: &mut Decoder,
    action: LoggedAction,
    current: &Snapshot,
    definitions: &mut Definitions,
) -> Result<Action, Damage> {
    Ok(match action {
        LoggedAction::CreateTable {
            name,
            table,
            definition,
        } => {
            let id = RelationId(table);
            let definition = Arc::new(decoder.definition(definition)?);
            definitions.insert(id, Arc::clone(&definition));
            Action::CreateTable {
                name,
                id,
                definition,
            }
        }
        LoggedAction::CreateView(view) => {
            let (name, view) = view.read();
            Action::CreateView {
                name,
                view: Arc::new(view),
            }
        }
        LoggedAction::Drop { relation } => Action::Drop {
            id: RelationId(relation),
        },
        LoggedAction::Rename { relation, to } => Action::Rename {
            id: RelationId(relation),
            to,
        },
        LoggedAction::Define { table, definition } => {
            let id = RelationId(table);
            let definition = Arc::new(decoder.definition(definition)?);
            definitions.insert(id, Arc::clone(&definition));
            Action::Define { id, definition }
        }
        LoggedAction::Append { table, fragments } => {
            let id = RelationId(table);
            let now = || current.tables.get(&id).map(|table| &table.definition);
            let definition = definitions.get(&id).or_else(now);
            let definition = definition.ok_or_else(|| damage("it adds rows to no table"))?;
            let definition = Arc::clone(definition);
            let fragments = fragments
                .into_iter()
                .map(|fragment| decoder.fragment(fragment))
                .collect::<Result<_, _>>()?;
            Action::Append {
                id,
                definition,
                fragments,
            }
        }
        LoggedAction::Delete {
            table,
            fragment,
            rows,
        } => Action::Delete {
            id: RelationId(table),
            fragment: FragmentId(fragment),
            rows: decoder.rows(rows)?,
        },
        LoggedAction::Replace { table, old, new } => {
            let old = old.into_iter().map(|old| {
                if old.rows > u64::from(u32::MAX) {
                    return Err(damage("a fragment that is replaced has too many rows"));
                }
                let deleted = old.deleted.map(|rows| decoder.rows(rows)).transpose()?;
                Ok::<_, Damage>(Replaced {
                    fragment: FragmentId(old.fragment),
                    rows: old.rows,
                    deleted: deleted.map(Arc::new),
                })
            });
            Action::Replace {
                id: RelationId(table),
                old: old.collect::<Result<_, _>>()?,
                new: new
                    .into_iter()
                    .map(|fragment| decoder.fragment(fragment))
                    .collect::<Result<_, _>>()?,
            }
        }
        LoggedAction::MergeIndexes { table, old, new } => Action::MergeIndexes {
            id: RelationId(table),
            old: old.into_iter().map(FragmentId).collect(),
            new: decoder.merged_keys(new)?,
        },
        LoggedAction::Truncate { table } => Action::Truncate {
            id: RelationId(table),
        },
        LoggedAction::Adopt { folder } => Action::Adopt { folder },
        LoggedAction::Forget { before } => Action::Forget {
            before: Version(before),
        },
        LoggedAction::Watermark {
            source,
            seq,
            position,
        } => Action::SetWatermark {
            position: read_position(decoder, &source, position)?,
            source,
            seq,
        },
    })
}
