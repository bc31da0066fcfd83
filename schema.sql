-- Codex Web: what the file holds.
--
-- This is the truth to read; src/store/upgrade.rs brings older files to the same shape, and a test proves
-- fresh = upgraded. Every table is STRICT. Times are INTEGER milliseconds since 1970-01-01 UTC. Ids are a prefix and
-- the 32 hexadecimal digits of a UUIDv7. Secrets are stored as hashes, or sealed under the master key; never readable.

CREATE TABLE installation (
  -- One row: what this installation is.
  one            INTEGER PRIMARY KEY CHECK (one = 1),
  id             TEXT    NOT NULL,                  -- 32 hex digits; the genesis of the audit chain and the iss of tokens
  created_at     INTEGER NOT NULL,
  set_up_at      INTEGER,                           -- when the first administrator was made; set-up is closed for ever then
  clean_stop     INTEGER NOT NULL DEFAULT 1 CHECK (clean_stop IN (0, 1))  -- 0 while a server runs: a full check follows a crash
) STRICT;

CREATE TABLE user (
  -- People and service accounts.
  id                    TEXT    PRIMARY KEY CHECK (id GLOB 'usr_*'),
  kind                  TEXT    NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service')),
  status                TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled', 'deleted', 'erased')),
  username              TEXT    NOT NULL,           -- lower-case ASCII, no @
  email                 TEXT    NOT NULL,
  name                  TEXT    NOT NULL DEFAULT '',
  password_hash         TEXT,                       -- argon2id PHC; NULL: signs in another way, or not yet
  must_change_password  INTEGER NOT NULL DEFAULT 0 CHECK (must_change_password IN (0, 1)),
  password_expires_at   INTEGER,                    -- a password that somebody else chose is good until then
  token_version         INTEGER NOT NULL DEFAULT 1, -- in every access token; raised to end them all at once
  expires_at            INTEGER,                    -- contractors: no sign-in from then on
  manager_id            TEXT    REFERENCES user (id) ON DELETE SET NULL,
  organization_id       TEXT    REFERENCES organization (id) ON DELETE RESTRICT,  -- home of a service account
  created_at            INTEGER NOT NULL,
  updated_at            INTEGER NOT NULL,
  last_login_at         INTEGER,
  revision              INTEGER NOT NULL DEFAULT 1, -- the ETag
  CHECK (kind = 'person' OR organization_id IS NOT NULL),
  CHECK (kind = 'person' OR password_hash IS NULL)
) STRICT;
-- A deleted person frees the name and the address.
CREATE UNIQUE INDEX user_username ON user (username) WHERE status IN ('active', 'disabled');
CREATE UNIQUE INDEX user_email ON user (email COLLATE NOCASE) WHERE status IN ('active', 'disabled');
CREATE INDEX user_name ON user (name COLLATE NOCASE);
CREATE INDEX user_listed ON user (username, id) WHERE status IN ('active', 'disabled');
CREATE INDEX user_disabled ON user (username) WHERE status = 'disabled';
CREATE INDEX user_manager ON user (manager_id) WHERE manager_id IS NOT NULL;
CREATE INDEX user_service ON user (username) WHERE kind = 'service' AND status IN ('active', 'disabled');
CREATE INDEX user_end ON user (expires_at) WHERE expires_at IS NOT NULL AND status = 'active';

