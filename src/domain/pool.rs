//! The quota check: a change is weighed at every level it draws on, before anything is made.
//!
//! The order is that of decision D6: the size cap of one workspace, the user's limits, the group's quota, then each
//! organization up to the root. All levels are weighed, so that a dry run can show the whole picture; the first that is
//! too small is the one that is told. What gives something back always fits, also into a pool that is over its limit.
//! Loading the levels and their use is the store's work, in the same transaction as the change.

use super::quantity::{human_bytes, human_bytes_parts, human_cpu, print_bytes, print_cpu};
use super::quota::{Resource, ResourceQuota, Usage};
use crate::error::{Error, QuotaExceeded};
use serde::Serialize;

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelKind {
    /// The cap on the size of one workspace.
    Workspace,
    User,
    Group,
    Organization,
}

impl LevelKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::User => "user",
            Self::Group => "group",
            Self::Organization => "organization",
        }
    }
}

/// One level with its limits and what is used of them now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    pub kind: LevelKind,
    /// The id of the user, group or organization; for the size cap, of what sets it.
    pub id: String,
    /// Its name for people.
    pub name: String,
    pub quota: ResourceQuota,
    /// What is used before the change. Ignored for the size cap, which nobody shares.
    pub used: Usage,
}

/// What a change asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ask {
    /// What the workspace itself would count for: weighed against the size cap.
    pub whole: Usage,
    /// What it would count for beyond today: weighed against the pools. Negative where something is given back.
    pub added: Usage,
}

impl Ask {
    /// The change from what the workspace counts at present (`None`: there is none yet) to what it would count for.
    pub fn from_change(before: Option<&Usage>, after: &Usage) -> Self {
        Self { whole: *after, added: before.map_or(*after, |before| after.beyond(before)) }
    }
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub ok: bool,
    pub level: LevelKind,
    pub id: String,
    pub level_name: String,
    pub resource: Resource,
    pub requested: i64,
    pub used: i64,
    pub total: i64,
    /// Never negative: a pool over its limit has nothing left.
    pub available: i64,
}

/// Weighs the change at every level, in order; a resource without a limit is not weighed.
pub fn check(levels: &[Level], ask: &Ask) -> Vec<Check> {
    levels.iter().flat_map(|level| Resource::ALL.into_iter().filter_map(|resource| check_one(level, resource, ask))).collect()
}

fn check_one(level: &Level, resource: Resource, ask: &Ask) -> Option<Check> {
    let total = level.quota.of(resource)?;
    let added = ask.added.of(resource);
    let (requested, used) = match level.kind {
        LevelKind::Workspace => (ask.whole.of(resource), 0),
        LevelKind::User | LevelKind::Group | LevelKind::Organization => (added.max(0), level.used.of(resource)),
    };
    // What does not grow is never refused: it was there before, and a lowered limit stops nothing.
    let ok = added <= 0 || used.checked_add(requested).is_some_and(|sum| sum <= total);
    let available = total.saturating_sub(used).max(0);
    let (id, level_name) = (level.id.clone(), level.name.clone());
    Some(Check { ok, level: level.kind, id, level_name, resource, requested, used, total, available })
}

/// What a group's quota leaves beside its use: nothing is asked for, and what is below its use is not ok.
pub fn left_of(id: &str, name: &str, used: &Usage, quota: &ResourceQuota) -> Vec<Check> {
    let one = |resource: Resource| {
        let (used, total) = (used.of(resource), quota.of(resource)?);
        let (id, level_name, available) = (id.to_owned(), name.to_owned(), total.saturating_sub(used).max(0));
        Some(Check { ok: used <= total, level: LevelKind::Group, id, level_name, resource, requested: 0, used, total, available })
    };
    Resource::ALL.into_iter().filter_map(one).collect()
}

/// `Ok` when everything fits, else the refusal by the first level that is too small.
pub fn require(checks: &[Check]) -> Result<(), Error> {
    match checks.iter().find(|check| !check.ok) {
        Some(check) => Err(Error::Quota(Box::new(check.refusal()))),
        None => Ok(()),
    }
}

impl Check {
    /// The refusal with its numbers and its sentence.
    pub fn refusal(&self) -> QuotaExceeded {
        let print = |amount| self.resource.print(amount);
        QuotaExceeded {
            level: self.level.as_str(),
            id: self.id.clone(),
            resource: self.resource.as_str(),
            requested: print(self.requested),
            used: print(self.used),
            total: print(self.total),
            available: print(self.available),
            message: self.sentence(),
        }
    }

