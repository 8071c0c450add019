//! The location of DataFusion's test files, and their uses of tables, functions and files that only DataFusion's own
//! runner has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use rhei_datafusion::datafusion::DATAFUSION_VERSION;

/// Folders and files of features that are not compiled in.
const WHOLE: [&str; 6] = [
    // Functions of the crate `datafusion-spark`.
    "spark/",
    // Formats that are not compiled in.
    "avro.slt",
    "encrypted_parquet.slt",
    "arrow_files.slt",
    // Types and settings that DataFusion's runner registers.
    "cast_extension_type_metadata.slt",
    "range_partitioning.slt",
];

/// Files, and the tables and functions that DataFusion's runner registers for each.
const REGISTERED: [(&str, &[&str]); 10] = [
    ("aggregate.slt", &["approx_distinct_union_test"]),
    ("arrow_field.slt", METADATA),
    ("async_udf.slt", &["async_abs"]),
    ("cte.slt", &["strict_schema"]),
    (
        "dictionary_struct.slt",
        &["dict_struct_table", "dict_struct_nullable"],
    ),
    ("information_schema_columns.slt", &["table_with_many_types"]),
    (
        "joins.slt",
        &["example", "table_with_many_types", "test_partition_table"],
    ),
    ("map.slt", &["table_with_map"]),
    ("metadata.slt", METADATA),
    ("union_function.slt", &["union_table"]),
];
const METADATA: &[&str] = &["table_with_metadata", "larger_table", "smaller_table"];

/// The package that holds DataFusion's own tests.
pub struct Source(PathBuf);

impl Source {
    /// Has cargo fetch the package.
    pub fn fetch() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("Cargo.toml");
        let text = format!(
            "[package]\nname = \"fetched\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n\
             [dependencies]\ndatafusion-sqllogictest = \"={DATAFUSION_VERSION}\"\n[workspace]\n"
        );
        std::fs::write(&manifest, text).unwrap();
        std::fs::write(folder.path().join("lib.rs"), "").unwrap();
        let metadata = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--manifest-path"])
            .arg(&manifest)
            .output()
            .unwrap();
        assert!(
            metadata.status.success(),
            "cargo could not fetch datafusion-sqllogictest {DATAFUSION_VERSION}: {}",
            String::from_utf8_lossy(&metadata.stderr)
        );
        let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let package = packages
            .iter()
            .find(|package| package["name"] == "datafusion-sqllogictest");
        let manifest = package.unwrap()["manifest_path"].as_str().unwrap();
        Self(Path::new(manifest).parent().unwrap().to_path_buf())
    }

    /// Makes an empty folder the working directory of statements: they can read DataFusion's data files in the folder,
    /// and all files that they write stay there.
    pub fn enter(&self, folder: &Path) {
        std::os::unix::fs::symlink(self.0.join("data"), folder.join("data")).unwrap();
        for file in self.files() {
            let stem = Path::new(&file).file_stem().unwrap();
            std::fs::create_dir_all(folder.join("test_files/scratch").join(stem)).unwrap();
        }
        std::env::set_current_dir(folder).unwrap();
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.join("test_files").join(file)
    }

    /// The paths of all test files, sorted.
    pub fn files(&self) -> Vec<String> {
        let root = self.0.join("test_files");
        let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "slt") {
                    let name = path.strip_prefix(&root).unwrap();
                    files.push(name.to_string_lossy().to_string());
                }
            }
        }
        files.retain(|file| !WHOLE.iter().any(|whole| file.starts_with(whole)));
        files.sort();
        files
    }
}

pub fn is_plan(sql: &str) -> bool {
    let word = sql.split_whitespace().next().unwrap_or_default();
    word.eq_ignore_ascii_case("explain")
}

/// The names that a file uses and that do not exist in this engine.
pub struct RunnerOnly(BTreeSet<String>);

impl RunnerOnly {
    pub fn of(file: &str) -> Self {
        let names = REGISTERED.iter().filter(|(of, _)| *of == file);
        Self(
            names
                .flat_map(|(_, names)| *names)
                .map(|name| name.to_string())
                .collect(),
        )
    }

    /// Whether a statement uses one of these names or a missing file; if so, the table that the statement creates or
    /// fills is added to the names.
    pub fn has(&mut self, sql: &str) -> bool {
        let lower = sql.to_ascii_lowercase();
        let words: Vec<_> = lower
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty())
            .collect();
        let texts = sql.split('\'').skip(1).step_by(2);
        let asks = words.iter().any(|word| self.0.contains(*word))
            || texts.into_iter().any(is_missing_file);
        let before = match words.first() {
            Some(&"create") => ["table", "view"].as_slice(),
            Some(&"insert" | &"merge") => &["into"],
            _ => return asks,
        };
        let named = words.iter().position(|word| before.contains(word));
        let mut name = words.iter().skip(named.map_or(words.len(), |at| at + 1));
        let name = name.find(|word| !["if", "not", "exists"].contains(word));
        if asks {
            self.0.extend(name.map(|name| name.to_string()));
        } else if let Some(name) = name
            && words.first() == Some(&"create")
        {
            self.0.remove(*name);
        }
        asks
    }
}

/// Whether a text is a path in DataFusion's repository that is not part of its package.
fn is_missing_file(text: &str) -> bool {
    text.starts_with("../")
        || text.contains("parquet-testing")
        || text.starts_with("test_files/tpch")
}
