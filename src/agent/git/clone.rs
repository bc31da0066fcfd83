//! Clones the repository that a workspace was made with, once: when its folder is not there.
//!
//! The workspace is ready meanwhile, and stays so when this fails: the timeline says why and what to do, and the next
//! start tries again. The clone is made beside the folder and takes its name when it is whole, so that one that was
//! interrupted never passes for the repository.

use super::progress::{Progress, Stage};
use crate::agent::pty::Children;
use crate::agent::uplink::Uplink;
use crate::agent::voice::Voice;
use crate::domain::agent::AgentOrder;
use crate::domain::git::{Repository, Transport};
use rustix::process::Pid;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How long the connection to the server is waited for: the way out leads over it.
const CONNECT: Duration = Duration::from_secs(30);
/// How far it is, is told at most this often.
const PAUSE: Duration = Duration::from_secs(1);
/// And only when this much more is done, in percent: a run has room for a limited number of lines.
const STEP: u32 = 5;

/// Clones the repository, unless its folder is there. Tells the timeline by `voice`.
pub async fn clone_once(order: AgentOrder, repository: Repository, uplink: Uplink, children: Children, voice: Voice) {
    let home = PathBuf::from(&order.home);
    let target = home.join(repository.folder());
    if target.symlink_metadata().is_ok() {
        return;
    }
    voice.note("cloning", &format!("{}.", begun(&repository)), false);
    let _ = tokio::time::timeout(CONNECT, uplink.connections().next()).await;
    let beside = home.join(format!(".{}.cloning", repository.folder()));
    let done = match clone_beside(&order, &repository, &beside, &children, &voice).await {
        Ok(()) => std::fs::rename(&beside, &target).map_err(|e| format!("It was cloned but could not be moved into its place: {e}.")),
        Err(why) => Err(why),
    };
    match done {
        Ok(()) => voice.note("cloned", &format!("{repository} is in ~/{}.", repository.folder()), false),
        Err(why) => {
            let _ = std::fs::remove_dir_all(&beside);
            voice.note("clone_failed", &why, true);
        }
    }
}

async fn clone_beside(
    order: &AgentOrder,
    repository: &Repository,
    beside: &Path,
    children: &Children,
    voice: &Voice,
) -> Result<(), String> {
    // What an interrupted clone left behind.
    let _ = std::fs::remove_dir_all(beside);
    let missing = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound => {
            "There is no git in this workspace: choose an image that has it, or ask your platform admin to install it.".to_owned()
        }
        _ => format!("Git could not be started: {e}."),
    };
    let (output, exit) = spawn(order, repository, beside, children).map_err(missing)?;
    let mut progress = Progress::default();
    follow(output, &mut progress, voice, &begun(repository)).await;
    match exit.await {
        Ok(0) => Ok(()),
        _ => Err(progress.failure(repository)),
    }
}

/// Starts git; its messages, and its exit code.
fn spawn(
    order: &AgentOrder,
    repository: &Repository,
    beside: &Path,
    children: &Children,
) -> io::Result<(pipe::Receiver, oneshot::Receiver<i32>)> {
    let mut command = Command::new("git");
    command
        .args(["clone", "--progress", "--", repository.as_str()])
        .arg(beside)
        .env_clear()
        .envs(&order.env)
        // Nobody sits at a terminal; its words are read by a program.
        .envs([("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C.UTF-8"), ("LANGUAGE", "C")])
        .current_dir(&order.home)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if repository.transport() == Transport::Ssh {
        command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new");
    }
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    command.stderr(write);
    let child = command.spawn()?;
    // No await between start and registration: the reaper runs on this thread and cannot come in between.
    let exit = children.expect(Pid::from_child(&child));
    Ok((pipe::Receiver::from_owned_fd(read)?, exit))
}

fn begun(repository: &Repository) -> String {
    format!("Cloning {repository} into ~/{}", repository.folder())
}

/// Follows git to its end. What is news waits for its turn, so that the last word is told also where git is silent then.
async fn follow(output: pipe::Receiver, progress: &mut Progress, voice: &Voice, begun: &str) {
    let (mut last, mut at, mut waiting) = (Instant::now(), None, None);
    let mut buffer = [0_u8; 4096];
    loop {
        tokio::select! {
            ready = output.readable() => match ready.and_then(|()| output.try_read(&mut buffer)) {
                Ok(0) => return,
                Ok(length) => waiting = progress.take(&buffer[..length]).filter(|stage| is_news(*stage, at)).or(waiting),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            },
            () = tokio::time::sleep_until(last + PAUSE), if waiting.is_some() => {
                (last, at) = (Instant::now(), waiting.take());
                if let Some(stage) = at {
                    voice.note("cloning", &format!("{begun}: {}, {} %.", stage.part, stage.percent), false);
                }
            }
        }
    }
}

fn is_news(stage: Stage, before: Option<Stage>) -> bool {
    before.is_none_or(|before| stage.part != before.part || stage.percent >= before.percent + STEP)
}
