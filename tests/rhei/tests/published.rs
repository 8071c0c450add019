//! The tests of the published crate, unchanged; and with each engine in a folder instead of in memory.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

include!(concat!(env!("OUT_DIR"), "/published.rs"));

/// A folder that no other engine has, below one that was empty when the tests began.
fn folder() -> rhei::StorageMode {
    static ALL: LazyLock<PathBuf> = LazyLock::new(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("published");
        let _ = std::fs::remove_dir_all(&all);
        all
    });
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    let url = ALL.join(name).display().to_string();
    rhei::StorageMode::Vortex { url }
}
