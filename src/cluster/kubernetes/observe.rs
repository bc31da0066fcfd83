//! Everything of ours that the cluster holds, put together from the watches. Asks the API server nothing.
//!
//! A workspace is listed as long as anything of it is there: StatefulSet, pod, Service or disk. Where an object is not as
//! it was applied last (edited by hand, deleted, or not looked at since this server started) the generation is told as
//! 0, so that the reconciler applies it again.

use super::applied::{Holder, Prints};
use super::apply::group::egress_print;
use super::notes::{Notes, Seen};
use super::places::Places;
use super::watch::Watch;
use super::watch::kept::Kept;
use super::words::warning::{Warning, workspace_digits};
use super::words::{self, Facts, pod, steps};
use super::{Shared, holds, names};
use crate::clock::Millis;
use crate::cluster::{ClusterError, Observation, ObservedGroup, ObservedWorkspace};
use crate::domain::id::{GroupId, WorkspaceId};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Event, LimitRange, Namespace, Node, PersistentVolumeClaim, Pod, ResourceQuota, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How long the first observation waits for the watches to be filled: before that nothing is known, which is not the
/// same as nothing being there.
const FIRST_LOOK: Duration = Duration::from_secs(8);

/// What is there of one workspace.
#[derive(Default)]
struct Parts {
    namespace: String,
    set: Option<Arc<StatefulSet>>,
    pod: Option<Arc<Pod>>,
    service: Option<Arc<Service>>,
    claim: Option<Arc<PersistentVolumeClaim>>,
    prints: Prints,
}

/// Everything that is needed to judge each.
struct Look<'s> {
    shared: &'s Shared,
    nodes: Option<BTreeMap<String, Arc<Node>>>,
    warnings: BTreeMap<String, Vec<Warning>>,
    filled: Millis,
    now: Millis,
}

/// What the cluster holds.
pub async fn observe(shared: &Shared) -> Result<Observation, ClusterError> {
    let watch = shared.watch()?;
    let filled = filled(shared, watch).await?;
    if let Some(why) = watch.trouble() {
        return Err(ClusterError::Transient(why));
    }
    let look = Look { shared, nodes: nodes(watch), warnings: warnings(watch), filled, now: shared.clock.now() };
    let mut notes = shared.notes.lock().unwrap_or_else(PoisonError::into_inner);
    let places = Places::seen(watch);
    let parts = parts(watch, &places);
    let workspaces = parts.iter().map(|(id, parts)| look.workspace(id, parts, &mut notes)).collect();
    notes.keep_only(|id| parts.contains_key(id));
    Ok(Observation { groups: Some(groups(&look, watch, &places)), workspaces })
}

/// When everything was known for the first time; waits a little for it.
async fn filled(shared: &Shared, watch: &Watch) -> Result<Millis, ClusterError> {
    let mut changes = shared.changes.subscribe();
    let filling = async {
        loop {
            if let Some(filled) = watch.filled() {
                return Some(filled);
            }
            if changes.changed().await.is_err() {
                return None;
            }
        }
    };
    match tokio::time::timeout(FIRST_LOOK, filling).await {
        Ok(Some(filled)) => Ok(filled),
        _ => Err(ClusterError::Transient(watch.trouble().unwrap_or_else(|| "the cluster is still being read".to_owned()))),
    }
}

fn nodes(watch: &Watch) -> Option<BTreeMap<String, Arc<Node>>> {
    let named = |node: Arc<Node>| Some((node.metadata.name.clone()?, node));
    watch.sees::<Node>().then(|| watch.all::<Node>().into_iter().filter_map(named).collect())
}

/// By the digits of the workspace, oldest first.
fn warnings(watch: &Watch) -> BTreeMap<String, Vec<Warning>> {
    let mut all: BTreeMap<String, Vec<Warning>> = BTreeMap::new();
    for warning in watch.all::<Event>() {
        if let Some(digits) = workspace_digits(&warning.object) {
            all.entry(digits.to_owned()).or_default().push(Warning::clone(&warning));
        }
    }
    for warnings in all.values_mut() {
        warnings.sort_by_key(|warning| warning.last);
    }
    all
}

fn parts(watch: &Watch, places: &Places) -> BTreeMap<WorkspaceId, Parts> {
    let mut all = BTreeMap::new();
    gather::<StatefulSet>(watch, places, &mut all, |parts, set| parts.set = Some(set));
    gather::<Service>(watch, places, &mut all, |parts, service| parts.service = Some(service));
    gather::<PersistentVolumeClaim>(watch, places, &mut all, |parts, claim| parts.claim = Some(claim));
    gather::<Pod>(watch, places, &mut all, |parts, pod| parts.pod = Some(pod));
    all
}

