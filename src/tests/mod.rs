//! Tests of the whole engine on simulated storage, which the public API cannot reach.

mod disk;
