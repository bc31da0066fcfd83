//! The web edge: every route on one page ([`routes`]), and what happens around each of them ([`edge`]).
//!
//! actix types stay in this module, `gateway`, `agent` and `app.rs`; handlers are free of them but for sockets.

pub mod access;
pub mod apps;
pub mod assets;
pub mod audit;
pub mod auth;
pub mod control;
pub mod cookies;
pub mod dashboard;
pub mod edge;
pub mod egress;
pub mod events;
pub mod fields;
pub mod file_view;
pub mod files;
pub mod groups;
pub mod handler;
pub mod health;
pub mod jwks;
pub mod limiter;
pub mod logs;
pub mod members;
pub mod open;
pub mod openapi;
pub mod origin_check;
pub mod own_git;
pub mod own_profile;
pub mod own_sessions;
pub mod paging;
pub mod percent;
pub mod reply;
pub mod route;
pub mod routes;
pub mod search;
pub mod server;
pub mod setup;
pub mod templates;
pub mod terminal;
pub mod turns;
pub mod users;
pub mod whoami;
pub mod workspace_body;
pub mod workspace_view;
pub mod workspaces;