fn gather<K: Kept<As = K>>(watch: &Watch, places: &Places, all: &mut BTreeMap<WorkspaceId, Parts>, put: impl Fn(&mut Parts, Arc<K>)) {
    for (object, print) in watch.prints::<K>() {
        let Some(id) = places.workspace(object.meta()) else { continue };
        let parts = all.entry(id).or_default();
        parts.namespace = object.meta().namespace.clone().unwrap_or_default();
        parts.prints.extend(print);
        put(parts, object);
    }
}

impl Look<'_> {
    fn workspace(&self, id: &WorkspaceId, parts: &Parts, notes: &mut Notes) -> ObservedWorkspace {
        let set = parts.set.as_deref();
        let about: Vec<Warning> = self.warnings.get(id.hex()).cloned().unwrap_or_default();
        let about: Vec<Warning> = about.into_iter().filter(|warning| warning.namespace == parts.namespace).collect();
        let facts = Facts {
            set,
            pod: parts.pod.as_deref(),
            claim: parts.claim.as_deref(),
            service: parts.service.as_deref(),
            node: self.node(parts.pod.as_deref()),
            warnings: &about,
            since: notes.since(id, set.map(|set| &set.metadata), self.now),
            now: self.now,
        };
        let judgement = words::judge(&facts);
        let run = set.map_or(0, |set| pod::run(&set.metadata));
        let mut prints = parts.prints.clone();
        prints.extend(self.shared.trusted());
        let is_as_applied = self.shared.applied.is_as_applied(&Holder::Workspace(id.clone()), &prints);
        let uid = parts.pod.as_ref().and_then(|pod| pod.metadata.uid.as_deref());
        let seen = Seen { run, phase: judgement.phase, pod: uid, filled: self.filled, now: self.now };
        let mut news = self.shared.told.take(id);
        news.extend(notes.news(id, &seen, steps::lines(&facts, &judgement)));
        ObservedWorkspace {
            id: id.clone(),
            namespace: parts.namespace.clone(),
            phase: judgement.phase,
            run,
            generation: set.filter(|_| is_as_applied).map_or(0, |set| pod::number(&set.metadata, names::GENERATION)),
            reason: judgement.finding.map(|finding| finding.reason),
            applied: steps::applied(&facts),
            notes: news,
            components: words::components::components(id, &facts),
        }
    }

    #[allow(clippy::option_option)] // nodes that may not be looked at are something else than one that is gone
    fn node(&self, found: Option<&Pod>) -> Option<Option<&Node>> {
        let name = pod::node(found?)?;
        self.nodes.as_ref().map(|nodes| nodes.get(name).map(Arc::as_ref))
    }
}

fn groups(look: &Look<'_>, watch: &Watch, places: &Places) -> Vec<ObservedGroup> {
    let mut prints: BTreeMap<String, Prints> = BTreeMap::new();
    let mut add = |meta: &ObjectMeta, print: Option<(String, u64)>| {
        prints.entry(meta.namespace.clone().unwrap_or_default()).or_default().extend(print);
    };
    watch.prints::<ResourceQuota>().into_iter().for_each(|(object, print)| add(&object.metadata, print));
    watch.prints::<LimitRange>().into_iter().for_each(|(object, print)| add(&object.metadata, print));
    watch.prints::<NetworkPolicy>().into_iter().for_each(|(object, print)| add(&object.metadata, print));
    watch.prints::<ServiceAccount>().into_iter().for_each(|(object, print)| add(&object.metadata, print));
    let egress = egress_print(&look.shared.egress.borrow());
    let group = |(namespace, print): (Arc<Namespace>, Option<(String, u64)>)| {
        let name = namespace.metadata.name.clone()?;
        let mut prints = prints.remove(&name).unwrap_or_default();
        prints.extend(print);
        prints.extend([egress.clone()]);
        Some(group(look, &namespace, places.group(&name)?.clone(), name, &prints))
    };
    watch.prints::<Namespace>().into_iter().filter_map(group).collect()
}

fn group(look: &Look<'_>, namespace: &Namespace, id: GroupId, name: String, prints: &Prints) -> ObservedGroup {
    let meta = &namespace.metadata;
    let phase = namespace.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Active");
    let terminating = meta.deletion_timestamp.is_some() || phase == "Terminating";
    let is_as_applied = look.shared.applied.is_as_applied(&Holder::Group(id.clone()), prints);
    ObservedGroup {
        id,
        namespace: name,
        generation: if is_as_applied { pod::number(meta, names::GENERATION) } else { 0 },
        ready: !terminating,
        terminating,
        reason: holds::of(namespace),
        namespace_uid: meta.uid.clone(),
    }
}
