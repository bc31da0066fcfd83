//! A small populated installation for the proofs that walk every route: people of every kind, two groups, workspaces.
//!
//! It is made once as a data directory and opened from copies, so that each call that changes something can be made on
//! an untouched world with the same ids. Path parameters are filled by the segment before them (`/groups/{…}` is a
//! group), bodies come from [`super::samples`].

use super::harness::{Answer, Client, Harness, Shows};
use super::samples;
use codex_web::app::database_path;
use codex_web::clock::{Clock, SystemEntropy};
use codex_web::domain::group::GroupRole;
use codex_web::domain::id::{GroupId, SessionId, TokenId, UserId, WorkspaceId};
use codex_web::domain::names::{Description, WorkspaceName};
use codex_web::domain::scope::Scope;
use codex_web::domain::size::SizeChange;
use codex_web::error::{Error, Missing, Unauthenticated};
use codex_web::http::edge::Channel;
use codex_web::http::route::{Access, Route};
use codex_web::http::routes::ROUTES;
use codex_web::ops::workspace_create::{self, NewWorkspace};
use codex_web::ops::{Caller, Origin, machine_tokens};
use codex_web::policy::matrix::Object;
use codex_web::policy::{Action, Actor, Context, Credential, Principal, Target, authorize, could_ever, object_of};
use codex_web::store::{Read, actors, groups, users, workspaces};
use codex_web::token::opaque::TokenHash;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Anonymous,
    GarbageToken,
    GarbageCookie,
    ExpiredSession,
    DisabledUser,
    MustChangePassword,
    Stranger,
    Member,
    /// The member as an API client, with an access token.
    MemberByToken,
    /// The member's program, with an API token of every scope.
    MemberApiToken,
    GroupAdmin,
    ManageSystem,
    ManageUsers,
    MonitorSystem,
    SetPermissions,
    Admin,
    /// A program of a platform admin, with an API token of every scope.
    AdminApiToken,
    /// A program of a platform admin that only reads.
    ReadingApiToken,
    /// A program of a platform admin, with every scope and for one group.
    LimitedApiToken,
    /// A program inside the tenant's running workspace, with its machine token.
    Machine,
    CommandLine,
}

impl Kind {
    pub const ALL: [Self; 21] = [
        Self::Anonymous,
        Self::GarbageToken,
        Self::GarbageCookie,
        Self::ExpiredSession,
        Self::DisabledUser,
        Self::MustChangePassword,
        Self::Stranger,
        Self::Member,
        Self::MemberByToken,
        Self::MemberApiToken,
        Self::GroupAdmin,
        Self::ManageSystem,
        Self::ManageUsers,
        Self::MonitorSystem,
        Self::SetPermissions,
        Self::Admin,
        Self::AdminApiToken,
        Self::ReadingApiToken,
        Self::LimitedApiToken,
        Self::Machine,
        Self::CommandLine,
    ];

    /// The user name of the person, when it is one.
    const fn username(self) -> Option<&'static str> {
        Some(match self {
            Self::Anonymous | Self::GarbageToken | Self::GarbageCookie | Self::Machine | Self::CommandLine => return None,
            Self::ExpiredSession => "gone-home",
            Self::DisabledUser => "disabled",
            Self::MustChangePassword => "newcomer",
            Self::Stranger => "stranger",
            Self::Member | Self::MemberByToken | Self::MemberApiToken => "member",
            Self::GroupAdmin => "lead",
            Self::ManageSystem => "rights-manage-system",
            Self::ManageUsers => "rights-manage-users",
            Self::MonitorSystem => "rights-monitor-system",
            Self::SetPermissions => "rights-set-permissions",
            Self::Admin | Self::AdminApiToken => "boss",
            Self::ReadingApiToken => "reading-boss",
            Self::LimitedApiToken => "limited-boss",
        })
    }

    /// It shows the API token of its person.
    const fn by_api_token(self) -> bool {
        matches!(self, Self::MemberApiToken | Self::AdminApiToken | Self::ReadingApiToken | Self::LimitedApiToken)
    }
}

/// Where the object stands, seen by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The caller's own.
    Own,
    /// Somebody else's, in the group of the member and the group admin.
    Near,
    /// In a group where only strangers are.
    Far,
    /// An id that nothing has.
    Missing,
}

impl Place {
    pub const ALL: [Self; 4] = [Self::Own, Self::Near, Self::Far, Self::Missing];
}