    fn sentence(&self) -> String {
        let (asked, left, total) = (self.words(self.requested), self.words(self.available), self.bare_total());
        let of_what = match self.resource {
            Resource::Memory => " of memory",
            Resource::Storage => " of storage",
            Resource::Cpu | Resource::Pods => "",
        };
        let place = match self.level {
            LevelKind::Workspace => {
                let cap = self.words(self.total);
                return format!("Too large: one workspace in {} may have {cap}{of_what}, and this one asks for {asked}.", self.level_name);
            }
            LevelKind::User => format!("the limit of {}", self.level_name),
            LevelKind::Group => self.level_name.clone(),
            LevelKind::Organization => format!("the organization {}", self.level_name),
        };
        let left = match (self.available, self.resource, self.is_one(self.available)) {
            (0, Resource::Pods, _) => "none is left".to_owned(),
            (0, _, _) => "nothing is left".to_owned(),
            (_, _, true) => format!("{left} is left"),
            (_, _, false) => format!("{left} are left"),
        };
        format!("Does not fit in {place}. It asks for {asked}{of_what}; {left} of {total}.")
    }

    /// The shortfall in a few words, for a button that is off: `ml-research has 2 cores left, it needs 4 cores`.
    pub fn shortfall(&self) -> String {
        let (left, needs) = (self.words(self.available), self.words(self.requested));
        format!("{} has {left} left, it needs {needs}", self.level_name)
    }

    fn is_one(&self, amount: i64) -> bool {
        match self.resource {
            Resource::Cpu => amount == super::quantity::CORE,
            Resource::Memory | Resource::Storage => human_bytes_parts(amount).0 == "1",
            Resource::Pods => amount == 1,
        }
    }

    /// Two different amounts never read the same: where rounding would make them, both are printed exactly.
    fn words(&self, amount: i64) -> String {
        match self.resource {
            Resource::Cpu => human_cpu(amount),
            Resource::Memory | Resource::Storage if self.rounds_alike() => print_bytes(amount),
            Resource::Memory | Resource::Storage => human_bytes(amount),
            Resource::Pods if amount == 1 => "1 workspace".to_owned(),
            Resource::Pods => format!("{amount} workspaces"),
        }
    }

    fn rounds_alike(&self) -> bool {
        self.requested != self.available && human_bytes(self.requested) == human_bytes(self.available)
    }

    /// The total without its unit where the amount before it has the same one: "4 GiB are left of 32".
    fn bare_total(&self) -> String {
        let ((_, left_unit), (number, unit)) = (human_bytes_parts(self.available), human_bytes_parts(self.total));
        match self.resource {
            Resource::Cpu => print_cpu(self.total),
            Resource::Pods => self.total.to_string(),
            Resource::Memory | Resource::Storage if self.rounds_alike() => print_bytes(self.total),
            Resource::Memory | Resource::Storage if left_unit == unit => number,
            Resource::Memory | Resource::Storage => format!("{number} {unit}"),
        }
    }
}

/// A check as a dry run tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CheckView {
    pub ok: bool,
    /// `workspace`, `user`, `group` or `organization`.
    pub level: &'static str,
    pub id: String,
    /// The level's name for people.
    pub name: String,
    /// `cpu`, `memory`, `storage` or `pods`.
    pub resource: &'static str,
    pub requested: String,
    pub used: String,
    pub total: String,
    pub available: String,
}

