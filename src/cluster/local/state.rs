//! What the local runtime knows of its workspaces, and the only places where that changes.
//!
//! A workspace has a *target*, set by the trait's calls, and a *supervisor* task that works towards it. Phases are set
//! under one lock, and a supervisor's word counts only while its run is still the one that is wanted.

use crate::agent::process_table::{self, Process};
use crate::clock::Millis;
use crate::cluster::local::LocalOptions;
use crate::cluster::local::control_group::Groups;
use crate::cluster::local::home::{Folders, Record};
use crate::cluster::local::self_test::Verdict;
use crate::cluster::local::spec::Tier;
use crate::cluster::log_file::WorkspaceLog;
use crate::cluster::{AgentTrust, Component, Note, NoteKind, ObservedWorkspace, Phase, Reason, Size, WorkspaceSpec};
use crate::domain::id::{GroupId, WorkspaceId};
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Notes kept for the next `observe`; more than a start and a stop make, so that only a broken caller loses any.
const MOST_NOTES: usize = 256;

/// A little less than the watchdogs' period, so that each of them sees new numbers.
const PROCESSES_GOOD_FOR: Duration = Duration::from_millis(900);

/// One start, as ordered.
#[derive(Debug, Clone)]
pub struct Start {
    pub spec: WorkspaceSpec,
    pub trust: AgentTrust,
}

/// What a workspace should be.
#[derive(Debug, Clone)]
pub enum Target {
    Running(Arc<Start>),
    Stopped,
    Removed,
}

/// The running part of a workspace.
#[derive(Debug, Clone)]
pub struct Live {
    pub run: i64,
    pub tier: Tier,
    pub keeper: Pid,
    pub socket: PathBuf,
    pub groups: Arc<Groups>,
    /// The last processor reading.
    pub cpu: Option<CpuReading>,
}

/// What a workspace had spent of the processor at a moment.
#[derive(Debug, Clone, Copy)]
pub struct CpuReading {
    pub at: Millis,
    pub microseconds: u64,
    /// Thousandths of a core since the reading before; `None` of the first.
    pub milli: Option<i64>,
}

/// One workspace.
pub struct Entry {
    pub namespace: String,
    pub group: GroupId,
    pub uid: u32,
    pub run: i64,
    pub generation: i64,
    pub phase: Phase,
    pub reason: Option<Reason>,
    pub applied: Option<Size>,
    pub wanted_size: Size,
    pub notes: Vec<Note>,
    pub live: Option<Live>,
    pub log: Arc<WorkspaceLog>,
    /// Until when the measured size of the home is good, and bytes.
    pub disk: Option<(Millis, i64)>,
    /// `None` until something is wanted of it: then there is no supervisor either.
    pub target: Option<watch::Sender<Target>>,
}

impl Entry {
    pub fn record(&self) -> Record {
        Record { namespace: self.namespace.clone(), group: self.group.clone(), run: self.run, generation: self.generation, uid: self.uid }
    }

    /// Whether this run is still the one that is wanted.
    fn is_wanted(&self, run: i64) -> bool {
        let target = self.target.as_ref().map(|t| t.borrow().clone());
        matches!(target, Some(Target::Running(start)) if start.spec.run == run)
    }

    fn observed(&mut self, id: &WorkspaceId) -> ObservedWorkspace {
        ObservedWorkspace {
            id: id.clone(),
            namespace: self.namespace.clone(),
            phase: self.phase,
            run: self.run,
            generation: self.generation,
            reason: self.reason.clone(),
            applied: self.applied.clone(),
            notes: std::mem::take(&mut self.notes),
            components: self.components(),
        }
    }

    fn components(&self) -> Vec<Component> {
        let part = |name: &str, kind: &str, healthy: bool, status: &str, details: String| Component {
            name: name.to_owned(),
            kind: kind.to_owned(),
            healthy,
            status: status.to_owned(),
            reason: self.reason.as_ref().filter(|_| !healthy).map(|r| r.code.clone()).unwrap_or_default(),
            details,
        };
        let ready = self.phase == Phase::Ready;
        let (running, tier) = self.live.as_ref().map_or(("absent", String::new()), |l| ("running", format!("tier {}", l.tier.as_str())));
        let limit = self.wanted_size.disk_bytes;
        let (within, used) = match self.disk {
            Some((_, bytes)) => (limit == 0 || bytes <= limit, format!("{bytes} of {limit} bytes used")),
            None => (true, "not measured yet".to_owned()),
        };
        vec![
            part("sandbox", "process", self.live.is_some(), running, tier),
            part("agent", "agent", ready, if ready { "answers" } else { "does not answer" }, String::new()),
            part("home", "home", within, if within { "present" } else { "full" }, used),
        ]
    }
}

