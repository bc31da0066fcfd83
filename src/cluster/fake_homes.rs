//! Folders for the workspaces of the cluster in memory: the one thing of it that lies on a disk.

use crate::domain::id::WorkspaceId;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder below the machine's temporary ones, made with the first home and removed with this value.
pub struct Homes(PathBuf);

impl Homes {
    #[allow(clippy::disallowed_methods)] // a cluster of tests, which has no configuration to tell it where
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("codex-web-fake-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    /// The home of a workspace.
    pub fn of(&self, id: &WorkspaceId) -> PathBuf {
        let home = self.0.join(id.as_str());
        let _ = std::fs::create_dir_all(&home);
        home
    }
}

impl Drop for Homes {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