impl From<&Check> for CheckView {
    fn from(check: &Check) -> Self {
        let print = |amount| check.resource.print(amount);
        Self {
            ok: check.ok,
            level: check.level.as_str(),
            id: check.id.clone(),
            name: check.level_name.clone(),
            resource: check.resource.as_str(),
            requested: print(check.requested),
            used: print(check.used),
            total: print(check.total),
            available: print(check.available),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::quantity::{GIB, KIB};
    use super::*;
    use proptest::prelude::*;

    fn level(kind: LevelKind, quota: ResourceQuota, used: Usage) -> Level {
        Level { kind, id: "grp_1".into(), name: "payments".into(), quota, used }
    }

    fn memory(total: i64, used: i64) -> Level {
        let quota = ResourceQuota { memory_bytes: Some(total), ..ResourceQuota::UNLIMITED };
        level(LevelKind::Group, quota, Usage { memory_bytes: used, ..Usage::default() })
    }

    fn asking(memory_bytes: i64) -> Ask {
        Ask::from_change(None, &Usage { memory_bytes, ..Usage::default() })
    }

    fn message(levels: &[Level], ask: &Ask) -> String {
        require(&check(levels, ask)).err().map_or_else(String::new, |e| e.to_string())
    }

    #[test]
    fn the_refusal_says_what_was_asked_and_what_is_left() {
        assert_eq!(
            message(&[memory(32 * GIB, 28 * GIB)], &asking(16 * GIB)),
            "Does not fit in payments. It asks for 16 GiB of memory; 4 GiB are left of 32."
        );
        assert_eq!(
            message(&[memory(32 * GIB, 40 * GIB)], &asking(GIB)),
            "Does not fit in payments. It asks for 1 GiB of memory; nothing is left of 32 GiB."
        );
    }

    #[test]
    fn a_refusal_of_the_thousandth_part_shows_two_different_numbers() {
        let text = message(&[memory(4 * GIB, 0)], &asking(4 * GIB + KIB));
        assert_eq!(text, "Does not fit in payments. It asks for 4194305Ki of memory; 4Gi are left of 4Gi.");
    }

    #[test]
    fn counts_and_cores_read_as_words() {
        let quota = ResourceQuota { workspaces: Some(20), ..ResourceQuota::UNLIMITED };
        let full = level(LevelKind::Organization, quota, Usage { workspaces: 20, ..Usage::default() });
        let one = Ask::from_change(None, &Usage { workspaces: 1, ..Usage::default() });
        assert_eq!(message(&[full], &one), "Does not fit in the organization payments. It asks for 1 workspace; none is left of 20.");
        let quota = ResourceQuota { cpu_milli: Some(10_000), ..ResourceQuota::UNLIMITED };
        let tight = level(LevelKind::User, quota, Usage { cpu_milli: 9_000, ..Usage::default() });
        let four = Ask::from_change(None, &Usage { cpu_milli: 4_000, ..Usage::default() });
        assert_eq!(
            message(std::slice::from_ref(&tight), &four),
            "Does not fit in the limit of payments. It asks for 4 cores; 1 core is left of 10."
        );
        assert_eq!(check(&[tight], &four)[0].shortfall(), "payments has 1 core left, it needs 4 cores");
    }

    #[test]
    fn the_first_level_that_is_too_small_is_told_and_all_are_shown() {
        let cap = level(LevelKind::Workspace, ResourceQuota { memory_bytes: Some(8 * GIB), ..ResourceQuota::UNLIMITED }, Usage::default());
        let levels = [cap, memory(4 * GIB, 0)];
        let checks = check(&levels, &asking(16 * GIB));
        assert_eq!(checks.len(), 2);
        assert!(checks.iter().all(|c| !c.ok));
        assert_eq!(
            message(&levels, &asking(16 * GIB)),
            "Too large: one workspace in payments may have 8 GiB of memory, and this one asks for 16 GiB."
        );
    }

    #[test]
    fn giving_back_fits_into_a_pool_that_is_over_its_limit() {
        let before = Usage { memory_bytes: 8 * GIB, storage_bytes: GIB, ..Usage::default() };
        let after = Usage { memory_bytes: 6 * GIB, storage_bytes: GIB, ..Usage::default() };
        assert!(require(&check(&[memory(4 * GIB, 8 * GIB)], &Ask::from_change(Some(&before), &after))).is_ok());
    }

    #[test]
    fn exactly_what_is_left_fits() {
        assert!(require(&check(&[memory(4 * GIB, GIB)], &asking(3 * GIB))).is_ok());
        assert!(require(&check(&[memory(4 * GIB, GIB)], &asking(3 * GIB + 1))).is_err());
    }

    #[test]
    fn a_check_prints_its_amounts_as_the_api_does() {
        let value = serde_json::to_value(CheckView::from(&check(&[memory(32 * GIB, 28 * GIB)], &asking(16 * GIB))[0])).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"ok": false, "level": "group", "id": "grp_1", "name": "payments", "resource": "memory",
            "requested": "16Gi", "used": "28Gi", "total": "32Gi", "available": "4Gi"})
        );
    }

    proptest! {
        #[test]
        fn a_pool_that_was_within_its_limit_stays_within(total in 1..i64::MAX, used in 0..i64::MAX, added in any::<i64>()) {
            let ask = Ask { whole: Usage::default(), added: Usage { memory_bytes: added, ..Usage::default() } };
            let checks = check(&[memory(total, used)], &ask);
            let fits = i128::from(used) + i128::from(added) <= i128::from(total);
            prop_assert_eq!(checks[0].ok, fits || added <= 0);
            prop_assert!(checks[0].available >= 0 && checks[0].available <= total);
            prop_assert!(!checks[0].sentence().is_empty());
        }

        #[test]
        fn two_steps_fit_together_only_if_their_sum_does(total in 1..BIG, first in 1..BIG, second in 1..BIG) {
            let both = require(&check(&[memory(total, first)], &asking(second))).is_ok()
                && require(&check(&[memory(total, 0)], &asking(first))).is_ok();
            prop_assert_eq!(both, first + second <= total);
        }
    }

    const BIG: i64 = 1 << 60;
}