/// The objects that one call speaks of.
#[derive(Debug, Clone)]
pub struct Scene {
    pub place: Place,
    pub user: UserId,
    pub group: GroupId,
    pub workspace: WorkspaceId,
    pub session: SessionId,
    pub token: TokenId,
    /// An active person outside the groups.
    pub outsider: UserId,
}

struct Person {
    id: UserId,
    shows: Shows,
    /// A second sign-in.
    other_session: SessionId,
    workspace: Option<WorkspaceId>,
}

struct Cast {
    people: BTreeMap<&'static str, Person>,
    alpha: GroupId,
    beta: GroupId,
    missing: (UserId, GroupId, WorkspaceId, SessionId, TokenId),
    machine_token: String,
}

/// The data directory that worlds are copied from.
pub struct Template {
    dir: tempfile::TempDir,
    cast: Arc<Cast>,
}

/// One copy, running.
pub struct World {
    pub harness: Harness,
    cast: Arc<Cast>,
}

const ORDINARY: [&str; 9] = ["gone-home", "disabled", "newcomer", "stranger", "member", "lead", "colleague", "far", "tenant"];
const SPECIAL: [(&str, &[&str]); 8] = [
    ("rights-manage-system", &["manageSystem"]),
    ("rights-manage-users", &["manageUsers"]),
    ("rights-monitor-system", &["monitorSystem"]),
    ("rights-set-permissions", &["setPermissions"]),
    ("boss", &["manageSystem", "manageUsers", "monitorSystem", "setPermissions"]),
    ("boss-too", &["manageSystem", "manageUsers", "monitorSystem", "setPermissions"]),
    ("reading-boss", &["manageSystem", "manageUsers", "monitorSystem", "setPermissions"]),
    ("limited-boss", &["manageSystem", "manageUsers", "monitorSystem", "setPermissions"]),
];

/// The API token of a person: everybody has one, whose id, mark and text follow from theirs.
fn token_of(user: &UserId) -> (TokenId, String, String) {
    let mark: String = user.hex().chars().rev().take(12).collect();
    let text = format!("cxp_{mark}_{}", "A".repeat(43));
    (TokenId::trusted(format!("tok_{}", user.hex())), mark, text)
}

impl Template {
    pub async fn make() -> Self {
        let harness = Harness::new();
        let (alpha, beta, delta) = (harness.group("alpha"), harness.group("beta"), harness.group("delta"));
        let names = ORDINARY.iter().copied().chain(SPECIAL.iter().map(|(name, _)| *name));
        let ids: BTreeMap<&str, UserId> = names.map(|name| (name, harness.create_user(name, false))).collect();
        for (group, name, role) in [
            (&alpha, "member", GroupRole::Member),
            (&alpha, "lead", GroupRole::Admin),
            (&alpha, "colleague", GroupRole::Member),
            (&alpha, "gone-home", GroupRole::Member),
            (&alpha, "disabled", GroupRole::Admin),
            (&alpha, "newcomer", GroupRole::Admin),
            (&beta, "far", GroupRole::Member),
            (&delta, "tenant", GroupRole::Member),
        ] {
            harness.join(group, &ids[name], role);
        }
        let mut people = BTreeMap::new();
        for (name, id) in &ids {
            let (client, other) = (harness.signed_in(id), harness.signed_in(id));
            let home = match *name {
                "member" | "colleague" => Some(&alpha),
                "far" => Some(&beta),
                "tenant" => Some(&delta),
                _ => None,
            };
            let workspace = match home {
                Some(group) => Some(workspace(&harness, &client, name, group).await),
                None => None,
            };
            people.insert(
                *name,
                Person { id: id.clone(), shows: client.shows.clone(), other_session: other.session_id().clone(), workspace },
            );
        }
        let tenant = people["tenant"].workspace.clone().unwrap();
        let machine_token = machine_token(&harness, &tenant).await;
        let now = harness.clock.now();
        let missing = (
            UserId::fresh(now, &SystemEntropy),
            GroupId::fresh(now, &SystemEntropy),
            WorkspaceId::fresh(now, &SystemEntropy),
            SessionId::fresh(now, &SystemEntropy),
            TokenId::fresh(now, &SystemEntropy),
        );
        let dir = harness.into_dir().await;
        let file = rusqlite::Connection::open(database_path(dir.path())).unwrap();
        strain(&file);
        give_tokens(&file, &ids, &alpha);
        Self { dir, cast: Arc::new(Cast { people, alpha, beta, missing, machine_token }) }
    }

