//! Where workspaces run. The trait is small, level-triggered and speaks the product's nouns.
//!
//! It has two halves. The *changing* half ([`ClusterControl`]) is called by `reconcile` alone; the *reading* half
//! ([`ClusterView`]) by `gateway` alone, after `ops` gave a permit. One contract test suite runs against every
//! implementation: `fake` for tests, `local` where there is no cluster, `kubernetes` in production.
//!
//! Everything that crosses the trait is plain data (but for the byte streams), so that an implementation in another
//! process stays possible. An unreachable cluster is an error, never an empty list.

pub mod absent;
pub mod agent_client;
pub mod fake;
mod fake_faults;
mod fake_homes;
pub mod kubernetes;
pub mod local;
mod log_file;

use crate::clock::Millis;
pub use crate::domain::app::App;
pub use crate::domain::capacity::{Capacity, NodeCapacity};
pub use crate::domain::container::ContainerSetup;
pub use crate::domain::git::GitSetup;
use crate::domain::id::{GroupId, UserId, WorkspaceId};
pub use crate::domain::size::Size;
pub use crate::domain::template::Recipe;
pub use crate::domain::workspace::{Component, Desired, Phase, Reason};
use crate::token::proof::ProofKey;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::io::{AsyncRead, AsyncWrite};

/// The frozen, resolved description of one workspace. `generation` counts every change of it; `run` counts starts
/// and restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceSpec {
    pub id: WorkspaceId,
    pub name: String,
    pub generation: i64,
    pub run: i64,
    pub group: GroupId,
    pub namespace: String,
    pub owner: UserId,
    pub recipe: Recipe,
    /// Environment of the programs in the workspace; never holds a secret.
    pub env: BTreeMap<String, String>,
    /// What its agent starts and the gateway shows.
    #[serde(default)]
    pub apps: Vec<App>,
    /// How its container runs, where it is made from an image.
    #[serde(default)]
    pub container: ContainerSetup,
    /// Whose commits are made in it, and what it begins with.
    #[serde(default)]
    pub git: GitSetup,
    pub size: Size,
    pub desired: Desired,
    /// The uid below the local runtime when the server is root: stable per workspace, never shared.
    pub local_uid: u32,
}

/// What the agent of a workspace must know to tell our connections from others: public keys only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentTrust {
    /// A JWKS document (RFC 7517) with the RSA keys that sign agent tickets, active and previous.
    pub jwks: String,
    /// The `iss` of agent tickets.
    pub issuer: String,
}

/// A group as the cluster keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupSpec {
    pub id: GroupId,
    pub name: String,
    pub namespace: String,
    pub generation: i64,
    /// The group's quota; `None` is "no limit".
    pub cpu_milli: Option<i64>,
    pub memory_bytes: Option<i64>,
    pub storage_bytes: Option<i64>,
    pub workspaces: Option<i64>,
}

/// What one line of the timeline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoteKind {
    /// Progress of a start or a stop.
    Step,
    Warning,
    Error,
}

/// One line for the timeline of a workspace, told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    pub at: Millis,
    pub run: i64,
    pub kind: NoteKind,
    /// Stable, `snake_case`: `accepted`, `disk_attached`, `sandbox_made`, `agent_answers`, `ready`, `ended`.
    pub code: String,
    pub message: String,
}

/// What the cluster knows of one workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedWorkspace {
    pub id: WorkspaceId,
    /// Which group it belongs to, so that an orphan can be named.
    pub namespace: String,
    pub phase: Phase,
    /// The `run` and `generation` that the cluster last applied.
    pub run: i64,
    pub generation: i64,
    pub reason: Option<Reason>,
    /// The size that is in force now, if anything runs.
    pub applied: Option<Size>,
    /// What happened since the last call of `observe`; each note is told once.
    pub notes: Vec<Note>,
    pub components: Vec<Component>,
}

/// What the cluster knows of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedGroup {
    pub id: GroupId,
    pub namespace: String,
    pub generation: i64,
    pub ready: bool,
    /// Its namespace is being removed.
    pub terminating: bool,
    pub reason: Option<Reason>,
    /// The cluster's own id of the namespace, where it has one.
    pub namespace_uid: Option<String>,
}

/// Everything of ours that the cluster holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observation {
    /// `None` where a group has no place of its own: then it is always as described.
    pub groups: Option<Vec<ObservedGroup>>,
    pub workspaces: Vec<ObservedWorkspace>,
}

/// Why a call to the cluster did not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Try again later; the text says what did not answer.
    #[error("{0}")]
    Transient(String),
    /// The cluster will not do this as it is described.
    #[error("{}", .0.message)]
    Rejected(Reason),
    /// Somebody else changed it, or it is taken.
    #[error("{0}")]
    Conflict(String),
    /// It is not there.
    #[error("it is not there")]
    Gone,
}

/// Names one workspace and the run of it that the caller means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceRef {
    pub id: WorkspaceId,
    pub namespace: String,
    pub run: i64,
}