/// All that the local runtime holds.
#[derive(Default)]
pub struct State {
    pub workspaces: BTreeMap<WorkspaceId, Entry>,
}

/// What the trait's calls and the supervisors share.
pub struct Shared {
    pub options: LocalOptions,
    pub is_root: bool,
    state: Mutex<State>,
    /// The host's processes a moment ago: one list for the watchdogs of all workspaces.
    processes: Mutex<Option<(Instant, Arc<Vec<Process>>)>>,
    pub changes: watch::Sender<u64>,
    /// `None` while the self-test runs.
    pub verdict: watch::Sender<Option<Arc<Verdict>>>,
    /// Whether the homes on the disk were looked through.
    pub scanned: watch::Sender<bool>,
}

impl Shared {
    pub fn new(options: LocalOptions, is_root: bool) -> Self {
        Self {
            options,
            is_root,
            state: Mutex::default(),
            processes: Mutex::default(),
            changes: watch::Sender::new(0),
            verdict: watch::Sender::new(None),
            scanned: watch::Sender::new(false),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host's processes, at most [`PROCESSES_GOOD_FOR`] old. Reads many files where it is older.
    pub fn processes(&self) -> Arc<Vec<Process>> {
        self.processes_and_age().1
    }

    /// The same, with how old it is.
    pub fn processes_and_age(&self) -> (Duration, Arc<Vec<Process>>) {
        let mut held = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some((at, list)) if at.elapsed() < PROCESSES_GOOD_FOR => (at.elapsed(), Arc::clone(list)),
            _ => (Duration::ZERO, Arc::clone(&held.insert((Instant::now(), Arc::new(process_table::all()))).1)),
        }
    }

    pub fn tick(&self) {
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
    }

    pub fn workspaces_dir(&self) -> PathBuf {
        self.options.data_dir.join("workspaces")
    }

    pub fn folders(&self, id: &WorkspaceId) -> Folders {
        Folders::new(&self.workspaces_dir(), id)
    }

    /// An entry for a workspace that was not known before.
    pub fn blank(&self, id: &WorkspaceId, record: &Record) -> Entry {
        Entry {
            namespace: record.namespace.clone(),
            group: record.group.clone(),
            uid: record.uid,
            run: record.run,
            generation: record.generation,
            phase: Phase::Absent,
            reason: None,
            applied: None,
            wanted_size: Size::default(),
            notes: Vec::new(),
            live: None,
            log: Arc::new(WorkspaceLog::new(self.folders(id).logs(), Arc::clone(&self.options.clock))),
            disk: None,
            target: None,
        }
    }

    /// Changes an entry and announces it; nothing where the workspace is gone.
    pub fn change<R>(&self, id: &WorkspaceId, change: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        let result = self.state().workspaces.get_mut(id).map(change);
        self.tick();
        result
    }

    /// Sets the phase, if this run is still the one that is wanted.
    pub fn reach(&self, id: &WorkspaceId, run: i64, phase: Phase, reason: Option<Reason>) {
        self.change(id, |entry| {
            if entry.is_wanted(run) {
                entry.phase = phase;
                entry.reason = reason;
            }
        });
    }

    /// Adds a line to the timeline and to the log.
    pub fn note(&self, id: &WorkspaceId, run: i64, kind: NoteKind, code: &str, message: &str) {
        let at = self.options.clock.now();
        let log = self.change(id, |entry| {
            if entry.notes.len() < MOST_NOTES {
                entry.notes.push(Note { at, run, kind, code: code.to_owned(), message: message.to_owned() });
            }
            Arc::clone(&entry.log)
        });
        if let Some(log) = log {
            log.write(message);
        }
    }

    /// A run did not start or ended by itself.
    pub fn fail(&self, id: &WorkspaceId, run: i64, reason: Reason) {
        let message = reason.message.clone();
        let code = reason.code.clone();
        self.reach(id, run, Phase::Failed, Some(reason));
        self.note(id, run, NoteKind::Error, &code, &message);
    }

    /// Everything, with the notes that were not told yet.
    pub fn observed(&self) -> Vec<ObservedWorkspace> {
        self.state().workspaces.iter_mut().map(|(id, entry)| entry.observed(id)).collect()
    }
}
