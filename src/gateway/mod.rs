//! From the browser into a workspace: the only caller of the reading half of the cluster.
//!
//! `ops` has said yes before anything here asks the cluster or an agent. Every connection to an agent opens with a
//! ticket of its own, for one run of one workspace and one purpose.

mod absent;
pub mod agents;
pub mod apps;
mod asked;
mod bridge;
pub mod capacity;
pub mod client;
pub mod egress;
pub mod entry;
pub mod files;
pub mod git;
mod git_ledger;
mod handoff;
mod headers;
pub mod inside;
pub mod intake;
mod knocks;
pub mod lane;
pub mod logs;
pub mod looks;
pub mod metrics;
pub mod names;
pub mod open;
mod pages;
pub mod ports;
mod proxy;
pub mod rekey;
pub mod terminal;
mod tunnel;
pub mod uplink;
mod visits;

use self::agents::Agents;
use self::apps::Apps;
use crate::clock::{Clock, Entropy};
use crate::cluster::agent_client::AgentError;
use crate::cluster::{ByteStream, ClusterError, ClusterView, WorkspaceRef};
use crate::domain::id::WorkspaceId;
use crate::error::{Error, Missing, Result};
use crate::identity::signing::{Keys, MachineKeys};
use crate::ops::Ops;
use crate::ops::terminal::Entrance;
use crate::token::ticket::{Scope, Wanted};
use std::sync::Arc;
use std::time::Duration;

/// How long a workspace may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Said of an image from which a terminal cannot be started.
const NO_SHELL: &str = "The image of this workspace has no shell, so there is no terminal. Its apps and files work; for a terminal choose \
                        an image with bash or sh.";

/// What the gateway works with. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    pub ops: Ops,
    pub view: Arc<dyn ClusterView>,
    pub keys: Arc<Keys>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Kept connections to agents.
    pub agents: Arc<Agents>,
    /// The origins of apps, and who is there.
    pub apps: Arc<Apps>,
    /// Workspaces whose apps and ports somebody looks at.
    pub watches: Arc<inside::Watches>,
}

/// A fresh stream to an agent, and the ticket that it must open with.
struct Opened {
    stream: Box<dyn ByteStream>,
    ticket: String,
}

impl Gateway {
    pub fn new(
        ops: Ops,
        view: Arc<dyn ClusterView>,
        keys: Arc<Keys>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        apps: Arc<Apps>,
    ) -> Self {
        let agents = Agents::new(Arc::clone(&view), Arc::clone(&keys), Arc::clone(&clock), Arc::clone(&entropy), Arc::clone(&ops.bus));
        Self { ops, view, keys, clock, entropy, agents, apps, watches: Arc::default() }
    }

    async fn open(&self, entrance: &Entrance) -> Result<Opened> {
        let place = place(&entrance.workspace, &entrance.namespace, entrance.run);
        let stream = tokio::time::timeout(PATIENCE, self.view.connect(&place)).await;
        let stream = stream.map_err(|_| unreachable())?.map_err(refused)?;
        Ok(Opened { stream, ticket: self.ticket(entrance)? })
    }

    fn ticket(&self, entrance: &Entrance) -> Result<String> {
        let keys = machine_keys(&self.keys)?;
        let wanted =
            Wanted { workspace: &entrance.workspace, run: entrance.run, actor: Some(entrance.user.as_str()), scope: &[Scope::Term] };
        keys.signer.mint(&wanted, self.clock.now(), self.entropy.as_ref()).map_err(|e| Error::internal(e.to_string()))
    }
}

fn machine_keys(keys: &Keys) -> Result<MachineKeys> {
    keys.machine().borrow().clone().ok_or_else(|| Error::Unavailable {
        message: "The server has just started and is still making its keys. Try again in a moment.".to_owned(),
        retry_after_seconds: 2,
    })
}

fn place(id: &WorkspaceId, namespace: &str, run: i64) -> WorkspaceRef {
    WorkspaceRef { id: id.clone(), namespace: namespace.to_owned(), run }
}

fn unreachable() -> Error {
    Error::WorkspaceUnreachable("The workspace does not answer. Try again in a moment; if it stays so, restart it.".to_owned())
}

/// An error of the cluster, to somebody who waits for an answer.
fn refused(error: ClusterError) -> Error {
    match error {
        ClusterError::Transient(why) => Error::ClusterUnavailable(format!("The cluster does not answer: {why}.")),
        ClusterError::Rejected(reason) => Error::WrongState(reason.message),
        ClusterError::Conflict(why) => Error::WrongState(why),
        ClusterError::Gone => Error::WrongState("It does not run any more.".to_owned()),
    }
}

/// An error of an agent. What it says is not believed beyond its status: it runs beside the programs of the workspace.
fn agent_refused(error: AgentError) -> Error {
    match error {
        AgentError::Refused { status: 404, .. } => Error::NotFound(Missing::Terminal),
        AgentError::Refused { status: 409, .. } => Error::WrongState("No more terminals can be opened in this workspace.".to_owned()),
        AgentError::Refused { status: 501, .. } => Error::WrongState(NO_SHELL.to_owned()),
        AgentError::Refused { status, .. } => {
            tracing::warn!(status, "an agent refused a connection of this server");
            unreachable()
        }
        AgentError::Broken(why) => {
            tracing::debug!(why = %why.escape_debug(), "the connection to an agent broke");
            unreachable()
        }
    }
}
