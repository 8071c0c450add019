//! Fuzz targets, by libFuzzer: what reads bytes or texts from a stranger, called with ever new ones. `scripts/fuzz`
//! builds them, with this crate's code watched for what an input reaches, and runs them.
//!
//! `FUZZ` names the target: `log_objects`, `statements`, `insert` or `events`. `FUZZ_SEEDS` names a folder that takes
//! the inputs to begin with: the log of a database made here, the statements of `tests/sql`, the events of
//! `tests/data/events`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod seeds;

#[cfg(fuzzing)]
mod targets;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(init: targets::choose(), |bytes: &[u8]| targets::run(bytes));

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("these targets are run by scripts/fuzz");
    std::process::exit(2);
}
