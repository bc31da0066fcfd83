//! What the cluster holds of ours, kept in memory by watching it.
//!
//! One loop for each kind of object ([`follow`]) lists once and then hears of every change; what it keeps is cut down to
//! what is read here ([`kept`]). Reading costs the API server nothing, and standing still costs two calls in ten seconds
//! or so, however many workspaces there are.
//!
//! A watch says nothing while nothing changes, and says nothing either when the API server is frozen or the connection is
//! dead. So a pulse ([`pulse`]) asks for a sign of life; without one nothing here is believed ([`Watch::trouble`]), and
//! when it is back every watch is opened anew where it stopped.
//!
//! What changes the cluster tells here what the API server answered ([`Watch::learn`]), so that the next look already sees
//! it. Secrets are not watched: this server may make them and not list them.

mod backoff;
mod follow;
pub mod kept;
mod pulse;
mod store;
mod stream;
#[cfg(test)]
mod tests;

use crate::clock::{Clock, Millis, SECOND};
use crate::cluster::kubernetes::client::Clients;
use crate::cluster::kubernetes::words::warning::Warning;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Event, LimitRange, Namespace, Node, PersistentVolumeClaim, Pod, ResourceQuota, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kept::Kept;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::{Printed, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a watch may be broken before what it knew is not believed any more, in milliseconds: an API server that
/// restarts is back within it, mostly.
const GRACE: i64 = 6 * SECOND;

/// One store for each kind.
#[derive(Default)]
pub struct Stores {
    pub namespaces: Store<Namespace>,
    pub quotas: Store<ResourceQuota>,
    pub limit_ranges: Store<LimitRange>,
    pub policies: Store<NetworkPolicy>,
    pub accounts: Store<ServiceAccount>,
    pub sets: Store<StatefulSet>,
    pub services: Store<Service>,
    pub claims: Store<PersistentVolumeClaim>,
    pub pods: Store<Pod>,
    pub nodes: Store<Node>,
    pub warnings: Store<Warning>,
}

/// How one loop is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Health {
    /// It was never filled; why not, where that is known.
    Empty(Option<String>),
    Good,
    /// Broken since then.
    Broken(Millis, String),
    /// The API server does not let us look.
    Forbidden(String),
}

/// How all of it is.
#[derive(Default)]
struct Condition {
    kinds: BTreeMap<&'static str, (bool, Health)>,
    /// Why the API server gives no sign of life.
    no_pulse: Option<String>,
    version: Option<String>,
}

/// Everything that the loops share.
struct Shared {
    stores: Stores,
    clients: Clients,
    clock: Arc<dyn Clock>,
    selector: String,
    condition: Mutex<Condition>,
    changes: watch::Sender<u64>,
    pods: watch::Sender<u64>,
    /// Grows when every watch is to be opened anew.
    reopen: watch::Sender<u64>,
    filled: Mutex<Option<Millis>>,
}

/// The watches; they end when this is dropped.
pub struct Watch {
    shared: Arc<Shared>,
    loops: Vec<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.loops.iter().for_each(JoinHandle::abort);
    }
}

impl Watch {
    /// Begins to watch what carries the label selector, and all nodes; `changes` is moved on with every change.
    pub fn start(clients: Clients, clock: Arc<dyn Clock>, selector: &str, changes: watch::Sender<u64>) -> Self {
        let shared = Arc::new(Shared {
            stores: Stores::default(),
            clients,
            clock,
            selector: selector.to_owned(),
            condition: Mutex::default(),
            changes,
            pods: watch::Sender::new(0),
            reopen: watch::Sender::new(0),
            filled: Mutex::new(None),
        });
        let loops = vec![
            follow::begin::<Namespace>(&shared),
            follow::begin::<ResourceQuota>(&shared),
            follow::begin::<LimitRange>(&shared),
            follow::begin::<NetworkPolicy>(&shared),
            follow::begin::<ServiceAccount>(&shared),
            follow::begin::<StatefulSet>(&shared),
            follow::begin::<Service>(&shared),
            follow::begin::<PersistentVolumeClaim>(&shared),
            follow::begin::<Pod>(&shared),
            follow::begin::<Node>(&shared),
            follow::begin::<Event>(&shared),
            tokio::spawn(pulse::beat(Arc::clone(&shared))),
        ];
        Self { shared, loops }
    }

    /// The object of this name as it is now; `None` where there is none of ours.
    pub fn find<K: Kept>(&self, namespace: Option<&str>, name: &str) -> Option<Arc<K::As>> {
        K::store(&self.shared.stores).find(namespace, name)
    }

