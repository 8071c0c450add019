//! What a fuzzer calls with bytes that no engine wrote.

use bytes::{Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

use super::format::ipc::Ipc;
use super::format::{checkpoint, entry};
use crate::snapshot::Snapshot;
use crate::store::log::{Entry, Kind};

const HEADER_BYTES: usize = 48;
const CHECKSUM_BYTES: usize = 8;

/// Reads `bytes` as objects of a log, one after the other: each as it is, and with its length and checksum made right,
/// which a fuzzer cannot guess. An entry is applied to the state before it, a checkpoint is the state.
///
/// # Panics
/// Where a state was read that cannot be written, or that is another one when it is read again.
pub fn log_objects(bytes: &[u8]) {
    let mut state = Snapshot::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let object;
        (object, rest) = rest.split_at(object_bytes(rest));
        let (kind, version) = match object.first_chunk::<16>() {
            Some(header) if header[6] == 2 => (Kind::Checkpoint, version(header)),
            Some(header) => (Kind::Entry, version(header)),
            None => (Kind::Entry, 0),
        };
        let _ = Entry::decode("raw", kind, version, &Bytes::copy_from_slice(object));
        let Ok(read) = Entry::decode("mended", kind, version, &mended(object)) else {
            continue;
        };
        let _ = entry::database(&read.body);
        let _ = entry::files_added(&read.body);
        let next = match kind {
            Kind::Entry => entry::replay(&read.body, &state),
            Kind::Checkpoint => checkpoint::decode(version, &read.body).map(|(_, state)| state),
        };
        if let Ok(next) = next {
            check_round_trip(&next);
            state = next;
        }
    }
}

/// The bytes of the first object, as far as its header can be believed.
fn object_bytes(bytes: &[u8]) -> usize {
    let length = bytes.get(40..HEADER_BYTES).and_then(|l| l.try_into().ok());
    let body = length.map_or(u64::MAX, u64::from_le_bytes);
    let frame = (HEADER_BYTES + CHECKSUM_BYTES) as u64;
    usize::try_from(body.saturating_add(frame)).map_or(bytes.len(), |all| all.min(bytes.len()))
}

fn version(header: &[u8; 16]) -> u64 {
    header[8..].try_into().map_or(0, u64::from_le_bytes)
}

fn mended(object: &[u8]) -> Bytes {
    let mut bytes = BytesMut::from(object);
    if let Some(body) = bytes.len().checked_sub(HEADER_BYTES + CHECKSUM_BYTES) {
        bytes[40..HEADER_BYTES].copy_from_slice(&(body as u64).to_le_bytes());
        let sealed = HEADER_BYTES + body;
        let checksum = xxh3_64(&bytes[..sealed]);
        bytes[sealed..].copy_from_slice(&checksum.to_le_bytes());
    }
    bytes.freeze()
}

fn check_round_trip(state: &Snapshot) {
    let database = uuid::Uuid::nil();
    let ipc = Ipc::default();
    let written = checkpoint::encode(&ipc, database, state).expect("a state can be written");
    let (_, read) = checkpoint::decode(state.version.0, &written).expect("it can be read");
    let again = checkpoint::encode(&ipc, database, &read).expect("it can be written again");
    assert_eq!(
        written, again,
        "the state is another one when it is read again"
    );
}
