//! Making a workspace: from a template, an image, or what the installation makes when neither is named.
//!
//! Everything that could refuse it is asked before a row is written, in the transaction that writes it, and the dry run
//! asks exactly the same. The recipe is resolved here once and frozen on the row.

use super::weighing::{Weighed, weigh};
use super::workspaces::{Deed, Single, event, single, tell};
use super::{Caller, Ops, Rules};
use crate::clock::Millis;
use crate::domain::field::FieldRule;
use crate::domain::git::Repository;
use crate::domain::id::{TemplateId, UserId, WorkspaceId};
use crate::domain::names::{Description, WorkspaceName};
use crate::domain::quota::Usage;
use crate::domain::size::{SizeChange, Tier, resolve};
use crate::domain::template::{FrozenSpec, Recipe, TemplateRecipe};
use crate::domain::workspace::{Desired, Phase};
use crate::error::{Error, Missing, Result, Taken};
use crate::events::Operation;
use crate::policy::{Action, Permit, Target};
use crate::store::actors::Principal;
use crate::store::pool::{self, Home};
use crate::store::templates::{self, Template};
use crate::store::workspaces::{self, WorkspaceRow};
use crate::store::{Change, Effect, Read, Tx, activity, actors};
use serde_json::json;

/// What a new workspace should be.
#[derive(Debug, Clone)]
pub struct NewWorkspace {
    pub name: WorkspaceName,
    pub description: Description,
    /// Id or name.
    pub group: String,
    pub template: Option<TemplateId>,
    /// A container image, or `local:` and the name of a built-in template.
    pub image: Option<String>,
    pub tier: Option<Tier>,
    pub resources: SizeChange,
    /// Cloned into the home at the first start.
    pub repository: Option<Repository>,
    /// Begin at once; otherwise it is made stopped.
    pub start: bool,
}

/// What was asked for, resolved and permitted, but not yet weighed against anything.
struct Draft {
    permit: Permit,
    home: Home,
    owner: UserId,
    template: Template,
    spec: FrozenSpec,
    image: String,
    row_size: crate::domain::size::Size,
}

/// Makes a workspace.
pub async fn create(ops: &Ops, caller: &Caller, new: NewWorkspace) -> Result<Single> {
    let (principal, rules) = (caller.principal.clone(), ops.rules());
    ops.db.write(caller.origin.clone(), move |tx| make(tx, &principal, &rules, &new)).await
}

/// Whether it could be made now; writes nothing.
pub async fn weigh_create(ops: &Ops, caller: &Caller, new: NewWorkspace) -> Result<Weighed> {
    let (principal, rules) = (caller.principal.clone(), ops.rules());
    let job = move |read: &Read<'_>| {
        let draft = draft(read, &principal, &rules, &new)?;
        weighed(read, &draft, new.start)
    };
    ops.db.read(caller.origin.clone(), job).await
}

fn make(tx: &Tx<'_>, principal: &Principal, rules: &Rules, new: &NewWorkspace) -> Result<Single> {
    let draft = draft(tx, principal, rules, new)?;
    weighed(tx, &draft, new.start)?.require()?;
    let row = row(tx, &draft, new)?;
    let permit = draft.permit.made(format!("workspace:{}", row.id), Some(row.group_id.clone()));
    workspaces::insert(tx, &permit, &row)?;
    if new.start {
        activity::touch(tx, &row.id, tx.now())?;
    }
    tx.audit(
        &permit,
        Change::of(json!({
            "name": row.name, "template": draft.template.id, "image": row.image, "start": new.start,
            "repository": draft.spec.repository,
            "resources": row.size.view(),
        })),
    )?;
    let made = workspaces::find(tx, &row.id, Some(&draft.owner))?.ok_or_else(|| Error::internal("a new workspace is not there"))?;
    tell(tx, &permit, &made, row.run, &Deed { code: "created", line: "Created.", done: "created" })?;
    if new.start {
        tell(tx, &permit, &made, row.run, &Deed { code: "start", line: "Asked to start.", done: "started" })?;
    }
    tx.publish(event(&made.facts(), Operation::Changed));
    tx.after_commit(Effect::Wake);
    single(tx, permit.actor(), made, rules.break_glass)
}

