//! The target that `FUZZ` names.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::sync::OnceLock;
use std::{env, process};

use rhei_datafusion::fuzzing;

use crate::seeds;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

thread_local! {
    static LAST_PANIC: Cell<Option<(String, Backtrace)>> = const { Cell::new(None) };
}

/// Takes the target from the environment, and writes its seeds where they are asked for.
pub fn choose() {
    let name = env::var("FUZZ").expect("FUZZ names a target");
    let (target, write_seeds): (fn(&[u8]), fn(&Path)) = match name.as_str() {
        "log_objects" => (fuzzing::log_objects, seeds::log_objects),
        "statements" => (|bytes| text(bytes, fuzzing::statements), seeds::statements),
        "events" => (|bytes| text(bytes, fuzzing::events), seeds::events),
        "insert" => (|bytes| text(bytes, fuzzing::insert), seeds::inserts),
        other => panic!("FUZZ={other} is no target"),
    };
    TARGET.set(target).expect("this runs once");
    if let Some(folder) = env::var_os("FUZZ_SEEDS") {
        write_seeds(folder.as_ref());
    }
    // The library's own hook ends the process at a panic that the engine would catch.
    set_hook(Box::new(|panic| {
        LAST_PANIC.set(Some((panic.to_string(), Backtrace::force_capture())));
    }));
}

fn text(bytes: &[u8], target: fn(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        target(text);
    }
}

/// Calls the target; a panic that it does not catch ends the process, and libFuzzer keeps the input.
pub fn run(bytes: &[u8]) {
    let target = TARGET.get().expect("a target");
    if catch_unwind(AssertUnwindSafe(|| target(bytes))).is_err() {
        if let Some((panic, trace)) = LAST_PANIC.take() {
            eprintln!("{panic}\n{trace}");
        }
        process::abort();
    }
}
