//! How large a group's quota should be: the seed's four presets by team size, and its formula.
//!
//! The formula: cpu and memory are per running workspace, times members, times the share of members who work at the same
//! time (60-80 %); storage and workspaces are per member, because a stopped workspace keeps its disk.

use super::quantity::{GIB, TIB};
use super::quota::ResourceQuota;

/// A proposed quota for teams of a certain size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Stable word: `small`, `medium`, `large`, `very-large`.
    pub name: &'static str,
    /// How many people: `1–5`.
    pub team: &'static str,
    pub quota: ResourceQuota,
}

const fn quota(cores: i64, memory_bytes: i64, storage_bytes: i64, workspaces: i64) -> ResourceQuota {
    ResourceQuota {
        cpu_milli: Some(cores * 1_000),
        memory_bytes: Some(memory_bytes),
        storage_bytes: Some(storage_bytes),
        workspaces: Some(workspaces),
    }
}

/// From the seed's sizing guide.
pub const PRESETS: [Preset; 4] = [
    Preset { name: "small", team: "1–5", quota: quota(10, 20 * GIB, 200 * GIB, 20) },
    Preset { name: "medium", team: "6–15", quota: quota(20, 40 * GIB, 500 * GIB, 50) },
    Preset { name: "large", team: "16–30", quota: quota(50, 100 * GIB, TIB, 100) },
    Preset { name: "very-large", team: "31+", quota: quota(100, 200 * GIB, 2 * TIB, 200) },
];

/// The preset for a team of so many people.
pub fn preset_for(members: i64) -> &'static Preset {
    let [small, medium, large, very_large] = &PRESETS;
    match members {
        ..=5 => small,
        6..=15 => medium,
        16..=30 => large,
        _ => very_large,
    }
}

/// What a team does, as far as the formula asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Team {
    pub members: i64,
    /// Of one running workspace, in thousandths of a core.
    pub cpu_milli: i64,
    /// Of one running workspace, in bytes.
    pub memory_bytes: i64,
    /// Of one member, in bytes.
    pub storage_bytes: i64,
    pub workspaces_per_member: i64,
    /// How many of a hundred members work at the same time; 60 to 80 is usual.
    pub concurrency_percent: i64,
}

/// The quota that the formula gives, or `None` when the numbers are out of any range. Parts of a core or of a byte are
/// rounded up: a quota that is a hair too small refuses the last person.
pub fn proposed(team: &Team) -> Option<ResourceQuota> {
    let at_once = |each: i64| {
        let hundredfold = each.checked_mul(team.members)?.checked_mul(team.concurrency_percent)?;
        Some(hundredfold.checked_add(99)? / 100)
    };
    let numbers = [team.members, team.cpu_milli, team.memory_bytes, team.storage_bytes, team.workspaces_per_member];
    if numbers.iter().any(|n| *n < 1) || !(1..=100).contains(&team.concurrency_percent) {
        return None;
    }
    Some(ResourceQuota {
        cpu_milli: Some(at_once(team.cpu_milli)?),
        memory_bytes: Some(at_once(team.memory_bytes)?),
        storage_bytes: Some(team.storage_bytes.checked_mul(team.members)?),
        workspaces: Some(team.workspaces_per_member.checked_mul(team.members)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEAM: Team = Team {
        members: 10,
        cpu_milli: 2_000,
        memory_bytes: 4 * GIB,
        storage_bytes: 50 * GIB,
        workspaces_per_member: 2,
        concurrency_percent: 70,
    };

    #[test]
    fn the_example_of_the_guide_comes_out() {
        assert_eq!(proposed(&TEAM), Some(quota(14, 28 * GIB, 500 * GIB, 20)));
    }

    #[test]
    fn parts_are_rounded_up() {
        let team = Team { members: 1, cpu_milli: 1, concurrency_percent: 1, ..TEAM };
        assert_eq!(proposed(&team).and_then(|q| q.cpu_milli), Some(1));
    }

    #[test]
    fn numbers_out_of_range_propose_nothing() {
        assert_eq!(proposed(&Team { members: i64::MAX, ..TEAM }), None);
        assert_eq!(proposed(&Team { members: 0, ..TEAM }), None);
        assert_eq!(proposed(&Team { concurrency_percent: 101, ..TEAM }), None);
    }

    #[test]
    fn the_presets_meet_where_the_guide_says() {
        let names: Vec<_> = [1, 5, 6, 15, 16, 30, 31, 500].into_iter().map(|n| preset_for(n).name).collect();
        assert_eq!(names, ["small", "small", "medium", "medium", "large", "large", "very-large", "very-large"]);
    }
}
