//! The command that a recipe states: it runs beside the terminals for as long as the workspace does.
//!
//! It writes where the agent itself writes, so that its words stand in the workspace's log as they are. One that ends
//! with an error is started again after a pause that grows; one that ends well is done. The timeline says both.

use crate::agent::init::log;
use crate::agent::machine::Environment;
use crate::agent::pty::{self, Children};
use crate::agent::voice::Voice;
use crate::domain::agent::AgentOrder;
use rustix::process::{Pid, Signal};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// The pause before it is started again: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One that ran this long had started well.
const STEADY: Duration = Duration::from_secs(60);

/// A command and what it is started with.
pub struct Command {
    order: AgentOrder,
    environment: Environment,
    children: Children,
    voice: Voice,
}

impl Command {
    /// The command of an order, where it has one.
    pub fn of(order: &AgentOrder, environment: &Environment, children: &Children, voice: &Voice) -> Option<Self> {
        (!order.command.is_empty()).then(|| Self {
            order: order.clone(),
            environment: environment.clone(),
            children: children.clone(),
            voice: voice.clone(),
        })
    }

    /// Keeps it running until the workspace stops.
    pub async fn keep(self, mut stopping: watch::Receiver<bool>) {
        let name = self.order.command.first().cloned().unwrap_or_default();
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let (leader, exit) = match self.start(&name) {
                Ok(started) => started,
                Err(error) => return self.tell("command_missing", &format!("The command {name} could not be started: {error}."), true),
            };
            let code = tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => {
                    let _ = rustix::process::kill_process_group(leader, Signal::TERM);
                    return;
                }
                code = exit => code.unwrap_or(-1),
            };
            if code == 0 {
                return self.tell("command_ended", &format!("The command {name} has ended."), false);
            }
            pause = if begun.elapsed() >= STEADY { FIRST_PAUSE } else { pause };
            let words = format!("The command {name} ended with code {code}. It is started again after {} s.", pause.as_secs());
            self.tell("command_failed", &words, true);
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn tell(&self, code: &str, words: &str, failed: bool) {
        log(words);
        self.voice.note(code, words, failed);
    }

    /// Starts it as the leader of a group of its own; its exit code, where a signal counts as 128 plus its number.
    fn start(&self, name: &str) -> io::Result<(Pid, oneshot::Receiver<i32>)> {
        let env = self.environment.over(&self.order.env);
        let path = env.get("PATH").map_or("", String::as_str);
        let file = pty::find(name, path, Path::new(&self.order.home)).ok_or_else(|| io::Error::other("it is not in this workspace"))?;
        let mut command = std::process::Command::new(file);
        command.arg0(name).args(self.order.command.get(1..).unwrap_or_default());
        command.env_clear().envs(env).current_dir(&self.order.home).process_group(0).stdin(Stdio::null());
        let child = command.spawn()?;
        // No await between start and registration: the reaper runs on this thread and cannot come in between.
        let leader = Pid::from_child(&child);
        Ok((leader, self.children.expect(leader)))
    }
}
