//! The tests of the published crate, unchanged.

include!(concat!(env!("OUT_DIR"), "/published.rs"));
