//! From an older file to this one: an append-only list of steps, counted by `user_version`.
//!
//! A fresh file is made from `schema.sql` at once; a test proves that an upgraded one is the same. Each step runs in
//! one transaction, and the file is copied before the first.

use super::open::APPLICATION_ID;
use crate::clock::{Clock, Entropy};
use crate::domain::id::{OrganizationId, TemplateId, TemplateVersionId};
use crate::domain::template::{BUILTIN, Builtin};
use crate::error::{Error, Result};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The schema in words and SQL.
pub const SCHEMA: &str = include_str!("../../schema.sql");

/// One step: the version it leads to, and what it does.
pub struct Step {
    pub to: i64,
    pub sql: &'static str,
}

/// All steps, oldest first. Never edited once released.
pub const STEPS: &[Step] = &[
    Step { to: 2, sql: WHAT_IS_DUE },
    Step { to: 3, sql: APPS },
    Step { to: 4, sql: MACHINE_TOKENS },
    Step { to: 5, sql: PERIODS },
    Step { to: 6, sql: API_TOKENS },
    Step { to: 7, sql: USAGE_OVER_TIME },
    Step { to: 8, sql: GROUP_PAGE },
    Step { to: 9, sql: CONCERNS },
    Step { to: 10, sql: FEW_PARTS },
];

/// The version that `schema.sql` describes.
pub const VERSION: i64 = 10;

/// Upkeep merges parts of the search index as soon as there are two of like size.
const FEW_PARTS: &str = "INSERT INTO search (search, rank) VALUES ('usermerge', 2);\n";

/// What a group says to its members.
const GROUP_PAGE: &str = "CREATE TABLE group_page (
  -- What a group says to its members beyond its purpose; only its own page shows it.
  group_id   TEXT    PRIMARY KEY REFERENCES \"group\" (id) ON DELETE CASCADE,
  notes      TEXT    NOT NULL DEFAULT '',
  welcome    TEXT    NOT NULL DEFAULT '',           -- told to whoever joins
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// The reconciler reads what is not settled instead of everything.
const WHAT_IS_DUE: &str = r#"
DROP INDEX group_unsettled;
CREATE INDEX group_due ON "group" (id) WHERE status <> 'active' OR observed_generation < generation OR attempts > 0;
CREATE INDEX workspace_meant ON workspace (id) WHERE desired <> 'stopped';
CREATE VIEW workspace_unsettled AS
  -- What should be and what was last seen differ, or a try failed, or the cluster was silent. The reconciler's plan
  -- leaves everything else alone; a test compares the two.
  SELECT w.id, CASE WHEN s.reason_code = 'cluster_unreachable' THEN 0 ELSE w.next_attempt_at END AS due
  FROM workspace w JOIN workspace_status s ON s.workspace_id = w.id
  WHERE CASE
    WHEN s.reason_code = 'cluster_unreachable' OR w.desired = 'deleted' THEN 1
    WHEN w.desired = 'stopped' THEN
      s.phase <> 'absent' OR s.reason_code IS NOT NULL OR (s.observed_generation > 0 AND s.observed_generation < w.generation)
    WHEN w.attempts > 0 OR s.observed_run < w.run THEN 1
    ELSE s.phase <> 'failed' AND (s.phase <> 'ready' OR s.observed_generation < w.generation)
  END;
CREATE TABLE workspace_due (
  -- The rows of that view, so that a round of the reconciler costs what there is to do. Kept by triggers, unaudited.
  workspace_id TEXT    PRIMARY KEY REFERENCES workspace (id) ON DELETE CASCADE,
  due          INTEGER NOT NULL                     -- not to be tried before
) STRICT, WITHOUT ROWID;
CREATE TRIGGER workspace_due_wanted AFTER UPDATE OF desired, generation, run, attempts, next_attempt_at ON workspace BEGIN
  DELETE FROM workspace_due WHERE workspace_id = new.id;
  INSERT INTO workspace_due (workspace_id, due) SELECT id, due FROM workspace_unsettled WHERE id = new.id;
