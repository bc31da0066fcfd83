//! Use cases: one function, one transaction. The readable heart of the product.
//!
//! Each function loads the facts, asks policy, applies the pure rule of `domain`, changes rows with the permit, writes
//! the audit entry and says what follows after the commit. Nothing here knows HTTP, SQL or the cluster: desired state
//! is written, and the reconciler is woken.

pub mod access;
pub mod api_tokens;
pub mod apps;
pub mod audit;
pub mod audit_digest;
pub mod audit_file;
pub mod audit_purge;
pub mod audit_watch;
pub mod backup;
pub mod capacity;
pub mod cost;
pub mod dashboard;
pub mod doors;
pub mod egress;
pub mod files;
pub mod findings;
pub mod git_credentials;
pub mod git_requests;
pub mod group_create;
mod group_notices;
pub mod group_page;
pub mod group_state;
pub mod groups;
pub mod health;
pub mod idempotency;
pub mod installed_apps;
pub mod invitation;
pub mod looks;
pub mod machine;
pub mod machine_tokens;
pub mod measures;
pub mod members;
pub mod members_import;
pub mod new_session;
pub mod notices;
pub mod offboard;
mod offboard_review;
pub mod open;
pub mod own_account;
pub mod own_activity;
pub mod own_password;
pub mod own_sessions;
pub mod quota;
pub mod refresh;
pub mod running;
pub mod search;
pub mod service_accounts;
pub mod settings;
pub mod setup;
pub mod shell;
pub mod sign_in;
pub mod signing_keys;
pub mod ssh_key;
pub mod templates;
pub mod terminal;
pub mod timeline;
pub mod trends;
pub mod user_create;
pub mod user_import;
pub mod user_invite;
pub mod user_sessions;
pub mod user_state;
pub mod user_term;
pub mod users;
pub mod viewer;
pub mod weighing;
pub mod workspace_actions;
pub mod workspace_create;
pub mod workspace_transfer;
pub mod workspace_update;
pub mod workspaces;

use crate::domain::audit::AuditSettings;
use crate::domain::pricing::PriceSettings;
use crate::events::Bus;
pub use crate::policy::Principal;
use crate::store::Db;
pub use crate::store::Origin;
use std::sync::Arc;
use tokio::sync::watch;

/// Who calls and from where: what every use case is given.
#[derive(Debug, Clone)]
pub struct Caller {
    pub principal: Principal,
    pub origin: Origin,
}

/// What use cases depend on: some of it for as long as the server runs, the rest as the settings are at the moment.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// What every namespace begins with, hyphen included.
    pub namespace_prefix: String,
    /// What a workspace without template and image is made from; `None`: it must be named.
    pub default_image: Option<String>,
    /// The cluster runs container images.
    pub runs_containers: bool,
    /// Characters.
    pub password_min_length: usize,
    /// The setting `workspaces.break_glass`.
    pub break_glass: bool,
    /// The settings of the section `pricing`.
    pub pricing: PriceSettings,
    /// When a running workspace that nobody uses is idle, and a stopped one abandoned.
    pub idle_after_hours: i64,
    pub abandoned_after_days: i64,
    /// The settings of the section `audit`.
    pub audit: AuditSettings,
}

/// What use cases work with. Cheap to clone.
#[derive(Clone)]
pub struct Ops {
    pub db: Db,
    pub bus: Arc<Bus>,
    /// What is known of the audit log.
    pub audit: Arc<audit_watch::AuditWatch>,
    looks: Arc<looks::Looks>,
    rules: watch::Sender<Arc<Rules>>,
}

impl Ops {
    pub fn new(db: Db, bus: Arc<Bus>, rules: Rules) -> Self {
        Self { db, bus, audit: Arc::default(), looks: Arc::default(), rules: watch::Sender::new(Arc::new(rules)) }
    }

    /// The rules of this moment. A use case asks once, so that one set of rules holds all through it.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.borrow())
    }

    /// Puts other rules in force, for every clone.
    pub fn set_rules(&self, rules: Rules) {
        self.rules.send_replace(Arc::new(rules));
    }
}
