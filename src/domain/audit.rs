//! How long the audit log is kept in the database.

/// Nobody, administrators included, can have entries purged that are younger than so many days.
pub const DAYS_MIN: i64 = 90;

/// The settings of the section `audit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditSettings {
    /// Days after which entries are written out and purged; at least [`DAYS_MIN`].
    pub retention_days: i64,
    /// Nothing is purged, whatever its age.
    pub hold: bool,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { retention_days: 365, hold: false }
    }
}
