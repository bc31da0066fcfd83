//! `/api/templates`: what a workspace can be made from.

use super::handler::{Reply, Request};
use crate::domain::size::{SizeView, Tier};
use crate::error::Result;
use crate::ops::templates::{self, Template};
use serde::Serialize;

/// A size to choose from.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NamedSizeView {
    /// `single-user`, `small-team` or `enterprise`: the `tier` of a new workspace.
    pub name: &'static str,
    pub cpu: String,
    pub memory: String,
    pub storage: String,
}

/// A workspace recipe.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateView {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub description: String,
    /// A name of the icon sprite.
    pub icon: String,
    /// `local`: a program of the host. `image`: a container image.
    pub kind: &'static str,
    /// Its active version.
    pub version: i64,
    pub default_size: SizeView,
    pub sizes: Vec<NamedSizeView>,
    /// What to use instead, where it is not offered any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
}

impl From<&Template> for TemplateView {
    fn from(template: &Template) -> Self {
        Self {
            id: template.id.to_string(),
            name: template.name.clone(),
            display_name: template.display_name.clone(),
            description: template.description.clone(),
            icon: template.icon.clone(),
            kind: if template.is_local() { "local" } else { "image" },
            version: template.version,
            default_size: template.default_size().view(),
            sizes: Tier::ALL.into_iter().map(named_size).collect(),
            deprecated: template.deprecation_message.clone(),
        }
    }
}

fn named_size(tier: Tier) -> NamedSizeView {
    let SizeView { cpu, memory, storage } = tier.size().view();
    NamedSizeView { name: tier.as_str(), cpu, memory, storage }
}

pub async fn list(request: Request) -> Result<Reply> {
    request.query().finish()?;
    let found = templates::list(&request.app.ops, &request.caller).await?;
    Reply::ok(&found.iter().map(TemplateView::from).collect::<Vec<_>>())
}
