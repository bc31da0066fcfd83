//! This host as the one node: what it has, what its workspaces were given of it, and what is really in use.

use crate::cluster::local::state::Shared;
use crate::cluster::{NodeCapacity, Phase};
use std::fs;

/// What the kernel calls this host.
fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// `MemTotal:       16318432 kB` in bytes.
fn memory(table: &str, row: &str) -> Option<i64> {
    let line = table.lines().find_map(|line| line.strip_prefix(row)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse::<i64>().ok()?.checked_mul(1024)
}

/// The load of the last minute in thousandths of a core: `0.53` is 530.
fn load(table: &str) -> Option<i64> {
    let hundredths: i64 = table.split(' ').next()?.replace('.', "").parse().ok()?;
    Some(hundredths * 10)
}

/// What the file system of the homes has, and what of it is in use, in bytes. What is kept back for root is neither.
fn disk(shared: &Shared) -> Option<(i64, i64)> {
    let found = rustix::fs::statvfs(&shared.options.data_dir).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(found.f_frsize)).ok();
    let (free, used) = (bytes(found.f_bavail)?, bytes(found.f_blocks.saturating_sub(found.f_bfree))?);
    Some((used.checked_add(free)?, used))
}

/// Reads it all; `None` where the kernel does not tell.
pub fn node(shared: &Shared) -> Option<NodeCapacity> {
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    let total = memory(&table, "MemTotal")?;
    let cores = std::thread::available_parallelism().map_or(1, |n| i64::try_from(n.get()).unwrap_or(1)) * 1_000;
    let (cpu, given) = given(shared);
    let disk = disk(shared);
    Some(NodeCapacity {
        name: name(),
        total_cpu_milli: cores,
        total_memory_bytes: total,
        cpu_milli: cores,
        memory_bytes: total,
        used_cpu_milli: cpu,
        used_memory_bytes: given,
        busy_cpu_milli: fs::read_to_string("/proc/loadavg").ok().and_then(|table| load(&table)).map(|load| load.min(cores)),
        busy_memory_bytes: memory(&table, "MemAvailable").map(|available| total - available),
        disk_bytes: disk.map(|(total, _)| total),
        used_disk_bytes: disk.map(|(_, used)| used),
        ..NodeCapacity::default()
    })
}

/// What workspaces that run were given together: thousandths of a core, and bytes.
fn given(shared: &Shared) -> (i64, i64) {
    let state = shared.state();
    let running = state.workspaces.values().filter(|entry| entry.phase != Phase::Absent);
    running.fold((0, 0), |(cpu, memory), entry| {
        let size = entry.applied.as_ref().unwrap_or(&entry.wanted_size);
        (cpu.saturating_add(size.cpu_milli), memory.saturating_add(size.memory_bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_kernel_are_read_and_nonsense_is_nothing() {
        let table = "MemTotal:       16318432 kB\nMemFree:         1 kB\nMemAvailable:    8159216 kB\n";
        assert_eq!((memory(table, "MemTotal"), memory(table, "MemAvailable")), (Some(16_710_074_368), Some(8_355_037_184)));
        assert_eq!((memory(table, "Mem"), memory("MemTotal: much", "MemTotal")), (None, None));
        assert_eq!((load("0.53 0.40 0.30 1/200 99"), load("12.00 1 1"), load("")), (Some(530), Some(12_000), None));
    }
}
