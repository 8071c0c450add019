//! Tests of the log with damaged objects, lost responses and power failures.

mod faults;
mod power;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::*;

fn entry(version: u64, body: &str) -> Entry {
    Entry {
        kind: Kind::Entry,
        version,
        id: CommitId::fresh(),
        time_us: 1_700_000_000_000_000,
        body: Bytes::from(body.to_string()),
    }
}

fn checkpoint(version: u64) -> Entry {
    Entry {
        kind: Kind::Checkpoint,
        ..entry(version, "state")
    }
}

#[cfg(feature = "cloud-storage")]
#[tokio::test]
async fn what_a_check_of_a_store_left_behind_is_found_by_its_age() {
    use object_store::{ObjectStoreExt, memory::InMemory, path::Path};
    let store = Arc::new(InMemory::new());
    for name in [
        "db/_log/.check-1",
        "db/_log/00000000000000000000.entry",
        "db/x",
    ] {
        store.put(&Path::from(name), "1".into()).await.unwrap();
    }
    let medium = ObjectMedium::new(store, Path::from("db/_log"));
    let centuries = Duration::from_secs(10_000_000_000);
    let left = async |before| medium.left_over(before).await.unwrap();
    assert_eq!(left(SystemTime::UNIX_EPOCH + centuries).await, [".check-1"]);
    assert!(left(SystemTime::UNIX_EPOCH).await.is_empty());
}

/// For a medium in memory, which responds at once: only a request without any response times out.
fn quick() -> RetryPolicy {
    RetryPolicy {
        request_timeout: Duration::from_millis(20),
        retry_deadline: Duration::from_millis(60),
        first_pause: Duration::from_micros(200),
        longest_pause: Duration::from_millis(2),
    }
}

/// For a disk, which always responds, however slow the machine is.
fn patient() -> RetryPolicy {
    RetryPolicy {
        request_timeout: Duration::from_secs(60),
        ..quick()
    }
}

/// Objects in memory, with counters of reads and listings.
#[derive(Debug, Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, Bytes>>,
    reads: AtomicUsize,
    lists: AtomicUsize,
}

impl Memory {
    fn log(self: &Arc<Self>) -> Log {
        Log::new(Arc::clone(self) as _, "mem:/db/_log".into(), quick())
    }
}

#[async_trait]
impl Medium for Memory {
    async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, CreateError> {
        let mut objects = self.objects.lock();
        if objects.contains_key(name) {
            return Ok(Created::Exists);
        }
        objects.insert(name.to_string(), bytes);
        Ok(Created::New)
    }

    async fn read(&self, name: &str) -> object_store::Result<Option<Bytes>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.objects.lock().get(name).cloned())
    }

    async fn list(&self, after: Option<&str>) -> object_store::Result<Vec<String>> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        let objects = self.objects.lock();
        let names = objects
            .keys()
            .filter(|name| after.is_none_or(|a| name.as_str() > a));
        // A listing has no order.
        Ok(names.rev().cloned().collect())
    }

    async fn replace(&self, name: &str, bytes: Bytes) -> object_store::Result<()> {
        self.objects.lock().insert(name.to_string(), bytes);
        Ok(())
    }

    async fn left_over(&self, _: SystemTime) -> object_store::Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn remove(&self, name: &str) -> object_store::Result<()> {
        self.objects.lock().remove(name);
        Ok(())
    }
}

async fn filled(versions: u64, every: u64) -> Arc<Memory> {
    let memory = Arc::new(Memory::default());
    let log = memory.log();
    for version in 0..versions {
        let appended = log
            .append(&entry(version, &format!("change {version}")))
            .await;
        assert!(matches!(appended, Ok(Appended::Won)));
        if version > 0 && version % every == 0 {
            log.write_checkpoint(&checkpoint(version)).await.unwrap();
        }
    }
    memory
}

#[test]
fn an_object_reads_as_it_was_written() {
    let written = entry(7, "change");
    let read = Entry::decode("7", Kind::Entry, 7, &written.encode()).unwrap();
    assert_eq!(read, written);
}

/// Proves A2.
#[test]
fn any_flipped_bit_is_found() {
    let bytes = entry(7, "some change").encode();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = Entry::decode("log/7.entry", Kind::Entry, 7, &damaged.into()).unwrap_err();
        // A flip in the format's number can make it a newer format.
        let expected = match bit / 8 {
            4 | 5 => matches!(error, DfOlapError::Unsupported(_) | DfOlapError::Corrupt(_)),
            _ => matches!(error, DfOlapError::Corrupt(_)),
        };
        assert!(expected, "bit {bit}: {error:?}");
        assert!(error.to_string().contains("log/7.entry"), "{error}");
    }
}

/// Proves A2.
#[test]
fn any_cut_or_added_byte_is_found() {
    let bytes = entry(7, "some change").encode();
    for length in 0..bytes.len() {
        let error = Entry::decode("7", Kind::Entry, 7, &bytes.slice(..length)).unwrap_err();
        assert!(
            matches!(error, DfOlapError::Corrupt(_)),
            "{length}: {error:?}"
        );
    }
    let longer = [bytes.as_ref(), &[0]].concat();
    let error = Entry::decode("7", Kind::Entry, 7, &longer.into()).unwrap_err();
    assert!(matches!(error, DfOlapError::Corrupt(_)));
}