END;
CREATE TRIGGER workspace_due_made AFTER INSERT ON workspace_status BEGIN
  INSERT INTO workspace_due (workspace_id, due) SELECT id, due FROM workspace_unsettled WHERE id = new.workspace_id;
END;
CREATE TRIGGER workspace_due_seen AFTER UPDATE ON workspace_status BEGIN
  DELETE FROM workspace_due WHERE workspace_id = new.workspace_id;
  INSERT INTO workspace_due (workspace_id, due) SELECT id, due FROM workspace_unsettled WHERE id = new.workspace_id;
END;
INSERT INTO workspace_due (workspace_id, due) SELECT id, due FROM workspace_unsettled;
"#;

/// The tables of workspace apps, which nothing used before.
const APPS: &str = "\
DROP TABLE app_session;
DROP TABLE app_port;
CREATE TABLE app_session (
  -- The cookie of one app's origin; it ends with the sign-in from which it was handed off. Unaudited: opening is.
  hash         BLOB    PRIMARY KEY,
  session_id   TEXT    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
  workspace_id TEXT    NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
  app          TEXT    NOT NULL,                    -- a slug, or a port in digits
  host         TEXT    NOT NULL,                    -- the one origin that may show it
  reason       TEXT    NOT NULL DEFAULT '',         -- written by whoever entered by breaking the glass
  created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX app_session_session ON app_session (session_id);
CREATE INDEX app_session_workspace ON app_session (workspace_id);

CREATE TABLE app_port (
  -- Which app has which port where apps have no names of their own. A port whose workspace is gone is given again last.
  port         INTEGER PRIMARY KEY,
  workspace_id TEXT    REFERENCES workspace (id) ON DELETE SET NULL,
  app          TEXT    NOT NULL,
  given_at     INTEGER NOT NULL,
  UNIQUE (workspace_id, app)
) STRICT;
";

/// What workspaces show the server.
const MACHINE_TOKENS: &str = "CREATE TABLE machine_token (
  -- What a run of a workspace was given to show who it is. The token is signed again from this row; none is kept.
  id           TEXT    PRIMARY KEY CHECK (id GLOB 'tok_*'),
  workspace_id TEXT    NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
  run          INTEGER NOT NULL,
  user_id      TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  kid          TEXT    NOT NULL,                    -- of the key that signs it
  issued_at    INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  revoked_at   INTEGER,
  CHECK (expires_at > issued_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX machine_token_workspace ON machine_token (workspace_id, issued_at);
CREATE INDEX machine_token_user ON machine_token (user_id);
CREATE INDEX machine_token_end ON machine_token (expires_at);
CREATE INDEX machine_token_live ON machine_token (id) WHERE revoked_at IS NULL;
";

/// What is held is noted from now on; of what was held before nothing is known but the last change.
const PERIODS: &str = "CREATE TABLE workspace_period (
  -- What a workspace counted for, from when to when: the ground of its cost. A new row whenever that changes; the last
  -- one is open while the workspace is there. Rows outlive the workspace, its group and its owner. Unaudited.
  id           INTEGER PRIMARY KEY,
  workspace_id TEXT    NOT NULL,
  group_id     TEXT    NOT NULL,
  owner_id     TEXT    NOT NULL,
  since        INTEGER NOT NULL,
  until        INTEGER,
  cpu_milli    INTEGER NOT NULL,                    -- 0 while nothing of it runs
  memory_bytes INTEGER NOT NULL,
  disk_bytes   INTEGER NOT NULL,
  CHECK (until >= since)
) STRICT;
CREATE UNIQUE INDEX workspace_period_open ON workspace_period (workspace_id) WHERE until IS NULL;
CREATE INDEX workspace_period_workspace ON workspace_period (workspace_id, since);
CREATE INDEX workspace_period_group ON workspace_period (group_id, since);
CREATE INDEX workspace_period_owner ON workspace_period (owner_id, since);
CREATE INDEX workspace_period_until ON workspace_period (until) WHERE until IS NOT NULL;
INSERT INTO workspace_period (workspace_id, group_id, owner_id, since, cpu_milli, memory_bytes, disk_bytes)
  SELECT w.id, w.group_id, w.owner_id, w.updated_at,
    CASE WHEN w.desired = 'running' OR s.phase <> 'absent' THEN max(w.cpu_milli, coalesce(s.applied_cpu_milli, 0)) ELSE 0 END,
    CASE WHEN w.desired = 'running' OR s.phase <> 'absent' THEN max(w.memory_bytes, coalesce(s.applied_memory_bytes, 0)) ELSE 0 END,
    max(w.disk_bytes, coalesce(s.applied_disk_bytes, 0))
  FROM workspace w JOIN workspace_status s ON s.workspace_id = w.id WHERE w.desired <> 'deleted';
";

/// API tokens are found by their mark, and may be made for certain groups and workspaces only. No program before could
/// make one, so there is none to keep.
const API_TOKENS: &str = "\
DROP TABLE api_token_scope;
DROP TABLE api_token;
CREATE TABLE api_token (
  -- Long-lived credentials of programs, with scopes.
  id            TEXT    PRIMARY KEY CHECK (id GLOB 'tok_*'),
  user_id       TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  name          TEXT    NOT NULL,
  mark          TEXT    NOT NULL UNIQUE,            -- the readable part of its text, by which it is found
  secret_hash   BLOB    NOT NULL,                   -- SHA-256 of the whole text
  created_by    TEXT,                               -- who made it: the owner, or an administrator for a service account
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL,
  revoked_at    INTEGER,
  last_used_at  INTEGER,                            -- written at most once an hour
  last_address  TEXT    NOT NULL DEFAULT '',
  warned_at     INTEGER                             -- when its maker was last told that it ends
) STRICT;
CREATE INDEX api_token_user ON api_token (user_id);
CREATE INDEX api_token_end ON api_token (expires_at) WHERE revoked_at IS NULL;

CREATE TABLE api_token_scope (
  token_id TEXT NOT NULL REFERENCES api_token (id) ON DELETE CASCADE,
  scope    TEXT NOT NULL,
  PRIMARY KEY (token_id, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_token_limit (
  -- A token with rows here works on these groups and workspaces and on nothing else.
  token_id  TEXT NOT NULL REFERENCES api_token (id) ON DELETE CASCADE,
  object_id TEXT NOT NULL CHECK (object_id GLOB 'grp_*' OR object_id GLOB 'ws_*'),
  PRIMARY KEY (token_id, object_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_service ON user (username) WHERE kind = 'service' AND status IN ('active', 'disabled');
CREATE INDEX user_end ON user (expires_at) WHERE expires_at IS NOT NULL AND status = 'active';
";

/// Use over time, which nothing had written before.
const USAGE_OVER_TIME: &str = "DROP TABLE usage_sample;
CREATE TABLE usage_sample (
  -- Use over time. Each look adds to the row of its minute, its hour and its day, so nothing is rolled up later, and a
  -- step without a row is one in which nobody looked. In the order of time: a look writes in one place. Unaudited.
  period        TEXT    NOT NULL CHECK (period IN ('minute', 'hour', 'day')),
  at            INTEGER NOT NULL,                   -- its first moment
  subject       TEXT    NOT NULL,                   -- platform, node:NAME, or the id of a group or workspace
  looks         INTEGER NOT NULL CHECK (looks > 0),
  cpu_milli     INTEGER NOT NULL,                   -- sums over the looks, and beside each the largest of them
  cpu_peak      INTEGER NOT NULL,
  memory_bytes  INTEGER NOT NULL,
  memory_peak   INTEGER NOT NULL,
  disk_bytes    INTEGER,                            -- NULL: nothing measures it
  disk_peak     INTEGER,
  things        INTEGER NOT NULL,                   -- workspaces of a group, processes of a workspace, pods of a node
  things_peak   INTEGER NOT NULL,
  running       INTEGER NOT NULL,                   -- how many of the workspaces run
  running_peak  INTEGER NOT NULL,
  PRIMARY KEY (period, at, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_finding (
  -- What stands out of the use of things, found in the background: near a limit, hardly used, idle, abandoned. Unaudited.
  kind     TEXT    NOT NULL CHECK (kind IN ('over', 'under', 'idle', 'abandoned')),
  subject  TEXT    NOT NULL,                        -- node:NAME, or the id of a group or workspace
  resource TEXT    NOT NULL CHECK (resource IN ('', 'cpu', 'memory', 'storage', 'pods')),
  group_id TEXT,                                    -- of the group itself, or of the workspace's; NULL: a node
  level    INTEGER NOT NULL,                        -- over: 80 or 90; under: the largest amount that was in use
  since    INTEGER NOT NULL,                        -- idle, abandoned: when it was last used
  PRIMARY KEY (kind, subject, resource)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_finding_group ON usage_finding (group_id, kind) WHERE group_id IS NOT NULL;
";

/// Of what is in the log already, what concerns somebody by what is theirs today.
const CONCERNS: &str = "CREATE TABLE audit_concern (
  -- Whose account or workspace an entry is about where somebody else did it, as it was then: what each person is shown.
  user_id TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  seq     INTEGER NOT NULL,
  PRIMARY KEY (user_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_concern_seq ON audit_concern (seq);
INSERT INTO audit_concern (user_id, seq)
  SELECT u.id, e.seq FROM user u JOIN audit_event e ON e.resource = 'user:' || u.id
  WHERE e.actor_id IS NOT u.id AND e.actor_kind NOT IN ('system', 'machine') AND NOT (e.actor_kind = 'anonymous' AND e.success = 1);
INSERT INTO audit_concern (user_id, seq)
  SELECT w.owner_id, e.seq FROM workspace w JOIN audit_event e ON e.resource = 'workspace:' || w.id
  WHERE e.actor_id IS NOT w.owner_id AND e.actor_kind NOT IN ('system', 'machine') AND NOT (e.actor_kind = 'anonymous' AND e.success = 1);
";

/// The first uid of workspaces below the local runtime.
const FIRST_LOCAL_UID: i64 = 200_000;

/// Brings the file to [`VERSION`]; answers whether it was empty.
pub fn upgrade(connection: &mut Connection, path: &Path, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<bool> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |r| r.get(0))?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    if version == 0 && tables == 0 {
        create(connection, clock, entropy)?;
        furnish(connection, clock, entropy)?;
        return Ok(true);
    }
    if application != APPLICATION_ID {
        return Err(Error::internal(format!("{} is not a Codex Web database", path.display())));
    }
    if version > VERSION {
        return Err(Error::internal(format!(
            "{} was written by a newer Codex Web (schema {version}, this program knows {VERSION}): use that version or restore a backup",
            path.display()
        )));
    }
    if version < VERSION {
        run_steps(connection, path, version, clock, STEPS)?;
    }
    furnish(connection, clock, entropy)?;
    Ok(false)
}

/// Runs the steps that a file of this version lacks, after a copy.
pub fn run_steps(connection: &mut Connection, path: &Path, version: i64, clock: &dyn Clock, steps: &[Step]) -> Result<()> {
    let copy = path.with_extension(format!("before-upgrade-{version}-{}.db", clock.now().0));
    let name = copy.to_string_lossy().into_owned();
    // SQLite makes files by the umask; this one is made for its owner alone before it is filled.
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&copy)
        .map_err(|e| Error::internal(format!("{name} cannot be made for the copy before the upgrade: {e}")))?;
    tracing::info!(copy = name, from = version, to = VERSION, "the database is upgraded, after a copy of it");
    connection.execute("VACUUM INTO ?1", params![name])?;
    std::fs::File::open(&copy)
        .and_then(|f| f.sync_all())
        .map_err(|e| Error::internal(format!("the copy before the upgrade cannot be kept: {e}")))?;
    for step in steps.iter().filter(|s| s.to > version) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step.sql)?;
        transaction.pragma_update(None, "user_version", step.to)?;
        transaction.commit()?;
    }
    Ok(())
}

fn create(connection: &mut Connection, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    born_with(&transaction, clock, entropy)?;
    transaction.commit()?;
    Ok(())
}

/// The rows of a new installation: its identity and the first organization.
fn born_with(connection: &Connection, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<()> {
    let now = clock.now();
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid().simple().to_string();
    connection.execute("INSERT INTO installation (one, id, created_at, clean_stop) VALUES (1, ?1, ?2, 0)", params![id, now.0])?;
    connection.execute("INSERT INTO local_uid (one, next) VALUES (1, ?1)", params![FIRST_LOCAL_UID])?;
    let organization = OrganizationId::fresh(now, entropy);
    connection.execute(
        "INSERT INTO organization (id, parent_id, name, display_name, path, created_at) VALUES (?1, NULL, 'default', 'Default', 'default', ?2)",
        params![organization.as_str(), now.0],
    )?;
    Ok(())
}

/// Brings the built-in templates to what this program knows: those that are missing are added, and one whose recipe
/// has changed gets another version. Old versions stay, because workspaces were made from them.
fn furnish(connection: &mut Connection, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for builtin in BUILTIN {
        let found = |r: &Row<'_>| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?, r.get::<_, String>(2)?));
        let known = transaction.query_row(FIND_BUILTIN, params![builtin.name], found).optional()?;
        match known {
            None => add(&transaction, &builtin, clock, entropy)?,
            Some((_, _, recipe)) if recipe == builtin.recipe => {}
            Some((template, number, _)) => renew(&transaction, &builtin, &template, number, clock, entropy)?,
        }
    }
    transaction.commit()?;
    Ok(())
}

const FIND_BUILTIN: &str = "SELECT t.id, (SELECT max(number) FROM template_version WHERE template_id = t.id), v.recipe \
     FROM template t JOIN template_version v ON v.id = t.active_version_id WHERE t.name = ?1 ORDER BY t.created_at LIMIT 1";
const ADD_BUILTIN: &str = "INSERT INTO template (id, organization_id, name, display_name, description, icon, builtin, active_version_id, \
     created_at, updated_at) SELECT ?1, id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8 FROM organization WHERE parent_id IS NULL ORDER BY created_at LIMIT 1";
const ADD_VERSION: &str = "INSERT INTO template_version (id, template_id, number, recipe, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
const RENEW_BUILTIN: &str = "UPDATE template SET display_name = ?2, description = ?3, icon = ?4, active_version_id = ?5, updated_at = ?6, \
     revision = revision + 1 WHERE id = ?1";

fn add(connection: &Connection, builtin: &Builtin, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<()> {
    let now = clock.now();
    let (template, version) = (TemplateId::fresh(now, entropy), TemplateVersionId::fresh(now, entropy));
    let Builtin { word, name, display_name, description, icon, recipe } = builtin;
    let (template, version) = (template.as_str(), version.as_str());
    connection.execute(ADD_BUILTIN, params![template, name, display_name, description, icon, word, version, now.0])?;
    connection.execute(ADD_VERSION, params![version, template, 1, recipe, now.0])?;
    Ok(())
}

fn renew(connection: &Connection, builtin: &Builtin, template: &str, number: i64, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<()> {
    let now = clock.now();
    let version = TemplateVersionId::fresh(now, entropy);
    let Builtin { display_name, description, icon, recipe, .. } = builtin;
    connection.execute(ADD_VERSION, params![version.as_str(), template, number + 1, recipe, now.0])?;
    connection.execute(RENEW_BUILTIN, params![template, display_name, description, icon, version.as_str(), now.0])?;
    Ok(())
}
