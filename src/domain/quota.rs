//! What a group, a person or an organization may use, what is used of it, and how that is shown.
//!
//! The numbers shown are the numbers that the check of [`super::pool`] counts: a refusal never disagrees with the bar
//! above it. An absent limit means "no limit", so it has no percentage. Lowering a quota below its use is allowed: it
//! stops nothing, it only refuses more.

use super::quantity::{GIB, print_bytes, print_cpu};
use super::size::Size;
use super::workspace::{Desired, Phase};
use serde::Serialize;

/// The four things that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    Cpu,
    Memory,
    Storage,
    /// The number of workspaces; the API calls it `pods`, as the seeds do.
    Pods,
}

impl Resource {
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Memory, Self::Storage, Self::Pods];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Storage => "storage",
            Self::Pods => "pods",
        }
    }

    /// An amount as the API prints it.
    pub fn print(self, amount: i64) -> String {
        match self {
            Self::Cpu => print_cpu(amount),
            Self::Memory | Self::Storage => print_bytes(amount),
            Self::Pods => amount.to_string(),
        }
    }
}

/// Limits; `None` is "no limit".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceQuota {
    /// Thousandths of a core.
    pub cpu_milli: Option<i64>,
    /// Bytes.
    pub memory_bytes: Option<i64>,
    /// Bytes.
    pub storage_bytes: Option<i64>,
    pub workspaces: Option<i64>,
}

impl ResourceQuota {
    /// What a new group gets when nobody says otherwise: 10 cores, 20Gi, 100Gi, 20 workspaces.
    pub const NEW_GROUP: Self =
        Self { cpu_milli: Some(10_000), memory_bytes: Some(20 * GIB), storage_bytes: Some(100 * GIB), workspaces: Some(20) };

    /// Nothing is limited.
    pub const UNLIMITED: Self = Self { cpu_milli: None, memory_bytes: None, storage_bytes: None, workspaces: None };

    pub fn of(&self, resource: Resource) -> Option<i64> {
        match resource {
            Resource::Cpu => self.cpu_milli,
            Resource::Memory => self.memory_bytes,
            Resource::Storage => self.storage_bytes,
            Resource::Pods => self.workspaces,
        }
    }

    /// This quota with the given limits in place of its own; what the change does not name stays.
    #[must_use]
    pub fn merged(&self, change: &QuotaChange) -> Self {
        Self {
            cpu_milli: change.cpu_milli.or(self.cpu_milli),
            memory_bytes: change.memory_bytes.or(self.memory_bytes),
            storage_bytes: change.storage_bytes.or(self.storage_bytes),
            workspaces: change.workspaces.or(self.workspaces),
        }
    }

    /// As the API prints it.
    pub fn view(&self) -> QuotaView {
        QuotaView {
            cpu: self.cpu_milli.map(print_cpu),
            memory: self.memory_bytes.map(print_bytes),
            storage: self.storage_bytes.map(print_bytes),
            pods: self.workspaces,
        }
    }
}

/// Some new limits, as a PATCH brings them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaChange {
    pub cpu_milli: Option<i64>,
    pub memory_bytes: Option<i64>,
    pub storage_bytes: Option<i64>,
    pub workspaces: Option<i64>,
}

/// `resourceQuota` of the API; `null` is "no limit".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct QuotaView {
    pub cpu: Option<String>,
    pub memory: Option<String>,
    pub storage: Option<String>,
    pub pods: Option<i64>,
}

/// Amounts in use, or asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub cpu_milli: i64,
    pub memory_bytes: i64,
    pub storage_bytes: i64,
    pub workspaces: i64,
}

impl Usage {
    pub fn of(&self, resource: Resource) -> i64 {
        match resource {
            Resource::Cpu => self.cpu_milli,
            Resource::Memory => self.memory_bytes,
            Resource::Storage => self.storage_bytes,
            Resource::Pods => self.workspaces,
        }
    }

    /// The sum; it stops at the end of the range instead of wrapping, so that a sum too large is still too large.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.zip(other, i64::saturating_add)
    }

    /// What is added on the way from `before` to here; negative where something is given back.
    #[must_use]
    pub fn beyond(&self, before: &Self) -> Self {
        self.zip(before, i64::saturating_sub)
    }

    fn zip(&self, other: &Self, f: impl Fn(i64, i64) -> i64) -> Self {
        Self {
            cpu_milli: f(self.cpu_milli, other.cpu_milli),
            memory_bytes: f(self.memory_bytes, other.memory_bytes),
            storage_bytes: f(self.storage_bytes, other.storage_bytes),
            workspaces: f(self.workspaces, other.workspaces),
        }
    }

    /// What one workspace counts for. Its disk and itself always count. Cpu and memory count while it should run or
    /// something of it may still run. While two sizes are in play (asked for, and in force), the larger counts.
    pub fn counted(requested: &Size, applied: Option<&Size>, desired: Desired, phase: Phase) -> Self {
        let larger = |asked: i64, in_force: Option<i64>| in_force.map_or(asked, |n| n.max(asked));
        let runs = desired == Desired::Running || phase != Phase::Absent;
        let while_running = |amount: i64| if runs { amount } else { 0 };
        Self {
            cpu_milli: while_running(larger(requested.cpu_milli, applied.map(|a| a.cpu_milli))),
            memory_bytes: while_running(larger(requested.memory_bytes, applied.map(|a| a.memory_bytes))),
            storage_bytes: larger(requested.disk_bytes, applied.map(|a| a.disk_bytes)),
            workspaces: 1,
        }
    }
}

