//! One task per workspace that brings it where it should be: starts it, watches it, stops it, removes it.

use crate::agent::process_table;
use crate::cluster::agent_client;
use crate::cluster::local::agent_notes::AgentNotes;
use crate::cluster::local::egress;
use crate::cluster::local::order;
use crate::cluster::local::resize::resize;
use crate::cluster::local::self_test::Verdict;
use crate::cluster::local::spawn::{Launched, Voices, launch, sweep};
use crate::cluster::local::spec::Tier;
use crate::cluster::local::state::{Live, Shared, Start, Target};
use crate::cluster::{ByteStream, NoteKind, Phase, Reason};
use crate::domain::agent::StartEvent;
use crate::domain::id::WorkspaceId;
use rustix::process::{Pid, Signal};
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::watch;

/// A sandbox that is not ready after this long is given up.
const START_LIMIT: Duration = Duration::from_secs(30);
/// What the agent gets beyond the programs' own grace before everything is killed.
const EXTRA_GRACE: Duration = Duration::from_secs(2);
const WATCH: Duration = Duration::from_secs(1);

/// Works towards the workspace's target until it is removed.
pub async fn supervise(shared: Arc<Shared>, id: WorkspaceId, mut target: watch::Receiver<Target>) {
    loop {
        let wanted = target.borrow_and_update().clone();
        match wanted {
            Target::Running(start) => run(&shared, &start, &mut target).await,
            Target::Stopped => settle(&shared, &id),
            Target::Removed => {
                if remove(&shared, &id).await {
                    return;
                }
            }
        }
        if target.changed().await.is_err() {
            return;
        }
    }
}

fn settle(shared: &Shared, id: &WorkspaceId) {
    shared.change(id, |entry| {
        entry.phase = Phase::Absent;
        entry.reason = None;
        entry.applied = None;
    });
}

async fn remove(shared: &Arc<Shared>, id: &WorkspaceId) -> bool {
    let folders = shared.folders(id);
    if let Some(log) = shared.change(id, |entry| Arc::clone(&entry.log)) {
        log.close();
    }
    let done = tokio::task::spawn_blocking(move || folders.remove()).await;
    match done {
        Ok(Ok(())) => {
            shared.state().workspaces.remove(id);
            shared.tick();
            true
        }
        Ok(Err(error)) => {
            let message = format!("The files could not be removed: {error}.");
            shared.change(id, |entry| {
                entry.reason = Some(reason("files_left", &message, Some("It is tried again; look at the data directory's permissions.")));
            });
            false
        }
        Err(_) => false,
    }
}

/// A reason in the trait's form.
pub fn reason(code: &str, message: &str, remedy: Option<&str>) -> Reason {
    Reason { code: code.to_owned(), message: message.to_owned(), remedy: remedy.map(str::to_owned) }
}

/// One run, from its start to its end.
async fn run(shared: &Arc<Shared>, start: &Arc<Start>, target: &mut watch::Receiver<Target>) {
    let (id, run) = (&start.spec.id, start.spec.run);
    shared.reach(id, run, Phase::Creating, None);
    shared.note(id, run, NoteKind::Step, "accepted", "The start was accepted.");
    let Some(verdict) = wait_for_verdict(shared, target, run).await else { return };
    let Some(tier) = verdict.tier else {
        let words = format!("This host allows no sandbox, so workspaces do not start. {}", verdict.refused.join(" "));
        let remedy = "Run the server as root or allow user namespaces; `codex-web doctor` shows each check.";
        shared.fail(id, run, reason("sandbox_unavailable", words.trim(), Some(remedy)));
        return;
    };
    if let Some(why) = egress::ungoverned(shared, tier) {
        return shared.fail(id, run, why);
    }
    match begin(shared, start, tier, &verdict).await {
        Ok((live, launched, voices)) => watch(Run { shared, start, live, launched, voices }, target).await,
        Err(why) => shared.fail(id, run, why),
    }
}

