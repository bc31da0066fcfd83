//! Making the cluster so: one way to put any object into the state that we want, and one way to remove it.
//!
//! Server-side apply under one field manager; an object that already covers what is wanted costs no call. Only what
//! carries our installation's label is ever changed or removed, and a removal names the uid, so that an object of the same
//! name that somebody made meanwhile survives.

mod disk;
pub mod group;
mod resize;
#[cfg(test)]
mod tests;
pub mod workspace;

use super::client::Clients;
use super::covers::covers;
use super::watch::Watch;
use super::watch::kept::Kept;
use super::{Shared, names};
use crate::cluster::ClusterError;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// What can be applied: a typed object of the cluster.
pub trait Object: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {}
impl<K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static> Object for K {}

/// One kind of object in one place.
pub struct Place<'a, K: Object> {
    clients: &'a Clients,
    watch: Option<&'a Watch>,
    api: Api<K>,
}

impl<'a, K: Object + Resource<Scope = NamespaceResourceScope>> Place<'a, K> {
    pub fn in_namespace(shared: &'a Shared, client: &Client, namespace: &str) -> Self {
        Self { clients: &shared.clients, watch: shared.watch().ok(), api: Api::namespaced(client.clone(), namespace) }
    }
}

impl<'a, K: Object> Place<'a, K> {
    /// For kinds that are in no namespace.
    pub fn whole(shared: &'a Shared, client: &Client) -> Self {
        Self { clients: &shared.clients, watch: shared.watch().ok(), api: Api::all(client.clone()) }
    }

    pub async fn find(&self, name: &str) -> Result<Option<K>, ClusterError> {
        self.clients.call_again(|| self.api.get_opt(name)).await
    }

    /// The object as the watch shows it, which costs no call and may be a moment old: the next look finds out. `None` also
    /// where the watch is not to be believed at the moment.
    pub fn shown(&self, name: &str) -> Option<K>
    where
        K: Kept<As = K>,
    {
        let watch = self.watch.filter(|watch| watch.trouble().is_none())?;
        watch.find::<K>(self.api.namespace(), name).map(|shown| K::clone(&shown))
    }

    /// The object as the watch shows it; where that shows none, as the API server has it.
    pub async fn known(&self, name: &str) -> Result<Option<K>, ClusterError>
    where
        K: Kept<As = K>,
    {
        match self.shown(name) {
            Some(shown) => Ok(Some(shown)),
            None => self.find(name).await,
        }
    }

    /// Makes an object that must not be there yet.
    pub async fn create(&self, object: &K) -> Result<K, ClusterError> {
        let params = PostParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        self.clients.call_again(|| self.api.create(&params, object)).await
    }

    /// Puts an object into the wanted state; `live` is what is known of it.
    pub async fn apply(&self, wanted: &K, live: Option<K>) -> Result<K, ClusterError> {
        if let Some(live) = live.filter(|live| covers(wanted, live)) {
            return Ok(live);
        }
        let (name, params, patch) = (wanted.name_any(), PatchParams::apply(names::FIELD_MANAGER).force(), Patch::Apply(wanted));
        let after = self.clients.call_again(|| self.api.patch(&name, &params, &patch)).await?;
        if covers(wanted, &after) {
            return Ok(after);
        }
        self.replace(wanted, after).await
    }

    /// Puts the object in place of the one that is there. Apply leaves what others added to lists, but these lists are ours
    /// as a whole. A controller may write its status between our reading and our writing, which is nothing to us: then it
    /// is done again with what is there now, as long as that is the same object.
    async fn replace(&self, wanted: &K, mut live: K) -> Result<K, ClusterError> {
        const TRIES: u32 = 5;
        let (name, uid) = (wanted.name_any(), live.uid());
        let params = PostParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        for _ in 0..TRIES {
            let mut whole = wanted.clone();
            whole.meta_mut().resource_version = live.resource_version();
            let written = || async {
                match self.api.replace(&name, &params, &whole).await {
                    Err(error) if is_outdated(&error) => Ok(None),
                    written => written.map(Some),
                }
            };
            if let Some(written) = self.clients.call_again(written).await? {
                return Ok(written);
            }
            live = self.find(&name).await?.filter(|live| live.uid() == uid).ok_or(ClusterError::Gone)?;
        }
        Err(ClusterError::Transient(format!("the {} {name} is changed by somebody else all the time", K::kind(&()))))
    }

    /// Changes some fields of an object that is there.
    pub async fn merge(&self, name: &str, change: &serde_json::Value) -> Result<K, ClusterError> {
        let (params, patch) = (PatchParams::default(), Patch::Merge(change));
        self.clients.call_again(|| self.api.patch(name, &params, &patch)).await
    }

    /// Begins to remove an object of ours. Nothing to remove is as good as removed.
    pub async fn remove(&self, name: &str, installation: &str) -> Result<(), ClusterError> {
        let found = self.clients.call_again(|| self.api.get_metadata_opt(name)).await?;
        let Some(found) = found.filter(|found| found.metadata.deletion_timestamp.is_none()) else { return Ok(()) };
        if !is_ours(&found.metadata, installation) {
            return Err(not_ours(&K::kind(&()), name));
        }
        self.remove_exactly(name, found.metadata.uid).await
    }

    /// Begins to remove exactly this object.
    pub async fn remove_exactly(&self, name: &str, uid: Option<String>) -> Result<(), ClusterError> {
        let preconditions = Some(Preconditions { uid, resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::background() };
        match self.clients.call_again(|| self.api.delete(name, &params)).await {
            Ok(_) | Err(ClusterError::Gone) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether an object carries the label of our installation.
pub fn is_ours(metadata: &ObjectMeta, installation: &str) -> bool {
    metadata.labels.as_ref().and_then(|labels| labels.get(names::INSTALLATION)).is_some_and(|value| value == installation)
}

fn not_ours(kind: &str, name: &str) -> ClusterError {
    ClusterError::Conflict(format!("the {kind} {name} was not made by this installation, so it is left alone"))
}

/// Whether a change was made to a version of the object that is not the newest.
fn is_outdated(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409 && status.reason == "Conflict")
}

/// Whether a request failed because the cluster does not offer what it asks for.
fn is_unsupported(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 405))
}
