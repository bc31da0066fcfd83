//! What the routes of workspaces take: bodies and the parameters of their lists.

use super::fields::{Fields, Given, boolean, id, text, word};
use super::handler::Request;
use super::paging::{LIST_MAX, ListShape};
use crate::domain::field::FieldRule;
use crate::domain::git::Repository;
use crate::domain::id::{GroupId, TemplateId, UserId, WorkspaceId};
use crate::domain::names::{Description, GroupName, Reason, WorkspaceName};
use crate::domain::quantity::{bytes_from_json, cpu_from_json};
use crate::domain::size::{SizeChange, Tier};
use crate::domain::workspace::{Action, Status, check_image};
use crate::error::Result;
use crate::ops::workspace_create::NewWorkspace;
use crate::ops::workspace_update::Edit;
use crate::ops::workspaces::Wish;

/// Part of a size; what is left out keeps its value.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)] // decoded field by field, so that every problem is told at once
pub struct ResourcesBody {
    /// Cores: `2`, `0.5`, `500m`.
    #[schema(schema_with = super::openapi::cpu_amount)]
    cpu: Option<String>,
    /// `4Gi`.
    memory: Option<String>,
    /// `20Gi`.
    storage: Option<String>,
}

/// What a new workspace begins with.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)]
pub struct ParametersBody {
    /// Cloned into the home at the first start: `https://host/path`, `ssh://git@host/path` or `git@host:path`.
    repository: Option<String>,
}

/// A new workspace.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
pub struct NewWorkspaceBody {
    /// 1-63 letters, digits, hyphens and blanks; unique among your workspaces.
    name: String,
    /// Id or name of the group.
    group_id: String,
    description: Option<String>,
    template_id: Option<String>,
    /// A container image, or `local:` and the name of a built-in template.
    image: Option<String>,
    /// `single-user`, `small-team` or `enterprise`.
    tier: Option<String>,
    resources: Option<ResourcesBody>,
    parameters: Option<ParametersBody>,
    /// Start it at once.
    start: Option<bool>,
}

/// Changes of a workspace.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)]
pub struct WorkspacePatchBody {
    name: Option<String>,
    description: Option<String>,
    resources: Option<ResourcesBody>,
    /// Told to the owner when it is somebody else's.
    reason: Option<String>,
}

/// What to do to a workspace.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)]
pub struct ActionBody {
    /// `start`, `stop` or `restart`.
    r#type: String,
    /// Told to the owner when it is somebody else's.
    reason: Option<String>,
}

pub(super) fn group_reference(text: &str) -> Result<String, FieldRule> {
    if GroupId::parse(text).is_ok() || GroupName::parse(text).is_ok() {
        return Ok(text.to_owned());
    }
    Err(FieldRule::new("invalid", "Give the id or the name of a group."))
}

fn image(text: &str) -> Result<String, FieldRule> {
    check_image(text).map(|()| text.to_owned())
}

#[allow(clippy::unnecessary_wraps)] // the form of a nested decoder
fn size(fields: &mut Fields<'_>) -> Option<SizeChange> {
    Some(SizeChange {
        cpu_milli: fields.optional("cpu", cpu_from_json),
        memory_bytes: fields.optional("memory", bytes_from_json),
        disk_bytes: fields.optional("storage", bytes_from_json),
    })
}

/// The body of a new workspace.
pub fn new_workspace(request: &Request) -> Result<NewWorkspace> {
    let mut fields = request.fields()?;
    let name = fields.required("name", text(WorkspaceName::parse));
    let group = fields.required("groupId", text(group_reference));
    let description = fields.optional("description", text(Description::parse));
    let template = fields.optional("templateId", id(TemplateId::parse));
    let image = fields.optional("image", text(image));
    let tier = fields.optional("tier", word(Tier::parse, "single-user, small-team and enterprise"));
    let resources = fields.nested("resources", size).unwrap_or_default();
    let start = fields.optional("start", boolean).unwrap_or(false);
    let repository = fields.nested("parameters", |parameters| parameters.optional("repository", text(Repository::parse)));
    fields.build(|| {
        let description = description.unwrap_or_else(|| Description::trusted(String::new()));
        Some(NewWorkspace { name: name?, description, group: group?, template, image, tier, resources, repository, start })
    })
}

/// The body of a change, with the revision of `If-Match`.
pub fn edit(request: &Request) -> Result<Edit> {
    let expected = request.if_match()?;
    let mut fields = request.fields()?;
    let name = fields.given("name", text(WorkspaceName::parse));
    if name == Given::Null {
        fields.problem("name", "required", "A workspace has a name.");
    }
    let description = match fields.given("description", text(Description::parse)) {
        Given::Null => Some(Description::trusted(String::new())),
        given => given.value(),
    };
    let resources = fields.nested("resources", size).unwrap_or_default();
    let reason = fields.optional("reason", text(Reason::parse)).map(Reason::into_string);
    fields.build(|| Some(Edit { name: name.value(), description, resources, reason, expected }))
}

/// The body of an action.
pub fn action(request: &Request) -> Result<(Action, Option<String>)> {
    let mut fields = request.fields()?;
    let kind = fields.required("type", word(Action::parse, "start, stop and restart"));
    let reason = fields.optional("reason", text(Reason::parse)).map(Reason::into_string);
    fields.build(|| Some((kind?, reason)))
}

/// The reason of a deletion: in the body, or as a parameter, because many clients send no body with DELETE.
pub fn deletion(request: &Request) -> Result<Option<String>> {
    let query = request.query();
    let parameter = query.optional("reason", Reason::parse);
    query.finish()?;
    let mut fields = request.fields()?;
    let body = fields.optional("reason", text(Reason::parse));
    fields.build(|| Some(body.or(parameter).map(Reason::into_string)))
}

/// Whether nothing is to be written.
pub fn is_dry_run(request: &Request) -> Result<bool> {
    let query = request.query();
    let dry = query.flag("dryRun");
    query.finish()?;
    Ok(dry)
}

/// What a list of workspaces asks for, and the shape that its cursors belong to.
pub fn wish(request: &Request, list: &str) -> Result<(Wish, ListShape)> {
    let query = request.query();
    let mine = query.flag("mine");
    let group = query.optional("groupId", group_reference);
    let owner = query.optional("userId", |t| UserId::parse(t).map_err(|e| FieldRule::new("invalid", format!("This {e}."))));
    let words = "Allowed are running, stopped, starting, stopping, error, pending and deleting.";
    let status = query.optional("status", |t| Status::parse(t).ok_or_else(|| FieldRule::new("invalid", words)));
    let search = query.text("search", 100);
    let limit = query.integer("limit", 1, LIST_MAX).unwrap_or(LIST_MAX);
    let count = query.flag("count");
    let cursor = query.text("cursor", 4_096);
    query.finish()?;
    let shape = ListShape::new(
        list,
        &[
            if mine { "mine" } else { "" },
            group.as_deref().unwrap_or_default(),
            owner.as_ref().map(UserId::as_str).unwrap_or_default(),
            status.map(Status::as_str).unwrap_or_default(),
            search.as_deref().unwrap_or_default(),
        ],
    );
    let before = match cursor {
        Some(cursor) => shape.keys("cursor", &cursor, 1)?.pop().map(WorkspaceId::trusted),
        None => None,
    };
    let limit = usize::try_from(limit).unwrap_or(1);
    Ok((Wish { mine, group, owner, status, search, before, limit, count }, shape))
}
