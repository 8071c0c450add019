//! The inputs that a fuzzer begins with.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rhei_datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use rhei_datafusion::{
    Changes, DataFusionEngine, DfOlapError, OlapEngine, StorageMode, VacuumOptions,
};

/// What the log says afterwards: each action and each type of column that it writes otherwise.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT DEFAULT 'x', price DECIMAL(10, 2), day DATE)",
    "INSERT INTO t VALUES (1, 'Ada', 1.5, '2026-01-01'), (2, NULL, NULL, NULL)",
    "CREATE TABLE lists (l BIGINT[], s STRUCT<a INT, b TEXT>, d DOUBLE, b BYTEA, t TIMESTAMP)",
    "INSERT INTO lists VALUES ([1, NULL], {a: 1, b: 'x'}, 'NaN', 'abc', '2026-01-01T00:00:00')",
    "CREATE VIEW v (a) AS SELECT id FROM t",
    "DELETE FROM t WHERE id = 2",
    "UPDATE t SET name = 'Grace' WHERE id = 1",
    "ALTER TABLE t ADD COLUMN more INT DEFAULT 7",
    "ALTER TABLE t RENAME TO u",
    "CREATE TABLE big AS SELECT value AS n, CAST(value AS TEXT) AS s FROM generate_series(1, 20000)",
    "DELETE FROM big WHERE n % 100 = 0",
    "TRUNCATE TABLE lists",
    "DROP VIEW v",
];

/// The log of a database: each object by itself, and all in order.
pub fn log_objects(to: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let made: Result<(), DfOlapError> = runtime.block_on(async {
        let url = folder.path().to_string_lossy().into_owned();
        let engine = DataFusionEngine::with_storage(StorageMode::Vortex { url })?;
        for statement in STATEMENTS {
            engine.execute(statement).await?;
        }
        for (source, seq) in [("orders", 7), ("users", 8), ("orders", 9)] {
            let column = |value| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
            let rows = [("_seq", column(seq)), ("id", column(seq))];
            let changes = Changes::new().table("u", RecordBatch::try_from_iter(rows)?);
            engine
                .apply_changes(source, changes.position("0/16B3748"))
                .await?;
        }
        engine.reset_watermark("users", None).await?;
        engine.compact().await?;
        engine.vacuum(VacuumOptions::default()).await?;
        Ok(())
    });
    made.expect("a database");
    let mut objects: Vec<_> = fs::read_dir(folder.path().join("_log"))
        .expect("its log")
        .map(|object| object.expect("an object").path())
        .filter(|path| path.extension().is_some())
        .collect();
    objects.sort();
    let mut all = Vec::new();
    for path in objects {
        let bytes = fs::read(&path).expect("an object");
        fs::write(to.join(path.file_name().expect("its name")), &bytes).expect("a seed");
        all.extend(bytes);
    }
    fs::write(to.join("all"), all).expect("a seed");
}

/// What nests or repeats, near the limits of depth (64) and of chains (1,000): how often, and the texts before, between
/// and after.
const REPEATED: &[(usize, &str, &str, &str)] = &[
    (60, "(", "1", ")"),
    (60, "[", "1", "]"),
    (60, "{a: ", "1", "}"),
    (60, "(SELECT ", "1", ")"),
    (60, "EXISTS (SELECT ", "1", ")"),
    (60, "CASE WHEN a THEN ", "1", " END"),
    (60, "CAST(", "1", " AS INT)"),
    (60, "abs(", "1", ")"),
    (60, "a IN (SELECT ", "1", ")"),
    (60, "INTERVAL (", "1", ") DAY"),
    (60, "1 FROM (SELECT ", "1", ")"),
    (60, "CAST(a AS STRUCT(a ", "INT", "))"),
    (60, "CAST(a AS ARRAY<", "INT", ">)"),
    (900, "NOT ", "a", ""),
    (900, "- ", "a", ""),
    (900, "a + ", "a", ""),
    (900, "a AND ", "a", ""),
    (900, "", "a", "::INT"),
    (900, "", "a", "[1]"),
    (900, "", "a", ".b"),
    (900, "", "a", " IS NULL"),
    (900, "", "a", " COLLATE c"),
    (900, "", "a", " BETWEEN 1 AND 2"),
    (900, "", "1", " UNION SELECT 1"),
    (900, "", "1 FROM t", " JOIN t USING (a)"),
    (900, "", "1 FROM t", ", t"),
];

/// The statements of `tests/sql`, and deep ones.
pub fn statements(to: &Path) {
    write_texts(to, |_| true);
    for (number, (times, before, between, after)) in REPEATED.iter().enumerate() {
        let (before, after) = (before.repeat(*times), after.repeat(*times));
        let text = format!("SELECT {before}{between}{after}");
        fs::write(to.join(format!("deep{number:02}")), text).expect("a seed");
    }
}

/// Those of them that may be an INSERT of literals.
pub fn inserts(to: &Path) {
    write_texts(to, |text| {
        text.starts_with("INSERT") && text.contains("VALUES")
    });
}

/// The events of each tool: each by itself, and some after the other.
pub fn events(to: &Path) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/events");
    for file in fs::read_dir(folder).expect("tests/data/events") {
        let path = file.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a text");
        let name = path.file_stem().expect("its name").to_string_lossy();
        for (number, event) in text.lines().enumerate() {
            fs::write(to.join(format!("{name}{number:02}")), event).expect("a seed");
        }
        let some: String = text.lines().take(4).collect();
        fs::write(to.join(format!("{name}-some")), some).expect("a seed");
    }
    let values = r#"{"type":"insert","database":"d","table":"t","data":{"id":1,"b":true,"i":-1,"u":-1,"f":1.5,"d":"NaN",
        "p":"AehI","q":{"scale":-2,"value":"Kkk="},"s":"x\u00e9","y":"00ff","e":20513,"m":1,"t":"2026-01-01 00:00:00+02",
        "o":1,"l":"{t,NULL,\"f\"}","r":{"a":null},"v":"1 day","n":null}}"#;
    fs::write(to.join("values"), values).expect("a seed");
}

fn write_texts(to: &Path, wanted: fn(&str) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
    let files = fs::read_dir(folder).expect("tests/sql");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    let mut number = 0;
    for file in files {
        for block in fs::read_to_string(file).expect("a text").split("\n\n") {
            let lines = block.lines().filter(|line| !line.starts_with("--"));
            let text = lines.collect::<Vec<_>>().join("\n");
            if !text.is_empty() && wanted(&text) {
                fs::write(to.join(format!("{number:05}")), text).expect("a seed");
                number += 1;
            }
        }
    }
}