/// Waits for the self-test; `None` when something else is wanted meanwhile.
async fn wait_for_verdict(shared: &Shared, target: &mut watch::Receiver<Target>, run: i64) -> Option<Arc<Verdict>> {
    let mut verdict = shared.verdict.subscribe();
    loop {
        if let Some(verdict) = verdict.borrow_and_update().clone() {
            return Some(verdict);
        }
        tokio::select! {
            changed = verdict.changed() => changed.ok()?,
            changed = target.changed() => {
                changed.ok()?;
                let same = matches!(&*target.borrow(), Target::Running(start) if start.spec.run == run);
                if !same {
                    // The change must be seen by the caller's loop too.
                    target.mark_changed();
                    return None;
                }
            }
        }
    }
}

/// Folders, limits, socket, launcher.
async fn begin(shared: &Arc<Shared>, start: &Arc<Start>, tier: Tier, verdict: &Verdict) -> Result<(Live, Launched, Voices), Reason> {
    let (id, run) = (start.spec.id.clone(), start.spec.run);
    let (folders, uid) = (shared.folders(&id), shared.is_root.then_some(start.spec.local_uid));
    let Some(record) = shared.change(&id, |entry| entry.record()) else { return Err(reason("ended", "The workspace is gone.", None)) };
    let prepared = tokio::task::spawn_blocking(move || folders.prepare(&record, uid, tier != Tier::Full)).await;
    let remedy = Some("Look at the space and the permissions of the data directory.");
    match prepared {
        Ok(Ok(())) => shared.note(&id, run, NoteKind::Step, "disk_attached", "The home directory is there."),
        Ok(Err(error)) => return Err(reason("disk_failed", &format!("The home directory could not be prepared: {error}."), remedy)),
        Err(_) => return Err(reason("disk_failed", "The home directory could not be prepared.", remedy)),
    }
    let groups = verdict.limits.make(&order::group_name(&id), &start.spec.size);
    let groups = groups.map_err(|e| reason("limits_failed", &format!("The limits could not be set: {e}."), None))?;
    let socket = shared.options.run_dir.join(format!("{}-{run}.sock", id.hex()));
    let _ = fs::remove_file(&socket);
    let failed = |error: std::io::Error| reason("sandbox_failed", &format!("The sandbox could not be started: {error}."), None);
    let listener = UnixListener::bind(&socket).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let order = order::order(shared, start, tier, verdict, &groups);
    let (launched, voices) = launch(&shared.options.self_exe, &order, listener).map_err(|error| {
        groups.remove();
        let _ = fs::remove_file(&socket);
        failed(error)
    })?;
    let live = Live { run, tier, keeper: launched.pid, socket, groups: Arc::new(groups), cpu: None };
    shared.change(&id, |entry| {
        entry.live = Some(live.clone());
        entry.applied = Some(start.spec.size.clone());
    });
    Ok((live, launched, voices))
}

struct Run<'a> {
    shared: &'a Arc<Shared>,
    start: &'a Arc<Start>,
    live: Live,
    launched: Launched,
    voices: Voices,
}

/// Where a run is on its way.
#[derive(Default)]
struct Progress {
    is_ready: bool,
    /// Somebody asked for the end.
    is_stopping: bool,
    notes: AgentNotes,
    /// Why it ends, where that is known before it has.
    why: Option<Reason>,
    /// When patience ends: with the start, or with the stop.
    deadline: Option<tokio::time::Instant>,
    /// The memory limit in bytes that the watchdog holds, where the kernel does not.
    memory: Option<u64>,
}

