//! The agent as the first process of a sandbox or of a container: says how its start goes, accepts connections, collects
//! orphans, and at the end ends everything that is left.

use crate::agent::command::Command;
use crate::agent::machine::{self, Environment, api};
use crate::agent::network::{self, Guests};
use crate::agent::program::StartError;
use crate::agent::pty::{Children, PtyPrograms};
use crate::agent::voice::Voice;
use crate::agent::{Agent, accept, container, egress, git, timeline, trust};
use crate::clock::SystemClock;
use crate::domain::agent::{AgentOrder, StartEvent};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal as Awaited, SignalKind, signal};
use tokio::sync::watch;

/// How many connections the server may have at once: each open WebSocket of an app is one.
const MOST_CONNECTIONS: usize = 2_048;

/// How many threads wait for disks at once, and the stack of each in bytes: both count against the workspace's limits.
const FILE_THREADS: usize = 8;
const FILE_STACK: usize = 512 * 1024;

/// How long clients are waited for, so that they hear why before the programs end.
const FAREWELL: Duration = Duration::from_millis(300);

/// How the server comes in.
pub enum Door {
    /// A unix socket that only the server can open, handed down by its launcher.
    Inherited(OwnedFd),
    /// A port of the pod, at which anybody may knock; and the file of the order, in which the keys may change.
    Network { port: u16, order: PathBuf },
}

/// Runs until the workspace ends. Reports by `voice`, logs on standard error.
pub fn run(order: AgentOrder, door: Door, voice: &Voice) -> ExitCode {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(FILE_THREADS).thread_stack_size(FILE_STACK);
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(voice, "agent_failed", &format!("The agent could not start: {error}."), None),
    };
    let code = runtime.block_on(serve(order, door, voice));
    // Whatever still waits in the background waits for programs that are gone.
    runtime.shutdown_background();
    code
}

/// Says why there is no workspace.
pub(super) fn fail(voice: &Voice, code: &str, message: &str, remedy: Option<&str>) -> ExitCode {
    log(message);
    voice.say(&StartEvent::Failed { code: code.to_owned(), message: message.to_owned(), remedy: remedy.map(str::to_owned) });
    ExitCode::from(71)
}

/// One line of the workspace's log; the server adds the time.
pub(super) fn log(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// What is listened to.
enum Ears {
    Socket(UnixListener),
    Ports(Vec<TcpListener>),
}

impl Ears {
    /// Inside a runtime.
    fn open(door: Door) -> io::Result<(Self, Option<PathBuf>)> {
        match door {
            Door::Inherited(socket) => Ok((Self::Socket(UnixListener::from_std(socket.into())?), None)),
            Door::Network { port, order } => Ok((Self::Ports(network::listen(port)?), Some(order))),
        }
    }

    fn accept(self, agent: &Arc<Agent>) {
        let agent = Arc::clone(agent);
        match self {
            Self::Socket(listener) => {
                drop(tokio::spawn(accept::each(listener, MOST_CONNECTIONS, move |stream| Arc::clone(&agent).serve(stream))));
            }
            Self::Ports(listeners) => {
                let guests = Guests::new(MOST_CONNECTIONS);
                for listener in listeners {
                    drop(tokio::spawn(network::serve(listener, Arc::clone(&agent), guests.clone())));
                }
            }
        }
    }
}

/// The signals that it waits for.
struct Signals {
    terminate: Awaited,
    child: Awaited,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        // Writing a file past the limit of its length is an error then, and not the end of the workspace.
        let _too_long = signal(SignalKind::from_raw(libc::SIGXFSZ))?;
        Ok(Self { terminate: signal(SignalKind::terminate())?, child: signal(SignalKind::child())? })
    }
}

