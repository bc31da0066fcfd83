//! Workspaces: the rows of what should be, read together with what is.
//!
//! Every reader gets a [`Workspace`], joined once with its group, owner, template, status and use, so that no list asks
//! again for each row. The lists themselves are in [`super::workspace_list`].

use super::sql::id_list;
use super::tx::{Read, Tx, Unaudited};
use super::workspace_status::{WorkspaceStatus, status, status_columns};
use crate::clock::Millis;
use crate::domain::group::GroupStatus;
use crate::domain::id::{GroupId, OrganizationId, TemplateId, TemplateVersionId, UserId, WorkspaceId};
use crate::domain::quota::Usage;
use crate::domain::size::Size;
use crate::domain::template::{FrozenSpec, SPEC_FORMAT};
use crate::domain::workspace::{Desired, Status};
use crate::error::{Error, Result};
use crate::policy::matrix::Share;
use crate::policy::{Permit, WorkspaceFacts};
use rusqlite::{Row, named_params, params};

/// What should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceRow {
    pub id: WorkspaceId,
    pub group_id: GroupId,
    pub owner_id: UserId,
    pub name: String,
    pub description: String,
    pub template_version_id: TemplateVersionId,
    /// What the API shows: an image, or `local:shell`.
    pub image: String,
    pub spec: FrozenSpec,
    pub desired: Desired,
    pub generation: i64,
    pub run: i64,
    pub size: Size,
    pub local_uid: u32,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub started_at: Option<Millis>,
    /// The ETag.
    pub revision: i64,
    /// Failed tries of the reconciler.
    pub attempts: i64,
    pub next_attempt_at: Millis,
}

/// What should be and what is, with the names around it.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub row: WorkspaceRow,
    pub status: WorkspaceStatus,
    pub template_id: TemplateId,
    pub template_version: i64,
    pub organization_id: OrganizationId,
    pub group_name: String,
    pub group_display_name: String,
    pub group_status: GroupStatus,
    pub namespace: String,
    pub owner_username: String,
    pub owner_name: String,
    pub owner_email: String,
    pub last_accessed_at: Option<Millis>,
    /// The highest level at which it is shared with whoever asked.
    pub share: Option<Share>,
}

impl Workspace {
    /// What policy asks about it.
    pub fn facts(&self) -> WorkspaceFacts {
        WorkspaceFacts {
            id: self.row.id.clone(),
            name: self.row.name.clone(),
            group_id: self.row.group_id.clone(),
            organization_id: self.organization_id.clone(),
            owner_id: self.row.owner_id.clone(),
            share: self.share,
        }
    }

    /// The one word for what should be and what is.
    pub fn status_word(&self) -> Status {
        Status::of(self.row.desired, self.status.phase, self.row.run, self.status.observed_run)
    }

    /// What it counts for in every pool.
    pub fn counted(&self) -> Usage {
        Usage::counted(&self.row.size, self.status.applied.as_ref(), self.row.desired, self.status.phase)
    }
}

/// Shares with the caller (`:me`), as the number of the level; see [`share_level`].
macro_rules! share_sql {
    () => {
        "(SELECT max(CASE x.level WHEN 'read' THEN 1 WHEN 'use' THEN 2 WHEN 'run' THEN 3 WHEN 'configure' THEN 4 WHEN 'delete' THEN 5 ELSE 6 END) \
          FROM share x WHERE x.object_kind = 'workspace' AND x.object_id = w.id AND (x.expires_at IS NULL OR x.expires_at > :now) \
          AND ((x.holder_kind = 'user' AND x.holder_id = :me) OR (x.holder_kind = 'group' AND EXISTS \
          (SELECT 1 FROM membership m WHERE m.group_id = x.holder_id AND m.user_id = :me AND (m.expires_at IS NULL OR m.expires_at > :now)))))"
    };
}

pub(super) const SELECT: &str = concat!(
    "SELECT w.id, w.group_id, w.owner_id, w.name, w.description, w.template_version_id, w.image, w.spec_format, w.spec, w.desired, \
     w.generation, w.run, w.cpu_milli, w.memory_bytes, w.disk_bytes, w.extended, w.local_uid, w.created_at, w.updated_at, w.started_at, \
     w.revision, w.attempts, w.next_attempt_at, v.template_id, v.number AS template_version, g.organization_id, g.name AS group_name, \
     g.display_name AS group_display_name, g.status AS group_status, g.namespace, u.username, u.name AS owner_name, u.email, \
     a.last_accessed_at, ",
    share_sql!(),
    " AS share, ",
    status_columns!()
);
/// What is joined to `workspace w`. `CROSS JOIN` keeps what is named first outermost, so that rows come in its order.
pub(super) const JOINS: &str = " CROSS JOIN \"group\" g ON g.id = w.group_id CROSS JOIN user u ON u.id = w.owner_id \
     CROSS JOIN template_version v ON v.id = w.template_version_id CROSS JOIN workspace_status s ON s.workspace_id = w.id \
     LEFT JOIN workspace_activity a ON a.workspace_id = w.id";