/// Percent of `total`, rounded to two decimals; 0 when there is no total.
pub fn percentage(used: i64, total: Option<i64>) -> f64 {
    let Some(total) = total.filter(|total| *total > 0) else {
        return 0.0;
    };
    let hundredths = (i128::from(used) * 10_000 + i128::from(total) / 2) / i128::from(total);
    // Beyond 32 bits the quota is exceeded two hundred thousand times over, and nobody reads the digits.
    f64::from(i32::try_from(hundredths).unwrap_or(i32::MAX)) / 100.0
}

/// One bar: cpu, memory or storage.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct AmountView {
    pub used: String,
    /// `null` is "no limit".
    pub total: Option<String>,
    pub percentage: f64,
}

/// One bar in whole things.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct CountView {
    pub used: i64,
    pub total: Option<i64>,
    pub percentage: f64,
}

/// `ResourceUsage` of the API.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct UsageView {
    pub cpu: AmountView,
    pub memory: AmountView,
    pub storage: AmountView,
    pub pods: CountView,
}

impl UsageView {
    pub fn new(used: &Usage, quota: &ResourceQuota) -> Self {
        let amount = |resource: Resource| AmountView {
            used: resource.print(used.of(resource)),
            total: quota.of(resource).map(|total| resource.print(total)),
            percentage: percentage(used.of(resource), quota.of(resource)),
        };
        Self {
            cpu: amount(Resource::Cpu),
            memory: amount(Resource::Memory),
            storage: amount(Resource::Storage),
            pods: CountView { used: used.workspaces, total: quota.workspaces, percentage: percentage(used.workspaces, quota.workspaces) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(cpu: i64, memory: i64, disk: i64) -> Size {
        Size { cpu_milli: cpu, memory_bytes: memory, disk_bytes: disk, ..Size::default() }
    }

    #[test]
    #[allow(clippy::float_cmp)] // two decimals are exact here
    fn percentages_are_those_of_the_seed() {
        assert_eq!(percentage(15_000, Some(20_000)), 75.0);
        assert_eq!(percentage(28 * GIB, Some(40 * GIB)), 70.0);
        assert_eq!(percentage(12, Some(50)), 24.0);
        assert_eq!(percentage(1, Some(3)), 33.33);
        assert_eq!(percentage(2, Some(3)), 66.67);
        assert_eq!(percentage(5, Some(0)), 0.0);
        assert_eq!(percentage(5, None), 0.0);
    }

    #[test]
    fn a_stopped_workspace_keeps_its_disk_and_gives_back_the_rest() {
        let used = Usage::counted(&size(2_000, GIB, 20 * GIB), None, Desired::Stopped, Phase::Absent);
        assert_eq!(used, Usage { cpu_milli: 0, memory_bytes: 0, storage_bytes: 20 * GIB, workspaces: 1 });
    }

    #[test]
    fn a_workspace_that_is_still_stopping_counts_as_running() {
        let used = Usage::counted(&size(2_000, GIB, GIB), None, Desired::Stopped, Phase::Terminating);
        assert_eq!((used.cpu_milli, used.memory_bytes), (2_000, GIB));
        let asked = Usage::counted(&size(2_000, GIB, GIB), None, Desired::Running, Phase::Absent);
        assert_eq!(asked.cpu_milli, 2_000);
    }

    #[test]
    fn between_two_sizes_the_larger_counts() {
        let used = Usage::counted(&size(1_000, 4 * GIB, GIB), Some(&size(2_000, 2 * GIB, 2 * GIB)), Desired::Running, Phase::Ready);
        assert_eq!(used, Usage { cpu_milli: 2_000, memory_bytes: 4 * GIB, storage_bytes: 2 * GIB, workspaces: 1 });
    }

    #[test]
    fn a_partial_change_keeps_the_other_limits() {
        let change = QuotaChange { cpu_milli: Some(4_000), ..QuotaChange::default() };
        let merged = ResourceQuota::NEW_GROUP.merged(&change);
        assert_eq!(merged, ResourceQuota { cpu_milli: Some(4_000), ..ResourceQuota::NEW_GROUP });
    }

    #[test]
    fn the_view_is_the_shape_of_the_api() {
        let used = Usage { cpu_milli: 1_500, memory_bytes: GIB, storage_bytes: 0, workspaces: 2 };
        let view = serde_json::to_value(UsageView::new(&used, &ResourceQuota { storage_bytes: None, ..ResourceQuota::NEW_GROUP })).unwrap();
        assert_eq!(view["cpu"], serde_json::json!({"used": "1.5", "total": "10", "percentage": 15.0}));
        assert_eq!(view["storage"], serde_json::json!({"used": "0", "total": null, "percentage": 0.0}));
        assert_eq!(view["pods"], serde_json::json!({"used": 2, "total": 20, "percentage": 10.0}));
    }

    proptest! {
        #[test]
        fn counting_never_overflows_or_falls_below_what_was_asked(cpu in 1..i64::MAX, memory in 1..i64::MAX, other in 1..i64::MAX) {
            let asked = size(cpu, memory, other);
            let used = Usage::counted(&asked, Some(&size(other, other, cpu)), Desired::Running, Phase::Ready);
            prop_assert!(used.cpu_milli >= cpu && used.memory_bytes >= memory && used.storage_bytes >= other);
            let sum = used.plus(&used);
            prop_assert!(sum.cpu_milli >= used.cpu_milli);
        }

        #[test]
        fn a_percentage_is_a_number_whatever_is_used(used in any::<i64>(), total in any::<i64>()) {
            prop_assert!(percentage(used, Some(total)).is_finite());
        }
    }
}
