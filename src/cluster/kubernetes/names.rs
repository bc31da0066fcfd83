//! Every name that we give in the cluster: objects, labels, annotations, containers, paths. One place, because people
//! write them into their own tools, and because a changed name would orphan what runs.

use crate::domain::id::WorkspaceId;

/// The owner of our fields in server-side apply.
pub const FIELD_MANAGER: &str = "codex-web";

/// Who made an object; the value is [`FIELD_MANAGER`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Which installation of ours: two may share a cluster and never touch each other's objects.
pub const INSTALLATION: &str = "codex-web/installation";
/// The group, by its id and by its name, as the platform has always labelled it.
pub const GROUP_ID: &str = "vscode-platform/group-id";
pub const GROUP_NAME: &str = "vscode-platform/group-name";
pub const WORKSPACE: &str = "codex-web/workspace";
pub const OWNER: &str = "codex-web/owner";
/// The label by which the StatefulSet and the Service find the pod.
pub const APP: &str = "app";

/// Annotations: which generation and which run of the description an object was made from.
pub const GENERATION: &str = "codex-web/generation";
pub const RUN: &str = "codex-web/run";
/// A digest of what we last applied: with it, what is removed from a description is noticed too.
pub const MANIFEST: &str = "codex-web/manifest";
/// On the StatefulSet: a digest of the agent's order, and the uid of the disk that it was made with.
pub const ORDER: &str = "codex-web/order";
pub const VOLUME: &str = "codex-web/volume";

/// What every group's namespace holds.
pub const QUOTA: &str = "group-quota";
pub const LIMITS: &str = "group-limits";
pub const SERVICE_ACCOUNT: &str = "workspace";
pub const REGISTRY_SECRET: &str = "codex-web-registry";
pub const POLICY_DENY: &str = "default-deny";
pub const POLICY_DNS: &str = "allow-dns";
pub const POLICY_SERVER: &str = "allow-server";
pub const POLICY_EGRESS: &str = "allow-egress";
/// Every policy that we may have made there.
pub const POLICIES: [&str; 4] = [POLICY_DENY, POLICY_DNS, POLICY_SERVER, POLICY_EGRESS];

/// The container of the workspace, and the one that brings the agent.
pub const CONTAINER: &str = "workspace";
pub const INIT_CONTAINER: &str = "agent";

/// Inside the container: the agent, its order, the disk, sockets.
pub const PROGRAM_DIR: &str = "/codex-web";
pub const PROGRAM: &str = "/codex-web/codex-web";
pub const ORDER_DIR: &str = "/codex-web-order";
pub const ORDER_KEY: &str = "order.json";
pub const ORDER_FILE: &str = "/codex-web-order/order.json";
pub const HOME: &str = "/home/dev";
pub const RUNTIME_DIR: &str = "/run/codex-web";

/// The StatefulSet and the Service of a workspace.
pub fn workspace(id: &WorkspaceId) -> String {
    format!("workspace-{}", id.hex())
}

/// Its only pod.
pub fn pod(id: &WorkspaceId) -> String {
    format!("{}-0", workspace(id))
}

/// The Secret with the agent's order.
pub fn order_secret(id: &WorkspaceId) -> String {
    format!("{}-order", workspace(id))
}

/// Its disk; named as a claim template would have named it.
pub fn volume(id: &WorkspaceId) -> String {
    format!("workspace-storage-{}-0", workspace(id))
}

/// The selector of everything of one installation.
pub fn selector(installation: &str) -> String {
    format!("{INSTALLATION}={installation}")
}
