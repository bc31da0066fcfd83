//! What runs inside a workspace: the first process of the sandbox, and the door through which the server comes in.
//!
//! It starts terminals and apps and keeps them while clients come and go, reaps what the programs leave behind, and
//! passes the stop on. It runs as the same user as the programs beside it and is trusted accordingly: it holds public
//! keys only, decides nothing about permissions, and what it reports is a hint.
//!
//! Deliberately absent: threads (but for the few that wait for disks), name look-ups, files outside the workspace, and
//! any connection out of the workspace but through the server.

pub mod accept;
pub mod apps;
mod background;
mod command;
pub mod container;
pub mod egress;
pub mod files;
pub mod forward;
pub mod git;
mod home;
pub mod hops;
pub mod http;
pub mod init;
mod join;
pub mod machine;
pub mod network;
pub mod ports;
pub mod process_table;
pub mod program;
pub mod protocol;
pub mod pty;
pub mod ring;
pub mod session;
pub mod sessions;
pub mod socket;
mod timeline;
mod trust;
pub mod uplink;
pub mod visit;
pub mod voice;

use crate::agent::apps::Apps;
use crate::agent::files::Files;
use crate::agent::forward::Forwarder;
use crate::agent::program::Programs;
use crate::agent::sessions::Sessions;
use crate::agent::uplink::Uplink;
use crate::agent::voice::Voice;
use crate::clock::{Clock, Millis};
use crate::domain::agent::AgentOrder;
use crate::token::proof::RunSecret;
use crate::token::ticket::{TicketClaims, TicketError, TicketVerifier};
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// The version of the protocol between server and agent.
pub const PROTOCOL: u32 = 1;

/// One agent: the terminals and apps of one run of one workspace, and the check of who may come in.
pub struct Agent {
    run: i64,
    started: Millis,
    sessions: Arc<Sessions>,
    forwarder: Forwarder,
    apps: Arc<Apps>,
    files: Arc<Files>,
    verifier: Mutex<TicketVerifier>,
    clock: Arc<dyn Clock>,
    stop: watch::Sender<bool>,
    uplink: Uplink,
    voice: Voice,
    proof: Option<RunSecret>,
}

impl Agent {
    /// Fails where the key set of the order cannot be read. Where the order has apps, this must be called inside a
    /// runtime: watching over them begins here.
    pub fn new(order: &AgentOrder, programs: Box<dyn Programs>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, TicketError> {
        let voice = Voice::kept(None, Arc::clone(&clock));
        Self::with_voice(order, programs, clock, voice)
    }

    /// As [`Agent::new`], with a place for what it has to say.
    pub fn with_voice(
        order: &AgentOrder,
        programs: Box<dyn Programs>,
        clock: Arc<dyn Clock>,
        voice: Voice,
    ) -> Result<Arc<Self>, TicketError> {
        let verifier = TicketVerifier::new(&order.jwks, &order.issuer, &order.workspace, order.run)?;
        let (programs, stop): (Arc<dyn Programs>, _) = (programs.into(), watch::Sender::new(false));
        let apps = Arc::new(Apps::new(order, &clock));
        apps.supervise(&programs, &stop.subscribe());
        Ok(Arc::new(Self {
            run: order.run,
            started: clock.now(),
            sessions: Arc::new(Sessions::new(programs, Arc::clone(&clock))),
            forwarder: Forwarder::new(order, Arc::clone(&apps)),
            apps,
            files: Files::new(&order.home, Arc::clone(&clock)),
            verifier: Mutex::new(verifier),
            clock,
            stop,
            uplink: Uplink::default(),
            voice,
            proof: order.proof.as_deref().and_then(RunSecret::parse),
        }))
    }

    /// Serves one connection until it ends.
    pub async fn serve<S>(self: Arc<Self>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        http::serve(self, stream).await;
    }

    /// Accepts a ticket once.
    fn accept(&self, ticket: &str) -> Result<TicketClaims, TicketError> {
        self.verifier.lock().unwrap_or_else(PoisonError::into_inner).accept(ticket, self.clock.now())
    }

    /// Takes other keys in the place of those it trusted.
    fn trust(&self, jwks: &str) -> Result<(), TicketError> {
        self.verifier.lock().unwrap_or_else(PoisonError::into_inner).trust(jwks)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// With what it proves whose it is.
    fn proof(&self) -> Option<&RunSecret> {
        self.proof.as_ref()
    }

    /// What it has to say.
    pub fn voice(&self) -> &Voice {
        &self.voice
    }

    /// The way to the server.
    pub fn uplink(&self) -> &Uplink {
        &self.uplink
    }

    fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    fn forwarder(&self) -> &Forwarder {
        &self.forwarder
    }

    /// The apps of its recipe.
    pub fn apps(&self) -> &Apps {
        &self.apps
    }

    fn files(&self) -> Arc<Files> {
        Arc::clone(&self.files)
    }

    /// Becomes `true` once the workspace is asked to stop.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Asks the workspace to stop: clients are told, programs get SIGTERM and later SIGKILL.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until every client has been told and has left.
    pub async fn until_nobody_is_attached(&self) {
        while self.sessions.list().iter().any(|s| s.attached > 0) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Hangs up every terminal: shells ignore SIGTERM but not this.
    pub fn hang_up(&self) {
        self.sessions.end_all();
    }

    fn health(&self) -> serde_json::Value {
        json!({ "version": env!("CARGO_PKG_VERSION"), "protocol": PROTOCOL, "ready": true, "run": self.run })
    }

    fn status(&self) -> serde_json::Value {
        let sessions = self.sessions.list();
        json!({
            "run": self.run,
            "uptimeMs": self.clock.now().since(self.started),
            "sessions": sessions.len(),
            "attached": sessions.iter().map(|s| s.attached).sum::<usize>(),
            "lastInputAt": self.sessions.last_input().map(|at| at.0),
            "notes": self.voice.lines(),
        })
    }
}
