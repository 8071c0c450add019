//! Damaged files of a durable database: an error that names the file, never a wrong row, never a panic.

use std::path::{Path, PathBuf};

use rhei_datafusion::{DataFusionEngine, DfOlapError, ErrorKind, OlapEngine};

use crate::common::{copy_folder, fresh_folder, run, vortex};
use crate::sql_file::render;

const ASKED: [&str; 4] = [
    "SELECT count(*), sum(id), min(name), max(name) FROM t",
    "SELECT * FROM t WHERE id BETWEEN 100 AND 110 ORDER BY id",
    "SELECT id, name FROM t WHERE name LIKE 'row 29%' ORDER BY id",
    "SELECT * FROM small ORDER BY id",
];

async fn ask(folder: &Path) -> Result<Vec<String>, DfOlapError> {
    let engine = DataFusionEngine::with_storage(vortex(folder))?;
    let mut answers = Vec::new();
    for sql in ASKED {
        answers.extend(render(&engine.query(sql).await?));
    }
    Ok(answers)
}

async fn database() -> PathBuf {
    let folder = fresh_folder();
    let engine = DataFusionEngine::with_storage(vortex(&folder)).unwrap();
    for sql in [
        "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)",
        "INSERT INTO t SELECT value, 'row ' || value FROM range(3000)",
        "CREATE TABLE small (id BIGINT, price DECIMAL(10, 2))",
        "INSERT INTO small VALUES (1, 1.25), (2, NULL)",
        "DELETE FROM t WHERE id % 50 = 7",
    ] {
        run(&engine, sql).await;
    }
    for id in 3..18 {
        run(&engine, &format!("INSERT INTO small VALUES ({id}, {id}.5)")).await;
    }
    // The background has written a checkpoint, and has created files ahead for later commits; those are deleted with
    // the engine.
    let log = folder.join("_log");
    let has_begun = || {
        let mut entries = std::fs::read_dir(&log).unwrap().flatten();
        entries.any(|entry| entry.file_name().to_string_lossy().starts_with(".new-"))
    };
    let pause = || tokio::time::sleep(std::time::Duration::from_millis(1));
    while !log.join("hint").exists() || !has_begun() {
        pause().await;
    }
    drop(engine);
    while has_begun() {
        pause().await;
    }
    folder
}

/// The files below a folder, as relative paths.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = PathBuf::from(entry.file_name());
        match entry.path().is_dir() {
            true => found.extend(files(&entry.path()).iter().map(|below| name.join(below))),
            false => found.push(name),
        }
    }
    found.sort();
    found
}

/// Whether damage to a file may go unnoticed: it is a hint, or a checkpoint covers it.
fn is_not_needed(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_str().unwrap();
    name == "hint" || name.ends_with(".entry") && name < "00000000000000000017"
}

#[tokio::test]
async fn a_damaged_file_is_named_and_never_gives_a_wrong_row() {
    let whole = database().await;
    let answers = ask(&whole).await.unwrap();
    let damaged = fresh_folder();
    let all = files(&whole);
    assert!(
        all.iter()
            .any(|file| file.extension().is_some_and(|e| e == "vortex"))
    );
    assert!(
        all.iter()
            .any(|file| file.extension().is_some_and(|e| e == "checkpoint"))
    );
    let is_entry = |file: &&PathBuf| file.extension().is_some_and(|e| e == "entry");
    let newest = all.iter().rfind(is_entry).cloned();
    let mut errors = 0;
    for file in &all {
        let bytes = std::fs::read(whole.join(file)).unwrap();
        let mut damages: Vec<(String, Option<Vec<u8>>)> = vec![
            ("half of it".into(), Some(bytes[..bytes.len() / 2].to_vec())),
            ("nothing of it".into(), Some(Vec::new())),
            ("zeros".into(), Some(vec![0; bytes.len()])),
            (
                "more of it".into(),
                Some([&bytes[..], &bytes[..1]].concat()),
            ),
        ];
        let flips = if bytes.len() > 4096 { 24 } else { 6 };
        for flip in 0..flips {
            let mut flipped = bytes.clone();
            let at = flip * bytes.len() / flips + flip % 7;
            let at = at.min(bytes.len() - 1);
            flipped[at] ^= 1 << (flip % 8);
            damages.push((format!("byte {at} flipped"), Some(flipped)));
        }
        // Without its last entry, a log is a valid log of an earlier version.
        if Some(file) != newest.as_ref() {
            damages.push(("gone".into(), None));
        }
        let other = all
            .iter()
            .find(|other| *other != file && other.extension() == file.extension());
        if let Some(other) = other {
            let swapped = std::fs::read(whole.join(other)).unwrap();
            damages.push((format!("{} in its place", other.display()), Some(swapped)));
        }
        for (how, bytes) in damages {
            std::fs::remove_dir_all(&damaged).unwrap();
            copy_folder(&whole, &damaged);
            match bytes {
                Some(bytes) => std::fs::write(damaged.join(file), bytes).unwrap(),
                None => std::fs::remove_file(damaged.join(file)).unwrap(),
            }
            let place = format!("{}: {how}", file.display());
            match ask(&damaged).await {
                Ok(found) => assert_eq!(found, answers, "{place}"),
                Err(error) => {
                    errors += 1;
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{place}: {error}");
                    let name = file.file_name().unwrap().to_str().unwrap();
                    assert!(error.to_string().contains(name), "{place}: {error}");
                    assert!(!is_not_needed(file), "{place}: {error}");
                }
            }
        }
    }
    assert!(errors > 60, "{errors} errors");
}

