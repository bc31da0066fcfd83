//! Workspaces: the rows of what should be, read together with what is.
//!
//! Every reader gets a [`Workspace`], joined once with its group, owner, template, status and use, so that no list asks
//! again for each row. Lists go by key, newest first. What one may see is a [`Scope`], chosen by `ops` with policy's
//! answers; it becomes SQL here.

use super::sql::{Page, fts_phrase};
use super::tx::{Read, Tx, Unaudited};
use super::workspace_status::{WorkspaceStatus, status, status_columns, status_sql};
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
use rusqlite::{Row, ToSql, params};

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

/// Which workspaces somebody may see at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    All,
    Owner(UserId),
    Group(GroupId),
    /// Their own, those of groups and organizations they oversee, and what is shared with them.
    Visible {
        user: UserId,
        groups: Vec<GroupId>,
        organizations: Vec<OrganizationId>,
    },
}

/// Which of them are wanted.
#[derive(Debug, Clone)]
pub struct Filter {
    pub scope: Scope,
    /// For whom shares are looked up.
    pub caller: Option<UserId>,
    pub group: Option<GroupId>,
    pub owner: Option<UserId>,
    pub status: Option<Status>,
    /// A part of the name.
    pub search: Option<String>,
    /// The last id of the page before.
    pub before: Option<WorkspaceId>,
    pub limit: usize,
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

const SELECT: &str = concat!(
    "SELECT w.id, w.group_id, w.owner_id, w.name, w.description, w.template_version_id, w.image, w.spec_format, w.spec, w.desired, \
     w.generation, w.run, w.cpu_milli, w.memory_bytes, w.disk_bytes, w.extended, w.local_uid, w.created_at, w.updated_at, w.started_at, \
     w.revision, w.attempts, w.next_attempt_at, v.template_id, v.number AS template_version, g.organization_id, g.name AS group_name, \
     g.display_name AS group_display_name, g.status AS group_status, g.namespace, u.username, u.name AS owner_name, u.email, \
     a.last_accessed_at, ",
    share_sql!(),
    " AS share, ",
    status_columns!()
);
/// `CROSS JOIN` keeps the workspaces outermost, so that they come in the order of their index.
const FROM: &str = " FROM workspace w CROSS JOIN \"group\" g ON g.id = w.group_id CROSS JOIN user u ON u.id = w.owner_id \
     CROSS JOIN template_version v ON v.id = w.template_version_id CROSS JOIN workspace_status s ON s.workspace_id = w.id \
     LEFT JOIN workspace_activity a ON a.workspace_id = w.id";
const VISIBLE: &str = "w.id IN (SELECT o.id FROM workspace o WHERE o.owner_id = :user \
     UNION SELECT o.id FROM json_each(:groups) j CROSS JOIN workspace o ON o.group_id = j.value \
     UNION SELECT o.id FROM json_each(:organizations) j CROSS JOIN \"group\" h ON h.organization_id = j.value CROSS JOIN workspace o ON o.group_id = h.id \
     UNION SELECT x.object_id FROM share x WHERE x.holder_kind = 'user' AND x.holder_id = :user AND x.object_kind = 'workspace' \
     AND (x.expires_at IS NULL OR x.expires_at > :now) \
     UNION SELECT x.object_id FROM membership m CROSS JOIN share x ON x.holder_kind = 'group' AND x.holder_id = m.group_id \
     AND x.object_kind = 'workspace' WHERE m.user_id = :user AND (m.expires_at IS NULL OR m.expires_at > :now) \
     AND (x.expires_at IS NULL OR x.expires_at > :now))";

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
fn parsed<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
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

fn workspace(r: &Row<'_>) -> rusqlite::Result<Workspace> {
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

/// Conditions and their values, put together from the constants above.
struct Question {
    conditions: Vec<&'static str>,
    values: Vec<(&'static str, Box<dyn ToSql>)>,
}

impl Question {
    fn new() -> Self {
        Self { conditions: Vec::new(), values: Vec::new() }
    }

    fn only(&mut self, condition: &'static str) {
        self.conditions.push(condition);
    }

    fn bind(&mut self, name: &'static str, value: impl ToSql + 'static) {
        self.values.push((name, Box::new(value)));
    }

    fn of(filter: &Filter, now: Millis) -> Self {
        let mut question = Self::new();
        match &filter.scope {
            Scope::All => {}
            Scope::Owner(user) => {
                question.only("w.owner_id = :user");
                question.bind(":user", user.to_string());
            }
            Scope::Group(group) => {
                question.only("w.group_id = :home");
                question.bind(":home", group.to_string());
            }
            Scope::Visible { user, groups, organizations } => {
                question.only(VISIBLE);
                question.bind(":user", user.to_string());
                question.bind(":groups", serde_json::json!(groups).to_string());
                question.bind(":organizations", serde_json::json!(organizations).to_string());
                question.bind(":now", now.0);
            }
        }
        question.narrow(filter);
        question
    }

    fn narrow(&mut self, filter: &Filter) {
        if let Some(group) = &filter.group {
            self.only("w.group_id = :group");
            self.bind(":group", group.to_string());
        }
        if let Some(owner) = &filter.owner {
            self.only("w.owner_id = :owner");
            self.bind(":owner", owner.to_string());
        }
        if let Some(status) = filter.status {
            self.only(concat!("(", status_sql!(), ") = :status"));
            self.bind(":status", status.as_str());
        }
        match &filter.search {
            // Trigrams match nothing under three characters; such a search looks at the beginning of the name.
            Some(text) if text.chars().count() < 3 => {
                self.only("lower(substr(w.name, 1, length(:search))) = lower(:search)");
                self.bind(":search", text.clone());
            }
            Some(text) => {
                self.only("w.id IN (SELECT f.id FROM search f WHERE f.text MATCH :search AND f.kind = 'workspace')");
                self.bind(":search", fts_phrase(text));
            }
            None => {}
        }
    }

    fn asks_shares(&mut self, caller: Option<&UserId>, now: Millis) {
        self.bind(":me", caller.map(ToString::to_string));
        if !self.values.iter().any(|(name, _)| *name == ":now") {
            self.bind(":now", now.0);
        }
    }

    fn condition(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { format!(" WHERE {}", self.conditions.join(" AND ")) }
    }

    fn params(&self) -> Vec<(&str, &dyn ToSql)> {
        self.values.iter().map(|(name, value)| (*name, value.as_ref())).collect()
    }
}

/// A page of workspaces, newest first.
pub fn list(read: &Read<'_>, filter: &Filter) -> Result<Page<Workspace>> {
    let mut question = Question::of(filter, read.now());
    question.asks_shares(filter.caller.as_ref(), read.now());
    if let Some(before) = &filter.before {
        question.only("w.id < :before");
        question.bind(":before", before.to_string());
    }
    question.bind(":limit", i64::try_from(filter.limit + 1).unwrap_or(i64::MAX));
    let sql = format!("{SELECT}{FROM}{} ORDER BY w.id DESC LIMIT :limit", question.condition());
    Ok(Page::cut(read.rows(&sql, question.params().as_slice(), workspace)?, filter.limit))
}

/// How many there are on all pages.
pub fn count(read: &Read<'_>, filter: &Filter) -> Result<i64> {
    let question = Question::of(filter, read.now());
    let sql = format!("SELECT count(*) FROM workspace w JOIN workspace_status s ON s.workspace_id = w.id{}", question.condition());
    read.one(&sql, question.params().as_slice(), |r| r.get(0))
}

/// One workspace as this caller meets it.
pub fn find(read: &Read<'_>, id: &WorkspaceId, caller: Option<&UserId>) -> Result<Option<Workspace>> {
    let mut question = Question::new();
    question.asks_shares(caller, read.now());
    question.only("w.id = :id");
    question.bind(":id", id.to_string());
    read.row(&format!("{SELECT}{FROM}{}", question.condition()), question.params().as_slice(), workspace)
}

/// All workspaces, for the reconciler: what should be, beside what was last seen.
pub fn all(read: &Read<'_>) -> Result<Vec<Workspace>> {
    let mut question = Question::new();
    question.asks_shares(None, read.now());
    read.rows(&format!("{SELECT}{FROM} ORDER BY w.id"), question.params().as_slice(), workspace)
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
    tx.change(permit, SAVE, changed).map(drop)
}

/// Removes the row with everything that hangs on it: the workspace is gone.
pub fn remove(tx: &Tx<'_>, permit: &Permit, id: &WorkspaceId) -> Result<bool> {
    tx.change(permit, "DELETE FROM share WHERE object_kind = 'workspace' AND object_id = ?1", [id.as_str()])?;
    Ok(tx.change(permit, "DELETE FROM workspace WHERE id = ?1", [id.as_str()])? > 0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SystemClock, SystemEntropy};
    use crate::domain::workspace::Phase;
    use crate::events::Bus;
    use crate::store::open::Synchronous;
    use crate::store::{Db, DbOptions, Origin, pool};
    use std::sync::Arc;

    fn open(dir: &std::path::Path) -> Db {
        let options = DbOptions {
            path: dir.join("codex-web.db"),
            synchronous: Synchronous::Normal,
            readers: 1,
            audit_key: [1; 32],
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            bus: Bus::new("test".into()),
        };
        Db::open(options).unwrap().0
    }

    #[test]
    fn the_status_in_sql_is_the_status_of_the_domain() {
        let dir = tempfile::tempdir().unwrap();
        let sql =
            concat!("SELECT ", status_sql!(), " FROM (SELECT ?1 AS desired, ?2 AS run) w, (SELECT ?3 AS phase, ?4 AS observed_run) s");
        open(dir.path())
            .read_blocking(|read| {
                for desired in [Desired::Running, Desired::Stopped, Desired::Deleted] {
                    for phase in Phase::ALL {
                        for (run, observed) in [(1, 1), (2, 1), (1, 0), (1, 2)] {
                            let word: String = read.one(sql, (desired.as_str(), run, phase.as_str(), observed), |r| r.get(0))?;
                            assert_eq!(word, Status::of(desired, phase, run, observed).as_str(), "{desired:?} {phase:?} {run} {observed}");
                        }
                    }
                }
                Ok(())
            })
            .unwrap();
    }

    /// A group and workspaces in every state, written as they lie in the file.
    fn furnish(db: &Db) -> (GroupId, Vec<(WorkspaceId, Usage)>) {
        db.write_blocking(Origin::default(), |tx| {
            let c = tx.connection();
            c.execute_batch(
                "INSERT INTO user (id, username, email, created_at, updated_at) VALUES ('usr_a', 'anna', 'a@example.org', 0, 0);
                 INSERT INTO \"group\" (id, organization_id, name, display_name, namespace, status, owner_id, quota_cpu_milli, quota_memory_bytes, \
                 quota_storage_bytes, quota_workspaces, created_at, updated_at) \
                 SELECT 'grp_a', id, 'team', 'Team', 'ns-team', 'active', 'usr_a', 1, 1, 1, 1, 0, 0 FROM organization;",
            )?;
            let mut made = Vec::new();
            for (n, (desired, phase, applied)) in [Desired::Running, Desired::Stopped, Desired::Deleted]
                .into_iter()
                .flat_map(|d| Phase::ALL.into_iter().flat_map(move |p| [None, Some(900), Some(3)].map(|a| (d, p, a))))
                .enumerate()
            {
                let id = WorkspaceId::trusted(format!("ws_{n:032x}"));
                c.execute(
                    "INSERT INTO workspace (id, group_id, owner_id, name, template_version_id, image, spec_format, spec, desired, cpu_milli, \
                     memory_bytes, disk_bytes, local_uid, created_at, updated_at) SELECT ?1, 'grp_a', 'usr_a', ?1, id, 'x', 1, \
                     '{\"recipe\":{\"kind\":\"image\",\"reference\":\"x\"}}', ?2, 500, 600, 700, ?3, 0, 0 FROM template_version LIMIT 1",
                    params![id.as_str(), desired.as_str(), i64::try_from(n).unwrap()],
                )?;
                let applied = applied.map(|n| Size::new(n, n, n));
                let seen = WorkspaceStatus { phase, applied: applied.clone(), ..WorkspaceStatus::unseen(Millis(0)) };
                super::super::workspace_status::save(tx, &id, &seen)?;
                made.push((id, Usage::counted(&Size::new(500, 600, 700), applied.as_ref(), desired, phase)));
            }
            Ok((GroupId::trusted("grp_a".into()), made))
        })
        .unwrap()
    }

    #[test]
    fn the_pool_in_sql_counts_what_the_domain_counts() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let (group, made) = furnish(&db);
        let expected = made.iter().fold(Usage::default(), |sum, (_, one)| sum.plus(one));
        db.read_blocking(|read| {
            assert_eq!(pool::group_usage(read, &group)?, expected);
            assert_eq!(pool::group_usages(read, std::slice::from_ref(&group))?.get(&group), Some(&expected));
            for (id, usage) in &made {
                assert_eq!(find(read, id, None)?.map(|w| w.counted()), Some(*usage), "{id}");
            }
            Ok(())
        })
        .unwrap();
    }

    fn filter(scope: Scope) -> Filter {
        Filter {
            scope,
            caller: Some(UserId::trusted("usr_a".into())),
            group: None,
            owner: None,
            status: None,
            search: None,
            before: None,
            limit: 10,
        }
    }

    #[test]
    fn pages_follow_each_other_without_gaps_whatever_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let (group, made) = furnish(&db);
        let anna = UserId::trusted("usr_a".into());
        let visible = Scope::Visible { user: anna.clone(), groups: vec![group.clone()], organizations: Vec::new() };
        for scope in [Scope::All, Scope::Owner(anna), Scope::Group(group), visible] {
            let mut wanted = filter(scope.clone());
            let (mut seen, mut more) = (Vec::new(), true);
            while more {
                let page = db.read_blocking(|read| list(read, &wanted)).unwrap();
                seen.extend(page.items.iter().map(|w| w.row.id.clone()));
                (more, wanted.before) = (page.more, seen.last().cloned());
            }
            assert_eq!(seen, made.iter().rev().map(|(id, _)| id.clone()).collect::<Vec<_>>(), "{scope:?}");
            assert_eq!(db.read_blocking(|read| count(read, &filter(scope.clone()))).unwrap(), 54);
        }
        let stranger = Scope::Visible { user: UserId::trusted("usr_b".into()), groups: Vec::new(), organizations: Vec::new() };
        assert!(db.read_blocking(|read| list(read, &filter(stranger))).unwrap().items.is_empty());
    }

    #[test]
    fn a_search_finds_parts_of_names_and_no_operator_works_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        furnish(&db);
        let found = |text: &str| {
            let wanted = Filter { search: Some(text.into()), limit: 100, ..filter(Scope::All) };
            db.read_blocking(|read| list(read, &wanted)).unwrap().items.len()
        };
        assert_eq!(found("ws"), 54);
        assert_eq!(found("00035"), 1);
        assert_eq!(found("ws OR 1"), 0);
        assert_eq!(found("\"*"), 0);
    }

    #[test]
    fn the_hot_lists_walk_an_index_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        for scope in [Scope::All, Scope::Owner(UserId::trusted("usr_a".into())), Scope::Group(GroupId::trusted("grp_a".into()))] {
            let plan = db
                .read_blocking(|read| {
                    let mut question = Question::of(&filter(scope.clone()), read.now());
                    question.asks_shares(None, read.now());
                    question.only("w.id < :before");
                    question.bind(":before", "ws_~");
                    question.bind(":limit", 10);
                    let sql = format!("EXPLAIN QUERY PLAN {SELECT}{FROM}{} ORDER BY w.id DESC LIMIT :limit", question.condition());
                    read.rows(&sql, question.params().as_slice(), |r| r.get::<_, String>(3))
                })
                .unwrap();
            assert!(plan.iter().any(|line| line.starts_with("SEARCH w USING INDEX")), "{scope:?} {plan:#?}");
            assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE") || line.starts_with("SCAN")), "{scope:?} {plan:#?}");
        }
    }
}