#[test]
fn an_object_under_the_name_of_another_is_found() {
    let bytes = entry(7, "change").encode();
    for (kind, version) in [(Kind::Entry, 8), (Kind::Checkpoint, 7)] {
        let error = Entry::decode("x", kind, version, &bytes).unwrap_err();
        assert!(matches!(error, DfOlapError::Corrupt(_)), "{error:?}");
    }
}

#[test]
fn a_newer_format_is_refused_with_what_to_do() {
    let mut bytes = entry(7, "change").encode().to_vec();
    bytes[4] = 2;
    let error = Entry::decode("log/7.entry", Kind::Entry, 7, &bytes.into()).unwrap_err();
    assert!(matches!(error, DfOlapError::Unsupported(_)), "{error:?}");
    assert!(error.to_string().contains("use a newer one"));
}

#[tokio::test]
async fn what_was_never_written_is_no_log() {
    assert!(
        Arc::new(Memory::default())
            .log()
            .open()
            .await
            .unwrap()
            .is_none()
    );
}

/// Proves L4.
#[tokio::test]
async fn opening_finds_every_entry_whatever_the_hint_says() {
    for (versions, every) in [(1, 16), (16, 16), (17, 16), (18, 16), (40, 16), (40, 1000)] {
        let memory = filled(versions, every).await;
        for hint in [
            None,
            Some("16"),
            Some("0"),
            Some("999"),
            Some("?"),
            Some(""),
            Some("-1"),
        ] {
            match hint {
                Some(hint) => memory.replace(HINT, Bytes::from(hint)).await.unwrap(),
                None => memory.remove(HINT).await.unwrap(),
            }
            let opened = memory.log().open().await.unwrap().unwrap();
            let begin = opened
                .checkpoint
                .as_ref()
                .map_or(0, |kept| kept.version + 1);
            assert_eq!(
                begin,
                if versions > every {
                    (versions - 1) / every * every + 1
                } else {
                    0
                }
            );
            let found = opened.entries.iter().map(|entry| entry.version);
            assert!(
                found.eq(begin..versions),
                "{versions} every {every}, hint {hint:?}"
            );
        }
    }
}

#[tokio::test]
async fn opening_after_many_commits_reads_few_objects() {
    let memory = filled(10_000, 16).await;
    memory.reads.store(0, Ordering::Relaxed);
    memory.lists.store(0, Ordering::Relaxed);
    memory.log().open().await.unwrap().unwrap();
    let reads = memory.reads.load(Ordering::Relaxed);
    assert!(reads <= 20, "{reads} reads");
    assert_eq!(memory.lists.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_missing_entry_or_checkpoint_is_named() {
    let memory = filled(40, 16).await;
    memory.remove(&entry_name(35)).await.unwrap();
    let error = memory.log().open().await.unwrap_err();
    assert!(matches!(&error, DfOlapError::Corrupt(text) if text.contains(&entry_name(35))));

    let memory = filled(10, 16).await;
    memory.remove(&entry_name(0)).await.unwrap();
    let error = memory.log().open().await.unwrap_err();
    assert!(matches!(&error, DfOlapError::Corrupt(text) if text.contains(&entry_name(0))));
}

#[tokio::test]
async fn entries_before_a_checkpoint_may_be_gone() {
    let memory = filled(40, 16).await;
    for version in 0..32 {
        memory.remove(&entry_name(version)).await.unwrap();
    }
    memory.remove(&checkpoint_name(16)).await.unwrap();
    // The hint names a checkpoint that is gone.
    memory.replace(HINT, Bytes::from("16")).await.unwrap();
    let opened = memory.log().open().await.unwrap().unwrap();
    assert_eq!(opened.checkpoint.unwrap().version, 32);
    assert_eq!(opened.entries.len(), 7);
}

/// Proves A1, L1.
#[tokio::test]
async fn of_many_who_want_a_number_one_gets_it_and_the_others_learn_who() {
    let memory = Arc::new(Memory::default());
    for version in 0..50 {
        let log = memory.log();
        let entries: Vec<Entry> = (0..8).map(|_| entry(version, "change")).collect();
        let appended = futures::future::join_all(entries.iter().map(|e| log.append(e))).await;
        let there = log.entry(version).await.unwrap().unwrap();
        for (entry, appended) in entries.iter().zip(appended) {
            match appended.unwrap() {
                Appended::Won => assert_eq!(entry.id, there.id),
                Appended::Lost(other) => {
                    assert_ne!(entry.id, there.id);
                    assert_eq!(other, there);
                }
            }
        }
    }
}

#[cfg(feature = "cloud-storage")]
#[tokio::test]
async fn a_log_on_an_object_store_is_the_same_log() {
    let store = Arc::new(object_store::memory::InMemory::new());
    let open = || {
        let medium = ObjectMedium::new(Arc::clone(&store) as _, "db/_log".into());
        Log::new(Arc::new(medium), "mem:/db/_log".into(), quick())
    };
    assert!(open().open().await.unwrap().is_none());
    for version in 0..20 {
        let rivals = [entry(version, "one"), entry(version, "other")];
        let logs = [open(), open()];
        let (one, other) = futures::join!(logs[0].append(&rivals[0]), logs[1].append(&rivals[1]));
        let won = [one.unwrap(), other.unwrap()];
        let won = won.iter().filter(|a| matches!(a, Appended::Won));
        assert_eq!(won.count(), 1);
        if version == 16 {
            open().write_checkpoint(&checkpoint(version)).await.unwrap();
        }
    }
    let opened = open().open().await.unwrap().unwrap();
    assert_eq!(opened.checkpoint.unwrap().version, 16);
    assert_eq!(opened.entries.len(), 3);
}
