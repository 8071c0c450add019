//! The body of a checkpoint: the whole state of one version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::blobs::{Blob, Damage, damage};
use super::codec::{Decoder, Encoder, LoggedDefinition, LoggedFragment};
use super::data_file::LoggedMerged;
use super::entry::{LoggedView, read_position};
use super::ipc::Ipc;
use crate::fragment::LiveFragment;
use crate::key_index::merged::MergedIndexes;
use crate::snapshot::{RelationId, Snapshot, Table, Version, Watermark};

#[derive(Debug, Serialize, Deserialize)]
struct LoggedState {
    database: Uuid,
    oldest: u64,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    adopted: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    watermarks: BTreeMap<String, LoggedWatermark>,
    tables: Vec<LoggedTable>,
    views: Vec<LoggedView>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LoggedWatermark {
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<Blob>,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct LoggedTable {
    name: String,
    table: Uuid,
    definition: LoggedDefinition,
    rows_added_at: u64,
    fragments: Vec<LoggedLive>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    indexes: Vec<LoggedMerged>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LoggedLive {
    #[serde(flatten)]
    fragment: LoggedFragment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<Blob>,
}

pub(crate) fn encode(ipc: &Ipc, database: Uuid, snapshot: &Snapshot) -> Result<Bytes, Damage> {
    let mut encoder = Encoder::new(ipc);
    let (mut tables, mut views) = (Vec::new(), Vec::new());
    for (name, id) in snapshot.names.iter() {
        if let Some(table) = snapshot.tables.get(id) {
            tables.push(encode_table(&mut encoder, name, table)?);
        } else if let Some(view) = snapshot.views.get(id) {
            views.push(LoggedView::of(name, view));
        }
    }
    let mut watermarks = BTreeMap::new();
    for (source, watermark) in snapshot.watermarks.iter() {
        let position = watermark.position.as_ref();
        let logged = LoggedWatermark {
            seq: watermark.seq,
            position: position.map(|bytes| encoder.blob(bytes.clone())),
            version: watermark.version.0,
        };
        watermarks.insert(source.clone(), logged);
    }
    encoder.finish(LoggedState {
        database,
        oldest: snapshot.oldest.0,
        adopted: snapshot.adopted.as_ref().clone(),
        watermarks,
        tables,
        views,
    })
}

fn encode_table(
    encoder: &mut Encoder<'_>,
    name: &str,
    table: &Table,
) -> Result<LoggedTable, Damage> {
    let mut fragments = Vec::with_capacity(table.fragments.len());
    for live in &table.fragments {
        fragments.push(LoggedLive {
            fragment: encoder.fragment(table.id, &live.fragment)?,
            deleted: match &live.deleted {
                Some(deleted) => Some(encoder.rows(deleted)?),
                None => None,
            },
        });
    }
    Ok(LoggedTable {
        name: name.to_string(),
        table: table.id.0,
        definition: encoder.definition(&table.definition)?,
        rows_added_at: table.rows_added_at.0,
        fragments,
        indexes: {
            let merged = table.merged_keys.iter();
            merged.map(|merged| encoder.merged_keys(merged)).collect()
        },
    })
}

/// No database gets so far: each version after it has a number too.
const MAX_VERSION: u64 = u64::MAX / 2;

/// The identity of the database, and its snapshot at `version`, the version of the checkpoint.
pub(crate) fn decode(version: u64, body: &Bytes) -> Result<(Uuid, Snapshot), Damage> {
    if version > MAX_VERSION {
        return Err(damage("no database has so many versions"));
    }
    let (mut decoder, state) = Decoder::new::<LoggedState>(body)?;
    let mut names = BTreeMap::new();
    let mut tables = BTreeMap::new();
    let mut views = BTreeMap::new();
    for logged in state.tables {
        let id = RelationId(logged.table);
        let definition = Arc::new(decoder.definition(logged.definition)?);
        let mut table = Table::empty(id, definition, Version(logged.rows_added_at));
        for live in logged.fragments {
            let live = LiveFragment {
                fragment: decoder.fragment(live.fragment)?,
                deleted: match live.deleted {
                    Some(rows) => Some(Arc::new(decoder.rows(rows)?)),
                    None => None,
                },
            };
            let dead = live.deleted.as_ref().and_then(|deleted| deleted.max());
            if dead.is_some_and(|last| last >= live.fragment.rows()) {
                return Err(damage("a row is dead that is not there"));
            }
            table.rows += live.rows();
            table.fragments.push(live);
        }
        let merged = logged.indexes.into_iter();
        let merged = merged.map(|merged| decoder.merged_keys(merged));
        let merged = merged.collect::<Result<_, _>>()?;
        table.merged_keys = Arc::new(MergedIndexes::new(merged, &table.fragments));
        table.drop_dead_indexes();
        names.insert(logged.name, id);
        tables.insert(id, Arc::new(table));
    }
    for logged in state.views {
        let (name, view) = logged.read();
        names.insert(name, view.id);
        views.insert(view.id, Arc::new(view));
    }
    if names.len() != tables.len() + views.len() {
        return Err(damage("two tables or views have one name or one id"));
    }
    let mut watermarks = BTreeMap::new();
    for (source, logged) in state.watermarks {
        let watermark = Watermark {
            seq: logged.seq,
            position: read_position(&decoder, &source, logged.position)?,
            version: Version(logged.version),
        };
        watermarks.insert(source, watermark);
    }
    let snapshot = Snapshot {
        version: Version(version),
        oldest: Version(state.oldest),
        adopted: Arc::new(state.adopted),
        watermarks: Arc::new(watermarks),
        names: Arc::new(names),
        tables,
        views: Arc::new(views),
    };
    Ok((state.database, snapshot))
}