async fn serve(mut order: AgentOrder, door: Door, voice: &Voice) -> ExitCode {
    trust::install(&mut order);
    let grace = Duration::from_millis(order.grace_milliseconds);
    let children = Children::default();
    let environment = Environment::default();
    let programs = PtyPrograms::new(order.clone(), children.clone(), environment.clone());
    // An image without a shell has files and apps all the same.
    if let (Err(error), Door::Inherited(_)) = (programs.find(), &door) {
        let StartError::NotFound(name) = &error else { return fail(voice, "agent_failed", &error.to_string(), None) };
        let message = format!("The program {name} was not found in the sandbox.");
        return fail(voice, "program_not_found", &message, Some("Install it on the host below /usr or /opt, or choose another template."));
    }
    let opened = Signals::watch().and_then(|signals| Ok((signals, Ears::open(door)?)));
    let (mut signals, (ears, order_file)) = match opened {
        Ok(opened) => opened,
        Err(error) => return fail(voice, "agent_failed", &format!("The agent could not listen: {error}."), None),
    };
    let agent = match Agent::with_voice(&order, Box::new(programs), Arc::new(SystemClock), voice.clone()) {
        Ok(agent) => agent,
        Err(error) => return fail(voice, "agent_failed", &format!("The agent got no usable keys: {error}."), None),
    };
    let mut stopping = agent.stopping();
    ears.accept(&agent);
    if let Some(file) = order_file {
        tokio::spawn(container::follow_keys(file, order.clone(), Arc::clone(&agent)));
    }
    if let Some(port) = order.egress_port {
        // Before anything can ask for it.
        match egress::listen(port).await {
            Ok(listener) => drop(tokio::spawn(egress::serve(listener, Arc::new(agent.uplink().clone())))),
            Err(error) => log(&format!("the proxy to the outside could not listen on port {port}: {error}")),
        }
    }
    offer_server(&order, &agent, &environment).await;
    voice.say(&StartEvent::Ready);
    git::start(&order, agent.uplink(), &children, voice);
    tokio::spawn(timeline::follow(voice.clone(), agent.uplink().clone()));
    if let Some(command) = Command::of(&order, &environment, &children, voice) {
        tokio::spawn(command.keep(agent.stopping()));
    }
    log(&format!("run {} began: {}", order.run, order.argv.join(" ")));
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => agent.stop(),
            _ = signals.child.recv() => children.reap(),
            () = asked(&mut stopping) => break,
        }
    }
    let _ = tokio::time::timeout(FAREWELL, agent.until_nobody_is_attached()).await;
    end_all(&agent, order.is_alone, grace, &children).await;
    log("the workspace ended");
    ExitCode::SUCCESS
}

/// Offers programs inside the server's routes for machines, and keeps the token for them current. All that programs are
/// told stands before the first of them starts.
async fn offer_server(order: &AgentOrder, agent: &Agent, environment: &Environment) {
    // A network of its own has every port free; in a shared one each workspace takes what there is.
    let port = if order.egress_port.is_some() { api::PORT } else { 0 };
    let (folder, uplink) = (machine::folder(order), agent.uplink().clone());
    let port = match api::listen(port).await {
        Ok(listener) => {
            let port = listener.local_addr().ok().map(|address| address.port());
            tokio::spawn(api::serve(listener, uplink.clone()));
            port
        }
        Err(error) => {
            log(&format!("the server's routes could not be offered on loopback: {error}"));
            None
        }
    };
    machine::describe(environment, order, &folder, port);
    tokio::spawn(machine::follow(uplink, folder, environment.clone()));
}

async fn asked(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Ends every other process that this one may signal: politely, and after the grace for good.
///
/// Programs get SIGTERM first and shells are hung up last, because a shell passes the hang-up on to its jobs, which
/// would cut their own orderly end short.
async fn end_all(agent: &Agent, is_alone: bool, grace: Duration, children: &Children) {
    if is_alone {
        // What is stopped must go on to end.
        signal_all(Signal::TERM);
        signal_all(Signal::CONT);
        let _ = tokio::time::timeout(grace / 2, poll(|| !others(children))).await;
    }
    agent.hang_up();
    let gone = poll(|| {
        children.reap();
        !has_children()
    });
    if tokio::time::timeout(grace / 2, gone).await.is_ok() {
        return;
    }
    log("some programs did not end in time and are killed");
    if !is_alone {
        // The keeper outside ends what descends from it.
        return;
    }
    signal_all(Signal::KILL);
    let dead = poll(|| {
        children.reap();
        !has_children()
    });
    let _ = tokio::time::timeout(Duration::from_millis(500), dead).await;
}

/// `kill(-1)`: every process that this one may signal, but itself.
fn signal_all(signal: Signal) {
    let _ = rustix::process::kill_process_group(Pid::INIT, signal);
}

async fn poll(mut is_done: impl FnMut() -> bool) {
    while !is_done() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether anything of this user runs beside this process and the programs of terminals.
fn others(children: &Children) -> bool {
    children.reap();
    let user = rustix::process::getuid().as_raw();
    let known: Vec<Pid> = children.own().into_iter().chain([rustix::process::getpid()]).collect();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = processes.filter(|entry| entry.metadata().is_ok_and(|m| m.uid() == user));
    own.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)).any(|pid| !known.contains(&pid))
}

/// Orphans come to this process, so without children there is nobody left.
fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(rustix::process::waitid(WaitId::All, options), Err(rustix::io::Errno::CHILD))
}
