//! A cluster in memory, for tests of everything above the `Cluster` trait.
//!
//! Workspaces start when they are applied and become ready at the next `observe`, or only on command. Faults are
//! switches: unreachable, slow, rejecting, failing workspaces. `connect` reaches a real agent in this process, tickets
//! included, whose terminals echo what they are sent (`exit` ends one). This file is the one place under `cluster`
//! that knows the agent itself.

use crate::agent::Agent;
use crate::agent::program::EchoPrograms;
use crate::clock::{Clock, Millis};
pub use crate::cluster::fake_faults::Faults;
use crate::cluster::fake_homes::Homes;
use crate::cluster::{
    AgentTrust, App, ByteStream, Capacity, ClusterControl, ClusterError, ClusterHealth, ClusterView, Component, Desired, GroupSpec,
    LogLine, LogOptions, Metrics, NodeCapacity, Note, NoteKind, Observation, ObservedGroup, ObservedWorkspace, Phase, Reason, WorkspaceRef,
    WorkspaceSpec,
};
use crate::domain::agent::AgentOrder;
use crate::domain::id::{GroupId, WorkspaceId};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

struct Workspace {
    spec: WorkspaceSpec,
    phase: Phase,
    reason: Option<Reason>,
    agent: Option<Arc<Agent>>,
    notes: Vec<Note>,
    logs: Vec<LogLine>,
}

impl Workspace {
    fn note(&mut self, at: Millis, code: &str, message: &str) {
        let note = Note { at, run: self.spec.run, kind: NoteKind::Step, code: code.to_owned(), message: message.to_owned() };
        self.notes.push(note);
        self.logs.push(LogLine { at, text: message.to_owned() });
    }

    fn end(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.stop();
        }
    }
}

#[derive(Default)]
struct State {
    faults: Faults,
    groups: BTreeMap<GroupId, (GroupSpec, bool)>,
    workspaces: BTreeMap<WorkspaceId, Workspace>,
    calls: Vec<String>,
}

/// The cluster in memory.
pub struct FakeCluster {
    state: Mutex<State>,
    homes: Homes,
    clock: Arc<dyn Clock>,
    changes: watch::Sender<u64>,
}

