//! What things cost: a workspace, a group, a person, and who costs most.
//!
//! Two numbers beside each other: what a workspace is expected to cost a month in its present state, as the documents
//! have it, and what was really held since the month began, with what it comes to if nothing changes.

use super::handler::{Reply, Request};
use super::pricing::{PricesView, prices};
use super::workspaces::named;
use crate::domain::field::FieldRule;
use crate::domain::id::UserId;
use crate::domain::month::Month;
use crate::domain::pricing::{Monthly, Part, Prices, rounded, usage_factor};
use crate::error::{Missing, Result};
use crate::ops::cost::{self, Account, By};
use serde::Serialize;

/// Cores and their cost.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CoresCostView {
    pub cores: f64,
    pub cost_per_month: f64,
}

/// Memory or disk and its cost.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GibCostView {
    pub gibibytes: f64,
    pub cost_per_month: f64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComputeCostView {
    pub cpu: CoresCostView,
    pub memory: GibCostView,
    pub storage: GibCostView,
    pub total_compute_cost: f64,
}

/// What is added, and for what.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverheadPartView {
    pub description: String,
    pub cost_per_month: f64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverheadCostView {
    pub cluster_management: OverheadPartView,
    pub networking: OverheadPartView,
    pub total_overhead_cost: f64,
}

/// What was held since the first of the month, and what the month comes to if nothing changes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MonthView {
    /// The first moment of the month, and the first of the next (RFC 3339, UTC).
    pub from: String,
    pub to: String,
    pub currency: String,
    pub month_to_date: f64,
    pub projected: f64,
    pub core_hours: f64,
    #[serde(rename = "memoryGiBHours")]
    pub memory_gib_hours: f64,
    #[serde(rename = "storageGiBHours")]
    pub storage_gib_hours: f64,
}

impl MonthView {
    fn of(account: &Account, prices: &Prices) -> Self {
        let month = Month::of(account.now);
        let held = account.holding.so_far;
        Self {
            from: month.from.rfc3339(),
            to: month.to.rfc3339(),
            currency: prices.currency.clone(),
            month_to_date: account.month_to_date(prices),
            projected: account.projected(prices),
            core_hours: rounded(held.core_hours),
            memory_gib_hours: rounded(held.memory_gib_hours),
            storage_gib_hours: rounded(held.storage_gib_hours),
        }
    }
}

/// What a workspace costs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceCostView {
    pub workspace_id: String,
    pub workspace_name: String,
    pub compute_costs: ComputeCostView,
    pub overhead_costs: OverheadCostView,
    /// If it ran all the time.
    pub total_monthly_cost: f64,
    /// The part of the month that it is expected to run: 0.75 running, 0 stopped, 0.1 on the way.
    pub usage_factor: f64,
    /// What is to be expected of a month in its present state.
    pub actual_monthly_cost: f64,
    pub pricing_config: PricesView,
    /// What it really held this month.
    pub month: MonthView,
    /// Nothing is known of what it held before; null where nothing is known at all.
    pub known_since: Option<String>,
}

fn gib(part: Part) -> GibCostView {
    GibCostView { gibibytes: part.amount, cost_per_month: part.cost }
}

fn overhead(what: &str, rate: f64, cost: f64) -> OverheadPartView {
    OverheadPartView { description: format!("{what} ({}% of compute)", rounded(rate * 100.0)), cost_per_month: cost }
}

pub async fn of_workspace(request: Request) -> Result<Reply> {
    let (workspace, account, known_since) = cost::of_workspace(&request.app.ops, &request.caller, named(&request)?).await?;
    let prices = prices(&request.app).await;
    let (monthly, status) = (Monthly::of(&workspace.row.size, &prices), workspace.status_word());
    Reply::ok(&WorkspaceCostView {
        workspace_id: workspace.row.id.to_string(),
        workspace_name: workspace.row.name.clone(),
        compute_costs: ComputeCostView {
            cpu: CoresCostView { cores: monthly.cpu.amount, cost_per_month: monthly.cpu.cost },
            memory: gib(monthly.memory),
            storage: gib(monthly.storage),
            total_compute_cost: monthly.compute,
        },
        overhead_costs: OverheadCostView {
            cluster_management: overhead("Cluster management", prices.cluster_overhead, monthly.cluster),
            networking: overhead("Networking", prices.network_overhead, monthly.network),
            total_overhead_cost: monthly.overhead,
        },
        total_monthly_cost: monthly.total,
        usage_factor: usage_factor(status),
        actual_monthly_cost: monthly.expected(status, &prices),
        pricing_config: PricesView::from(&prices),
        month: MonthView::of(&account, &prices),
        known_since: known_since.map(crate::clock::Millis::rfc3339),
    })
}

pub async fn of_group(request: Request) -> Result<Reply> {
    let account = cost::of_group(&request.app.ops, &request.caller, request.param("group")?.to_owned()).await?;
    Reply::ok(&MonthView::of(&account, &prices(&request.app).await))
}

pub async fn of_user(request: Request) -> Result<Reply> {
    let id = request.id("user", UserId::parse, Missing::User)?;
    let account = cost::of_user(&request.app.ops, &request.caller, id).await?;
    Reply::ok(&MonthView::of(&account, &prices(&request.app).await))
}

/// What one costs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CostLineView {
    pub id: String,
    /// Null when it is gone; what it held is paid all the same.
    pub name: Option<String>,
    pub month_to_date: f64,
    pub projected: f64,
}

/// What everybody costs this month, the dearest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CostsView {
    /// `group`, `user` or `workspace`.
    pub by: &'static str,
    /// The sum of all, also of those that the limit leaves out.
    pub total: MonthView,
    pub items: Vec<CostLineView>,
}

pub async fn list(request: Request) -> Result<Reply> {
    let query = request.query();
    let words = "Allowed are group, user and workspace.";
    let by = query.optional("by", |word| match word {
        "group" => Ok((By::Group, "group")),
        "user" => Ok((By::User, "user")),
        "workspace" => Ok((By::Workspace, "workspace")),
        _ => Err(FieldRule::new("invalid", words)),
    });
    let limit = query.integer("limit", 1, 1_000).unwrap_or(100);
    query.finish()?;
    let (by, word) = by.unwrap_or((By::Group, "group"));
    let (lines, all) = cost::list(&request.app.ops, &request.caller, by).await?;
    let prices = prices(&request.app).await;
    let mut items: Vec<CostLineView> = lines
        .into_iter()
        .map(|(id, name, account)| CostLineView {
            id,
            name,
            month_to_date: account.month_to_date(&prices),
            projected: account.projected(&prices),
        })
        .collect();
    items.sort_by(|a, b| b.month_to_date.total_cmp(&a.month_to_date).then_with(|| a.id.cmp(&b.id)));
    items.truncate(usize::try_from(limit).unwrap_or(100));
    Reply::ok(&CostsView { by: word, total: MonthView::of(&all, &prices), items })
}