    /// A fresh copy.
    pub fn open(&self) -> World {
        World { harness: Harness::on(self.copied()), cast: Arc::clone(&self.cast) }
    }

    /// A fresh copy that listens.
    pub fn listening(&self) -> World {
        World { harness: Harness::listening_on(self.copied()), cast: Arc::clone(&self.cast) }
    }

    /// A new installation, in which nothing of the cast is there.
    pub fn empty(&self) -> World {
        World { harness: Harness::new(), cast: Arc::clone(&self.cast) }
    }

    fn copied(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        copy(self.dir.path(), dir.path());
        dir
    }
}

async fn workspace(harness: &Harness, client: &Client, name: &str, group: &GroupId) -> WorkspaceId {
    let caller = Caller {
        principal: principal(harness, client.user_id(), client.session_id()),
        origin: Origin { call_id: "call_harness".into(), ..Origin::default() },
    };
    let new = NewWorkspace {
        name: WorkspaceName::parse(&format!("of {name}")).unwrap(),
        description: Description::parse("").unwrap(),
        group: group.to_string(),
        template: None,
        image: None,
        tier: None,
        resources: SizeChange::default(),
        repository: None,
        start: false,
    };
    workspace_create::create(&harness.app.ops, &caller, new).await.unwrap().workspace.row.id
}

/// Lets a workspace run, as the file has it, and gives it its machine token.
async fn machine_token(harness: &Harness, workspace: &WorkspaceId) -> String {
    let app = Arc::clone(&harness.app);
    let made = tokio::task::spawn_blocking(move || app.keys.complete(&app.ops.db, app.clock.as_ref(), app.entropy.as_ref()));
    made.await.unwrap().unwrap();
    let file = rusqlite::Connection::open(database_path(harness.dir.path())).unwrap();
    let runs = format!(
        "UPDATE workspace SET desired = 'running', run = 1 WHERE id = '{workspace}';
         UPDATE workspace_status SET phase = 'ready', observed_run = 1 WHERE workspace_id = '{workspace}';"
    );
    file.execute_batch(&runs).unwrap();
    let app = &harness.app;
    let kid = app.keys.machine().borrow().as_ref().map(|keys| keys.signer.kid().to_owned()).unwrap();
    machine_tokens::tend(&app.ops, kid, vec![workspace.clone()]).await.unwrap();
    let signed = machine_tokens::current(&app.ops, &app.keys, workspace.clone(), 1).await.unwrap().unwrap();
    signed.token.expose_secret().to_owned()
}

fn principal(harness: &Harness, user: &UserId, session: &SessionId) -> Principal {
    Principal::User { id: user.clone(), credential: Credential::Cookie(session.clone()), signed_in_at: harness.clock.now() }
}

/// What no function of the product makes: single rights, a disabled account whose session is still there, an expired
/// sign-in, an account that is being renewed.
fn strain(file: &rusqlite::Connection) {
    for (name, rights) in SPECIAL {
        for right in rights {
            let sql = "INSERT INTO system_grant (user_id, right, granted_at) SELECT id, ?2, 0 FROM user WHERE username = ?1";
            assert_eq!(file.execute(sql, (name, right)).unwrap(), 1);
        }
    }
    file.execute_batch(
        "UPDATE user SET status = 'disabled' WHERE username = 'disabled';
         UPDATE user SET must_change_password = 1 WHERE username = 'newcomer';
         UPDATE session SET idle_expires = 1, hard_expires = 1 WHERE user_id = (SELECT id FROM user WHERE username = 'gone-home');
         UPDATE installation SET set_up_at = 1;",
    )
    .unwrap();
}