impl FakeCluster {
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), homes: Homes::new(), clock, changes: watch::Sender::new(0) })
    }

    /// Where the files of a workspace are.
    pub fn home(&self, id: &WorkspaceId) -> PathBuf {
        self.homes.of(id)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// Changes what goes wrong.
    pub fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state().faults);
        self.tick();
    }

    /// Lets a held workspace become ready.
    pub fn make_ready(&self, id: &WorkspaceId) {
        let now = self.clock.now();
        if let Some(workspace) = self.state().workspaces.get_mut(id) {
            workspace.phase = Phase::Ready;
            workspace.note(now, "ready", "The workspace is ready.");
        }
        self.tick();
    }

    /// Has a workspace tell something for its timeline.
    pub fn tell(&self, id: &WorkspaceId, code: &str, message: &str) {
        let now = self.clock.now();
        if let Some(workspace) = self.state().workspaces.get_mut(id) {
            workspace.note(now, code, message);
        }
        self.tick();
    }

    /// Ends a running workspace by itself, as a crash would.
    pub fn crash(&self, id: &WorkspaceId, reason: Reason) {
        if let Some(workspace) = self.state().workspaces.get_mut(id) {
            workspace.end();
            workspace.phase = Phase::Failed;
            workspace.reason = Some(reason);
        }
        self.tick();
    }

    /// The agent of a running workspace, to ask what only programs inside can ask.
    pub fn agent(&self, id: &WorkspaceId) -> Option<Arc<Agent>> {
        self.state().workspaces.get(id)?.agent.clone()
    }

    /// The names of the changing calls so far with their object, oldest first: `apply_workspace ws_…`.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    async fn gate(&self) -> Result<(), ClusterError> {
        let (delay, unreachable) = {
            let state = self.state();
            (state.faults.delay, state.faults.unreachable)
        };
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        if unreachable { Err(ClusterError::Transient("the cluster does not answer".to_owned())) } else { Ok(()) }
    }

    async fn change(&self, call: String) -> Result<(), ClusterError> {
        self.gate().await?;
        let mut state = self.state();
        state.faults.trip(&call);
        state.calls.push(call);
        state.faults.reject.clone().map_or(Ok(()), |reason| Err(ClusterError::Rejected(reason)))
    }

    fn start(&self, workspace: &mut Workspace, trust: &AgentTrust, failing: Option<Reason>) {
        workspace.end();
        workspace.reason = None;
        workspace.note(self.clock.now(), "accepted", "The start was accepted.");
        if let Some(reason) = failing {
            workspace.phase = Phase::Failed;
            workspace.reason = Some(reason);
            return;
        }
        let home = self.home(&workspace.spec.id).to_string_lossy().into_owned();
        let bare = AgentOrder::bare(workspace.spec.id.clone(), workspace.spec.run, home);
        let order = AgentOrder {
            jwks: trust.jwks.clone(),
            issuer: trust.issuer.clone(),
            argv: vec!["echo".to_owned()],
            apps: workspace.spec.apps.clone(),
            ..bare
        };
        // Tests of the reconciler alone pass no keys; their workspaces run, but nobody can connect.
        workspace.agent = Agent::new(&order, Box::new(EchoPrograms), Arc::clone(&self.clock)).ok();
        workspace.phase = Phase::Creating;
    }

    fn stop(workspace: &mut Workspace, now: Millis) {
        if workspace.phase != Phase::Absent {
            workspace.end();
            workspace.phase = Phase::Absent;
            workspace.reason = None;
            workspace.note(now, "ended", "The workspace ended.");
        }
    }

    fn apply(&self, spec: &WorkspaceSpec, trust: &AgentTrust) {
        let mut state = self.state();
        let failing = state.faults.fail_workspaces.clone();
        let entry = state.workspaces.entry(spec.id.clone()).or_insert_with(|| Workspace {
            spec: WorkspaceSpec { run: spec.run - 1, ..spec.clone() },
            phase: Phase::Absent,
            reason: None,
            agent: None,
            notes: Vec::new(),
            logs: Vec::new(),
        });
        let restart = spec.run > entry.spec.run;
        entry.spec = spec.clone();
        match spec.desired {
            Desired::Running if restart || matches!(entry.phase, Phase::Absent | Phase::Failed) => self.start(entry, trust, failing),
            Desired::Running => {}
            Desired::Stopped | Desired::Deleted => Self::stop(entry, self.clock.now()),
        }
    }

    /// Lets time pass for the workspaces: what was begun is done, unless it is held.
    fn settle(&self, state: &mut State) {
        let now = self.clock.now();
        let held = state.faults.hold_removals;
        state.workspaces.retain(|_, w| held || w.phase != Phase::Terminating);
        let namespaces: Vec<String> = state.workspaces.values().map(|w| w.spec.namespace.clone()).collect();
        state.groups.retain(|_, (g, leaving)| held || !*leaving || namespaces.contains(&g.namespace));
        if !state.faults.hold_starts {
            for workspace in state.workspaces.values_mut().filter(|w| w.phase == Phase::Creating) {
                workspace.phase = Phase::Ready;
                workspace.note(now, "ready", "The workspace is ready.");
            }
        }
    }
}

fn observed(workspace: &mut Workspace) -> ObservedWorkspace {
    let running = matches!(workspace.phase, Phase::Creating | Phase::Ready);
    ObservedWorkspace {
        id: workspace.spec.id.clone(),
        namespace: workspace.spec.namespace.clone(),
        phase: workspace.phase,
        run: workspace.spec.run,
        generation: workspace.spec.generation,
        reason: workspace.reason.clone(),
        applied: running.then(|| workspace.spec.size.clone()),
        notes: std::mem::take(&mut workspace.notes),
        components: vec![Component {
            name: "agent".to_owned(),
            kind: "agent".to_owned(),
            healthy: workspace.phase == Phase::Ready,
            status: workspace.phase.as_str().to_owned(),
            reason: workspace.reason.as_ref().map(|r| r.code.clone()).unwrap_or_default(),
            details: String::new(),
        }],
    }
}

