//! Power failures at any operation: acknowledged entries are there, others are there whole or not at all.

use std::path::{Path, PathBuf};

use super::*;
use crate::store::disk::Files;
use crate::store::disk::simulated::SimulatedDisk;

fn log(disk: &Arc<SimulatedDisk>, synced: bool) -> Log {
    let medium = LocalMedium::new(Arc::clone(disk) as _, PathBuf::from("/db/_log"), synced);
    Log::new(Arc::new(medium), "/db/_log".into(), patient())
}

/// Appends entries and a checkpoint until the power fails, then checks every state of the disk that may be left.
/// Returns whether the power failed, and the errors found.
async fn lose_power(at: usize, done: bool, synced: bool) -> (bool, Vec<String>) {
    let disk = Arc::new(SimulatedDisk::default());
    disk.lose_power(at, done);
    let writer = log(&disk, synced);
    let mut tried = Vec::new();
    let mut acknowledged = 0;
    for version in 0..4 {
        let change = entry(version, &format!("change {version}"));
        tried.push(change.clone());
        match writer.append(&change).await {
            Ok(Appended::Won) => acknowledged += 1,
            Ok(Appended::Lost(_)) => panic!("there is no other writer"),
            Err(_) => break,
        }
        if version == 2 {
            // A checkpoint may be lost; it must not be half there.
            let _ = writer.write_checkpoint(&checkpoint(version)).await;
        }
    }
    if !disk.is_off() {
        return (false, Vec::new());
    }
    let mut wrong = Vec::new();
    for found in disk.after_power_loss() {
        let reader = log(&found, synced);
        for change in &tried {
            match reader.entry(change.version).await {
                Ok(Some(there)) if there == *change => {}
                Ok(None) if change.version >= acknowledged => {}
                other => wrong.push(format!(
                    "operation {at} ({done}), {acknowledged} acknowledged: version {} is {other:?}",
                    change.version
                )),
            }
        }
        if let Err(error) = reader.open().await {
            wrong.push(format!("operation {at} ({done}): {error}"));
        }
    }
    (true, wrong)
}

/// Proves L2.
#[tokio::test]
async fn what_was_acknowledged_outlives_a_loss_of_power_at_any_operation() {
    let mut moments = 0;
    for at in 1.. {
        let (went, wrong) = lose_power(at, false, true).await;
        let (_, wrong_after) = lose_power(at, true, true).await;
        assert!(
            wrong.is_empty() && wrong_after.is_empty(),
            "{wrong:?} {wrong_after:?}"
        );
        if !went {
            break;
        }
        moments += 1;
    }
    assert!(moments > 20, "{moments} operations");
}

#[tokio::test]
async fn without_syncs_a_loss_of_power_is_seen_by_the_same_test() {
    let mut wrong = Vec::new();
    for at in 1..20 {
        wrong.extend(lose_power(at, true, false).await.1);
    }
    assert!(!wrong.is_empty(), "the test above would find nothing");
}

#[tokio::test]
async fn after_a_failed_sync_of_the_folder_nothing_is_acknowledged() {
    let disk = Arc::new(SimulatedDisk::default());
    let writer = log(&disk, true);
    assert!(matches!(
        writer.append(&entry(0, "kept")).await,
        Ok(Appended::Won)
    ));
    disk.fail_syncs_of_folders(true);
    let doubtful = writer.append(&entry(1, "doubtful")).await.unwrap_err();
    assert!(
        matches!(doubtful, DfOlapError::CommitUnknown { .. }),
        "{doubtful:?}"
    );
    // A later successful sync proves nothing about data that was written before.
    disk.fail_syncs_of_folders(false);
    let refused = writer.append(&entry(2, "after")).await.unwrap_err();
    assert!(
        refused.to_string().contains("open the database again"),
        "{refused}"
    );
    // After a reopen, the log shows its entries and accepts new ones.
    let again = log(&disk, true);
    let next = again.open().await.unwrap().unwrap().entries.len() as u64;
    assert!(matches!(
        again.append(&entry(next, "on")).await,
        Ok(Appended::Won)
    ));
}

#[tokio::test]
async fn a_rename_that_is_done_and_yet_fails_is_no_failed_commit() {
    let disk = Arc::new(SimulatedDisk::default());
    disk.lie_about_the_next_rename();
    let change = entry(0, "change");
    let appended = log(&disk, true).append(&change).await;
    assert!(matches!(appended, Ok(Appended::Won)), "{appended:?}");
    let there = log(&disk, true).entry(0).await.unwrap();
    assert_eq!(there.as_ref(), Some(&change));
}

#[tokio::test]
async fn left_overs_of_a_crash_are_no_entries() {
    let disk = Arc::new(SimulatedDisk::default());
    disk.lose_power(3, false);
    assert!(log(&disk, true).append(&entry(0, "change")).await.is_err());
    disk.switch_on();
    assert_eq!(disk.names(Path::new("/db/_log")).unwrap().len(), 1);
    assert!(log(&disk, true).open().await.unwrap().is_none());
}

/// Proves A1, A2.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_a_real_disk_one_of_many_gets_the_number_and_a_reader_sees_it_whole() {
    let folder = tempfile::tempdir().unwrap();
    let real = || {
        let medium = LocalMedium::new(
            Arc::new(crate::store::disk::Disk),
            folder.path().to_path_buf(),
            true,
        );
        Log::new(
            Arc::new(medium),
            folder.path().display().to_string(),
            patient(),
        )
    };
    for version in 0..20 {
        let entries: Vec<Entry> = (0..8)
            .map(|_| entry(version, &"x".repeat(100_000)))
            .collect();
        let logs: Vec<Log> = entries.iter().map(|_| real()).collect();
        let appends = logs
            .iter()
            .zip(&entries)
            .map(|(log, entry)| log.append(entry));
        let reader = real();
        let (appended, seen) =
            futures::join!(futures::future::join_all(appends), reader.entry(version));
        // The reader sees the whole entry or no entry, never a part.
        seen.unwrap();
        let won = appended.iter().filter(|a| matches!(a, Ok(Appended::Won)));
        assert_eq!(won.count(), 1, "{appended:?}");
    }
    let opened = real().open().await.unwrap().unwrap();
    assert_eq!(opened.entries.len(), 20);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 20, "temporary files are left");
}

#[tokio::test]
async fn an_entry_that_is_found_under_its_name_is_acknowledged_only_once_the_folder_is_synced() {
    let disk = Arc::new(SimulatedDisk::default());
    let writer = log(&disk, true);
    let change = entry(0, "change");
    // The first try is still syncing its folder when the second finds the name taken by the first.
    let held = disk.hold_the_next_sync_of_a_folder();
    let mut first = std::pin::pin!(writer.append(&change));
    let _ = futures::poll!(first.as_mut());
    held.wait();
    let second = writer.append(&change).await;
    let disks = disk.after_power_loss();
    held.wait();
    for appended in [second, first.await] {
        assert!(matches!(appended, Ok(Appended::Won)), "{appended:?}");
    }
    for found in disks {
        let there = log(&found, true).entry(0).await.unwrap();
        assert_eq!(there.as_ref(), Some(&change));
    }
}