/// An API token for everybody, of every scope; one that only reads, and one for the group alpha.
fn give_tokens(file: &rusqlite::Connection, people: &BTreeMap<&str, UserId>, alpha: &GroupId) {
    for (name, user) in people {
        let (id, mark, text) = token_of(user);
        let hash = TokenHash::of(&text);
        let sql =
            "INSERT INTO api_token (id, user_id, name, mark, secret_hash, created_at, expires_at) VALUES (?1, ?2, 'all', ?3, ?4, 0, ?5)";
        file.execute(sql, (id.as_str(), user.as_str(), mark, hash.as_bytes(), i64::MAX)).unwrap();
        for scope in Scope::all().map(|scope| scope.to_string()).filter(|scope| *name != "reading-boss" || scope.ends_with(":read")) {
            file.execute("INSERT INTO api_token_scope (token_id, scope) VALUES (?1, ?2)", (id.as_str(), scope)).unwrap();
        }
        if *name == "limited-boss" {
            file.execute("INSERT INTO api_token_limit (token_id, object_id) VALUES (?1, ?2)", (id.as_str(), alpha.as_str())).unwrap();
        }
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

impl World {
    pub fn client(&self, kind: Kind) -> Client {
        let nobody = self.harness.anonymous();
        match (kind, kind.username()) {
            (Kind::CommandLine, _) => self.harness.shell(),
            (Kind::GarbageToken, _) => nobody.with_bearer("eyJhbGciOiJub25lIn0.e30."),
            (Kind::GarbageCookie, _) => nobody.with_cookie("cxs_0000000000000000000000000000000000000000000"),
            (Kind::Machine, _) => nobody.with_bearer(&self.cast.machine_token),
            (Kind::MemberByToken, _) => self.person("member").by_token(),
            (_, Some(name)) if kind.by_api_token() => self.person(name).with_bearer(&token_of(&self.cast.people[name].id).2),
            (_, Some(name)) => self.person(name),
            (_, None) => nobody,
        }
    }

    /// Somebody of the cast, by cookie.
    pub fn person(&self, name: &str) -> Client {
        let person = &self.cast.people[name];
        let channel = Channel::Network([127, 0, 0, 1].into());
        Client::new(Arc::clone(&self.harness.app), channel, Some(person.id.clone()), person.shows.clone())
    }

    /// What a call of this kind speaks of; `None` where the kind has nothing of its own.
    pub fn scene(&self, kind: Kind, place: Place) -> Option<Scene> {
        let cast = &self.cast;
        let of = |name: &str, group: &GroupId| {
            let person = &cast.people[name];
            (person.id.clone(), group.clone(), person.workspace.clone(), person.other_session.clone(), token_of(&person.id).0)
        };
        let (user, group, workspace, session, token) = match place {
            Place::Own => of(kind.username()?, &cast.alpha),
            Place::Near => of("colleague", &cast.alpha),
            Place::Far => of("far", &cast.beta),
            Place::Missing => {
                let (user, group, workspace, session, token) = cast.missing.clone();
                (user, group, Some(workspace), session, token)
            }
        };
        let workspace = workspace.unwrap_or_else(|| WorkspaceId::trusted(String::new()));
        let outsider = cast.people["stranger"].id.clone();
        Some(Scene { place, user, group, workspace, session, token, outsider })
    }

    /// What the rules say to this call: refused with a status and a code, or let through.
    pub fn verdict(&self, route: &Route, kind: Kind, scene: &Scene) -> Verdict {
        let action = match route.access {
            Access::Public(_) => return Verdict::Free,
            // Where a workspace asks, others are nobody; where others ask, a workspace is.
            Access::Machine(_) if kind == Kind::Machine => return Verdict::Permitted,
            Access::Machine(_) if kind == Kind::Anonymous => return Verdict::refused(&Error::Unauthenticated(Unauthenticated::NoToken)),
            Access::Machine(_) => return Verdict::refused(&Error::Unauthenticated(Unauthenticated::InvalidToken)),
            Access::CommandLine(_) if kind != Kind::CommandLine => return Verdict::refused(&Error::NotFound(Missing::Route)),
            // Who shows nothing may show a ticket in the first frame.
            Access::InFirstFrame(..) if kind == Kind::Anonymous => return Verdict::Free,
            Access::Action(action) | Access::CommandLine(action) | Access::InFirstFrame(action, _) => action,
        };
        let actor = match self.actor(kind) {
            Ok(actor) => actor,
            Err(error) => return Verdict::refused(&error),
        };
        if actor.user().is_some_and(|user| user.must_change_password) && !route.before_password_change {
            return Verdict::refused(&Error::PasswordChangeRequired);
        }
        let asked = if could_ever(&actor, action) { self.ask(&actor, action, scene) } else { ask_gate(&actor, action) };
        match asked {
            // It names a second group, which that token was not made for.
            Ok(()) if route.path.ends_with("/quota/move") && kind == Kind::LimitedApiToken => {
                Verdict::refused(&Error::NotFound(Missing::Group))
            }
            Ok(()) if of_nobody(route, scene) => Verdict::refused(&Error::NotFound(Missing::Session)),
            Ok(()) => Verdict::Permitted,
            Err(error) => Verdict::refused(&error),
        }
    }

    /// Who the rules see.
    fn actor(&self, kind: Kind) -> Result<Actor, Error> {
        use codex_web::error::Unauthenticated::InvalidToken;
        let Some(name) = kind.username() else {
            return match kind {
                Kind::CommandLine => Ok(Actor::CommandLine { system_user: "tester".into() }),
                Kind::Anonymous => Ok(Actor::Anonymous),
                _ => Err(Error::Unauthenticated(InvalidToken)),
            };
        };
        if matches!(kind, Kind::DisabledUser | Kind::ExpiredSession) {
            return Err(Error::Unauthenticated(InvalidToken));
        }
        let client = self.person(name);
        let mut principal = principal(&self.harness, client.user_id(), client.session_id());
        if let (true, Principal::User { id, credential, .. }) = (kind.by_api_token(), &mut principal) {
            *credential = Credential::ApiToken(token_of(id).0);
        }
        self.harness.app.ops.db.read_blocking(|read| actors::load(read, &principal))
    }

    /// Asks the policy table about the object of the scene.
    fn ask(&self, actor: &Actor, action: Action, scene: &Scene) -> Result<(), Error> {
        let now = self.harness.clock.now();
        let context = Context { now, reason: None, break_glass: self.harness.app.ops.rules().break_glass };
        let decide = |target: Target<'_>| authorize(actor, action, target, context).map(|_| ());
        let job = |read: &Read<'_>| match object_of(action) {
            Object::System => decide(Target::System),
            Object::Own => decide(Target::Own),
            Object::User => {
                let user = users::find(read, &scene.user)?.ok_or(Error::NotFound(Missing::User))?;
                decide(Target::User(&users::facts(read, &user)?))
            }
            Object::Group => {
                let group = groups::find(read, &scene.group)?.ok_or(Error::NotFound(Missing::Group))?;
                decide(Target::Group(&group.facts()))
            }
            Object::Workspace => {
                let found = workspaces::find(read, &scene.workspace, actor.user_id())?.ok_or(Error::NotFound(Missing::Workspace))?;
                decide(Target::Workspace(&found.facts()))
            }
        };
        self.harness.app.ops.db.read_blocking(job)
    }

    /// The call of a route, with its path filled and its sample body.
    pub async fn call(&self, client: &Client, route: &Route, scene: &Scene) -> Answer {
        let path = fill(route, scene).unwrap_or_else(|| panic!("nothing is known to fill {} with", route.path));
        client.call(route.method.as_str(), &path, body(route, scene)).await
    }
}

fn ask_gate(actor: &Actor, action: Action) -> Result<(), Error> {
    authorize(actor, action, Target::System, Context::default()).map(|_| ())
}

/// Somebody else's sign-in or token is no object of policy: whoever asks for it is told that it is not there.
fn of_nobody(route: &Route, scene: &Scene) -> bool {
    let of_caller = route.path.starts_with("/api/auth/sessions/{") || route.path.starts_with("/api/auth/tokens/{");
    of_caller && scene.place != Place::Own
}

/// The path of a route with everything filled in; `None` when a parameter is of no known kind.
pub fn fill(route: &Route, scene: &Scene) -> Option<String> {
    let mut before = "";
    let mut path = String::new();
    for segment in route.path.split('/').skip(1) {
        path.push('/');
        if segment.starts_with('{') {
            path.push_str(match before {
                "users" | "members" => scene.user.as_str(),
                "groups" => scene.group.as_str(),
                "workspaces" => scene.workspace.as_str(),
                "sessions" => scene.session.as_str(),
                "tokens" => scene.token.as_str(),
                "terminals" => "main",
                "files" => "notes.txt",
                "apps" => "code-server",
                "git-credentials" => "git.example.org",
                _ => return None,
            });
        } else {
            path.push_str(segment);
        }
        before = segment;
    }
    Some(path)
}

/// The body that lets a route do its work; nothing for those that take none.
pub fn body(route: &Route, scene: &Scene) -> Option<Value> {
    if !route.method.is_unsafe() {
        return None;
    }
    samples::of(route).map(|sample| (sample.body)(scene)).filter(|body| !body.is_null())
}

/// The places that make a difference to a route.
pub fn places(route: &Route) -> Vec<Place> {
    let action = match route.access {
        Access::Action(action) | Access::CommandLine(action) | Access::InFirstFrame(action, _) => action,
        Access::Public(_) | Access::Machine(_) => return vec![Place::Near],
    };
    match object_of(action) {
        Object::System | Object::Own if !route.path.contains('{') => vec![Place::Near],
        _ => Place::ALL.to_vec(),
    }
}

/// Whether the scene has the object that the route speaks of.
pub fn stands(route: &Route, scene: &Scene) -> bool {
    !route.path.contains("/workspaces/{") || !scene.workspace.as_str().is_empty()
}

/// What the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Refused(u16, &'static str),
    Permitted,
    /// Anybody may ask; the handler judges what is shown to it.
    Free,
}

