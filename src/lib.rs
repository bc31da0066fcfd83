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
//!
//! Two modules more than the house plan has, and one less: `transport` decides once what the server is called and how it
//! encrypts, which `http`, `gateway` and `config` all ask; `metrics` is counted in by everybody; and there is no `notify`,
//! because a notice is written in the transaction of what it tells (`store::inbox`). The table `outbox` is its seam:
//! nothing is mailed, so nothing writes there.
//!
//! * [`agent`] what runs inside a workspace: terminals, apps, files, ports, the way out
//! * [`app`] what everybody shares, and the order in which it starts and stops
//! * [`cli`] the command line, a file for each command
//! * [`clock`] time and randomness, as parameters
//! * [`cluster`] where workspaces run: the trait, and `local`, `kubernetes` and `fake` behind it
//! * [`config`] file, environment and flags, with every problem at once
//! * [`domain`] plain types and pure rules
//! * [`error`] the one error, and how it is told
//! * [`events`] what changed, for pages and wakers; and every live connection
//! * [`gateway`] from the browser to what runs in a workspace, and from there to the outside
//! * [`http`] the web edge: the route table and what answers
//! * [`identity`] who is calling
//! * [`metrics`] what the server measures of itself
//! * [`ops`] use cases, each a transaction
//! * [`policy`] who may do what
//! * [`reconcile`] from what is wanted to what is
//! * [`store`] SQLite, and all SQL
//! * [`telemetry`] the log
//! * [`token`] signed and opaque tokens, without any input or output
//! * [`transport`] what this server is called, and how it encrypts
//! * [`upkeep`] timed work

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
