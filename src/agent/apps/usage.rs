//! What each app uses: its program and all that descends from it, read from `/proc` when somebody asks.
//!
//! What an app starts and lets go of (a daemon) is nobody's any more and counts for the workspace alone. The processor is
//! told as a mean since the last question, so nothing is measured while nobody asks.

use super::{Apps, Supervised};
use crate::agent::process_table::{self, Process};
use crate::clock::{Millis, SECOND};
use crate::domain::app::AppUse;
use rustix::process::Pid;
use std::collections::BTreeMap;

/// Two readings of the processor closer than this, in milliseconds, tell more about the kernel's clock than about the app.
const CPU_GOOD_FOR: i64 = SECOND;

/// What was last read of the processor, of which program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pid: i32,
    at: Millis,
    microseconds: u64,
    milli: Option<i64>,
}

/// What the kernel counted of one app.
pub struct Counted {
    pub(super) pid: i32,
    pub(super) microseconds: u64,
    pub(super) memory: u64,
    pub(super) processes: usize,
}

/// Reads what these apps use, by the processes that lead them. It may take some milliseconds.
pub fn count(leaders: &BTreeMap<i32, String>) -> BTreeMap<String, Counted> {
    let all = if leaders.is_empty() { Vec::new() } else { process_table::all() };
    leaders.iter().filter_map(|(pid, slug)| Some((slug.clone(), counted(*pid, &all)?))).collect()
}

fn counted(pid: i32, all: &[Process]) -> Option<Counted> {
    let leader = Pid::from_raw(pid)?;
    let mut tree = process_table::below(leader, all.iter().copied());
    tree.push(*all.iter().find(|process| process.pid == leader)?);
    let (microseconds, memory) = (process_table::microseconds_of(&tree), process_table::memory_of(&tree));
    Some(Counted { pid, microseconds, memory, processes: tree.len() })
}

impl Apps {
    /// What was counted, as it is told, in the order of the recipe.
    pub fn used(&self, counted: &BTreeMap<String, Counted>) -> Vec<AppUse> {
        self.all.iter().filter_map(|app| Some(app.used(counted.get(&app.app.slug)?))).collect()
    }
}

impl Supervised {
    fn used(&self, counted: &Counted) -> AppUse {
        AppUse {
            slug: self.app.slug.clone(),
            cpu_milli: self.cpu_milli(counted),
            memory_bytes: signed(counted.memory),
            processes: i64::try_from(counted.processes).unwrap_or(i64::MAX),
        }
    }

    /// Thousandths of a core since the last reading, which this one replaces unless it was a moment ago.
    fn cpu_milli(&self, counted: &Counted) -> Option<i64> {
        let now = self.clock.now();
        let last = &mut self.state().cpu;
        let milli = match last.filter(|last| last.pid == counted.pid) {
            Some(last) if now.since(last.at) < CPU_GOOD_FOR => return last.milli,
            Some(last) => Some(signed(counted.microseconds.saturating_sub(last.microseconds)) / now.since(last.at)),
            None => None,
        };
        *last = Some(Reading { pid: counted.pid, at: now, microseconds: counted.microseconds, milli });
        milli
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_an_app_started_counts_for_it_and_nothing_else_does() {
        let mut child = std::process::Command::new("sh").args(["-c", "sleep 60 & sleep 60; wait"]).spawn().unwrap();
        let pid = child.id().cast_signed();
        let leaders = BTreeMap::from([(pid, "editor".to_owned()), (i32::MAX, "gone".to_owned())]);
        let settled = (0..100).map(|_| std::thread::sleep(std::time::Duration::from_millis(20))).map(|()| count(&leaders));
        let found = settled.into_iter().find(|found| found.get("editor").is_some_and(|one| one.processes == 3)).unwrap();
        for process in process_table::descendants(Pid::from_raw(pid).unwrap()) {
            let _ = rustix::process::kill_process(process.pid, rustix::process::Signal::KILL);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found["editor"].memory > 0 && found.len() == 1, "of a program that is gone nothing is told");
    }
}