impl Verdict {
    fn refused(error: &Error) -> Self {
        let told = error.describe();
        Self::Refused(told.status, told.code)
    }
}

/// What every answer must have, whatever it says; one line for each thing that it lacks.
pub fn faults_of(answer: &Answer, path: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut demand = |good: bool, what: &str| {
        if !good {
            faults.push(what.to_owned());
        }
    };
    demand(answer.status < 500, "a fault of the server");
    demand(!path.starts_with("/api") || answer.header("cache-control") == Some("no-store"), "Cache-Control is not no-store");
    demand(answer.header("x-content-type-options") == Some("nosniff"), "no nosniff");
    demand(answer.header("referrer-policy") == Some("no-referrer"), "no Referrer-Policy");
    demand(answer.header("cross-origin-opener-policy") == Some("same-origin"), "no Cross-Origin-Opener-Policy");
    let policy = answer.header("content-security-policy").unwrap_or_default();
    demand(policy.contains("default-src 'none'") || policy.contains("default-src 'self'"), "no Content-Security-Policy");
    demand(!policy.contains("unsafe-"), "a weak Content-Security-Policy");
    demand(policy.contains("frame-ancestors 'none'"), "may be framed");
    demand(answer.header("x-request-id").is_some_and(|id| id.starts_with("call_")), "no X-Request-Id");
    if answer.status >= 400 {
        let error = &answer.json["error"];
        demand(error["httpcode"] == answer.status, "the envelope has another status");
        demand(error["httpstatus"].as_str().is_some_and(|t| !t.is_empty()), "no httpstatus");
        demand(error["code"].as_str().is_some_and(|t| !t.is_empty()), "no code");
        demand(error["message"].as_str().is_some_and(|t| !t.is_empty()), "no message");
        demand(error["callid"].as_str() == answer.header("x-request-id"), "the call id differs");
        demand(error["time"].as_str().is_some_and(|t| t.ends_with('Z') && t.len() >= 20), "no time");
        demand(answer.status != 422, "422 is never used");
        let code = error["code"].as_str().unwrap_or_default();
        let fields = error["fields"].as_array().map_or(0, Vec::len);
        demand(code != "VALIDATION_ERROR" || fields > 0, "invalid, but no field is named");
    }
    demand(answer.status != 401 || answer.header("www-authenticate").is_some(), "401 without WWW-Authenticate");
    demand(answer.status != 429 || answer.header("retry-after").is_some(), "429 without Retry-After");
    demand(answer.status != 405 || answer.header("allow").is_some(), "405 without Allow");
    faults
}

