//! What the cluster has, what is given away of it, and how much more fits; what all quotas together promise against it.
//!
//! Pure: the numbers come from the reading half of the cluster, the promises from the store. A node that takes nothing
//! new still counts for what it has, but nothing more fits on it.

use super::quantity::{GIB, print_bytes};
use super::quota::{Resource, Usage, percentage};
use serde::Serialize;
use std::collections::BTreeMap;

/// What the cluster has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Capacity {
    pub nodes: Vec<NodeCapacity>,
}

/// One machine. Amounts that cannot be known, or have no limit, are `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeCapacity {
    pub name: String,
    /// What a cloud calls this kind of machine.
    pub instance_type: Option<String>,
    /// Why it takes nothing new: `cordoned`, `not ready`, `not for workspaces (…)`.
    pub unschedulable: Option<String>,
    /// What the machine has, in thousandths of a core and in bytes.
    pub total_cpu_milli: i64,
    pub total_memory_bytes: i64,
    /// What of it can be given to workspaces.
    pub cpu_milli: i64,
    pub memory_bytes: i64,
    /// What is given away: the sum of what everything that runs or waits on it has asked for.
    pub used_cpu_milli: i64,
    pub used_memory_bytes: i64,
    /// What is really in use, measured.
    pub busy_cpu_milli: Option<i64>,
    pub busy_memory_bytes: Option<i64>,
    /// How many pods it has places for, how many of these can be given, and how many are.
    pub total_pods: Option<i64>,
    pub pods: Option<i64>,
    pub used_pods: i64,
    /// The file system that holds homes.
    pub disk_bytes: Option<i64>,
    pub used_disk_bytes: Option<i64>,
}

/// The workspace that free places are counted in: 2 cores and 4 GiB.
pub const SLOT_CPU_MILLI: i64 = 2_000;
pub const SLOT_MEMORY_BYTES: i64 = 4 * GIB;

impl NodeCapacity {
    pub fn free_cpu_milli(&self) -> i64 {
        (self.cpu_milli - self.used_cpu_milli).max(0)
    }

    pub fn free_memory_bytes(&self) -> i64 {
        (self.memory_bytes - self.used_memory_bytes).max(0)
    }

    /// How many more workspaces of the usual size fit here.
    pub fn slots(&self) -> i64 {
        if self.unschedulable.is_some() {
            return 0;
        }
        let by_size = (self.free_cpu_milli() / SLOT_CPU_MILLI).min(self.free_memory_bytes() / SLOT_MEMORY_BYTES);
        by_size.min(self.pods.map_or(i64::MAX, |pods| (pods - self.used_pods).max(0)))
    }
}

impl Capacity {
    /// How many more workspaces fit: a workspace lies on one node, so it is the sum of theirs.
    pub fn slots(&self) -> i64 {
        self.nodes.iter().map(NodeCapacity::slots).fold(0, i64::saturating_add)
    }

    /// The sum over all nodes; its name is empty.
    pub fn together(&self) -> NodeCapacity {
        let add = |sum: NodeCapacity, node: &NodeCapacity| NodeCapacity {
            total_cpu_milli: sum.total_cpu_milli.saturating_add(node.total_cpu_milli),
            total_memory_bytes: sum.total_memory_bytes.saturating_add(node.total_memory_bytes),
            cpu_milli: sum.cpu_milli.saturating_add(node.cpu_milli),
            memory_bytes: sum.memory_bytes.saturating_add(node.memory_bytes),
            used_cpu_milli: sum.used_cpu_milli.saturating_add(node.used_cpu_milli),
            used_memory_bytes: sum.used_memory_bytes.saturating_add(node.used_memory_bytes),
            busy_cpu_milli: both(sum.busy_cpu_milli, node.busy_cpu_milli),
            busy_memory_bytes: both(sum.busy_memory_bytes, node.busy_memory_bytes),
            total_pods: both(sum.total_pods, node.total_pods),
            pods: both(sum.pods, node.pods),
            used_pods: sum.used_pods.saturating_add(node.used_pods),
            disk_bytes: both(sum.disk_bytes, node.disk_bytes),
            used_disk_bytes: both(sum.used_disk_bytes, node.used_disk_bytes),
            ..NodeCapacity::default()
        };
        let zero = Some(0);
        let none = NodeCapacity {
            busy_cpu_milli: zero,
            busy_memory_bytes: zero,
            total_pods: zero,
            pods: zero,
            disk_bytes: zero,
            used_disk_bytes: zero,
            ..NodeCapacity::default()
        };
        self.nodes.iter().fold(none, add)
    }

    /// The kinds of machines with how many there are of each, the most frequent first.
    pub fn instance_types(&self) -> Vec<(String, usize)> {
        let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
        for kind in self.nodes.iter().filter_map(|node| node.instance_type.as_deref()) {
            *counted.entry(kind).or_default() += 1;
        }
        let mut kinds: Vec<(String, usize)> = counted.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
        kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        kinds
    }

    /// What it has of a resource; `None` where it has no limit of its own, or nobody knows it.
    pub fn of(&self, resource: Resource) -> Option<i64> {
        let all = self.together();
        let amount = match resource {
            Resource::Cpu => Some(all.cpu_milli),
            Resource::Memory => Some(all.memory_bytes),
            Resource::Storage => all.disk_bytes,
            Resource::Pods => all.pods,
        };
        amount.filter(|amount| *amount > 0)
    }
}