fn draft(read: &Read<'_>, principal: &Principal, rules: &Rules, new: &NewWorkspace) -> Result<Draft> {
    let actor = actors::load(read, principal)?;
    let home = pool::find_home(read, &new.group)?.ok_or(Error::NotFound(Missing::Group))?;
    let permit = read.authorize(&actor, Action::CreateWorkspace, Target::Group(&home.facts), None)?;
    let owner =
        actor.user_id().cloned().ok_or_else(|| Error::WrongState("A workspace belongs to a person: sign in to make one.".into()))?;
    let (template, recipe) = recipe(read, rules, new)?;
    if !home.status.takes_more() {
        return Err(Error::WrongState(format!("The group {} is {}, so nothing can be made in it.", home.facts.name, home.status.as_str())));
    }
    if workspaces::is_name_taken(read, &owner, new.name.as_str(), None)? {
        return Err(Error::Taken(Taken::WorkspaceName));
    }
    let row_size = resolve(&new.resources, new.tier, Some(template.default_size()));
    let image = shown(&template, &recipe);
    let repository = new.repository.as_ref().map(ToString::to_string);
    let TemplateRecipe { env, apps, container, .. } = template.recipe.clone();
    let spec = FrozenSpec { recipe, env, apps, container, repository };
    Ok(Draft { permit, home, owner, template, spec, image, row_size })
}

fn weighed(read: &Read<'_>, draft: &Draft, start: bool) -> Result<Weighed> {
    let after = Usage::counted(&draft.row_size, None, desired(start), Phase::Absent);
    weigh(read, &draft.owner, &draft.home, None, &after)
}

fn desired(start: bool) -> Desired {
    if start { Desired::Running } else { Desired::Stopped }
}

/// The template and what it resolves to.
fn recipe(read: &Read<'_>, rules: &Rules, new: &NewWorkspace) -> Result<(Template, Recipe)> {
    let template = match &new.template {
        Some(id) => Some(templates::find(read, id)?.ok_or_else(|| Error::field("templateId", "unknown", "There is no such template."))?),
        None => None,
    };
    let image = match (&new.image, &template) {
        (Some(image), _) => Some(image.clone()),
        (None, None) => Some(rules.default_image.clone().ok_or_else(nothing_named)?),
        (None, Some(_)) => None,
    };
    let Some(template) = template else {
        return of_image(read, &image.unwrap_or_default());
    };
    if let Some(message) = &template.deprecation_message {
        return Err(Error::field("templateId", "deprecated", format!("This template is not offered any more. {message}")));
    }
    match (template.recipe.recipe.clone(), image) {
        (Some(recipe), None) => Ok((template, recipe)),
        (Some(recipe), Some(image)) if shown(&template, &recipe) == image => Ok((template, recipe)),
        (Some(_), Some(_)) => Err(Error::field("image", "conflict", "This template brings its own image; leave the field out.")),
        (None, Some(reference)) => Ok((template, Recipe::Image { reference })),
        (None, None) => Err(Error::field("image", "required", "This template needs an image.")),
    }
}

/// What the API shows as the image: programs of the host have the name of their built-in template.
fn shown(template: &Template, recipe: &Recipe) -> String {
    if template.is_local() && template.name.starts_with("local:") { template.name.clone() } else { recipe.image() }
}

fn nothing_named() -> Error {
    FieldRule::new("required", "Name an image or a template: this installation has no default (workspaces.default_image).").error("image")
}

fn of_image(read: &Read<'_>, image: &str) -> Result<(Template, Recipe)> {
    if image.starts_with("local:") {
        let found = templates::find_builtin_named(read, image)?;
        let template = found.ok_or_else(|| Error::field("image", "unknown", "There is no built-in template of this name."))?;
        let recipe = template.recipe.recipe.clone().ok_or_else(|| Error::internal("a built-in template has no recipe"))?;
        return Ok((template, recipe));
    }
    let template = templates::find_builtin(read, "image")?.ok_or_else(|| Error::internal("the template for bare images is missing"))?;
    Ok((template, Recipe::Image { reference: image.to_owned() }))
}

fn row(tx: &Tx<'_>, draft: &Draft, new: &NewWorkspace) -> Result<WorkspaceRow> {
    let now = tx.now();
    Ok(WorkspaceRow {
        id: WorkspaceId::fresh(now, tx.entropy()),
        group_id: draft.home.facts.id.clone(),
        owner_id: draft.owner.clone(),
        name: new.name.as_str().to_owned(),
        description: new.description.as_str().to_owned(),
        template_version_id: draft.template.version_id.clone(),
        image: draft.image.clone(),
        spec: draft.spec.clone(),
        desired: desired(new.start),
        generation: 1,
        run: i64::from(new.start),
        size: draft.row_size.clone(),
        local_uid: workspaces::next_local_uid(tx, &draft.permit)?,
        created_at: now,
        updated_at: now,
        started_at: new.start.then_some(now),
        revision: 1,
        attempts: 0,
        next_attempt_at: Millis(0),
    })
}
