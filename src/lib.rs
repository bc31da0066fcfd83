//! Codex Web: one executable that gives teams governed development workspaces in the browser.
//!
//! This library is the application; `main.rs` only starts it, and `tests/` builds the real thing from it.
//!
//! # Invariants, each held by a test
//!
//! * **I1** A change that a person could be asked about commits together with its audit entry, or not at all.
//! * **I2** Nothing changes state without a [`policy::Permit`], and only `policy` makes permits.
//! * **I3** Every HTTP route, WebSocket, event stream and proxied connection is registered with the action it needs,
//!   or with a written reason to be public.
//! * **I4** SQL only under `store`; Kubernetes types only under `cluster/kubernetes`; actix types only under `http`,
//!   `gateway`, `agent` and `app.rs`.
//! * **I5** The HTTP side never changes the cluster. It writes desired state; the reconciler acts.
//! * **I6** Nothing in a write transaction waits: no network, hashing, file, `await`.
//! * **I7** Time, randomness, environment and arguments enter through parameters.
//! * **I8** Tokens carry identity, never authority.
//! * **I9** A panic in one request, one write or one reconcile step fails that one only.
//! * **I10** The server opens no outbound connection that the operator did not configure (what workspaces may reach is
//!   `workspaces.egress`).
//!
//! # The map
//!
//! `domain` <- `policy` <- `store` <- `ops` <- `http`. `token`, `events` and `metrics` are leaves. `identity` stands beside `ops`.
//! `reconcile` alone changes the cluster, `gateway` alone reads from it. Only `app` knows everyone.

pub mod agent;
pub mod app;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod domain;
pub mod error;
pub mod events;
pub mod gateway;
pub mod http;
pub mod identity;
pub mod metrics;
pub mod ops;
pub mod policy;
pub mod reconcile;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod transport;
pub mod upkeep;
