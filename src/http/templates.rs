//! `/api/templates`: what a workspace can be made from.

use super::handler::{Reply, Request};
use crate::domain::app::App;
use crate::domain::size::{SizeView, Tier};
use crate::error::Result;
use crate::gateway::{Gateway, inside};
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

/// An app of a recipe.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateAppView {
    pub slug: String,
    pub name: String,
    /// A name of the icon sprite.
    pub icon: String,
    /// Whether a workspace that is made now would find its program.
    pub installed: bool,
    /// What to do where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
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
    /// What can be opened in a workspace that is made from it.
    pub apps: Vec<TemplateAppView>,
    /// What to use instead, where it is not offered any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
}

impl TemplateView {
    async fn of(gateway: &Gateway, template: &Template) -> Self {
        let mut apps = Vec::with_capacity(template.recipe.apps.len());
        for app in &template.recipe.apps {
            // An image brings its own programs.
            let is_installed = !template.is_local() || inside::is_installed(gateway, app).await;
            apps.push(app_view(app, is_installed, inside::hint(gateway, app)));
        }
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
            apps,
            deprecated: template.deprecation_message.clone(),
        }
    }
}

fn app_view(app: &App, installed: bool, hint: String) -> TemplateAppView {
    TemplateAppView {
        slug: app.slug.clone(),
        name: app.name.clone(),
        icon: app.icon.clone(),
        installed,
        hint: Some(hint).filter(|hint| !installed && !hint.is_empty()),
    }
}

fn named_size(tier: Tier) -> NamedSizeView {
    let SizeView { cpu, memory, storage } = tier.size().view();
    NamedSizeView { name: tier.as_str(), cpu, memory, storage }
}

pub async fn list(request: Request) -> Result<Reply> {
    request.query().finish()?;
    let found = templates::list(&request.app.ops, &request.caller).await?;
    let mut views = Vec::with_capacity(found.len());
    for template in &found {
        views.push(TemplateView::of(&request.app.gateway, template).await);
    }
    Reply::ok(&views)
}