fn share_level(number: Option<i64>) -> Option<Share> {
    Some(match number? {
        1 => Share::Read,
        2 => Share::Use,
        3 => Share::Run,
        4 => Share::Configure,
        5 => Share::Delete,
        _ => Share::SetPermissions,
    })
}

/// A text of the row that is read whole, as what it stands for.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e)))
}

fn row(row: &Row<'_>) -> rusqlite::Result<WorkspaceRow> {
    let desired: String = row.get("desired")?;
    let mut size = Size::new(row.get("cpu_milli")?, row.get("memory_bytes")?, row.get("disk_bytes")?);
    size.extended = parsed(row, "extended")?;
    Ok(WorkspaceRow {
        id: WorkspaceId::trusted(row.get("id")?),
        group_id: GroupId::trusted(row.get("group_id")?),
        owner_id: UserId::trusted(row.get("owner_id")?),
        name: row.get("name")?,
        description: row.get("description")?,
        template_version_id: TemplateVersionId::trusted(row.get("template_version_id")?),
        image: row.get("image")?,
        spec: parsed(row, "spec")?,
        // The column's CHECK admits no other word; what cannot be read is left as it is.
        desired: Desired::parse(&desired).unwrap_or(Desired::Stopped),
        generation: row.get("generation")?,
        run: row.get("run")?,
        size,
        local_uid: row.get("local_uid")?,
        created_at: Millis(row.get("created_at")?),
        updated_at: Millis(row.get("updated_at")?),
        started_at: row.get::<_, Option<i64>>("started_at")?.map(Millis),
        revision: row.get("revision")?,
        attempts: row.get("attempts")?,
        next_attempt_at: Millis(row.get("next_attempt_at")?),
    })
}

pub(super) fn workspace(r: &Row<'_>) -> rusqlite::Result<Workspace> {
    let group_status: String = r.get("group_status")?;
    Ok(Workspace {
        row: row(r)?,
        status: status(r)?,
        template_id: TemplateId::trusted(r.get("template_id")?),
        template_version: r.get("template_version")?,
        organization_id: OrganizationId::trusted(r.get("organization_id")?),
        group_name: r.get("group_name")?,
        group_display_name: r.get("group_display_name")?,
        group_status: GroupStatus::parse(&group_status).unwrap_or(GroupStatus::Failed),
        namespace: r.get("namespace")?,
        owner_username: r.get("username")?,
        owner_name: r.get("owner_name")?,
        owner_email: r.get("email")?,
        last_accessed_at: r.get::<_, Option<i64>>("last_accessed_at")?.map(Millis),
        share: share_level(r.get("share")?),
    })
}

/// One workspace as this caller meets it.
pub fn find(read: &Read<'_>, id: &WorkspaceId, caller: Option<&UserId>) -> Result<Option<Workspace>> {
    let (me, now) = (caller.map(UserId::as_str), read.now().0);
    let values = named_params! { ":me": me, ":now": now, ":id": id.as_str() };
    read.row(&format!("{SELECT} FROM workspace w{JOINS} WHERE w.id = :id"), values, workspace)
}

/// Those of the workspaces that exist, by id, for the reconciler: what should be, beside what was last seen.
pub fn find_many<'a>(read: &Read<'_>, ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<Workspace>> {
    let values = named_params! { ":me": None::<&str>, ":now": read.now().0, ":ids": id_list(ids) };
    read.rows(
        &format!("{SELECT} FROM workspace w{JOINS} WHERE w.id IN (SELECT value FROM json_each(:ids)) ORDER BY w.id"),
        values,
        workspace,
    )
}

