//! This process as the system sees it, under the names that every program's metrics have.
//!
//! Linux's `/proc` is read; where it says nothing the family is left out.

use super::snapshot::{counted, float};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use rustix::process::{Resource, getrlimit};
use std::fs;

/// What it uses.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Process {
    /// Seconds on a processor, for itself and for the system on its behalf.
    pub cpu_seconds: Option<f64>,
    pub resident_bytes: Option<u64>,
    pub threads: Option<u64>,
    pub open_files: Option<u64>,
    pub open_files_limit: Option<u64>,
    /// Seconds since 1970.
    pub started: Option<f64>,
}

impl Process {
    /// Reads it now; `started` is when it began, in seconds since 1970.
    pub fn read(started: f64) -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let (cpu_ticks, threads, pages) = of_stat(&stat).map_or((None, None, None), |(c, t, p)| (Some(c), Some(t), Some(p)));
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4_096);
        Self {
            cpu_seconds: cpu_ticks.map(|ticks| float(ticks) / float(rustix::param::clock_ticks_per_second().max(1))),
            resident_bytes: pages.map(|pages| pages.saturating_mul(page)),
            threads,
            open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
            open_files_limit: getrlimit(Resource::Nofile).current,
            started: Some(started),
        }
    }

    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("process");
        let of = |unit: &str| Unit::Other(unit.to_owned());
        if let Some(seconds) = self.cpu_seconds {
            registry.register_with_unit("cpu", "Time on a processor", Unit::Seconds, counted(seconds));
        }
        let gauges = [
            ("resident_memory", "Memory that it holds", Unit::Bytes, self.resident_bytes),
            ("running", "Threads", of("threads"), self.threads),
            ("open", "Files, sockets and pipes that it has open", of("fds"), self.open_files),
            ("max", "Files, sockets and pipes that it may have open", of("fds"), self.open_files_limit),
        ];
        for (name, help, unit, value) in gauges {
            if let Some(value) = value {
                registry.register_with_unit(name, help, unit, ConstGauge::new(float(value)));
            }
        }
        if let Some(started) = self.started {
            registry.register_with_unit("start_time", "When it was started, since 1970", Unit::Seconds, ConstGauge::new(started));
        }
        registry
    }

    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self::read(1.0)
    }
}

/// Ticks on a processor, threads and resident pages of a line of `/proc/<pid>/stat`. The program's name stands in
/// brackets and may hold anything.
fn of_stat(line: &str) -> Option<(u64, u64, u64)> {
    let after_name = line.rsplit_once(')')?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // The third field of the line, its state, is the first here.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some((number(14)? + number(15)?, number(20)?, number(24)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_whatever_the_program_is_called() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 9 0 100 1000000 321 18446744073709551615 1 1 0 0";
        assert_eq!(of_stat(line), Some((200, 9, 321)));
        assert_eq!(of_stat("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_memory_files_and_threads() {
        let process = Process::read(0.0);
        assert!(process.resident_bytes > Some(1 << 20) && process.threads > Some(0), "{process:?}");
        assert!(process.open_files > Some(2) && process.open_files <= process.open_files_limit, "{process:?}");
    }
}