/// A sum is known only when both parts are.
fn both(sum: Option<i64>, node: Option<i64>) -> Option<i64> {
    sum.zip(node).map(|(sum, node)| sum.saturating_add(node))
}

/// What the quotas of all groups promise of one resource, against what the cluster has of it. Promising more is
/// allowed, because not everybody works at once; it is shown, so that nobody does it unknowingly.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitmentView {
    /// `cpu`, `memory`, `storage` or `pods`.
    pub resource: &'static str,
    /// The sum of the quotas of all groups.
    pub promised: String,
    /// What the cluster has; null where it has no limit of its own.
    pub capacity: Option<String>,
    /// The promise in percent of the capacity; 0 without a capacity.
    pub percentage: f64,
    pub overcommitted: bool,
}

/// Each resource in the order in which it is shown.
pub fn commitments(promised: &Usage, capacity: &Capacity) -> Vec<CommitmentView> {
    let one = |resource: Resource| {
        let (promised, has) = (promised.of(resource), capacity.of(resource));
        CommitmentView {
            resource: resource.as_str(),
            promised: resource.print(promised),
            capacity: has.map(|has| resource.print(has)),
            percentage: percentage(promised, has),
            overcommitted: has.is_some_and(|has| promised > has),
        }
    };
    Resource::ALL.into_iter().map(one).collect()
}

/// Cores with two decimals: `15.50`.
pub fn print_cores(milli: i64) -> String {
    let hundredths = (milli + 5) / 10;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Memory with two decimals, in Gi: `15.62Gi`.
pub fn print_gib(bytes: i64) -> String {
    let hundredths = (i128::from(bytes) * 100 + i128::from(GIB / 2)) / i128::from(GIB);
    format!("{}.{:02}Gi", hundredths / 100, hundredths % 100)
}

/// Bytes rounded to whole Mi, for sizes that were measured.
pub fn print_measured(bytes: i64) -> String {
    const MIB: i64 = 1024 * 1024;
    print_bytes((bytes + MIB / 2) / MIB * MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(cpu: i64, memory: i64) -> NodeCapacity {
        NodeCapacity { cpu_milli: cpu, memory_bytes: memory * GIB, ..NodeCapacity::default() }
    }

    #[test]
    fn free_places_are_counted_node_by_node_and_not_on_the_sum() {
        // Together 4 cores and 8 GiB are free, but no node has both.
        let capacity = Capacity { nodes: vec![node(3_000, 3), node(1_000, 5)] };
        assert_eq!(capacity.slots(), 0);
        let capacity = Capacity { nodes: vec![node(5_000, 9), node(2_000, 64)] };
        assert_eq!(capacity.slots(), 3);
    }

    #[test]
    fn what_is_given_away_a_cordon_and_a_full_list_of_pods_take_places() {
        let mut one = NodeCapacity { used_cpu_milli: 4_000, ..node(8_000, 64) };
        assert_eq!(one.slots(), 2);
        one.pods = Some(10);
        one.used_pods = 9;
        assert_eq!(one.slots(), 1);
        one.unschedulable = Some("cordoned".into());
        assert_eq!(one.slots(), 0);
        let over = NodeCapacity { used_memory_bytes: 65 * GIB, ..node(8_000, 64) };
        assert_eq!((over.slots(), over.free_memory_bytes()), (0, 0));
    }

    #[test]
    fn a_sum_with_an_unknown_part_is_unknown() {
        let disk = NodeCapacity { disk_bytes: Some(GIB), ..node(1_000, 1) };
        assert_eq!(Capacity { nodes: vec![disk.clone(), disk.clone()] }.of(Resource::Storage), Some(2 * GIB));
        assert_eq!(Capacity { nodes: vec![disk, node(1_000, 1)] }.of(Resource::Storage), None);
    }

    #[test]
    fn promising_more_than_there_is_is_told_and_what_has_no_limit_cannot_be_exceeded() {
        let capacity = Capacity { nodes: vec![node(8_000, 32)] };
        let promised = Usage { cpu_milli: 12_000, memory_bytes: 32 * GIB, storage_bytes: 900 * GIB, workspaces: 50 };
        let told: Vec<_> = commitments(&promised, &capacity).into_iter().map(|c| (c.resource, c.percentage, c.overcommitted)).collect();
        assert_eq!(told, [("cpu", 150.0, true), ("memory", 100.0, false), ("storage", 0.0, false), ("pods", 0.0, false)]);
    }

    #[test]
    fn the_most_frequent_kind_of_machine_comes_first() {
        let of = |kind: &str| NodeCapacity { instance_type: Some(kind.into()), ..node(1, 1) };
        let capacity = Capacity { nodes: vec![of("m5.large"), of("c5.large"), of("c5.large"), node(1, 1)] };
        assert_eq!(capacity.instance_types(), [("c5.large".to_owned(), 2), ("m5.large".to_owned(), 1)]);
    }

    #[test]
    fn amounts_have_two_decimals() {
        assert_eq!((print_cores(15_496).as_str(), print_cores(0).as_str(), print_cores(70).as_str()), ("15.50", "0.00", "0.07"));
        assert_eq!((print_gib(GIB + GIB / 2).as_str(), print_gib(0).as_str()), ("1.50Gi", "0.00Gi"));
    }
}
