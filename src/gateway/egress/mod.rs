//! What workspaces reach outside: opens their connections, under the operator's policy, and counts them.
//!
//! A workspace of the local runtime has a network of its own with nothing in it but loopback. Its programs speak to a
//! proxy of the agent, which passes `host:port` on; here it is judged, looked up once, judged again address by address,
//! and connected to exactly what was judged. Whatever a name server says a moment later changes nothing.
//!
//! A connection lives under the policy of the moment: when that changes, what it no longer allows is cut. Stopping a
//! workspace or taking away its owner's rights ends its connection to the server, and everything here with it.
//!
//! Deliberately absent: a look into what is carried. It is encrypted, and not this server's business.

mod dial;
pub mod ledger;
mod pump;
pub mod resolve;
mod tunnels;
mod upstream;

pub use dial::Failure;
pub use tunnels::EgressTunnels;
pub use upstream::SiteProxy;

use crate::clock::Clock;
use crate::domain::egress::{Entry, Policy, Target};
use crate::domain::id::WorkspaceId;
use dial::{Dialled, Dialler};
use ledger::{Account, Ledger, Tunnel};
use resolve::{OwnAddresses, Resolver};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Connections that one workspace may have open at once: fewer than its link to the server can carry, so that its own
/// business with the server always finds room.
pub const MOST_OPEN: usize = 192;
/// A connection on which nothing moves in either direction is ended after this long.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// What egress is built from.
pub struct Parts {
    /// The policy of the moment; others may change it.
    pub rules: watch::Sender<Arc<Policy>>,
    pub upstream: Option<SiteProxy>,
    /// What is reached without the upstream proxy.
    pub direct: Vec<Entry>,
    pub resolver: Arc<dyn Resolver>,
    /// Addresses of this machine.
    pub own: OwnAddresses,
    pub clock: Arc<dyn Clock>,
    /// Connections that all workspaces together may have open: each costs the server a descriptor.
    pub most_open: usize,
    /// Is told of each refusal that its workspace has not heard of before.
    pub on_refused: OnRefused,
}

/// Workspace, run, and the refusal in words.
pub type OnRefused = Box<dyn Fn(&WorkspaceId, i64, String) + Send + Sync>;

/// The egress of all workspaces.
pub struct Egress {
    rules: watch::Sender<Arc<Policy>>,
    dialler: Dialler,
    ledger: Ledger,
    places: Arc<Semaphore>,
    on_refused: OnRefused,
    idle: Duration,
}

/// An open connection that nothing flows through yet.
pub struct Connection {
    dialled: Dialled,
    tunnel: Tunnel,
    place: OwnedSemaphorePermit,
    rules: watch::Receiver<Arc<Policy>>,
    idle: Duration,
}

impl Egress {
    pub fn new(parts: Parts) -> Self {
        let Parts { rules, upstream, direct, resolver, own, clock, most_open, on_refused } = parts;
        let dialler = Dialler { upstream, direct, resolver, own };
        Self { rules, dialler, ledger: Ledger::new(clock), places: Arc::new(Semaphore::new(most_open)), on_refused, idle: IDLE }
    }

    /// The policy of the moment.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.rules.borrow())
    }

    /// Puts another policy in force; connections that it does not allow end.
    pub fn set_policy(&self, policy: Policy) {
        self.rules.send_if_modified(|current| {
            let differs = **current != policy;
            if differs {
                *current = Arc::new(policy);
            }
            differs
        });
    }

    /// What a workspace reached since the server started, and what it was refused.
    pub fn account(&self, workspace: &WorkspaceId) -> Account {
        self.ledger.account(workspace)
    }

    /// Opens a connection to `host:port` for a run of a workspace. Takes at most as long as a name and a distant server
    /// may take together.
    pub async fn connect(&self, workspace: &WorkspaceId, run: i64, authority: &str) -> Result<Connection, Failure> {
        let target = Target::parse(authority).map_err(Failure::Malformed)?;
        let book = self.ledger.book(workspace);
        // Counts against the limit while it is being opened too.
        let own_place = book.place(MOST_OPEN).ok_or(Failure::TooMany)?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Failure::Full)?;
        // Taken before the policy is asked, so that no change between the two is missed.
        let rules = self.rules.subscribe();
        let policy = Arc::clone(&rules.borrow());
        match self.dialler.dial(&policy, &target).await {
            Ok(dialled) => Ok(Connection { tunnel: book.opened(own_place, &target), place, dialled, rules, idle: self.idle }),
            Err(failure) => {
                if let Failure::Refused(refusal) = &failure
                    && book.refused(run, refusal)
                {
                    (self.on_refused)(workspace, run, refusal.to_string());
                }
                Err(failure)
            }
        }
    }
}

impl Connection {
    /// Carries bytes both ways until both sides are done, one breaks, nothing moves for a quarter of an hour, or the
    /// policy no longer allows it.
    pub async fn carry<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let Self { dialled, tunnel, place: _place, rules, idle } = self;
        let Dialled { stream: remote, target, address, own } = dialled;
        let still_allowed = |policy: &Policy| {
            policy.judge(&target).and_then(|()| match address {
                Some(address) => policy.judge_address(&target, address, &own),
                None => policy.judge_unresolved(&target, &own),
            })
        };
        tokio::select! {
            () = pump::both_ways(stream, remote, &tunnel, idle) => {}
            () = revoked(rules, |policy| still_allowed(policy).is_err()) => {}
        }
    }
}

/// Waits until the policy no longer allows what it did.
async fn revoked(mut rules: watch::Receiver<Arc<Policy>>, is_refused: impl Fn(&Policy) -> bool) {
    loop {
        if is_refused(&rules.borrow_and_update()) {
            return;
        }
        if rules.changed().await.is_err() {
            // Nobody is left who could change it.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests;
