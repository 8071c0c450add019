//! The whole engine on storage that cannot be had through its public API.

mod disk;