async fn watch(mut run: Run<'_>, target: &mut watch::Receiver<Target>) {
    let watched = !run.shared.verdict.borrow().as_ref().is_some_and(|v| v.limits.limits("memory"));
    let size = &run.start.spec.size;
    let mut progress = Progress { memory: u64::try_from(size.memory_bytes).ok().filter(|_| watched), ..Progress::default() };
    progress.deadline = Some(tokio::time::Instant::now() + START_LIMIT);
    let mut ticks = tokio::time::interval(WATCH);
    let (mut status_open, mut log_open) = (true, true);
    let status = loop {
        tokio::select! {
            ended = run.launched.ended() => break ended.ok(),
            line = run.voices.status.next(), if status_open => match line {
                Some(line) => event(&run, &mut progress, &line).await,
                None => status_open = false,
            },
            line = run.voices.log.next(), if log_open => match line {
                Some(line) => write_log(&run, &line),
                None => log_open = false,
            },
            changed = target.changed() => {
                if changed.is_err() || !update(&run, &mut progress, &target.borrow_and_update().clone()) {
                    stop(&run, &mut progress);
                }
            },
            () = until(progress.deadline) => overdue(&run, &mut progress),
            _ = ticks.tick() => {
                check_egress(&run, &mut progress);
                check_memory(&run, &mut progress).await;
            }
        }
    };
    let again = progress.is_stopping;
    finish(run, progress, status, target).await;
    if again {
        // What ended this run was seen here; the caller's loop must see it too.
        target.mark_changed();
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn write_log(run: &Run<'_>, line: &str) {
    let log = run.shared.state().workspaces.get(&run.start.spec.id).map(|e| Arc::clone(&e.log));
    if let Some(log) = log {
        log.write(line);
    }
}

/// The launcher or the agent said how the start goes.
async fn event(run: &Run<'_>, progress: &mut Progress, line: &str) {
    let (shared, id, number) = (run.shared, &run.start.spec.id, run.start.spec.run);
    match serde_json::from_str(line) {
        Ok(StartEvent::SandboxMade) => {
            shared.note(id, number, NoteKind::Step, "sandbox_made", run.live.tier.words());
        }
        Ok(StartEvent::Ready) if !progress.is_ready && !progress.is_stopping => {
            if answers(&run.live.socket).await {
                progress.is_ready = true;
                progress.deadline = None;
                shared.note(id, number, NoteKind::Step, "agent_answers", "The agent answers.");
                shared.note(id, number, NoteKind::Step, "ready", "The workspace is ready.");
                shared.reach(id, number, Phase::Ready, None);
            }
        }
        Ok(StartEvent::Failed { code, message, remedy }) => progress.why = Some(Reason { code, message, remedy }),
        Ok(StartEvent::Note { code, message, failed }) if progress.is_ready => {
            progress.notes.take(shared, &run.start.spec, (&code, &message, failed));
        }
        Ok(StartEvent::Ready | StartEvent::Note { .. }) | Err(_) => {}
    }
}

async fn answers(socket: &PathBuf) -> bool {
    let asked = async {
        let stream: Box<dyn ByteStream> = Box::new(UnixStream::connect(socket).await.ok()?);
        agent_client::is_ready(stream).await.ok()
    };
    matches!(tokio::time::timeout(Duration::from_secs(5), asked).await, Ok(Some(())))
}

/// Another target: `false` when this run must end for it.
fn update(run: &Run<'_>, progress: &mut Progress, target: &Target) -> bool {
    let Target::Running(start) = target else { return false };
    if start.spec.run != run.start.spec.run || progress.is_stopping {
        return false;
    }
    let size = &start.spec.size;
    if resize(run.shared, &run.live, &start.spec) {
        progress.memory = progress.memory.and(u64::try_from(size.memory_bytes).ok());
    }
    if progress.is_ready {
        run.shared.reach(&start.spec.id, start.spec.run, Phase::Ready, None);
    }
    true
}

fn stop(run: &Run<'_>, progress: &mut Progress) {
    if progress.is_stopping {
        return;
    }
    progress.is_stopping = true;
    progress.deadline = Some(tokio::time::Instant::now() + run.shared.options.grace + EXTRA_GRACE);
    run.shared.note(&run.start.spec.id, run.start.spec.run, NoteKind::Step, "stopping", "The workspace stops.");
    run.launched.signal(Signal::TERM);
}

fn overdue(run: &Run<'_>, progress: &mut Progress) {
    progress.deadline = None;
    if !progress.is_stopping {
        let words = format!("The workspace was not ready after {} seconds.", START_LIMIT.as_secs());
        progress.why = Some(reason("start_timeout", &words, Some("Start it again; look at the load of the host.")));
    }
    kill(run);
}

fn kill(run: &Run<'_>) {
    run.live.groups.kill();
    run.launched.signal(Signal::KILL);
}

/// A policy that came later holds for what runs already.
fn check_egress(run: &Run<'_>, progress: &mut Progress) {
    if let Some(why) = egress::ungoverned(run.shared, run.live.tier)
        && progress.why.is_none()
        && !progress.is_stopping
    {
        progress.why = Some(why);
        kill(run);
    }
}

async fn check_memory(run: &Run<'_>, progress: &mut Progress) {
    let Some(limit) = progress.memory else { return };
    let (keeper, shared) = (run.live.keeper, Arc::clone(run.shared));
    let over = tokio::task::spawn_blocking(move || uses_more_than(&shared, keeper, limit)).await.unwrap_or(false);
    if over && progress.why.is_none() {
        progress.why = Some(out_of_memory(&run.start.spec));
        kill(run);
    }
}

fn out_of_memory(spec: &crate::cluster::WorkspaceSpec) -> Reason {
    let mebibytes = spec.size.memory_bytes >> 20;
    let words = format!("The workspace used more memory than its {mebibytes} MiB and was ended.");
    reason("out_of_memory", &words, Some("Start it again with more memory, or run less at once."))
}

/// Resident memory counts shared pages again and again but is cheap, so the exact sum is made only when it is exceeded.
fn uses_more_than(shared: &Shared, keeper: Pid, limit: u64) -> bool {
    let processes = process_table::below(keeper, shared.processes().iter().copied());
    let page = rustix::param::page_size() as u64;
    let resident: u64 = processes.iter().map(|p| p.resident_pages * page).sum();
    resident > limit && process_table::memory_of(&processes) > limit
}

/// Everything of the run is over: say why, and leave nothing behind.
async fn finish(mut run: Run<'_>, progress: Progress, status: Option<std::process::ExitStatus>, target: &watch::Receiver<Target>) {
    let (shared, spec) = (run.shared, &run.start.spec);
    let last_words = async {
        while let Some(line) = run.voices.status.next().await {
            if let Ok(StartEvent::Failed { code, message, remedy }) = serde_json::from_str(&line) {
                return Some(Reason { code, message, remedy });
            }
        }
        None
    };
    let said = tokio::time::timeout(Duration::from_millis(200), last_words).await.ok().flatten();
    let log = async {
        while let Some(line) = run.voices.log.next().await {
            let log = shared.state().workspaces.get(&spec.id).map(|e| Arc::clone(&e.log));
            log.inspect(|log| log.write(&line));
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(200), log).await;
    let killed_for_memory = run.live.groups.memory_kills() > 0;
    clean(shared, &run.live, shared.is_root.then_some(spec.local_uid)).await;
    let folders = shared.folders(&spec.id);
    let _ = tokio::task::spawn_blocking(move || folders.clear_tmp()).await;
    shared.change(&spec.id, |entry| {
        entry.live = None;
        entry.applied = None;
    });
    if progress.is_stopping || target.has_changed().unwrap_or(true) {
        shared.note(&spec.id, spec.run, NoteKind::Step, "ended", "The workspace ended.");
        return;
    }
    let memory = killed_for_memory.then(|| out_of_memory(spec));
    let why = progress.why.or(said).or(memory).unwrap_or_else(|| {
        let how = status.map_or_else(|| "for an unknown reason".to_owned(), |s| format!("({s})"));
        reason("ended", &format!("The workspace ended by itself {how}."), Some("Start it again; its log shows the last lines."))
    });
    shared.fail(&spec.id, spec.run, why);
}

/// Leaves nothing of a run behind.
pub async fn clean(shared: &Shared, live: &Live, uid: Option<u32>) {
    let _ = fs::remove_file(&live.socket);
    if let (true, Some(uid)) = (live.tier != Tier::Full, uid) {
        sweep(&shared.options.self_exe, uid).await;
    }
    for _ in 0..50 {
        if live.groups.remove() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
