//! The section `audit`: how long the log is kept, and where it goes then.

use super::Values;
use crate::domain::audit::AuditSettings;
use std::path::{Path, PathBuf};

pub(super) fn read(get: &Values<'_>) -> AuditSettings {
    AuditSettings { retention_days: get.count("audit.retention_days"), hold: get.on("audit.hold") }
}

/// Where entries are written out before they are purged.
pub(super) fn export_dir(get: &Values<'_>, data_dir: &Path) -> PathBuf {
    match get.text("audit.export_dir") {
        "" => data_dir.join("audit"),
        text => PathBuf::from(text),
    }
}
