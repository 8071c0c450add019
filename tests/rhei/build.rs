//! Finds the tests that the published crate `rhei` comes with, and makes each file a module of `tests/published.rs`: as it
//! is, and once more with `StorageMode::Vortex` in the place of the default.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Tests that need no other database than SQLite.
const FILES: [&str; 4] = [
    "htap_e2e_test",
    "integration_test",
    "rusqlite_e2e_test",
    "sop_e2e_test",
];

/// How the tests configure an engine …
const CONFIG: &str = "HtapConfig {";
/// … and what makes it one in a folder.
const IN_FOLDER: &str = "HtapConfig { datafusion_storage: crate::folder(),";

fn main() {
    println!("cargo::rerun-if-changed=Cargo.lock");
    let tests = published().join("tests");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("OUT_DIR"));
    let (mut as_they_are, mut in_folder) = (String::new(), String::new());
    for file in FILES {
        let path = tests.join(file).with_extension("rs");
        let text = fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let changed = text.replace(CONFIG, IN_FOLDER);
        assert_ne!(text, changed, "{} configures no engine", path.display());
        let copy = out.join(file).with_extension("rs");
        fs::write(&copy, changed).expect("a file in OUT_DIR");
        for (modules, path) in [(&mut as_they_are, path), (&mut in_folder, copy)] {
            *modules += &format!("#[allow(warnings)]\n#[path = {path:?}]\nmod {file};\n");
        }
    }
    let modules = format!("{as_they_are}mod in_a_folder {{\n{in_folder}}}\n");
    fs::write(out.join("published.rs"), modules).expect("a file in OUT_DIR");
}

/// The folder in which cargo has the sources of `rhei`.
fn published() -> PathBuf {
    let cargo = env::var_os("CARGO").expect("CARGO");
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    let output = command.output().expect("cargo metadata");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {errors}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = found["packages"].as_array().expect("packages");
    let rhei = packages.iter().find(|package| package["name"] == "rhei");
    let manifest = rhei.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.expect("rhei among the packages"));
    manifest.parent().expect("a folder").to_path_buf()
}
