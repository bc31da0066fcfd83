//! SQLite, and the only SQL of the product.
//!
//! [`Db::write`] runs one job in one immediate transaction on the writer thread; [`Db::read`] runs one job on a pooled
//! read-only connection. A job gets a [`Tx`] or a [`Read`], calls the functions of the modules here (`find`, `list`,
//! `insert`, `save`, `remove`), and never sees SQL. A change and its audit entry commit together or not at all.

pub mod activity;
pub mod actors;
pub mod api_tokens;
pub mod app_ports;
pub mod app_sessions;
pub mod audit;
pub mod audit_chain;
pub mod audit_concern;
pub mod audit_digest;
pub mod audit_export;
pub mod audit_file;
pub mod audit_purge;
pub mod audit_read;
pub mod audit_status;
pub mod audit_verify;
pub mod backup;
pub mod checkpoints;
pub mod codes;
mod db;
mod denials;
pub mod due;
mod effects;
pub mod findings;
pub mod git_access;
pub mod grants;
pub mod group_page;
pub mod groups;
pub mod handover;
pub mod idempotency;
pub mod inbox;
pub mod installation;
pub mod integrity;
pub mod keys;
pub mod machine_tokens;
pub mod measures;
pub mod memberships;
pub mod offboard;
pub mod open;
pub mod organizations;
pub mod periods;
pub mod pool;
pub mod quota_changes;
pub mod room;
pub mod running;
pub mod samples;
pub mod search;
pub mod search_upkeep;
pub mod sessions;
pub mod settings;
pub mod sign_in;
mod sql;
pub mod stats;
pub mod templates;
pub mod terms;
pub mod throttles;
pub mod timeline;
pub mod tx;
mod unaudited;
pub mod upgrade;
pub mod users;
pub mod workspace_list;
pub mod workspace_status;
pub mod workspaces;
mod writer;

pub use db::{Db, DbOptions};
pub use effects::Effect;
pub use sql::Page;
pub use tx::{Change, Origin, Read, Tx, Unaudited};