    /// All objects of a kind.
    pub fn all<K: Kept>(&self) -> Vec<Arc<K::As>> {
        K::store(&self.shared.stores).all()
    }

    /// All objects of a kind, each with what of it was decided here.
    pub fn prints<K: Kept>(&self) -> Vec<Printed<K::As>> {
        K::store(&self.shared.stores).prints()
    }

    /// Takes what the API server answered to a change, unless something newer is known.
    pub fn learn<K: Kept>(&self, object: &K) {
        if K::store(&self.shared.stores).learn(object.clone()) {
            self.shared.changed::<K>();
        }
    }

    /// Moves on whenever a pod may have changed.
    pub fn pods(&self) -> watch::Receiver<u64> {
        self.shared.pods.subscribe()
    }

    /// When all of it was there for the first time.
    pub fn filled(&self) -> Option<Millis> {
        *self.shared.filled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why what is kept here cannot be believed now.
    pub fn trouble(&self) -> Option<String> {
        let now = self.shared.clock.now();
        let condition = self.shared.condition();
        if let Some(why) = &condition.no_pulse {
            return Some(why.clone());
        }
        let mut required = condition.kinds.iter().filter(|(_, (required, _))| *required);
        let why = |(kind, (_, health)): (&&str, &(bool, Health))| match health {
            Health::Good => None,
            Health::Empty(None) => Some(format!("its {kind} are still being read")),
            Health::Empty(Some(why)) => Some(format!("its {kind} could not be read: {why}")),
            Health::Broken(since, why) => (now.since(*since) > GRACE).then(|| format!("its {kind} are not told any more: {why}")),
            Health::Forbidden(why) => Some(format!("this server may not read its {kind}: {why}")),
        };
        if condition.kinds.is_empty() {
            return Some("nothing was read yet".to_owned());
        }
        required.find_map(why)
    }

    /// What cannot be seen although nothing depends on it: `nodes`, `events`, and why.
    pub fn blind_spots(&self) -> Vec<(&'static str, String)> {
        let condition = self.shared.condition();
        let optional = condition.kinds.iter().filter(|(_, (required, _))| !required);
        let spot = |(kind, (_, health)): (&&'static str, &(bool, Health))| match health {
            Health::Forbidden(why) => Some((*kind, why.clone())),
            Health::Empty(_) | Health::Good | Health::Broken(..) => None,
        };
        optional.filter_map(spot).collect()
    }

    /// Whether objects of this kind may be looked at.
    pub fn sees<K: Kept>(&self) -> bool {
        let condition = self.shared.condition();
        condition.kinds.get(K::KIND).is_some_and(|(_, health)| matches!(health, Health::Good | Health::Broken(..)))
    }

    /// The version of the API server, once it has said it.
    pub fn version(&self) -> Option<String> {
        self.shared.condition().version.clone()
    }
}

impl Shared {
    fn condition(&self) -> MutexGuard<'_, Condition> {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down how a loop is; answers nothing, but lets readers look again where that is news.
    fn report<K: Kept>(&self, health: Health) {
        let now = self.clock.now();
        let news = {
            let mut condition = self.condition();
            let entry = condition.kinds.entry(K::KIND).or_insert((K::REQUIRED, Health::Empty(None)));
            let health = match (&entry.1, health) {
                // What was never there stays so, whatever it is called; and what is broken is so since the first time.
                (Health::Empty(_), Health::Broken(_, why)) => Health::Empty(Some(why)),
                (Health::Broken(since, _), Health::Broken(_, why)) => Health::Broken(*since, why),
                (_, health) => health,
            };
            let news = entry.1 != health;
            entry.1 = health;
            news
        };
        if news {
            self.note_filled(now);
            self.changes.send_modify(|n| *n += 1);
        }
    }

    fn note_filled(&self, now: Millis) {
        let full = {
            let condition = self.condition();
            // Eleven kinds report; before each has, nothing is complete.
            let settled = |(required, health): &(bool, Health)| match health {
                Health::Good | Health::Broken(..) => true,
                Health::Forbidden(_) => !required,
                Health::Empty(_) => false,
            };
            condition.kinds.len() == KINDS && condition.kinds.values().all(settled)
        };
        if full {
            self.filled.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(now);
        }
    }

    fn changed<K: Kept>(&self) {
        if K::KIND == <Pod as Kept>::KIND {
            self.pods.send_modify(|n| *n += 1);
        }
        self.changes.send_modify(|n| *n += 1);
    }
}

/// How many kinds are watched.
const KINDS: usize = 11;