/// Bytes that someone changed on purpose, so that the checksum is right.
#[tokio::test]
async fn a_changed_log_with_right_checksums_is_corrupt_or_another_log() {
    let whole = database().await;
    let log = whole.join("_log");
    let mut corrupt = 0;
    for name in [
        "00000000000000000018.entry",
        "00000000000000000016.checkpoint",
    ] {
        let bytes = std::fs::read(log.join(name)).unwrap();
        let body = 48..bytes.len() - 8;
        for at in body.clone().step_by(body.len() / 150 + 1) {
            for value in [0, 0xff, bytes[at] ^ 1] {
                let mut changed = bytes.clone();
                changed[at] = value;
                let checksum = xxhash_rust::xxh3::xxh3_64(&changed[..body.end]);
                changed[body.end..].copy_from_slice(&checksum.to_le_bytes());
                std::fs::write(log.join(name), changed).unwrap();
                let engine = DataFusionEngine::with_storage(vortex(&whole));
                let answer = match engine {
                    Ok(engine) => engine.query("SELECT * FROM small").await.map(drop),
                    Err(error) => Err(error),
                };
                match answer.map_err(|error| error.kind()) {
                    Err(ErrorKind::Internal) => panic!("{name}: byte {at} as {value}"),
                    Err(ErrorKind::Corrupt) => corrupt += 1,
                    _ => {}
                }
            }
        }
        std::fs::write(log.join(name), bytes).unwrap();
    }
    assert!(corrupt > 100, "{corrupt} found");
}

#[tokio::test]
async fn a_newer_format_is_refused_and_named() {
    let folder = database().await;
    let entry = folder.join("_log/00000000000000000019.entry");
    let mut bytes = std::fs::read(&entry).unwrap();
    bytes[4] = 2;
    std::fs::write(&entry, bytes).unwrap();
    let error = ask(&folder).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("00000000000000000019.entry") && text.contains("newer"),
        "{text}"
    );
}

#[tokio::test]
async fn verification_reads_everything_and_lists_what_is_damaged() {
    let folder = database().await;
    let verify = async || {
        let engine = DataFusionEngine::with_storage(vortex(&folder)).unwrap();
        engine.verify().await.unwrap()
    };
    let well = verify().await;
    assert!(well.damages.is_empty(), "{well:?}");
    assert!(
        well.files >= 1 && well.bytes > 1000 && well.log_objects > 20,
        "{well:?}"
    );
    let is_file = |file: &&PathBuf| file.extension().is_some_and(|e| e == "vortex");
    let all = files(&folder);
    let data = folder.join(all.iter().find(is_file).unwrap());
    let mut bytes = std::fs::read(&data).unwrap();
    let last = bytes.len() - 1;
    bytes[last / 2] ^= 1;
    std::fs::write(&data, &bytes).unwrap();
    let damaged = verify().await;
    let name = data.file_name().unwrap().to_str().unwrap();
    assert_eq!(damaged.damages.len(), 1, "{damaged:?}");
    assert!(damaged.damages[0].contains(name), "{damaged:?}");
    bytes[last / 2] ^= 1;
    std::fs::write(&data, &bytes).unwrap();
    // An old entry that is not read at opening.
    let entry = folder.join("_log/00000000000000000003.entry");
    std::fs::write(&entry, "RHEI").unwrap();
    let damaged = verify().await;
    assert_eq!(damaged.damages.len(), 1, "{damaged:?}");
    assert!(
        damaged.damages[0].contains("00000000000000000003.entry"),
        "{damaged:?}"
    );
}
