//! `GET /admin/cluster/capacity`: what the cluster has, what is given away, what still fits, and what the quotas of all
//! groups promise against it.

use super::handler::{Reply, Request};
use crate::domain::capacity::{
    Capacity, CommitmentView, NodeCapacity, SLOT_CPU_MILLI, SLOT_MEMORY_BYTES, commitments, print_cores, print_gib, print_measured,
};
use crate::domain::quantity::{print_bytes, print_cpu};
use crate::domain::quota::{ResourceQuota, Usage};
use crate::error::Result;
use crate::gateway::capacity;
use crate::ops;
use serde::Serialize;

/// One machine. Cores have two decimals, memory is in Gi with two.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Why it takes nothing new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unschedulable: Option<String>,
    pub allocatable_cpu: String,
    pub allocatable_memory: String,
    /// Given away: what everything that runs or waits on it has asked for.
    pub used_cpu: String,
    pub used_memory: String,
    pub available_cpu: String,
    pub available_memory: String,
    pub cpu_percentage: f64,
    pub memory_percentage: f64,
    /// Really in use, measured; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy_cpu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy_memory: Option<String>,
    /// The file system that holds homes; absent where each has a disk of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_disk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_disk: Option<String>,
    /// How many more workspaces of the usual size fit.
    pub workspace_capacity: i64,
}

/// The workspace that free places are counted in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SlotView {
    pub cpu: String,
    pub memory: String,
}

/// What the cluster has.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityView {
    pub total_cpu: String,
    pub total_memory: String,
    /// Null where pods are not limited.
    pub total_pods: Option<i64>,
    pub allocatable_cpu: String,
    pub allocatable_memory: String,
    pub allocatable_pods: Option<i64>,
    pub used_cpu: String,
    pub used_memory: String,
    pub used_pods: i64,
    pub node_count: usize,
    /// How many more workspaces of the usual size fit, node by node.
    pub available_workspace_capacity: i64,
    pub workspace_slot: SlotView,
    pub nodes: Vec<NodeView>,
    pub instance_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_instance_type: Option<String>,
    /// What the quotas of all groups promise together.
    pub commitments: Vec<CommitmentView>,
}

/// Percent with one decimal; 0 of nothing.
fn share(used: i64, total: i64) -> f64 {
    if total <= 0 {
        return 0.0;
    }
    let tenths = (i128::from(used) * 1_000 + i128::from(total) / 2) / i128::from(total);
    f64::from(i32::try_from(tenths).unwrap_or(i32::MAX)) / 10.0
}

impl NodeView {
    fn of(node: &NodeCapacity) -> Self {
        Self {
            name: node.name.clone(),
            instance_type: node.instance_type.clone(),
            unschedulable: node.unschedulable.clone(),
            allocatable_cpu: print_cores(node.cpu_milli),
            allocatable_memory: print_gib(node.memory_bytes),
            used_cpu: print_cores(node.used_cpu_milli),
            used_memory: print_gib(node.used_memory_bytes),
            available_cpu: print_cores(node.free_cpu_milli()),
            available_memory: print_gib(node.free_memory_bytes()),
            cpu_percentage: share(node.used_cpu_milli, node.cpu_milli),
            memory_percentage: share(node.used_memory_bytes, node.memory_bytes),
            busy_cpu: node.busy_cpu_milli.map(print_cores),
            busy_memory: node.busy_memory_bytes.map(print_gib),
            total_disk: node.disk_bytes.map(print_measured),
            used_disk: node.used_disk_bytes.map(print_measured),
            workspace_capacity: node.slots(),
        }
    }
}

impl CapacityView {
    fn of(capacity: &Capacity, promised: &Usage) -> Self {
        let all = capacity.together();
        let kinds: Vec<String> = capacity.instance_types().into_iter().map(|(kind, _)| kind).collect();
        Self {
            total_cpu: print_cores(all.total_cpu_milli),
            total_memory: print_gib(all.total_memory_bytes),
            total_pods: all.total_pods,
            allocatable_cpu: print_cores(all.cpu_milli),
            allocatable_memory: print_gib(all.memory_bytes),
            allocatable_pods: all.pods,
            used_cpu: print_cores(all.used_cpu_milli),
            used_memory: print_gib(all.used_memory_bytes),
            used_pods: all.used_pods,
            node_count: capacity.nodes.len(),
            available_workspace_capacity: capacity.slots(),
            workspace_slot: SlotView { cpu: print_cpu(SLOT_CPU_MILLI), memory: print_bytes(SLOT_MEMORY_BYTES) },
            nodes: capacity.nodes.iter().map(NodeView::of).collect(),
            primary_instance_type: kinds.first().cloned(),
            instance_types: kinds,
            commitments: commitments(promised, capacity),
        }
    }
}

pub async fn show(request: Request) -> Result<Reply> {
    let promised = ops::capacity::promised(&request.app.ops, &request.caller).await?;
    Reply::ok(&CapacityView::of(&capacity::read(&request.app.gateway).await?, &promised))
}

/// Beside a quota: what all quotas promise with `after` in the place of `before`. Nothing for who may not see the
/// capacity, and nothing when the cluster does not say at once what it has: a quota is set without it.
pub(super) async fn beside(request: &Request, before: ResourceQuota, after: ResourceQuota) -> Result<Option<Vec<CommitmentView>>> {
    let Some(promised) = ops::capacity::promised_with(&request.app.ops, &request.caller, before, after).await? else { return Ok(None) };
    Ok(capacity::glance(&request.app.gateway).await.map(|capacity| commitments(&promised, &capacity)))
}