/// Tables that change without anybody having changed anything: what is seen, counted, indexed or kept for repetitions.
const NOT_STATE: &[&str] =
    &["audit_event", "audit_person", "audit_concern", "audit_checkpoint", "throttle", "idempotency", "installation", "workspace_activity"];

/// Everything that a person could be asked about, as text: equal texts, nothing changed.
pub fn state(harness: &Harness) -> String {
    let file =
        rusqlite::Connection::open_with_flags(database_path(harness.dir.path()), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let tables =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'search%' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let tables: Vec<String> = file.prepare(tables).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut text = String::new();
    for table in tables.iter().filter(|name| !NOT_STATE.contains(&name.as_str())) {
        let mut statement = file.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY 1, 2")).unwrap();
        // Moved by being used, once a minute.
        let columns: Vec<usize> = (0..statement.column_count())
            .filter(|at| !matches!(statement.column_name(*at).unwrap(), "last_used_at" | "last_address" | "idle_expires"))
            .collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            text.push_str(table);
            for at in &columns {
                write!(text, " {:?}", row.get_ref(*at).unwrap()).unwrap();
            }
            text.push('\n');
        }
    }
    text
}

/// How many audit entries tell of something that was done.
pub fn done(harness: &Harness) -> i64 {
    harness.rows("SELECT count(*) AS n FROM audit_event WHERE success = 1")[0]["n"].as_i64().unwrap()
}

/// The routes that change something.
pub fn changing() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.method.is_unsafe())
}