/// Whether the owner has another workspace of this name.
pub fn is_name_taken(read: &Read<'_>, owner: &UserId, name: &str, except: Option<&WorkspaceId>) -> Result<bool> {
    const TAKEN: &str = "SELECT 1 FROM workspace WHERE owner_id = ?1 AND name = ?2 AND desired <> 'deleted' AND id <> ?3";
    let except = except.map_or("", WorkspaceId::as_str);
    Ok(read.row(TAKEN, (owner.as_str(), name, except), |_| Ok(()))?.is_some())
}

/// The next uid of the local runtime; it is never given again.
pub fn next_local_uid(tx: &Tx<'_>, permit: &Permit) -> Result<u32> {
    let next: i64 = tx.one("SELECT next FROM local_uid WHERE one = 1", [], |r| r.get(0))?;
    tx.change(permit, "UPDATE local_uid SET next = next + 1 WHERE one = 1", [])?;
    u32::try_from(next).map_err(|_| Error::internal("the uids of the local runtime are used up"))
}

const INSERT: &str = "INSERT INTO workspace (id, group_id, owner_id, name, description, template_version_id, image, spec_format, spec, desired, \
     generation, run, cpu_milli, memory_bytes, disk_bytes, extended, local_uid, created_at, updated_at, started_at, revision) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)";

/// Writes a new workspace and its empty status.
pub fn insert(tx: &Tx<'_>, permit: &Permit, row: &WorkspaceRow) -> Result<()> {
    tx.change(
        permit,
        INSERT,
        params![
            row.id.as_str(),
            row.group_id.as_str(),
            row.owner_id.as_str(),
            row.name,
            row.description,
            row.template_version_id.as_str(),
            row.image,
            SPEC_FORMAT,
            json(&row.spec)?,
            row.desired.as_str(),
            row.generation,
            row.run,
            row.size.cpu_milli,
            row.size.memory_bytes,
            row.size.disk_bytes,
            json(&row.size.extended)?,
            row.local_uid,
            row.created_at.0,
            row.updated_at.0,
            row.started_at.map(|t| t.0),
            row.revision,
        ],
    )?;
    super::workspace_status::save(tx, &row.id, &WorkspaceStatus::unseen(row.created_at))?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::internal(e.to_string()))
}

const SAVE: &str = "UPDATE workspace SET name = ?2, description = ?3, desired = ?4, generation = ?5, run = ?6, cpu_milli = ?7, memory_bytes = ?8, \
     disk_bytes = ?9, updated_at = ?10, started_at = ?11, revision = ?12, attempts = 0, next_attempt_at = 0 WHERE id = ?1";

/// Writes what may change of a workspace. The reconciler's back-off begins anew: what it failed at has changed.
pub fn save(tx: &Tx<'_>, permit: &Permit, row: &WorkspaceRow) -> Result<()> {
    let changed = params![
        row.id.as_str(),
        row.name,
        row.description,
        row.desired.as_str(),
        row.generation,
        row.run,
        row.size.cpu_milli,
        row.size.memory_bytes,
        row.size.disk_bytes,
        row.updated_at.0,
        row.started_at.map(|t| t.0),
        row.revision,
    ];
    tx.change(permit, SAVE, changed)?;
    super::periods::settle(tx, &row.id)
}

/// Removes the row with everything that hangs on it: the workspace is gone.
pub fn remove(tx: &Tx<'_>, permit: &Permit, id: &WorkspaceId) -> Result<bool> {
    tx.change(permit, "DELETE FROM share WHERE object_kind = 'workspace' AND object_id = ?1", [id.as_str()])?;
    let removed = tx.change(permit, "DELETE FROM workspace WHERE id = ?1", [id.as_str()])? > 0;
    super::periods::settle(tx, id)?;
    Ok(removed)
}

/// Notes how often the reconciler failed, and when it may try again. Only for the generation that it tried.
pub fn save_attempts(tx: &Tx<'_>, id: &WorkspaceId, generation: i64, attempts: i64, next: Millis) -> Result<()> {
    const ATTEMPTS: &str = "UPDATE workspace SET attempts = ?3, next_attempt_at = ?4 WHERE id = ?1 AND generation = ?2";
    tx.note(Unaudited::Attempts, ATTEMPTS, (id.as_str(), generation, attempts, next.0)).map(drop)
}

/// Lets everything be tried again at once: a new start of the server may have cured it.
pub fn forget_attempts(tx: &Tx<'_>) -> Result<()> {
    const FORGET: &str = "UPDATE workspace SET attempts = 0, next_attempt_at = 0 WHERE attempts > 0 OR next_attempt_at > 0";
    tx.note(Unaudited::Attempts, FORGET, []).map(drop)
}
