//! The web edge: every route on one page ([`routes`]), and what happens around each of them ([`edge`]).
//!
//! actix types stay in this module, `gateway`, `agent` and `app.rs`; handlers are free of them but for sockets.

pub mod access;
pub mod assets;
pub mod audit;
pub mod control;
pub mod dashboard;
pub mod edge;
pub mod events;
pub mod fields;
pub mod groups;
pub mod handler;
pub mod health;
pub mod limiter;
pub mod logs;
pub mod members;
pub mod openapi;
pub mod origin_check;
pub mod paging;
pub mod percent;
pub mod reply;
pub mod route;
pub mod routes;
pub mod search;
pub mod server;
pub mod templates;
pub mod terminal;
pub mod turns;
pub mod users;
pub mod workspace_body;
pub mod workspace_view;
pub mod workspaces;