/// Which log lines to read.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// At most this many of the newest lines come first.
    pub tail: usize,
    /// Then go on as lines are written.
    pub follow: bool,
    /// Lines at or after this time only.
    pub since: Option<Millis>,
    /// Of the container that ended before the one that runs, where a runtime keeps these apart; else it says nothing.
    pub previous: bool,
}

/// One line of a workspace's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub at: Millis,
    pub text: String,
}

/// What a workspace uses now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    /// Thousandths of a core, averaged since an earlier call; `None` where it cannot be known.
    pub cpu_milli: Option<i64>,
    pub memory_bytes: Option<i64>,
    pub disk_bytes: Option<i64>,
    pub processes: Option<i64>,
}

/// How the cluster itself is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterHealth {
    pub healthy: bool,
    /// `local` or `kubernetes`.
    pub kind: &'static str,
    /// One short line for the start message, the admin page and `doctor`: the sandbox tier, or the cluster's version.
    pub summary: String,
    /// What is limited or not isolated, one sentence each, with the remedy.
    pub warnings: Vec<String>,
    /// The escape checks of the sandbox self-test, where there is one: name, and whether it was blocked.
    pub checks: Vec<(String, bool)>,
    /// Whether what workspaces reach outside goes through this server, and so is judged and counted.
    pub governs_egress: bool,
}

/// A connection to a workspace's agent.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// The changing half. Each call is idempotent: it says what should be, and may be repeated at any time.
pub trait ClusterControl: Send + Sync {
    /// Whose cluster this is, told once before anything else: a cluster that others use too holds what is ours under
    /// this id. Where nobody else is, there is nothing to remember.
    fn claim(&self, _installation: &str) {}

    /// The key from which agents on a network get what proves whose they are; told once, before [`ClusterControl::claim`].
    fn prove_with(&self, _key: ProofKey) {}

    /// Whom agents are to trust from now on, told before each look. Those that run are told by the server itself; this is
    /// for where an agent may start again without being applied.
    fn trust(&self, _trust: &AgentTrust) {}

    fn observe(&self) -> BoxFuture<'_, Result<Observation, ClusterError>>;

    /// Makes the group's place as described. Never adopts a namespace that is not ours ([`ClusterError::Conflict`]).
    fn apply_group<'a>(&'a self, group: &'a GroupSpec) -> BoxFuture<'a, Result<(), ClusterError>>;

    /// Begins to remove the group's place; it is gone when `observe` no longer lists it.
    fn remove_group<'a>(&'a self, id: &'a GroupId, namespace: &'a str) -> BoxFuture<'a, Result<(), ClusterError>>;

    /// Makes a workspace running or stopped as described. A higher `run` than the observed one restarts it.
    /// Returns when the work is begun, not when it is done.
    fn apply_workspace<'a>(&'a self, spec: &'a WorkspaceSpec, trust: &'a AgentTrust) -> BoxFuture<'a, Result<(), ClusterError>>;

    /// Ends the workspace and removes its files; it is gone when `observe` no longer lists it.
    fn remove_workspace<'a>(&'a self, id: &'a WorkspaceId, namespace: &'a str) -> BoxFuture<'a, Result<(), ClusterError>>;

    /// Is told whenever something may have changed; the value only ever grows and means nothing else.
    fn changes(&self) -> tokio::sync::watch::Receiver<u64>;

    /// Ends everything that ends with the server (local workspaces), waiting a bounded time.
    fn shut_down(&self) -> BoxFuture<'_, ()>;
}

/// The reading half: streams and numbers, changes nothing.
pub trait ClusterView: Send + Sync {
    fn logs<'a>(
        &'a self,
        workspace: &'a WorkspaceRef,
        options: LogOptions,
    ) -> BoxFuture<'a, Result<BoxStream<'static, LogLine>, ClusterError>>;

    fn metrics<'a>(&'a self, workspace: &'a WorkspaceRef) -> BoxFuture<'a, Result<Metrics, ClusterError>>;

    /// A fresh byte stream to the agent of this run of the workspace.
    fn connect<'a>(&'a self, workspace: &'a WorkspaceRef) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ClusterError>>;

    fn capacity(&self) -> BoxFuture<'_, Result<Capacity, ClusterError>>;

    /// Whether a workspace would find the program of this app here. Where programs come with an image, it does.
    fn has_app<'a>(&'a self, _app: &'a App) -> BoxFuture<'a, bool> {
        Box::pin(std::future::ready(true))
    }

    /// What to do where it does not, in one sentence.
    fn app_hint(&self, app: &App) -> String {
        app.hint.clone()
    }

    fn health(&self) -> BoxFuture<'_, ClusterHealth>;
}

/// Both halves; only `app.rs` holds this.
pub trait Cluster: ClusterControl + ClusterView {}
impl<T: ClusterControl + ClusterView> Cluster for T {}