impl ClusterControl for FakeCluster {
    fn observe(&self) -> BoxFuture<'_, Result<Observation, ClusterError>> {
        Box::pin(async move {
            self.gate().await?;
            let mut state = self.state();
            self.settle(&mut state);
            let groups = state.groups.values().map(|(group, leaving)| ObservedGroup {
                id: group.id.clone(),
                namespace: group.namespace.clone(),
                generation: group.generation,
                ready: !leaving,
                terminating: *leaving,
                reason: state.faults.held_by.clone().filter(|_| *leaving),
                namespace_uid: None,
            });
            let groups = groups.collect();
            Ok(Observation { groups: Some(groups), workspaces: state.workspaces.values_mut().map(observed).collect() })
        })
    }

    fn apply_group<'a>(&'a self, group: &'a GroupSpec) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async move {
            self.change(format!("apply_group {}", group.id)).await?;
            let mut state = self.state();
            if state.groups.values().any(|(g, _)| g.namespace == group.namespace && g.id != group.id) {
                return Err(ClusterError::Conflict(format!("the namespace {} is taken", group.namespace)));
            }
            state.groups.insert(group.id.clone(), (group.clone(), false));
            drop(state);
            self.tick();
            Ok(())
        })
    }

    fn remove_group<'a>(&'a self, id: &'a GroupId, namespace: &'a str) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async move {
            self.change(format!("remove_group {id}")).await?;
            let mut state = self.state();
            let Some((_, leaving)) = state.groups.get_mut(id) else { return Err(ClusterError::Gone) };
            *leaving = true;
            for workspace in state.workspaces.values_mut().filter(|w| w.spec.namespace == namespace) {
                workspace.end();
                workspace.phase = Phase::Terminating;
            }
            drop(state);
            self.tick();
            Ok(())
        })
    }

    fn apply_workspace<'a>(&'a self, spec: &'a WorkspaceSpec, trust: &'a AgentTrust) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async move {
            self.change(format!("apply_workspace {}", spec.id)).await?;
            self.apply(spec, trust);
            self.tick();
            Ok(())
        })
    }

    fn remove_workspace<'a>(&'a self, id: &'a WorkspaceId, _: &'a str) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async move {
            self.change(format!("remove_workspace {id}")).await?;
            if let Some(workspace) = self.state().workspaces.get_mut(id) {
                workspace.end();
                workspace.phase = Phase::Terminating;
            }
            self.tick();
            Ok(())
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn shut_down(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let now = self.clock.now();
            self.state().workspaces.values_mut().for_each(|w| Self::stop(w, now));
        })
    }
}

impl ClusterView for FakeCluster {
    fn logs<'a>(
        &'a self,
        workspace: &'a WorkspaceRef,
        options: LogOptions,
    ) -> BoxFuture<'a, Result<BoxStream<'static, LogLine>, ClusterError>> {
        Box::pin(async move {
            self.gate().await?;
            let state = self.state();
            state.faults.trip(workspace.id.as_str());
            let found = state.workspaces.get(&workspace.id).ok_or(ClusterError::Gone)?;
            let lines: Vec<LogLine> = found.logs.iter().filter(|l| options.since.is_none_or(|since| l.at >= since)).cloned().collect();
            let skipped = lines.len().saturating_sub(options.tail);
            let tail = stream::iter(lines.into_iter().skip(skipped));
            Ok(if options.follow { tail.chain(stream::pending()).boxed() } else { tail.boxed() })
        })
    }

    fn metrics<'a>(&'a self, workspace: &'a WorkspaceRef) -> BoxFuture<'a, Result<Metrics, ClusterError>> {
        Box::pin(async move {
            self.gate().await?;
            let state = self.state();
            let found = state.workspaces.get(&workspace.id).ok_or(ClusterError::Gone)?;
            let running = found.phase == Phase::Ready;
            Ok(Metrics {
                cpu_milli: running.then_some(10),
                memory_bytes: running.then_some(8 * 1024 * 1024),
                disk_bytes: Some(4_096),
                processes: running.then_some(2),
            })
        })
    }

    fn connect<'a>(&'a self, workspace: &'a WorkspaceRef) -> BoxFuture<'a, Result<Box<dyn ByteStream>, ClusterError>> {
        Box::pin(async move {
            self.gate().await?;
            let agent = {
                let state = self.state();
                let found = state.workspaces.get(&workspace.id).ok_or(ClusterError::Gone)?;
                let same_run = found.spec.run == workspace.run && found.phase == Phase::Ready;
                found.agent.clone().filter(|_| same_run).ok_or(ClusterError::Gone)?
            };
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            tokio::spawn(agent.serve(theirs));
            Ok(Box::new(ours) as Box<dyn ByteStream>)
        })
    }

    /// Its agents have no programs but the shell that echoes.
    fn has_app<'a>(&'a self, _: &'a App) -> BoxFuture<'a, bool> {
        Box::pin(std::future::ready(false))
    }

    fn capacity(&self) -> BoxFuture<'_, Result<Capacity, ClusterError>> {
        Box::pin(async move {
            self.gate().await?;
            let node = NodeCapacity {
                name: "fake".to_owned(),
                total_cpu_milli: 8_000,
                total_memory_bytes: 32 * 1024 * 1024 * 1024,
                cpu_milli: 8_000,
                memory_bytes: 32 * 1024 * 1024 * 1024,
                disk_bytes: Some(1024 * 1024 * 1024 * 1024),
                used_disk_bytes: Some(0),
                ..NodeCapacity::default()
            };
            Ok(Capacity { nodes: vec![node] })
        })
    }

    fn health(&self) -> BoxFuture<'_, ClusterHealth> {
        Box::pin(async move {
            let healthy = !self.state().faults.unreachable;
            ClusterHealth { healthy, kind: "local", summary: "a cluster in memory".into(), governs_egress: true, ..Default::default() }
        })
    }
}
