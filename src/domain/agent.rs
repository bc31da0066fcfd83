//! What the agent of a workspace is told when it starts, and what it tells back before it can be connected to.
//!
//! Plain data between the runtime that starts a workspace and the agent inside it. Everything here is readable by the
//! programs of the workspace, so it holds nothing that they must not know; the one secret only says who they are.

use crate::domain::app::App;
use crate::domain::id::WorkspaceId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where programs of a workspace without a network find the proxy to the outside; the port that proxies of this kind have
/// by custom.
pub const EGRESS_PORT: u16 = 3128;

/// Where the agent of a container listens.
pub const AGENT_PORT: u16 = 7681;

/// What a prober asks an agent for: it needs no ticket, and a good answer is empty.
pub const HEALTH_PATH: &str = "/healthz";

/// The code of a failed start where the order cannot be used.
pub const ORDER_UNUSABLE: &str = "order_unusable";
/// The code of a failed start where the home cannot be made or written.
pub const HOME_UNUSABLE: &str = "home_unusable";

/// What one run of an agent is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentOrder {
    pub workspace: WorkspaceId,
    pub run: i64,
    /// What a terminal starts; `argv[0]` is looked up in the `PATH` of `env`. Empty in a container: there it is the shell
    /// of the image.
    pub argv: Vec<String>,
    /// The whole environment of programs, `HOME` and `PATH` included; in a container it is laid over that of the image.
    pub env: BTreeMap<String, String>,
    /// What runs beside the terminals for as long as the workspace does; empty for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
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
    /// The secret with which an agent on a network proves whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

impl AgentOrder {
    /// An order for an agent that trusts nobody yet and starts nothing by itself.
    pub fn bare(workspace: WorkspaceId, run: i64, home: String) -> Self {
        Self {
            workspace,
            run,
            argv: Vec::new(),
            env: BTreeMap::new(),
            command: Vec::new(),
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
            proof: None,
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

/// Lines for the timeline that one run may write.
pub const MOST_LINES: u32 = 100;
/// Characters of one line, and of its code.
const LONGEST_LINE: usize = 600;
const LONGEST_CODE: usize = 40;

/// The words of a line that an agent has for the timeline. It runs beside the programs of the workspace and as the same
/// user, so what it says is cut to size; `None` where the code is no code.
pub fn line_of(code: &str, message: &str) -> Option<String> {
    let is_code = (1..=LONGEST_CODE).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    is_code.then(|| message.chars().filter(|c| !c.is_control()).take(LONGEST_LINE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_says_is_cut_to_size() {
        assert_eq!(line_of("clone_failed", "one\ntwo\x1b[31m").as_deref(), Some("onetwo[31m"));
        assert_eq!(line_of("cloned", &"ü".repeat(1_000)).map(|line| line.chars().count()), Some(LONGEST_LINE));
        for no_code in ["", "A b", "a-b", &"a".repeat(41)] {
            assert_eq!(line_of(no_code, "words"), None, "{no_code}");
        }
    }
}
