//! `/api/workspaces`: making, seeing, changing, starting, stopping and deleting workspaces.

use super::apps::AppView;
use super::handler::{Reply, Request};
use super::paging::{LIST_MAX, ListShape, next_link};
use super::runtime::RuntimeView;
use super::workspace_body::{action, deletion, edit, is_dry_run, new_workspace, wish};
use super::workspace_view::{AppInUseView, DryRunView, InUseView, TimelineView, WorkspaceView};
use crate::app::App;
use crate::domain::id::WorkspaceId;
use crate::domain::workspace::Phase;
use crate::error::{Missing, Result};
use crate::gateway::{Gateway, inside, metrics};
use crate::ops::workspaces::{self, Answer, Listed, Single, Workspace};
use crate::ops::{timeline, workspace_actions, workspace_create, workspace_update};
use crate::policy::Action;

/// The gateway of this application.
pub(super) fn gateway(app: &App) -> Gateway {
    app.gateway.clone()
}

/// The workspace that the path names.
pub(super) fn named(request: &Request) -> Result<WorkspaceId> {
    request.id("workspace", WorkspaceId::parse, Missing::Workspace)
}

fn single(app: &App, single: &Single) -> Result<Reply> {
    Ok(Reply::ok(&WorkspaceView::single(app, single))?.etag(single.workspace.row.revision))
}

fn listed(request: &Request, path: &str, answer: &Answer, shape: &ListShape, view: fn(&App, &Listed) -> WorkspaceView) -> Result<Reply> {
    let items = &answer.page.items;
    let views: Vec<WorkspaceView> = items.iter().map(|item| view(&request.app, item)).collect();
    let mut reply = Reply::ok(&views)?;
    if let (true, Some(last)) = (answer.page.more, items.last()) {
        let cursor = shape.cursor(&[last.workspace.row.id.as_str()]);
        reply = reply.header("link", next_link(path, &request.query, &cursor));
    }
    if let Some(total) = answer.total {
        reply = reply.header("x-total-count", total.to_string());
    }
    Ok(reply)
}

pub async fn list(request: Request) -> Result<Reply> {
    let (wish, shape) = wish(&request, "workspaces")?;
    let answer = workspaces::list(&request.app.ops, &request.caller, wish).await?;
    listed(&request, "/api/workspaces", &answer, &shape, WorkspaceView::listed)
}

pub async fn list_all(request: Request) -> Result<Reply> {
    let (wish, shape) = wish(&request, "admin/workspaces")?;
    let answer = workspaces::list_all(&request.app.ops, &request.caller, wish).await?;
    listed(&request, "/api/admin/workspaces", &answer, &shape, WorkspaceView::listed_with_email)
}

pub async fn create(request: Request) -> Result<Reply> {
    let dry = is_dry_run(&request)?;
    let new = new_workspace(&request)?;
    if dry {
        let weighed = workspace_create::weigh_create(&request.app.ops, &request.caller, new).await?;
        return Reply::ok(&DryRunView::from(weighed));
    }
    let made = workspace_create::create(&request.app.ops, &request.caller, new).await?;
    let view = WorkspaceView::single(&request.app, &made);
    Ok(Reply::created(&view)?.etag(made.workspace.row.revision).header("location", format!("/api/workspaces/{}", view.id)))
}

pub async fn get(request: Request) -> Result<Reply> {
    let found = workspaces::get(&request.app.ops, &request.caller, named(&request)?).await?;
    let mut view = WorkspaceView::single(&request.app, &found);
    view.apps = AppView::all(&request.app, &found.workspace.row.id, inside::now(&request.app.gateway, &found.workspace).await);
    if found.workspace.status.phase == Phase::Ready {
        view.usage = Some(measure(&request.app, &found.workspace).await);
    }
    view.runtime = RuntimeView::of(&request.app, &request.caller, &found.workspace, &view.apps).await?;
    Ok(Reply::ok(&view)?.etag(found.workspace.row.revision))
}

async fn measure(app: &App, workspace: &Workspace) -> InUseView {
    let row = &workspace.row;
    let size = workspace.status.applied.as_ref().unwrap_or(&row.size);
    metrics::measure(&gateway(app), &row.id, &workspace.namespace, row.run, size).await.into()
}

pub async fn update(request: Request) -> Result<Reply> {
    let (dry, edit, id) = (is_dry_run(&request)?, edit(&request)?, named(&request)?);
    if dry {
        let weighed = workspace_update::weigh_update(&request.app.ops, &request.caller, id, edit).await?;
        return Reply::ok(&DryRunView::from(weighed));
    }
    single(&request.app, &workspace_update::update(&request.app.ops, &request.caller, id, edit).await?)
}

pub async fn act(request: Request) -> Result<Reply> {
    let (dry, (verb, reason), id) = (is_dry_run(&request)?, action(&request)?, named(&request)?);
    if dry {
        let weighed = workspace_actions::weigh_act(&request.app.ops, &request.caller, id, verb).await?;
        return Reply::ok(&DryRunView::from(weighed));
    }
    single(&request.app, &workspace_actions::act(&request.app.ops, &request.caller, id, verb, reason).await?)
}

pub async fn delete(request: Request) -> Result<Reply> {
    remove(request, Action::DeleteWorkspace).await
}

pub async fn delete_any(request: Request) -> Result<Reply> {
    remove(request, Action::AdminDeleteWorkspace).await
}

async fn remove(request: Request, action: Action) -> Result<Reply> {
    let (reason, id) = (deletion(&request)?, named(&request)?);
    workspace_actions::delete(&request.app.ops, &request.caller, id, action, reason).await?;
    Ok(Reply::none())
}

pub async fn events(request: Request) -> Result<Reply> {
    let id = named(&request)?;
    let query = request.query();
    let limit = query.integer("limit", 1, LIST_MAX).unwrap_or(LIST_MAX);
    let cursor = query.text("cursor", 4_096);
    query.finish()?;
    let shape = ListShape::new("timeline", &[id.as_str()]);
    let before = match cursor {
        Some(cursor) => shape.keys("cursor", &cursor, 1)?.pop().and_then(|key| key.parse().ok()),
        None => None,
    };
    let path = format!("/api/workspaces/{id}/timeline");
    let page = timeline::list(&request.app.ops, &request.caller, id, before, usize::try_from(limit).unwrap_or(1)).await?;
    let views: Vec<TimelineView> = page.items.iter().map(TimelineView::from).collect();
    let reply = Reply::ok(&views)?;
    Ok(match (page.more, page.items.last()) {
        (true, Some(last)) => reply.header("link", next_link(&path, &request.query, &shape.cursor(&[&last.id.to_string()]))),
        _ => reply,
    })
}

pub async fn sync(request: Request) -> Result<Reply> {
    let id = named(&request)?;
    workspaces::sync(&request.app.ops, &request.caller, id.clone()).await?;
    single(&request.app, &workspaces::get(&request.app.ops, &request.caller, id).await?)
}

pub async fn health(request: Request) -> Result<Reply> {
    let workspace = workspaces::view(&request.app.ops, &request.caller, named(&request)?, Action::ViewWorkspace).await?;
    Reply::ok(&workspace.status.components)
}

pub async fn usage(request: Request) -> Result<Reply> {
    let workspace = workspaces::view(&request.app.ops, &request.caller, named(&request)?, Action::ViewWorkspaceMetrics).await?;
    let (mut used, apps) = tokio::join!(measure(&request.app, &workspace), inside::used(&request.app.gateway, &workspace));
    used.apps = apps.into_iter().map(AppInUseView::from).collect();
    Reply::ok(&used)
}