CREATE TABLE login_identity (
  -- Who somebody is at an identity provider; the local password is implied by the hash.
  issuer     TEXT    NOT NULL,
  subject    TEXT    NOT NULL,
  user_id    TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX login_identity_user ON login_identity (user_id);

CREATE TABLE session (
  -- One sign-in; the cookie and the access and refresh tokens are two ways to show it.
  id            TEXT    PRIMARY KEY CHECK (id GLOB 'ses_*'),
  user_id       TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  secret_hash   BLOB,                               -- SHA-256 of the cookie; NULL for API clients
  kind          TEXT    NOT NULL CHECK (kind IN ('cookie', 'tokens')),
  created_at    INTEGER NOT NULL,
  signed_in_at  INTEGER NOT NULL,                   -- moves at step-up
  last_used_at  INTEGER NOT NULL,                   -- written at most once a minute
  idle_expires  INTEGER NOT NULL,
  hard_expires  INTEGER NOT NULL,
  revoked_at    INTEGER,
  address       TEXT    NOT NULL DEFAULT '',
  agent         TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX session_secret ON session (secret_hash) WHERE secret_hash IS NOT NULL;
CREATE INDEX session_user ON session (user_id, created_at) WHERE revoked_at IS NULL;
CREATE INDEX session_expiry ON session (hard_expires);

CREATE TABLE refresh_token (
  -- Rotating: each is used once; a family is one sign-in.
  hash          BLOB    PRIMARY KEY,
  family_id     TEXT    NOT NULL,
  session_id    TEXT    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
  user_id       TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  parent_hash   BLOB,
  issued_at     INTEGER NOT NULL,
  idle_expires  INTEGER NOT NULL,
  hard_expires  INTEGER NOT NULL,
  used_at       INTEGER,
  revoked_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_token_family ON refresh_token (family_id);
CREATE INDEX refresh_token_session ON refresh_token (session_id);
CREATE INDEX refresh_token_user ON refresh_token (user_id);
CREATE INDEX refresh_token_parent ON refresh_token (parent_hash) WHERE parent_hash IS NOT NULL;
CREATE INDEX refresh_token_expiry ON refresh_token (hard_expires);

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

CREATE TABLE one_time_code (
  -- Set-up, invitation, reset, pending second factor, socket tickets, identity provider state. The purpose is part of
  -- the key, so that a code of one kind can never be redeemed as another.
  purpose    TEXT    NOT NULL CHECK (purpose IN ('setup', 'invite', 'reset', 'mfa', 'oidc', 'socket', 'handoff')),
  hash       BLOB    NOT NULL,
  user_id    TEXT    REFERENCES user (id) ON DELETE CASCADE,
  subject    TEXT    NOT NULL DEFAULT '',           -- what it opens: a workspace, a session
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at    INTEGER,
  PRIMARY KEY (purpose, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX one_time_code_expiry ON one_time_code (expires_at);
CREATE INDEX one_time_code_user ON one_time_code (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE signing_key (
  -- Keys that sign our tokens; the private part is sealed under the master key.
  kid            TEXT    PRIMARY KEY,               -- RFC 7638 thumbprint
  kind           TEXT    NOT NULL CHECK (kind IN ('access', 'machine', 'audit')),
  algorithm      TEXT    NOT NULL CHECK (algorithm IN ('EdDSA', 'RS512')),
  state          TEXT    NOT NULL CHECK (state IN ('active', 'retiring')),
  public_jwk     TEXT    NOT NULL,
  sealed_private BLOB    NOT NULL,
  created_at     INTEGER NOT NULL,
  retire_at      INTEGER,                           -- when a retiring key is dropped
  CHECK ((state = 'retiring') = (retire_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX signing_key_active ON signing_key (kind) WHERE state = 'active';

CREATE TABLE sealed_secret (
  -- Passwords of mail, LDAP and identity providers, TOTP seeds, git credentials.
  name       TEXT    PRIMARY KEY,
  sealed     BLOB    NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE organization (
  -- A tree. A fresh installation has one node, `default`.
  id           TEXT    PRIMARY KEY CHECK (id GLOB 'org_*'),
  parent_id    TEXT    REFERENCES organization (id) ON DELETE RESTRICT,
  name         TEXT    NOT NULL,
  display_name TEXT    NOT NULL,
  path         TEXT    NOT NULL UNIQUE,             -- names from the root, joined by /
  created_at   INTEGER NOT NULL,
  revision     INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX organization_parent ON organization (parent_id);

CREATE TABLE organization_member (
  organization_id TEXT    NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
  user_id         TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  source          TEXT    NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'oidc', 'ldap', 'request', 'apply')),
  granted_by      TEXT,
  granted_at      INTEGER NOT NULL,
  reason          TEXT    NOT NULL DEFAULT '',
  expires_at      INTEGER,
  request_id      TEXT,
  PRIMARY KEY (organization_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX organization_member_user ON organization_member (user_id);

CREATE TABLE organization_role (
  -- A custom role: a name for some actions.
  organization_id TEXT    NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
  name            TEXT    NOT NULL,
  created_at      INTEGER NOT NULL,
  PRIMARY KEY (organization_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE organization_role_action (
  organization_id TEXT NOT NULL,
  role            TEXT NOT NULL,
  action          TEXT NOT NULL,                    -- a code of the policy table
  PRIMARY KEY (organization_id, role, action),
  FOREIGN KEY (organization_id, role) REFERENCES organization_role (organization_id, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE organization_role_assignment (
  organization_id TEXT    NOT NULL,
  role            TEXT    NOT NULL,
  user_id         TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  source          TEXT    NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'oidc', 'ldap', 'request', 'apply')),
  granted_by      TEXT,
  granted_at      INTEGER NOT NULL,
  reason          TEXT    NOT NULL DEFAULT '',
  expires_at      INTEGER,
  request_id      TEXT,
  PRIMARY KEY (organization_id, role, user_id),
  FOREIGN KEY (organization_id, role) REFERENCES organization_role (organization_id, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX organization_role_assignment_user ON organization_role_assignment (user_id);

CREATE TABLE system_grant (
  -- The four platform rights; all four are what the API calls isAdmin.
  user_id    TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  right      TEXT    NOT NULL CHECK (right IN ('manageSystem', 'manageUsers', 'monitorSystem', 'setPermissions')),
  source     TEXT    NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'oidc', 'ldap', 'request', 'apply')),
  granted_by TEXT,
  granted_at INTEGER NOT NULL,
  reason     TEXT    NOT NULL DEFAULT '',
  expires_at INTEGER,
  request_id TEXT,
  PRIMARY KEY (user_id, right)
) STRICT, WITHOUT ROWID;

CREATE TABLE "group" (
  -- A team inside one organization: its namespace, its quota. Status and generations are desired state as for workspaces.
  id                  TEXT    PRIMARY KEY CHECK (id GLOB 'grp_*'),
  organization_id     TEXT    NOT NULL REFERENCES organization (id) ON DELETE RESTRICT,
  name                TEXT    NOT NULL UNIQUE,
  display_name        TEXT    NOT NULL,
  description         TEXT    NOT NULL DEFAULT '',
  namespace           TEXT    NOT NULL UNIQUE,
  namespace_uid       TEXT,                         -- the cluster's own id of the namespace
  status              TEXT    NOT NULL CHECK (status IN ('creating', 'active', 'failed', 'deleting')),
  status_code         TEXT,                         -- why it is not active: stable code and words
  status_message      TEXT,
  generation          INTEGER NOT NULL DEFAULT 1,
  observed_generation INTEGER NOT NULL DEFAULT 0,
  owner_id            TEXT    NOT NULL REFERENCES user (id) ON DELETE RESTRICT,
  private             INTEGER NOT NULL DEFAULT 1 CHECK (private IN (0, 1)),
  private_members     INTEGER NOT NULL DEFAULT 1 CHECK (private_members IN (0, 1)),
  purpose             TEXT    NOT NULL DEFAULT '',
  ends_at             INTEGER,
  quota_cpu_milli     INTEGER NOT NULL CHECK (quota_cpu_milli > 0),
  quota_memory_bytes  INTEGER NOT NULL CHECK (quota_memory_bytes > 0),
  quota_storage_bytes INTEGER NOT NULL CHECK (quota_storage_bytes > 0),
  quota_workspaces    INTEGER NOT NULL CHECK (quota_workspaces > 0),
  quota_extended      TEXT    NOT NULL DEFAULT '{}',
  member_count        INTEGER NOT NULL DEFAULT 0 CHECK (member_count >= 0),  -- kept by triggers of membership
  created_at          INTEGER NOT NULL,
  updated_at          INTEGER NOT NULL,
  revision            INTEGER NOT NULL DEFAULT 1,
  attempts            INTEGER NOT NULL DEFAULT 0,   -- failed tries of the reconciler, for its back-off
  next_attempt_at     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX group_organization ON "group" (organization_id);
CREATE INDEX group_owner ON "group" (owner_id);
-- What a round of the reconciler reads.
CREATE INDEX group_due ON "group" (id) WHERE status <> 'active' OR observed_generation < generation OR attempts > 0;
CREATE INDEX group_display_name ON "group" (display_name COLLATE NOCASE, id);

CREATE TABLE group_page (
  -- What a group says to its members beyond its purpose; only its own page shows it.
  group_id   TEXT    PRIMARY KEY REFERENCES "group" (id) ON DELETE CASCADE,
  notes      TEXT    NOT NULL DEFAULT '',
  welcome    TEXT    NOT NULL DEFAULT '',           -- told to whoever joins
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE membership (
  group_id      TEXT    NOT NULL REFERENCES "group" (id) ON DELETE CASCADE,
  user_id       TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  role          TEXT    NOT NULL CHECK (role IN ('member', 'admin')),
  joined_at     INTEGER NOT NULL,
  last_visit_at INTEGER,
  source        TEXT    NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'oidc', 'ldap', 'request', 'apply')),
  granted_by    TEXT,
  granted_at    INTEGER NOT NULL,
  reason        TEXT    NOT NULL DEFAULT '',
  expires_at    INTEGER,
  request_id    TEXT,
  PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX membership_user ON membership (user_id, group_id);
CREATE TRIGGER membership_added AFTER INSERT ON membership BEGIN
  UPDATE "group" SET member_count = member_count + 1 WHERE id = new.group_id;
END;
CREATE TRIGGER membership_removed AFTER DELETE ON membership BEGIN
  UPDATE "group" SET member_count = member_count - 1 WHERE id = old.group_id;
END;

CREATE TABLE share (
  -- A user or a whole group may do something with one workspace or template.
  holder_kind TEXT    NOT NULL CHECK (holder_kind IN ('user', 'group')),
  holder_id   TEXT    NOT NULL,
  object_kind TEXT    NOT NULL CHECK (object_kind IN ('workspace', 'template')),
  object_id   TEXT    NOT NULL,
  level       TEXT    NOT NULL CHECK (level IN ('read', 'use', 'run', 'configure', 'delete', 'setPermissions')),
  source      TEXT    NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'oidc', 'ldap', 'request', 'apply')),
  granted_by  TEXT,
  granted_at  INTEGER NOT NULL,
  reason      TEXT    NOT NULL DEFAULT '',
  expires_at  INTEGER,
  request_id  TEXT,
  PRIMARY KEY (object_kind, object_id, holder_kind, holder_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX share_holder ON share (holder_kind, holder_id);

CREATE TABLE quota_change (
  -- The history of a group's quota.
  id            INTEGER PRIMARY KEY,
  group_id      TEXT    NOT NULL REFERENCES "group" (id) ON DELETE CASCADE,
  at            INTEGER NOT NULL,
  changed_by    TEXT,
  reason        TEXT    NOT NULL DEFAULT '',
  cpu_milli     INTEGER NOT NULL,
  memory_bytes  INTEGER NOT NULL,
  storage_bytes INTEGER NOT NULL,
  workspaces    INTEGER NOT NULL
) STRICT;
CREATE INDEX quota_change_group ON quota_change (group_id, id);

CREATE TABLE template (
  -- A workspace recipe; what it holds lies in its versions.
  id                  TEXT    PRIMARY KEY CHECK (id GLOB 'tpl_*'),
  organization_id     TEXT    NOT NULL REFERENCES organization (id) ON DELETE RESTRICT,
  name                TEXT    NOT NULL,
  display_name        TEXT    NOT NULL,
  description         TEXT    NOT NULL DEFAULT '',
  icon                TEXT    NOT NULL DEFAULT 'layers',
  builtin             TEXT    UNIQUE CHECK (builtin IN ('shell', 'image')),
  active_version_id   TEXT    REFERENCES template_version (id) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED,
  deprecation_message TEXT,
  created_at          INTEGER NOT NULL,
  updated_at          INTEGER NOT NULL,
  revision            INTEGER NOT NULL DEFAULT 1,
  UNIQUE (organization_id, name)
) STRICT;

CREATE TABLE template_version (
  -- Never changes once written.
  id          TEXT    PRIMARY KEY CHECK (id GLOB 'tpv_*'),
  template_id TEXT    NOT NULL REFERENCES template (id) ON DELETE CASCADE,
  number      INTEGER NOT NULL,
  recipe      TEXT    NOT NULL,                     -- JSON of domain::template::Recipe; read whole, never queried
  created_at  INTEGER NOT NULL,
  created_by  TEXT,
  UNIQUE (template_id, number)
) STRICT;
CREATE TRIGGER template_version_frozen BEFORE UPDATE ON template_version BEGIN
  SELECT RAISE(ABORT, 'a template version never changes');
END;

CREATE TABLE workspace (
  -- Desired state. What is observed lies in workspace_status, so that observing never touches this row.
  id                   TEXT    PRIMARY KEY CHECK (id GLOB 'ws_*'),
  group_id             TEXT    NOT NULL REFERENCES "group" (id) ON DELETE RESTRICT,
  owner_id             TEXT    NOT NULL REFERENCES user (id) ON DELETE RESTRICT,
  name                 TEXT    NOT NULL,
  description          TEXT    NOT NULL DEFAULT '',
  template_version_id  TEXT    NOT NULL REFERENCES template_version (id) ON DELETE RESTRICT,
  image                TEXT    NOT NULL,            -- what the API shows: an image, or `local:shell`
  spec_format          INTEGER NOT NULL,            -- of the frozen spec
  spec                 TEXT    NOT NULL,            -- JSON of domain::workspace::FrozenSpec; read whole, never queried
  desired              TEXT    NOT NULL CHECK (desired IN ('running', 'stopped', 'deleted')),
  generation           INTEGER NOT NULL DEFAULT 1,
  run                  INTEGER NOT NULL DEFAULT 0,
  cpu_milli            INTEGER NOT NULL CHECK (cpu_milli > 0),
  memory_bytes         INTEGER NOT NULL CHECK (memory_bytes > 0),
  disk_bytes           INTEGER NOT NULL CHECK (disk_bytes > 0),
  extended             TEXT    NOT NULL DEFAULT '{}',
  local_uid            INTEGER NOT NULL UNIQUE,     -- its uid on the local runtime; never shared, never reused
  created_at           INTEGER NOT NULL,
  updated_at           INTEGER NOT NULL,
  started_at           INTEGER,                     -- when it was last asked to start
  revision             INTEGER NOT NULL DEFAULT 1,
  attempts             INTEGER NOT NULL DEFAULT 0,  -- failed tries of the reconciler, for its back-off
  next_attempt_at      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX workspace_name ON workspace (owner_id, name) WHERE desired <> 'deleted';
CREATE INDEX workspace_group ON workspace (group_id, id);
CREATE INDEX workspace_owner ON workspace (owner_id, id);
CREATE INDEX workspace_template_version ON workspace (template_version_id);
CREATE INDEX workspace_meant ON workspace (id) WHERE desired <> 'stopped';

CREATE TABLE local_uid (
  -- The next uid of the local runtime; only ever grows.
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  next INTEGER NOT NULL
) STRICT;

CREATE TABLE workspace_status (
  -- What the cluster last said. Written by the reconciler, unaudited.
  workspace_id         TEXT    PRIMARY KEY REFERENCES workspace (id) ON DELETE CASCADE,
  phase                TEXT    NOT NULL DEFAULT 'absent' CHECK (phase IN ('absent', 'creating', 'waiting', 'ready', 'failed', 'terminating')),
  reason_code          TEXT,
  reason_message       TEXT,
  reason_remedy        TEXT,
  since                INTEGER NOT NULL,
  observed_generation  INTEGER NOT NULL DEFAULT 0,
  observed_run         INTEGER NOT NULL DEFAULT 0,
  applied_cpu_milli    INTEGER,
  applied_memory_bytes INTEGER,
  applied_disk_bytes   INTEGER,
  components           TEXT    NOT NULL DEFAULT '[]',
  CHECK ((reason_code IS NULL) = (reason_message IS NULL))
) STRICT, WITHOUT ROWID;

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

CREATE TABLE workspace_activity (
  -- What counts as use. Unaudited.
  workspace_id     TEXT    PRIMARY KEY REFERENCES workspace (id) ON DELETE CASCADE,
  last_accessed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workspace_event (
  -- The timeline: at most 500 a workspace, 30 days. Unaudited.
  id           INTEGER PRIMARY KEY,
  workspace_id TEXT    NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
  at           INTEGER NOT NULL,
  run          INTEGER NOT NULL,
  kind         TEXT    NOT NULL CHECK (kind IN ('step', 'action', 'warning', 'error')),
  code         TEXT    NOT NULL,
  message      TEXT    NOT NULL,
  actor_id     TEXT,
  count        INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX workspace_event_workspace ON workspace_event (workspace_id, id);
CREATE INDEX workspace_event_at ON workspace_event (at);

CREATE TABLE workspace_period (
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

CREATE TABLE resource_limit (
  -- Caps of users and organizations; a group's amounts are its quota columns and nowhere else.
  account_kind TEXT    NOT NULL CHECK (account_kind IN ('user', 'organization')),
  account_id   TEXT    NOT NULL,
  kind         TEXT    NOT NULL CHECK (kind IN ('cpu', 'memory', 'storage', 'pods')),
  amount       INTEGER CHECK (amount >= 0),         -- NULL: no limit
  PRIMARY KEY (account_kind, account_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  -- Answers of creating requests by their Idempotency-Key, kept for a day. Unaudited.
  user_id      TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  route        TEXT    NOT NULL,
  key          TEXT    NOT NULL,
  request_hash BLOB    NOT NULL,
  status       INTEGER NOT NULL,
  body         TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (user_id, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE throttle (
  -- Failed sign-ins by account, so that a restart does not forget an attack. Unaudited.
  key         TEXT    PRIMARY KEY,
  failures    INTEGER NOT NULL,
  window_from INTEGER NOT NULL,
  last_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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

CREATE TABLE machine_token (
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

CREATE TABLE ssh_key (
  user_id        TEXT    PRIMARY KEY REFERENCES user (id) ON DELETE CASCADE,
  public_key     TEXT    NOT NULL,
  sealed_private BLOB    NOT NULL,
  created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE git_credential (
  user_id    TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  host       TEXT    NOT NULL,
  username   TEXT    NOT NULL,
  sealed     BLOB    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, host)
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
  -- Somebody asks, somebody else decides.
  id           TEXT    PRIMARY KEY CHECK (id GLOB 'req_*'),
  kind         TEXT    NOT NULL CHECK (kind IN ('membership', 'invitation', 'resource', 'role', 'quota')),
  requester_id TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  group_id     TEXT    REFERENCES "group" (id) ON DELETE CASCADE,
  organization_id TEXT REFERENCES organization (id) ON DELETE CASCADE,
  subject      TEXT    NOT NULL DEFAULT '',         -- the person or thing asked about
  stage        INTEGER NOT NULL DEFAULT 0,
  status       TEXT    NOT NULL CHECK (status IN ('open', 'accepted', 'denied', 'canceled', 'expired')),
  reason       TEXT    NOT NULL DEFAULT '',
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  decided_by   TEXT,
  CHECK ((group_id IS NULL) <> (organization_id IS NULL))
) STRICT;
-- What makes two open requests equal.
CREATE UNIQUE INDEX request_equal ON request (kind, coalesce(group_id, organization_id), subject, CASE kind WHEN 'invitation' THEN '' ELSE requester_id END) WHERE status = 'open';
CREATE INDEX request_requester ON request (requester_id, id);
CREATE INDEX request_group ON request (group_id, id);
CREATE INDEX request_organization ON request (organization_id) WHERE organization_id IS NOT NULL;
CREATE INDEX request_subject ON request (subject, id);

CREATE TABLE custom_field (
  object_kind TEXT    NOT NULL CHECK (object_kind IN ('group', 'user')),
  name        TEXT    NOT NULL,
  definition  TEXT    NOT NULL,
  PRIMARY KEY (object_kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE custom_value (
  object_kind TEXT NOT NULL,
  group_id    TEXT NOT NULL REFERENCES "group" (id) ON DELETE CASCADE,
  user_id     TEXT NOT NULL DEFAULT '',             -- empty: a value of the group itself
  name        TEXT NOT NULL,
  value       TEXT NOT NULL,
  PRIMARY KEY (object_kind, group_id, user_id, name),
  FOREIGN KEY (object_kind, name) REFERENCES custom_field (object_kind, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX custom_value_group ON custom_value (group_id);
CREATE INDEX custom_value_field ON custom_value (object_kind, name);

CREATE TABLE setting (
  -- Run-time settings by registered key.
  key        TEXT    PRIMARY KEY,
  value      TEXT    NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT,
  revision   INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_event (
  -- Who did what to what, with what outcome: a keyed hash chain, append-only. It holds ids only; names are joined when
  -- read, and what could name a person lies in audit_person.
  seq         INTEGER PRIMARY KEY,                  -- gap-free
  format      INTEGER NOT NULL,                     -- of the MAC; the first field under it
  ts          INTEGER NOT NULL,
  id          TEXT    NOT NULL UNIQUE CHECK (id GLOB 'audit_*'),
  actor_kind  TEXT    NOT NULL CHECK (actor_kind IN ('user', 'service', 'machine', 'oidc', 'ldap', 'local-shell', 'system', 'anonymous')),
  actor_id    TEXT,
  session_id  TEXT,
  token_id    TEXT,
  action      TEXT    NOT NULL,
  resource    TEXT    NOT NULL,                     -- kind:id
  group_id    TEXT,
  org_id      TEXT,
  success     INTEGER NOT NULL CHECK (success IN (0, 1)),
  error       TEXT,                                 -- stable words: denied:not_permitted
  count       INTEGER NOT NULL DEFAULT 1,           -- identical refusals of one minute, folded
  request_id  TEXT    NOT NULL,
  details     TEXT    NOT NULL,                     -- canonical JSON: before and after of listed fields
  person_hash BLOB,                                 -- commits to the side row: SHA-256(salt, text)
  prev        BLOB    NOT NULL,
  hash        BLOB    NOT NULL
) STRICT;
CREATE INDEX audit_event_ts ON audit_event (ts, seq);
CREATE INDEX audit_event_actor ON audit_event (actor_id, seq);
CREATE INDEX audit_event_action ON audit_event (action, seq);
CREATE INDEX audit_event_resource ON audit_event (resource, seq);
CREATE INDEX audit_event_request ON audit_event (request_id, seq);
CREATE INDEX audit_event_failed ON audit_event (seq) WHERE success = 0;
CREATE INDEX audit_event_group ON audit_event (group_id, seq) WHERE group_id IS NOT NULL;
CREATE TRIGGER audit_event_append_only BEFORE UPDATE ON audit_event BEGIN
  SELECT RAISE(ABORT, 'audit entries never change');
END;
-- A purge first raises the floor in its own transaction; nothing above the floor can be removed.
CREATE TRIGGER audit_event_kept BEFORE DELETE ON audit_event
WHEN old.seq > (SELECT coalesce(max(seq), 0) FROM audit_floor) BEGIN
  SELECT RAISE(ABORT, 'audit entries are only removed by a purge');
END;

CREATE TABLE audit_person (
  -- Address, agent, typed names, written reasons: what erasure removes. The chain commits to it by a salted hash.
  seq     INTEGER PRIMARY KEY,
  subject TEXT,                                     -- whose data it is
  salt    BLOB    NOT NULL,
  data    TEXT    NOT NULL                          -- JSON
) STRICT;
CREATE INDEX audit_person_subject ON audit_person (subject);

CREATE TABLE audit_concern (
  -- Whose account or workspace an entry is about where somebody else did it, as it was then: what each person is shown.
  user_id TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  seq     INTEGER NOT NULL,
  PRIMARY KEY (user_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_concern_seq ON audit_concern (seq);

CREATE TABLE audit_checkpoint (
  -- A signed head of the chain: without it a cut tail looks like a quiet day.
  seq       INTEGER PRIMARY KEY,
  count     INTEGER NOT NULL,
  hash      BLOB    NOT NULL,
  ts        INTEGER NOT NULL,
  kid       TEXT    NOT NULL,
  signature BLOB    NOT NULL
) STRICT;

CREATE TABLE audit_floor (
  -- Where a purge ended; verification begins here.
  seq  INTEGER PRIMARY KEY,
  hash BLOB    NOT NULL,
  ts   INTEGER NOT NULL
) STRICT;

CREATE TABLE inbox (
  -- Notices for people.
  id         TEXT    PRIMARY KEY CHECK (id GLOB 'ntc_*'),
  user_id    TEXT    NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  at         INTEGER NOT NULL,
  code       TEXT    NOT NULL,
  message    TEXT    NOT NULL,
  link       TEXT    NOT NULL DEFAULT '',
  read_at    INTEGER
) STRICT;
CREATE INDEX inbox_user ON inbox (user_id, id);

CREATE TABLE outbox (
  -- Mail and webhooks that wait to be sent; written in the transaction of the change.
  id          INTEGER PRIMARY KEY,
  kind        TEXT    NOT NULL CHECK (kind IN ('mail', 'webhook')),
  user_id     TEXT    REFERENCES user (id) ON DELETE CASCADE,
  payload     TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  attempts    INTEGER NOT NULL DEFAULT 0,
  next_at     INTEGER NOT NULL,
  sent_at     INTEGER
) STRICT;
CREATE INDEX outbox_due ON outbox (next_at) WHERE sent_at IS NULL;
CREATE INDEX outbox_user ON outbox (user_id) WHERE user_id IS NOT NULL;

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

-- Substring search over people, groups, workspaces and templates; kept by triggers. Trigrams match nothing under three
-- characters: such queries use the prefix indexes of the tables themselves.
-- The kind is indexed too, so that looking for a group never walks the matches of a million people.
CREATE VIRTUAL TABLE search USING fts5 (text, kind, id UNINDEXED, tokenize = 'trigram');
-- A search opens every part of the index: upkeep merges them as soon as there are two of like size.
INSERT INTO search (search, rank) VALUES ('usermerge', 2);
CREATE TABLE search_row (
  -- Finds the row of an object in the search index.
  kind   TEXT    NOT NULL,
  id     TEXT    NOT NULL,
  row_id INTEGER NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER user_search_added AFTER INSERT ON user BEGIN
  INSERT INTO search (text, kind, id) VALUES (new.username || ' ' || new.name || ' ' || new.email, 'user', new.id);
  INSERT INTO search_row (kind, id, row_id) VALUES ('user', new.id, last_insert_rowid());
END;
CREATE TRIGGER user_search_changed AFTER UPDATE OF username, name, email ON user BEGIN
  UPDATE search SET text = new.username || ' ' || new.name || ' ' || new.email
  WHERE rowid = (SELECT row_id FROM search_row WHERE kind = 'user' AND id = new.id);
END;
CREATE TRIGGER group_search_added AFTER INSERT ON "group" BEGIN
  INSERT INTO search (text, kind, id) VALUES (new.name || ' ' || new.display_name, 'group', new.id);
  INSERT INTO search_row (kind, id, row_id) VALUES ('group', new.id, last_insert_rowid());
END;
CREATE TRIGGER group_search_changed AFTER UPDATE OF name, display_name ON "group" BEGIN
  UPDATE search SET text = new.name || ' ' || new.display_name
  WHERE rowid = (SELECT row_id FROM search_row WHERE kind = 'group' AND id = new.id);
END;
CREATE TRIGGER group_search_removed AFTER DELETE ON "group" BEGIN
  DELETE FROM search WHERE rowid = (SELECT row_id FROM search_row WHERE kind = 'group' AND id = old.id);
  DELETE FROM search_row WHERE kind = 'group' AND id = old.id;
END;
CREATE TRIGGER workspace_search_added AFTER INSERT ON workspace BEGIN
  INSERT INTO search (text, kind, id) VALUES (new.name, 'workspace', new.id);
  INSERT INTO search_row (kind, id, row_id) VALUES ('workspace', new.id, last_insert_rowid());
END;
CREATE TRIGGER workspace_search_changed AFTER UPDATE OF name ON workspace BEGIN
  UPDATE search SET text = new.name WHERE rowid = (SELECT row_id FROM search_row WHERE kind = 'workspace' AND id = new.id);
END;
CREATE TRIGGER workspace_search_removed AFTER DELETE ON workspace BEGIN
  DELETE FROM search WHERE rowid = (SELECT row_id FROM search_row WHERE kind = 'workspace' AND id = old.id);
  DELETE FROM search_row WHERE kind = 'workspace' AND id = old.id;
END;
