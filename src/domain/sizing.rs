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

/// The guide's example has two cores, 4 GiB and two workspaces of 50 GiB for each, at 70 %: where nothing better is known.
pub const USUAL: Team = Team {
    members: 5,
    cpu_milli: 2_000,
    memory_bytes: 4 * GIB,
    storage_bytes: 50 * GIB,
    workspaces_per_member: 2,
    concurrency_percent: 70,
};

/// The formula's answer with room to breathe, as the guide provisions it: two fifths more of all but the storage, rounded
/// up to something round.
pub fn with_buffer(quota: &ResourceQuota) -> ResourceQuota {
    ResourceQuota {
        cpu_milli: quota.cpu_milli.map(|cpu| roomy(cpu, 1_000)),
        memory_bytes: quota.memory_bytes.map(|memory| roomy(memory, GIB)),
        storage_bytes: quota.storage_bytes.map(|storage| round_up(storage, GIB)),
        workspaces: quota.workspaces.map(|workspaces| roomy(workspaces, 1)),
    }
}

/// Below ten units to a whole one, above to five of them.
fn roomy(amount: i64, unit: i64) -> i64 {
    let more = amount.saturating_add(amount / 5 * 2).saturating_add((amount % 5 * 2 + 4) / 5);
    if more < unit.saturating_mul(10) { round_up(more, unit) } else { round_up(more, unit.saturating_mul(5)) }
}

fn round_up(amount: i64, unit: i64) -> i64 {
    amount.saturating_add(unit - 1) / unit * unit
}

/// What a group did, as far as its history tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    pub members: i64,
    /// The most that ran at the same time.
    pub running: i64,
    /// The most that running workspaces counted for, in thousandths of a core and in bytes.
    pub cpu_milli: i64,
    pub memory_bytes: i64,
    /// The most that all of them kept on disks, and how many there were.
    pub storage_bytes: i64,
    pub workspaces: i64,
}

/// The numbers of the formula from what was seen; `None` where it never had a workspace that ran, or has no members.
pub fn team_of(seen: &Seen) -> Option<Team> {
    let up = |amount: i64, by: i64| amount.saturating_add(by - 1) / by;
    if seen.members < 1 || seen.running < 1 {
        return None;
    }
    Some(Team {
        members: seen.members,
        cpu_milli: up(seen.cpu_milli, seen.running).max(1),
        memory_bytes: up(seen.memory_bytes, seen.running).max(1),
        storage_bytes: up(seen.storage_bytes, seen.members).max(1),
        workspaces_per_member: up(seen.workspaces, seen.members).max(1),
        concurrency_percent: up(seen.running.saturating_mul(100), seen.members).clamp(1, 100),
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
    fn the_example_is_provisioned_as_the_guide_does() {
        assert_eq!(with_buffer(&proposed(&TEAM).unwrap()), quota(20, 40 * GIB, 500 * GIB, 30));
        let small = with_buffer(&proposed(&Team { members: 1, ..TEAM }).unwrap());
        assert_eq!(small, quota(2, 4 * GIB, 50 * GIB, 3));
        assert_eq!(with_buffer(&quota(1, i64::MAX, 1, 1)).memory_bytes, Some(i64::MAX / (5 * GIB) * (5 * GIB)));
    }

    #[test]
    fn history_gives_the_numbers_of_the_formula_and_nothing_gives_none() {
        let seen = Seen { members: 10, running: 7, cpu_milli: 14_000, memory_bytes: 28 * GIB, storage_bytes: 500 * GIB, workspaces: 20 };
        assert_eq!(team_of(&seen), Some(TEAM));
        assert_eq!(team_of(&Seen { running: 0, ..seen }), None);
        assert_eq!(team_of(&Seen { members: 0, ..seen }), None);
        let busy = team_of(&Seen { members: 2, ..seen }).unwrap();
        assert_eq!((busy.concurrency_percent, busy.workspaces_per_member), (100, 10));
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
