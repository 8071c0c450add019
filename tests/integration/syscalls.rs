//! The system calls of one commit: a file is synced before it gets its name, and the name is synced before the commit
//! returns.
//!
//! Needs `strace`; where it is not installed the test says that it did not run.

use std::path::Path;
use std::process::Command;

use rhei_datafusion::DataFusionEngine;

use crate::common::{fresh_folder, run, vortex};

const FOLDER: &str = "FOLDER_OF_THE_WATCHED";

/// Not a test of its own: the traced process. It marks its steps by the folders that it creates.
#[tokio::test]
async fn the_watched() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let engine = DataFusionEngine::with_storage(vortex(&folder.join("db"))).unwrap();
    run(&engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
    let mark = |name: &str| std::fs::create_dir(folder.join(name)).unwrap();
    mark("small-begins");
    run(&engine, "INSERT INTO t VALUES (1, 1)").await;
    mark("small-ends");
    mark("large-begins");
    run(&engine, "INSERT INTO t SELECT value, 0 FROM range(5000)").await;
    mark("large-ends");
}

/// The system calls between two marks, each with its name and its line.
fn calls<'a>(trace: &'a str, step: &str) -> Vec<(&'a str, &'a str)> {
    let begins = trace.find(&format!("{step}-begins")).unwrap();
    let ends = trace.find(&format!("{step}-ends")).unwrap();
    let lines = trace[begins..ends].lines().skip(1);
    let calls = lines.filter_map(|line| {
        // "[pid] name(arguments) = result"
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let name = call.split('(').next()?;
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_')
            .then_some((name, call))
    });
    calls.collect()
}

/// The index of the first call at or after `from` with one of these names and a text that contains `what`.
fn place(calls: &[(&str, &str)], from: usize, names: &[&str], what: &str) -> usize {
    let rest = calls.iter().enumerate().skip(from);
    let mut found = rest.filter(|(_, (name, text))| names.contains(name) && text.contains(what));
    let (place, _) = found
        .next()
        .unwrap_or_else(|| panic!("no {names:?} with {what} after call {from}: {calls:#?}"));
    place
}

#[test]
fn a_commit_is_synced_in_the_right_order() {
    let has_strace = Command::new("strace").arg("-V").output();
    if !has_strace.is_ok_and(|output| output.status.success()) {
        println!("NOT RUN: strace is not installed");
        return;
    }
    let folder = fresh_folder();
    let trace = folder.join("trace");
    let status = Command::new("strace")
        // -y shows the path of each file.
        .args(["-f", "-y", "-s", "0", "-o"])
        .arg(&trace)
        .args([
            "-e",
            "trace=mkdir,openat,write,fsync,fdatasync,rename,renameat,renameat2,link,linkat",
        ])
        .arg(std::env::current_exe().unwrap())
        .args(["syscalls::the_watched", "--exact"])
        .env(FOLDER, &folder)
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    let trace = std::fs::read_to_string(trace).unwrap();
    const SYNC: &[&str] = &["fdatasync", "fsync"];
    const NAME: &[&str] = &["renameat2", "renameat", "rename", "linkat", "link"];

    let small = calls(&trace, "small");
    let written = place(&small, 0, &["write"], "/_log/.new-");
    let synced = place(&small, written, SYNC, "/_log/.new-");
    let named = place(&small, synced, NAME, ".entry");
    place(&small, named, SYNC, "/_log>");
    let syncs = small.iter().filter(|(name, _)| SYNC.contains(name)).count();
    assert_eq!(
        syncs, 2,
        "one of the file and one of the folder: {small:#?}"
    );

    let large = calls(&trace, "large");
    let written = place(&large, 0, &["write"], ".vortex>");
    let synced = place(&large, written, SYNC, ".vortex>");
    let table = large[synced].1.split_once('<').unwrap().1;
    let table = table.rsplit_once('/').unwrap().0;
    let kept = place(&large, synced, SYNC, &format!("<{table}>"));
    let named = place(&large, kept, NAME, ".entry");
    place(&large, named, SYNC, "/_log>");
    // The table's folder is synced before the log entry refers to a file in it.
    let database = Path::new(table).parent().unwrap().display().to_string();
    let folder_kept = place(&large, 0, SYNC, &format!("<{database}>"));
    assert!(folder_kept < named, "{large:#?}");
}
