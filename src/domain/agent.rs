//! What the agent of a workspace is told when it starts, and what it tells back before it can be connected to.
//!
//! Plain data between the runtime that starts a workspace and the agent inside it. Holds no secret: everything here is
//! readable by the programs of the workspace.

use crate::domain::app::App;
use crate::domain::id::WorkspaceId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where programs of a workspace without a network find the proxy to the outside; the port that proxies of this kind have
/// by custom.
pub const EGRESS_PORT: u16 = 3128;

/// What one run of an agent is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentOrder {
    pub workspace: WorkspaceId,
    pub run: i64,
    /// What a terminal starts; `argv[0]` is looked up in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// The whole environment of programs, `HOME` and `PATH` included.
    pub env: BTreeMap<String, String>,
    /// What it starts and lets the gateway reach.
    #[serde(default)]
    pub apps: Vec<App>,
    /// The folders of installed apps, by name, as programs inside see them.
    #[serde(default)]
    pub tools: BTreeMap<String, String>,
    /// Where programs start.
    pub home: String,
    /// A JWKS document with the keys that sign tickets.
    pub jwks: String,
    /// The `iss` of tickets.
    pub issuer: String,
    #[serde(default)]
    pub git: AgentGit,
    /// Every process that the agent may signal belongs to the workspace: it is the first of a pid namespace, or has a
    /// uid of its own. Else it ends only what it started.
    pub is_alone: bool,
    /// How long programs have between SIGTERM and SIGKILL, in milliseconds.
    pub grace_milliseconds: u64,
    /// The loopback port on which the agent offers the way out; `None` where programs have a network of their own.
    #[serde(default)]
    pub egress_port: Option<u16>,
    /// Certificate authorities that programs trust beside the system's, in PEM.
    #[serde(default)]
    pub extra_ca: Option<String>,
}

impl AgentOrder {
    /// An order for an agent that trusts nobody yet and starts nothing by itself.
    pub fn bare(workspace: WorkspaceId, run: i64, home: String) -> Self {
        Self {
            workspace,
            run,
            argv: Vec::new(),
            env: BTreeMap::new(),
            apps: Vec::new(),
            tools: BTreeMap::new(),
            home,
            jwks: String::new(),
            issuer: String::new(),
            git: AgentGit::default(),
            is_alone: false,
            grace_milliseconds: 0,
            egress_port: None,
            extra_ca: None,
        }
    }
}

/// What the agent offers to git.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentGit {
    /// Where the credential helper asks.
    pub credential_socket: Option<String>,
    /// What is cloned into the home while its folder is not there.
    pub repository: Option<String>,
    /// Path and text of the system's git configuration, where no launcher could write it.
    pub config: Option<(String, String)>,
}

/// What the launcher and the agent say while they start, one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum StartEvent {
    /// The walls stand; the agent comes next.
    SandboxMade,
    /// The agent accepts connections.
    Ready,
    /// A line for the timeline, after `Ready`.
    Note { code: String, message: String, failed: bool },
    /// It goes no further.
    Failed { code: String, message: String, remedy: Option<String> },
}
