//! What goes wrong with the cluster in memory: the switches of [`FakeCluster`](super::fake::FakeCluster).

use crate::cluster::Reason;
use crate::domain::id::WorkspaceId;
use std::time::Duration;

/// What goes wrong, until it is switched off again.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Every call fails with [`ClusterError::Transient`].
    pub unreachable: bool,
    /// Whatever asks about this workspace panics, changing calls included.
    pub panics_about: Option<WorkspaceId>,
    /// Every call takes this long.
    pub delay: Option<Duration>,
    /// The changing calls are refused with this reason.
    pub reject: Option<Reason>,
    /// Workspaces that are started fail with this reason.
    pub fail_workspaces: Option<Reason>,
    /// Workspaces stay `creating` until [`make_ready`](super::fake::FakeCluster::make_ready).
    pub hold_starts: bool,
    /// Workspaces and groups stay `terminating` until switched off.
    pub hold_removals: bool,
    /// What groups that stay `terminating` say.
    pub held_by: Option<Reason>,
}

impl Faults {
    /// A fault of the implementation itself, which must stay with the call that met it.
    ///
    /// # Panics
    /// Where it should.
    pub fn trip(&self, call: &str) {
        assert!(self.panics_about.as_ref().is_none_or(|id| !call.ends_with(id.as_str())), "on purpose");
    }
}
