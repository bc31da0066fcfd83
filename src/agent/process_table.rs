//! The processes that can be seen, as far as the agent and the local runtime need them: who descends from whom, and what
//! they use.
//!
//! Read from `/proc` with no library, since a handful of numbers is all that is wanted. A process may end at any moment:
//! what cannot be read is left out.

use rustix::process::Pid;
use std::collections::HashMap;
use std::fs;

/// The kernel's unit of processor time in `/proc`, fixed by its interface to programs.
const TICKS_PER_SECOND: u64 = 100;

/// One process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub pid: Pid,
    pub parent: i32,
    /// Clock ticks spent by it and by its children that it waited for.
    pub ticks: u64,
    /// Resident memory in pages, shared ones included.
    pub resident_pages: u64,
}

/// Every process that can be seen.
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|pid| parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

/// Every process below `ancestor`, without itself.
pub fn descendants(ancestor: Pid) -> Vec<Process> {
    below(ancestor, all())
}

/// The same out of a list that was made before.
pub fn below(ancestor: Pid, processes: impl IntoIterator<Item = Process>) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in processes {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut open = vec![ancestor.as_raw_nonzero().get()];
    while let Some(parent) = open.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            open.push(child.pid.as_raw_nonzero().get());
            found.push(child);
        }
    }
    found
}

/// Processor time that these have spent.
pub fn microseconds_of(processes: &[Process]) -> u64 {
    processes.iter().map(|p| p.ticks).sum::<u64>() * (1_000_000 / TICKS_PER_SECOND)
}

/// Memory of these in bytes: shared pages count once over all who share them, where the kernel tells.
pub fn memory_of(processes: &[Process]) -> u64 {
    let page = rustix::param::page_size() as u64;
    processes.iter().map(|p| proportional_bytes(p.pid).unwrap_or(p.resident_pages * page)).sum()
}

/// The proportional share of memory in bytes.
fn proportional_bytes(pid: Pid) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", pid.as_raw_nonzero())).ok()?;
    let line = text.lines().find(|l| l.starts_with("Pss:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Reads one line of `/proc/<pid>/stat`. The name in parentheses may hold anything, also spaces and parentheses.
fn parse(stat: &str) -> Option<Process> {
    let pid = stat.split(' ').next()?.parse().ok()?;
    let rest: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split_whitespace().collect();
    let number = |n: usize| rest.get(n)?.parse::<u64>().ok();
    Some(Process {
        pid: Pid::from_raw(pid)?,
        parent: rest.get(1)?.parse().ok()?,
        ticks: number(11)? + number(12)? + number(13)? + number(14)?,
        resident_pages: number(21)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) b) (c) S 7 42 42 0 -1 4194304 100 0 0 0 5 6 7 8 20 0 1 0 100 1000000 321 18446744073709551615 1";
        let process = parse(line).unwrap();
        assert_eq!((process.parent, process.ticks, process.resident_pages), (7, 26, 321));
    }

    #[test]
    fn this_process_is_seen_and_descends_from_its_parent() {
        let me = rustix::process::getpid();
        assert!(all().iter().any(|p| p.pid == me));
        let parent = rustix::process::getppid().unwrap();
        assert!(descendants(parent).iter().any(|p| p.pid == me));
    }
}
